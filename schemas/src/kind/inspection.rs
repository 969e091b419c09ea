//! `inspection`: an inspection body looked at goods or a site, by which plan, and what it found
//! (ISO/IEC 17020).
//!
//! Invariants: one inspection has one `inspection` number for its issuer; a re-inspection is an
//! inspection of its own that cites the one it repeats; nobody who inspected is named.

use super::check::{self, FieldError};
use super::value::Digest;
use super::words::{self, Words};
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::goods::GoodsId;
use crate::id::{OrgId, Subject};
use crate::identity::NaturalIdentity;
use crate::role::Role;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most points of one checklist.
pub const CHECKLIST_MAX: usize = 256;
/// Most seals of one inspection.
pub const SEALS_MAX: usize = 256;

crate::text::closed_set! {
    /// What an inspection came to.
    Outcome {
        /// The goods may go on.
        Passed => "passed",
        /// They may not.
        Failed => "failed",
        /// Neither can be said: it is to be repeated.
        Inconclusive => "inconclusive",
    }
}

crate::text::closed_set! {
    /// How one point of the checklist was found.
    PointOutcome {
        /// As required.
        Conforms => "conforms",
        /// Not as required.
        Fails => "fails",
        /// It does not apply to these goods.
        NotApplicable => "not_applicable",
    }
}

crate::text::closed_set! {
    /// What was done with a seal, or how it was found.
    SealState {
        /// Put on by the inspector.
        Applied => "applied",
        /// Found whole.
        Intact => "intact",
        /// Found broken.
        Broken => "broken",
        /// Not found where it was put on.
        Missing => "missing",
        /// Taken off by the inspector.
        Removed => "removed",
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Inspection {
    /// Its number, the same in every version.
    pub inspection: String,
    /// On whose order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// What it was inspected against, such as `GB/T 2828.1` or a contract's number.
    pub standard: String,
    /// Where: a facility, a Digital Link of AI 414, or another address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Offset of the clock by which these instants are meant, such as `+08:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset: Option<String>,
    /// Further goods that were inspected beside the subject, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<GoodsId>,
    /// How the sample was drawn and what it showed; absent where all was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<SamplingPlan>,
    /// What was looked at, point by point, in the order of the checklist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checklist: Vec<Point>,
    /// Seals that were applied, found or removed, sorted by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seals: Vec<Seal>,
    /// What it came to.
    pub result: Outcome,
    /// The inspection that this one repeats, which it also cites.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reinspects: Option<ContentId>,
    /// SHA-256 of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Digest>,
    /// The evidence it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cites: Vec<ContentId>,
    /// The version that this one follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Who ordered the inspection, and when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The client's number of the order.
    pub number: String,
    /// The client.
    pub client: OrgId,
    /// When it was ordered.
    pub ordered_at: Timestamp,
}

/// Lot-by-lot sampling by attributes (ISO 2859-1, GB/T 2828.1), and its count.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingPlan {
    /// The standard of the plan, such as `ISO 2859-1`.
    pub standard: String,
    /// The inspection level, such as `II` or `S-3`.
    pub level: String,
    /// Acceptance quality limit: nonconforming items in a million; 1.5 % is 15,000.
    pub aql_ppm: u64,
    /// Items of the lot.
    pub lot_size: u64,
    /// Items that were looked at.
    pub sample_size: u64,
    /// Most nonconforming items of the sample with which the lot is accepted.
    pub accept: u64,
    /// Fewest with which it is rejected.
    pub reject: u64,
    /// Nonconforming items that were found.
    pub nonconforming: u64,
}

/// One point of the checklist.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// What was looked at.
    pub point: Words,
    /// How it was found.
    pub outcome: PointOutcome,
    /// What there is to say about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<Words>,
}

/// One seal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Its number.
    pub number: String,
    /// What was done with it, or how it was found.
    pub state: SealState,
}

/// Table `inspections`.
pub static INSPECTIONS: Table = Table {
    name: "inspections",
    columns: &[
        Column::text("inspection", "Its number").required(),
        Column::text("item", "The item, or the class of items; null for a site"),
        Column::text("lot", "The lot of the class"),
        Column::text("location", "Where"),
        Column::text("standard", "What it was inspected against"),
        Column::text("result", "`passed`, `failed` or `inconclusive`"),
        Column::instant("began_at", "When it began"),
        Column::instant("at", "When it ended"),
        Column::text("client", "Who ordered it"),
        Column::text("order", "The client's number of the order"),
        Column::instant("ordered_at", "When it was ordered"),
        Column::text("level", "Inspection level of the sampling plan"),
        Column::integer("aql_ppm", "Acceptance quality limit, in nonconforming items of a million"),
        Column::integer("lot_size", "Items of the lot"),
        Column::integer("sample_size", "Items that were looked at"),
        Column::integer("accept", "Most nonconforming items with which the lot is accepted"),
        Column::integer("reject", "Fewest with which it is rejected"),
        Column::integer("nonconforming", "Nonconforming items that were found"),
        Column::integer("points_failed", "Points of the checklist that were not as required"),
        Column::list("seals", "Numbers of the seals that were applied or found whole"),
        Column::list("seals_broken", "Numbers of the seals that were found broken or missing"),
        Column::text("reinspects", "Content id of the inspection that this one repeats"),
    ],
    bucket: Bucket::Whole,
    meaning: "An inspection of goods or a site, a row for each of the goods",
};

