//! What the passport shows: the page and its JSON form are made from this and nothing else.
//!
//! Invariants: member names are stable; instants of the journey are months; texts of others carry
//! the language they are in, where it is known; nothing here is trusted as markup.

use serde::Serialize;

use super::{State, findings};
use crate::page::Language;

/// A passport.
#[derive(Clone, Debug, Serialize)]
pub struct Passport {
    /// The state, by its stable name.
    #[serde(serialize_with = "by_name")]
    pub state: State,
    /// The canonical identifier; none where the code cannot be read.
    pub goods: Option<String>,
    /// What the identifier names.
    pub sort: Option<Sort>,
    /// What the code itself says beside the identifier: printed, not signed.
    pub link: Link,
    /// What it is, in the maker's words.
    pub item: Item,
    /// Recalls in force.
    pub recalls: Vec<Recall>,
    /// Certificates, those with a fault first.
    pub certificates: Vec<Certificate>,
    /// Places and months, oldest first.
    pub journey: Vec<Step>,
    /// Product carbon footprints, the newest first.
    pub footprints: Vec<Footprint>,
    /// Open findings with the answers to them.
    pub findings: Vec<OpenFinding>,
    /// Buyers' confirmations.
    pub confirmations: Confirmations,
    /// Whether the maker made this code and then scrapped it.
    pub is_scrapped: bool,
    /// Who can tell what this node cannot; only of an item that is unknown here.
    pub elsewhere: Option<Elsewhere>,
    /// How to check it.
    pub proof: Proof,
}

impl Passport {
    /// The plain sentence of the band: that of the state, unless it would say more than the
    /// records do. Records without a description of the goods, or that were not all read, may be
    /// consistent; complete they are not.
    pub fn sentence(&self, language: Language) -> &'static str {
        match self.state {
            State::Consistent if self.item.names.is_empty() => language.pick(
                "The records for this code are consistent, but its maker has published no \
                 description of it. A printed code can be copied: do not go by the code alone.",
                "关于此代码的记录一致，但厂家未发布产品说明。印刷的代码可以被复制：请勿仅凭代码判断。",
            ),
            State::Consistent if self.proof.is_cut => language.pick(
                "The records for this code that were read here are consistent; there are more. A \
                 printed code can be copied: compare what you hold with the description and the \
                 seal.",
                "此处读取的关于此代码的记录一致，另有更多记录未读取。印刷的代码可以被复制：\
                 请对照说明和封签查看实物。",
            ),
            State::Unknown if self.elsewhere.is_some() => language.pick(
                "This node holds no record of this item. Only the maker's node can tell whether \
                 the code was issued.",
                "本节点没有此件产品的记录。此代码是否由厂家发放，只有厂家的节点能够确认。",
            ),
            State::CopySuspected => self.suspicion(language),
            state => state.sentence(language),
        }
    }

    /// Why the code may be a copy: the first cause that holds.
    fn suspicion(&self, language: Language) -> &'static str {
        let mut of_copies = self.findings.iter().filter(|finding| finding.is_copy).peekable();
        if of_copies.peek().is_some() {
            return if of_copies.any(|finding| finding.code == findings::TWO_PLACES) {
                State::CopySuspected.sentence(language)
            } else {
                language.pick(
                    "The records of this code cannot all be of one item. It may be a copy.",
                    "关于此代码的记录不可能都属于同一件产品，可能是复制品上的代码。",
                )
            };
        }
        if self.is_scrapped {
            return language.pick(
                "The maker scrapped this code, so it should be on no goods. It may be a copy.",
                "厂家已将此代码作废，它不应出现在任何产品上，可能是复制品上的代码。",
            );
        }
        if !self.link.contradictions.is_empty() {
            return language.pick(
                "What is printed with this code is not what was recorded for it. It may be a \
                 copy, or the print was changed.",
                "此代码的印刷内容与登记内容不符，可能是复制品上的代码，或印刷内容被改动过。",
            );
        }
        language.pick(
            "This code was confirmed more often than one item is bought. It may be a copy.",
            "此代码被确认的次数多于一件产品的购买次数，可能是复制品上的代码。",
        )
    }

    /// How the band looks: that of the state, unless a date that has passed must be seen.
    pub fn tone(&self) -> &'static str {
        match self.state.tone() {
            "calm" if self.item.is_past_expiry => "warn",
            tone => tone,
        }
    }
}

