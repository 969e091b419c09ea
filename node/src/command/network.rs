//! `network`: shows the network file, or makes its next version.

mod depart;

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::{Member, Network, NetworkFile};
use hallmark_schemas::note::{NoteKeyKind, VerifierKey};
use hallmark_schemas::policy::{Policy, Witness};

use super::init::{NETWORK_LIFE_MS, network_version, read_network};
use super::{log, wait_for};
use crate::cli::Output;
use crate::cli::trust::NetworkArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::{now, write_durably};
use crate::keys::{self, Purpose};
use crate::outbox;
use crate::socket::Local;

/// Longest wait for what a version rests on.
const RECORDED_WAIT_MAX: Duration = Duration::from_secs(60);

/// Shows, or changes the witness policy.
pub(super) fn run(args: &NetworkArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    if let Some(name) = &args.depart {
        return depart::run(args, &config, name, output);
    }
    let Some(quorum) = args.quorum else {
        show(&read_network(&Dir::new(&args.dir).network())?, output);
        return Ok(Exit::Done);
    };
    let _turn = take_turn(&args.dir)?;
    let file = current(&args.dir)?;
    if args.action.is_some() {
        return Err(Failure::usage("`show` and --quorum exclude one another")
            .help("show it without --quorum, or leave `show` out to make a new version"));
    }
    let key = registrar_key(&args.dir, &config, &file, args.passphrase_file.as_deref())?;
    let mut network = file.network().clone();
    network.policy = policy(&network, quorum, args)?;
    warn_of_copies(&network, output);
    let next = next_version(network, &key)?;
    let step = Step { old: &file, new: &next };
    wait_for(publish(&args.dir, &config, step, Vec::new(), &key, output))?;
    let text = format!("version {} asks for {quorum} witnesses", next.network().version);
    output.verdict("made", text);
    Ok(Exit::Done)
}

fn show(file: &NetworkFile, output: Output) {
    let network = file.network();
    let mut text = format!(
        "network {} version {} until {}\n",
        network.name, network.version, network.expires_at
    );
    for registrar in &network.registrars {
        text.push_str(&format!("registrar {}\n", registrar.org));
    }
    for member in &network.members {
        let roles: Vec<_> = member.roles.iter().map(|role| role.as_str()).collect();
        let urls = if member.urls.is_empty() { "-".to_owned() } else { member.urls.join(" ") };
        text.push_str(&format!("member {} {} {urls}\n", member.org, roles.join(",")));
    }
    text.push_str(network.policy.to_string().trim_end());
    let json = serde_json::to_value(network).unwrap_or_default();
    output.item(text, &json);
    let members = network.members.len();
    output.verdict("valid", format!("signed by its registrars, {members} members"));
}

/// Waits until no other command, nor the running node, makes a version of the network file. The
/// turn ends when the file is dropped.
pub(crate) fn take_turn(dir: &Path) -> Result<File, Failure> {
    let path = Dir::new(dir).run().join("network.lock");
    let cannot = |e: std::io::Error| {
        Failure::busy(format!("cannot lock {}", path.display()))
            .because(&e)
            .help("the folder must be writable by whoever runs the node")
    };
    std::fs::create_dir_all(Dir::new(dir).run()).map_err(cannot)?;
    let mut options = OpenOptions::new();
    let file = options.create(true).truncate(false).write(true).open(&path).map_err(cannot)?;
    file.lock().map_err(cannot)?;
    Ok(file)
}

/// The newest version: the running node's, else the folder's with what waits in the outbox.
pub(crate) fn current(dir: &Path) -> Result<NetworkFile, Failure> {
    let mut newest = read_network(&Dir::new(dir).network())?;
    let told = wait_for(async {
        let Some(local) = Local::connect(dir).await? else {
            return Ok(None);
        };
        local.get("/network.hallmark").await.map(Some)
    })?;
    let mut later = Vec::new();
    if let Some(answer) = told {
        later.extend(NetworkFile::parse(&answer.body));
    }
    for (_, stored) in outbox::waiting(dir)?.into_iter().flat_map(|parcel| parcel.items) {
        let envelope = Envelope::parse(&stored).ok();
        if let Some(Body::Network(version)) = envelope.as_ref().map(Envelope::body) {
            later.extend(NetworkFile::parse(&version.file.0));
        }
    }
    for file in later {
        if NetworkFile::successor_valid(&newest, &file).is_ok() {
            newest = file;
        }
    }
    Ok(newest)
}

