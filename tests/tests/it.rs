//! All system tests, one binary: real processes over real sockets, brokers and files.

#[cfg(test)]
mod it {
    mod tidy;
}
