//! `peer wanted` and `peer demand`: which bodies nobody gives, and the complaint about it.
//!
//! Invariants: a body that is here is not demanded; a demand is closed as met only where the body is
//! here; a demand that stands is not made a second time.

use std::path::Path;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::kind::demand::{Demand, State};
use hallmark_schemas::layout::Dir;
use serde_json::json;

use super::super::get::{parse, unknown};
use super::super::{running, sent, wait_for};
use crate::cli::Output;
use crate::cli::peer::DemandArgs;
use crate::config::Config;
use crate::demand::{LISTED_MAX, Named, Standing, closing};
use crate::failure::Failure;
use crate::files::now;
use crate::keys::{self, Purpose};
use crate::outbox;
use crate::sign::Statement;

/// Lists what followed logs name and nobody gave.
pub(super) fn wanted(dir: &Path, output: Output) -> Result<Exit, Failure> {
    let missing = asked(dir, "/local/demands")?;
    for one in &missing {
        let stands = one.demand.as_ref().map_or_else(|| "not demanded".to_owned(), told);
        let line = format!("{} {}#{} {} {stands}", one.body, one.log, one.entry, one.audience);
        output.item(line, &serde_json::to_value(one).unwrap_or_default());
    }
    let demanded = missing.iter().filter(|one| is_open(one)).count();
    let mut verdict = format!("{} bodies are not here, {demanded} demanded", missing.len());
    if LISTED_MAX <= missing.len() {
        verdict.push_str(&format!("; of one log at most {LISTED_MAX} are listed"));
    }
    output.verdict("wanted", verdict);
    Ok(Exit::Done)
}

/// Makes, closes or withdraws the demand for one body.
pub(super) fn run(dir: &Path, args: &DemandArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(dir)?;
    let id = parse(&args.id)?;
    let places = asked(dir, &format!("/local/demands/{id}"))?;
    if places.is_empty() {
        return Err(unknown(&id).note("no followed log names it"));
    }
    let key = keys::open(&Dir::new(dir).keys(), Purpose::Capture, None)?;
    let mut made = Vec::new();
    for place in &places {
        let Some(demand) = next(args, place)? else { continue };
        let Some(holder) = place.holder.clone() else { continue };
        let aud = config.audience_of(KindName::Demand);
        let statement = Statement::of(demand.clone().into(), Subject::Org(holder), aud);
        let signed = statement.sign(&config, now(), &key).map_err(|e| {
            Failure::usage("the demand cannot be signed")
                .because(&e)
                .help("a term is 1 to 365 days; a reason is one line of at most 2,048 bytes")
        })?;
        made.push((demand, signed));
    }
    if made.is_empty() {
        let (stands, told) = outcome(args, &places, id);
        output.verdict(stands, told);
        return Ok(Exit::Done);
    }
    let envelopes: Vec<Envelope> = made.iter().map(|(_, signed)| signed.clone()).collect();
    outbox::put(dir, &envelopes)?;
    let ids = wait_for(async { sent(dir, &running(dir).await?, &envelopes).await })?;
    for ((demand, _), id) in made.iter().zip(ids) {
        let json = json!({
            "id": id.to_string(), "body": demand.body.to_string(), "log": demand.log,
            "entry": demand.entry, "state": demand.state,
        });
        output.item(format!("{id} {} {}#{}", demand.state, demand.log, demand.entry), &json);
    }
    let (word, told) = match (args.met, &args.withdraw) {
        (true, _) => ("met", "the demand is closed for all to see".to_owned()),
        (_, Some(_)) => ("withdrawn", "the demand is closed for all to see".to_owned()),
        _ => (
            "demanded",
            format!(
                "every member can see it; unless the body comes within {} days of its record, rule \
                 LOG-002 says so",
                args.days
            ),
        ),
    };
    output.verdict(word, told);
    Ok(Exit::Done)
}

/// The statement that is to be made about this place; `None` if it stands already.
fn next(args: &DemandArgs, place: &Named) -> Result<Option<Demand>, Failure> {
    let opening = Demand::opening(&place.log, place.entry, place.body, args.days);
    let open = place.demand.as_ref().filter(|standing| standing.state == State::Open);
    let close = |state, reason: &str| {
        open.map(|standing| closing(opening.clone(), standing.id, state, reason))
    };
    if args.met {
        return match place.here {
            true => Ok(close(State::Met, "the body has come")),
            false => Err(Failure::usage(format!("{} is not here", place.body))
                .help("close a demand for a body that came otherwise with --withdraw REASON")),
        };
    }
    if let Some(reason) = &args.withdraw {
        return Ok(close(State::Withdrawn, reason));
    }
    if place.here {
        let refused = Failure::usage(format!("{} is here: nobody withholds it", place.body));
        return Err(refused.help(match open {
            Some(_) => "close the demand for it with --met",
            None => "`hallmark-node get DIR ID` prints it",
        }));
    }
    if open.is_some() {
        return Ok(None);
    }
    // Opened again after it was closed.
    let replaces = place.demand.as_ref().map(|standing| standing.id);
    let reason = replaces.map(|_| "the body is not given again".to_owned());
    Ok(Some(Demand { replaces, reason, ..opening }))
}

/// What to say where nothing was left to state.
fn outcome(args: &DemandArgs, places: &[Named], id: ContentId) -> (&'static str, String) {
    let standing = places.iter().find_map(|place| place.demand.as_ref());
    match standing {
        Some(standing) => (standing.state.as_str(), format!("{id}: {}", told(standing))),
        None if args.met || args.withdraw.is_some() => ("none", format!("no demand for {id}")),
        None => ("none", format!("nobody can be asked for {id}: its log names no organisation")),
    }
}

fn is_open(one: &Named) -> bool {
    one.demand.as_ref().is_some_and(|standing| standing.state == State::Open)
}

fn told(standing: &Standing) -> String {
    match (standing.state, standing.due_at) {
        (State::Open, Some(due)) => format!("demanded, due by {due}"),
        (State::Open, None) => "demanded, not recorded yet".to_owned(),
        (closed, _) => format!("demand {closed} by {}", standing.id),
    }
}

fn asked(dir: &Path, path: &str) -> Result<Vec<Named>, Failure> {
    let answer = wait_for(async { running(dir).await?.get(path).await })?;
    serde_json::from_slice(&answer.body)
        .map_err(|e| Failure::fault("the node's answer is no JSON").because(&e))
}
