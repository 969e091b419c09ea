//! What one scanned line costs, from its bytes to its canonical identifier.
//!
//! `cargo bench -p hallmark-schemas --bench gs1 [-- COUNT]` prints microseconds an item on one
//! core for each writing and for all in turn, the fastest of five rounds. The bound: 20
//! microseconds an item. Exit code 1 if any writing is slower.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use hallmark_schemas::gs1::scan;

/// Items of one run unless the command line says otherwise.
const COUNT: usize = 200_000;
/// Rounds that share them; what else runs on the machine slows some down.
const ROUNDS: usize = 5;
/// Longest that an item may take, in microseconds.
const MICROSECONDS_MAX: f64 = 20.0;

/// The writings: what it is, and the line.
const LINES: [(&str, &str); 8] = [
    ("element string, symbology ]d2", "]d201095060001343521728022810A1\u{1d}21SN-0000000001"),
    ("element string with brackets", "(01)09506000134352(17)280228(10)A1(21)SN-0000000001"),
    ("element string of ten elements", LONG),
    ("Digital Link", "https://example.com/01/09506000134352/10/A1/21/SN-0000000001?17=280228"),
    (
        "Digital Link, much to decode",
        "https://example.com/a/b/c/01/09506000134352/21/%21%22%25%26%2F",
    ),
    ("EPC URN", "urn:epc:id:sgtin:9506000.013435.SN-0000000001"),
    ("bare GTIN", "9506000134352"),
    ("drug traceability code", "81234567890123456789"),
];

const LONG: &str = "^010950600013435211260228152802283102001500392912345^422156^10LOT-0001^\
                    21SERIAL-000000001^240ADDITIONAL^7030156ABC^99INTERNAL";

fn main() -> ExitCode {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(COUNT);
    let mut slowest = 0.0_f64;
    for (name, line) in LINES {
        let each = microseconds(count, &[line]);
        slowest = slowest.max(each);
        println!("{name:<32} {each:>6.2} µs an item");
    }
    let lines = LINES.map(|(_, line)| line);
    println!("{:<32} {:>6.2} µs an item", "all in turn", microseconds(count, &lines));
    println!("slowest {slowest:.2} µs, bound {MICROSECONDS_MAX:.0} µs");
    if slowest < MICROSECONDS_MAX { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Time for each of `count` items, the lines in turn, in the fastest round.
fn microseconds(count: usize, lines: &[&str]) -> f64 {
    let each = (count / ROUNDS).max(1);
    let rounds = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        for index in 0..each {
            let found = scan::decode(black_box(lines[index % lines.len()]));
            let found = found.unwrap_or_else(|found| unreachable!("a line is refused: {found:?}"));
            black_box(found.content.canonical());
        }
        began.elapsed().as_secs_f64() * 1e6 / each as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}
