//! From the checkpoint over a contradiction in one log to the finding at another member's node.

use std::time::Instant;

use crate::world::{Outcome, command, found, org, run, status, wait};

/// How long a node lets evidence gather before it judges, by the configuration, in milliseconds.
const JUDGE_WAIT_MS: f64 = 5000.0;
/// Findings that are waited for, one after the other.
const ROUNDS: usize = 3;

/// An item that was seen two hours before it was made.
fn contradiction(number: usize) -> String {
    let event = |hour: u32, action: &str, step: &str| {
        format!(
            r#"{{"type": "ObjectEvent", "action": "{action}", "bizStep": "{step}",
            "eventTime": "2026-03-09T{hour:02}:00:00+08:00", "eventTimeZoneOffset": "+08:00",
            "epcList": ["https://id.gs1.org/01/09521234000129/21/F{number}"]}}"#
        )
    };
    format!(
        r#"{{"@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument", "schemaVersion": "2.0",
        "creationDate": "2026-03-09T20:00:00+08:00", "epcisBody": {{"eventList": [{}, {}]}}}}"#,
        event(8, "OBSERVE", "shipping"),
        event(10, "ADD", "commissioning")
    )
}

/// Prints how long it took each time.
pub(crate) async fn measure() -> Outcome<()> {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (dir, second) = (root.path().join("node"), root.path().join("second"));
    found(&dir, 1..1)?;
    let _node = run(&dir)?;
    let network = dir.join("network.hallmark");
    let network = network.to_str().ok_or("a path that is no text")?;
    let own = ["--org", &org(2), "--name", "Second", "--role", "verifier", "--network", network];
    command("init", &second, &own)?;
    let join = second.join("join.cbor");
    command("admit", &dir, &[join.to_str().ok_or("a path that is no text")?])?;
    let _second = run(&second)?;
    let mut times = Vec::new();
    for number in 0..ROUNDS {
        let file = root.path().join("events.json");
        std::fs::write(&file, contradiction(number))?;
        command("submit", &dir, &[file.to_str().ok_or("no text")?, "--receipt"])?;
        let began = Instant::now();
        wait("the finding", || {
            let findings = status(&second)?["findings"].as_u64();
            Ok(findings.is_some_and(|found| number < found as usize).then_some(()))
        })?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "a finding at another member: {:.0} ms after the checkpoint (median of {ROUNDS}, from \
         {:.0} to {:.0}); the wait for more evidence that is configured {JUDGE_WAIT_MS:.0} ms, \
         ratio {:.2}",
        times[ROUNDS / 2],
        times[0],
        times[ROUNDS - 1],
        times[ROUNDS / 2] / JUDGE_WAIT_MS
    );
    Ok(())
}
