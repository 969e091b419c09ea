//! Descriptions of `/log` and `/peers`.

use serde_json::{Value, json};

use super::operation::{Operation, Token};
use super::schemas::{binary, text};
use crate::api::{CHECKPOINT_REQUEST_BYTES_MAX, defects};

pub(super) const TAG: &str = "log";

const NOTE: &str = "text/plain";
const TILE: &str = "application/octet-stream";
const TILE_ABOUT: &str = "`0/x001/234`, `entries/000`, `0/000.p/7` …, as tlog-tiles names tiles \
    of height 8; slashes as they are.";

const HISTORY_ABOUT: &str = "Oldest first, at most 256: ask again after the size of the last one until \
    none comes. Each has the cosignatures that it was published or copied with; they date the entries.";

fn after() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) fn operations() -> Vec<Operation> {
    let mut all = own();
    all.extend(copies());
    all.extend(proofs());
    all
}

/// This node's log.
fn own() -> Vec<Operation> {
    vec![
        Operation::get("/log/checkpoint")
            .says("readCheckpoint", TAG, "The newest published checkpoint of this node's log")
            .about("A signed note (tlog-checkpoint) with the cosignatures of its quorum.")
            .cached("The note.", &[(NOTE, text("A signed note."))])
            .fails(&[404])
            .shared(),
        Operation::get("/log/checkpoints")
            .says("readCheckpoints", TAG, "The checkpoints that this node's log has published")
            .about(HISTORY_ABOUT)
            .query("after", after(), "Only those of larger trees; 0 if it is not said.")
            .cached("The notes.", &[(NOTE, text("Signed notes, an empty line between them."))])
            .fails(&[400])
            .shared(),
        Operation::get("/log/tile/{*path}")
            .says("readTile", TAG, "A hash tile or an entry bundle of this node's log")
            .path("path", tile(), "0/000.p/1", TILE_ABOUT)
            .cached("The tile, which never changes.", &[(TILE, binary("Hashes or entries."))])
            .tells(&[200], &["Content-Encoding"])
            .tells(&[200, 304], &["Vary"])
            .fails(&[404, 503])
            .shared(),
    ]
}

/// Its copies of others, and its witness.
fn copies() -> Vec<Operation> {
    vec![
        Operation::get("/peers/{hex}/checkpoint")
            .says(
                "readPeerCheckpoint",
                TAG,
                "The newest checkpoint of this node's copy of another log",
            )
            .about("Every tile under it is served here.")
            .path("hex", digest(), &"0".repeat(64), "SHA-256 of the log's origin.")
            .cached("The note.", &[(NOTE, text("A signed note."))])
            .fails(&[404])
            .shared(),
        Operation::get("/peers/{hex}/checkpoints")
            .says("readPeerCheckpoints", TAG, "The checkpoints of this node's copy of another log")
            .about(HISTORY_ABOUT)
            .path("hex", digest(), &"0".repeat(64), "SHA-256 of the log's origin.")
            .query("after", after(), "Only those of larger trees; 0 if it is not said.")
            .cached("The notes.", &[(NOTE, text("Signed notes, an empty line between them."))])
            .fails(&[400, 404])
            .shared(),
        Operation::get("/witness/{hex}/checkpoint")
            .says("readWitnessed", TAG, "The newest checkpoint that this node's witness cosigned")
            .about("C2SP tlog-witness, monitoring: it may be ahead of this node's copy of the log.")
            .path("hex", digest(), &"0".repeat(64), "SHA-256 of the log's origin.")
            .cached("The note.", &[(NOTE, text("A signed note."))])
            .fails(&[404])
            .shared(),
        Operation::get("/peers/{hex}/tile/{*path}")
            .says("readPeerTile", TAG, "A tile of this node's copy of another log")
            .path("hex", digest(), &"0".repeat(64), "SHA-256 of the log's origin.")
            .path("path", tile(), "0/000.p/1", TILE_ABOUT)
            .cached("The tile, which never changes.", &[(TILE, binary("Hashes or entries."))])
            .tells(&[200], &["Content-Encoding"])
            .tells(&[200, 304], &["Vary"])
            .fails(&[404, 503])
            .shared(),
        Operation::post("/log/add-checkpoint")
            .says("addCheckpoint", TAG, "Ask this node, as a witness, to cosign a checkpoint")
            .about(
                "C2SP tlog-witness: a line `old N`, at most 63 lines of a consistency proof, an \
                 empty line, the checkpoint.",
            )
            .takes(&[(NOTE, text("The request."))], CHECKPOINT_REQUEST_BYTES_MAX)
            .gives(200, "Cosigned.", &[(NOTE, text("Signature lines of the witness."))], &[])
            .gives(
                409,
                "The witness has seen another size: this one.",
                &[("text/x.tlog.size", text("The size in decimal, and a line end."))],
                &[],
            )
            .fails(&[403, 404, 422, 503]),
    ]
}

/// Defect proofs about other logs.
fn proofs() -> Vec<Operation> {
    vec![
        Operation::get("/defects")
            .says("listDefects", TAG, "The defect proofs that this node keeps about other logs")
            .about("Their hex SHA-256, one a line.")
            .cached("The digests.", &[(NOTE, text("Digests, a line each."))])
            .fails(&[503])
            .shared(),
        Operation::get("/defects/{digest}")
            .says("readDefect", TAG, "A defect proof")
            .about(
                "It proves itself, offline: `hallmark-verify check FILE`. One that shows what is for \
                 members alone is for them alone.",
            )
            .path("digest", digest(), &"0".repeat(64), "SHA-256 of the proof.")
            .cached("The proof.", &[(defects::KIND, binary("Deterministic CBOR."))])
            .token(Token::Optional("read"))
            .fails(&[404, 503])
            .shared(),
    ]
}

fn digest() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
}

fn tile() -> Value {
    json!({ "type": "string", "pattern": "^([0-9]{1,2}|entries)/(x[0-9]{3}/)*[0-9]{3}(\\.p/[0-9]{1,3})?$" })
}
