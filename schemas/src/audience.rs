//! Who may read a body, and where it may be held.
//!
//! Invariants: absent means public; a named audience names somebody; the audience byte of a log
//! entry follows from the audience alone.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::gs1::list;
use crate::id::OrgId;

/// Most organisations that one audience names.
pub const NAMED_MAX: usize = 256;

/// Who may read a body.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Audience {
    /// Anyone.
    #[default]
    Public,
    /// Every organisation of the network.
    Members,
    /// The named organisations, at least one, and the issuer.
    Named(BTreeSet<OrgId>),
}

impl Audience {
    /// The first byte of an entry: 0 public, 1 members, 2 named.
    pub const fn byte(&self) -> u8 {
        match self {
            Audience::Public => 0,
            Audience::Members => 1,
            Audience::Named(_) => 2,
        }
    }

    /// A named audience; `None` when it names nobody or more than [`NAMED_MAX`].
    pub fn named(names: impl IntoIterator<Item = OrgId>) -> Option<Audience> {
        let names: BTreeSet<OrgId> = names.into_iter().collect();
        (!names.is_empty() && names.len() <= NAMED_MAX).then_some(Audience::Named(names))
    }

    /// Whether a member of the network may read; the issuer may in any case.
    pub fn admits(&self, member: &OrgId) -> bool {
        match self {
            Audience::Public | Audience::Members => true,
            Audience::Named(names) => names.contains(member),
        }
    }
}

/// The text is no audience of a command line.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AudienceError {
    /// Nobody, or too many.
    #[error("an audience names between 1 and {NAMED_MAX} organisations")]
    Count,
    /// Neither a word nor organisations.
    #[error("expected public, members or organisations separated by commas")]
    Name(#[from] crate::id::IdError),
}

/// `public`, `members`, or URNs separated by commas, as on a command line.
impl FromStr for Audience {
    type Err = AudienceError;
    fn from_str(text: &str) -> Result<Audience, AudienceError> {
        match text {
            "public" => Ok(Audience::Public),
            "members" => Ok(Audience::Members),
            names => {
                let names = names.split(',').map(|name| name.trim().parse());
                let names = names.collect::<Result<Vec<OrgId>, _>>()?;
                Audience::named(names).ok_or(AudienceError::Count)
            }
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Audience::Public => to.write_str("public"),
            Audience::Members => to.write_str("members"),
            Audience::Named(names) => {
                for (index, name) in names.iter().enumerate() {
                    write!(to, "{}{name}", if index == 0 { "" } else { "," })?;
                }
                Ok(())
            }
        }
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Audience::Public => to.serialize_str("public"),
            Audience::Members => to.serialize_str("members"),
            Audience::Named(names) => names.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Audience, D::Error> {
        struct AudienceVisitor;
        impl<'de> Visitor<'de> for AudienceVisitor {
            type Value = Audience;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("\"public\", \"members\" or an array of organisations")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Audience, E> {
                match text {
                    "public" => Ok(Audience::Public),
                    "members" => Ok(Audience::Members),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Audience, A::Error> {
                let mut names = BTreeSet::new();
                while let Some(name) = items.next_element::<OrgId>()? {
                    if names.len() == NAMED_MAX || !names.insert(name) {
                        return Err(de::Error::custom("an audience repeats a name or is too long"));
                    }
                }
                Audience::named(names).ok_or_else(|| de::Error::custom(AudienceError::Count))
            }
        }
        from.deserialize_any(AudienceVisitor)
    }
}

/// A country or territory in which a body may be held: ISO 3166-1 alpha-2, upper case.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Region([u8; 2]);

/// The text is no ISO 3166-1 alpha-2 code.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no ISO 3166-1 code of two capital letters")]
pub struct RegionError(pub String);

impl Region {
    /// Whether a body that lists these regions may be held by whoever is in those: one that lists
    /// none, by anyone.
    pub fn admit(listed: &[Region], holder: &[Region]) -> bool {
        listed.is_empty() || listed.iter().any(|region| holder.contains(region))
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a region is two ASCII letters")
    }
}

impl FromStr for Region {
    type Err = RegionError;
    fn from_str(text: &str) -> Result<Region, RegionError> {
        match text.as_bytes() {
            [a, b] if list::has(list::COUNTRIES_ALPHA2, text) => Ok(Region([*a, *b])),
            _ => Err(RegionError(text.chars().take(20).collect())),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}

crate::text::serde_as_text!(Region, "an ISO 3166-1 alpha-2 code");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_lists_regions_is_held_in_one_of_them_alone() {
        let [cn, de, fr] = ["CN", "DE", "FR"].map(|code| code.parse::<Region>().unwrap());
        assert!(Region::admit(&[], &[]) && Region::admit(&[], &[fr]));
        assert!(Region::admit(&[cn, de], &[de]) && Region::admit(&[cn], &[cn, fr]));
        assert!(!Region::admit(&[cn, de], &[fr]) && !Region::admit(&[cn], &[]));
    }

    const A: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";
    const B: &str = "urn:hallmark:org:uscc:91350100M000100Y43";

    #[test]
    fn an_audience_returns_from_its_text_and_its_json() {
        for text in ["public", "members", &format!("{A},{B}")] {
            let audience: Audience = text.parse().unwrap();
            assert_eq!(audience.to_string(), text);
            let json = serde_json::to_string(&audience).unwrap();
            assert_eq!(serde_json::from_str::<Audience>(&json).unwrap(), audience);
            let cbor = serde_ipld_dagcbor::to_vec(&audience).unwrap();
            assert_eq!(serde_ipld_dagcbor::from_slice::<Audience>(&cbor).unwrap(), audience);
        }
    }

    #[test]
    fn an_audience_of_nobody_or_of_one_twice_is_refused() {
        for json in ["[]", "\"everyone\"", "7", &format!("[\"{A}\",\"{A}\"]")] {
            assert!(serde_json::from_str::<Audience>(json).is_err(), "{json}");
        }
        assert!("".parse::<Audience>().is_err());
    }

    #[test]
    fn regions_are_two_capital_letters() {
        assert_eq!("CN".parse::<Region>().unwrap().as_str(), "CN");
        for text in ["cn", "C", "CHN", "C1", "ZZ", ""] {
            assert!(text.parse::<Region>().is_err(), "{text}");
        }
    }
}
