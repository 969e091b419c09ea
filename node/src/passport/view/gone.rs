//! What of the goods or of their records is no more, or cannot be relied on.

use serde::Serialize;

use super::Party;

/// What became of goods that are no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Other goods were made of them.
    UsedUp,
    /// They were destroyed.
    Destroyed,
    /// Their code was taken out of use.
    TakenOutOfUse,
}

/// The end of the goods, as their records have it, and nothing after it brought them back.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Ended {
    /// What became of them.
    pub how: End,
    /// The month on the clock of the place.
    pub month: Option<String>,
    /// Who says so.
    pub by: Party,
    /// The attestation, where its body is public.
    pub id: Option<String>,
    /// Whether who says so is neither whoever answers for the goods nor known to have had them: their
    /// word alone, which contradicts nothing.
    pub is_of_others: bool,
}

/// A record that may be another's than who is said to have signed it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Doubted {
    /// The attestation.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Whose key it was.
    pub by: Party,
    /// The day of UTC since when what the key signed is in doubt.
    pub since: String,
    /// Whether it is what the goods are known by: a description, their birth, their label.
    pub is_origin: bool,
}

/// That a record about the goods was erased, which may have said anything.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Erased {
    /// The attestation that says so.
    pub id: String,
    /// The record whose body is gone.
    pub record: String,
    /// Who erased it: whose log had it.
    pub by: Party,
    /// The day of UTC by which that was in the log.
    pub day: String,
    /// Why, in their words.
    pub reason: String,
}
