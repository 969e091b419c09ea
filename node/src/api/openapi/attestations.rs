//! Descriptions of `/entries`, `/v1/attestations` and `/.well-known/scitt-keys`.

use serde_json::{Value, json};

use super::operation::{Operation, Token};
use super::schemas::{binary, schema};
use crate::api::{BODY_BYTES_MAX, SUBMISSION_BYTES_MAX};

pub(super) const TAG: &str = "attestations";

const COSE: &str = "application/cose";
const RECEIPT: &str = "A COSE Receipt (RFC 9942).";
const EXAMPLE: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

pub(super) fn operations() -> Vec<Operation> {
    let mut all = entries();
    all.extend(bodies());
    all.extend(keys());
    all
}

/// A content id as it stands in a path.
pub(super) fn id_in_path(operation: Operation) -> Operation {
    let schema = json!({ "type": "string", "pattern": "^(sha256:)?[0-9a-f]{64}$" });
    operation.path("id", schema, EXAMPLE, "Content id of the attestation, or its bare hex.")
}

fn entries() -> Vec<Operation> {
    let running = ["Location", "Retry-After", "Hallmark-Status"];
    vec![
        Operation::post("/entries")
            .says("registerEntry", TAG, "Register a signed attestation (SCRAPI)")
            .about(
                "The attestation signs for itself: no token. Waits a while for the receipt. The \
                 same attestation again is answered like the first time.",
            )
            .header(
                "Prefer",
                json!({ "type": "string" }),
                "`respond-async`: do not wait for the receipt.",
            )
            .takes(
                &[(COSE, binary("A COSE_Sign1, tag 18; receipts in its header are put aside."))],
                SUBMISSION_BYTES_MAX,
            )
            .gives(
                201,
                "Recorded; its receipt.",
                &[(COSE, binary(RECEIPT))],
                &["Location", "Hallmark-Status"],
            )
            .gives(303, "Stored, or deferred until its key is known: ask there.", &[], &running)
            .fails(&[409, 415, 503, 507]),
        id_in_path(Operation::get("/entries/{id}"))
            .says("readReceipt", TAG, "The receipt of a registered attestation (SCRAPI)")
            .gives(
                200,
                "Recorded; its receipt.",
                &[(COSE, binary(RECEIPT))],
                &["Location", "Hallmark-Status"],
            )
            .gives(302, "Not recorded yet: ask again.", &[], &running)
            .fails(&[400, 404])
            .shared(),
    ]
}

fn bodies() -> Vec<Operation> {
    vec![
        Operation::post("/v1/attestations")
            .says("signAttestation", TAG, "Have the node sign a statement")
            .about("For systems without keys of their own: the node's capture device signs.")
            .takes(&[("application/json", schema("Statement"))], BODY_BYTES_MAX)
            .gives(201, "Stored.", &[("application/json", schema("Registered"))], &["Location"])
            .gives(
                202,
                "Deferred until the key is known here.",
                &[("application/json", schema("Registered"))],
                &["Location"],
            )
            .fails(&[403, 409, 415, 503, 507])
            .token(Token::Needed("capture")),
        id_in_path(Operation::get("/v1/attestations/{id}"))
            .says("readAttestation", TAG, "An attestation, to whom its audience admits")
            .about("404 also where the caller may not know of it; 410 where the body was erased.")
            .header(
                "Accept",
                json!({ "type": "string", "default": "application/json" }),
                "Which of the three forms.",
            )
            .cached(
                "The body. The COSE and CBOR forms never change, and may be used for a day without \
                 asking again: by then all know of one that was erased.",
                &[
                    ("application/json", schema("Attestation")),
                    ("application/cbor", binary("The payload, as it was signed.")),
                    (COSE, binary("The COSE_Sign1 that is stored.")),
                ],
            )
            .tells(&[200, 304], &["Vary"])
            .fails(&[404, 406, 410])
            .token(Token::Optional("read"))
            .shared(),
    ]
}

fn keys() -> Vec<Operation> {
    let kid: Value = json!({ "type": "string", "pattern": "^([A-Za-z0-9_-]{43}|[0-9a-f]{64})$" });
    let about = "SHA-256 thumbprint (RFC 9679) of the key, in base64url or hex.";
    vec![
        Operation::get("/.well-known/scitt-keys")
            .says("readReceiptKeys", TAG, "The keys that sign receipts (SCRAPI)")
            .cached("A COSE Key Set.", &[("application/cbor", binary("A COSE Key Set."))])
            .shared(),
        Operation::get("/.well-known/scitt-keys/{kid}")
            .says("readReceiptKey", TAG, "One key that signs receipts (SCRAPI)")
            .path("kid", kid, &"0".repeat(64), about)
            .cached("A COSE Key.", &[("application/cbor", binary("A COSE Key."))])
            .fails(&[404])
            .shared(),
    ]
}
