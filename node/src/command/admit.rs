//! `admit`: a registrar takes an organisation into the network.

mod successor;

use std::path::Path;

use hallmark_schemas::attestation::{Draft, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::enrolment::Join;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::kind::Body;
use hallmark_schemas::network::{Member, Network, NetworkDraft};
use hallmark_schemas::role::Role;

use super::init::known_roles;
use super::network::make::{Maker, next_version};
use super::network::{current, take_turn};
use crate::cli::Output;
use crate::cli::trust::AdmitArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::now;
use crate::keys::random;
use crate::sign::claims;

/// Logs the `organisation`, writes the next network file.
pub(super) fn run(args: &AdmitArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    let join = read_join(&args.join)?;
    let _turn = take_turn(&args.dir)?;
    let file = current(&args.dir)?;
    let mut network = file.network().clone();
    let maker = Maker {
        dir: &args.dir,
        config: &config,
        old: &file,
        passphrase_file: args.passphrase_file.as_deref(),
        instead: args.instead,
        output,
    };
    let key = maker.key()?;
    let (org, mut body) = (join.org, join.organisation);
    if !args.roles.is_empty() {
        body.roles = roles(&args.roles)?;
    }
    let node = body.node.clone().ok_or_else(|| {
        Failure::input("the request names no log").help("the newcomer runs `init` again")
    })?;
    check_origin(&network, &org, &node.origin)?;
    match (network.member(&org).cloned(), join.previous) {
        (Some(known), _) if known.log_keys() == node => {
            output.verdict("admitted", format!("{org} is a member already"));
            return Ok(Exit::Done);
        }
        (Some(known), Some(previous)) => {
            let data = config.data_dir(&args.dir);
            successor::put(args, &data, &mut network, (&known, &node), previous, &mut body)?;
        }
        (Some(_), None) => {
            return Err(Failure::usage(format!("{org} is a member already, with other keys"))
                .help(
                    "keys are changed by `key` attestations, a lost log gets a successor by \
                 `hallmark-node restore DIR --successor`",
                ));
        }
        (None, _) => {
            let mut member = Member::new(org.clone(), body.roles.clone(), node);
            (member.urls, member.multiaddrs) = (join.urls, join.multiaddrs);
            network.members.push(member);
        }
    }
    let claims =
        claims(&config.org, Subject::Org(org.clone()), Audience::Public, Vec::new(), now());
    let admission = sign(Draft { claims, body: Body::Organisation(body) }, random(), &key)
        .map_err(|e| {
            Failure::input("the request cannot be signed").because(&e).help(
                "the newcomer runs `hallmark-node init` again; the cause names what to change",
            )
        })?;
    let id = admission.id();
    let next = match &args.sign {
        None => next_version(&file, network, &[&key])?,
        Some(path) => agreed(&maker, path, &network, &org)?,
    };
    let made = maker.conclude(next, vec![admission], &key)?;
    let version = made.version();
    let json =
        serde_json::json!({ "org": org.to_string(), "id": id.to_string(), "version": version });
    output.item(id, &json);
    made.tell("admitted", &org.to_string(), output);
    Ok(Exit::Done)
}

/// Refuses a request for a log of another network or organisation.
fn check_origin(network: &Network, org: &OrgId, origin: &str) -> Result<(), Failure> {
    let expected = format!("{}/{}/", network.name, org.slug());
    if !origin.starts_with(&expected) {
        return Err(Failure::input(format!(
            "the request is for the log {origin}, in this network {org} has {expected}<n>"
        ))
        .help(
            "the newcomer runs `hallmark-node init` again with the network file of this network",
        ));
    }
    Ok(())
}

/// The draft of another registrar, signed, if it says of the newcomer what this one says too.
fn agreed(
    maker: &Maker<'_>,
    path: &Path,
    own: &Network,
    org: &OrgId,
) -> Result<NetworkDraft, Failure> {
    let (draft, _) = maker.draft(path)?;
    let said = |network: &Network| {
        let member = network.member(org)?;
        Some((member.log_keys(), member.roles.clone()))
    };
    let (theirs, ours) = (said(draft.network()), said(own));
    let same_ends = own.sealed.iter().all(|one| draft.network().sealed.contains(one));
    if theirs != ours || !same_ends {
        return Err(Failure::input(format!(
            "{} does not admit {org} with these keys and roles",
            path.display()
        ))
        .help("give the same join.cbor and the same --role as the registrar that made it"));
    }
    Ok(draft)
}

fn read_join(path: &Path) -> Result<Join, Failure> {
    let bytes = std::fs::read(path).map_err(|e| {
        Failure::input(format!("cannot read {}", path.display()))
            .because(&e)
            .help("give the join.cbor that the newcomer's `hallmark-node init` wrote")
    })?;
    Join::parse(&bytes).map_err(|e| {
        Failure::input(format!("{} is no request to join", path.display()))
            .because(&e)
            .help("`hallmark-node init` of the newcomer writes join.cbor")
    })
}

fn roles(names: &[String]) -> Result<Vec<Role>, Failure> {
    let mut roles = Vec::new();
    for name in names.iter().flat_map(|list| list.split(',')) {
        let role = name.parse().map_err(|e: hallmark_schemas::role::RoleError| {
            Failure::usage(format!("--role {name}")).because(&e).help(known_roles())
        })?;
        roles.push(role);
    }
    roles.sort_unstable();
    roles.dedup();
    Ok(roles)
}
