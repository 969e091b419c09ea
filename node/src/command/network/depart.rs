//! `network --depart`: a member leaves.
//!
//! Invariants: its log ends at the head that this registrar's own copy proves, and stays provable
//! with the key that it had; no policy is left with a witness that is gone.

use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::network::{Member, Network, Sealed};
use hallmark_schemas::note::{Checkpoint, SignedNote};

use super::make::Maker;
use super::named;
use crate::failure::Failure;

/// The network without the member, and who that is.
pub(super) fn without(maker: &Maker<'_>, name: &str) -> Result<(OrgId, Network), Failure> {
    let mut network = maker.old.network().clone();
    let org = named(&network, name)?.org.clone();
    if network.registrars.iter().any(|registrar| registrar.org == org) {
        return Err(Failure::usage(format!("{org} is a registrar")).help(
            "make a version whose registrars go without it first: `hallmark-node network DIR \
             --registrar …` with the others",
        ));
    }
    let (leaving, staying): (Vec<Member>, Vec<Member>) =
        network.members.drain(..).partition(|member| member.org == org);
    network.members = staying;
    let is_witness = |member: &Member| {
        network.policy.witnesses().iter().any(|witness| witness.key == member.witness_key)
    };
    if leaving.iter().any(is_witness) {
        return Err(Failure::usage(format!("{org} is a witness of the policy in force")).help(
            "make a version whose policy goes without it first: `hallmark-node network DIR \
             --quorum K --witness …` with the others",
        ));
    }
    for member in leaving {
        let end = end_of(maker, &member)?;
        network.sealed.push(Sealed {
            org: member.org,
            origin: member.origin,
            log_key: member.log_key,
            size: end.size,
            root: Digest(end.root),
            successor: None,
        });
    }
    Ok((org, network))
}

/// The head of the copy that is held here.
fn end_of(maker: &Maker<'_>, member: &Member) -> Result<Checkpoint, Failure> {
    let path = maker.config.data_dir(maker.dir).peer(&member.origin).checkpoint();
    let held = std::fs::read(path).ok().and_then(|bytes| SignedNote::parse(&bytes).ok());
    held.and_then(|note| note.checkpoint_of(&member.log_key).ok()).ok_or_else(|| {
        Failure::new(Exit::Incomplete, format!("no copy of {} is held here", member.origin))
            .note("so nobody here can say where it ends")
            .help("let this node follow it first: `hallmark-node peer DIR why` says what hinders")
    })
}
