//! What to do about each sort of defect, with the command that does it.
//!
//! Invariant: every sort names a command of this release, `DIR`, `ID` and `FILE` standing for what
//! the defect is about; who has what is missing is named where it is somebody else.

use crate::evidence::DefectKind;

impl DefectKind {
    /// What to do about it.
    pub const fn help(self) -> &'static str {
        match self {
            DefectKind::BadSignature => {
                "get these bytes again from who signed them, as they are they prove nothing: \
                 `hallmark-node export DIR -o FILE.hallmark` on their node"
            }
            DefectKind::KeyNotInForce | DefectKind::RoleMissing => {
                "ask the registrar which keys and roles the issuer had at that time: its log tells \
                 it, `hallmark-node export DIR -o FILE.hallmark` on its node"
            }
            DefectKind::Fork => {
                "ask the issuer which of the two it stands by; it says so by a correction that names \
                 the other, `hallmark-node submit DIR FILE`"
            }
            DefectKind::ForkCorrected => {
                "nothing: the issuer has said what it stands by, `hallmark-node get DIR ID` prints it"
            }
            DefectKind::Split => {
                "keep both signed checkpoints, they prove it together, and show them to the \
                 registrar; `hallmark-verify check FILE` shows it to anyone"
            }
            DefectKind::Shrink => {
                "compare with another copy of the log, such as a peer's: `hallmark-node export DIR \
                 -o FILE.hallmark` on a node that follows it"
            }
            DefectKind::BadChain => {
                "look for the batches in between in the agent's spool: `hallmark-agent spool DIR`"
            }
            DefectKind::Unlogged => {
                "ask its issuer for the receipt, `hallmark-node receipt DIR ID > FILE`, or for the \
                 entries of its log, `hallmark-node export DIR -o FILE.hallmark`"
            }
            DefectKind::Withheld => {
                "get what is missing from a copy of DATA, from a peer (`hallmark-node check DIR \
                 --repair` asks them all), or from who made the bundle: `hallmark-node export DIR \
                 -o FILE.hallmark`"
            }
            DefectKind::Unchecked => {
                "give the public key of who signed it (PEM) and the statement as further inputs: \
                 `hallmark-verify check FILE KEY.pem`"
            }
            DefectKind::BadProof | DefectKind::BadBody | DefectKind::Damaged => {
                "of a node, `hallmark-node check DIR --repair` computes it or fetches it from a \
                 peer, or put the file back from a copy of DATA; a bundle, get again from who sent \
                 it, `hallmark-node export DIR -o FILE.hallmark`"
            }
            DefectKind::BadAudience => {
                "ask the log's organisation for whom the body was meant: `hallmark-node get DIR ID` \
                 on its node prints what was signed"
            }
            DefectKind::NoQuorum => {
                "ask the witnesses to cosign this checkpoint: `hallmark-node status DIR` on the log's \
                 node names each with its last answer"
            }
            DefectKind::BadTile => {
                "fetch the log from another peer, `hallmark-node export DIR -o FILE.hallmark`, and \
                 show the proof to who served the tile"
            }
            DefectKind::BadCosignature => {
                "keep the proof and show it to the registrar, who replaces the witness: \
                 `hallmark-node network DIR --quorum K --witness NAME`"
            }
        }
    }
}
