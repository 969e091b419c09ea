//! Tables of goods and places, beyond the kinds of this release.
//!
//! They are declared so that rules can join them and `--table` accepts them.

use super::{Bucket, Column, Table};

/// Table `items`: an item as its maker describes it.
pub static ITEMS: Table = Table {
    name: "items",
    columns: &[
        Column::text("item", "The item").required(),
        Column::text("class", "Its class"),
        Column::text("made_by", "Who made it"),
        Column::text("label_order", "The order its label came from"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "An item as its maker describes it",
};

/// Table `lots`: a lot of a class of items.
pub static LOTS: Table = Table {
    name: "lots",
    columns: &[
        Column::text("item", "The class").required(),
        Column::text("lot", "The lot").required(),
        Column::text("expiry", "Its expiry"),
        Column::list("markets", "ISO 3166 codes of where it may be sold"),
        Column::integer("yield_max_ppm", "Largest output for each input").unit("ppm"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "A lot of a class of items",
};

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

/// Table `recalls`: a recall.
pub static RECALLS: Table = Table {
    name: "recalls",
    columns: &[
        Column::text("recall", "The recall").required(),
        Column::text("item", "The item or class").required(),
        Column::text("lot", "The lot"),
        Column::text("reason", "Why"),
        Column::instant("at", "When").required(),
    ],
    bucket: Bucket::Item("item"),
    meaning: "A recall",
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

/// Table `confirmations`: a buyer’s word that the goods were bought.
pub static CONFIRMATIONS: Table = Table {
    name: "confirmations",
    columns: &[
        Column::text("item", "The item").required(),
        Column::instant("at", "When").required(),
        Column::text("region", "Where"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "A buyer’s word that the goods were bought",
};

/// Table `complaints`: a buyer’s complaint.
pub static COMPLAINTS: Table = Table {
    name: "complaints",
    columns: &[
        Column::text("item", "The item").required(),
        Column::instant("at", "When").required(),
        Column::text("kind", "What about"),
        Column::text("text", "The complaint"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "A buyer’s complaint",
};
