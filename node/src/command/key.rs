//! `key`: an organisation's next key takes the place of the one before.
//!
//! Invariants: the new key is the one that was committed to beforehand, so that whoever has stolen
//! the key in use cannot rotate; no key file changes before the new key is recorded in the log;
//! interrupted and given again, the command goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use hallmark_schemas::attestation::{ContentId, Draft, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::Subject;
use hallmark_schemas::key::Signer;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::key::Key;
use hallmark_schemas::layout::Dir;
use serde_json::json;

use super::network::current;
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
use crate::socket::Local;

/// Longest wait until the new key is recorded.
const RECORDED_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often the node is asked.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Does what was asked.
pub(super) fn run(args: &KeyArgs, output: Output) -> Result<Exit, Failure> {
    match args.action {
        KeyAction::Rotate => rotate(&args.dir, args.passphrase_file.as_deref(), output),
    }
}

/// Has the next key recorded, then puts the key files right.
fn rotate(dir: &Path, passphrase_file: Option<&Path>, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(dir)?;
    let network = current(dir)?;
    if network.network().registrars.iter().any(|registrar| registrar.org == config.org) {
        return Err(Failure::usage(format!("{} is a registrar", config.org))
            .note("newcomers prove everything from its key in the network file")
            .help("this release does not rotate the key of a registrar: keep it offline"));
    }
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
                wait_recorded(&local, &id).await?;
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

async fn wait_recorded(local: &Local, id: &ContentId) -> Result<(), Failure> {
    let until = Instant::now() + RECORDED_WAIT_MAX;
    while local.get(&format!("/entries/{id}")).await?.status != 200 {
        if until < Instant::now() {
            return Err(Failure::busy(format!("{id} is stored, but not recorded yet"))
                .note("the key files are unchanged")
                .help("give the command again when `hallmark-node status` says ready"));
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
    Ok(())
}
