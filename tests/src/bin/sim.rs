//! `sim`: worlds of simulated nodes, faults and a liar, from their seeds.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use hallmark_tests::sim::{self, Broken, STEPS};

const EXAMPLES: &str = "\
Examples:
  sim --seed 42                    one world; its trace hash is the same on any machine
  sim --seed 42 --trace            the same, and what happened in it if a promise broke
  sim --seeds 0..100000            many, on all cores, until the first that fails
  sim --for 2m                     fresh seeds for two minutes; says the first
  sim --for 2m --from 42           seeds from 42 on, as far as two minutes go
  sim --regressions                the seeds that once found something
  sim --mutants                    each promise broken on purpose must be noticed (feature `mutants`)

Exit code: 0 all promises held, 1 one was broken (its seed is printed as a command), 2 command line.";

/// Simulates nodes under faults and checks after every step that no promise is broken.
#[derive(Debug, Parser)]
#[command(name = "sim", after_help = EXAMPLES)]
struct Options {
    /// One world.
    #[arg(long, conflicts_with_all = ["seeds", "for_", "regressions", "mutants"])]
    seed: Option<u64>,
    /// Worlds A to B, without B.
    #[arg(long, value_name = "A..B", value_parser = range)]
    seeds: Option<std::ops::Range<u64>>,
    /// Fresh worlds for so long, such as `90s` or `2m`.
    #[arg(long = "for", id = "for_", value_name = "TIME", value_parser = time)]
    for_: Option<Duration>,
    /// With `--for`: the first seed, instead of a fresh one.
    #[arg(long, value_name = "SEED", requires = "for_")]
    from: Option<u64>,
    /// Things that happen in a world before it is healed.
    #[arg(long, default_value_t = STEPS)]
    steps: u64,
    /// The seeds of `tests/src/sim/regressions.txt`.
    #[arg(long)]
    regressions: bool,
    /// Breaks each promise of the node in turn and shows that a seed notices. Needs a build with
    /// `--features hallmark-tests/mutants`.
    #[arg(long)]
    mutants: bool,
    /// With `--mutants`: only this one.
    #[arg(long, value_name = "NAME", requires = "mutants")]
    only: Option<String>,
    /// Tells what happened in a world whose promise broke.
    #[arg(long)]
    trace: bool,
}

fn range(text: &str) -> Result<std::ops::Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("two numbers with `..` between them")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    Ok(number(from)?..number(to)?)
}

fn time(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.strip_suffix('s').ok_or("a number with `s` or `m`")?, 1),
    };
    let number: u64 = number.parse().map_err(|_| "a whole number with `s` or `m`".to_owned())?;
    Ok(Duration::from_secs(number * unit))
}

