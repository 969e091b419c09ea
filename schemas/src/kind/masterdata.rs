//! `masterdata`: what an item, lot, party or place is, as whoever answers for it says.
//!
//! Invariants: the subject is of the sort that is described; a lot of GS1 goods is the one that
//! its subject names; of two descriptions the one with the later `from_at` holds. Pictures are
//! named by address and digest and are never fetched by a node.

use super::check::{self, FieldError};
use super::value::Digest;
use super::words::{self, Words};
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::audience::Region;
use crate::day::Day;
use crate::id::{OrgId, Subject};
use crate::identity::NaturalIdentity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most markets of one lot: ISO 3166 has 249 codes.
pub const MARKETS_MAX: usize = 249;
/// Most pictures of one thing.
pub const PICTURES_MAX: usize = 8;
/// Largest yield: a thousand times the input.
pub const YIELD_MAX_PPM: i64 = 1_000_000_000;
/// Least exact position: half the Earth's circumference away.
pub const PRECISION_M_MAX: i64 = 20_100_000;

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Masterdata {
    /// Since when the description holds.
    pub from_at: Timestamp,
    /// What it is called.
    pub name: Words,
    /// What sort of thing it is, with what is said of that sort.
    pub about: About,
    /// How it looks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<Picture>,
    /// The attestation that this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it corrects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The sorts of things described.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// A class of items, or one item.
    Item(Item),
    /// A lot of a class.
    Lot(Lot),
    /// An organisation in trade.
    Party(Party),
    /// A place that events name.
    Location(Location),
}

/// What is said of a class of items, or of one item.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Who makes it; absent means the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maker: Option<OrgId>,
    /// Its brand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<Words>,
    /// What it is sold as, such as `500 mL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What a buyer can check by eye: seal, colour, where it is sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_for: Option<Words>,
    /// The label order that its code came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_order: Option<String>,
}

/// What is said of a lot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lot {
    /// The lot's number.
    pub lot: String,
    /// The last day it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Day>,
    /// The day it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub produced_on: Option<Day>,
    /// Where it may be sold, sorted; empty means anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub markets: Vec<Region>,
    /// Largest output for each input, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yield_max_ppm: Option<u64>,
}

/// What is said of a party.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// The member of the network that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<OrgId>,
    /// Where it is established, ISO 3166-1 or 3166-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// What is said of a place.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Latitude in 10⁻⁷ degrees, north positive.
    pub lat_e7: i64,
    /// Longitude in 10⁻⁷ degrees, east positive.
    pub lon_e7: i64,
    /// How far off the position may be, in metres.
    pub precision_m: u64,
    /// Where it is, ISO 3166-1 or 3166-2.
    pub region: String,
    /// Who runs it; absent means the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<OrgId>,
}

/// A picture, by reference.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    /// Where it was published.
    pub url: String,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// What it shows, for those who cannot see it.
    pub alt: Words,
}

