//! `hallmark-verify rules`: lists, shows, starts and tests rules.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use hallmark_schemas::exit::Exit;

use super::check::write_stdout;
use crate::cases;
use crate::catalogue::RuleView;
use crate::cli::{Format, RulesArgs, RulesCommand};
use crate::failure::Failure;
use crate::pack::{Pack, PackError, check_place};

/// What a new rule starts from: it passes every check, and its author replaces all of it.
const TEMPLATE: &str = include_str!("rules/template.sql");
/// The cases of [`TEMPLATE`].
const TEMPLATE_CASES: &str = include_str!("rules/template.cases.md");

/// Runs one of the four.
pub fn run(args: &RulesArgs) -> Result<Exit, Failure> {
    match &args.command {
        RulesCommand::List { format } => list(*format),
        RulesCommand::Show { code } => show(code),
        RulesCommand::New { folder, code, slug } => new(folder, code, slug),
        RulesCommand::Test { folder, format } => test(folder.as_deref(), *format),
    }
}

fn core() -> Result<Pack, Failure> {
    Pack::core().map_err(|error| Failure::fault("the built-in rules are not valid").because(&error))
}

fn read(folder: &Path) -> Result<Pack, Failure> {
    Pack::read(folder).map_err(|error| {
        let help = match &error {
            PackError::NoManifest | PackError::Read { .. } => {
                "`hallmark-verify rules new DIR CODE SLUG` starts a pack"
            }
            _ => "`hallmark-verify rules show MTR-005` shows a rule that is right",
        };
        Failure::usage(format!("{} is no rule pack", folder.display())).because(&error).help(help)
    })
}

fn list(format: Format) -> Result<Exit, Failure> {
    let pack = core()?;
    let mut out = String::new();
    for rule in &pack.rules {
        let view = RuleView::new(&pack, rule);
        let _fmt = match format {
            Format::Json => {
                writeln!(out, "{}", serde_json::to_string(&view).expect("texts and numbers"))
            }
            Format::Text => writeln!(
                out,
                "{:8} {:8} {:14} {:9} {}",
                view.code, view.severity, view.class, view.scope, view.title
            ),
        };
    }
    if format == Format::Text {
        let _fmt = writeln!(out, "{} rules", pack.rules.len());
    }
    write_stdout(out.as_bytes())?;
    Ok(Exit::Done)
}

fn show(code: &str) -> Result<Exit, Failure> {
    let pack = core()?;
    let rule = pack.rule(&code.to_ascii_uppercase()).ok_or_else(|| {
        let near = pack
            .rules
            .iter()
            .map(|rule| rule.header.code.as_str())
            .min_by_key(|known| strsim::damerau_levenshtein(known, code));
        Failure::usage(format!("no rule has the code {code}"))
            .help(format!("the nearest is {}; `rules list` shows all", near.unwrap_or("none")))
    })?;
    write_stdout(rule.text.as_bytes())?;
    Ok(Exit::Done)
}

/// Writes a rule and its cases into a pack, which it starts where there is none.
fn new(folder: &Path, code: &str, slug: &str) -> Result<Exit, Failure> {
    let family = code.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let file = format!("{family}/{code}-{slug}.sql");
    let plain =
        slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if let Some(problem) = check_place(&file, code).err().or_else(|| {
        (!plain || slug.is_empty()).then(|| format!("the slug {slug:?} is not like \"night-load\""))
    }) {
        return Err(
            Failure::usage(problem).help("hallmark-verify rules new DIR ABC-001 night-load")
        );
    }
    let (place, rule) = (folder.join(&family), folder.join(&file));
    let fault = |error: &std::io::Error| {
        Failure::usage(format!("failed to write {}", rule.display()))
            .because(error)
            .help("give a folder that you may write, and a rule that is not there yet")
    };
    fs::create_dir_all(&place).map_err(|error| fault(&error))?;
    let manifest = folder.join("pack.toml");
    if !manifest.exists() {
        let name = folder.file_name().map_or("own".into(), |name| name.to_string_lossy());
        let text = format!("name = {name:?}\nversion = \"0.1.0\"\njurisdiction = \"any\"\n");
        fs::write(&manifest, text).map_err(|error| fault(&error))?;
    }
    let cases = place.join(format!("{code}-{slug}.cases.md"));
    for (path, text) in [(&rule, TEMPLATE), (&cases, TEMPLATE_CASES)] {
        let mut file = fs::File::create_new(path).map_err(|error| fault(&error))?;
        std::io::Write::write_all(&mut file, text.replace("XXX-000", code).as_bytes())
            .map_err(|error| fault(&error))?;
    }
    read(folder)?;
    let said = format!(
        "{}\n{}\nwritten; change both, then run `hallmark-verify rules test {}`\n",
        rule.display(),
        cases.display(),
        folder.display()
    );
    write_stdout(said.as_bytes())?;
    Ok(Exit::Done)
}

fn test(folder: Option<&Path>, format: Format) -> Result<Exit, Failure> {
    let pack = folder.map_or_else(core, read)?;
    let results = cases::test(pack).map_err(|error| {
        Failure::usage("the rules cannot be used")
            .because(&error)
            .help("`hallmark-verify tables` lists the columns that a rule may read")
    })?;
    let failed = results.iter().filter(|result| result.fault.is_some()).count();
    let mut out = String::new();
    for result in &results {
        let _fmt = match (format, &result.fault) {
            (Format::Json, _) => {
                writeln!(out, "{}", serde_json::to_string(result).expect("texts"))
            }
            (Format::Text, None) => writeln!(out, "ok   {} {}", result.code, result.case),
            (Format::Text, Some(fault)) => {
                writeln!(out, "FAIL {} {}\n     {fault}", result.code, result.case)
            }
        };
    }
    if format == Format::Text {
        let rules = cases::tally(&results).len();
        let _fmt = writeln!(out, "{} cases of {rules} rules, {failed} failed", results.len());
    }
    write_stdout(out.as_bytes())?;
    Ok(if failed == 0 { Exit::Done } else { Exit::Found })
}
