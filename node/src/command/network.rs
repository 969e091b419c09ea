//! `network`: shows the network file, or makes its next version.

mod depart;
pub(crate) mod make;
mod policy;
mod registrars;

use std::fs::{File, OpenOptions};
use std::path::Path;

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::{Member, Network, NetworkFile};

use super::init::read_network;
use super::wait_for;
use crate::cli::Output;
use crate::cli::trust::NetworkArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::outbox;
use crate::socket::Local;
use make::Maker;

/// Shows, or makes a version.
pub(super) fn run(args: &NetworkArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    if args.action.is_some() && args.makes_a_version() {
        return Err(Failure::usage("`show` goes with no option that makes a version")
            .help("show it without the option, or leave `show` out to make a new version"));
    }
    if !args.makes_a_version() {
        show(&read_network(&Dir::new(&args.dir).network())?, output);
        return Ok(Exit::Done);
    }
    let turn = take_turn(&args.dir)?;
    let old = current(&args.dir)?;
    let maker = Maker {
        dir: &args.dir,
        config: &config,
        old: &old,
        passphrase_file: args.passphrase_file.as_deref(),
        instead: args.instead,
        output,
    };
    let (word, text, made) = if let Some(path) = &args.sign {
        let (next, key) = maker.draft(path)?;
        (
            "signed",
            format!("version {}", next.network().version),
            maker.conclude(next, Vec::new(), &key)?,
        )
    } else if let Some(name) = &args.depart {
        let (org, network) = depart::without(&maker, name)?;
        ("departed", org.to_string(), maker.make(network)?)
    } else if let Some(quorum) = args.quorum {
        let mut network = old.network().clone();
        network.policy = policy::policy(&network, quorum, args)?;
        policy::warn_of_copies(&network, output);
        ("made", format!("{quorum} witnesses are asked for"), maker.make(network)?)
    } else {
        let network = registrars::changed(&maker, &args.registrars, args.threshold)?;
        let (count, threshold) = (network.registrars.len(), network.threshold);
        ("made", format!("{threshold} of {count} registrars sign"), maker.make(network)?)
    };
    drop(turn);
    made.tell(word, &text, output);
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
    text.push_str(&format!("threshold {}\n", network.threshold));
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

fn named<'a>(network: &'a Network, name: &str) -> Result<&'a Member, Failure> {
    let org = name.parse::<OrgId>().or_else(|_| OrgId::from_slug(name)).ok();
    let found = network.members.iter().find(|member| Some(&member.org) == org.as_ref());
    found.ok_or_else(|| {
        let slugs: Vec<_> = network.members.iter().map(|member| member.org.slug()).collect();
        Failure::usage(format!("{name} is no member"))
            .help(format!("members: {}", slugs.join(", ")))
    })
}
