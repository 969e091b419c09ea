//! A witness that loses what it remembers of the logs that it cosigned: the folder, the file of one
//! log, or all that is newer than an old copy.
//!
//! The promise: of what it may have forgotten it cosigns nothing until the others told what they hold.

use std::collections::BTreeMap;

use hallmark_node::sim;
use hallmark_node::witness::Seen;
use hallmark_schemas::head::Head;
use hallmark_schemas::note::SignedNote;

use super::stock::{HONEST, STOCK};
use super::world::{What, World};

/// What a witness may have forgotten of one log.
#[derive(Default)]
pub(super) struct Forgotten {
    /// What it still remembers, once it was looked at.
    left: Option<Option<Seen>>,
    /// Who told its process what they hold of that log, as witness and as mirror, the newest of each.
    told: BTreeMap<usize, [Head; 2]>,
    /// Entries that the log had published when the process of the witness began.
    pub(super) published: u64,
    /// It is in doubt no more, though it has cosigned nothing since.
    is_settled: bool,
}

impl Forgotten {
    /// Whether the witness has taken in and cosigned nothing of that log since.
    pub(super) fn is_left(&mut self, word: Option<&Seen>) -> bool {
        self.left.get_or_insert_with(|| word.cloned()).as_ref() == word
    }

    /// Its process begins, when the log has published so many entries.
    pub(super) fn begin(&mut self, published: u64) {
        if !self.is_settled {
            self.told.clear();
            self.published = published;
        }
    }

    /// The witness `number` is not in doubt about log `whose`: for good, if enough others told.
    pub(super) fn settle(&mut self, number: usize, whose: usize, alone: bool) {
        self.is_settled |= self.may_end(number, whose, alone).is_ok();
    }

    /// Takes what another node answers.
    pub(super) fn tell(&mut self, by: usize, holds: &[Option<String>; 2]) {
        let told = self.told.entry(by).or_insert([Head::EMPTY; 2]);
        for (told, note) in told.iter_mut().zip(holds) {
            let note = note.as_ref().and_then(|note| SignedNote::parse(note.as_bytes()).ok());
            let checkpoint = note.and_then(|note| note.checkpoint().ok());
            if let Some(checkpoint) = checkpoint.filter(|checkpoint| told.size < checkpoint.size) {
                *told = Head { size: checkpoint.size, root: checkpoint.root };
            }
        }
    }

    /// What it was told of.
    pub(super) fn heads(&self) -> impl Iterator<Item = &Head> {
        self.told.values().flatten()
    }

    /// Fails unless so many told that the witness `number` may cosign log `whose` again: both other
    /// witnesses of the policy; where it names none, everybody else, and of its own log nobody.
    pub(super) fn may_end(&self, number: usize, whose: usize, alone: bool) -> Result<(), String> {
        let needed = if alone { HONEST } else { HONEST - 1 };
        if needed <= self.told.len() || alone && whose == number {
            return Ok(());
        }
        let told = self.told.len();
        Err(format!(
            "witness {number} cosigned log {whose} after {told} of {needed} others told what it may \
             have forgotten"
        ))
    }
}

impl World {
    /// The witness of a node forgets while its node is down.
    pub(super) fn forget(&mut self, host: usize) -> Result<(), String> {
        let one = &self.hosts[host];
        let is_busy = one.old.is_some() || one.is_read_only || self.oracle.forgets_any();
        if one.node.is_none() || is_busy {
            return Ok(());
        }
        let (end, wait) = self.an_end();
        self.hosts[host].end(end, &mut self.rng);
        self.plan(wait, What::Start(host));
        self.hosts[host].disk.set_capacity(None);
        let which = self.rng.usize(..STOCK.origins.len());
        let (lost, origins) = match self.rng.u8(..3) {
            0 => (Some(&STOCK.origins[which]), &STOCK.origins[which..=which]),
            1 if self.hosts[host].restore_memory()? => {
                self.note(|| format!("witness {host} remembers what is in an old copy"));
                self.oracle.forgets(host, &STOCK.origins);
                return Ok(());
            }
            _ => (None, &STOCK.origins[..]),
        };
        self.note(|| format!("witness {host} forgets {lost:?}"));
        let disk = &self.hosts[host].disk;
        let files = sim::memory_of(disk, lost.map(String::as_str));
        if files.is_empty() {
            return Ok(()); // it never cosigned that log
        }
        files.iter().for_each(|path| disk.lose(path));
        self.oracle.forgets(host, origins);
        Ok(())
    }
}
