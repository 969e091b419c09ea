//! `recall`: who holds affected goods now, and the recall attestation.
//!
//! Invariants: nothing is signed without a reason; what is signed names every item that was reached,
//! by itself, its lot or its class, or the command says that it does not and signs nothing.

use std::collections::BTreeSet;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::recall::{Contact, Recall};
use hallmark_schemas::kind::words::Words;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::time::Timestamp;
use hallmark_verifier::trace::reach::COVERS_MAX;
use serde_json::{Value, json};

use super::attest::attest;
use super::trace::goods_by_hand;
use super::{running, wait_for};
use crate::cli::recall::RecallArgs;
use crate::cli::{Format, Output};
use crate::config::Config;
use crate::failure::Failure;
use crate::files::now;
use crate::keys::{self, Purpose, random};
use crate::sign::Statement;

/// What holders are asked where nothing else is said.
const ACTION: (&str, &str) =
    ("Do not use it. Take it back to where you bought it.", "请停止使用，并退回购买处。");

/// Tells what is reached, and calls it back where a reason is given.
pub(super) fn run(args: &RecallArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    let is_signed = args.reason.is_some() || args.reason_zh.is_some();
    let since = instant(args.since.as_deref())?;
    let words = is_signed.then(|| words(args)).transpose()?;
    let query = query(args, since)?;
    let found = wait_for(ask(args, &format!("{query}&format=json")))?;
    let found: Value = serde_json::from_slice(&found)
        .map_err(|e| Failure::fault("the node's answer cannot be read").because(&e))?;
    match output.format {
        Format::Json => output.item("", &found),
        _ => output.bytes(&wait_for(ask(args, &format!("{query}&format=text")))?)?,
    }
    let is_whole = is_whole(&found);
    if let Some((why, what_to_do, contact)) = words {
        let covers = covers(&found)?;
        let name = args.name.clone().unwrap_or_else(new_name);
        let recall = Recall {
            recall: name,
            covers: Vec::new(),
            why,
            what_to_do,
            contact,
            since: since.unwrap_or_else(now),
            utc_offset: None,
            lifted_at: None,
            cites: Vec::new(),
            replaces: None,
            reason: None,
        };
        sign(args, &config, &recall, &covers, output)?;
    }
    if !is_whole {
        output.say("incomplete: there is more than was looked at, or bodies are not held here");
        return Ok(Exit::Incomplete);
    }
    Ok(Exit::Done)
}

/// Why, what to do, and whom to ask.
fn words(args: &RecallArgs) -> Result<(Words, Words, Contact), Failure> {
    let why = Words { en: args.reason.clone(), zh_hans: args.reason_zh.clone() };
    let mut action = Words { en: args.action.clone(), zh_hans: args.action_zh.clone() };
    if action.en.is_none() && action.zh_hans.is_none() {
        action = Words { en: Some(ACTION.0.to_owned()), zh_hans: Some(ACTION.1.to_owned()) };
    }
    let contact = Contact { url: args.url.clone(), phone: args.phone.clone() };
    if contact.url.is_none() && contact.phone.is_none() {
        return Err(Failure::usage("whom does a buyer ask?")
            .help("--url of your page about the recall, or --phone of your service"));
    }
    Ok((why, action, contact))
}

fn instant(text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let read = |text: &str| {
        Timestamp::parse(text).map_err(|e| {
            Failure::usage(format!("{text} is no instant"))
                .because(&e)
                .help("as 2026-03-01T08:00:00+08:00")
        })
    };
    text.map(read).transpose()
}

