//! Tables of members and those who vouch for them, beyond the kinds of this release.
//!
//! They are declared so that rules can join them and `--table` accepts them.

use super::{Bucket, Column, Table};

/// Table `accreditations`: what a body is accredited for.
pub static ACCREDITATIONS: Table = Table {
    name: "accreditations",
    columns: &[
        Column::text("organisation", "The accredited body").required(),
        Column::text(
            "scheme",
            "`iso17025`, `iso17020`, `iso17065`, `iso14065`, `cma`, `cnas` or an authority’s \
             commission",
        ),
        Column::text("number", "Its number"),
        Column::list("methods", "Methods it covers"),
        Column::list("parameters", "Parameters it covers"),
        Column::list("sectors", "Sectors it covers"),
        Column::instant("valid_from", "In force from"),
        Column::instant("valid_to", "In force until"),
    ],
    bucket: Bucket::Whole,
    meaning: "What a body is accredited for",
};

/// Table `certificates`: a certificate on goods, sites or organisations.
pub static CERTIFICATES: Table = Table {
    name: "certificates",
    columns: &[
        Column::text("id", "Its identifier").required(),
        Column::text("standard", "The standard"),
        Column::text("product_class", "Class of goods"),
        Column::text("site", "Site"),
        Column::integer("volume", "Certified volume in `unit`"),
        Column::text("unit", "Unit of `volume`"),
        Column::instant("valid_from", "In force from"),
        Column::instant("valid_to", "In force until"),
        Column::instant("withdrawn_at", "When it was withdrawn"),
    ],
    bucket: Bucket::Whole,
    meaning: "A certificate on goods, sites or organisations",
};

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