fn by_name<S: serde::Serializer>(state: &State, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(state.as_str())
}

/// What an identifier names.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// One item with its serial number.
    Item,
    /// A lot.
    Lot,
    /// A kind of product.
    Class,
    /// A logistic unit, such as a pallet.
    Unit,
    /// A place or party.
    Place,
    /// Something else.
    Other,
}

impl Sort {
    /// Whether its code stands on one thing only.
    pub fn is_one(self) -> bool {
        matches!(self, Sort::Item | Sort::Unit | Sort::Other)
    }
}

/// What the code says beside the identifier.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Link {
    /// Attributes and coarser qualifiers that pass their checks.
    pub attributes: Vec<Attribute>,
    /// Whether the query held attributes that did not pass; they are not shown.
    pub has_unreadable: bool,
    /// What of it the records contradict.
    pub contradictions: Vec<Contradiction>,
}

/// A part of the print that is not what the records say.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Contradiction {
    /// The application identifier.
    pub ai: String,
    /// GS1's short title of it.
    pub title: &'static str,
    /// What is printed; a date as a day of the calendar.
    pub printed: String,
    /// What is recorded: more than one where records differ.
    pub recorded: Vec<String>,
}

/// One application identifier of a code.
#[derive(Clone, Debug, Serialize)]
pub struct Attribute {
    /// The application identifier.
    pub ai: String,
    /// GS1's short title of it.
    pub title: &'static str,
    /// The value.
    pub value: String,
}

/// A text with the language it is in, if its author told.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Text {
    /// BCP 47.
    pub lang: Option<String>,
    /// The text.
    pub text: String,
}

/// An organisation as the network knows it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Party {
    /// Its identifier.
    pub id: String,
    /// Its name in law; empty where only its identifier is known.
    pub name: String,
}

/// The maker whose serials are under a key that only its own node has.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Elsewhere {
    /// The maker.
    pub maker: Party,
    /// This code at the maker's node, where the maker attested an address.
    pub url: Option<String>,
}

/// What it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Item {
    /// Names, one for each language.
    pub names: Vec<Text>,
    /// Who answers for the description.
    pub maker: Option<Party>,
    /// The brand, in its languages.
    pub brand: Vec<Text>,
    /// What it is sold as, such as `500 mL`.
    pub content: Option<String>,
    /// What to look at, in its languages: seal, colour, where it is sold.
    pub checks: Vec<Text>,
    /// Lot of the item as recorded.
    pub lot: Option<String>,
    /// Day of production.
    pub produced: Option<String>,
    /// Expiry day.
    pub expiry: Option<String>,
    /// Whether that day has passed.
    pub is_past_expiry: bool,
    /// ISO 3166 codes of where it may be sold.
    pub markets: Vec<String>,
}

/// A recall in force.
#[derive(Clone, Debug, Serialize)]
pub struct Recall {
    /// The attestation.
    pub id: String,
    /// Who recalls.
    pub by: Party,
    /// What is recalled: an item, lot or class.
    pub goods: String,
    /// The day since when.
    pub since: String,
    /// Why.
    pub reason: Vec<Text>,
    /// What to do.
    pub action: Vec<Text>,
    /// Whom to ask.
    pub contact: Option<String>,
}

/// How a certificate stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Pulled.
    Withdrawn,
    /// Past its date.
    Expired,
    /// Not in force yet.
    Future,
    /// In force.
    InForce,
}

/// A certificate.
#[derive(Clone, Debug, Serialize)]
pub struct Certificate {
    /// The attestation.
    pub id: String,
    /// Its number.
    pub number: String,
    /// The standard.
    pub standard: String,
    /// Who vouches.
    pub issuer: Party,
    /// How it stands.
    pub standing: Standing,
    /// First day.
    pub valid_from: Option<String>,
    /// Last day.
    pub valid_to: Option<String>,
    /// The day it was pulled.
    pub withdrawn: Option<String>,
    /// Whether a later one of the same standard is in force, so that this one raises no question.
    pub is_superseded: bool,
    /// The accreditation of who vouches.
    pub accreditation: Accreditation,
}

