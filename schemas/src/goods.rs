//! Goods, and GS1 locations and documents, under one canonical text.
//!
//! Invariants: GS1 keys are the canonical Digital Link `https://id.gs1.org/…` down to the finest
//! identification only; other schemes are `urn:hallmark:goods:<scheme>:<value>`.

pub mod scheme;

use std::fmt;
use std::str::FromStr;

use crate::gs1;
use scheme::Scheme;

/// Longest text of goods.
pub const GOODS_MAX: usize = 512;

const PREFIX: &str = "urn:hallmark:goods:";

/// Goods in canonical text.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GoodsId {
    text: String,
}

/// Why a text names no goods.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} names no goods: {reason} at character {position}")]
pub struct GoodsError {
    /// The text, cut to a readable length.
    pub text: String,
    /// What is wrong.
    pub reason: String,
    /// Where, counted in characters from 1.
    pub position: usize,
}

impl GoodsId {
    /// Reads a Digital Link on any host, an EPC URN, or a URN of a registered scheme, and gives
    /// the canonical identifier. Qualifiers coarser than the finest, and attributes, are dropped.
    ///
    /// ```
    /// use hallmark_schemas::goods::GoodsId;
    ///
    /// let one = GoodsId::parse("https://shop.example/01/09506000134352/10/L1/21/A?17=270101")?;
    /// assert_eq!(one.as_str(), "https://id.gs1.org/01/09506000134352/21/A");
    /// assert_eq!(GoodsId::parse("urn:epc:id:sgtin:9506000.013435.A")?, one);
    ///
    /// let wrong = GoodsId::parse("https://id.gs1.org/01/09506000134353").unwrap_err();
    /// assert!(wrong.reason.contains("check"), "{wrong}");
    /// # Ok::<(), hallmark_schemas::goods::GoodsError>(())
    /// ```
    pub fn parse(text: &str) -> Result<GoodsId, GoodsError> {
        let fail = |offset: usize, reason: String| {
            let before = text.get(..offset).map_or(0, |before| before.chars().count());
            GoodsError { text: text.chars().take(120).collect(), reason, position: before + 1 }
        };
        if GOODS_MAX < text.len() {
            return Err(fail(GOODS_MAX, format!("longer than {GOODS_MAX} bytes")));
        }
        let Some(rest) = text.strip_prefix(PREFIX) else {
            let canonical =
                gs1::canonical(text).map_err(|fault| fail(fault.offset, fault.reason))?;
            return Ok(GoodsId { text: canonical });
        };
        let (name, value) = rest
            .split_once(':')
            .ok_or_else(|| fail(PREFIX.len(), "expected <scheme>:<value>".into()))?;
        let scheme = Scheme::named(name).ok_or_else(|| {
            fail(PREFIX.len(), format!("unknown scheme, known: {}", Scheme::names()))
        })?;
        let value_at = PREFIX.len() + name.len() + 1;
        scheme.check(value).map_err(|fault| fail(value_at + fault.offset, fault.reason))?;
        Ok(GoodsId { text: text.to_owned() })
    }

    /// The identifier of a value in a registered scheme.
    pub fn in_scheme(scheme: &Scheme, value: &str) -> Result<GoodsId, GoodsError> {
        GoodsId::parse(&format!("{PREFIX}{}:{value}", scheme.name))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for GoodsId {
    type Err = GoodsError;
    fn from_str(text: &str) -> Result<GoodsId, GoodsError> {
        GoodsId::parse(text)
    }
}

impl fmt::Display for GoodsId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.pad(&self.text)
    }
}

crate::text::serde_as_text!(GoodsId, "a Digital Link or the URN of goods");
