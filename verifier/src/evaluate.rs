//! What the rules notice of known attacks on real readings, and what they say of honest ones.
//!
//! A *scene* is nine clean weeks of one meter and the week (or month) after them, as it was or
//! forged. Each attack is put into every scene that the table has, the rules judge them all at once,
//! and what they say of the forged time is counted. So no scene spoils another one's past, and the
//! same seed gives the same figures on any machine.
//!
//! - recall: forged scenes in which the rule fired within the forged time, of all forged scenes;
//! - precision: forged scenes in which it fired, of all in which it fired, as many being clean;
//! - AUC: chance that a forged scene scores over a clean one (half where equal), with the rule's
//!   statistic as score where it states one, else with whether it fired;
//! - days: from the begin of the attack until it was noticed, the median;
//! - false a year: findings of the rule on the whole untouched table, by device-year of readings.
//!
//! Rules that compare sites (scope `network`) are not tried: scenes of one meter share days.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::table::Rows;
use hallmark_schemas::time::Timestamp;
use serde::Serialize;

use crate::finding::{Finding, Severity};
use crate::judge::bucket::Scope;
use crate::judge::{Judge, JudgeError, JudgeOptions, Judged};
use crate::pack::{Pack, ParameterValue, Rule};
use crate::table::TableSet;

pub mod attack;
pub mod meters;
mod scene;

use attack::Attack;
use meters::Meter;
use scene::{Forged, Scene};

/// Milliseconds of a day.
const DAY_MS: f64 = 86_400_000.0;
/// Days of a year.
const YEAR_DAYS: f64 = 365.25;

/// What to try.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which attacks.
    pub attacks: Vec<Attack>,
    /// Decides all that the attacks leave to chance.
    pub seed: u64,
    /// Bytes that queries may use.
    pub memory_max: usize,
}

/// The figures of one rule under one attack.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The attack.
    pub attack: &'static str,
    /// Whether a signed parent meter stood above the forged one.
    pub parent: bool,
    /// The rule.
    pub rule: String,
    /// Forged scenes.
    pub scenes: usize,
    /// Forged scenes in which it fired.
    pub found: usize,
    /// Clean scenes in which it fired, of as many.
    pub false_scenes: usize,
    /// Share of forged scenes in which it fired.
    pub recall: f64,
    /// None where it never fired.
    pub precision: Option<f64>,
    /// Chance that a forged scene scores over a clean one.
    pub auc: f64,
    /// None where it never fired.
    pub days_to_detection: Option<f64>,
}

/// What a rule says of the untouched table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Untouched {
    /// The rule.
    pub rule: String,
    /// Its findings, by severity.
    pub findings: BTreeMap<&'static str, usize>,
    /// Device-years of readings.
    pub device_years: f64,
    /// Findings a device-year.
    pub false_a_year: f64,
}

/// All figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Meters that have whole weeks after a past.
    pub meters: usize,
    /// By attack and rule; rules that never fired on forged or clean scenes are left out.
    pub figures: Vec<Figure>,
    /// By rule.
    pub untouched: Vec<Untouched>,
}

/// Puts each attack into every scene and counts. `told` hears what is done next.
pub fn evaluate(
    tables: &TableSet,
    options: &Options,
    told: &mut dyn FnMut(&str),
) -> Result<Evaluation, JudgeError> {
    let meters = meters::meters(tables).map_err(JudgeError::Divide)?;
    told("the untouched table");
    let honest = judge(tables, options, false)?;
    let untouched = untouched(&honest, &meters);
    let mut figures = Vec::new();
    for parent in [false, true] {
        let scenes = if parent { scene::with_parent(&meters) } else { scene::alone(&meters) };
        if scenes.is_empty() {
            continue;
        }
        let lengths: BTreeSet<usize> = options.attacks.iter().map(|one| one.days()).collect();
        let mut clean: BTreeMap<usize, Scored> = BTreeMap::new();
        for days in lengths {
            told(&format!("{} clean scenes of {days} days{}", scenes.len(), below(parent)));
            clean.insert(days, scored(&scenes, &meters, (None, days), options)?);
        }
        for attack in &options.attacks {
            let days = attack.days();
            told(&format!("{}{}", attack.name(), below(parent)));
            let forged = scored(&scenes, &meters, (Some(*attack), days), options)?;
            if !forged.is_empty() {
                figures.extend(compare(*attack, parent, &clean[&days], &forged));
            }
        }
    }
    Ok(Evaluation { meters: meters.len(), figures, untouched })
}

const fn below(parent: bool) -> &'static str {
    if parent { ", below a parent meter" } else { "" }
}

fn judge(tables: &TableSet, options: &Options, relaxed: bool) -> Result<Judged, JudgeError> {
    let mut pack = Pack::core().map_err(JudgeError::Pack)?;
    if relaxed {
        // Every week is to state its score, found or not.
        if let Some(parameter) = pack.parameters.get_mut("unlike_report_milli") {
            parameter.value = ParameterValue::Integer(0);
        }
    }
    // Scenes of one meter share days: a rule that compares sites would find each in the next one.
    let is_tried =
        |rule: &&Rule| rule.header.code.starts_with("MTR-") && rule.header.scope != Scope::Network;
    let only = pack.rules.iter().filter(is_tried).map(|rule| rule.header.code.clone()).collect();
    let only = Some(only);
    let as_of = crate::cases::newest(tables);
    Judge::new(vec![pack])?
        .run(tables, &JudgeOptions { as_of, memory_max: options.memory_max, only })
}

