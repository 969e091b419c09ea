//! `enrol`: admits a device of this organisation.

use hallmark_schemas::attestation::{Draft, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::enrolment::{Enrol, Enrolled};
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::Body;
use hallmark_schemas::layout::Dir;

use super::init::read_network;
use super::{log, wait_for};
use crate::cli::Output;
use crate::cli::trust::EnrolArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::{now, write_durably};
use crate::keys::{self, Purpose, random};
use crate::sign::claims;

/// Logs the `device`, writes enrolled.cbor.
pub(super) fn run(args: &EnrolArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    let dir = Dir::new(&args.dir);
    let bytes = std::fs::read(&args.enrol).map_err(|e| {
        Failure::input(format!("cannot read {}", args.enrol.display()))
            .because(&e)
            .help("give the enrol.cbor that `hallmark-agent init` wrote")
    })?;
    let enrol = Enrol::parse(&bytes).map_err(|e| {
        Failure::input(format!("{} is no request of a device", args.enrol.display()))
            .because(&e)
            .help("`hallmark-agent init` writes enrol.cbor")
    })?;
    let device = enrol.device;
    if device.org() != config.org {
        return Err(Failure::input(format!("{device} is no device of {}", config.org))
            .help("enrol it at the node of its own organisation"));
    }
    // Before anything is signed: what is logged stays.
    let network = read_network(&dir.network())?;
    let broker = broker_url(&args.dir, &config).ok_or_else(|| {
        Failure::usage("this node has no broker that a device could reach").help(
            "nothing was logged; set `mqtt.broker` in config.toml; with `embedded`, run the \
                 node first",
        )
    })?;
    let enrolled = Enrolled::new(&network, device.clone(), &config.origin, &broker);
    let enrolled = enrolled.ok_or_else(|| {
        Failure::usage("the network file does not name this node's log yet")
            .help("the registrar admits this organisation first: hallmark-node admit")
    })?;
    let passphrase = args.passphrase_file.as_deref();
    let key = keys::open(&dir.keys(), Purpose::Organisation, passphrase)?;
    let sub = Subject::Device(device.clone());
    let claims = claims(&config.org, sub, Audience::Public, Vec::new(), now());
    let body = Body::Device(enrol.details);
    let envelope = sign(Draft { claims, body }, random(), &key).map_err(|e| {
        Failure::input("the device's details are wrong")
            .because(&e)
            .help("run `hallmark-agent init` again with what the cause names corrected")
    })?;
    wait_for(log(&args.dir, std::slice::from_ref(&envelope), output))?;
    let path = args.output.clone().unwrap_or_else(|| args.enrol.with_file_name("enrolled.cbor"));
    write_durably(&path, &enrolled.encode()).map_err(|e| {
        Failure::usage(format!("cannot write {}", path.display()))
            .because(&e)
            .help("the device is logged; name another file with -o and enrol it again")
    })?;
    let json = serde_json::json!({
        "device": device.to_string(), "id": envelope.id().to_string(),
        "enrolled": path.display().to_string(),
    });
    output.item(envelope.id(), &json);
    output.verdict("enrolled", format!("{device}, give it {}", path.display()));
    Ok(Exit::Done)
}

/// The broker's address for devices: configured, or where the embedded one listens now.
fn broker_url(dir: &std::path::Path, config: &Config) -> Option<String> {
    if let Some(url) = &config.mqtt.public_url {
        return Some(url.clone());
    }
    if config.mqtt.broker.starts_with("mqtt") {
        return Some(config.mqtt.broker.clone());
    }
    let text = std::fs::read(Dir::new(dir).addresses()).ok()?;
    let addresses: serde_json::Value = serde_json::from_slice(&text).ok()?;
    addresses["mqtt"].as_str().map(str::to_owned)
}
