//! `device`: an organisation enrols a meter, scanner, capture key or visit kit, with its own key.
//!
//! Invariants: the device belongs to the issuer; a meter says what it measures and in which unit.

use super::check::{self, FieldError};
use super::{Kind, KindName, SignerRule};
use crate::attestation::{Claims, ContentId};
use crate::id::{FacilityId, Subject};
use crate::identity::NaturalIdentity;
use crate::key::PublicKey;
use crate::quantity::Quantity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

/// What a device is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceClass {
    /// Measures a quantity.
    Meter,
    /// Reads codes and signs events.
    Scanner,
    /// Signs at a node what its clients submit.
    Capture,
    /// Goes along on visits of a verifier or inspector.
    Kit,
}

impl DeviceClass {
    /// Its text in JSON and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeviceClass::Meter => "meter",
            DeviceClass::Scanner => "scanner",
            DeviceClass::Capture => "capture",
            DeviceClass::Kit => "kit",
        }
    }
}

impl std::fmt::Display for DeviceClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The key that the device made itself.
    pub key: PublicKey,
    /// What it is for.
    pub class: DeviceClass,
    /// Maker and type.
    pub model: String,
    /// What a meter measures, such as `electricity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// The base unit of that quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Largest error by its accuracy class, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_ppm: Option<u32>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facility: Option<FacilityId>,
    /// Latitude in 10⁻⁷ degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lat_e7: Option<i64>,
    /// Longitude in 10⁻⁷ degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lon_e7: Option<i64>,
    /// The attestation that this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it corrects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Table `devices`.
pub static DEVICES: Table = Table {
    name: "devices",
    columns: &[
        Column::text("device", "The device").required(),
        Column::text("organisation", "Who enrolled it"),
        Column::text("class", "`meter`, `scanner`, `capture` or `kit`"),
        Column::text("key", "Key id, hex"),
        Column::text("model", "Maker and type"),
        Column::text("quantity", "What a meter measures"),
        Column::text("unit", "Base unit of that quantity"),
        Column::integer("accuracy_ppm", "Largest error by its accuracy class").unit("ppm"),
        Column::text("facility", "Where it stands"),
        Column::integer("lat_e7", "Latitude, WGS 84").unit("1e-7 degree"),
        Column::integer("lon_e7", "Longitude, WGS 84").unit("1e-7 degree"),
    ],
    bucket: Bucket::Whole,
    meaning: "An enrolled instrument, scanner, capture key or visit kit",
};

impl Kind for Device {
    const NAME: KindName = KindName::Device;
    const SIGNER: SignerRule = SignerRule::Organisation;
    const TABLES: &'static [&'static Table] = &[&DEVICES, &super::key::KEYS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/model", &self.model, check::NAME_BYTES_MAX)?;
        if let (Some(quantity), Some(unit)) = (self.quantity, &self.unit) {
            check::base_unit("/unit", quantity, unit)?;
        }
        let meter = self.class == DeviceClass::Meter;
        check::consistent(
            "/quantity",
            !meter || self.quantity.is_some(),
            "is missing for a meter",
        )?;
        let paired = self.quantity.is_some() == self.unit.is_some();
        check::consistent("/unit", paired, "stands with `quantity`, and only there")?;
        check::range("/accuracy_ppm", self.accuracy_ppm.unwrap_or(0), 0..=1_000_000)?;
        super::facility::check_position(self.lat_e7.unwrap_or(0), self.lon_e7.unwrap_or(0))?;
        let position = self.lat_e7.is_some() == self.lon_e7.is_some();
        check::consistent("/lon_e7", position, "stands with `lat_e7`, and only there")?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let own = matches!(&claims.sub, Subject::Device(device) if device.org() == claims.iss);
        check::form("/sub", own, "a device of the issuer")?;
        let here = self.facility.as_ref().is_none_or(|facility| facility.org() == claims.iss);
        check::form("/facility", here, "a facility of the issuer")
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
            Cell::text(self.class),
            Cell::text(self.key.id()),
            Cell::text(&self.model),
            Cell::optional(self.quantity, Cell::text),
            Cell::optional(self.unit.as_ref(), Cell::text),
            Cell::optional(self.accuracy_ppm, Cell::integer),
            Cell::optional(self.facility.as_ref(), Cell::text),
            Cell::optional(self.lat_e7, Cell::Integer),
            Cell::optional(self.lon_e7, Cell::Integer),
        ];
        rows.push(&DEVICES, context, cells);
        let holder = context.claims.sub.to_string();
        super::key::push_key(rows, context, "device", &self.key, holder);
    }
}
