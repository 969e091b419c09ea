//! `facility`: a place of work, its position or boundary, its province and sector.
//!
//! Invariants: coordinates are WGS 84 in 10⁻⁷ degrees; a boundary is one ring without its first
//! point repeated; the facility belongs to the issuer.

use super::check::{self, FieldError};
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

/// Most corners of a boundary.
pub const BOUNDARY_POINTS_MAX: usize = 512;
/// Most places of one facility that have an identifier of their own.
pub const LOCATIONS_MAX: usize = 256;
/// A quarter turn in 10⁻⁷ degrees.
pub const LATITUDE_E7_MAX: i64 = 900_000_000;
/// Half a turn in 10⁻⁷ degrees.
pub const LONGITUDE_E7_MAX: i64 = 1_800_000_000;

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Facility {
    /// Its name.
    pub name: String,
    /// Latitude in 10⁻⁷ degrees, north positive.
    pub lat_e7: i64,
    /// Longitude in 10⁻⁷ degrees, east positive.
    pub lon_e7: i64,
    /// Height above sea level in metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub altitude_m: Option<i64>,
    /// Corners as `[lat_e7, lon_e7]`, one ring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boundary: Vec<[i64; 2]>,
    /// Province or state, as ISO 3166-2 or a name.
    pub province: String,
    /// Offset of its clock from UTC, as `+08:00`.
    pub utc_offset: String,
    /// What it does, such as `steel` or `power`.
    pub sector: String,
    /// Identifiers of its places as they stand in events: Digital Links of AI 414, or other URIs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locations: Vec<String>,
    /// The attestation that this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it corrects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Table `facilities`.
pub static FACILITIES: Table = Table {
    name: "facilities",
    columns: &[
        Column::text("facility", "The facility").required(),
        Column::text("organisation", "Who runs it"),
        Column::integer("lat_e7", "Latitude, WGS 84").unit("1e-7 degree"),
        Column::integer("lon_e7", "Longitude, WGS 84").unit("1e-7 degree"),
        Column::integer("altitude_m", "Height above sea level").unit("m"),
        Column::text("polygon", "Boundary as `lat_e7 lon_e7, …`, one ring"),
        Column::text("province", "Province or state"),
        Column::text("utc_offset", "Offset of its clock from UTC, as `+08:00`"),
        Column::text("sector", "What it does"),
    ],
    bucket: Bucket::Whole,
    meaning: "A place of work",
};

/// Table `locations`.
pub static LOCATIONS: Table = Table {
    name: "locations",
    columns: &[
        Column::text("location", "Its identifier, as `read_point` and `biz_location` give it")
            .required(),
        Column::integer("lat_e7", "Latitude, WGS 84").unit("1e-7 degree"),
        Column::integer("lon_e7", "Longitude, WGS 84").unit("1e-7 degree"),
        Column::text("party", "Who runs the place"),
        Column::text("region", "Province, state or country"),
        Column::integer("precision_m", "How far off the position may be").unit("m"),
    ],
    bucket: Bucket::Whole,
    meaning: "A place that events name, with its position",
};

/// Refuses a position off the globe.
pub(crate) fn check_position(lat_e7: i64, lon_e7: i64) -> Result<(), FieldError> {
    check::range("/lat_e7", lat_e7, -LATITUDE_E7_MAX..=LATITUDE_E7_MAX)?;
    check::range("/lon_e7", lon_e7, -LONGITUDE_E7_MAX..=LONGITUDE_E7_MAX)
}

/// `+08:00`: a sign, hours to 14, minutes.
pub(crate) fn is_utc_offset(text: &str) -> bool {
    let [sign, a, b, b':', c, d] = text.as_bytes() else {
        return false;
    };
    let digits = [a, b, c, d].iter().all(|digit| digit.is_ascii_digit());
    let (hours, minutes) = (&text[1..3], &text[4..6]);
    matches!(sign, b'+' | b'-')
        && digits
        && (hours < "14" || (hours == "14" && minutes == "00"))
        && minutes < "60"
}

/// Refuses what is no such offset, where there is one.
pub(crate) fn check_utc_offset(text: Option<&str>) -> Result<(), FieldError> {
    let holds = text.is_none_or(is_utc_offset);
    check::form("/utc_offset", holds, "an offset such as `+08:00`")
}

impl Facility {
    fn polygon(&self) -> Cell {
        if self.boundary.is_empty() {
            return Cell::Null;
        }
        let corners = self.boundary.iter().map(|[lat, lon]| format!("{lat} {lon}"));
        Cell::Text(corners.collect::<Vec<_>>().join(", "))
    }
}

impl Kind for Facility {
    const NAME: KindName = KindName::Facility;
    const TABLES: &'static [&'static Table] = &[&FACILITIES, &LOCATIONS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/name", &self.name, check::NAME_BYTES_MAX)?;
        check_position(self.lat_e7, self.lon_e7)?;
        check::range("/altitude_m", self.altitude_m.unwrap_or(0), -500..=9_000)?;
        if !self.boundary.is_empty() {
            check::count("/boundary", self.boundary.len(), 3..=BOUNDARY_POINTS_MAX)?;
        }
        for (index, [lat, lon]) in self.boundary.iter().enumerate() {
            check_position(*lat, *lon)
                .map_err(|error| error.under(&format!("/boundary/{index}")))?;
        }
        check::text("/province", &self.province, check::NAME_BYTES_MAX)?;
        check_utc_offset(Some(&self.utc_offset))?;
        check::code("/sector", &self.sector)?;
        check::count("/locations", self.locations.len(), 0..=LOCATIONS_MAX)?;
        check::sorted_set("/locations", &self.locations)?;
        for (index, location) in self.locations.iter().enumerate() {
            check::text(&format!("/locations/{index}"), location, check::ADDRESS_BYTES_MAX)?;
        }
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let own =
            matches!(&claims.sub, Subject::Facility(facility) if facility.org() == claims.iss);
        check::form("/sub", own, "a facility of the issuer")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&claims.sub, self.replaces))
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(&context.claims.sub),
            Cell::text(&context.claims.iss),
            Cell::Integer(self.lat_e7),
            Cell::Integer(self.lon_e7),
            Cell::optional(self.altitude_m, Cell::Integer),
            self.polygon(),
            Cell::text(&self.province),
            Cell::text(&self.utc_offset),
            Cell::text(&self.sector),
        ];
        rows.push(&FACILITIES, context, cells);
        let own = context.claims.sub.to_string();
        for location in [&own].into_iter().chain(&self.locations) {
            let cells = vec![
                Cell::Text(super::event::vocabulary::place(location)),
                Cell::Integer(self.lat_e7),
                Cell::Integer(self.lon_e7),
                Cell::text(&context.claims.iss),
                Cell::text(&self.province),
                Cell::Null,
            ];
            rows.push(&LOCATIONS, context, cells);
        }
    }
}
