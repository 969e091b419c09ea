//! Exit codes that the three programs share.

/// How a command ended; the number is its exit code.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// Done, and nothing found.
    #[default]
    Done = 0,
    /// Findings at or over the asked severity, or some items refused.
    Found = 1,
    /// Command line or configuration.
    Usage = 2,
    /// Input data unreadable or malformed.
    Input = 3,
    /// A proof of the input itself is broken.
    Broken = 4,
    /// Evidence incomplete, cannot say.
    Incomplete = 5,
    /// Busy, locked or unreachable.
    Busy = 6,
    /// Our own fault.
    Fault = 70,
}

/// Which code wins when several apply, strongest first.
const PRECEDENCE: [Exit; 8] = [
    Exit::Fault,
    Exit::Usage,
    Exit::Busy,
    Exit::Input,
    Exit::Broken,
    Exit::Found,
    Exit::Incomplete,
    Exit::Done,
];

impl Exit {
    /// The number given to the operating system.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The one of two that a command reports when both apply.
    #[must_use]
    pub fn or(self, other: Exit) -> Exit {
        let rank = |exit| PRECEDENCE.iter().position(|listed| *listed == exit);
        if rank(self) <= rank(other) { self } else { other }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> std::process::ExitCode {
        std::process::ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stronger_of_two_codes_wins_in_either_order() {
        for (index, strong) in PRECEDENCE.iter().enumerate() {
            for weak in &PRECEDENCE[index..] {
                assert_eq!(strong.or(*weak), *strong);
                assert_eq!(weak.or(*strong), *strong);
            }
        }
        assert_eq!(Exit::Fault.code(), 70);
    }
}
