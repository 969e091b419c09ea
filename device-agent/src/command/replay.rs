//! `replay`: takes a file of readings, waits until a node has recorded all of them, and ends.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::enrolment::Enrol;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::FacilityId;
use tokio::sync::mpsc;

use super::run::{INBOX_MAX, runtime, stop_signal, summary};
use crate::agent::{Agent, courier_failure};
use crate::cli::{Output, ReplayArgs};
use crate::config::Config;
use crate::config::source::{ReplayConfig, SourceConfig};
use crate::failure::Failure;
use crate::layout::Layout;
use crate::publish::{Ended, Patience, Tally};
use crate::source::replay;
use crate::source::replay::stated::Instrument;
use crate::tally::Board;

/// How often the progress line is drawn.
const PROGRESS_PERIOD: Duration = Duration::from_millis(200);

pub(super) fn run(args: &ReplayArgs, out: &Output) -> Result<Exit, Failure> {
    let layout = Layout::new(&args.dir);
    let config = Config::load(&layout)?;
    let source = pick(&config, args.source.as_deref())?;
    let input = open(args)?;
    let Agent { config, courier, lock } =
        Agent::open(&layout, config, Patience::Always(args.wait))?;
    let runtime = runtime()?;
    let instrument = Instrument { device: config.device.clone(), facility: facility(&layout) };
    let (sender, inbox) = mpsc::channel(INBOX_MAX);
    let speed = args.speed;
    let spooled = courier.marks().to_vec();
    let rows_taken = move |file: &ContentId| {
        spooled.iter().find(|mark| mark.file == *file).map_or(0, |mark| mark.rows)
    };
    let rows =
        thread::spawn(move || replay::run(&source, &instrument, input, speed, sender, rows_taken));
    let (mut progress, mut board) = (Progress::new(), Board::open(&layout));
    let ended = runtime.block_on(courier.run(inbox, stop_signal(), |tally| {
        board.show(tally);
        progress.draw(tally);
    }));
    progress.clear();
    drop(lock);
    let (ended, tally) = ended.map_err(|fault| courier_failure(&fault))?;
    if ended == Ended::Stopped {
        let message = format!("stopped before the end of the file: {}", summary(&tally));
        return Err(Failure::busy(message).help("what is in the spool goes with the next run"));
    }
    let replayed = rows.join().map_err(|_| Failure::fault("the reader of the file failed"))??;
    let before = match replayed.before {
        0 => String::new(),
        rows => format!(" (and {rows} that were taken before)"),
    };
    let summary = summary(&tally);
    let text = format!("{} rows{before} of {}: {summary}", replayed.rows, config.device);
    if 0 < replayed.refused || 0 < tally.refused || 0 < tally.unsigned {
        out.verdict("refused", format_args!("{text}; {} rows refused", replayed.refused));
        return Ok(Exit::Found);
    }
    out.verdict("recorded", text);
    Ok(Exit::Done)
}

/// Where the device stands, as its request to be enrolled says, if that is still here.
fn facility(layout: &Layout) -> Option<FacilityId> {
    let enrol = Enrol::parse(&std::fs::read(layout.enrol()).ok()?).ok()?;
    enrol.details.facility
}

/// The `[[source]]` that maps the file's columns.
fn pick(config: &Config, name: Option<&str>) -> Result<ReplayConfig, Failure> {
    let maps = config.sources.iter().filter_map(|source| match source {
        SourceConfig::Replay(replay) => Some(replay.as_ref()),
        SourceConfig::Stdin(_) => None,
    });
    let mut fitting = maps.filter(|map| name.is_none_or(|name| map.name == name));
    match (fitting.next(), fitting.next()) {
        (Some(map), None) => Ok(map.clone()),
        (None, _) => Err(Failure::usage("config.toml has no such [[source]] for replay")
            .help("add a [[source]] with protocol = \"replay\", or correct --source")),
        (Some(_), Some(_)) => Err(Failure::usage("config.toml has several [[source]] for replay")
            .help("say which with --source NAME")),
    }
}

fn open(args: &ReplayArgs) -> Result<Box<dyn Read + Send>, Failure> {
    if args.file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(&args.file).map_err(|error| {
        Failure::input(format!("cannot read {}", args.file.display()))
            .because(&error)
            .help("give a readable CSV file, or - for stdin")
    })?;
    Ok(Box::new(file))
}

/// One line on stderr, drawn over, only on a terminal.
struct Progress {
    terminal: bool,
    drawn_at: Option<Instant>,
}

impl Progress {
    fn new() -> Progress {
        Progress { terminal: io::stderr().is_terminal(), drawn_at: None }
    }

    fn draw(&mut self, tally: &Tally) {
        let fresh = self.drawn_at.is_some_and(|at| at.elapsed() < PROGRESS_PERIOD);
        if !self.terminal || fresh {
            return;
        }
        self.drawn_at = Some(Instant::now());
        let link = if tally.connected { "" } else { " (no broker yet)" };
        self.write(&format!("\r\x1b[K{}{link}", summary(tally)));
    }

    fn clear(&mut self) {
        if self.drawn_at.is_some() {
            self.write("\r\x1b[K");
        }
    }

    fn write(&self, text: &str) {
        let mut stderr = io::stderr().lock();
        // A closed terminal stops no replay.
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}
