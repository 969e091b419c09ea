//! `hallmark-verify check`: load, prove, tabulate, judge, report.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::time::Timestamp;

use super::onlooker::Onlooker;
use crate::cli::{CaseArgs, CheckArgs, ReportFormat};
use crate::failure::Failure;
use crate::finding::Severity;
use crate::judge::progress::Progress;
use crate::judge::{Judge, JudgeOptions};
use crate::load;
use crate::pack::Pack;
use crate::prove;
use crate::report::{Report, Style, csv, html, json, sarif, text};
use crate::table::TableSet;
use crate::tabulate;

/// Checks the inputs and writes the report.
pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    if args.plain && args.report != ReportFormat::Csv {
        return Err(Failure::usage("--plain is of CSV alone").help("give `--report csv --plain`"));
    }
    refuse_stdin_twice(&args.inputs, &args.case.tables)?;
    let judge = judge(&args.case.packs)?;
    let (report, tables) = checked(&args.inputs, &args.case, &judge, args.fail_on.severity())?;
    let to_stdout = args.output.as_deref().is_none_or(|path| path == Path::new("-"));
    let style = Style {
        color: to_stdout && io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    let written = match args.report {
        ReportFormat::Text => text::write(&report, style),
        ReportFormat::Json => json::write(&report),
        ReportFormat::Sarif => sarif::write(&report, judge.packs()),
        ReportFormat::Html => html::write(&report, judge.packs(), &tables),
        ReportFormat::Csv => csv::write(&report, args.plain),
    };
    match args.output.as_deref().filter(|_| !to_stdout) {
        Some(path) => {
            fs::write(path, written).map_err(|error| {
                Failure::usage(format!("failed to write {}", path.display()))
                    .because(&error)
                    .help("give `-o` a file in a folder that you may write")
            })?;
            eprintln!("{}", report.verdict.sentence);
        }
        None => write_stdout(written.as_bytes())?,
    }
    Ok(report.exit)
}

pub(crate) fn refuse_stdin_twice(
    inputs: &[PathBuf],
    tables: &[load::TableFile],
) -> Result<(), Failure> {
    let paths = inputs.iter().chain(tables.iter().map(|file| &file.path));
    match paths.filter(|path| *path == Path::new("-")).count() {
        0 | 1 => Ok(()),
        count => Err(Failure::usage(format!("`-` is given {count} times, stdin is read once"))
            .help("write the others to files and give their names")),
    }
}

/// A closed pipe, such as `| head`, is no failure; a full disk is.
pub(crate) fn write_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Busy, "cannot write to stdout")
                .because(&error)
                .help("free space or write elsewhere, then give the command again"))
        }
        _ => Ok(()),
    }
}

/// The tables with what the map says of them.
fn mapped(files: &[load::TableFile], map: Option<&Path>) -> Result<Vec<load::TableFile>, Failure> {
    let map = map.map(load::read_map).transpose().map_err(|error| unreadable(&error))?;
    let mapped = |file: &load::TableFile| match &map {
        Some(map) => load::TableFile { map: map.of(file.table), ..file.clone() },
        None => file.clone(),
    };
    Ok(files.iter().map(mapped).collect())
}

/// The built-in rules and those of these folders.
pub(crate) fn judge(folders: &[PathBuf]) -> Result<Judge, Failure> {
    let fault = |error: &dyn std::error::Error| Failure::fault(error.to_string());
    let packs = vec![Pack::core().map_err(|error| fault(&error).because(&error))?];
    let ours: Vec<_> = packs.iter().map(|pack| pack.digest).collect();
    for folder in folders {
        let pack = Pack::read(folder).map_err(|error| {
            Failure::usage(format!("{} is no rule pack", folder.display()))
                .because(&error)
                .help("`hallmark-verify rules test DIR` says what is wrong with a pack")
        })?;
        // The query engine is no authorization boundary.
        if !ours.contains(&pack.digest) {
            let strange = format!("the pack {} is none of those built in", folder.display());
            return Err(Failure::usage(format!(
                "{strange}, and this program has no jail to run it in"
            ))
            .help("run your own rules with `hallmark-verify rules test DIR`"));
        }
    }
    Judge::new(packs).map_err(|error| {
        Failure::usage("the rules cannot be used")
            .because(&error)
            .help("`hallmark-verify tables` lists the columns that a rule may read")
    })
}

fn unreadable(error: &load::LoadError) -> Failure {
    let (exit, help) = (error.exit(), error.help());
    let failure = Failure::new(exit, error);
    match std::error::Error::source(error) {
        Some(cause) => failure.because(cause).help(help),
        None => failure.help(help),
    }
}

/// The tables in these files, as they stand; a row that cannot be read is an error.
pub(crate) fn load_tables(files: &[load::TableFile]) -> Result<TableSet, Failure> {
    let evidence = load::load(&[], files).map_err(|error| unreadable(&error))?;
    if let Some((source, fault)) =
        evidence.sources.iter().find_map(|source| Some((source, source.faults.first()?)))
    {
        return Err(Failure::new(Exit::Input, format!("{}: {fault}", source.name))
            .help("`hallmark-verify tables meter_readings` lists the columns and units"));
    }
    evidence.tables.sorted().map_err(|error| Failure::fault("failed to sort").because(&error))
}

/// Loads, proves, tabulates and judges; the tables are those that were judged.
pub(crate) fn checked(
    inputs: &[PathBuf],
    case: &CaseArgs,
    judge: &Judge,
    fail_on: Severity,
) -> Result<(Report, TableSet), Failure> {
    let files = mapped(&case.tables, case.map.as_deref())?;
    let evidence = load::load(inputs, &files).map_err(|error| unreadable(&error))?;
    let sources = evidence.sources.clone();
    let proven = prove::prove(evidence);
    let tables = tabulate::tabulate(&proven)
        .map_err(|error| Failure::fault("failed to build the tables").because(&error))?;
    let as_of = case.at.or(proven.as_of).unwrap_or(Timestamp::EPOCH);
    let options = JudgeOptions { as_of, memory_max: case.memory, only: None };
    let progress = Arc::new(Progress::default());
    let onlooker = Onlooker::new(&progress);
    let judged = judge
        .run_watched(&tables, &options, &progress)
        .map_err(|error| Failure::fault("failed to judge").because(&error))?;
    drop(onlooker);
    let report = Report::new(sources, &proven, &tables, judged, as_of, fail_on);
    Ok((report, tables))
}
