//! `/.well-known/scitt-keys` (SCRAPI): the key that signs receipts, as a COSE Key Set.
//!
//! Invariant: a key names its id and algorithm, so that a client finds the one of a receipt without
//! knowing how ids are made.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallmark_schemas::key::{PublicKey, Signer};

use super::problem::ApiError;
use super::{Ctx, cached};

/// A log keeps its key for years; whoever comes again within minutes need not ask.
const CONTROL: &str = "public, max-age=300";
/// As SCRAPI asks for.
const KIND: &str = "application/cbor";

/// `GET /.well-known/scitt-keys`
pub(super) async fn keys(State(app): Ctx, headers: HeaderMap) -> Response {
    let own = app.log_key.public();
    let set = [vec![0x81], described(own)].concat();
    cached(&headers, KIND, CONTROL, &own.id().to_string(), set)
}

/// `{1: 1 (OKP), 2: kid, 3: -19 (Ed25519), -1: 6 (Ed25519), -2: x}`.
fn described(key: &PublicKey) -> Vec<u8> {
    let (id, x) = (key.id(), key.bytes());
    let kid = [&[0xa5, 0x01, 0x01, 0x02, 0x58, 0x20], id.bytes().as_slice()].concat();
    let rest = [&[0x03, 0x32, 0x20, 0x06, 0x21, 0x58, 0x20], x.as_slice()].concat();
    [kid, rest].concat()
}

/// `GET /.well-known/scitt-keys/{kid}`: the kid is base64url, or hex.
pub(super) async fn key(
    State(app): Ctx,
    Path(kid): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let own = app.log_key.public();
    let is_own = kid == own.id().to_string()
        || URL_SAFE_NO_PAD.decode(&kid).is_ok_and(|kid| kid == own.id().bytes());
    if !is_own {
        return Err(ApiError::NotFound);
    }
    let tag = own.id().to_string();
    Ok(cached(&headers, KIND, CONTROL, &tag, described(own)))
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use hallmark_schemas::cbor;

    use super::*;
    use crate::api::tests::{FAR, World, bytes, header_of};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_key_of_receipts_is_found_by_its_id_alone() {
        let world = World::new().await;
        let own = world.app.log_key.public().clone();
        let (status, response) = world.get(FAR, "/.well-known/scitt-keys").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(header_of(&response, "content-type"), "application/cbor");
        let set = bytes(response).await;
        let key = described(&own);
        assert_eq!(set, [vec![0x81], key.clone()].concat());
        let thumbprint = own.id().to_string();
        for kid in [URL_SAFE_NO_PAD.encode(own.id().bytes()), thumbprint.clone()] {
            let (status, response) =
                world.get(FAR, &format!("/.well-known/scitt-keys/{kid}")).await;
            assert_eq!(status, StatusCode::OK, "{kid}");
            assert_eq!(bytes(response).await, key);
        }
        for kid in ["0", &thumbprint[1..], &"A".repeat(43), "%00"] {
            let (status, _) = world.get(FAR, &format!("/.well-known/scitt-keys/{kid}")).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{kid}");
        }
        // Deterministic, as everything that is made here.
        assert_eq!(cbor::scan(&key), Ok(()));
        world.end();
    }
}
