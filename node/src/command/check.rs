//! `check`: re-reads everything and says whether it is whole.
//!
//! Invariants: the same loading and proving as `hallmark-verify check`, so that the two never
//! differ; it only reads, also beside a running node, unless it is told to repair.

mod repair;

use std::time::Duration;

use hallmark_schemas::exit::Exit;
use hallmark_verifier::load::load;
use hallmark_verifier::prove::prove;
use indicatif::ProgressBar;

use crate::cli::{CheckArgs, Output};
use crate::config::Config;
use crate::failure::Failure;

/// How often the bar moves.
const BEAT: Duration = Duration::from_millis(200);

/// Tiles against checkpoints, bodies against their ids, signatures against keys.
pub(super) fn run(args: &CheckArgs, output: Output) -> Result<Exit, Failure> {
    let config = Config::load(&args.dir)?;
    if args.repair {
        repair::run(args, &config, output)?;
    }
    let bar = ProgressBar::new_spinner().with_message("reading");
    bar.enable_steady_tick(BEAT);
    // DIR says where DATA is; the network file and the head lie in DIR itself.
    let evidence = load(std::slice::from_ref(&args.dir), &[]).map_err(|error| {
        let failure = Failure::new(error.exit(), &error).help(error.help());
        match std::error::Error::source(&error) {
            Some(cause) => failure.because(cause),
            None => failure,
        }
    })?;
    bar.set_message(format!("proving {} logs", evidence.logs.len()));
    let proven = prove(evidence);
    bar.finish_and_clear();
    for defect in &proven.defects {
        let kind = defect.kind.as_str();
        let log = defect.log.as_deref().unwrap_or("-");
        let json = serde_json::json!({
            "defect": kind, "log": defect.log, "entry": defect.entry, "subject": defect.subject,
            "detail": defect.detail, "help": defect.help(),
            "cites": defect.cites.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        let text = format!("{kind}: {log}: {}\n  help: {}", defect.detail, defect.help());
        output.item(text, &json);
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
    output.verdict(word, format!("{proved} attestations proved, {defects}"));
    Ok(exit)
}