impl SamplingPlan {
    fn check(&self) -> Result<(), FieldError> {
        check::text("/standard", &self.standard, check::NAME_BYTES_MAX)?;
        check::text("/level", &self.level, check::CODE_BYTES_MAX)?;
        check::range("/aql_ppm", self.aql_ppm, 1..=1_000_000)?;
        check::range("/lot_size", self.lot_size, 1..=i64::MAX)?;
        check::range("/sample_size", self.sample_size, 1..=i64::MAX)?;
        let within = self.sample_size <= self.lot_size;
        check::consistent("/sample_size", within, "is larger than the lot")?;
        check::consistent("/reject", self.accept < self.reject, "is not above `accept`")?;
        check::range("/reject", self.reject, 1..=i64::MAX)?;
        let found = self.nonconforming <= self.sample_size;
        check::consistent("/nonconforming", found, "is more than the sample")
    }
}

impl Inspection {
    fn check_findings(&self) -> Result<(), FieldError> {
        if let Some(plan) = &self.plan {
            plan.check().map_err(|error| error.under("/plan"))?;
            let holds = self.result != Outcome::Passed || plan.nonconforming < plan.reject;
            check::consistent("/result", holds, "is `passed`, and the plan rejects the lot")?;
        }
        check::count("/checklist", self.checklist.len(), 0..=CHECKLIST_MAX)?;
        for (index, point) in self.checklist.iter().enumerate() {
            let at = format!("/checklist/{index}");
            point.point.check(&format!("{at}/point"), check::SENTENCE_BYTES_MAX)?;
            let remark = point.remark.as_ref();
            words::optional(&format!("{at}/remark"), remark, check::SENTENCE_BYTES_MAX)?;
        }
        check::count("/seals", self.seals.len(), 0..=SEALS_MAX)?;
        for (index, seal) in self.seals.iter().enumerate() {
            check::text(&format!("/seals/{index}/number"), &seal.number, check::CODE_BYTES_MAX)?;
        }
        let sorted = self.seals.windows(2).all(|pair| pair[0].number < pair[1].number);
        check::form("/seals", sorted, "sorted by number, each number once")
    }

    fn seals_where(&self, wanted: &[SealState]) -> Cell {
        let seals = self.seals.iter().filter(|seal| wanted.contains(&seal.state));
        Cell::List(seals.map(|seal| seal.number.clone()).collect())
    }

    /// The cells behind the item and its lot.
    fn cells(&self) -> Vec<Cell> {
        let order = self.order.as_ref();
        let plan = self.plan.as_ref();
        let counted = |count: fn(&SamplingPlan) -> u64| {
            Cell::optional(plan, |plan| Cell::integer(count(plan)))
        };
        let failed = self.checklist.iter().filter(|one| one.outcome == PointOutcome::Fails).count();
        let site = self.site.as_ref().map(|site| super::event::vocabulary::place(site));
        vec![
            Cell::optional(site, Cell::Text),
            Cell::text(&self.standard),
            Cell::text(self.result),
            Cell::Instant(self.began_at),
            Cell::Instant(self.ended_at),
            Cell::optional(order, |order| Cell::text(&order.client)),
            Cell::optional(order, |order| Cell::text(&order.number)),
            Cell::optional(order, |order| Cell::Instant(order.ordered_at)),
            Cell::optional(plan, |plan| Cell::text(&plan.level)),
            counted(|plan| plan.aql_ppm),
            counted(|plan| plan.lot_size),
            counted(|plan| plan.sample_size),
            counted(|plan| plan.accept),
            counted(|plan| plan.reject),
            counted(|plan| plan.nonconforming),
            Cell::integer(failed as u64),
            self.seals_where(&[SealState::Applied, SealState::Intact]),
            self.seals_where(&[SealState::Broken, SealState::Missing]),
            Cell::optional(self.reinspects, Cell::text),
        ]
    }
}

impl Kind for Inspection {
    const NAME: KindName = KindName::Inspection;
    const ISSUERS: &'static [Role] = &[Role::Inspector, Role::Regulator, Role::Customs];
    const TABLES: &'static [&'static Table] = &[&INSPECTIONS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/inspection", &self.inspection, check::NAME_BYTES_MAX)?;
        check::text("/standard", &self.standard, check::NAME_BYTES_MAX)?;
        if let Some(order) = &self.order {
            check::text("/order/number", &order.number, check::NAME_BYTES_MAX)?;
            let before = order.ordered_at <= self.ended_at;
            check::consistent("/order/ordered_at", before, "is after the inspection")?;
        }
        check::optional("/site", self.site.as_deref(), check::ADDRESS_BYTES_MAX)?;
        let ordered = self.began_at <= self.ended_at;
        check::consistent("/ended_at", ordered, "is before the begin of the inspection")?;
        super::facility::check_utc_offset(self.utc_offset.as_deref())?;
        check::covers(&self.covers)?;
        self.check_findings()?;
        check::cites(&self.cites)?;
        let cited = self.reinspects.is_none_or(|id| self.cites.binary_search(&id).is_ok());
        check::consistent("/reinspects", cited, "is not among `cites`")?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        if matches!(claims.sub, Subject::Facility(_)) {
            return Ok(());
        }
        check::goods_subject(claims).map(|_| ())
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&self.inspection, self.replaces))
    }

    fn cites(&self) -> &[ContentId] {
        &self.cites
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    /// Its subject, where that is goods, and what it covers beside.
    fn goods(&self, claims: &Claims) -> Vec<GoodsId> {
        check::with_covers(&claims.sub, &self.covers)
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let goods = self.goods(context.claims);
        let mut push = |item: [Cell; 2]| {
            let cells = [vec![Cell::text(&self.inspection)], item.into(), self.cells()].concat();
            rows.push(&INSPECTIONS, context, cells);
        };
        if goods.is_empty() {
            push([Cell::Null, Cell::Null]);
        }
        for goods in &goods {
            let (item, lot) = goods.item_and_lot();
            push([Cell::text(item), Cell::optional(lot, Cell::Text)]);
        }
    }
}
