//! What a sender can do about a refusal, in the words that answers, commands and agents show.

use hallmark_schemas::attestation::{ContentId, Refusal};
use hallmark_schemas::kind::{KindName, SignerRule};

use crate::api::problem::with_causes;

/// A refusal with its causes, and what to do about it.
pub(crate) fn told(refusal: &Refusal) -> String {
    format!("{}; {}", with_causes(refusal), of(refusal))
}

fn of(refusal: &Refusal) -> String {
    let text = match refusal {
        Refusal::BadSignature(_) => {
            "its bytes are not those that were signed: send it as it was, or sign it again"
        }
        Refusal::KeyNotInForce { .. } => {
            "a key that was replaced or revoked signs nothing more: sign it with the one that is in \
             force now"
        }
        Refusal::IssuerMismatch { .. } => {
            "name the holder of the key as issuer, or sign with the issuer's"
        }
        Refusal::SignerNotAllowed { kind, .. } => return signer(*kind),
        Refusal::RoleMissing { .. } => {
            "the registrar gives an organisation its roles: ask it for one"
        }
        Refusal::Contradicted { kind, earlier } => return correction(*kind, earlier),
        Refusal::CodesScrapped { .. } => "activate the codes before and after them",
        Refusal::CodesNotMade => "record the range as made first",
        Refusal::NotErased { .. } => {
            "`hallmark-node get` says in which logs it is, and of what kind"
        }
        Refusal::NotRevoked { .. } => {
            "the organisation that holds a key revokes it, or the registrars do"
        }
        Refusal::OutsideRegions { .. } => {
            "submit it to a node in one of them; a node that is in one says so as `regions` in its \
             config.toml"
        }
        Refusal::Departed { .. } => "only the registrar can admit it again",
        Refusal::KeyUnknown { .. } => "it is kept until the registrar's log introduces the key",
        // Malformed: its causes name the place.
        _ => "mend what is named, and sign it again",
    };
    text.to_owned()
}

fn signer(kind: KindName) -> String {
    match kind.signer() {
        SignerRule::Organisation => format!(
            "a {kind} takes the organisation's own key: `hallmark-node submit` on its node signs with \
             it (--passphrase-file where it is sealed)"
        ),
        SignerRule::SubjectDevice => {
            format!("a {kind} takes the key of the device that it is about")
        }
        SignerRule::Member => {
            format!(
                "a {kind} takes the key of the organisation or of a device that it has enrolled"
            )
        }
    }
}

/// How to correct what was said: a statement that the record shows beside the first.
fn correction(kind: KindName, earlier: &ContentId) -> String {
    match kind {
        KindName::Event => "to correct it, declare the error of that event (EPCIS \
                            errorDeclaration) and give the corrected event its own eventID"
            .to_owned(),
        KindName::Readings => "readings are never corrected: the device goes on with the next \
                               sequence number"
            .to_owned(),
        KindName::Complaint
        | KindName::Confirmation
        | KindName::Genesis
        | KindName::Key
        | KindName::Network
        | KindName::Node
        | KindName::Revocation => format!("a {kind} is not corrected: state a new one"),
        _ => format!(
            "the log shows both as contradicting each other; to correct it, state the whole payload \
             again with \"replaces\": \"{earlier}\" and \"reason\": \"why\" in it"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hallmark_schemas::key::{SecretKey, Signer as _};
    use hallmark_schemas::role::Role;

    #[test]
    fn every_refusal_is_told_with_what_to_do_about_it() {
        let kid = SecretKey::from_seed([1; 32]).public().id();
        let org = || "urn:hallmark:org:gln:9506000000015".parse().expect("a GLN");
        let earlier = ContentId::of(b"earlier");
        let not_allowed = |kind| Refusal::SignerNotAllowed { kid, kind };
        let needed = &[Role::Certifier];
        let cases = [
            (Refusal::KeyNotInForce { kid }, "not in force", "in force now"),
            (Refusal::IssuerMismatch { claimed: org(), holder: org() }, "belongs to", "issuer"),
            (not_allowed(KindName::Revocation), "may not sign", "--passphrase-file"),
            (not_allowed(KindName::Readings), "may not sign", "the device that it is about"),
            (not_allowed(KindName::Event), "may not sign", "has enrolled"),
            (
                Refusal::RoleMissing { issuer: org(), kind: KindName::Certificate, needed },
                "certifier",
                "ask it for one",
            ),
            (
                Refusal::Contradicted { kind: KindName::Event, earlier },
                "before",
                "errorDeclaration",
            ),
            (Refusal::Contradicted { kind: KindName::Facility, earlier }, "before", "\"replaces\""),
            (Refusal::OutsideRegions { listed: Vec::new() }, "regions", "config.toml"),
            (Refusal::Departed { org: org() }, "has left", "admit it again"),
        ];
        for (refusal, cause, remedy) in cases {
            let told = told(&refusal);
            let (before, after) = told.split_once("; ").expect("two halves");
            assert!(before.contains(cause) && after.contains(remedy), "{told}");
        }
    }
}