fn untouched(honest: &Judged, meters: &[Meter]) -> Vec<Untouched> {
    let days: usize = meters.iter().map(|meter| meter.days.len()).sum();
    let device_years = days as f64 / YEAR_DAYS;
    let mut rules: BTreeMap<&str, BTreeMap<&'static str, usize>> =
        honest.rules_run.iter().map(|code| (code.as_str(), BTreeMap::new())).collect();
    for finding in &honest.findings {
        let name = match finding.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        *rules.entry(&finding.code).or_default().entry(name).or_default() += 1;
    }
    let rate = |count: usize| if 0.0 < device_years { count as f64 / device_years } else { 0.0 };
    rules
        .into_iter()
        .map(|(rule, findings)| Untouched {
            rule: rule.to_owned(),
            false_a_year: rate(findings.values().sum()),
            findings,
            device_years,
        })
        .collect()
}

/// What a rule said of one scene.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    fired: bool,
    score: i64,
    /// Milliseconds from the begin of the attack.
    after_ms: Option<f64>,
}

/// By rule, for each scene what it said of the time in question.
type Scored = BTreeMap<String, Vec<Said>>;

/// Judges all scenes, forged by an attack or as they were for so many days. Scenes that it cannot be
/// put into are left out.
fn scored(
    scenes: &[Scene],
    meters: &[Meter],
    attack: (Option<Attack>, usize),
    options: &Options,
) -> Result<Scored, JudgeError> {
    let mut tables = TableSet::new();
    let mut forged: Vec<Forged> = Vec::new();
    for (number, one) in scenes.iter().enumerate() {
        let seed = options.seed.wrapping_add(number as u64);
        let mut rows = Rows::new();
        if let Some(one) = one.forge(meters, attack, seed, number, &mut rows) {
            tables.add_rows(rows).map_err(JudgeError::Divide)?;
            forged.push(one);
        }
    }
    let mut scored: Scored = BTreeMap::new();
    if forged.is_empty() {
        return Ok(scored);
    }
    let tables = tables.sorted().map_err(JudgeError::Divide)?;
    let judged = judge(&tables, options, true)?;
    let place: BTreeMap<&str, usize> =
        forged.iter().enumerate().map(|(place, one)| (one.device.as_str(), place)).collect();
    for code in &judged.rules_run {
        scored.insert(code.clone(), vec![Said::default(); forged.len()]);
    }
    for finding in &judged.findings {
        let Some(place) = place.get(finding.subject.as_str()) else {
            continue;
        };
        if let Some(said) = scored.get_mut(&finding.code) {
            hear(&mut said[*place], finding, &forged[*place]);
        }
    }
    Ok(scored)
}

fn hear(said: &mut Said, finding: &Finding, forged: &Forged) {
    let (Some(start), Some(end)) = (finding.period_start, finding.period_end) else {
        return;
    };
    if end <= forged.start || forged.end <= start {
        return;
    }
    let number = |name: &str| finding.columns.get(name).and_then(serde_json::Value::as_i64);
    let score = number("statistic_ppm");
    let fired = match (score, number("threshold_ppm")) {
        (Some(score), Some(threshold)) => threshold <= score,
        _ => true,
    };
    said.score = said.score.max(score.unwrap_or(1).max(1));
    if fired {
        said.fired = true;
        let noticed = finding.columns.get("noticed_at").and_then(|at| at.as_str());
        let noticed = noticed.and_then(|at| Timestamp::parse(at).ok()).unwrap_or(end);
        let after = noticed.ms_since(forged.start) as f64;
        said.after_ms = Some(said.after_ms.map_or(after, |before| before.min(after)));
    }
}

fn compare(attack: Attack, parent: bool, clean: &Scored, forged: &Scored) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (rule, said) in forged {
        let none = Vec::new();
        let before = clean.get(rule).unwrap_or(&none);
        let count = |said: &[Said]| said.iter().filter(|one| one.fired).count();
        let (found, false_scenes) = (count(said), count(before));
        if found == 0 && said.iter().chain(before).all(|one| one.score == 0) {
            continue;
        }
        // As many clean scenes as forged ones, in proportion.
        let clean_rate = false_scenes as f64 / (before.len().max(1)) as f64;
        let recall = found as f64 / said.len() as f64;
        let fired = recall + clean_rate;
        let mut after: Vec<f64> = said.iter().filter_map(|one| one.after_ms).collect();
        let days = (!after.is_empty()).then(|| crate::series::robust::median(&mut after) / DAY_MS);
        figures.push(Figure {
            attack: attack.name(),
            parent,
            rule: rule.clone(),
            scenes: said.len(),
            found,
            false_scenes,
            recall: rounded(recall),
            precision: (0.0 < fired).then(|| rounded(recall / fired)),
            auc: rounded(auc(before, said)),
            days_to_detection: days.map(|days| libm::round(days * 10.0) / 10.0),
        });
    }
    figures
}

/// Mann and Whitney: the share of pairs in which the forged one scores higher.
fn auc(clean: &[Said], forged: &[Said]) -> f64 {
    let mut scores: Vec<i64> = clean.iter().map(|said| said.score).collect();
    scores.sort_unstable();
    let above: f64 = forged
        .iter()
        .map(|said| {
            let below = scores.partition_point(|score| *score < said.score);
            let equal = scores.partition_point(|score| *score <= said.score) - below;
            below as f64 + equal as f64 / 2.0
        })
        .sum();
    above / (clean.len() * forged.len()).max(1) as f64
}

fn rounded(value: f64) -> f64 {
    libm::round(value * 1000.0) / 1000.0
}
