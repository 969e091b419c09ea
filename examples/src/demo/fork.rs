//! One organisation signs two histories of its log, and every other one holds the proof.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hallmark_schemas::key::SecretKey;
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::time::Timestamp;

use super::tell::Teller;
use super::{NETWORK_WAIT_MAX, Stage, away, entries};
use crate::generate::fraud::Fraud;
use crate::world::{http, until};

/// Answers of a witness that knows another size, before one must be right.
const ATTEMPTS_MAX: usize = 5;

/// The registry shows the verifier another tree of a size that it has seen; the proof of that goes
/// to everyone.
pub(super) async fn fork(stage: &mut Stage, teller: &Teller) -> anyhow::Result<()> {
    let registry = &stage.registry;
    let slug = registry.org().trim_start_matches("urn:hallmark:org:").replace(':', "-");
    let origin = format!("demo/{slug}/1");
    let told = "the registry signs a second history of its log and shows it to one member alone";
    teller.say(&format!("FRAUD: {told}"));
    let signer = NoteSigner::log(&origin, Arc::new(log_key(registry.dir())?))?;
    let began = Instant::now();
    show(&signer, &origin, entries(registry).await?, stage.verifier.url()).await?;
    for node in [&stage.verifier, &stage.inspector, &stage.producer, &stage.registrar] {
        let what = format!("{} to hold the proof", node.name());
        let proof = until(&what, NETWORK_WAIT_MAX, || async {
            let peer = away::peer(node, registry).await?;
            let defects = peer["copy"]["defects"].as_array().cloned().unwrap_or_default();
            let texts = defects.iter().filter_map(|defect| defect.as_str().map(str::to_owned));
            Ok(texts.into_iter().find(|text| text.contains("two histories")))
        });
        let proof = proof.await?;
        let s = began.elapsed().as_secs_f32();
        teller.say(&format!("{} holds the proof after {s:.1} s: {proof}", node.name()));
    }
    let fraud = Fraud { code: "LOG-001", told: told.to_owned(), subject: origin };
    stage.input.data.frauds.push(fraud);
    Ok(())
}

/// Hands a checkpoint over a made-up root to the witness at this node, of a size that it knows.
async fn show(signer: &NoteSigner, origin: &str, size: u64, url: &str) -> anyhow::Result<()> {
    let mut size = size;
    for _ in 0..ATTEMPTS_MAX {
        let text = Checkpoint::new(origin, size, [7; 32]).to_string();
        let signature = signer.sign(&text, Timestamp::EPOCH)?;
        let mut note = SignedNote::unsigned(text).context("no text of a note")?;
        note.add(signature);
        let request = [format!("old {size}\n\n").as_bytes(), &note.to_bytes()].concat();
        let url = format!("{}/log/add-checkpoint", url.trim_end_matches('/'));
        let answer = http::send("POST", &url, &[("content-type", "text/plain")], &request).await?;
        match answer.status {
            422 => return Ok(()),
            409 => size = String::from_utf8_lossy(&answer.body).trim().parse()?,
            status => bail!("a witness answers {status} to a second history"),
        }
    }
    bail!("no size of the registry's log is known to the witness")
}

/// The key of a log, which lies unencrypted so that its node can start unattended.
fn log_key(dir: &Path) -> anyhow::Result<SecretKey> {
    let text = std::fs::read_to_string(dir.join("keys").join("log.key"))?;
    let words: Vec<&str> = text.split_whitespace().collect();
    ensure!(words.len() == 5 && words[3] == "clear", "the key of the log is no clear one");
    let seed = BASE64.decode(words[4])?;
    let seed = <[u8; 32]>::try_from(seed.as_slice()).context("a seed of another length")?;
    Ok(SecretKey::from_seed(seed))
}
