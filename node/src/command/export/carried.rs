//! What a bundle on its way carries, and what it lacks though it was asked for.
//!
//! Invariant: of each body 16 bytes are kept, as the reader of a bundle keeps of each item.

use std::collections::BTreeSet;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::bundle::Item;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::kind::Body;

use crate::bundle::public::{PUBLIC_BODIES_MAX, PUBLIC_BYTES_MAX, PUBLIC_RECORDS_MAX};
use crate::cli::Output;

/// Most bodies that are named as damaged or missing, each.
const TOLD_MAX: usize = 16;
/// Most missing bodies that are counted: 2 MiB of ids.
const LOST_MAX: usize = 1 << 16;

/// The items that came by.
#[derive(Default)]
pub(super) struct Carried {
    /// Bodies, receipts and proofs.
    pub(super) matched: u64,
    /// Bodies that are no identities.
    pub(super) bodies: u64,
    /// Bodies and identities, and their bytes.
    pub(super) records: u64,
    bytes: usize,
    /// The first half of the id of each.
    carried: BTreeSet<[u8; 16]>,
    /// Named by erasures in the bundle.
    erased: BTreeSet<ContentId>,
    /// Damaged where the bundle was made.
    damaged: BTreeSet<ContentId>,
    /// With a proof and without body.
    lost: Vec<ContentId>,
}

impl Carried {
    /// Notes an item; in a bundle bodies come before their proofs.
    pub(super) fn count(&mut self, item: &Item) {
        let found = matches!(item, Item::Body(_) | Item::Receipt { .. } | Item::Proof { .. });
        self.matched += u64::from(found);
        match item {
            Item::Body(stored) | Item::Identity(stored) => {
                self.bodies += u64::from(matches!(item, Item::Body(_)));
                (self.records, self.bytes) = (self.records + 1, self.bytes + stored.len());
                self.carried.insert(half(&ContentId::of(stored)));
                if let Ok(envelope) = Envelope::parse(stored)
                    && let Body::Erasure(erasure) = envelope.body()
                {
                    self.erased.insert(erasure.erased);
                }
            }
            Item::Receipt { id, .. } | Item::Proof { id, .. } => {
                let is_here = self.carried.contains(&half(id)) || self.erased.contains(id);
                if !is_here && self.lost.last() != Some(id) && self.lost.len() < LOST_MAX {
                    self.lost.push(*id);
                }
            }
            Item::Damaged { id, .. } => {
                self.damaged.insert(*id);
            }
            _ => {}
        }
    }

    /// Says what the bundle lacks, though it was asked for; on stdout only beside a file.
    pub(super) fn tell(&self, is_stdout: bool, output: Output) -> Exit {
        let lost: Vec<_> = self.lost.iter().filter(|id| !self.damaged.contains(id)).collect();
        let (damaged, missing) = (self.damaged.len(), lost.len());
        if damaged + missing == 0 {
            return Exit::Done;
        }
        let say = |text: String, json: &serde_json::Value| match is_stdout {
            true => output.say(text),
            false => output.item(text, json),
        };
        let what = self.damaged.iter().map(|id| ("damaged", id, "its bytes are not its own"));
        let lost = lost.into_iter().map(|id| ("missing", id, "its body is not here"));
        for (what, id, why) in what.take(TOLD_MAX).chain(lost.take(TOLD_MAX)) {
            let json = serde_json::json!({ what: id.to_string() });
            say(format!("{what}: {id}: {why}"), &json);
        }
        output.say(
            "help: the bundle says so to whoever checks it; `hallmark-node check DIR --repair` \
             fetches what is damaged or lost from peers, then export again",
        );
        let text = format!("{damaged} damaged, {missing} missing, all else is in the bundle");
        let json = serde_json::json!({ "verdict": "incomplete", "text": text });
        say(format!("incomplete: {text}"), &json);
        if 0 < damaged { Exit::Broken } else { Exit::Incomplete }
    }

    /// Whether a public bundle has as much as it may: something may have been left out.
    pub(super) fn is_full(&self) -> bool {
        PUBLIC_BODIES_MAX as u64 <= self.bodies
            || PUBLIC_RECORDS_MAX as u64 <= self.records
            || PUBLIC_BYTES_MAX < self.bytes
    }
}

fn half(id: &ContentId) -> [u8; 16] {
    *id.bytes().first_chunk().expect("32 bytes begin with 16")
}
