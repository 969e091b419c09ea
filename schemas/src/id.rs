//! Who and what a statement is about: organisations, facilities, devices, and goods.
//!
//! Invariants: each identifier has exactly one text; check characters are right; equal texts mean
//! the same thing, so comparing texts is comparing things.

pub mod check;

use std::fmt;
use std::str::FromStr;

use crate::goods::{GoodsError, GoodsId};
use crate::text::serde_as_text;

/// Longest local part of a facility or device.
pub const LOCAL_MAX: usize = 64;
/// Longest origin of a log.
pub const ORIGIN_MAX: usize = 255;

const ORG: &str = "urn:hallmark:org:";
const FACILITY: &str = "urn:hallmark:facility:";
const DEVICE: &str = "urn:hallmark:device:";
const GOODS: &str = "urn:hallmark:goods:";
const LOG: &str = "urn:hallmark:log:";

/// Why a text is no identifier.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no {what}: {reason} at character {position}")]
pub struct IdError {
    /// The text, cut to a readable length.
    pub text: String,
    /// What was expected.
    pub what: &'static str,
    /// What is wrong.
    pub reason: String,
    /// Where, counted in characters from 1.
    pub position: usize,
}

impl IdError {
    fn new(text: &str, what: &'static str, offset: usize, reason: impl Into<String>) -> IdError {
        let position = text.get(..offset).map_or(offset, |before| before.chars().count()) + 1;
        IdError { text: text.chars().take(120).collect(), what, reason: reason.into(), position }
    }
}

/// A numbering scheme for organisations.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum OrgScheme {
    /// Unified social credit code, GB 32100: 18 characters.
    Uscc,
    /// Legal entity identifier, ISO 17442: 20 characters.
    Lei,
    /// GS1 global location number: 13 digits.
    Gln,
}

impl OrgScheme {
    /// Every scheme.
    pub const ALL: [OrgScheme; 3] = [OrgScheme::Uscc, OrgScheme::Lei, OrgScheme::Gln];

    /// The scheme's name in a URN.
    pub const fn as_str(self) -> &'static str {
        match self {
            OrgScheme::Uscc => "uscc",
            OrgScheme::Lei => "lei",
            OrgScheme::Gln => "gln",
        }
    }

    /// Checks a value of the scheme; an error gives the offset and the reason.
    fn check(self, value: &str) -> Result<(), (usize, String)> {
        match self {
            OrgScheme::Uscc => check::uscc(value),
            OrgScheme::Lei => check::lei(value),
            OrgScheme::Gln => check::mod10(value, &[13]),
        }
        .map_err(|fault| (fault.offset, fault.reason))
    }
}

/// Splits `<scheme>:<value>…` and checks it; returns the scheme and the offset where value ends.
fn parse_org_part(
    text: &str,
    prefix: &'static str,
    what: &'static str,
    has_local: bool,
) -> Result<(OrgScheme, usize), IdError> {
    let Some(rest) = text.strip_prefix(prefix) else {
        return Err(IdError::new(text, what, 0, format!("expected {prefix:?}")));
    };
    let fail =
        |offset: usize, reason: String| IdError::new(text, what, prefix.len() + offset, reason);
    let (scheme_text, after) =
        rest.split_once(':').ok_or_else(|| fail(0, "expected <scheme>:<value>".to_owned()))?;
    let scheme = OrgScheme::ALL.into_iter().find(|scheme| scheme.as_str() == scheme_text);
    let scheme =
        scheme.ok_or_else(|| fail(0, "unknown scheme, expected uscc, lei or gln".to_owned()))?;
    let value_at = scheme_text.len() + 1;
    let value = match (has_local, after.split_once(':')) {
        (true, Some((value, _))) => value,
        (true, None) => return Err(fail(rest.len(), "expected :<local>".to_owned())),
        (false, _) => after,
    };
    scheme.check(value).map_err(|(offset, reason)| fail(value_at + offset, reason))?;
    Ok((scheme, prefix.len() + value_at + value.len()))
}

