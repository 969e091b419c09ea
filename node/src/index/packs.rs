//! Which packs an index is of.
//!
//! Invariant: the last record that the index knows of is written with it, so that an index beside
//! other packs, older ones or those of another copy of the log, is told by one read.

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::pack::PackPosition;

use super::{Batch, Catalogue, IndexError, LogKey, decode_held, key, numbers, unreadable};
use crate::mutants::mutant;
use crate::store::StoreError;
use crate::store::pack::{PackPlace, PackReader};

/// Bytes of an id before the place in the value.
const ID_BYTES: usize = 32;

impl Catalogue {
    /// Whether what the index says of a log's bodies is of these packs: its last record lies there.
    ///
    /// An index that says how far the packs go and of no record is another node's, which follows
    /// this log, or was written before the last record was told.
    pub(crate) fn is_of_packs(&self, log: LogKey, packs: &PackReader) -> Result<bool, StoreError> {
        if mutant("index-unbound") {
            return Ok(true);
        }
        let Some((id, place)) = self.last_record(log)? else {
            let covers = self.covers(log)?;
            return Ok(covers.is_none_or(|covers| covers.packs == PackPosition::default()));
        };
        match packs.look(place, &id) {
            Ok(_) => Ok(true),
            Err(StoreError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn last_record(&self, log: LogKey) -> Result<Option<(ContentId, PackPlace)>, IndexError> {
        let key = key(b'p', &[&log.0]);
        let Some(value) = self.index.get(&key)? else {
            return Ok(None);
        };
        let decode = |value: &[u8]| {
            let (id, place) = value.split_at_checked(ID_BYTES)?;
            Some((ContentId::from_bytes(id.try_into().ok()?), decode_held(place)?.0))
        };
        decode(&value).map(Some).ok_or_else(|| unreadable(&key))
    }
}

impl Batch {
    /// No later record of the packs of a log is in the index, once this batch is.
    pub(crate) fn put_last_record(&mut self, log: LogKey, id: &ContentId, place: PackPlace) {
        let PackPlace { segment, offset, length } = place;
        let mut value = id.bytes().to_vec();
        value.extend_from_slice(&numbers(&(segment, offset, length)));
        self.put(key(b'p', &[&log.0]), value);
    }
}
