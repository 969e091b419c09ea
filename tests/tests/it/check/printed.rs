//! What a page says that a print means, held against the address that has it.

use hallmark_node::passport::printed::{Meaning, meaning};
use hallmark_node::passport::view::print::Attribute;

use super::shown::{page_of, with_shown};
use super::*;

/// Values of every form, each with one that it does not mean.
const VALUES: [(&str, &str, &str); 18] = [
    ("17", "271231", "2027-12-30"),
    ("17", "271200", "2027-12-01"),
    ("7003", "2712311430", "2027-12-31 14:31"),
    ("4324", "2712319999", "2027-12-31 00:00"),
    ("7007", "270101270103", "2027-01-01 – 2027-01-04"),
    ("8008", "27010114", "2027-01-01 15 h"),
    ("7250", "19990228", "1999-03-28"),
    ("3103", "000500", "0.5 kg"),
    ("3103", "000501", "0.501 lb"),
    ("3100", "000500", "50 kg"),
    ("3105", "000001", "0.0001 kg"),
    ("3373", "000150", "0.150 kg"),
    ("3922", "1250", "12.5"),
    ("3932", "1561250", "12.50 USD"),
    ("3932", "9991250", "12.50 CNY"),
    ("3941", "0125", "12.5"),
    ("4331", "000550-", "5.50 °C"),
    ("10", "271231", "2027-12-31"),
];

fn text((ai, value): (&str, &str)) -> String {
    let Meaning { date, amount, unit } = meaning(ai, value, "2026-11-26");
    let (ai, value) = (ai.to_owned(), value.to_owned());
    Attribute { ai, title: "", value, date, amount, unit }.text()
}

#[test]
fn what_a_print_means_is_the_same_to_node_and_script() {
    let bundle = passport::small();
    let Some(first) = verdicts("webcrypto", std::slice::from_ref(&bundle), &[]) else { return };
    let piece = |ai: &str, text: &str| json!({ "of": "printed", "text": text, "ai": ai });
    let label = |ai: &str, text: String| json!({ "of": "dt", "text": text, "ai": ai, "holds": ["printed"] });
    let mut cases = Vec::new();
    for (ai, value, wrong) in VALUES {
        let address = format!("/?{ai}={value}");
        cases.push((address.clone(), piece(ai, &text((ai, value))), true));
        cases.push((address.clone(), piece(ai, wrong), false));
        cases.push((address.clone(), piece(ai, value), true));
        cases.push(("/?240=1".to_owned(), piece(ai, &text((ai, value))), false));
    }
    for (ai, title, is_right) in [
        ("3103", "Net weight", true),
        ("3103", "Gross weight", false),
        ("17", "Use until", true),
        ("7035", "Processor (country and approval)", true),
        ("99", "Internal to the company", true),
    ] {
        cases.push(("/".to_owned(), label(ai, format!("{title} ({ai})")), is_right));
    }
    let shown: Vec<_> = cases
        .iter()
        .map(|(address, piece, _)| {
            let mut shown = page_of(&first[0]);
            shown["pieces"].as_array_mut().expect("pieces").push(piece.clone());
            shown["address"] = json!(address);
            shown
        })
        .collect();
    let answers = with_shown(&vec![bundle; shown.len()], &shown);
    for ((address, piece, is_right), answer) in cases.iter().zip(&answers) {
        let expected = if *is_right { "ok" } else { "page-words-own" };
        assert_eq!(answer[1]["words"], expected, "{address} {piece}: {answer}");
    }
}
