//! Tables that come from proving and judging, and of how findings end.
//!
//! They are declared so that rules can join them and `--table` accepts them.

use super::{Bucket, Column, Table};

/// Table `defects`: a proof that does not hold.
pub static DEFECTS: Table = Table {
    name: "defects",
    columns: &[
        Column::text(
            "kind",
            "`bad_signature`, `key_not_in_force`, `fork`, `fork_corrected`, `split`, `shrink`, `bad_tile`, \
             `bad_cosignature`, `bad_chain`, `unlogged`, `withheld`, `unchecked` …",
        )
        .required(),
        Column::text("subject", "Of what").required(),
        Column::instant("at", "When"),
        Column::list("cites", "The evidence"),
    ],
    bucket: Bucket::Whole,
    meaning: "A proof that does not hold",
};

/// Table `coverage`: of which entries the bodies are at hand: what absence can be concluded from.
pub static COVERAGE: Table = Table {
    name: "coverage",
    columns: &[
        Column::text("covered_log", "The log").required(),
        Column::text("covered_issuer", "Whose attestations; null for all"),
        Column::text("kind", "Of which kind; null for all"),
        Column::integer("from_entry", "First entry").required(),
        Column::integer("to_entry", "Last entry, exclusive").required(),
        Column::instant("from_at", "Time of the first"),
        Column::instant("to_at", "Time of the last"),
        Column::integer("bodies_held", "Bodies at hand").required(),
        Column::integer("bodies_missing", "Bodies not at hand").required(),
    ],
    bucket: Bucket::Whole,
    meaning: "Of which entries the bodies are at hand: what absence can be concluded from",
};

/// Table `missing_bodies`: a body that a demand names and that is not at hand.
pub static MISSING_BODIES: Table = Table {
    name: "missing_bodies",
    columns: &[
        Column::text("demand", "Content id of the demand").required(),
        Column::text("missing", "Content id of the body").required(),
        Column::text("missing_log", "The log that names it").required(),
        Column::integer("missing_entry", "Its entry there").required(),
        Column::text("audience", "By that entry: `public`, `members` or `named`").required(),
        Column::instant("seen_to", "Up to when the log of whoever demands can be read").required(),
    ],
    bucket: Bucket::Whole,
    meaning: "A body that a demand names, whose entry is at hand and which neither is nor was erased",
};

/// Table `tests`: a statistical test that a rule ran.
pub static TESTS: Table = Table {
    name: "tests",
    columns: &[
        Column::text("code", "The rule").required(),
        Column::text("subject", "Of what").required(),
        Column::text("anchor", "Which").required(),
        Column::integer("n", "Size of the sample").required(),
        Column::integer("statistic_ppm", "The statistic").unit("ppm").required(),
        Column::integer("threshold_ppm", "Its threshold").unit("ppm"),
        Column::integer("p_ppb", "Its p-value").unit("1e-9").required(),
    ],
    bucket: Bucket::Whole,
    meaning: "A statistical test that a rule ran",
};

/// Table `meter_days`: one day of one meter: its shape, sums, extremes and digests.
pub static METER_DAYS: Table = Table {
    name: "meter_days",
    columns: &[
        Column::text("device", "The meter").required(),
        Column::text("facility", "Where it stands"),
        Column::text("quantity", "What is measured").required(),
        Column::text("unit", "Base unit"),
        Column::text("day", "Day by the facility’s clock, as 2026-01-31").required(),
        Column::instant("starts_at", "Begin of the day").required(),
        Column::integer("interval_s", "Length of one sample").unit("s"),
        Column::integer("n", "How many samples").required(),
        Column::integer("total", "Sum of the amounts"),
        Column::integer("low", "Smallest amount"),
        Column::integer("high", "Largest amount"),
        Column::integer("distinct", "How many different amounts"),
        Column::text("day_digest", "Digest of the amounts in order"),
        Column::list("window_digests", "Digests of runs of amounts"),
        Column::list("shape", "Amounts by the hour, in ppm of the sum"),
    ],
    bucket: Bucket::Whole,
    meaning: "One day of one meter: its shape, sums, extremes and digests",
};

/// Table `resolutions`: how a finding ended.
pub static RESOLUTIONS: Table = Table {
    name: "resolutions",
    columns: &[
        Column::text("finding", "The finding").required(),
        Column::text("result", "`upheld`, `withdrawn`, `corrected` or `expired`").required(),
        Column::text("by", "Who decided"),
        Column::instant("at", "When"),
    ],
    bucket: Bucket::Whole,
    meaning: "How a finding ended",
};

/// Table `decisions`: an authority’s act.
pub static DECISIONS: Table = Table {
    name: "decisions",
    columns: &[
        Column::text("document_no", "Number of the document").required(),
        Column::text("subject", "On whom").required(),
        Column::text("authority", "By whom").required(),
        Column::text("basis", "In law"),
        Column::text("gravity", "How grave"),
        Column::instant("publish_until", "Public until"),
        Column::instant("repaired_at", "When repaired"),
    ],
    bucket: Bucket::Whole,
    meaning: "An authority’s act",
};