/// The accreditation behind a certificate.
#[derive(Clone, Debug, Serialize)]
pub struct Accreditation {
    /// Whether one is in force now; none where none is recorded.
    pub standing: Option<Standing>,
    /// Who accredits.
    pub accreditor: Option<Party>,
    /// Its number.
    pub number: Option<String>,
    /// Last day.
    pub valid_to: Option<String>,
}

/// A step of the journey.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Step {
    /// The business step, a CBV word; none where the event has none or it may not be shown.
    pub step: Option<String>,
    /// The place: a name where a public record gives one, else its identifier.
    pub place: Option<String>,
    /// Its names in their languages, where a public record gives them.
    pub place_names: Vec<Text>,
    /// ISO 3166-2 region of the place.
    pub region: Option<String>,
    /// The month, as `2026-11`.
    pub month: Option<String>,
    /// Who says so.
    pub by: Party,
    /// The attestation, where its body is public.
    pub id: Option<String>,
}

/// A product carbon footprint.
#[derive(Clone, Debug, Serialize)]
pub struct Footprint {
    /// The attestation.
    pub id: String,
    /// Who states it.
    pub by: Party,
    /// The value, an exact decimal, in kg CO2e.
    pub kg_co2e: String,
    /// For how much, with its unit.
    pub per: String,
    /// What is included.
    pub boundary: String,
    /// First and last day.
    pub period: Option<[String; 2]>,
    /// Who verified it, as its issuer says: that body has not signed this. None if it names nobody.
    pub verifier: Option<Party>,
    /// Who says that it was verified, and so how well; none if nobody does.
    pub verifier_claimed_by: Option<Party>,
    /// At which level of assurance, as the same says.
    pub assurance: Option<String>,
    /// Share of primary data, parts per million.
    pub primary_ppm: Option<u64>,
}

/// An open finding.
#[derive(Clone, Debug, Serialize)]
pub struct OpenFinding {
    /// Its id.
    pub id: String,
    /// The rule.
    pub code: String,
    /// `note`, `warning` or `error`.
    pub severity: String,
    /// Whether it says that the code was copied.
    pub is_copy: bool,
    /// What the rule finds, in English.
    pub title: String,
    /// The sentence with its values, in both languages; none where it rests on what is not public.
    pub message_en: Option<String>,
    /// The same in Chinese.
    pub message_zh: Option<String>,
    /// Months that it is about.
    pub months: Vec<String>,
    /// How many attestations it rests on.
    pub evidence_count: u64,
    /// What its subject and others answered.
    pub answers: Vec<Answer>,
}

/// An answer to a finding.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// The attestation.
    pub id: String,
    /// Who answers.
    pub by: Party,
    /// The day.
    pub day: String,
    /// The answer, in the languages it was given in; empty where it is not public.
    pub text: Vec<Text>,
}

/// Buyers' confirmations.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Confirmations {
    /// How many.
    pub count: usize,
    /// So many are innocent.
    pub innocent_max: usize,
    /// In which months, each once.
    pub months: Vec<String>,
}

/// How to check it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Proof {
    /// What was read and proved, or not.
    pub records: Vec<Record>,
    /// Whether there are more records than one passport reads.
    pub is_cut: bool,
    /// The logs that the records lie in.
    pub logs: Vec<LogView>,
    /// When this node last compared the records with their logs.
    pub checked_at: Option<String>,
    /// Up to when the findings go.
    pub judged_as_of: Option<String>,
    /// Path of a bundle to check offline.
    pub bundle: Option<String>,
}

/// One record and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The attestation.
    pub id: String,
    /// Its kind; none where it cannot be read.
    pub kind: Option<String>,
    /// The log.
    pub log: String,
    /// Its place there.
    pub entry: u64,
    /// What does not hold; none where all does.
    pub fault: Option<&'static str>,
    /// Whether anyone may fetch its body.
    pub is_public: bool,
    /// Whether it is a label order of the class that this code, as far as can be told, is not of.
    pub is_silent: bool,
}

/// A log that records lie in.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LogView {
    /// Its name.
    pub origin: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// When that checkpoint was made.
    pub checkpoint_at: Option<String>,
    /// Path of the checkpoint here.
    pub checkpoint: String,
}
