//! `run`: takes from every configured source until SIGTERM.

use std::thread;

use hallmark_schemas::exit::Exit;
use tokio::sync::mpsc;

use crate::agent::{Agent, courier_failure};
use crate::batch::Taken;
use crate::cli::{Output, RunArgs};
use crate::config::Config;
use crate::config::source::SourceConfig;
use crate::failure::Failure;
use crate::layout::Layout;
use crate::publish::Tally;
use crate::source;
use crate::tally::Board;

/// Things taken that wait to be signed; a source that is faster waits here.
pub(super) const INBOX_MAX: usize = 4096;

pub(super) fn run(args: &RunArgs, out: &Output) -> Result<Exit, Failure> {
    let layout = Layout::new(&args.dir);
    let config = Config::load(&layout)?;
    let sources = config.sources.clone();
    let Agent { config, courier, lock } = Agent::open(&layout, config, None)?;
    let runtime = runtime()?;
    let (sender, inbox) = mpsc::channel(INBOX_MAX);
    for source in sources {
        start(source, &config, &layout, *out, sender.clone())?;
    }
    let mut board = Board::open(&layout);
    out.say(format_args!("{} runs; SIGTERM or Ctrl-C stops it", config.device));
    let ended = runtime.block_on(async move {
        // The inbox stays open after the last source has ended: run stays up.
        let _open = sender;
        courier.run(inbox, stop_signal(), |tally| board.show(tally)).await
    });
    drop(lock);
    let (_, tally) = ended.map_err(|fault| courier_failure(&fault))?;
    out.verdict("stopped", summary(&tally));
    Ok(if 0 < tally.refused { Exit::Found } else { Exit::Done })
}

/// Starts one source on a thread of its own, for instruments block.
fn start(
    source: SourceConfig,
    config: &Config,
    layout: &Layout,
    out: Output,
    sender: mpsc::Sender<Taken>,
) -> Result<(), Failure> {
    let SourceConfig::Stdin(stdin) = source else {
        // A file is replayed by its own command, which ends with it.
        return Ok(());
    };
    let (device, layout) = (config.device.clone(), layout.clone());
    let name = format!("source {}", stdin.name);
    let take = move || {
        if let Err(failure) = source::stdin::run(stdin, device, &layout, out, sender) {
            eprint!("{}", failure.lines());
        }
    };
    let started = thread::Builder::new().name(name).spawn(take);
    started.map(drop).map_err(|error| Failure::fault("cannot start a thread").because(&error))
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
