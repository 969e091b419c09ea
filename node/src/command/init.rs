//! `init`: keys, configuration and the request to join, or a network of its own.
//!
//! Invariants: nothing existing is touched; when it fails, what it began is removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::attestation::{Draft, Envelope, sign};
use hallmark_schemas::audience::{Audience, Region};
use hallmark_schemas::enrolment::Join;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::{DeviceId, OrgId, Subject};
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::device::{Device, DeviceClass};
use hallmark_schemas::kind::genesis::Genesis;
use hallmark_schemas::kind::organisation::{LogKeys, Organisation};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::{Member, Network, NetworkFile, Registrar};
use hallmark_schemas::note::{NoteSigner, VerifierKey};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::role::Role;
use hallmark_schemas::time::Timestamp;

use crate::cli::{InitArgs, Output};
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::files::{now, write_durably};
use crate::keys::{self, Passphrase, Purpose, random};
use crate::outbox;
use crate::sign::claims;
use crate::store::disk::OsDisk;
use crate::witness::memory;

/// Life of a network file: two years.
pub(crate) const NETWORK_LIFE_MS: i64 = 2 * 366 * 86_400_000;

/// All keys of a new node.
struct Keys {
    organisation: SecretKey,
    next: SecretKey,
    log: Arc<SecretKey>,
    witness: Arc<SecretKey>,
    mirror: Arc<SecretKey>,
    peer: SecretKey,
    capture: SecretKey,
}

/// What the arguments ask for, parsed.
struct Plan {
    org: OrgId,
    roles: Vec<Role>,
    region: Region,
    network: String,
    origin: String,
    /// The network to join; None founds one.
    file: Option<NetworkFile>,
}

/// Makes the folder.
pub(crate) fn run(args: &InitArgs, output: Output) -> Result<Exit, Failure> {
    let plan = plan(args)?;
    let is_taken = args.dir.read_dir().is_ok_and(|mut files| files.next().is_some());
    if is_taken || args.dir.is_file() {
        return Err(Failure::usage(format!("{} exists and is not empty", args.dir.display()))
            .help("choose another folder; an existing node is never overwritten"));
    }
    let passphrase = Passphrase::for_new(args.passphrase_file.as_deref())?;
    let made = make(args, &plan, &passphrase);
    if made.is_err() {
        // Only what this call made: the folder was empty or absent.
        let _ = std::fs::remove_dir_all(&args.dir);
    }
    made?;
    if !passphrase.is_some() {
        output.say(
            "warning: the organisation's keys lie in clear in keys/organisation.key and \
             keys/organisation-next.key",
        );
        output.say("help: make it again with HALLMARK_PASSPHRASE_FILE, or keep the file offline");
    }
    let named = |file: &NetworkFile| file.network().members.iter().any(|m| !m.urls.is_empty());
    if plan.file.as_ref().is_some_and(|file| !named(file)) {
        output.say("warning: the network file names no address where a member answers");
        output.say(format!(
            "help: it was copied before its registrar's node first ran: take it again once \
             `network DIR show` there prints an address (http …), or tell this node one: \
             `hallmark-node peer {} add URL`",
            args.dir.display()
        ));
    }
    let dir = args.dir.display();
    let next = if plan.file.is_none() {
        format!("hallmark-node run {dir}")
    } else {
        format!("hallmark-node admit <registrar's folder> {dir}/join.cbor")
    };
    let json = serde_json::json!({
        "dir": dir.to_string(), "org": plan.org.to_string(), "origin": plan.origin, "next": next,
    });
    output.item(format!("made {dir} for {}", plan.org), &json);
    output.item(format!("next: {next}"), &serde_json::json!({ "verdict": "made", "next": next }));
    Ok(Exit::Done)
}

fn plan(args: &InitArgs) -> Result<Plan, Failure> {
    let org: OrgId = args.org.parse().map_err(|e| {
        Failure::usage(format!("--org {}", args.org))
            .because(&e)
            .help("urn:hallmark:org:uscc:…, urn:hallmark:org:lei:… or urn:hallmark:org:gln:…")
    })?;
    let mut roles = Vec::new();
    for role in args.roles.iter().flat_map(|list| list.split(',')) {
        let parsed: Role = role.parse().map_err(|e| {
            Failure::usage(format!("--role {role}")).because(&e).help(known_roles())
        })?;
        roles.push(parsed);
    }
    let region = args.region.parse().map_err(|e: hallmark_schemas::audience::RegionError| {
        Failure::usage(format!("--region {}", args.region)).because(&e).help("such as CN or DE")
    })?;
    let (network, file) = match (&args.new_network, &args.network) {
        (Some(name), _) => {
            roles.push(Role::Registrar);
            (name.clone(), None)
        }
        (None, Some(path)) => {
            let file = read_network(path)?;
            (file.network().name.clone(), Some(file))
        }
        (None, None) => {
            return Err(Failure::usage("which network?").help(
                "--network FILE joins one (ask its registrar for network.hallmark), \
                 --new-network NAME founds one",
            ));
        }
    };
    roles.sort_unstable();
    roles.dedup();
    let origin = format!("{network}/{}/1", org.slug());
    Ok(Plan { org, roles, region, network, origin, file })
}

