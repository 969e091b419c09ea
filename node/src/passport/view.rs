//! What the passport shows: the page and its JSON form are made from this and nothing else.
//!
//! Invariants: member names are stable; instants of the journey are months; texts of others carry
//! the language they are in, where it is known; nothing here is trusted as markup.

use serde::Serialize;

use super::State;
use print::Link;

mod gone;
pub mod print;

pub use gone::{Doubted, End, Ended, Erased};

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
    /// Why no code was read; none where one was.
    pub misread: Option<Misread>,
    /// The code that may be meant instead.
    pub did_you_mean: Option<String>,
    /// What the code itself says beside the identifier: printed, not signed.
    pub link: Link,
    /// What it is, in the maker's words.
    pub item: Item,
    /// Recalls in force.
    pub recalls: Vec<Recall>,
    /// Recalls that were lifted, or begin later: they change no state.
    pub idle_recalls: Vec<IdleRecall>,
    /// Recalls of lots of the same product, where no record tells the lot of these goods.
    pub lot_recalls: Vec<LotRecall>,
    /// Certificates, those with a fault first.
    pub certificates: Vec<Certificate>,
    /// Places and months, oldest first.
    pub journey: Vec<Step>,
    /// That the goods are no more, by their records.
    pub ended: Option<Ended>,
    /// Records of which it is in doubt who signed them, as their key was revoked.
    pub doubted: Vec<Doubted>,
    /// Public records about the goods, their lot or class whose bodies were erased.
    pub erased: Vec<Erased>,
    /// Product carbon footprints, the newest first.
    pub footprints: Vec<Footprint>,
    /// Open findings with the answers to them.
    pub findings: Vec<OpenFinding>,
    /// Findings that others have signed: their word, which changes no state.
    pub stated_findings: Vec<StatedFinding>,
    /// What the places and organisations in sentences of findings are called.
    pub names: Vec<Named>,
    /// Buyers' confirmations.
    pub confirmations: Confirmations,
    /// Whether whoever issued this code scrapped it.
    pub is_scrapped: bool,
    /// What is missing of a label that was made and, as far as is recorded, not put on goods.
    pub inactive: Option<Inactive>,
    /// That the code was recorded before its label was ordered.
    pub late_label: Option<LateLabel>,
    /// Who can tell what this node cannot; only of an item that nobody here vouches for.
    pub elsewhere: Option<Elsewhere>,
    /// How to check it.
    pub proof: Proof,
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
    /// A document, such as a certificate on paper.
    Document,
    /// A coupon.
    Coupon,
    /// What a party provides to another or receives from it, such as a stay or a loyalty account.
    Relation,
    /// Something else.
    Other,
}

impl Passport {
    /// Whether a buyer's confirmation is taken: of what is bought by the piece, in a state that
    /// takes it, and vouched for by whoever issues such codes.
    pub fn takes_confirmations(&self) -> bool {
        let is_bought = self.sort.is_some_and(Sort::is_bought);
        is_bought && self.state.takes_confirmations() && self.elsewhere.is_none()
    }

    /// Whether a recall alone names the code, or lots of this product, which nobody records otherwise.
    pub fn is_only_recalled(&self) -> bool {
        let is_class = self.sort == Some(Sort::Class);
        let is_recalled = !self.recalls.is_empty() || is_class && !self.lot_recalls.is_empty();
        self.sort != Some(Sort::Item) && is_recalled && !self.is_spoken_of()
    }

    /// Whether anybody speaks of the code itself, be it not whoever issues it.
    pub fn is_spoken_of(&self) -> bool {
        !self.journey.is_empty()
            || !self.findings.is_empty()
            || !self.stated_findings.is_empty()
            || 0 < self.confirmations.count
    }
}

impl Sort {
    /// Whether a buyer takes one thing with this code home: nobody buys a pallet by its label.
    pub fn is_bought(self) -> bool {
        matches!(self, Sort::Item | Sort::Other)
    }

    /// Whether it is on goods at all, which have a seal, a shop and a footprint.
    pub fn is_goods(self) -> bool {
        !matches!(self, Sort::Place | Sort::Document | Sort::Coupon | Sort::Relation)
    }

    /// Whether its code stands on one thing only.
    pub fn is_one(self) -> bool {
        matches!(self, Sort::Item | Sort::Unit | Sort::Other)
    }
}

/// Why no code was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Misread {
    /// None was given.
    Nothing,
    /// Its GTIN lacks the zeros in front that make it 14 digits.
    ShortGtin,
    /// A character is wrong or missing, or it is something else.
    Garbled,
}

/// A label that was made, of which nobody says that it was put on goods.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Inactive {
    /// Whether that is said of others of its order, or was of earlier ones.
    pub others_are_active: bool,
    /// Whether an event of somebody else names the code.
    pub is_seen: bool,
}

/// An order of labels that came after the code was in use.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LateLabel {
    /// The day by which the code was recorded; none where that record is not public.
    pub seen: Option<String>,
    /// The first day on which its label can have been ordered.
    pub made: String,
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

/// Who issues serials under a key that only its own node has.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Elsewhere {
    /// The organisation.
    pub issuer: Party,
    /// This code at its node, where it attested an address.
    pub url: Option<String>,
}

/// Who makes the goods, as one description or label order has it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MakerClaim {
    /// The attestation.
    pub id: String,
    /// Who says so.
    pub by: Party,
    /// Whom it names; itself where it names nobody.
    pub maker: Party,
}

