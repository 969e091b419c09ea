//! `hallmark-verify evaluate`: what the meter rules notice of known attacks.

use std::fmt::Write as _;

use hallmark_schemas::exit::Exit;

use super::check::{load_tables, write_stdout};
use crate::cli::{EvaluateArgs, Format};
use crate::evaluate::attack::{ATTACKS, Attack};
use crate::evaluate::{Evaluation, Figure, Options, evaluate};
use crate::failure::Failure;

/// Puts the attacks into the tables and prints what the rules say.
pub fn run(args: &EvaluateArgs) -> Result<Exit, Failure> {
    let attacks = attacks(&args.attacks)?;
    let tables = load_tables(&args.tables)?;
    if tables.rows("meter_readings") == 0 {
        return Err(Failure::new(Exit::Input, "there are no readings to try attacks on")
            .help("give them with `--table meter_readings=FILE`"));
    }
    let options = Options { attacks, seed: args.seed, memory_max: args.memory };
    let mut told = |what: &str| eprintln!("{what} ...");
    let found = evaluate(&tables, &options, &mut told)
        .map_err(|error| Failure::fault("failed to judge").because(&error))?;
    if found.figures.is_empty() {
        let why = "no meter has 63 whole days and a whole week after them";
        return Err(Failure::new(Exit::Incomplete, format!("nothing could be tried: {why}"))
            .help("give readings of ten weeks or more, at least 24 a day, without gaps"));
    }
    let out = match args.format {
        Format::Text => text(&found, args.seed),
        Format::Json => format!("{}\n", serde_json::to_string(&found).expect("texts and numbers")),
    };
    write_stdout(out.as_bytes())?;
    Ok(Exit::Done)
}

fn attacks(names: &[String]) -> Result<Vec<Attack>, Failure> {
    if names.iter().any(|name| name == "all") {
        return Ok(ATTACKS.to_vec());
    }
    let named = |name: &String| {
        Attack::named(name).ok_or_else(|| {
            let all: Vec<&str> = ATTACKS.iter().map(|attack| attack.name()).collect();
            Failure::usage(format!("there is no attack `{name}`"))
                .help(format!("the attacks are {}", all.join(", ")))
        })
    };
    names.iter().map(named).collect()
}

fn text(found: &Evaluation, seed: u64) -> String {
    let mut out = String::new();
    for parent in [false, true] {
        let figures: Vec<&Figure> =
            found.figures.iter().filter(|figure| figure.parent == parent).collect();
        if figures.is_empty() {
            continue;
        }
        let heading = if parent { "Below a signed parent meter" } else { "One meter alone" };
        let _fmt = writeln!(out, "{heading}, seed {seed}");
        let _fmt = writeln!(
            out,
            "{:<9} {:<8} {:>7} {:>7} {:>10} {:>6} {:>6}",
            "attack", "rule", "scenes", "recall", "precision", "AUC", "days"
        );
        for figure in figures {
            let optional = |value: Option<f64>, digits| {
                value.map_or("-".to_owned(), |v| format!("{v:.digits$}"))
            };
            let _fmt = writeln!(
                out,
                "{:<9} {:<8} {:>7} {:>7.3} {:>10} {:>6.3} {:>6}",
                figure.attack,
                figure.rule,
                figure.scenes,
                figure.recall,
                optional(figure.precision, 3),
                figure.auc,
                optional(figure.days_to_detection, 1),
            );
        }
        out.push('\n');
    }
    out.push_str("The untouched table\nrule       errors warnings notes a device-year\n");
    for one in &found.untouched {
        let count = |name| one.findings.get(name).copied().unwrap_or(0);
        let _fmt = writeln!(
            out,
            "{:<10} {:>6} {:>8} {:>5} {:>13.2}",
            one.rule,
            count("error"),
            count("warning"),
            count("note"),
            one.false_a_year
        );
    }
    let years = found.untouched.first().map_or(0.0, |one| one.device_years);
    let _fmt = writeln!(out, "\n{} series, {years:.2} device-years", found.meters);
    out
}