/// What `--role` may name, for a `help:` line.
pub(crate) fn known_roles() -> String {
    let names: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
    format!("roles: {}", names.join(", "))
}

/// Reads and checks a network file.
pub(crate) fn read_network(path: &Path) -> Result<NetworkFile, Failure> {
    let bytes = std::fs::read(path).map_err(|e| {
        Failure::input(format!("cannot read {}", path.display()))
            .because(&e)
            .help("give the network.hallmark that the registrar gave you")
    })?;
    NetworkFile::parse(&bytes).map_err(|e| {
        Failure::input(format!("{} is no network file", path.display()))
            .because(&e)
            .help("ask the registrar for network.hallmark")
    })
}

fn make(args: &InitArgs, plan: &Plan, passphrase: &Passphrase) -> Result<(), Failure> {
    let dir = Dir::new(&args.dir);
    let cannot = |e: std::io::Error| {
        Failure::usage(format!("cannot make {}", args.dir.display()))
            .because(&e)
            .help("give a folder whose parent you may write to")
    };
    std::fs::create_dir_all(dir.keys()).map_err(cannot)?;
    let restrict = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(dir.keys(), restrict).map_err(cannot)?;
    let text =
        config::fresh(&plan.org, &args.name, &plan.network, &plan.origin, plan.region.as_str());
    write_durably(&dir.config(), text.as_bytes()).map_err(cannot)?;
    let config = Config::load(&args.dir)?;
    let keys = make_keys(&dir.keys(), passphrase)?;
    let now = now();
    let log_keys = log_keys(plan, &keys)?;
    let body = organisation(args, plan, &keys, &log_keys);
    let mut envelopes = vec![genesis(plan, &keys, &log_keys, now)?];
    let file = match &plan.file {
        Some(file) => {
            let join = Join {
                v: 1,
                network: plan.network.clone(),
                org: plan.org.clone(),
                organisation: body,
                urls: Vec::new(),
                multiaddrs: Vec::new(),
                previous: None,
            };
            let join = join.sign(&keys.organisation).map_err(|e| {
                Failure::usage("cannot make the request to join").because(&e).help(
                    "change what the cause names; `hallmark-node init --help` tells each option",
                )
            })?;
            write_durably(&dir.join(), &join).map_err(cannot)?;
            file.clone()
        }
        None => {
            let file = found(plan, &keys, log_keys, now)?;
            let registered = Body::Organisation(body);
            envelopes.push(signed(plan, Subject::Org(plan.org.clone()), registered, now, &keys)?);
            envelopes.push(network_version(&plan.org, &file, now, &keys.organisation)?);
            file
        }
    };
    write_durably(&dir.network(), file.bytes()).map_err(cannot)?;
    let device = capture_device(plan, &keys, now)?;
    // Told to peers with the addresses that the device signs.
    write_durably(&capture_file(&dir), device.stored()).map_err(cannot)?;
    envelopes.push(device);
    outbox::put(&args.dir, &envelopes)?;
    crate::core::create(&dir, &config.data_dir(&args.dir), &plan.origin)
        .map_err(|e| Failure::fault("cannot make the log").because(&e))?;
    // Its key is new: nothing was cosigned with it.
    memory::create(&OsDisk, &dir.witness_memory())
        .map_err(|e| Failure::fault("cannot make the memory of the witness").because(&e))
}

fn make_keys(dir: &Path, passphrase: &Passphrase) -> Result<Keys, Failure> {
    let make = |purpose| keys::create(dir, purpose, passphrase);
    make(Purpose::Label)?;
    Ok(Keys {
        organisation: make(Purpose::Organisation)?,
        next: make(Purpose::OrganisationNext)?,
        log: Arc::new(make(Purpose::Log)?),
        witness: Arc::new(make(Purpose::Witness)?),
        mirror: Arc::new(make(Purpose::Mirror)?),
        peer: make(Purpose::Peer)?,
        capture: make(Purpose::Capture)?,
    })
}

/// The name of an organisation's witness key.
pub(crate) fn witness_name(network: &str, org: &OrgId) -> String {
    format!("{network}/{}/witness", org.slug())
}

/// The device that signs for clients of this node.
pub(crate) fn capture_id(org: &OrgId) -> DeviceId {
    DeviceId::new(org, "capture").expect("`capture` is a local name of a device")
}

/// Where the attestation that introduces that device is kept.
pub(crate) fn capture_file(dir: &Dir) -> PathBuf {
    dir.keys().join("capture.cose")
}

