//! `erase`: the body of one attestation goes, its entry stays.
//!
//! Invariants: nothing is signed for a record that is not here or that was erased before; whatever
//! the command is interrupted by, the node finishes what was logged, and given again it goes on.

use std::time::{Duration, Instant};

use hallmark_schemas::attestation::{ContentId, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::erasure::Erasure;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::layout::Dir;

use super::get::{parse, unknown};
use super::{running, send_outbox, wait_for};
use crate::cli::Output;
use crate::cli::keep::EraseArgs;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::now;
use crate::keys::{self, Purpose, random};
use crate::outbox::{self, Fate};
use crate::sign::claims;
use crate::socket::Local;

/// Longest wait until the erasure is recorded and carried out.
const ERASED_WAIT: Duration = Duration::from_secs(60);
/// How often the node is asked.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Signs the erasure, has it logged, waits until the body is gone.
pub(super) fn run(args: &EraseArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    let target = parse(&args.id)?;
    wait_for(async {
        let local = running(&args.dir).await?;
        let path = format!("/v1/attestations/{target}");
        let held = local.get(&path).await?;
        match held.status {
            410 => {
                output.verdict("erased", format!("{target} was erased before"));
                return Ok(Exit::Done);
            }
            404 => return Err(unknown(&target)),
            _ => {}
        }
        // Of what cannot be read here nobody can tell which goods it was about.
        let record = Envelope::parse(&held.body).ok();
        let goods = record.as_ref().map(Erasure::goods_of).unwrap_or_default();
        let erasure = signed(args, &config, target, goods)?;
        outbox::put(&args.dir, std::slice::from_ref(&erasure))?;
        let id = sent(args, &local, erasure.id()).await?;
        let until = Instant::now() + ERASED_WAIT;
        while local.get(&path).await?.status != 410 {
            if until < Instant::now() {
                return Err(Failure::busy(format!("{target} is not erased yet"))
                    .note(format!("its erasure {id} is stored, but not recorded"))
                    .help(
                        "the node erases it as soon as the witnesses have cosigned the erasure: \
                         `hallmark-node status` says what it waits for",
                    ));
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        let answer = local.get(&format!("/local/receipt/{id}")).await?;
        let place: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let json = serde_json::json!({
            "erased": target.to_string(), "erasure": id.to_string(), "index": place["index"],
        });
        output.item(format!("{target} erased by {id} {}", place["index"]), &json);
        output.verdict("erased", "entry, time and digest stay; backups from before still hold it");
        Ok(Exit::Done)
    })
}

fn signed(
    args: &EraseArgs,
    config: &Config,
    target: ContentId,
    goods: Vec<Digest>,
) -> Result<Envelope, Failure> {
    let keys = Dir::new(&args.dir).keys();
    let key = keys::open(&keys, Purpose::Organisation, args.passphrase_file.as_deref())?;
    let sub = Subject::Org(config.org.clone());
    let claims = claims(&config.org, sub, Audience::Public, Vec::new(), now());
    let body = Body::Erasure(Erasure { erased: target, reason: args.reason.clone(), goods });
    sign(Draft { claims, body }, random(), &key).map_err(|e| {
        Failure::usage("the erasure cannot be signed")
            .because(&e)
            .help("--reason is one line of at most 2,048 bytes")
    })
}

/// Sends what waits; the id under which the node keeps the erasure.
async fn sent(args: &EraseArgs, local: &Local, id: ContentId) -> Result<ContentId, Failure> {
    let mut fate_of_it = None;
    let all = send_outbox(&args.dir, local, Duration::ZERO, |sent, fate| {
        if *sent == id {
            fate_of_it = Some(fate.clone());
        }
    });
    let all = all.await?;
    match fate_of_it {
        Some(Fate::Stored { id, .. }) => Ok(id),
        Some(Fate::Refused { reason }) => {
            Err(Failure::new(Exit::Found, format!("nothing is erased: {reason}")).help(
                "only records of this node's own log are erased, by its organisation, and none \
                 from which keys are proved",
            ))
        }
        _ if all => {
            Err(Failure::busy("the node took no answer to the erasure")
                .help("give the command again"))
        }
        _ => Err(Failure::busy("the node takes no more now")
            .note("the signed erasure waits in the outbox")
            .help("give the command again when `hallmark-node status` says that it is ready")),
    }
}
