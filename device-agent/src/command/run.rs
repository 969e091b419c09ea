//! `run`: takes from every configured source until its input ends or SIGTERM.

use std::thread::{self, JoinHandle};

use hallmark_schemas::exit::Exit;
use humantime_serde::re::humantime::format_duration;
use tokio::sync::mpsc;

use crate::agent::{Agent, courier_failure};
use crate::batch::Taken;
use crate::cli::{Output, RunArgs};
use crate::config::Config;
use crate::config::source::SourceConfig;
use crate::failure::Failure;
use crate::layout::Layout;
use crate::publish::{CourierError, Ended, Patience, Tally};
use crate::source::stdin::{self, Driven};
use crate::tally::Board;

/// Things taken that wait to be signed; a source that is faster waits here.
pub(super) const INBOX_MAX: usize = 4096;

/// A source at work; it ends with its input.
type Source = JoinHandle<Result<Driven, Failure>>;

pub(super) fn run(args: &RunArgs, out: &Output) -> Result<Exit, Failure> {
    let layout = Layout::new(&args.dir);
    let config = Config::load(&layout)?;
    let Agent { config, courier, lock } =
        Agent::open(&layout, config, Patience::AfterInput(args.wait))?;
    let runtime = runtime()?;
    let (sender, inbox) = mpsc::channel(INBOX_MAX);
    let sources = start(&config, &layout, args, *out, &sender)?;
    // Without a source the inbox stays open: run sends what is in the spool, and stays up.
    let open = sources.is_empty().then_some(sender);
    let mut board = Board::open(&layout);
    out.say(format_args!("{} runs; SIGTERM or Ctrl-C stops it", config.device));
    let ended = runtime.block_on(courier.run(inbox, stop_signal(), |tally| board.show(tally)));
    drop((open, lock));
    let (word, tally, why) = match ended {
        Ok((Ended::Drained, tally)) => ("done", tally, None),
        Ok((Ended::Stopped, tally)) => ("stopped", tally, None),
        // Nobody answers, but everything that was taken is durable: that is no failure of a run.
        Err(CourierError::Unreachable { tally, reason, .. }) => ("kept", tally, Some(reason)),
        Err(fault) => return Err(courier_failure(&fault)),
    };
    let refused = if word == "stopped" { 0 } else { refused_by(sources)? };
    let left = if 0 < tally.pending { "; what is in the spool goes with the next run" } else { "" };
    let why = why.map_or(String::new(), |why| format!(" ({why})"));
    out.verdict(word, format_args!("{}{left}{why}", summary(&tally)));
    Ok(if 0 < tally.refused + refused { Exit::Found } else { Exit::Done })
}

/// Starts each source on a thread of its own, for instruments block.
fn start(
    config: &Config,
    layout: &Layout,
    args: &RunArgs,
    out: Output,
    sender: &mpsc::Sender<Taken>,
) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for source in &config.sources {
        let SourceConfig::Stdin(stdin) = source.clone() else {
            // A file is replayed by its own command, which ends with it.
            continue;
        };
        let (device, layout, sender) = (config.device.clone(), layout.clone(), sender.clone());
        let name = format!("source {}", stdin.name);
        let wait = format_duration(args.wait);
        let take = move || {
            let driven = stdin::run(stdin, device, &layout, out, sender)?;
            out.say(format_args!(
                "the input ended: {driven}; waiting until a node has recorded what is in the \
                 spool, at most {wait} without an answer"
            ));
            Ok(driven)
        };
        let started = thread::Builder::new().name(name).spawn(take);
        let source =
            started.map_err(|error| Failure::fault("cannot start a thread").because(&error))?;
        sources.push(source);
    }
    Ok(sources)
}

/// How many scans were refused by sources that have ended; the failure of one that broke.
fn refused_by(sources: Vec<Source>) -> Result<u64, Failure> {
    let mut refused = 0;
    for source in sources {
        let driven = source.join().map_err(|_| Failure::fault("a source ended by a bug"))??;
        refused += driven.refused;
    }
    Ok(refused)
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failure::fault("cannot start the runtime").because(&error))
}

/// Ends on SIGTERM or Ctrl-C.
pub(super) async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                () = interrupt() => {}
            }
            return;
        }
    }
    interrupt().await;
}

/// Ends on Ctrl-C; never, if the system has no such signal.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

pub(super) fn summary(tally: &Tally) -> String {
    let Tally { taken, acknowledged, refused, pending, .. } = tally;
    format!("{taken} taken, {acknowledged} recorded, {refused} refused, {pending} in the spool")
}