/// Runs worlds on all cores until one breaks, the seeds are used up or the time is over.
fn run_many(
    next: impl Fn() -> Option<(u64, u64)> + Sync,
    end: Option<Instant>,
) -> (u64, Option<Broken>) {
    let (count, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let broken: Mutex<Option<Broken>> = Mutex::new(None);
    let work = || {
        hallmark_schemas::verdicts::remember();
        while !over.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
            let Some((seed, steps)) = next() else { return };
            if let Err(found) = sim::run(seed, steps, false) {
                over.store(true, Ordering::Relaxed);
                let mut broken = broken.lock().unwrap_or_else(PoisonError::into_inner);
                broken.get_or_insert(found);
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    (count.into_inner(), broken.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn tell(broken: &Broken, with_trace: bool) {
    if with_trace {
        let trace = match sim::run(broken.seed, broken.steps, true) {
            Err(again) => again.trace,
            Ok(_) => Vec::new(),
        };
        trace.iter().for_each(|line| println!("{line}"));
    }
    let (seed, steps) = (broken.seed, broken.steps);
    println!("broken: {}", broken.what);
    println!(
        "again: cargo run -p hallmark-tests --bin sim -- --seed {seed} --steps {steps} --trace"
    );
}

fn one(options: &Options, seed: u64) -> ExitCode {
    match sim::run(seed, options.steps, false) {
        Ok(ran) => {
            let (hash, ms) = (ran.hash, ran.virtual_ms);
            println!("seed {seed}: trace {hash:016x}, {ms} virtual ms, all promises held");
            ExitCode::SUCCESS
        }
        Err(broken) => {
            tell(&broken, options.trace);
            ExitCode::from(1)
        }
    }
}

/// A seed that was hardly ever run before.
fn fresh() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) << 20
}

fn many(options: &Options) -> ExitCode {
    let began = Instant::now();
    let steps = options.steps;
    let (count, broken) = if options.regressions {
        let at = AtomicU64::new(0);
        run_many(|| sim::regressions().nth(at.fetch_add(1, Ordering::Relaxed) as usize), None)
    } else if let Some(seeds) = &options.seeds {
        let at = AtomicU64::new(seeds.start);
        let next = || {
            let seed = at.fetch_add(1, Ordering::Relaxed);
            (seed < seeds.end).then_some((seed, steps))
        };
        run_many(next, None)
    } else {
        let wait = options.for_.unwrap_or(Duration::from_secs(10));
        let first = options.from.unwrap_or_else(fresh);
        println!("seeds from {first} on for {} s", wait.as_secs());
        let at = AtomicU64::new(first);
        run_many(|| Some((at.fetch_add(1, Ordering::Relaxed), steps)), Some(began + wait))
    };
    let seconds = began.elapsed().as_secs_f64();
    match broken {
        None => {
            let rate = count as f64 / seconds;
            println!("{count} seeds in {seconds:.1} s ({rate:.1} a second), all promises held");
            ExitCode::SUCCESS
        }
        Some(broken) => {
            println!("{count} seeds in {seconds:.1} s, one broke a promise");
            tell(&broken, options.trace);
            ExitCode::from(1)
        }
    }
}

#[cfg(not(feature = "mutants"))]
fn mutants(_: &Options) -> ExitCode {
    eprintln!("error: this build breaks no promises");
    eprintln!("help: cargo run -p hallmark-tests --features mutants --bin sim -- --mutants");
    ExitCode::from(2)
}

#[cfg(feature = "mutants")]
fn mutants(options: &Options) -> ExitCode {
    use hallmark_node::mutants::{MUTANTS, choose};
    /// Seeds that a mutant has to be noticed.
    const SEEDS: u64 = 1000;
    let mut unnoticed = 0;
    for mutant in
        MUTANTS.iter().filter(|one| options.only.as_ref().is_none_or(|only| only == one.name))
    {
        choose(Some(mutant.name));
        let at = AtomicU64::new(0);
        let next = || {
            let seed = at.fetch_add(1, Ordering::Relaxed);
            (seed < SEEDS).then_some((seed, options.steps))
        };
        let began = Instant::now();
        let (count, broken) = run_many(next, None);
        let seconds = began.elapsed().as_secs_f64();
        match broken {
            Some(broken) => {
                let (seed, what) = (broken.seed, broken.what);
                println!("{}: noticed by seed {seed}, {seconds:.1} s: {what}", mutant.name);
            }
            None => {
                unnoticed += 1;
                println!("{}: NOT noticed by {count} seeds: {}", mutant.name, mutant.breaks);
            }
        }
    }
    choose(None);
    println!("{} promises broken on purpose, {unnoticed} not noticed", MUTANTS.len());
    ExitCode::from(u8::from(0 < unnoticed))
}

fn main() -> ExitCode {
    let options = Options::parse();
    if options.trace {
        // What the nodes say goes to stderr, what happened to them to stdout.
        tracing_subscriber::fmt().with_writer(std::io::stderr).without_time().init();
    }
    match options.seed {
        Some(seed) => one(&options, seed),
        None if options.mutants => mutants(&options),
        None => many(&options),
    }
}
