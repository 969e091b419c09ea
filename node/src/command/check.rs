//! `check`: re-reads everything and says whether it is whole.
//!
//! Invariants: the same loading and proving as `hallmark-verify check`, so that the two never
//! differ; it only reads, also beside a running node, unless it is told to repair.

mod position;
mod repair;

use std::collections::BTreeSet;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::layout::Dir;
use hallmark_verifier::load::load_watched;
use hallmark_verifier::prove::prove_watched;

use crate::cli::Output;
use crate::cli::keep::CheckArgs;
use crate::config::Config;
use crate::failure::Failure;
use position::Position;

/// Tiles against checkpoints, bodies against their ids, signatures against keys.
pub(super) fn run(args: &CheckArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    if args.repair {
        repair::run(args, &config, output)?;
    }
    let (position, told) = Position::open(&Dir::new(&args.dir), &config.data_dir(&args.dir));
    told.iter().for_each(|told| output.say(told));
    // DIR says where DATA is; the network file and the head lie in DIR itself.
    let loaded = load_watched(std::slice::from_ref(&args.dir), &[], &position);
    let evidence = loaded.map_err(|error| {
        let failure = Failure::new(error.exit(), &error).help(error.help());
        match std::error::Error::source(&error) {
            Some(cause) => failure.because(cause),
            None => failure,
        }
    })?;
    let proven = prove_watched(evidence, &position);
    position.end();
    // The same help after each of many defects would hide them.
    let mut helped = BTreeSet::new();
    for defect in &proven.defects {
        let kind = defect.kind.as_str();
        let log = defect.log.as_deref().unwrap_or("-");
        let json = serde_json::json!({
            "defect": kind, "log": defect.log, "entry": defect.entry, "subject": defect.subject,
            "detail": defect.detail, "help": defect.help(),
            "cites": defect.cites.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        let help = match helped.insert(defect.help()) {
            true => format!("\n  help: {}", defect.help()),
            false => String::new(),
        };
        output.item(format!("{kind}: {log}: {}{help}", defect.detail), &json);
    }
    for log in &proven.logs {
        let json = serde_json::json!({
            "log": log.origin, "size": log.size, "root": log.root, "witnessed": log.witnessed,
        });
        output.item(format!("log {} {} entries, root {}", log.origin, log.size, log.root), &json);
    }
    for note in &proven.notes {
        output.item(format!("note {note}"), &serde_json::json!({ "note": note }));
    }
    // Two contradicting statements break no proof: `hallmark-verify` makes findings of them.
    let accuses = proven.defects.iter().any(|defect| defect.exit() == Exit::Done);
    let found = if accuses { Exit::Found } else { Exit::Done };
    let (exit, proved) = (proven.exit().or(found), proven.attestations.len());
    let defects = match proven.defects.len() {
        1 => "1 defect".to_owned(),
        count => format!("{count} defects"),
    };
    let word = match exit {
        Exit::Done => "whole",
        Exit::Found => "found",
        Exit::Incomplete => "incomplete",
        _ => "broken",
    };
    // Where the code says what was found, that more is missing would not be seen.
    let also = match exit == Exit::Found && proven.exit() == Exit::Incomplete {
        true => "; incomplete too: files or bodies are missing",
        false => "",
    };
    output.verdict(word, format!("{proved} attestations proved, {defects}{also}"));
    Ok(exit)
}
