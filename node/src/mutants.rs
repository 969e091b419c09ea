//! Ways to break a promise on purpose, to see that the simulator notices.
//!
//! Invariant: without the feature `mutants`, which no build of the product has, none exists: every
//! question below is the constant `false`.

/// A promise broken on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mutant {
    /// Its name.
    pub name: &'static str,
    /// The promise that it breaks.
    pub breaks: &'static str,
}

const fn breaks(name: &'static str, breaks: &'static str) -> Mutant {
    Mutant { name, breaks }
}

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    breaks("ack-before-sync", "stored means durable"),
    breaks("ack-although-full", "what found no room is not acknowledged"),
    breaks("batch-forgotten-when-full", "a batch that found no room is tried again"),
    breaks("consistency-unchecked", "a witness cosigns growth that is proved"),
    breaks("copy-grows-unproved", "a copy takes a checkpoint over only with every entry under it"),
    breaks("copy-left-damaged", "a damaged copy of a quiet log is fetched again"),
    breaks("deferred-unbounded", "a stranger's share of the quarantine is bounded"),
    breaks("duplicates-forgotten", "an id is in the log once"),
    breaks("fork-unnoticed", "a log that was signed elsewhere too signs nothing more"),
    breaks("growth-unbounded", "what a log's node serves is not heaped up in memory"),
    breaks("guard-counts-own-witness", "a whole folder put back signs no second tree"),
    breaks("head-unchecked", "a head that contradicts the last intent is never gone on from"),
    breaks("index-unbound", "an index of other packs is not believed"),
    breaks("intent-after-tiles", "a batch that was begun is finished the same"),
    breaks("lacking-unbounded", "what is remembered of a withholding peer is bounded"),
    breaks("pending-forgotten", "what was stored is queued again after a start"),
    breaks("recorded-before-quorum", "recorded means cosigned by the quorum"),
    breaks("replay-twice", "a batch is put into the tree once"),
    breaks("sign-without-guard", "an old copy signs nothing"),
    breaks("sync-tried-again", "a failed sync is final"),
    breaks("twin-gives-way-always", "of two processes that see each other one goes on"),
    breaks("twin-unnoticed", "a copy that reaches the running original signs nothing"),
    breaks(
        "witness-cosigns-in-doubt",
        "a witness that may have forgotten cosigns nothing until the others told what they hold",
    ),
    breaks("witness-forgets", "what is cosigned is remembered after a start"),
    breaks(
        "witness-goes-on-with-any-tree",
        "a witness that has forgotten goes on with a tree that holds all that it was told of",
    ),
    breaks("witness-goes-back", "a witness never states an earlier time than before"),
    breaks("witness-signs-before-durable", "what is cosigned is durable before it is told"),
];

#[cfg(feature = "mutants")]
static CHOSEN: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(usize::MAX);

/// Chooses the mutant of this name, or none, for the whole process; false if there is no such.
#[cfg(feature = "mutants")]
pub fn choose(name: Option<&str>) -> bool {
    let found = match name {
        None => Some(usize::MAX),
        Some(name) => MUTANTS.iter().position(|mutant| mutant.name == name),
    };
    if let Some(found) = found {
        CHOSEN.store(found, std::sync::atomic::Ordering::Relaxed);
    }
    found.is_some()
}

/// Whether this promise is to be broken.
#[cfg(feature = "mutants")]
pub(crate) fn mutant(name: &str) -> bool {
    let chosen = CHOSEN.load(std::sync::atomic::Ordering::Relaxed);
    MUTANTS.get(chosen).is_some_and(|mutant| mutant.name == name)
}

/// Whether this promise is to be broken: never.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn mutant(_: &str) -> bool {
    false
}
