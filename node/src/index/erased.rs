//! Which records were erased, and what of the index goes with them.
//!
//! Invariants: an erasure is in the index as soon as its body is, and stands among those to carry
//! out until all of it is done; what goes is what a rebuild would not find any more, because it
//! reads bodies. Values of `z`: id of the record ‖ id of the erasure ‖ 1 once it is carried out.

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::kind::Body;
use hallmark_schemas::time::Timestamp;

use super::goods::Naming;
use super::{Batch, Catalogue, IndexError, LogKey, key, short, unreadable};

/// An erasure in a log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Erased {
    /// The record.
    pub target: ContentId,
    /// The erasure.
    pub erasure: ContentId,
    /// Whether it was carried out here.
    pub done: bool,
}

impl Erased {
    fn decode(value: &[u8]) -> Option<Erased> {
        let (target, rest) = value.split_first_chunk()?;
        let (erasure, done) = rest.split_first_chunk()?;
        let id = |bytes: &[u8; 32]| ContentId::from_bytes(*bytes);
        (done.len() == 1).then(|| Erased {
            target: id(target),
            erasure: id(erasure),
            done: done == [1],
        })
    }
}

impl Batch {
    /// A record of a log is erased, or is to be.
    pub fn put_erased(&mut self, log: LogKey, erased: &Erased) {
        let Erased { target, erasure, done } = erased;
        let value = [target.bytes().as_slice(), erasure.bytes(), &[u8::from(*done)]].concat();
        let name = |kind| key(kind, &[&log.0, short(target.bytes())]);
        self.put(name(b'z'), &value);
        match done {
            true => self.remove(name(b'y')),
            false => self.put(name(b'y'), &value),
        }
    }

    /// What was found under the words of a body in a log is not any more.
    pub fn forget_naming(
        &mut self,
        log: LogKey,
        at: (u64, Timestamp),
        id: &ContentId,
        naming: &Naming,
    ) {
        let mut put = Batch::default();
        put.put_goods(log, at, id, naming);
        put.iter().for_each(|(key, _)| self.remove(key));
    }

    /// The same for what only the own log has: natural identity and codes.
    pub fn forget_own(
        &mut self,
        catalogue: &Catalogue,
        log: LogKey,
        envelope: &Envelope,
    ) -> Result<(), IndexError> {
        let (id, identity) = (envelope.id(), envelope.identity().key);
        let fork = catalogue.fork(&identity)?;
        if catalogue.identity(&identity)? == Some(id) {
            match fork {
                // What contradicted it is now the first that says something.
                Some(other) => self.put_identity(&identity, &other),
                None => self.remove(key(b'i', &[short(&identity)])),
            }
            self.remove(key(b'f', &[short(&identity)]));
        } else if fork == Some(id) {
            self.remove(key(b'f', &[short(&identity)]));
        }
        if let Body::Label(label) = envelope.body() {
            let class = super::class_key(&label.class);
            self.remove(key(b'l', &[&class, id.bytes()]));
        }
        self.put_nameless(log);
        Ok(())
    }
}

impl Catalogue {
    /// The erasure of a record in a log.
    pub fn erased(&self, log: LogKey, target: &ContentId) -> Result<Option<Erased>, IndexError> {
        let found = self.value(key(b'z', &[&log.0, short(target.bytes())]), Erased::decode)?;
        Ok(found.filter(|erased| erased.target == *target))
    }

    /// Erasures of a log that are not carried out.
    pub fn erasures_due(&self, log: LogKey) -> Result<Vec<Erased>, IndexError> {
        let pairs = self.index.scan(&key(b'y', &[&log.0]), &[], usize::MAX)?;
        let decode = |(key, value): &(Vec<u8>, Vec<u8>)| {
            Erased::decode(value).ok_or_else(|| unreadable(key))
        };
        pairs.iter().map(decode).collect()
    }

    /// Returns once nothing is left in files of what was removed, durably.
    pub(crate) fn purge(&self) -> Result<(), IndexError> {
        self.index.purge()
    }
}
