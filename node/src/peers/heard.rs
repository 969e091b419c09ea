//! Checkpoints that were gossiped, until whoever follows the log takes them.
//!
//! Invariants: of each log the last few that differ are kept, so that a fork is not hidden by what
//! comes after it; each was signed by its log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Most notes of one log.
const NOTES_MAX: usize = 4;

/// Gossiped notes of each log, oldest first. Gossip writes, the log's follower takes.
#[derive(Default)]
pub struct HeardNotes {
    notes: Mutex<BTreeMap<String, Vec<Vec<u8>>>>,
    came: Notify,
}

impl HeardNotes {
    /// A note of this log came.
    pub fn note(&self, origin: &str, bytes: &[u8]) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let of_log = notes.entry(origin.to_owned()).or_default();
        if !of_log.iter().any(|known| known == bytes) {
            if of_log.len() == NOTES_MAX {
                of_log.remove(0);
            }
            of_log.push(bytes.to_vec());
        }
        drop(notes);
        self.came.notify_waiters();
    }

    /// The notes that came since the last time.
    pub fn take(&self, origin: &str) -> Vec<Vec<u8>> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.remove(origin).unwrap_or_default()
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
        heard.note("a", b"first");
        task.await.unwrap();
        assert_eq!(heard.take("a"), [b"first".to_vec(), b"second".to_vec()]);
        assert!(heard.take("a").is_empty());
        (0..9).for_each(|number| heard.note("a", &[number]));
        assert_eq!(heard.take("a"), [[5], [6], [7], [8]]);
    }
}
