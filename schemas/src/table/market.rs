//! Tables of carbon units and their market, beyond the kinds of this release.
//!
//! They are declared so that rules can join them and `--table` accepts them.

use super::{Bucket, Column, Table};

/// Table `accounts`: an account of a registry.
pub static ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[
        Column::text("registry", "The registry").required(),
        Column::text("account", "The account").required(),
        Column::text("holder", "Who holds it").required(),
        Column::text("kind", "What sort"),
        Column::instant("opened_at", "When opened"),
        Column::instant("closed_at", "When closed"),
    ],
    bucket: Bucket::Whole,
    meaning: "An account of a registry",
};

/// Table `projects`: a project that earns units.
pub static PROJECTS: Table = Table {
    name: "projects",
    columns: &[
        Column::text("project", "The project").required(),
        Column::text("organisation", "Who runs it"),
        Column::text("method", "Its methodology"),
        Column::integer("lat_e7", "Latitude, WGS 84").unit("1e-7 degree"),
        Column::integer("lon_e7", "Longitude, WGS 84").unit("1e-7 degree"),
        Column::instant("crediting_start", "Begin of crediting"),
        Column::instant("crediting_end", "End of crediting"),
    ],
    bucket: Bucket::Whole,
    meaning: "A project that earns units",
};

/// Table `ledger_entries`: a registry’s decision, in its sequence.
pub static LEDGER_ENTRIES: Table = Table {
    name: "ledger_entries",
    columns: &[
        Column::text("registry", "The registry").required(),
        Column::integer("seq", "Its number").required(),
        Column::text("order", "The order decided").required(),
        Column::text(
            "op",
            "`issue`, `transfer`, `surrender`, `retire`, `cancel`, `allocate`, `recover`, \
             `carry_over`, `freeze`, `release` or `reverse`",
        )
        .required(),
        Column::text("decision", "`accepted` or `refused`").required(),
        Column::text("reason", "Why"),
        Column::text("from_account", "From"),
        Column::text("to_account", "To"),
        Column::text("prefix", "Prefix of the serial numbers"),
        Column::integer("block_start", "First serial number"),
        Column::integer("block_end", "Last serial number"),
        Column::integer("quantity", "How many units").required(),
        Column::text("measure", "What a unit stands for"),
        Column::text("unit_type", "Type of unit").required(),
        Column::integer("vintage", "Year"),
        Column::text("project", "The project"),
        Column::text("statement", "The verification that it rests on"),
        Column::instant("monitoring_start", "Begin of monitoring"),
        Column::instant("monitoring_end", "End of monitoring"),
        Column::text("beneficiary", "For whom"),
        Column::text("authority", "On whose authority"),
        Column::instant("at", "When").required(),
    ],
    bucket: Bucket::Account("from_account"),
    meaning: "A registry’s decision, in its sequence",
};

/// Table `unit_blocks`: units in an account.
pub static UNIT_BLOCKS: Table = Table {
    name: "unit_blocks",
    columns: &[
        Column::text("registry", "The registry").required(),
        Column::text("account", "The account").required(),
        Column::text("prefix", "Prefix of the serial numbers"),
        Column::integer("block_start", "First serial number").required(),
        Column::integer("block_end", "Last serial number").required(),
        Column::text("unit_type", "Type of unit").required(),
        Column::integer("vintage", "Year"),
        Column::text("project", "The project"),
        Column::text("state", "`active`, `frozen`, `retired` …"),
    ],
    bucket: Bucket::Account("account"),
    meaning: "Units in an account",
};

/// Table `allocations`: units given to an obliged organisation.
pub static ALLOCATIONS: Table = Table {
    name: "allocations",
    columns: &[
        Column::text("organisation", "Who").required(),
        Column::text("facility", "The facility"),
        Column::integer("year", "Year").required(),
        Column::integer("quantity", "How many units").required(),
        Column::text("unit_type", "Type of unit"),
    ],
    bucket: Bucket::Whole,
    meaning: "Units given to an obliged organisation",
};

/// Table `trades`: a trade.
pub static TRADES: Table = Table {
    name: "trades",
    columns: &[
        Column::text("trade", "The trade").required(),
        Column::text("seller", "Who sells").required(),
        Column::text("buyer", "Who buys").required(),
        Column::text("unit_type", "Type of unit").required(),
        Column::integer("quantity", "How many units").required(),
        Column::integer("price_minor", "Price of one unit, in minor units of `currency`")
            .required(),
        Column::text("currency", "ISO 4217").required(),
        Column::instant("at", "When").required(),
        Column::text("kind", "How"),
    ],
    bucket: Bucket::Whole,
    meaning: "A trade",
};

/// Table `settlements`: one leg of a settlement.
pub static SETTLEMENTS: Table = Table {
    name: "settlements",
    columns: &[
        Column::text("trade", "The trade").required(),
        Column::text("leg", "`units` or `cash`").required(),
        Column::integer("quantity", "How many units"),
        Column::integer("amount_minor", "How much, in minor units of the currency"),
        Column::text("from", "From"),
        Column::text("to", "To"),
        Column::instant("at", "When").required(),
    ],
    bucket: Bucket::Whole,
    meaning: "One leg of a settlement",
};

/// Table `market_days`: a day of a market.
pub static MARKET_DAYS: Table = Table {
    name: "market_days",
    columns: &[
        Column::text("market", "The market").required(),
        Column::text("unit_type", "Type of unit").required(),
        Column::text("day", "Day, as 2026-01-31").required(),
        Column::integer("low_minor", "Lowest price"),
        Column::integer("high_minor", "Highest price"),
        Column::integer("close_minor", "Closing price"),
        Column::text("currency", "ISO 4217"),
        Column::integer("quantity", "Units traded"),
    ],
    bucket: Bucket::Whole,
    meaning: "A day of a market",
};

/// Table `obligations`: what an organisation must surrender for a year.
pub static OBLIGATIONS: Table = Table {
    name: "obligations",
    columns: &[
        Column::text("organisation", "Who").required(),
        Column::integer("year", "Year").required(),
        Column::integer("opening", "Held at the begin").unit("unit"),
        Column::integer("verified", "Verified emissions").unit("unit"),
        Column::integer("due", "To surrender").unit("unit"),
        Column::integer("surrendered", "Surrendered").unit("unit"),
        Column::integer("offset", "Of these, offsets").unit("unit"),
        Column::instant("deadline", "Until when"),
    ],
    bucket: Bucket::Whole,
    meaning: "What an organisation must surrender for a year",
};
