//! Checkpoints that were gossiped, until whoever follows the log takes them.
//!
//! Invariants: one note a log is kept, the last; each was signed by its log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// The newest gossiped note of each log. Gossip writes, the log's follower takes.
#[derive(Default)]
pub struct HeardNotes {
    notes: Mutex<BTreeMap<String, Vec<u8>>>,
    came: Notify,
}

impl HeardNotes {
    /// A note of this log came.
    pub fn note(&self, origin: &str, bytes: &[u8]) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(origin.to_owned(), bytes.to_vec());
        drop(notes);
        self.came.notify_waiters();
    }

    /// The note that came since the last time.
    pub fn take(&self, origin: &str) -> Option<Vec<u8>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).remove(origin)
    }

    /// Returns once there is a note of this log.
    pub async fn wait(&self, origin: &str) {
        loop {
            let came = self.came.notified();
            tokio::pin!(came);
            came.as_mut().enable();
            if self.has(origin) {
                return;
            }
            came.await;
        }
    }

    fn has(&self, origin: &str) -> bool {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).contains_key(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_a_log_is_woken_by_its_note_and_by_no_other() {
        let heard = std::sync::Arc::new(HeardNotes::default());
        let waiting = heard.clone();
        let task = tokio::spawn(async move { waiting.wait("a").await });
        heard.note("b", b"other");
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        heard.note("a", b"first");
        heard.note("a", b"second");
        task.await.unwrap();
        assert_eq!(heard.take("a").as_deref(), Some(&b"second"[..]));
        assert_eq!(heard.take("a"), None);
    }
}
