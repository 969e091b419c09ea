//! `network --quorum`: which witnesses must cosign a checkpoint.

use hallmark_schemas::id::OrgId;
use hallmark_schemas::network::{Member, Network};
use hallmark_schemas::note::{NoteKeyKind, VerifierKey};
use hallmark_schemas::policy::{Policy, Witness};

use super::named;
use crate::cli::Output;
use crate::cli::trust::NetworkArgs;
use crate::failure::Failure;

/// The policy that asks for so many of the named witnesses.
pub(super) fn policy(
    network: &Network,
    quorum: usize,
    args: &NetworkArgs,
) -> Result<Policy, Failure> {
    let (names, foreign) = (&args.witnesses, &args.foreign_witnesses);
    if quorum == 0 {
        return Ok(Policy::none());
    }
    let mut witnesses = Vec::new();
    let chosen: Vec<&Member> = if names.is_empty() && foreign.is_empty() {
        network.members.iter().collect()
    } else {
        names.iter().map(|name| named(network, name)).collect::<Result<_, _>>()?
    };
    for member in chosen {
        let (name, key) = (member.org.slug(), member.witness_key.clone());
        if !witnesses.iter().any(|known: &Witness| known.key == key) {
            // Where any client of tlog-witness posts its checkpoints.
            let url = member.urls.first().map(|url| format!("{}/log", url.trim_end_matches('/')));
            witnesses.push(Witness { name, key, url });
        }
    }
    for text in foreign {
        let witness = stranger(text)?;
        if !witnesses.iter().any(|known: &Witness| known.key == witness.key) {
            witnesses.push(witness);
        }
    }
    let count = witnesses.len();
    Policy::threshold(quorum, witnesses).ok_or_else(|| {
        Failure::usage(format!("a quorum of {quorum} cannot be had of {count} witnesses"))
            .help("name more with --witness, or ask for fewer")
    })
}

/// The members whose own witness could stand alone between two quorums.
fn split<'a>(network: &'a Network, policy: &Policy) -> Vec<&'a OrgId> {
    let members = network.members.iter();
    let split = members.filter(|member| policy.is_split_by(&member.witness_key));
    split.map(|member| &member.org).collect()
}

/// Says whose log two copies of a folder could fork, each with a quorum of its own.
pub(super) fn warn_of_copies(network: &Network, output: Output) {
    let split_by = split(network, &network.policy);
    if split_by.is_empty() {
        return;
    }
    let names: Vec<String> = split_by.into_iter().map(ToString::to_string).collect();
    output.say(format!(
        "warning: two copies of one folder that run at once, cut off from one another, could each \
         find a quorum and fork its log: {}",
        names.join(", ")
    ));
    let witnesses = network.policy.witnesses();
    let safe = (1..=witnesses.len()).find(|need| {
        let policy = Policy::threshold(*need, witnesses.to_vec());
        policy.is_some_and(|policy| split(network, &policy).is_empty())
    });
    let count = witnesses.len();
    output.say(match safe {
        Some(safe) => format!(
            "help: the own witness is copied too; {safe} of these {count} leave no room for two \
             quorums, or name witnesses that others run"
        ),
        None => "help: the own witness is copied too; name witnesses that others run".to_owned(),
    });
}

/// A witness of another network, under the name of its key.
fn stranger(text: &str) -> Result<Witness, Failure> {
    let wrong = || {
        Failure::usage(format!("--foreign-witness {text}")).help(
            "give the verifier key of its cosignatures (type 4), a space and its URL, as its \
             operator publishes them",
        )
    };
    let (key, url) = text.trim().split_once(' ').ok_or_else(wrong)?;
    let key: VerifierKey = key.parse().map_err(|e| wrong().because(&e))?;
    let url = url.trim();
    let is_url = url.starts_with("https://") || url.starts_with("http://");
    if key.kind() != NoteKeyKind::CosignatureV1 || !is_url || url.contains(char::is_whitespace) {
        return Err(wrong());
    }
    Ok(Witness { name: key.name().to_owned(), key, url: Some(url.to_owned()) })
}
