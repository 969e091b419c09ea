//! Defect proofs: what is shown about others is a finding; a proof that shows nothing is a broken
//! proof of the input, and accuses nobody.

use hallmark_schemas::defect::{Claim, DefectProof, Shown};
use hallmark_schemas::network::NetworkFile;

use super::network::Policies;
use crate::evidence::{Defect, DefectKind, FoundProof, chain};

/// A proof that does not hold.
const NO_PROOF: &str = "leave this file out: it proves nothing; ask for the proof again where it \
                        came from, `hallmark-node export DIR -o FILE.hallmark` takes it along";

/// Checks each proof under the network that is trusted.
pub(super) fn check(
    root: &NetworkFile,
    policies: &Policies,
    proofs: &[FoundProof],
    defects: &mut Vec<Defect>,
) {
    for FoundProof { proof, found_in } in proofs {
        let shown = match policies.knows(proof.network(), root) {
            true => proof.verify().map_err(|error| chain(&error)),
            false => Err("it rests on a network file that does not belong to the one that is \
                          trusted"
                .to_owned()),
        };
        defects.push(match shown {
            Ok(shown) => defect(proof, shown),
            Err(reason) => Defect {
                log: None,
                entry: None,
                kind: DefectKind::BadProof,
                subject: format!("defect proof {}", proof.digest()),
                cites: Vec::new(),
                detail: format!(
                    "{found_in}: the proof of a defect ({}) does not hold: {reason}",
                    proof.claim().word()
                ),
                at: None,
                remedy: Some(NO_PROOF),
                proof: None,
                step: DefectKind::BadProof.step(),
            },
        });
    }
}

fn defect(proof: &DefectProof, shown: Shown) -> Defect {
    Defect {
        log: Some(shown.origin),
        entry: None,
        kind: match proof.claim() {
            Claim::Split(_) => DefectKind::Split,
            Claim::Shrink(_) => DefectKind::Shrink,
            Claim::BadTile(_) => DefectKind::BadTile,
            Claim::BadCosignature(_) => DefectKind::BadCosignature,
            Claim::KeyOutsideTime(_) => DefectKind::KeyNotInForce,
        },
        subject: shown.subject,
        cites: shown.cites,
        detail: shown.sentence,
        at: shown.at,
        remedy: None,
        proof: Some(proof.digest()),
        step: None,
    }
}
