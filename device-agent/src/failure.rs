//! What a command says when it cannot do what it was asked: one error, its causes, the remedy.
//!
//! Invariants: the exit code is one of the table that the three programs share; a failure that a
//! person can repair carries a `help:` line.

use std::error::Error;
use std::fmt::Display;

use hallmark_schemas::exit::Exit;

/// What to do about our own fault, where nothing better is known.
const FAULT_HELP: &str = "if the disk is full or damaged, repair it; else report this, with what \
                          HALLMARK_LOG=debug prints";

/// Why a command stopped, as the person at the terminal reads it.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
    causes: Vec<String>,
    help: Option<String>,
}

impl Failure {
    /// A failure with this exit code and sentence: lower case, no full stop.
    pub fn new(exit: Exit, message: impl Display) -> Failure {
        Failure { exit, message: message.to_string(), causes: Vec::new(), help: None }
    }

    /// The command line or configuration is wrong.
    pub fn usage(message: impl Display) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// Input data cannot be read or is malformed.
    pub fn input(message: impl Display) -> Failure {
        Failure::new(Exit::Input, message)
    }

    /// Something is locked, busy or cannot be reached.
    pub fn busy(message: impl Display) -> Failure {
        Failure::new(Exit::Busy, message)
    }

    /// This program or its disk failed.
    pub fn fault(message: impl Display) -> Failure {
        Failure::new(Exit::Fault, message).help(FAULT_HELP)
    }

    /// Stdout takes nothing more.
    pub fn unwritten(error: &std::io::Error) -> Failure {
        Failure::busy("cannot write to stdout")
            .because(error)
            .help("free space or write elsewhere, then give the command again")
    }

    /// Adds the error below as `cause:` lines, one a level.
    pub fn because(mut self, cause: &(dyn Error + 'static)) -> Failure {
        let mut next = Some(cause);
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// Adds one `cause:` line.
    pub fn note(mut self, cause: impl Display) -> Failure {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds one line that says what to do.
    pub fn help(mut self, help: impl Display) -> Failure {
        self.help = Some(help.to_string());
        self
    }

    /// The code that the process ends with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The `error:`, `cause:` and `help:` lines.
    pub fn lines(&self) -> String {
        let mut text = format!("error: {}\n", self.message);
        for cause in &self.causes {
            text.push_str(&format!("cause: {cause}\n"));
        }
        if let Some(help) = &self.help {
            text.push_str(&format!("help: {help}\n"));
        }
        text
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_prints_each_level_and_the_remedy() {
        let inner = std::io::Error::other("disk is full");
        let failure = Failure::fault("cannot write the outbox").because(&inner).help("free space");
        assert_eq!(
            failure.lines(),
            "error: cannot write the outbox\ncause: disk is full\nhelp: free space\n"
        );
        let bare = Failure::fault("cannot write the outbox").lines();
        assert!(bare.contains("\nhelp: if the disk"), "{bare}");
    }
}
