//! The figures that rules rest on, worked out again by NumPy and SciPy.

use std::path::Path;
use std::process::{Command, Output};

use hallmark_verifier::function::distance_m::distance_m;
use hallmark_verifier::function::power_factor_ppm::power_factor_ppm;
use hallmark_verifier::series::{
    balance, change, digits, lag, level, line, robust, scaled, shape, special, tail,
};
use serde_json::{Value, json};

/// Numbers from 0 to 1, the same each time.
fn uniform(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..count).map(next).collect()
}

/// Nearly normal numbers: sums of twelve.
fn normal(count: usize, seed: u64) -> Vec<f64> {
    uniform(12 * count, seed).chunks(12).map(|part| part.iter().sum::<f64>() - 6.0).collect()
}

fn figure(what: &str, of: Value, out: Value) -> Value {
    json!({ "what": what, "in": of, "out": out })
}

fn tails(figures: &mut Vec<Value>) {
    for (x, k) in [(27.9, 9.0), (3.0, 9.0), (100.0, 9.0), (0.5, 1.0), (1_200.0, 1_000.0)] {
        let out = special::chi_square_tail(x, k);
        figures.push(figure("chi_square_tail", json!([x, k]), json!(out)));
    }
    for z in [0.0, 1.0, 3.0, 6.0, -2.5, 20.0] {
        figures.push(figure("normal_tail", json!([z]), json!(special::normal_tail(z))));
    }
    for (t, k) in [(2.0, 5.0), (0.1, 30.0), (12.0, 100.0), (-3.0, 1.5), (40.0, 2.0)] {
        let out = special::student_two_tails(t, k);
        figures.push(figure("student_two_tails", json!([t, k]), json!(out)));
    }
}

fn location(figures: &mut Vec<Value>, seed: u64) {
    let (a, b) = (uniform(200 + seed as usize % 3, seed), uniform(203, seed + 100));
    let b = b[..a.len()].to_vec();
    let mut sorted = a.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let share = 0.37;
    let quantile = robust::quantile_of_sorted(&sorted, share);
    figures.push(figure("quantile", json!([a, share]), json!(quantile)));
    let (middle, spread) = robust::location(&a);
    figures.push(figure("location", json!([a]), json!([middle, spread])));
    figures.push(figure("deviation", json!([a]), json!(robust::deviation(&a))));
    let r = robust::correlation(&a, &b);
    figures.push(figure("correlation", json!([a, b]), json!(r)));
    let p = shape::correlation_p(r, a.len());
    figures.push(figure("correlation_p", json!([a, b]), json!(p)));
    let difference = shape::scaled_difference(&a, &b);
    figures.push(figure("scaled_difference", json!([a, b]), json!(difference)));
    let shift = seed as usize % 9;
    let late: Vec<f64> = (0..a.len()).map(|at| a[at.saturating_sub(shift)] + 0.1 * b[at]).collect();
    for (own, other) in [(&late, &a), (&a, &late)] {
        let (lag, r) = lag::best_lag(own, other, 12).expect("neither is constant");
        figures.push(figure("best_lag", json!([own, other, 12]), json!([lag, r])));
    }
}

fn steps(figures: &mut Vec<Value>, seed: u64) {
    let mut values = normal(300, seed);
    values[170..].iter_mut().for_each(|value| *value += 1.6);
    for (slack, limit) in [(0.5, 8.0), (0.25, 5.0)] {
        let found = level::cusum(&values, level::Chart { slack, limit });
        let found: Vec<Value> =
            found.iter().map(|step| json!([step.from, step.noticed, step.up])).collect();
        figures.push(figure("cusum", json!([values, slack, limit]), json!(found)));
    }
    let prior = change::Prior { mean: 0.3, weight: 0.1, shape: 1.0, rate: 0.8, hazard: 0.004 };
    let found = change::changes(&values, prior);
    assert!(!found.is_empty(), "a step of 1.6 deviations");
    let of = json!([values, prior.mean, prior.weight, prior.shape, prior.rate, prior.hazard]);
    figures.push(figure("changes", of, json!(found)));
    let equal: Vec<i64> = uniform(200, seed).iter().map(|value| (value * 3.0) as i64).collect();
    let mut start = 0;
    let mut runs = Vec::new();
    for run in equal.chunk_by(|a, b| a == b) {
        if 3 <= run.len() {
            runs.push(json!([start, run.len()]));
        }
        start += run.len();
    }
    figures.push(figure("runs", json!([equal, 3]), json!(runs)));
}

