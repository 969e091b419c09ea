//! Following one log, step by step: what to ask its node for next, and what to make of the answer.
//!
//! Invariants: nothing of a peer is believed that its log's signature, the tree's hashes or the
//! body's own id do not prove; a round that fails leaves the copy as it was; what is remembered of a
//! peer is bounded.

use std::collections::HashMap;
use std::sync::Arc;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::note::{NoteError, SignedNote};
use hallmark_schemas::tile::TilePath;

use crate::mirror::growth::Growth;
use crate::mirror::{MirrorError, MirroredLog};
use crate::mutants::mutant;
use crate::store::StoreError;

/// Bodies of one group commit.
const BODIES_BATCH: usize = 256;
/// Longest wait, in beats, before a body that was not given is asked for again: about a minute, as a
/// beat is 5 s where the peer gossips and 1 s where not. Where more are lacking than fit so many
/// requests, each has its turn, one request a beat.
const WAIT_BEATS_MAX: u64 = 16;
/// Most bodies of one log that are remembered as not given.
const LACKING_MAX: usize = 100_000;

/// What to ask the log's node for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ask {
    /// Its published checkpoint.
    Checkpoint,
    /// An entry bundle.
    Bundle(TilePath),
    /// Bodies, as far as it gives them to us.
    Bodies(Vec<ContentId>),
}

/// What it answered.
#[derive(Clone, Debug)]
pub enum Heard {
    /// The bytes of a note.
    Checkpoint(Vec<u8>),
    /// The bytes of an entry bundle.
    Bundle(Vec<u8>),
    /// Each body that was asked for, or that it was not given.
    Bodies(Vec<(ContentId, Option<Vec<u8>>)>),
}

impl Heard {
    /// About how many bytes came.
    pub fn bytes(&self) -> usize {
        match self {
            Heard::Checkpoint(bytes) | Heard::Bundle(bytes) => bytes.len(),
            Heard::Bodies(bodies) => bodies.iter().flat_map(|(_, body)| body).map(Vec::len).sum(),
        }
    }
}

/// What an answer brought.
#[derive(Debug, Default)]
pub struct Progress {
    /// What to ask for next; `None` ends the round.
    pub ask: Option<Ask>,
    /// The log's newest checkpoint is another than before: time to cosign it.
    pub is_new: bool,
    /// The copy grew.
    pub grown: bool,
    /// Bodies that were kept.
    pub kept: Vec<Vec<u8>>,
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// What was served is no note.
    #[error("the checkpoint cannot be read")]
    Note(#[from] NoteError),
    /// It contradicts what is here, or our disk failed.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// Our own disk or index.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A body with another id than was asked for.
    #[error("it answers with another body than {id}")]
    OtherBody {
        /// What was asked for.
        id: ContentId,
    },
    /// An answer to what was not asked.
    #[error("an answer came to what was not asked")]
    Unasked,
}

impl FollowError {
    /// Whether a write of ours failed after which nobody knows what is durable.
    pub fn is_final(&self) -> bool {
        match self {
            FollowError::Mirror(MirrorError::Store(error)) | FollowError::Store(error) => {
                error.is_final()
            }
            _ => false,
        }
    }
}

/// Where a round is.
enum Stage {
    Resting,
    /// The checkpoint was asked for.
    Looking,
    /// Entry bundles are.
    Growing(Box<Growth>),
    /// Bodies of entries before this one are; `ahead` is what follows them.
    Filling {
        after: u64,
        ahead: Option<Batch>,
    },
}

/// Bodies that are asked for at once, and the entry from which others follow.
struct Batch {
    ids: Vec<ContentId>,
    after: u64,
}

/// One log's follower.
pub struct Follower {
    log: Arc<MirroredLog>,
    lacking: Lacking,
    stage: Stage,
    /// Whether bundles that an earlier run wrote may lie here: until the copy has grown once.
    resumes: bool,
}

impl Follower {
    /// Begins at rest.
    pub fn new(log: Arc<MirroredLog>) -> Follower {
        Follower { log, lacking: Lacking::new(LACKING_MAX), stage: Stage::Resting, resumes: true }
    }

    /// The copy that it keeps.
    pub fn log(&self) -> &Arc<MirroredLog> {
        &self.log
    }

    /// Forgets what was not given: somebody answers who did not.
    pub fn ask_again(&mut self) {
        self.lacking.forget();
    }

    /// Begins a round; one that was on its way is dropped.
    pub fn begin(&mut self) -> Ask {
        self.stage = Stage::Looking;
        Ask::Checkpoint
    }

    /// What will be asked for next whatever the answer is, as far as that is known: whoever asks may ask
    /// for it before that answer is worked off.
    pub fn ahead(&self) -> Option<Ask> {
        match &self.stage {
            Stage::Filling { ahead: Some(batch), .. } => Some(Ask::Bodies(batch.ids.clone())),
            _ => None,
        }
    }