fn check_local(text: &str, what: &'static str, at: usize) -> Result<(), IdError> {
    let local = &text[at..];
    if local.is_empty() || LOCAL_MAX < local.len() {
        let reason = format!("expected 1 to {LOCAL_MAX} characters of A-Z a-z 0-9 . _ -");
        return Err(IdError::new(text, what, at, reason));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match local.find(|c| !allowed(c)) {
        Some(offset) => {
            Err(IdError::new(text, what, at + offset, "expected one of A-Z a-z 0-9 . _ -"))
        }
        None => Ok(()),
    }
}

/// An organisation: `urn:hallmark:org:<scheme>:<value>`.
///
/// The value's check characters are part of its form, so a slip of the pen names nobody else:
///
/// ```
/// use hallmark_schemas::id::{OrgId, OrgScheme};
///
/// let org: OrgId = "urn:hallmark:org:lei:529900T8BM49AURSDO55".parse()?;
/// assert_eq!((org.scheme(), org.value()), (OrgScheme::Lei, "529900T8BM49AURSDO55"));
/// assert_eq!(OrgId::from_slug(&org.slug())?, org);
///
/// let slip = "urn:hallmark:org:lei:529900T8BM49AURSDO56".parse::<OrgId>();
/// assert!(slip.is_err());
/// # Ok::<(), hallmark_schemas::id::IdError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct OrgId {
    text: String,
}

impl OrgId {
    /// An organisation by scheme and value; the value's check characters must be right.
    pub fn new(scheme: OrgScheme, value: &str) -> Result<OrgId, IdError> {
        format!("{ORG}{}:{value}", scheme.as_str()).parse()
    }

    /// The numbering scheme.
    pub fn scheme(&self) -> OrgScheme {
        let scheme = self.slug_part().split(':').next();
        let scheme = OrgScheme::ALL.into_iter().find(|known| Some(known.as_str()) == scheme);
        scheme.expect("parsing checked the scheme")
    }

    /// The number in the scheme.
    pub fn value(&self) -> &str {
        self.slug_part().split_once(':').expect("parsing found the colon").1
    }

    /// `<scheme>-<value>`, for topics, origins and file names.
    pub fn slug(&self) -> String {
        self.slug_part().replacen(':', "-", 1)
    }

    /// The organisation that a slug names.
    pub fn from_slug(slug: &str) -> Result<OrgId, IdError> {
        format!("{ORG}{}", slug.replacen('-', ":", 1)).parse()
    }

    /// The one text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn slug_part(&self) -> &str {
        &self.text[ORG.len()..]
    }
}

impl FromStr for OrgId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<OrgId, IdError> {
        parse_org_part(text, ORG, "organisation", false)?;
        Ok(OrgId { text: text.to_owned() })
    }
}

macro_rules! local_id {
    ($type:ident, $prefix:ident, $what:literal, $meaning:literal) => {
        #[doc = $meaning]
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $type {
            text: String,
        }

        impl $type {
            /// The identifier of `local` at an organisation.
            pub fn new(org: &OrgId, local: &str) -> Result<$type, IdError> {
                format!("{}{}:{local}", $prefix, org.slug_part()).parse()
            }

            /// The organisation it belongs to.
            pub fn org(&self) -> OrgId {
                let (org, _) = self.parts();
                OrgId { text: format!("{ORG}{org}") }
            }

            /// The part after the organisation.
            pub fn local(&self) -> &str {
                self.parts().1
            }

            /// The one text.
            pub fn as_str(&self) -> &str {
                &self.text
            }

            fn parts(&self) -> (&str, &str) {
                let rest = &self.text[$prefix.len()..];
                rest.rsplit_once(':').expect("parsing found the colon")
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<$type, IdError> {
                let (_, value_end) = parse_org_part(text, $prefix, $what, true)?;
                check_local(text, $what, value_end + 1)?;
                Ok($type { text: text.to_owned() })
            }
        }
    };
}

local_id!(
    FacilityId,
    FACILITY,
    "facility",
    "A place of an organisation: `urn:hallmark:facility:<scheme>:<value>:<local>`."
);
local_id!(
    DeviceId,
    DEVICE,
    "device",
    "An instrument or capture key: `urn:hallmark:device:<scheme>:<value>:<local>`."
);

/// What an attestation speaks about.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Subject {
    /// An organisation.
    Org(OrgId),
    /// A facility.
    Facility(FacilityId),
    /// A device.
    Device(DeviceId),
    /// Goods, or a GS1 location or document.
    Goods(GoodsId),
    /// A log, by its origin; written `urn:hallmark:log:<origin>`.
    Log(String),
}

