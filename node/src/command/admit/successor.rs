//! A member whose log was lost for good: the old one is sealed, its successor takes its place.
//!
//! Invariants: the log ends at a head that is no smaller than what this registrar's own copy
//! proves; the organisation asks with the key that it was admitted with; its other keys stay.

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::genesis::Previous;
use hallmark_schemas::kind::organisation::{LogKeys, Organisation};
use hallmark_schemas::layout::Data;
use hallmark_schemas::network::{Member, Network, Sealed};
use hallmark_schemas::note::SignedNote;
use hallmark_verifier::load::load;
use hallmark_verifier::prove::prove;

use super::super::restore::successor::next_origin;
use crate::cli::trust::AdmitArgs;
use crate::failure::Failure;

/// Seals the log of `known` and puts `node` in its place; `body` then replaces the organisation's.
pub(super) fn put(
    args: &AdmitArgs,
    data: &Data,
    network: &mut Network,
    (known, node): (&Member, &LogKeys),
    previous: Previous,
    body: &mut Organisation,
) -> Result<(), Failure> {
    let next = next_origin(&known.origin)?;
    if previous.origin != known.origin || node.origin != next {
        return Err(Failure::input(format!(
            "the request is for {} after {}, the member has {}",
            node.origin, previous.origin, known.origin
        ))
        .help("the member runs `hallmark-node restore DIR --successor` and sends its join.cbor"));
    }
    let same = LogKeys { origin: next.clone(), log: node.log.clone(), ..known.log_keys() };
    if same != *node {
        return Err(Failure::input("the request changes other keys than the log's")
            .help("only the log has a successor; other keys are changed by `key` attestations"));
    }
    check_copy(data, known, &previous)?;
    let admitted = admitted(args, &known.org)?;
    let standing = admitted.iter().find(|(_, admitted)| admitted.key == body.key);
    let Some((id, _)) = standing else {
        return Err(Failure::input("the request is not signed by the key that was admitted")
            .help("the organisation signs it with the key of its `organisation` attestation"));
    };
    if args.roles.is_empty() {
        body.roles.clone_from(&known.roles);
    }
    body.replaces = Some(*id);
    body.reason = Some(format!("the log {} was lost and is followed by {next}", known.origin));
    network.sealed.push(Sealed {
        org: known.org.clone(),
        origin: previous.origin,
        log_key: known.log_key.clone(),
        size: previous.size,
        root: previous.root,
        successor: Some(next),
    });
    for member in &mut network.members {
        if member.origin == known.origin {
            let (urls, multiaddrs) = (member.urls.clone(), member.multiaddrs.clone());
            let renewed = Member::new(known.org.clone(), body.roles.clone(), node.clone());
            *member = Member { urls, multiaddrs, ..renewed };
        }
    }
    Ok(())
}

/// What this registrar holds of the log must not go beyond the head at which it ends.
fn check_copy(data: &Data, known: &Member, previous: &Previous) -> Result<(), Failure> {
    let held = std::fs::read(data.peer(&known.origin).checkpoint()).ok();
    let held =
        held.and_then(|bytes| SignedNote::parse(&bytes).ok()?.checkpoint_of(&known.log_key).ok());
    let Some(held) = held else {
        return Ok(());
    };
    if previous.size < held.size {
        return Err(Failure::new(
            Exit::Incomplete,
            format!(
                "our copy of {} has {} entries, the request says {}",
                known.origin, held.size, previous.size
            ),
        )
        .help(
            "the member gives `hallmark-node restore DIR --from-peers --peer` with our address",
        ));
    }
    if previous.size == held.size && previous.root.0 != held.root {
        return Err(Failure::new(Exit::Broken, "the request names another tree than our copy")
            .help("keep both: the log signed two histories"));
    }
    Ok(())
}

/// The standing `organisation` attestations of this organisation, the newest first.
fn admitted(args: &AdmitArgs, org: &OrgId) -> Result<Vec<(ContentId, Organisation)>, Failure> {
    let evidence = load(std::slice::from_ref(&args.dir), &[])
        .map_err(|error| Failure::new(error.exit(), &error).help(error.help()))?;
    let proven = prove(evidence);
    let mut found: Vec<(ContentId, Organisation)> = Vec::new();
    for one in &proven.attestations {
        let sub = &one.attestation.claims().sub;
        if let Body::Organisation(body) = one.attestation.body()
            && matches!(sub, Subject::Org(sub) if sub == org)
        {
            found.retain(|(id, _)| body.replaces != Some(*id));
            found.push((one.attestation.id(), body.clone()));
        }
    }
    found.reverse();
    Ok(found)
}