fn log_keys(plan: &Plan, keys: &Keys) -> Result<LogKeys, Failure> {
    let named = |e: hallmark_schemas::note::VerifierKeyError| {
        Failure::usage(format!("`{}` cannot stand in a log's origin", plan.network))
            .because(&e)
            .help("name the network with letters, digits, dots and hyphens")
    };
    let vkey = |signer: NoteSigner| -> VerifierKey { signer.vkey().clone() };
    let mirror = format!("{}/{}/mirror", plan.network, plan.org.slug());
    let witness = witness_name(&plan.network, &plan.org);
    Ok(LogKeys {
        origin: plan.origin.clone(),
        log: vkey(NoteSigner::log(&plan.origin, keys.log.clone()).map_err(named)?),
        witness: vkey(NoteSigner::witness(&witness, keys.witness.clone()).map_err(named)?),
        mirror: vkey(NoteSigner::witness(&mirror, keys.mirror.clone()).map_err(named)?),
        peer: keys.peer.public().clone(),
    })
}

fn organisation(args: &InitArgs, plan: &Plan, keys: &Keys, log_keys: &LogKeys) -> Organisation {
    Organisation {
        legal_name: args.name.clone(),
        roles: plan.roles.clone(),
        regions: vec![plan.region],
        key: keys.organisation.public().clone(),
        next_key_commitment: keys.next.public().id(),
        node: Some(log_keys.clone()),
        replaces: None,
        reason: None,
    }
}

fn signed(
    plan: &Plan,
    sub: Subject,
    body: Body,
    now: Timestamp,
    keys: &Keys,
) -> Result<Envelope, Failure> {
    let claims = claims(&plan.org, sub, Audience::Public, Vec::new(), now);
    sign(Draft { claims, body }, random(), &keys.organisation).map_err(|e| {
        Failure::usage("cannot sign what was given")
            .because(&e)
            .help("change what the cause names; `hallmark-node init --help` tells each option")
    })
}

fn genesis(
    plan: &Plan,
    keys: &Keys,
    log_keys: &LogKeys,
    now: Timestamp,
) -> Result<Envelope, Failure> {
    let network = plan.network.clone();
    let genesis = Genesis { network, keys: log_keys.clone(), previous: None };
    signed(plan, Subject::Log(plan.origin.clone()), Body::Genesis(genesis), now, keys)
}

fn capture_device(plan: &Plan, keys: &Keys, now: Timestamp) -> Result<Envelope, Failure> {
    let sub = Subject::Device(capture_id(&plan.org));
    let device = Device {
        key: keys.capture.public().clone(),
        class: DeviceClass::Capture,
        model: "hallmark-node".to_owned(),
        quantity: None,
        unit: None,
        accuracy_ppm: None,
        facility: None,
        lat_e7: None,
        lon_e7: None,
        replaces: None,
        reason: None,
    };
    signed(plan, sub, Body::Device(device), now, keys)
}

fn found(
    plan: &Plan,
    keys: &Keys,
    log_keys: LogKeys,
    now: Timestamp,
) -> Result<NetworkFile, Failure> {
    let registrar = Registrar {
        org: plan.org.clone(),
        key: keys.organisation.public().clone(),
        next_key_commitment: keys.next.public().id(),
    };
    let network = Network {
        v: 1,
        name: plan.network.clone(),
        version: 1,
        expires_at: now.checked_add_ms(NETWORK_LIFE_MS).unwrap_or(Timestamp::MAX),
        registrars: vec![registrar],
        threshold: 1,
        members: vec![Member::new(plan.org.clone(), plan.roles.clone(), log_keys)],
        policy: Policy::none(),
        packs: Vec::new(),
        sealed: Vec::new(),
        previous: None,
        former: Vec::new(),
    };
    NetworkFile::sign(network, &[&keys.organisation]).map_err(|e| {
        Failure::usage("cannot found this network")
            .because(&e)
            .help("change what the cause names; `hallmark-node init --help` tells each option")
    })
}

/// The attestation that logs a version of the network file.
pub(crate) fn network_version(
    org: &OrgId,
    file: &NetworkFile,
    now: Timestamp,
    key: &dyn Signer,
) -> Result<Envelope, Failure> {
    use hallmark_schemas::kind::network::Network as Version;
    use hallmark_schemas::kind::value::Blob;

    let version = Version { version: file.network().version, file: Blob(file.bytes().to_vec()) };
    let sub = Subject::Org(org.clone());
    let claims = claims(org, sub, Audience::Public, Vec::new(), now);
    sign(Draft { claims, body: Body::Network(version) }, random(), key).map_err(|e| {
        Failure::usage("cannot log the network file").because(&e).help(
            "fewer members or packs fit: a network file takes at most 1 MiB as an attestation",
        )
    })
}
