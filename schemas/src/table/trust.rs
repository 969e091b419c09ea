//! Tables of members and those who vouch for them, beyond the kinds of this release.
//!
//! They are declared so that rules can join them and `--table` accepts them.

use super::{Bucket, Column, Table};

/// Table `relations`: ownership or control of one organisation by another.
pub static RELATIONS: Table = Table {
    name: "relations",
    columns: &[
        Column::text("owner", "Who owns").required(),
        Column::text("owned", "Who is owned").required(),
        Column::integer("share_ppm", "Share held").unit("ppm"),
        Column::instant("from_at", "From"),
        Column::instant("to_at", "Until"),
    ],
    bucket: Bucket::Whole,
    meaning: "Ownership or control of one organisation by another",
};

/// Table `commitments`: what an organisation undertook to publish.
pub static COMMITMENTS: Table = Table {
    name: "commitments",
    columns: &[
        Column::text("organisation", "Who").required(),
        Column::text("kind", "The kind of attestation").required(),
        Column::text("subject", "About what"),
        Column::integer("every_s", "How often").unit("s"),
        Column::instant("from_at", "From"),
        Column::instant("to_at", "Until"),
    ],
    bucket: Bucket::Whole,
    meaning: "What an organisation undertook to publish",
};

/// Table `engagements`: a contract between a client and a body that judges it.
pub static ENGAGEMENTS: Table = Table {
    name: "engagements",
    columns: &[
        Column::text("client", "The client").required(),
        Column::text("body", "The verifying, inspecting or certifying body").required(),
        Column::text("service", "What it does").required(),
        Column::text("province", "Where"),
        Column::instant("from_at", "From"),
        Column::instant("to_at", "Until"),
    ],
    bucket: Bucket::Whole,
    meaning: "A contract between a client and a body that judges it",
};
