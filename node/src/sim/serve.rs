//! What a simulated node answers others, as the routes of a running one do.

use hallmark_schemas::layout::peer_name;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::time::Timestamp;

use super::{Alike, Reply, Request, SimNode};
use crate::core::Signing;
use crate::sequencer::writer;
use crate::witness::guard::{self, Holds};
use crate::witness::memory::Held;
use crate::witness::{Answer, Fault};

impl SimNode {
    /// Answers another node, as the routes do.
    pub fn serve(&self, now: Timestamp, request: &Request) -> Reply {
        let found = |bytes: Option<Vec<u8>>| match bytes {
            Some(bytes) => Reply::Bytes(200, bytes),
            None => Reply::Bytes(404, Vec::new()),
        };
        match request {
            Request::Checkpoint => {
                found(self.log.published().map(|published| published.note.to_bytes()))
            }
            Request::Held(origin) => {
                Reply::Held(guard::holds(&self.witness, &self.mirror, &peer_name(origin)))
            }
            Request::Bundle(path) => match self.log.tile(path) {
                Ok(bytes) => found(bytes),
                Err(_) => Reply::Bytes(503, Vec::new()),
            },
            Request::Bodies(ids) => {
                Reply::Bodies(ids.iter().map(|id| self.log.body(id).ok().flatten()).collect())
            }
            Request::Process => Reply::Process(Alike {
                run: self.process.run.clone(),
                signs: !matches!(self.log.signing(), Signing::ReadOnly { .. }),
                met: self.beside.met(),
                published: self.log.published().map(|published| published.note.to_bytes()),
            }),
            Request::AddCheckpoint(body) => {
                let word = self.witness.add_checkpoint(
                    &self.setup.network,
                    body,
                    |hex| Held::of(&self.log, &self.mirror, hex),
                    now,
                );
                match self.heeded(word) {
                    Ok(Answer::Cosigned { lines }) => Reply::Bytes(200, lines.into_bytes()),
                    Ok(Answer::Conflict { size }) => {
                        Reply::Bytes(409, format!("{size}\n").into_bytes())
                    }
                    Err(fault) => Reply::Bytes(status(&fault), fault.to_string().into_bytes()),
                }
            }
        }
    }

    /// A word of the own witness; a write that failed under it ends the process.
    pub(super) fn heeded<T>(&self, word: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &word
            && fault.is_final()
        {
            self.log.fail(writer::chain(fault));
        }
        word
    }
}

/// What another says that it holds of a log, if that can be read.
pub(super) fn holds(reply: Option<Reply>) -> Option<Holds> {
    let Some(Reply::Held(texts)) = reply else { return None };
    let mut holds = Holds::default();
    for (held, text) in holds.iter_mut().zip(texts) {
        *held = text.map(|text| SignedNote::parse(text.as_bytes())).transpose().ok()?;
    }
    Some(holds)
}

/// The status of a refused `add-checkpoint`.
fn status(fault: &Fault) -> u16 {
    match fault {
        Fault::UnknownLog { .. } => 404,
        Fault::Untrusted { .. } => 403,
        Fault::Malformed { .. } => 400,
        Fault::Unproved { .. } => 422,
        Fault::Forgotten { .. } => 503,
        Fault::Disk { .. } | Fault::Failed | Fault::Sign { .. } => 500,
    }
}
