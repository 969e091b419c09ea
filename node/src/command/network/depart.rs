//! `network --depart`: a member leaves.
//!
//! Invariants: its log ends at the head that this registrar's own copy proves, and stays provable
//! with the key that it had; no policy is left with a witness that is gone.

use hallmark_schemas::exit::Exit;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::network::{Member, Sealed};
use hallmark_schemas::note::{Checkpoint, SignedNote};

use super::super::wait_for;
use super::{Step, current, named, next_version, publish, registrar_key, take_turn};
use crate::cli::Output;
use crate::cli::trust::NetworkArgs;
use crate::config::Config;
use crate::failure::Failure;

/// Makes the version without the member.
pub(super) fn run(
    args: &NetworkArgs,
    config: &Config,
    name: &str,
    output: Output,
) -> Result<Exit, Failure> {
    let _turn = take_turn(&args.dir)?;
    let file = current(&args.dir)?;
    let key = registrar_key(&args.dir, config, &file, args.passphrase_file.as_deref())?;
    let mut network = file.network().clone();
    let org = named(&network, name)?.org.clone();
    if network.registrars.iter().any(|registrar| registrar.org == org) {
        return Err(Failure::usage(format!("{org} is a registrar"))
            .help("without its registrars no version of the network file can be signed"));
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
        let end = end_of(config, args, &member)?;
        network.sealed.push(Sealed {
            org: member.org,
            origin: member.origin,
            log_key: member.log_key,
            size: end.size,
            root: Digest(end.root),
            successor: None,
        });
    }
    let next = next_version(network, &key)?;
    let step = Step { old: &file, new: &next };
    wait_for(publish(&args.dir, config, step, Vec::new(), &key, output))?;
    let version = next.network().version;
    output.verdict("departed", format!("{org}, network file version {version}"));
    Ok(Exit::Done)
}

/// The head of the copy that is held here.
fn end_of(config: &Config, args: &NetworkArgs, member: &Member) -> Result<Checkpoint, Failure> {
    let path = config.data_dir(&args.dir).peer(&member.origin).checkpoint();
    let held = std::fs::read(path).ok().and_then(|bytes| SignedNote::parse(&bytes).ok());
    held.and_then(|note| note.checkpoint_of(&member.log_key).ok()).ok_or_else(|| {
        Failure::new(Exit::Incomplete, format!("no copy of {} is held here", member.origin))
            .note("so nobody here can say where it ends")
            .help("let this node follow it first: `hallmark-node peer DIR why` says what hinders")
    })
}