/// The organisation key, if this organisation is a registrar.
pub(crate) fn registrar_key(
    dir: &Path,
    config: &Config,
    file: &NetworkFile,
    passphrase_file: Option<&Path>,
) -> Result<SecretKey, Failure> {
    let key = || keys::open(&Dir::new(dir).keys(), Purpose::Organisation, passphrase_file);
    let registrars = &file.network().registrars;
    if !registrars.iter().any(|registrar| registrar.org == config.org) {
        let names: Vec<_> = registrars.iter().map(|one| one.org.to_string()).collect();
        return Err(Failure::usage(format!("{} is no registrar", config.org))
            .help(format!("the registrar does this: {}", names.join(", "))));
    }
    key()
}

/// The same network one version on, signed.
pub(crate) fn next_version(mut network: Network, key: &dyn Signer) -> Result<NetworkFile, Failure> {
    network.version += 1;
    network.expires_at = now().checked_add_ms(NETWORK_LIFE_MS).unwrap_or(network.expires_at);
    NetworkFile::sign(network, &[key]).map_err(|e| {
        Failure::usage("cannot sign the network file")
            .because(&e)
            .help("change what the cause names and give the command again")
    })
}

/// From one version of the network file to the next.
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    /// The version in force.
    pub(crate) old: &'a NetworkFile,
    /// The version to put into force.
    pub(crate) new: &'a NetworkFile,
}

/// Logs `first` and the version, then puts the version into force.
///
/// At a running node all of it is recorded under the old policy first: a new witness may be one
/// whose admission is only being published. A folder at rest takes it at once, unless the policy
/// changes.
pub(crate) async fn publish(
    dir: &Path,
    config: &Config,
    Step { old, new: file }: Step<'_>,
    mut first: Vec<Envelope>,
    key: &dyn Signer,
    output: Output,
) -> Result<(), Failure> {
    let is_running = Local::connect(dir).await?.is_some();
    if !is_running && old.network().policy != file.network().policy {
        return Err(super::not_running(dir)
            .note("another witness policy is put into force by the running node"));
    }
    first.push(network_version(&config.org, file, now(), key)?);
    log(dir, &first, output).await?;
    let Some(local) = Local::connect(dir).await? else {
        return write_durably(&Dir::new(dir).network(), file.bytes())
            .map_err(|e| Failure::fault("cannot write network.hallmark").because(&e));
    };
    for envelope in &first {
        wait_recorded(&local, &envelope.id()).await?;
    }
    let kind = "application/vnd.hallmark.network+cbor";
    let answer = local.post("/local/network", kind, file.bytes()).await?;
    match answer.status {
        204 => Ok(()),
        status => Err(Failure::fault(format!(
            "the node does not take the network file ({status}): {}",
            answer.text()
        ))
        .help("look at `hallmark-node network DIR show`: another version may be in force by now")),
    }
}

/// Waits until the attestation, or the earlier one that says the same, is recorded.
async fn wait_recorded(local: &Local, id: &ContentId) -> Result<(), Failure> {
    let until = Instant::now() + RECORDED_WAIT_MAX;
    loop {
        let answer = local.get(&format!("/entries/{id}")).await?;
        // 404: the same was said before, under another id.
        if matches!(answer.status, 200 | 404) {
            return Ok(());
        }
        if until < Instant::now() {
            return Err(Failure::busy(format!("{id} is stored, but not recorded yet"))
                .note("the network file is unchanged")
                .help("give the command again when `hallmark-node status` says ready"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn policy(network: &Network, quorum: usize, args: &NetworkArgs) -> Result<Policy, Failure> {
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
fn warn_of_copies(network: &Network, output: Output) {
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
            "give the verifier key of its cosignatures (type 4), a space and its http(s) URL, as \
             its operator publishes them",
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

fn named<'a>(network: &'a Network, name: &str) -> Result<&'a Member, Failure> {
    let org = name.parse::<OrgId>().or_else(|_| OrgId::from_slug(name)).ok();
    let found = network.members.iter().find(|member| Some(&member.org) == org.as_ref());
    found.ok_or_else(|| {
        let slugs: Vec<_> = network.members.iter().map(|member| member.org.slug()).collect();
        Failure::usage(format!("{name} is no member"))
            .help(format!("members: {}", slugs.join(", ")))
    })
}