/// A picture, as its description names it: neither fetched nor shown.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Picture {
    /// What it shows.
    pub alt: Vec<Text>,
    /// Where it was published: text, nowhere a link.
    pub url: String,
    /// SHA-256 of its bytes.
    pub digest: String,
}

/// What it is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Item {
    /// Names, one for each language.
    pub names: Vec<Text>,
    /// Who describes it. Nothing in the network tells whose number the goods have.
    pub described_by: Option<Party>,
    /// Whom that description names as the maker, if it names anyone.
    pub maker: Option<Party>,
    /// Who is said to make it, where that differs: all of them; else nobody.
    pub maker_claims: Vec<MakerClaim>,
    /// How it looks.
    pub pictures: Vec<Picture>,
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
    /// The clock of that day: an offset such as `+08:00`, or `UTC`.
    pub zone: String,
    /// Why.
    pub reason: Vec<Text>,
    /// What to do.
    pub action: Vec<Text>,
    /// Whom to ask.
    pub contact: Option<String>,
}

/// A recall of lots of the product; whether these goods are of one, the pack must tell.
#[derive(Clone, Debug, Serialize)]
pub struct LotRecall {
    /// The lots.
    pub lots: Vec<String>,
    /// The recall.
    pub recall: Recall,
}

/// A recall that is not in force now.
#[derive(Clone, Debug, Serialize)]
pub struct IdleRecall {
    /// The day on which it was lifted, on the clock of the recall; none of one that begins later.
    pub lifted: Option<String>,
    /// The recall.
    pub recall: Recall,
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
    /// The day it was pulled, or since when its key is revoked.
    pub withdrawn: Option<String>,
    /// Since when the key that signed it is revoked, so that it is in doubt who did; that day counts
    /// as the one it was pulled on.
    pub key_revoked: Option<String>,
    /// The class of goods, in the standard's own words.
    pub product_class: Option<String>,
    /// The site, as the certificate names it.
    pub site: Option<String>,
    /// Most that may be sold under it, in `unit`.
    pub volume: Option<u64>,
    /// A base unit, or `items`.
    pub unit: Option<String>,
    /// The clock of these days: an offset such as `+08:00`, or `UTC`.
    pub zone: String,
    /// Why, in the words of who vouched; none where it was not pulled.
    pub reason: Option<String>,
    /// Whether a later one of the same issuer, standard, class and site is in force, so that this one
    /// raises no question.
    pub is_superseded: bool,
    /// The accreditation of who vouches.
    pub accreditation: Accreditation,
}

/// The accreditation behind a certificate.
#[derive(Clone, Debug, Serialize)]
pub struct Accreditation {
    /// The attestation.
    pub id: Option<String>,
    /// Whether one is in force now; none where none is recorded.
    pub standing: Option<Standing>,
    /// Who accredits.
    pub accreditor: Option<Party>,
    /// Its number.
    pub number: Option<String>,
    /// Why it was pulled or suspended, in the words of who accredits.
    pub reason: Option<String>,
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
    /// The month on the clock of the place, as `2026-11`.
    pub month: Option<String>,
    /// Who says so.
    pub by: Party,
    /// The attestation, where its body is public.
    pub id: Option<String>,
    /// What the goods were inside of; none where the event names them.
    pub inside: Option<String>,
    /// Whether other goods were made of these.
    pub is_used_up: bool,
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
    /// What it is about: the code, or its lot or class.
    pub subject: String,
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

/// A finding that somebody has signed and published.
#[derive(Clone, Debug, Serialize)]
pub struct StatedFinding {
    /// The attestation.
    pub id: String,
    /// The finding, as answers to it name it.
    pub finding: String,
    /// Who states it.
    pub by: Party,
    /// What it is about.
    pub subject: String,
    /// The rule.
    pub code: String,
    /// `note`, `warning` or `error`, as they have it.
    pub severity: &'static str,
    /// Their sentence in English.
    pub message_en: String,
    /// Their sentence in Chinese.
    pub message_zh: String,
    /// The day up to which they looked.
    pub day: String,
    /// What its subject and others answered.
    pub answers: Vec<Answer>,
}

/// What a place or an organisation is called whose identifier is in a sentence.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Named {
    /// The identifier, as it stands there.
    pub id: String,
    /// Names of the place, one for each language; none where only the organisation is known.
    pub names: Vec<Text>,
    /// The organisation, where no public record names a place.
    pub party: Option<Party>,
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
    /// In which months of UTC, each once.
    pub months: Vec<String>,
    /// Why one of them cannot be of the goods that public records tell of.
    pub impossible: Vec<Impossible>,
}

/// What of the records a confirmation contradicts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Impossible {
    /// The goods were destroyed, used up or taken out of use before.
    AfterEnd,
    /// Whoever made them had not shipped them yet.
    BeforeShipping,
    /// Their lot is not sold there, and no event was there.
    OtherMarket,
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
    /// Who signed it; none where it cannot be read.
    pub issuer: Option<Party>,
    /// The earliest and the latest instant at which it came there; none where that is not proved.
    pub recorded: Option<[String; 2]>,
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
    /// When its witnesses, or where there are none its own node, last vouched for it, or its last
    /// entry came, if that is later.
    pub checkpoint_at: Option<String>,
    /// Path of the checkpoint here.
    pub checkpoint: String,
}