    /// Takes the answer to what was asked for last. Reads and writes the copy: it blocks.
    pub fn heard(&mut self, heard: Heard) -> Result<Progress, FollowError> {
        match (std::mem::replace(&mut self.stage, Stage::Resting), heard) {
            (Stage::Looking, Heard::Checkpoint(bytes)) => self.looked(&bytes),
            (Stage::Growing(mut growth), Heard::Bundle(bundle)) => {
                growth.feed(&bundle)?;
                self.grow(growth)
            }
            (Stage::Filling { after, ahead }, Heard::Bodies(bodies)) => {
                let kept = self.keep(bodies)?;
                let ask = match ahead {
                    Some(batch) => Some(self.ask_for(batch)?),
                    None => self.fill(after)?,
                };
                Ok(Progress { ask, kept, ..Progress::default() })
            }
            _ => Err(FollowError::Unasked),
        }
    }

    /// The bytes of an answer as what was asked for last.
    #[cfg(feature = "sim")]
    pub(crate) fn takes(&self, bytes: Vec<u8>) -> Heard {
        match self.stage {
            Stage::Growing(_) => Heard::Bundle(bytes),
            _ => Heard::Checkpoint(bytes),
        }
    }

    /// Remembers at most so many bodies that were not given.
    #[cfg(feature = "sim")]
    pub(crate) fn set_lacking_max(&mut self, max: usize) {
        self.lacking.max = max;
    }

    /// How many bodies are remembered as not given.
    #[cfg(feature = "sim")]
    pub(crate) fn lacking_count(&self) -> usize {
        self.lacking.refused.len()
    }

    /// Entries that were served and are not written yet.
    #[cfg(feature = "sim")]
    pub(crate) fn unwritten(&self) -> usize {
        match &self.stage {
            Stage::Growing(growth) => growth.unwritten(),
            _ => 0,
        }
    }

    fn looked(&mut self, bytes: &[u8]) -> Result<Progress, FollowError> {
        let note = SignedNote::parse(bytes)?;
        // A copy that is fetched again is not whole, though it has this checkpoint.
        if let Some(held) = self.log.whole_checkpoint().filter(|one| one.text() == note.text()) {
            if *held != note {
                self.log.renew(&note)?;
            }
            return self.rest_is_bodies(false);
        }
        match self.log.grow(note)? {
            Some(growth) => self.grow(Box::new(growth)),
            None => Ok(Progress { is_new: true, ..self.rest_is_bodies(false)? }),
        }
    }

    fn grow(&mut self, mut growth: Box<Growth>) -> Result<Progress, FollowError> {
        if self.resumes {
            growth.take_kept()?;
        }
        if let Some(path) = growth.wants() {
            self.stage = Stage::Growing(growth);
            return Ok(Progress { ask: Some(Ask::Bundle(path)), ..Progress::default() });
        }
        // What an earlier run left may be torn: then all is asked for again, and nobody accused.
        let again = growth.has_kept().then(|| growth.note().clone());
        self.resumes = false;
        match (growth.commit(), again) {
            (Err(MirrorError::OtherRoot { .. }), Some(note)) => match self.log.grow(note)? {
                Some(growth) => self.grow(Box::new(growth)),
                None => self.rest_is_bodies(false),
            },
            (committed, _) => {
                committed?;
                self.rest_is_bodies(true)
            }
        }
    }

    fn rest_is_bodies(&mut self, grown: bool) -> Result<Progress, FollowError> {
        self.lacking.next_beat();
        let is_idle = self.lacking.is_idle(self.log.head().size);
        let ask = if is_idle { None } else { self.fill(0)? };
        Ok(Progress { ask, is_new: grown, grown, kept: Vec::new() })
    }

    /// Asks for the bodies that are wanted and may be had from this entry on.
    fn fill(&mut self, from: u64) -> Result<Option<Ask>, FollowError> {
        let mut after = from;
        loop {
            let wanted = self.log.wanted(after, BODIES_BATCH)?;
            let Some((last, _)) = wanted.last() else {
                self.lacking.rest(self.log.head().size);
                return Ok(None);
            };
            after = last + 1;
            let ids = wanted.iter().map(|(_, entry)| entry.id);
            let asked: Vec<ContentId> = ids.filter(|id| !self.lacking.skips(id)).collect();
            if !asked.is_empty() {
                return Ok(Some(self.ask_for(Batch { ids: asked, after })?));
            }
        }
    }

    /// Asks for these, and looks what follows them: where some of that was not given before, it is
    /// seen when its turn has come.
    fn ask_for(&mut self, batch: Batch) -> Result<Ask, FollowError> {
        let Batch { ids, after } = batch;
        let wanted = self.log.wanted(after, BODIES_BATCH)?;
        let follows: Vec<ContentId> = wanted.iter().map(|(_, entry)| entry.id).collect();
        let is_new = |id| !self.lacking.refused.contains_key(id);
        let ahead = wanted.last().filter(|_| follows.iter().all(is_new));
        let ahead = ahead.map(|(last, _)| Batch { ids: follows.clone(), after: last + 1 });
        self.stage = Stage::Filling { after, ahead };
        Ok(Ask::Bodies(ids))
    }