/// Why a text is no subject.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SubjectError {
    /// An organisation, facility, device or log that is wrong.
    #[error(transparent)]
    Id(#[from] IdError),
    /// Goods that are wrong.
    #[error(transparent)]
    Goods(#[from] GoodsError),
    /// Goods in another than their canonical text.
    #[error("{text:?} is not canonical, write {canonical}")]
    NotCanonical {
        /// The text.
        text: String,
        /// What it should be.
        canonical: GoodsId,
    },
}

impl Subject {
    /// Reads the one text of a subject. Goods must be canonical: their text is compared as it is.
    pub fn parse(text: &str) -> Result<Subject, SubjectError> {
        if text.starts_with(ORG) {
            Ok(Subject::Org(text.parse()?))
        } else if text.starts_with(FACILITY) {
            Ok(Subject::Facility(text.parse()?))
        } else if text.starts_with(DEVICE) {
            Ok(Subject::Device(text.parse()?))
        } else if let Some(origin) = text.strip_prefix(LOG) {
            check_origin(text, origin)?;
            Ok(Subject::Log(origin.to_owned()))
        } else if text.starts_with("urn:hallmark:") && !text.starts_with(GOODS) {
            let reason = "expected org, facility, device, goods or log";
            Err(IdError::new(text, "subject", "urn:hallmark:".len(), reason).into())
        } else {
            let goods = GoodsId::parse(text)?;
            if goods.as_str() == text {
                Ok(Subject::Goods(goods))
            } else {
                let text = text.chars().take(120).collect();
                Err(SubjectError::NotCanonical { text, canonical: goods })
            }
        }
    }
}

/// An origin is a key name of a signed note: printable ASCII without space and plus sign.
fn check_origin(text: &str, origin: &str) -> Result<(), IdError> {
    if origin.is_empty() || ORIGIN_MAX < origin.len() {
        let reason = format!("expected an origin of 1 to {ORIGIN_MAX} characters");
        return Err(IdError::new(text, "log", LOG.len(), reason));
    }
    match origin.find(|c: char| !c.is_ascii_graphic() || c == '+') {
        Some(offset) => {
            let reason = "an origin is printable ASCII without space or plus sign";
            Err(IdError::new(text, "log", LOG.len() + offset, reason))
        }
        None => Ok(()),
    }
}

impl FromStr for Subject {
    type Err = SubjectError;
    fn from_str(text: &str) -> Result<Subject, SubjectError> {
        Subject::parse(text)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Org(id) => id.fmt(to),
            Subject::Facility(id) => id.fmt(to),
            Subject::Device(id) => id.fmt(to),
            Subject::Goods(id) => id.fmt(to),
            Subject::Log(origin) => write!(to, "{LOG}{origin}"),
        }
    }
}

macro_rules! display_text {
    ($($type:ident)*) => { $(
        impl fmt::Display for $type {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.pad(&self.text)
            }
        }
    )* };
}
display_text!(OrgId FacilityId DeviceId);

