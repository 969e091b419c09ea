//! Tells on a terminal how far the judging is, and stops it when the user asks.
//!
//! The first interrupt (Ctrl-C) lets the rules that are at work finish, and what was found until then
//! is reported, marked as partial; the second one ends the program at once.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::judge::progress::Progress;

/// Exit code after the second interrupt, as shells have it: 128 + SIGINT.
const INTERRUPTED: i32 = 130;
/// Time between two words of progress.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// Looks on until it is dropped.
pub(crate) struct Onlooker {
    ended: Option<Sender<()>>,
    teller: Option<JoinHandle<()>>,
}

impl Onlooker {
    /// Begins to look on.
    pub(crate) fn new(progress: &Arc<Progress>) -> Onlooker {
        listen(Arc::clone(progress));
        let (ended, end) = channel();
        let progress = Arc::clone(progress);
        let teller = std::io::stderr().is_terminal().then(|| {
            std::thread::spawn(move || {
                let began = Instant::now();
                while end.recv_timeout(TOLD_EVERY) == Err(RecvTimeoutError::Timeout) {
                    let mut stderr = std::io::stderr().lock();
                    let _closed = write!(stderr, "\r\x1b[K{}", words(&progress, began.elapsed()));
                    let _closed = stderr.flush();
                }
                eprint!("\r\x1b[K");
            })
        });
        Onlooker { ended: Some(ended), teller }
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(teller) = self.teller.take() {
            // A teller that panicked has nothing left to tell.
            let _panicked = teller.join();
        }
    }
}

/// Waits for interrupts on a thread of its own, for as long as the program lives.
fn listen(progress: Arc<Progress>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            progress.stop();
            eprintln!("stopping after the rules that are at work; once more ends at once");
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(INTERRUPTED);
            }
        });
    });
}

/// One line: rows done, rows in all, time left.
fn words(progress: &Progress, since: Duration) -> String {
    let (done, of) = progress.rows();
    let left = match done {
        0 => String::new(),
        _ => {
            let whole = since.as_secs_f64() / done as f64 * of as f64;
            let left = (whole - since.as_secs_f64()).max(0.0);
            format!(", about {left:.0} s left")
        }
    };
    format!("judged {done} of {of} rows{left}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_time_left_are_told() {
        let progress = Progress::default();
        progress.expect(400);
        assert_eq!(words(&progress, Duration::from_secs(3)), "judged 0 of 400 rows");
        progress.done(100);
        let told = words(&progress, Duration::from_secs(3));
        assert_eq!(told, "judged 100 of 400 rows, about 9 s left");
    }
}
