//! `key`: an organisation's next key takes the place of the one before.
//!
//! Invariants: the new key is the one that was committed to beforehand, so that whoever has stolen
//! the key in use cannot rotate; no key file changes before the new key is recorded in the log, a
//! registrar's before the version of the network file that names it is in force; interrupted and
//! given again, the command goes on.

use std::path::Path;

use hallmark_schemas::attestation::{Draft, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::Subject;
use hallmark_schemas::key::Signer;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::key::Key;
use hallmark_schemas::layout::Dir;
use serde_json::json;

use super::network::make::{Made, Maker, next_version, wait_recorded};
use super::network::{current, take_turn};
use super::{running, sent, wait_for};
use crate::cli::Output;
use crate::cli::trust::{KeyAction, KeyArgs};
use crate::config::Config;
use crate::failure::Failure;
use crate::files::now;
use crate::keys::random;
use crate::keys::rotation::Rotation;
use crate::outbox;
use crate::sign::claims;

/// Does what was asked.
pub(super) fn run(args: &KeyArgs, output: Output) -> Result<Exit, Failure> {
    match args.action {
        KeyAction::Rotate => rotate(&args.dir, args.passphrase_file.as_deref(), output),
    }
}

/// Has the next key recorded, then puts the key files right.
fn rotate(dir: &Path, passphrase_file: Option<&Path>, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(dir)?;
    let turn = take_turn(dir)?;
    let network = current(dir)?;
    if let Some(place) =
        network.network().registrars.iter().position(|registrar| registrar.org == config.org)
    {
        let maker =
            Maker { dir, config: &config, old: &network, passphrase_file, instead: false, output };
        return registrar(&maker, place, passphrase_file);
    }
    drop(turn);
    wait_for(async {
        let local = running(dir).await?;
        let rotation = Rotation::begin(&Dir::new(dir).keys(), passphrase_file)?;
        let new = rotation.next.public().id();
        if !rotation.is_recorded() {
            let body = Key {
                key: rotation.next.public().clone(),
                replaces_key: rotation.before.public().id(),
                next_key_commitment: rotation.after.public().id(),
            };
            let sub = Subject::Org(config.org.clone());
            let claims = claims(&config.org, sub, Audience::Public, Vec::new(), now());
            let json = json!({
                "key": new.to_string(), "replaces_key": body.replaces_key.to_string(),
                "next_key_commitment": body.next_key_commitment.to_string(),
            });
            let draft = Draft { claims, body: Body::Key(body) };
            let signed = sign(draft, random(), &rotation.next)
                .map_err(|e| Failure::fault("the new key cannot be signed").because(&e))?;
            outbox::put(dir, std::slice::from_ref(&signed))?;
            for id in sent(dir, &local, &[signed]).await? {
                wait_recorded(&local, &id, "the key files are unchanged").await?;
                let mut json = json.clone();
                json["id"] = id.to_string().into();
                output.item(id, &json);
            }
        }
        rotation.finish()?;
        output.say("back up the folder keys/ again: the backup from before lacks the next key");
        output.verdict("rotated", format!("{new} is the key of {} now", config.org));
        Ok(Exit::Done)
    })
}

/// Makes the version of the network file that names the next key, and puts the key files right once
/// it is in force.
fn registrar(
    maker: &Maker<'_>,
    place: usize,
    passphrase_file: Option<&Path>,
) -> Result<Exit, Failure> {
    let rotation = Rotation::begin(&Dir::new(maker.dir).keys(), passphrase_file)?;
    let mut network = maker.old.network().clone();
    let named = &mut network.registrars[place];
    let new = rotation.next.public().id();
    if named.key.id() != new && !rotation.is_recorded() {
        named.key = rotation.next.public().clone();
        named.next_key_commitment = rotation.after.public().id();
        let keys: [&dyn Signer; 2] = [&rotation.before, &rotation.next];
        let next = next_version(maker.old, network, &keys)?;
        let made = maker.conclude(next, Vec::new(), &rotation.before)?;
        if matches!(made, Made::Draft { .. }) {
            made.tell("rotated", "once it is in force, give the command again", maker.output);
            return Ok(Exit::Done);
        }
    }
    rotation.finish()?;
    maker.output.say("back up the folder keys/ again: the backup from before lacks the next key");
    maker.output.verdict("rotated", format!("{new} is the key of {} now", maker.config.org));
    Ok(Exit::Done)
}
