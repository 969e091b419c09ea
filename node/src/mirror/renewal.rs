//! Newer cosignatures of the checkpoint that a copy has: the log is idle, its witnesses vouch for it.
//!
//! Invariant: only signatures change; tree, history and the times of entries stay as they are.

use std::sync::Arc;

use hallmark_schemas::note::SignedNote;
use hallmark_schemas::time::Timestamp;

use super::{MirrorError, MirroredLog};
use crate::core::shared::{cosigned_at, vouchers};
use crate::peers::witness_key;

impl MirroredLog {
    /// Takes newer cosignatures of the checkpoint that is here; whether there were any.
    ///
    /// Only lines of the log and of those who vouch for it are kept.
    pub fn renew(&self, note: &SignedNote) -> Result<bool, MirrorError> {
        note.checkpoint_of(&self.log_key)?;
        let mut state = self.lock();
        let Some(held) = state.note.clone().filter(|held| held.text() == note.text()) else {
            return Ok(false);
        };
        let policy = &state.network.network().policy;
        let own = witness_key(&state.network, self.origin());
        let mut keys = vouchers(policy, own.clone());
        keys.push(self.log_key.clone());
        let mut newer = note.clone();
        newer.retain(|line| keys.iter().any(|key| line.is_of(key)));
        let told = cosigned_at(policy, own.as_ref(), &newer);
        if told <= cosigned_at(policy, own.as_ref(), &held) {
            return Ok(false);
        }
        self.checkpoints.renew(&newer.to_bytes())?;
        state.note = Some(Arc::new(newer));
        Ok(true)
    }

    /// When its witnesses last vouched for the checkpoint that is here, or its own node's where the
    /// policy names none; `None`: nobody has yet.
    pub fn cosigned_at(&self) -> Option<Timestamp> {
        let state = self.lock();
        let policy = &state.network.network().policy;
        let own = witness_key(&state.network, self.origin());
        state.note.as_ref().and_then(|note| cosigned_at(policy, own.as_ref(), note))
    }
}
