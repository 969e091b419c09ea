//! Which entry of a log says something first, and which one was taken only as evidence that its issuer
//! contradicts itself.
//!
//! Invariants: a log takes what contradicts an earlier entry under the same natural identity as
//! evidence of that and of nothing else, so whoever tells what records say leaves it out; of a copy it
//! is known of those bodies that the copy holds, in whatever order they came.
//!
//! Key: `h` ‖ first 16 bytes of the identity ‖ log ‖ entry. No value. The own log has `i` instead.

use hallmark_schemas::attestation::Envelope;

use super::{Batch, Catalogue, IndexError, LogKey, key, short, unreadable};

impl Batch {
    /// An entry of a copy has this natural identity.
    pub(crate) fn put_said(&mut self, log: LogKey, entry: u64, identity: &[u8; 32]) {
        self.put(said_key(log, identity, &entry.to_be_bytes()), Vec::new());
    }

    /// The body of that entry is no more.
    pub(crate) fn forget_said(&mut self, log: LogKey, entry: u64, identity: &[u8; 32]) {
        self.remove(said_key(log, identity, &entry.to_be_bytes()));
    }
}

impl Catalogue {
    /// Whether a log has this entry, which holds `said`, only as evidence of a contradiction.
    pub fn is_contradiction(
        &self,
        log: LogKey,
        entry: u64,
        said: &Envelope,
    ) -> Result<bool, IndexError> {
        let identity = said.identity().key;
        if log == self.own {
            return Ok(self.identity(&identity)?.is_some_and(|first| first != said.id()));
        }
        let prefix = said_key(log, &identity, &[]);
        let first = self.index.scan(&prefix, &[], 1)?.into_iter().next();
        let Some((key, _)) = first else { return Ok(false) };
        let first = key[prefix.len()..].try_into().map_err(|_| unreadable(&key))?;
        Ok(u64::from_be_bytes(first) < entry)
    }
}

fn said_key(log: LogKey, identity: &[u8; 32], entry: &[u8]) -> Vec<u8> {
    key(b'h', &[short(identity), &log.0, entry])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::memory::MemoryIndex;
    use super::*;
    use crate::core::testing::facility;

    #[test]
    fn of_a_copy_the_first_entry_of_an_identity_stands_in_whatever_order_bodies_come() {
        let catalogue = Catalogue::of("net/own/1", Arc::new(MemoryIndex::default()));
        let (log, other) = (LogKey::of("net/a/1"), LogKey::of("net/b/1"));
        let said = facility(1, "plant", 0);
        let identity = said.identity().key;
        let is_refused = |log, entry| catalogue.is_contradiction(log, entry, &said).unwrap();
        let mut changes = Batch::default();
        changes.put_said(log, 300, &identity);
        catalogue.write(changes).unwrap();
        assert!(!is_refused(log, 300), "nothing earlier is here");
        let mut changes = Batch::default();
        changes.put_said(log, 7, &identity);
        catalogue.write(changes).unwrap();
        assert_eq!([is_refused(log, 300), is_refused(log, 7)], [true, false]);
        assert!(!is_refused(other, 300), "another log has its own order");
        let mut changes = Batch::default();
        changes.forget_said(log, 7, &identity);
        catalogue.write(changes).unwrap();
        assert!(!is_refused(log, 300), "what is erased contradicts nothing");
    }

    #[test]
    fn of_the_own_log_what_is_not_the_first_of_its_identity_contradicts_it() {
        let catalogue = Catalogue::of("net/own/1", Arc::new(MemoryIndex::default()));
        let own = LogKey::of("net/own/1");
        let (first, again) = (facility(1, "plant", 0), facility(1, "works", 0));
        assert_eq!(first.identity().key, again.identity().key);
        let mut changes = Batch::default();
        changes.put_identity(&first.identity().key, &first.id());
        catalogue.write(changes).unwrap();
        let is_refused = |said| catalogue.is_contradiction(own, 1, said).unwrap();
        assert_eq!([is_refused(&first), is_refused(&again)], [false, true]);
    }
}