/// Table `items`.
pub static ITEMS: Table = Table {
    name: "items",
    columns: &[
        Column::text("item", "The item, or the class of items").required(),
        Column::text("class", "Its class"),
        Column::text("made_by", "Who made it"),
        Column::text("label_order", "The order its label came from"),
        Column::text("name_en", "Its name in English"),
        Column::text("name_zh", "Its name in Chinese"),
        Column::instant("from_at", "Since when this holds"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "An item, or a class of items, as its maker describes it",
};

/// Table `lots`.
pub static LOTS: Table = Table {
    name: "lots",
    columns: &[
        Column::text("item", "The class").required(),
        Column::text("lot", "The lot").required(),
        Column::text("expiry", "The last day it may be used, as 2026-01-31"),
        Column::list("markets", "ISO 3166 codes of where it may be sold; none means anywhere"),
        Column::integer("yield_max_ppm", "Largest output for each input").unit("ppm"),
        Column::text("produced_on", "The day it was made, as 2026-01-31"),
        Column::instant("from_at", "Since when this holds"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "A lot of a class of items",
};

/// Table `parties`.
pub static PARTIES: Table = Table {
    name: "parties",
    columns: &[
        Column::text("party", "Its identifier, as events give it").required(),
        Column::text("organisation", "The member of the network that it is"),
        Column::text("region", "Where it is established, ISO 3166"),
        Column::text("name_en", "Its name in English"),
        Column::text("name_zh", "Its name in Chinese"),
        Column::instant("from_at", "Since when this holds"),
    ],
    bucket: Bucket::Whole,
    meaning: "A party that events name",
};

impl Kind for Masterdata {
    const NAME: KindName = KindName::Masterdata;
    const TABLES: &'static [&'static Table] =
        &[&ITEMS, &LOTS, &PARTIES, &super::facility::LOCATIONS];

    fn check(&self) -> Result<(), FieldError> {
        self.name.check("/name", check::NAME_BYTES_MAX)?;
        match &self.about {
            About::Item(item) => item.check().map_err(|error| error.under("/about/item"))?,
            About::Lot(lot) => lot.check().map_err(|error| error.under("/about/lot"))?,
            About::Party(party) => {
                check::optional_region("/about/party/region", party.region.as_deref())?;
            }
            About::Location(location) => {
                location.check().map_err(|error| error.under("/about/location"))?;
            }
        }
        check::count("/pictures", self.pictures.len(), 0..=PICTURES_MAX)?;
        for (index, picture) in self.pictures.iter().enumerate() {
            let pointer = format!("/pictures/{index}");
            check::web_address(&format!("{pointer}/url"), &picture.url)?;
            picture.alt.check(&format!("{pointer}/alt"), check::NAME_BYTES_MAX)?;
        }
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let sub = &claims.sub;
        match &self.about {
            About::Item(_) => {
                let goods = check::goods_subject(claims)?;
                check::form("/sub", goods.lot().is_none(), "an item or a class of items")
            }
            About::Lot(lot) => {
                let goods = check::goods_subject(claims)?;
                let gs1 = goods.gs1_key().is_some();
                let named = !gs1 || goods.lot().as_deref() == Some(lot.lot.as_str());
                check::consistent("/about/lot/lot", named, "is not the lot of the subject")
            }
            About::Party(_) => {
                let party = matches!(sub, Subject::Org(_)) || has_key(sub, "417");
                check::form("/sub", party, "an organisation or a party (417)")
            }
            About::Location(_) => {
                let own = matches!(sub, Subject::Facility(place) if place.org() == claims.iss);
                let place = own || has_key(sub, "414");
                check::form("/sub", place, "a facility of the issuer or a location (414)")
            }
        }
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        let parts = (&claims.sub, self.from_at, self.replaces);
        NaturalIdentity::of(Self::NAME, &claims.iss, &parts)
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        match &self.about {
            About::Item(item) => rows.push(&ITEMS, context, self.item_cells(item, context)),
            About::Lot(lot) => rows.push(&LOTS, context, self.lot_cells(lot, context)),
            About::Party(party) => {
                let mut cells = vec![
                    Cell::text(&context.claims.sub),
                    Cell::optional(party.organisation.as_ref(), Cell::text),
                    Cell::optional(party.region.as_ref(), Cell::text),
                ];
                cells.extend(self.name_cells());
                rows.push(&PARTIES, context, cells);
            }
            About::Location(location) => {
                let cells = location.cells(context);
                rows.push(&super::facility::LOCATIONS, context, cells);
            }
        }
    }
}

impl Masterdata {
    /// The columns that items and parties end with.
    fn name_cells(&self) -> [Cell; 3] {
        [
            Cell::optional(self.name.en.as_ref(), Cell::text),
            Cell::optional(self.name.zh_hans.as_ref(), Cell::text),
            Cell::Instant(self.from_at),
        ]
    }

    fn item_cells(&self, item: &Item, context: &RowContext<'_>) -> Vec<Cell> {
        let mut cells = vec![
            Cell::text(&context.claims.sub),
            Cell::optional(class_of(&context.claims.sub), Cell::Text),
            Cell::text(item.maker.as_ref().unwrap_or(&context.claims.iss)),
            Cell::optional(item.label_order.as_ref(), Cell::text),
        ];
        cells.extend(self.name_cells());
        cells
    }

    fn lot_cells(&self, lot: &Lot, context: &RowContext<'_>) -> Vec<Cell> {
        let sub = &context.claims.sub;
        vec![
            Cell::Text(class_of(sub).unwrap_or_else(|| sub.to_string())),
            Cell::text(&lot.lot),
            Cell::optional(lot.expiry, Cell::text),
            Cell::List(lot.markets.iter().map(ToString::to_string).collect()),
            Cell::optional(lot.yield_max_ppm, Cell::integer),
            Cell::optional(lot.produced_on, Cell::text),
            Cell::Instant(self.from_at),
        ]
    }
}

impl Item {
    fn check(&self) -> Result<(), FieldError> {
        words::optional("/brand", self.brand.as_ref(), check::NAME_BYTES_MAX)?;
        check::optional("/content", self.content.as_deref(), check::CODE_BYTES_MAX)?;
        words::optional("/look_for", self.look_for.as_ref(), check::SENTENCE_BYTES_MAX)?;
        check::optional("/label_order", self.label_order.as_deref(), check::NAME_BYTES_MAX)
    }
}

impl Lot {
    fn check(&self) -> Result<(), FieldError> {
        check::text("/lot", &self.lot, check::CODE_BYTES_MAX)?;
        let order = self.expiry.is_none() || self.produced_on <= self.expiry;
        check::consistent("/expiry", order, "is before the day it was made")?;
        check::count("/markets", self.markets.len(), 0..=MARKETS_MAX)?;
        check::sorted_set("/markets", &self.markets)?;
        check::range("/yield_max_ppm", self.yield_max_ppm.unwrap_or(0), 0..=YIELD_MAX_PPM)
    }
}

impl Location {
    fn check(&self) -> Result<(), FieldError> {
        super::facility::check_position(self.lat_e7, self.lon_e7)?;
        check::range("/precision_m", self.precision_m, 0..=PRECISION_M_MAX)?;
        check::region("/region", &self.region)
    }

    fn cells(&self, context: &RowContext<'_>) -> Vec<Cell> {
        vec![
            Cell::text(&context.claims.sub),
            Cell::Integer(self.lat_e7),
            Cell::Integer(self.lon_e7),
            Cell::text(self.party.as_ref().unwrap_or(&context.claims.iss)),
            Cell::text(&self.region),
            Cell::integer(self.precision_m),
        ]
    }
}

/// The class of an item or lot that is a subject.
fn class_of(sub: &Subject) -> Option<String> {
    match sub {
        Subject::Goods(goods) => goods.class().map(|class| class.to_string()),
        _ => None,
    }
}

/// True for a GS1 identifier whose key is this one.
fn has_key(sub: &Subject, key: &str) -> bool {
    matches!(sub, Subject::Goods(goods) if goods.gs1_key() == Some(key))
}
