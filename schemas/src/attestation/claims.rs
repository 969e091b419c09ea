//! The CWT claims of an attestation: who says it, about what, to whom, when.

use minicbor::data::Type;
use minicbor::encode::{Error, Write};
use minicbor::{Decoder, Encoder};

use super::Malformed;
use crate::audience::{Audience, NAMED_MAX, Region};
use crate::id::{OrgId, Subject};
use crate::time::Timestamp;

/// Most regions of one attestation: there are 249 countries.
const REGIONS_MAX: usize = 249;

const ISS: i64 = 1;
const SUB: i64 = 2;
const AUD: i64 = 3;
const IAT: i64 = 6;
const REGIONS: &str = "regions";
const MEMBERS: &str = "members";

/// Who says it, about what, to whom, when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claims {
    /// The organisation that answers for it.
    pub iss: OrgId,
    /// What it is about.
    pub sub: Subject,
    /// Who may read the body.
    pub aud: Audience,
    /// When the signer says it was signed, in whole seconds. It proves nothing.
    pub iat: Timestamp,
    /// Regions whose nodes may hold the body, ascending; empty means all.
    pub regions: Vec<Region>,
}

impl Claims {
    /// Refuses what has no encoding, or a second one.
    pub(super) fn check(&self) -> Result<(), Malformed> {
        if !self.iat.unix_ms().is_multiple_of(1000) {
            return Err(Malformed::Claim { name: "iat", reason: "it is not in whole seconds" });
        }
        let ascending = self.regions.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || REGIONS_MAX < self.regions.len() {
            let reason = "they are not in ascending order, each once";
            return Err(Malformed::Claim { name: REGIONS, reason });
        }
        match &self.aud {
            Audience::Named(names) if names.is_empty() || NAMED_MAX < names.len() => {
                let reason = "it names nobody, or more organisations than the limit";
                Err(Malformed::Claim { name: "aud", reason })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn encode<W: Write>(&self, e: &mut Encoder<W>) -> Result<(), Error<W::Error>> {
        let audience = u64::from(self.aud != Audience::Public);
        let regions = u64::from(!self.regions.is_empty());
        e.map(3 + audience + regions)?;
        e.i64(ISS)?.str(self.iss.as_str())?;
        e.i64(SUB)?.str(&self.sub.to_string())?;
        match &self.aud {
            Audience::Public => {}
            Audience::Members => {
                e.i64(AUD)?.str(MEMBERS)?;
            }
            Audience::Named(names) => {
                e.i64(AUD)?.array(names.len() as u64)?;
                for name in names {
                    e.str(name.as_str())?;
                }
            }
        }
        e.i64(IAT)?.u64(self.iat.unix_ms() / 1000)?;
        if !self.regions.is_empty() {
            e.str(REGIONS)?.array(self.regions.len() as u64)?;
            for region in &self.regions {
                e.str(region.as_str())?;
            }
        }
        Ok(())
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Claims, Malformed> {
        let shape = |name, reason| Malformed::Claim { name, reason };
        let count = d.map().ok().flatten().ok_or(shape("claims", "they are no map"))?;
        let (mut iss, mut sub, mut iat) = (None, None, None);
        let (mut aud, mut regions) = (Audience::Public, Vec::new());
        for _ in 0..count {
            if matches!(d.datatype(), Ok(Type::String)) {
                if d.str().ok() != Some(REGIONS) {
                    return Err(shape("claims", "one is unknown"));
                }
                regions = decode_regions(d)?;
                continue;
            }
            match d.i64() {
                Ok(ISS) => {
                    let text = d.str().map_err(|_| shape("iss", "it is no text"))?;
                    iss = Some(text.parse().map_err(|fault| Malformed::Issuer { fault })?);
                }
                Ok(SUB) => {
                    let text = d.str().map_err(|_| shape("sub", "it is no text"))?;
                    sub = Some(Subject::parse(text).map_err(|fault| Malformed::Subject { fault })?);
                }
                Ok(AUD) => aud = decode_audience(d)?,
                Ok(IAT) => {
                    let seconds = d.u64().ok().and_then(|seconds| seconds.checked_mul(1000));
                    let at = seconds.and_then(Timestamp::try_from_unix_ms);
                    iat = Some(at.ok_or(shape("iat", "it is no second until the year 9999"))?);
                }
                _ => return Err(shape("claims", "one is unknown")),
            }
        }
        let iss = iss.ok_or(shape("iss", "it is missing"))?;
        let sub = sub.ok_or(shape("sub", "it is missing"))?;
        let iat = iat.ok_or(shape("iat", "it is missing"))?;
        let claims = Claims { iss, sub, aud, iat, regions };
        claims.check()?;
        Ok(claims)
    }
}

fn decode_audience(d: &mut Decoder<'_>) -> Result<Audience, Malformed> {
    let shape = |reason| Malformed::Claim { name: "aud", reason };
    if matches!(d.datatype(), Ok(Type::String)) {
        return match d.str() {
            Ok(MEMBERS) => Ok(Audience::Members),
            _ => Err(shape("it is neither `members` nor a list of organisations")),
        };
    }
    let count = d.array().ok().flatten();
    let count = count.ok_or(shape("it is neither `members` nor a list of organisations"))?;
    if count > NAMED_MAX as u64 {
        return Err(shape("it names more organisations than the limit"));
    }
    let names = (0..count).map(|_| {
        let text = d.str().map_err(|_| shape("it holds something that is no text"))?;
        text.parse().map_err(|fault| Malformed::Issuer { fault })
    });
    Ok(Audience::Named(names.collect::<Result<_, _>>()?))
}

fn decode_regions(d: &mut Decoder<'_>) -> Result<Vec<Region>, Malformed> {
    let shape = |reason| Malformed::Claim { name: REGIONS, reason };
    let count = d.array().ok().flatten().ok_or(shape("they are no list"))?;
    if count > REGIONS_MAX as u64 {
        return Err(shape("there are more than countries"));
    }
    let regions = (0..count).map(|_| {
        let region = d.str().ok().and_then(|text| text.parse().ok());
        region.ok_or(shape("one is no ISO 3166 code of two letters"))
    });
    regions.collect()
}
