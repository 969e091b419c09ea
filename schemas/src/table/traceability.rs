//! Tables of goods and places, beyond the kinds of this release.
//!
//! They are declared so that rules can join them and `--table` accepts them.

use super::{Bucket, Column, Table};

/// Table `offers`: an offer that names the goods sold.
pub static OFFERS: Table = Table {
    name: "offers",
    columns: &[
        Column::text("offer", "The offer").required(),
        Column::text("seller", "Who sells"),
        Column::text("item", "The item or class").required(),
        Column::text("market", "Market"),
        Column::instant("at", "When seen"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "An offer that names the goods sold",
};

/// Table `claims`: a claim on goods or offers.
pub static CLAIMS: Table = Table {
    name: "claims",
    columns: &[
        Column::text("claim", "The claim").required(),
        Column::text("item", "The item or class").required(),
        Column::text("kind", "`low_carbon`, `organic`, `origin` …").required(),
        Column::text("value", "What is claimed"),
        Column::instant("valid_from", "From"),
        Column::instant("valid_to", "Until"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "A claim on goods or offers",
};

/// Table `inspections`: an inspection of goods or a site.
pub static INSPECTIONS: Table = Table {
    name: "inspections",
    columns: &[
        Column::text("inspection", "The inspection").required(),
        Column::text("item", "The item or class"),
        Column::text("location", "Where"),
        Column::text("inspector", "Who"),
        Column::text("result", "Its result"),
        Column::integer("lot_size", "Size of the lot"),
        Column::integer("sample_size", "How many were looked at"),
        Column::text("seal_no", "Seal"),
        Column::instant("at", "When"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "An inspection of goods or a site",
};