fn query(args: &RecallArgs, since: Option<Timestamp>) -> Result<String, Failure> {
    let mut query = match (&args.facility, &args.period) {
        (Some(place), Some(period)) => {
            let (from, to) = period.split_once('/').ok_or_else(|| {
                Failure::usage(format!("{period} is no period")).help("START/END in RFC 3339")
            })?;
            let from = instant(Some(from))?.unwrap_or_else(now);
            let to = instant(Some(to))?.unwrap_or_else(now);
            let (from, to) = (escaped(&from.to_string()), escaped(&to.to_string()));
            format!("facility={}&from={from}&to={to}", escaped(place))
        }
        _ => {
            let goods: BTreeSet<GoodsId> =
                args.goods.iter().map(|text| goods_by_hand(text)).collect::<Result<_, _>>()?;
            let goods: Vec<String> = goods.iter().map(|one| escaped(one.as_str())).collect();
            format!("goods={}", goods.join("+"))
        }
    };
    if let Some(since) = since {
        query.push_str(&format!("&since={}", escaped(&since.to_string())));
    }
    Ok(query)
}

/// A text as a value of a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

async fn ask(args: &RecallArgs, query: &str) -> Result<Vec<u8>, Failure> {
    let answer = running(&args.dir).await?.get(&format!("/v1/recalls/reach?{query}")).await?;
    match answer.status {
        200 => Ok(answer.body),
        400 => Err(Failure::usage("the node does not take this")
            .note(answer.text())
            .help("`hallmark-node recall --help` shows examples")),
        408 | 429 | 503 => Err(Failure::busy(format!("the node is busy: {}", answer.text()))),
        status => Err(Failure::fault(format!("the node answers {status}: {}", answer.text()))),
    }
}

fn is_whole(found: &Value) -> bool {
    let cut = &found["cut"];
    let counts = ["goods_left_out", "events_left_out", "bodies_missing"];
    counts.iter().all(|name| cut[name] == 0) && cut["events_unread"] == false
}

/// What the recall has to name.
fn covers(found: &Value) -> Result<Vec<GoodsId>, Failure> {
    let covers = found["covers"].as_array().into_iter().flatten();
    let covers: Vec<GoodsId> = covers
        .filter_map(|one| one.as_str())
        .map(GoodsId::parse)
        .collect::<Result<_, _>>()
        .map_err(|e| Failure::fault("the node names goods that are none").because(&e))?;
    if covers.is_empty() {
        return Err(Failure::usage("there is nothing to call back")
            .help("no event held here names goods of that place and time"));
    }
    Ok(covers)
}

/// A name for a recall that has none: the day and 32 random bits.
fn new_name() -> String {
    let day = now().to_string();
    let day: String = day.chars().take(10).filter(char::is_ascii_digit).collect();
    format!("R{day}-{}", hallmark_schemas::hex::encode(&random::<4>()).to_uppercase())
}

/// Signs as many attestations as it takes to name all goods, and sends them.
fn sign(
    args: &RecallArgs,
    config: &Config,
    recall: &Recall,
    covers: &[GoodsId],
    output: Output,
) -> Result<(), Failure> {
    let capture = keys::open(&Dir::new(&args.dir).keys(), Purpose::Capture, None)?;
    let mut signed = Vec::new();
    for (number, part) in covers.chunks(COVERS_MAX).enumerate() {
        let Some((subject, rest)) = part.split_first() else { continue };
        let mut recall = Recall { covers: rest.to_vec(), ..recall.clone() };
        if 0 < number {
            recall.recall.push_str(&format!("/{}", number + 1));
        }
        let body = Body::Recall(recall);
        body.check().map_err(|e| unsigned(&e))?;
        let subject = Subject::Goods(subject.clone());
        let statement = Statement::of(body, subject, config.audience_of(KindName::Recall));
        signed.push(statement.sign(config, now(), &capture).map_err(|e| unsigned(&e))?);
    }
    for id in attest(&args.dir, &signed, "nothing is sure to be called back")? {
        let view = json!({ "id": id.to_string(), "status": "stored", "recall": recall.recall });
        output.item(id, &view);
    }
    let count = covers.len();
    output.say(format!("done: {} is recorded, for {count} items, lots or classes", recall.recall));
    Ok(())
}

fn unsigned(cause: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::usage("the recall cannot be signed").because(cause).help("nothing was called back")
}
