//! All system tests: whole processes over real sockets, brokers and files. One binary.
//!
//! The programs are those that `cargo build --workspace --bins` left beside this one.

#[cfg(test)]
mod it {
    mod away;
    mod browser;
    mod check;
    mod crash;
    mod defect;
    mod epcis;
    mod figures;
    mod foreign;
    mod forgetful;
    mod generated;
    mod half;
    mod input;
    mod killed;
    mod label;
    mod market;
    mod network;
    mod offline;
    mod operator;
    mod order;
    mod p2p;
    mod passport;
    mod passport_page;
    mod policy;
    mod read_only;
    mod readme;
    mod recall;
    mod recovery;
    mod registrars;
    mod repair;
    mod reports;
    mod rotation;
    mod steel;
    mod stranger;
    mod tidy;
    mod trace;
    mod twin;
    #[cfg(feature = "url")]
    mod url;
    mod world;
}