fn shapes(figures: &mut Vec<Value>, seed: u64) {
    // Exponential numbers: a tail of shape 0; with a limit, one far under it.
    let long: Vec<f64> = uniform(400, seed).iter().map(|u| -(1.0 - u).ln()).collect();
    let clipped: Vec<f64> = long.iter().map(|value| value.min(1.2)).collect();
    for (values, threshold) in [(&long, 0.2), (&clipped, 0.2), (&long, 5.0)] {
        let out = tail::pareto(values, threshold).map(|(shape, scale)| vec![shape, scale]);
        figures.push(figure("pareto", json!([values, threshold]), json!(out)));
    }
    let amounts: Vec<i64> = uniform(1_500, seed).iter().map(|u| (u * 9_000.0) as i64).collect();
    let rounded: Vec<i64> = amounts.iter().map(|amount| amount / 5 * 5).collect();
    for values in [&amounts, &rounded, &amounts[..400].to_vec()] {
        let out = digits::last_digits(values).map(|(statistic, p)| vec![statistic, p]);
        figures.push(figure("last_digits", json!([values]), json!(out)));
    }
    let wide: Vec<i64> =
        uniform(1_500, seed).iter().map(|u| 10_f64.powf(1.0 + 5.0 * u) as i64).collect();
    for values in [&wide, &amounts] {
        figures.push(figure("benford", json!([values]), json!(digits::benford(values))));
    }
    let x = uniform(60, seed);
    let noise = normal(60, seed + 7);
    let y: Vec<f64> = x.iter().zip(&noise).map(|(x, noise)| 3.0 + 8.0 * x + noise / 10.0).collect();
    let points: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    let found = line::line(&points).expect("x differ");
    let out = json!([found.slope, found.intercept, found.spread]);
    figures.push(figure("line", json!([x, y]), out));
}

fn copies(figures: &mut Vec<Value>, seed: u64) {
    let mut values: Vec<f64> =
        uniform(240, seed).iter().map(|u| (1_000.0 + 9_000.0 * u).round()).collect();
    for step in 0..70 {
        values[150 + step] = (values[40 + step] * 0.63).round();
    }
    let gate = scaled::Gate { samples_min: 48, difference_max: 0.005, variation_min: 0.1 };
    let found = scaled::search(&values, std::slice::from_ref(&(0..values.len())), gate);
    let lags: Vec<usize> = found.iter().map(|one| one.copy - one.source).collect();
    figures.push(figure("scaled", json!([values, 48, 0.005, 0.1]), json!(lags)));
}

fn parents(figures: &mut Vec<Value>, seed: u64) {
    let use_of =
        |seed| -> Vec<f64> { uniform(300, seed).iter().map(|u| 100.0 + 900.0 * u).collect() };
    let mut children = vec![use_of(seed), use_of(seed + 1), use_of(seed + 2)];
    let noise = normal(300, seed + 3);
    let parent: Vec<f64> = (0..300)
        .map(|at| children.iter().map(|child| child[at]).sum::<f64>() * (1.0 + 0.002 * noise[at]))
        .collect();
    let gain = 0.005;
    let usual = balance::usual(&parent, &children, gain).expect("a parent over 0");
    let mut out = usual.gains.clone();
    out.push(usual.noise);
    figures.push(figure("usual", json!([parent, children, gain]), json!(out)));
    children[1].iter_mut().for_each(|amount| *amount *= 0.95);
    let z = usual.filter(&parent, &children).z();
    let of = json!([parent, children, usual.gains, usual.noise]);
    figures.push(figure("filter_z", of, json!(z)));
}

fn figures() -> Vec<Value> {
    let mut figures = Vec::new();
    tails(&mut figures);
    copies(&mut figures, 1);
    for seed in 1..=5 {
        location(&mut figures, seed);
        steps(&mut figures, seed);
        shapes(&mut figures, seed);
        parents(&mut figures, seed);
    }
    let places =
        [(244_800_000, 1_180_890_000), (312_304_000, 1_214_737_000), (-338_688_000, 1_512_093_000)];
    for from in places {
        for to in places {
            let out = distance_m(from, to);
            figures.push(figure("distance_m", json!([from, to]), json!(out)));
        }
    }
    for (active, reactive) in [(3_170, 2_950), (1, 0), (5, 12), (900_000, 7)] {
        let out = power_factor_ppm(active, reactive);
        figures.push(figure("power_factor_ppm", json!([active, reactive]), json!(out)));
    }
    figures
}

/// What the script says of these figures; `None` with a line where Python is missing.
fn ask(folder: &Path, figures: &[Value]) -> Option<Output> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = tests.join("../target/tools/python/bin/python3");
    if !python.exists() {
        println!("skipped: figures by SciPy, target/tools/python is missing (tests/run makes it)");
        return None;
    }
    let file = folder.join("figures.jsonl");
    let lines: Vec<String> = figures.iter().map(Value::to_string).collect();
    std::fs::write(&file, lines.join("\n")).expect("written");
    let script = tests.join("series/figures.py");
    Some(Command::new(python).arg(script).arg(file).output().expect("Python runs"))
}

#[test]
fn numpy_and_scipy_work_out_the_same_figures_and_notice_another_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut figures = figures();
    let Some(said) = ask(folder.path(), &figures) else { return };
    let words = String::from_utf8_lossy(&said.stdout) + String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && words.contains("of 22 functions agree"), "{words}");
    let at = figures.iter().position(|one| one["what"] == "filter_z").expect("one");
    let z = figures[at]["out"][1].as_f64().expect("a number");
    figures[at]["out"][1] = json!(z * (1.0 + 1e-6));
    figures.swap(0, at);
    let said = ask(folder.path(), &figures).expect("as before");
    let words = String::from_utf8_lossy(&said.stdout);
    assert!(!said.status.success() && words.starts_with("filter_z: "), "{words}");
}