serde_as_text!(OrgId, "the URN of an organisation");
serde_as_text!(FacilityId, "the URN of a facility");
serde_as_text!(DeviceId, "the URN of a device");
serde_as_text!(Subject, "the URN or Digital Link of a subject");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const USCC: &str = "91350100M000100Y43";

    #[test]
    fn an_identifier_that_is_not_the_one_text_is_refused_with_its_place() {
        for (text, position) in [
            ("urn:hallmark:org:uscc:91350100M000100Y44", 40),
            ("urn:hallmark:org:uscc:91350100m000100Y43", 31),
            ("urn:hallmark:org:duns:123456789", 18),
            ("URN:hallmark:org:uscc:91350100M000100Y43", 1),
            ("urn:hallmark:org:uscc", 18),
            ("urn:hallmark:org:gln:9506000134352 ", 35),
            ("", 1),
        ] {
            let error = text.parse::<OrgId>().unwrap_err();
            assert_eq!(error.position, position, "{error}");
        }
        let facility = format!("urn:hallmark:facility:uscc:{USCC}");
        for local in ["", ":", ":a b", ":a:b", &format!(":{}", "x".repeat(65)), ":厂"] {
            assert!(format!("{facility}{local}").parse::<FacilityId>().is_err(), "{local}");
        }
    }

    #[test]
    fn a_subject_is_told_by_its_text_and_goods_must_be_canonical() {
        for text in [
            "urn:hallmark:org:gln:9506000134352",
            "urn:hallmark:facility:uscc:91350100M000100Y43:mill-1",
            "urn:hallmark:device:lei:529900T8BM49AURSDO55:m.7",
            "urn:hallmark:goods:drug:81234567890123456789",
            "urn:hallmark:log:demo.example/uscc-91350100M000100Y43/1",
            "https://id.gs1.org/01/09506000134352/21/A%2F1",
        ] {
            assert_eq!(Subject::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "https://example.com/01/09506000134352",
            "urn:epc:id:sgtin:9506000.013435.7",
            "https://id.gs1.org/01/09506000134352/10/A/21/1",
            "urn:hallmark:unit:1",
            "urn:hallmark:log:",
            "urn:hallmark:log:a b",
            "mailto:somebody",
        ] {
            assert!(Subject::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn organisations_and_their_devices_return_from_their_texts(
            body in "[0-9]{12}",
            local in "[A-Za-z0-9._-]{1,64}",
        ) {
            let gln = format!("{body}{}", check::mod10_check(&body).unwrap());
            let org = OrgId::new(OrgScheme::Gln, &gln).unwrap();
            prop_assert_eq!(org.as_str().parse::<OrgId>(), Ok(org.clone()));
            prop_assert_eq!(OrgId::from_slug(&org.slug()), Ok(org.clone()));
            prop_assert_eq!((org.scheme(), org.value()), (OrgScheme::Gln, gln.as_str()));
            let device = DeviceId::new(&org, &local).unwrap();
            prop_assert_eq!((device.org(), device.local()), (org, local.as_str()));
            let bytes = serde_ipld_dagcbor::to_vec(&device).unwrap();
            prop_assert_eq!(serde_ipld_dagcbor::from_slice::<DeviceId>(&bytes).unwrap(), device);
        }

        #[test]
        fn goods_have_one_text_whatever_they_were_read_from(serial in "[!%-?A-Z_a-z]{1,20}") {
            let gtin = gs1_element("01", "09506000134352");
            let elements = [gtin, gs1_element("10", "LOT"), gs1_element("21", &serial)];
            let canonical = crate::gs1::digital_link::canonical(&elements).unwrap();
            let goods = GoodsId::parse(&canonical).unwrap();
            prop_assert_eq!(goods.as_str(), &canonical);
            let elsewhere = canonical.replace("https://id.gs1.org/01", "http://brand.example/x/01");
            prop_assert_eq!(GoodsId::parse(&elsewhere).unwrap(), goods);
        }
    }

    fn gs1_element(code: &str, value: &str) -> crate::gs1::element::Element {
        let strict = crate::gs1::Reading::STRICT;
        crate::gs1::element::Element::new(code, value, &strict).unwrap()
    }
}
