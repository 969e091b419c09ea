//! What a command says when it cannot do what it was asked: one error, its causes, the remedy.
//!
//! Invariants: the exit code is one of the table that the three programs share; every failure a person can repair
//! carries a `help:` line.

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

    /// What was to be printed could not be written. Whoever closes a pipe has read enough: then the
    /// command ends, and says nothing.
    pub fn unwritten(what: &str, error: &std::io::Error) -> Failure {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Failure::new(Exit::Done, "");
        }
        Failure::busy(format!("cannot write {what}"))
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

    /// The `error:`, `cause:` and `help:` lines; nothing where there is nothing to say.
    pub fn lines(&self) -> String {
        if self.message.is_empty() {
            return String::new();
        }
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
        let closed = Failure::unwritten("stdout", &std::io::ErrorKind::BrokenPipe.into());
        assert_eq!((closed.exit(), closed.lines().as_str()), (Exit::Done, ""));
        let full = Failure::unwritten("stdout", &inner);
        assert_eq!(full.exit(), Exit::Busy);
        assert!(full.lines().contains("cause: disk is full\nhelp: "), "{}", full.lines());
        let bare = Failure::fault("cannot write the outbox").lines();
        assert!(bare.contains("\nhelp: if the disk"), "{bare}");
    }
}
