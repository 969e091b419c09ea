//! Tables of reports and those who verify them, beyond the kinds of this release.
//!
//! They are declared so that rules can join them and `--table` accepts them.

use super::{Bucket, Column, Table};

/// Table `factors`: a published factor.
pub static FACTORS: Table = Table {
    name: "factors",
    columns: &[
        Column::text("scheme", "Who published it").required(),
        Column::integer("year", "Year in force").required(),
        Column::text("key", "Of what").required(),
        Column::integer("value", "The value, times ten to the power of `scale_e10`").required(),
        Column::integer("scale_e10", "Power of ten of `value`"),
        Column::text("unit", "Unit of the value").required(),
        Column::text("source", "Document"),
    ],
    bucket: Bucket::Whole,
    meaning: "A published factor",
};

/// Table `verifications`: a verifier’s statement on a report.
pub static VERIFICATIONS: Table = Table {
    name: "verifications",
    columns: &[
        Column::text("statement", "The statement").required(),
        Column::text("kind", "Kind of engagement"),
        Column::text("report", "The report").required(),
        Column::integer("version", "Version of the report"),
        Column::text("verifier", "Who").required(),
        Column::text("assurance", "`limited` or `reasonable`"),
        Column::text("opinion", "Opinion"),
        Column::integer("materiality_ppm", "Materiality").unit("ppm"),
        Column::integer("confirmed_g", "Confirmed emissions").unit("g CO2e"),
        Column::integer("aggregate_misstatement_g", "Misstatement left").unit("g CO2e"),
        Column::text("engagement", "The engagement"),
        Column::instant("issued_at", "When"),
        Column::list("text_shingles", "Digests of runs of words of its text"),
    ],
    bucket: Bucket::Whole,
    meaning: "A verifier’s statement on a report",
};

/// Table `misstatements`: a misstatement that a verifier found.
pub static MISSTATEMENTS: Table = Table {
    name: "misstatements",
    columns: &[
        Column::text("statement", "The statement").required(),
        Column::text("item", "In what").required(),
        Column::integer("reported_g", "Reported").unit("g CO2e"),
        Column::integer("corrected_g", "Right").unit("g CO2e"),
        Column::boolean("corrected", "True if it was corrected"),
    ],
    bucket: Bucket::Whole,
    meaning: "A misstatement that a verifier found",
};

/// Table `nonconformities`: a requirement that a verifier found not met.
pub static NONCONFORMITIES: Table = Table {
    name: "nonconformities",
    columns: &[
        Column::text("statement", "The statement").required(),
        Column::text("code", "Which").required(),
        Column::text("text", "How"),
    ],
    bucket: Bucket::Whole,
    meaning: "A requirement that a verifier found not met",
};

/// Table `visits`: a visit to a facility.
pub static VISITS: Table = Table {
    name: "visits",
    columns: &[
        Column::text("statement", "The statement").required(),
        Column::text("facility", "The facility").required(),
        Column::instant("from_at", "From"),
        Column::instant("to_at", "Until"),
        Column::text("mode", "`site` or `remote`"),
        Column::integer("team_size", "How many came"),
        Column::text("kit_device", "The visit kit"),
        Column::integer("lat_e7", "Latitude, WGS 84").unit("1e-7 degree"),
        Column::integer("lon_e7", "Longitude, WGS 84").unit("1e-7 degree"),
        Column::text("countersigned_by", "Who signed too"),
    ],
    bucket: Bucket::Whole,
    meaning: "A visit to a facility",
};

/// Table `disclosures`: a published figure.
pub static DISCLOSURES: Table = Table {
    name: "disclosures",
    columns: &[
        Column::text("disclosure", "The disclosure").required(),
        Column::text("organisation", "Who").required(),
        Column::text("facility", "The facility"),
        Column::text("parameter", "What").required(),
        Column::instant("period_start", "Begin of its period"),
        Column::instant("period_end", "End of its period"),
        Column::integer("amount", "How much, in `unit`"),
        Column::text("unit", "Unit of `amount`"),
    ],
    bucket: Bucket::Whole,
    meaning: "A published figure",
};