    fn keep(
        &mut self,
        answers: Vec<(ContentId, Option<Vec<u8>>)>,
    ) -> Result<Vec<Vec<u8>>, FollowError> {
        let mut bodies = Vec::new();
        for (id, answer) in answers {
            match answer {
                // Whoever gives it need not know where this node is.
                Some(body) if ContentId::of(&body) == id && !self.log.may_hold(&body) => {
                    self.lacking.refuse(id);
                }
                Some(body) if ContentId::of(&body) == id => bodies.push(body),
                Some(_) => return Err(FollowError::OtherBody { id }),
                None => self.lacking.refuse(id),
            }
        }
        if !bodies.is_empty() {
            self.log.put_bodies(&bodies)?;
        }
        Ok(bodies)
    }
}

/// Bodies that the peer did not give when last asked: not asked for at each beat.
struct Lacking {
    beat: u64,
    /// The beat from which a body is asked for again, and how long we wait after that.
    refused: HashMap<ContentId, (u64, u64)>,
    /// How many are remembered at most.
    max: usize,
    /// The size up to which all was asked for, and the next beat at which something is due.
    asked: Option<(u64, u64)>,
    /// How many may still be asked for again at this beat: the rest waits for the next ones.
    again: usize,
}

impl Lacking {
    fn new(max: usize) -> Lacking {
        Lacking { beat: 0, refused: HashMap::new(), max, asked: None, again: BODIES_BATCH }
    }

    fn next_beat(&mut self) {
        self.beat += 1;
        self.again = BODIES_BATCH;
    }

    /// Whether a body is not asked for now. One that is due and has no room goes to the next beat.
    fn skips(&mut self, id: &ContentId) -> bool {
        let Some((until, _)) = self.refused.get_mut(id) else { return false };
        if self.beat < *until {
            return true;
        }
        if self.again == 0 {
            *until = self.beat + 1;
            return true;
        }
        self.again -= 1;
        false
    }

    /// Asked again after 2, 4, 8 or 16 beats, and not before all others that are lacking had their
    /// turn.
    fn refuse(&mut self, id: ContentId) {
        let is_full = self.max <= self.refused.len() && !mutant("lacking-unbounded");
        if is_full && !self.refused.contains_key(&id) {
            self.refused.clear();
        }
        let turns = self.refused.len().div_ceil(BODIES_BATCH) as u64;
        let step = self.refused.get(&id).map_or(2, |(_, step)| (step * 2).min(WAIT_BEATS_MAX));
        let step = step.max(turns);
        self.refused.insert(id, (self.beat + step, step));
    }

    fn forget(&mut self) {
        self.refused.clear();
        self.asked = None;
    }

    /// Whether there is anything to ask for at this beat in a log of `size` entries.
    fn is_idle(&self, size: u64) -> bool {
        self.asked.is_some_and(|(asked, due)| asked == size && self.beat < due)
    }

    fn rest(&mut self, size: u64) {
        let beat = self.beat;
        self.refused.retain(|_, (until, _)| beat <= *until);
        let due = self.refused.values().map(|(until, _)| *until).min();
        self.asked = Some((size, due.unwrap_or(beat + 60)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_gave_is_asked_for_ever_more_rarely_and_at_once_when_somebody_is_back() {
        let id = ContentId::of(b"body");
        let mut lacking = Lacking::new(8);
        let mut waited = Vec::new();
        for _ in 0..8 {
            lacking.refuse(id);
            let refused_at = lacking.beat;
            lacking.rest(9);
            while lacking.is_idle(9) && lacking.skips(&id) {
                lacking.next_beat();
            }
            waited.push(lacking.beat - refused_at);
        }
        assert_eq!(waited, [2, 4, 8, 16, 16, 16, 16, 16]);
        lacking.refuse(id);
        lacking.rest(9);
        assert!(lacking.is_idle(9) && lacking.skips(&id));
        lacking.forget();
        assert!(!lacking.is_idle(9) && !lacking.skips(&id));
    }

    #[test]
    fn however_much_is_lacking_a_beat_asks_for_one_request_of_it_and_each_has_its_turn() {
        for count in [1_000, 6_000_u64] {
            let ids: Vec<_> = (0..count).map(|n| ContentId::of(&n.to_be_bytes())).collect();
            let mut lacking = Lacking::new(LACKING_MAX);
            ids.iter().for_each(|id| lacking.refuse(*id));
            lacking.rest(count);
            let mut last = HashMap::new();
            let mut longest = 0;
            for beat in 1..=200 {
                lacking.next_beat();
                if lacking.is_idle(count) {
                    continue;
                }
                let asked: Vec<_> = ids.iter().filter(|id| !lacking.skips(id)).copied().collect();
                assert!(asked.len() <= BODIES_BATCH, "beat {beat}: {}", asked.len());
                for id in asked {
                    lacking.refuse(id);
                    longest = longest.max(beat - last.insert(id, beat).unwrap_or(0));
                }
                lacking.rest(count);
            }
            assert_eq!(last.len() as u64, count, "nobody is passed over");
            let turn = count.div_ceil(BODIES_BATCH as u64);
            assert!(longest <= 2 * WAIT_BEATS_MAX.max(turn), "{count}: {longest} beats");
        }
    }
}
