//! `hallmark-verify evaluate` on readings that a small generator makes.

use super::command::{stderr, stdout, verify};

/// Twelve weeks of hourly readings of these devices: a day's shape with noise.
fn readings(devices: &[&str]) -> String {
    let mut text = "device,quantity,unit,read_at,interval_s,amount\n".to_owned();
    let mut state = 7_u64;
    for device in devices {
        for hour in 0..84 * 24_u64 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let shape = 1_000 + 300 * (hour % 24) * u64::from(7 < hour % 24);
            let amount = shape * (900 + (state >> 33) % 200) / 1_000;
            let at = 1_767_225_600_000 + (hour + 1) * 3_600_000;
            let at = hallmark_schemas::time::Timestamp::from_unix_ms(at);
            text.push_str(&format!("{device},electricity,Wh,{at},3600,{amount}\n"));
        }
    }
    text
}

#[test]
fn a_stuck_meter_is_noticed_and_a_steady_cut_only_below_a_parent_the_same_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clean.csv");
    std::fs::write(&file, readings(&["a", "b", "c"])).unwrap();
    let table = format!("meter_readings={}", file.display());
    let ask = ["evaluate", "--table", &table, "--attacks", "R4,R9,fdi1", "--format", "json"];
    let once = verify(&ask, dir.path());
    assert_eq!(once.status.code(), Some(0), "{}", stderr(&once));
    let found: serde_json::Value = serde_json::from_str(&stdout(&once)).unwrap();
    assert_eq!(found["meters"], 3);
    let recall = |attack: &str, parent: bool, rule: &str| {
        let figures = found["figures"].as_array().unwrap();
        let is = |one: &&serde_json::Value| {
            one["attack"] == attack && one["parent"] == parent && one["rule"] == rule
        };
        figures.iter().find(is).map_or(0.0, |one| one["recall"].as_f64().unwrap())
    };
    assert_eq!(recall("R4", false, "MTR-003"), 1.0);
    assert_eq!(recall("FDI1", true, "MTR-008"), 1.0);
    // Whoever bypasses both meters is seen by neither rule of the two.
    assert_eq!(recall("R9", true, "MTR-008"), 0.0);
    assert!(found["untouched"].as_array().unwrap().iter().all(|one| one["false_a_year"] == 0.0));
    assert_eq!(verify(&ask, dir.path()).stdout, once.stdout);
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("short.csv");
    std::fs::write(&file, readings(&["a"]).lines().take(500).collect::<Vec<_>>().join("\n"))
        .unwrap();
    let table = format!("meter_readings={}", file.display());
    let refused = |more: &[&str], exit: i32| {
        let ran = verify(&[&["evaluate", "--table", table.as_str()], more].concat(), dir.path());
        assert_eq!(ran.status.code(), Some(exit), "{}", stderr(&ran));
        stderr(&ran)
    };
    let error = refused(&[], 5);
    assert!(error.contains("63 whole days") && error.contains("help: "), "{error}");
    let error = refused(&["--attacks", "h7"], 2);
    assert!(error.contains("h7") && error.contains("FDI1"), "{error}");
    std::fs::write(
        &file,
        "device,quantity,unit,read_at,interval_s,amount\na,electricity,Wh,now,1,1\n",
    )
    .unwrap();
    refused(&[], 3);
}
