//! Witnesses of other networks, asked where they stand: of them no checkpoint can be had.
//!
//! Invariants: they are asked at the address in the policy; what they are shown cannot fork: a tree
//! that a quorum cosigned or this machine published, one of the very size that the witness has seen,
//! or the empty one, with which every tree begins; what one says of more than anybody shows is no
//! answer.

use std::sync::Arc;

use hallmark_schemas::head::Head;
use hallmark_schemas::merkle::{self, Hash};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{NoteSigner, SignedNote, VerifierKey};
use hallmark_schemas::tile::TileReader;

use super::Peers;
use crate::api::problem::with_causes;
use crate::client::Ask;
use crate::restore::{Recovery, Source};
use crate::sequencer::publish::sign_checkpoint;
use crate::store::StoreError;
use crate::witness::asking::{AskFault, Asking};
use crate::witness::quorum::POST_TYPE;

/// Bytes of a hash in a tile.
const HASH_BYTES: usize = 32;

/// Why a witness does not count as heard.
enum Deaf {
    /// It does not answer, or nobody gives the proof that it asks for.
    Away(String),
    /// It answers something else than a cosignature.
    Refuses(AskFault),
}

impl From<AskFault> for Deaf {
    fn from(fault: AskFault) -> Deaf {
        Deaf::Refuses(fault)
    }
}

impl Peers<'_> {
    /// Asks each witness of the policy that is no member where it stands; lines for people. `signer`
    /// is the log's.
    pub(crate) fn introduce_strangers(
        &mut self,
        recovery: &mut Recovery,
        network: &NetworkFile,
        signer: &NoteSigner,
    ) -> Vec<String> {
        let network = network.network();
        let mut lines = Vec::new();
        for witness in network.policy.witnesses() {
            if network.members.iter().any(|member| member.witness_key == witness.key) {
                continue;
            }
            let name = &witness.name;
            let Some(url) = &witness.url else {
                lines.push(format!("{name}: the policy names no address of it"));
                continue;
            };
            let url = url.trim_end_matches('/');
            let stands = self.stands(recovery, signer, &witness.key, url).and_then(|note| {
                let newest = note.checkpoint().map_err(|e| with_causes(&e))?;
                recovery.offer(note).map_err(|e| with_causes(&e))?;
                Ok(Head { size: newest.size, root: newest.root })
            });
            lines.push(match stands {
                Ok(head) => {
                    recovery.heard(name, (head.size != 0).then_some(head));
                    match head.size {
                        0 => format!("{name} at {url} has seen no entry of this log"),
                        size => format!("{name} at {url} has seen {size} entries and no more"),
                    }
                }
                Err(reason) => format!("{name} at {url} does not count: {reason}"),
            });
        }
        lines
    }

    /// The newest tree that this witness has seen, with its cosignature.
    fn stands(
        &mut self,
        recovery: &Recovery,
        signer: &NoteSigner,
        key: &VerifierKey,
        url: &str,
    ) -> Result<SignedNote, String> {
        let first = match recovery.shown() {
            Some(note) => note.clone(),
            None => {
                let signed = sign_checkpoint(&self.log, Head::EMPTY, signer);
                signed.map_err(|e| with_causes(&e))?
            }
        };
        let fault = match self.converse(recovery, key, url, &first) {
            Ok(note) => return Ok(note),
            Err(Deaf::Away(reason)) => return Err(reason),
            Err(Deaf::Refuses(fault)) => fault,
        };
        if let AskFault::Ahead { old, .. } = fault {
            // It may be what was signed last and never published.
            for note in recovery.of_size(old) {
                if let Ok(note) = self.converse(recovery, key, url, note) {
                    return Ok(note);
                }
            }
        }
        Err(match fault.elsewhere() {
            Some(_) => format!(
                "{}; nobody shows a checkpoint that says so, and without one it proves nothing",
                with_causes(&fault)
            ),
            None => with_causes(&fault),
        })
    }

    /// Shows the witness one checkpoint until it cosigns or refuses.
    fn converse(
        &mut self,
        recovery: &Recovery,
        key: &VerifierKey,
        url: &str,
        note: &SignedNote,
    ) -> Result<SignedNote, Deaf> {
        let shown = note.checkpoint().map_err(|e| Deaf::Away(with_causes(&e)))?;
        let head = Head { size: shown.size, root: shown.root };
        let mut asking = Asking::new(key.clone(), Arc::new(note.clone()), head.size)?;
        let url = format!("{url}/add-checkpoint");
        loop {
            let body = asking.request(|old, _| self.proof(recovery, old, head))?;
            let ask = Ask { body: Some((POST_TYPE, &body)), ..Ask::default() };
            let answer = self.runtime.block_on(super::patient(&self.client, &url, ask));
            let answer = answer.map_err(Deaf::Away)?;
            if let Some(cosigned) = asking.answered(answer.status, &answer.body)? {
                return Ok(cosigned);
            }
        }
    }

    /// That this tree begins with its first `old` entries: from the files here, else from whoever
    /// mirrors the log.
    fn proof(
        &mut self,
        recovery: &Recovery,
        old: u64,
        head: Head,
    ) -> Result<Vec<Hash>, StoreError> {
        if let Ok(Some(proof)) = recovery.proof_within(old, head) {
            return Ok(proof);
        }
        for giver in 0..self.givers() {
            let mut tiles = TileReader::new(head.size, |path| {
                let mut bytes = self.tile(giver, &path).ok_or(())?;
                bytes.truncate(usize::from(path.width()) * HASH_BYTES);
                Ok::<_, ()>(bytes)
            });
            let mut read = |level, index| tiles.hash(level, index);
            let root = merkle::root_from_read(head.size, &mut read);
            if !root.is_ok_and(|root| root == head.root) {
                continue;
            }
            if let Ok(proof) = merkle::consistency_proof(old, head.size, &mut read) {
                return Ok(proof);
            }
        }
        let lacking = format!("nobody gives the hashes that lead from {old} to {}", head.size);
        Err(StoreError::damaged(&recovery.data.log(), lacking))
    }
}
