//! Who asks: the owner over the socket, an organisation with a token, or anyone.
//!
//! Invariants: a token counts only with a signature of a key of a member, the node's own origin as
//! audience, and time left; a bad token is an error, never anonymity.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::token::{Scope, Token};

use super::App;
use super::problem::{ApiError, with_causes};
use crate::serve::Origin;

/// Who asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Caller {
    /// Whoever may open DIR/run/node.sock.
    Owner,
    /// A member with a token.
    Member {
        /// Who signed the token.
        org: OrgId,
        /// What it allows.
        scope: Scope,
    },
    /// Anyone.
    Anyone(Origin),
}

impl Caller {
    /// Whether this caller may read a body of this audience, issued by `issuer`.
    pub fn may_read(&self, audience: &Audience, issuer: &OrgId) -> bool {
        match (self, audience) {
            (Caller::Owner, _) | (_, Audience::Public) => true,
            (Caller::Member { org, scope: Scope::Read | Scope::Admin }, _) => {
                org == issuer || audience.admits(org)
            }
            _ => false,
        }
    }

    /// Fails unless the caller may have this node sign for `own`.
    pub fn may_sign_for(&self, own: &OrgId) -> Result<(), ApiError> {
        match self {
            Caller::Owner => Ok(()),
            Caller::Member { org, scope: Scope::Capture | Scope::Admin } if org == own => Ok(()),
            Caller::Member { .. } => Err(ApiError::Forbidden {
                detail: format!("this node signs for {own}, with a token of scope capture"),
            }),
            Caller::Anyone(_) => Err(ApiError::Unauthorized {
                detail: "send `Authorization: Bearer …` with a token of scope capture".to_owned(),
            }),
        }
    }

    /// Whether findings are shown to this caller.
    pub fn may_read_findings(&self, open: crate::config::Openness) -> bool {
        use crate::config::Openness;
        match self {
            Caller::Owner | Caller::Member { scope: Scope::Read | Scope::Admin, .. } => true,
            Caller::Member { .. } => open == Openness::All,
            Caller::Anyone(Origin::Address(address)) => match open {
                Openness::All => true,
                Openness::Loopback => address.is_loopback(),
                Openness::None => false,
            },
            Caller::Anyone(Origin::Socket) => true,
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, ApiError> {
        let origin = origin_of(parts);
        let Some(value) = parts.headers.get(header::AUTHORIZATION) else {
            return Ok(if origin == Origin::Socket {
                Caller::Owner
            } else {
                Caller::Anyone(origin)
            });
        };
        let bad = |detail: &str| ApiError::Unauthorized { detail: detail.to_owned() };
        let value = value.to_str().map_err(|_| bad("the token is no text"))?;
        let token = value.strip_prefix("Bearer ").ok_or_else(|| bad("only bearer tokens"))?;
        let token = Token::parse(token.trim()).map_err(|e| bad(&with_causes(&e)))?;
        let checked = app.check_token(token);
        if checked.is_err() && !app.knows_keys() {
            let detail = "this node has just started and reads its keys".to_owned();
            return Err(ApiError::Busy { after_s: 1, detail });
        }
        let (org, scope) = checked.map_err(|detail| bad(&detail))?;
        Ok(Caller::Member { org, scope })
    }
}

impl FromRequestParts<App> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _app: &App,
    ) -> Result<Origin, std::convert::Infallible> {
        Ok(origin_of(parts))
    }
}

/// Without a mark the request is treated as one from far away.
fn origin_of(parts: &Parts) -> Origin {
    let far = Origin::Address(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
    parts.extensions.get::<Origin>().copied().unwrap_or(far)
}
