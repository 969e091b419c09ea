//! Bad input: a clear error that says what to do, the right exit code, nothing half done.

use std::path::PathBuf;

use super::world::{
    Agent, Node, Ran, World, assert_knows_its_stdout, path_text, program, run, run_with,
};

/// What a person reads: what is wrong on stderr with a remedy, nothing on stdout.
fn assert_told(ran: &Ran, code: i32, line: &str) {
    assert_eq!(ran.code, code, "{line}: {}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("error:"), "{line}: {}", ran.stderr);
    assert!(ran.stderr.lines().any(|line| line.starts_with("help: ")), "{line}: {}", ran.stderr);
    assert!(ran.stdout.is_empty(), "{line}: {}", ran.stdout);
}

/// Command lines and the code they end with.
#[test]
fn wrong_command_lines_say_what_is_wrong_and_what_to_do() {
    let cases: &[(&str, &[&str], i32)] = &[
        ("hallmark-node", &["frobnicate"], 2),
        ("hallmark-node", &["init"], 2),
        ("hallmark-node", &["run", "/nonexistent/dir"], 2),
        ("hallmark-node", &["status", "/nonexistent/dir"], 2),
        ("hallmark-node", &["init", "x", "--org", "y", "--name", "z", "--role", "producer"], 2),
        ("hallmark-verify", &["check"], 2),
        ("hallmark-verify", &["check", "--fail-on", "fatal", "x"], 2),
        ("hallmark-verify", &["check", "--at", "yesterday", "x"], 2),
        ("hallmark-verify", &["check", "--table", "no_such_table=x.csv"], 2),
        ("hallmark-verify", &["check", "--table", "meter_readings=/nonexistent/x.csv"], 3),
        ("hallmark-verify", &["check", "/nonexistent/x.hallmark"], 3),
        ("hallmark-verify", &["tables", "no_such_table"], 2),
        ("hallmark-verify", &["rules", "show", "XXX-999"], 2),
        ("hallmark-verify", &["rules", "test", "/nonexistent/pack"], 2),
        ("hallmark-agent", &["init"], 2),
        ("hallmark-agent", &["run", "/nonexistent/dir"], 2),
        ("hallmark-agent", &["replay", "/nonexistent/dir", "x.csv"], 2),
        ("hallmark-agent", &["status", "/nonexistent/dir"], 2),
        ("hallmark-agent", &["spool", "/nonexistent/dir"], 2),
        ("hallmark-agent", &["enrol", "/nonexistent/dir", "x.cbor"], 2),
        ("hallmark-agent", &["parse", "/nonexistent/lines.txt"], 3),
    ];
    for (program, args, code) in cases {
        assert_told(&run(program, args), *code, &format!("{program} {args:?}"));
    }
}

/// The same in the folder of a running node and of an agent that nobody enrolled.
#[test]
fn what_cannot_be_done_in_a_folder_says_what_is_wrong_and_what_to_do() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let noise = world.file("noise", b"\xff\x00\x81");
    let (noise, nowhere) = (path_text(&noise), "/nonexistent/file");
    let unknown = format!("sha256:{}", "0".repeat(64));
    let cases: &[(&[&str], i32)] = &[
        (&["get", "nonsense"], 2),
        (&["get", &unknown], 3),
        (&["receipt", "nonsense"], 2),
        (&["receipt", &unknown], 3),
        (&["submit", nowhere], 3),
        (&["submit", noise], 3),
        (&["submit", noise, "--kind", "no-such"], 2),
        (&["submit", noise, "--aud", "nobody"], 2),
        (&["export", "--goods", "nonsense", "-o", "-"], 2),
        (&["export", "--facility", "nonsense", "-o", "-"], 2),
        (&["export", "--id", "nonsense", "-o", "-"], 2),
        (&["export", "--period", "nonsense", "-o", "-"], 2),
        (&["export", "-o", "/nonexistent/dir/x.hallmark"], 2),
        (&["token", "--scope", "everything", "--purpose", "test"], 2),
        (&["enrol", nowhere], 3),
        (&["enrol", noise], 3),
        (&["admit", nowhere], 3),
        (&["admit", noise], 3),
        (&["network", "show", "--quorum", "1"], 2),
        (&["network", "--quorum", "9"], 2),
        (&["run", "--http", "127.0.0.1:0"], 6),
    ];
    for (line, code) in cases {
        assert_told(&node.run(line[0], &line[1..]), *code, &format!("{line:?}"));
    }
    let agent = world.path("agent");
    let agent = path_text(&agent);
    let init = ["init", agent, "--org", &node.org, "--device", "m-1", "--source", "replay"];
    run("hallmark-agent", &[&init[..], &["--quantity", "electricity"]].concat()).ok();
    for (line, code) in [
        (vec!["init", agent, "--org", &node.org, "--device", "m-1", "--source", "replay"], 2),
        (vec!["run", agent], 2),
        (vec!["replay", agent, nowhere], 3),
        (vec!["replay", agent, noise], 2),
        (vec!["enrol", agent, nowhere], 3),
        (vec!["enrol", agent, noise], 3),
    ] {
        assert_told(&run("hallmark-agent", &line), code, &format!("{line:?}"));
    }
}

#[test]
fn an_export_that_matches_nothing_says_so_and_a_receipt_has_a_json_form() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let (bundle, goods) =
        (world.path("case.hallmark"), "https://id.gs1.org/01/09521234000129/21/Z9");
    let line = ["--goods", goods, "-o", path_text(&bundle)];
    let ran = node.run("export", &line).ok();
    assert!(ran.stderr.contains("no attestation matches"), "{}", ran.stderr);
    run("hallmark-verify", &["check", path_text(&bundle)]).ok();
    std::fs::remove_file(&bundle).expect("it was written");
    let ran = node.run("export", &[&line[..], &["--public"]].concat()).fails(3);
    assert!(ran.stderr.contains("nothing public matches"), "{}", ran.stderr);
    assert!(!bundle.exists());
    let ran = node.run("export", &["-o", path_text(&bundle)]).ok();
    assert!(!ran.stderr.contains("matches"), "{}", ran.stderr);

    let facility = serde_json::json!({
        "kind": "facility", "sub": format!("{}:works", node.org.replacen(":org:", ":facility:", 1)),
        "payload": {"name": "Works", "lat_e7": 312300000, "lon_e7": 1214700000,
                    "province": "CN-SH", "utc_offset": "+08:00", "sector": "metal-goods"},
    });
    let file = world.file("works.json", facility.to_string());
    let line = [path_text(&file), "--receipt", "--format", "json"];
    let told = node.run("submit", &line).ok().stdout;
    let id = told.split('"').find(|part| part.starts_with("sha256:")).expect("the id is printed");
    let ran = node.run("receipt", &[id, "--format", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(ran.stdout.trim()).expect("JSON");
    let receipt = json["receipt"].as_str().expect("base64");
    assert_eq!((json["id"].as_str(), &receipt[..4]), (Some(id), "0oRY"), "{json}");
}

#[test]
fn an_unknown_configuration_key_is_refused_with_its_line_and_the_nearest_key() {
    let world = World::new();
    let mut node = world.founder("plant");
    node.stop();
    let path = node.dir.join("config.toml");
    let config = std::fs::read_to_string(&path).expect("init wrote it");
    std::fs::write(&path, config.replace("batch_wait_max", "batch_wait_maks")).expect("writable");
    let ran = node.run("run", &[]).fails(2);
    assert!(ran.stderr.contains("batch_wait_maks"), "{}", ran.stderr);
    assert!(ran.stderr.contains("batch_wait_max"), "{}", ran.stderr);
    assert!(ran.stderr.contains("line") || ran.stderr.contains("config.toml:"), "{}", ran.stderr);
}

/// Files for `submit`: what is malformed is refused whole, and the log does not grow.
#[test]
fn malformed_submissions_store_nothing() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let before = node.run("status", &["--format", "json"]).ok().stdout;
    let cases: &[(&str, &[u8], &[&str])] = &[
        ("truncated.json", b"{\"kind\":\"facility\"", &[]),
        ("kind.json", b"{\"kind\":\"no-such\",\"sub\":\"x\",\"payload\":{}}", &[]),
        ("field.json", b"{\"kind\":\"facility\",\"sub\":\"urn:hallmark:facility:gln:9506000000015:a\",\"payload\":{\"v\":1,\"nane\":\"x\"}}", &[]),
        ("noise.cbor", b"\xff\x00\x81\x81\x81", &[]),
        ("rows.csv", b"quantity,unit,read_at,interval_s,amount\nelectricity,Wh,2026-01-01T00:00:00,900,x\n", &["--kind", "readings"]),
    ];
    for (name, bytes, args) in cases {
        let file = world.file(name, bytes);
        let mut line = vec![path_text(&file)];
        line.extend(*args);
        let ran = node.run("submit", &line);
        assert!([1, 3].contains(&ran.code), "{name} ended with {}: {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains("error:"), "{name}: {}", ran.stderr);
    }
    let after = node.run("status", &["--format", "json"]).ok().stdout;
    let size = |text: &str| {
        let line = text
            .lines()
            .next()
            .and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        line.and_then(|json| json["published_size"].as_u64())
    };
    assert!(size(&before) <= size(&after));
}

#[test]
fn a_kind_that_contradicts_the_file_ends_with_2_and_stores_nothing() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let file = world.file("facility.json", b"{\"kind\":\"facility\",\"payload\":{}}");
    for asked in ["event", "readings"] {
        let ran = node.run("submit", &[path_text(&file), "--kind", asked]).fails(2);
        for words in ["`facility`", &format!("`{asked}`"), "help: "] {
            assert!(ran.stderr.contains(words), "no {words}: {}", ran.stderr);
        }
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    }
}

/// Method, path, headers, body, and the statuses that may answer.
type Request<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8], &'a [u16]);

#[test]
fn malformed_requests_get_4xx_and_problem_json() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let long = vec![0u8; 3 << 20];
    let header = "x".repeat(100_000);
    let larger = "x".repeat(400_000);
    let path = format!("/{}", "x".repeat(70_000));
    let fields = [("X-Field", "1"); 300];
    let cases: &[Request<'_>] = &[
        ("POST", "/entries", &[("Content-Type", "application/cose")], b"\xd2\x84", &[400]),
        ("POST", "/entries", &[("Content-Type", "application/cose")], &long, &[400, 413]),
        ("POST", "/entries", &[("Content-Type", "text/plain")], b"hello", &[400, 415]),
        ("POST", "/v1/attestations", &[("Content-Type", "application/json")], b"{}", &[401]),
        ("GET", "/v1/attestations/nonsense", &[], b"", &[400, 404]),
        ("GET", "/log/tile/0/zzz", &[], b"", &[400, 404]),
        ("GET", "/no/such/route", &[], b"", &[404]),
        ("DELETE", "/log/checkpoint", &[], b"", &[405]),
        ("POST", "/log/add-checkpoint", &[], b"old x\n", &[400]),
        ("GET", "/v1/findings?after=x", &[], b"", &[400]),
        ("GET", "/entries/%ff", &[], b"", &[400]),
        ("GET", "/healthz", &[("X-Large", &header)], b"", &[431]),
        // The HTTP library reads none of these itself.
        ("GET", "/01/<script>", &[], b"", &[400]),
        ("GET", &path, &[], b"", &[414]),
        ("GET", "/healthz", &fields, b"", &[431]),
        ("GET", "/healthz", &[("X-Large", &larger)], b"", &[431]),
        ("GET", "/healthz", &[("no token", "1")], b"", &[400]),
    ];
    for (method, path, headers, body, expected) in cases {
        let answer = super::world::http::send(method, &node.url, path, headers, body);
        assert!(expected.contains(&answer.status), "{method} {path}: {answer:?}");
        let kind = answer.header("content-type").unwrap_or_default();
        let problem = kind.starts_with("application/problem+json")
            || kind.starts_with("application/concise-problem-details+cbor")
            || path.ends_with("add-checkpoint");
        assert!(problem, "{method} {path}: {kind}");
    }
}

#[test]
fn malformed_evidence_ends_with_3_and_names_line_and_column() {
    let world = World::new();
    let bundle = world.file("noise.hallmark", b"not a bundle at all");
    let ran = run("hallmark-verify", &["check", path_text(&bundle)]).fails(3);
    assert!(ran.stderr.contains("error:"), "{}", ran.stderr);
    let csv =
        "device,quantity,unit,read_at,interval_s,amount\nm,electricity,Wh,2026-01-01 00:00,900,1\n";
    let table = format!("meter_readings={}", path_text(&world.file("naive.csv", csv)));
    let ran = run("hallmark-verify", &["check", "--table", &table]).fails(3);
    // The report tells of rows that were refused; the other rows are judged all the same.
    let report = ran.stdout;
    assert!(
        report.contains("line 2") && report.contains("read_at") && report.contains("offset"),
        "{report}"
    );
}

#[test]
fn every_scan_line_gets_one_answer_whatever_it_holds() {
    let lines = b"(01)09520123456788\n^0109520123456788\nhttps://id.gs1.org/01/09520123456788/21/7\n\xff\xfe\n\n]C1\nhello\n";
    let ran = run_with("hallmark-agent", &["parse"], lines);
    let json: Vec<_> = ran.stdout.lines().map(serde_json::from_str::<serde_json::Value>).collect();
    assert!(json.iter().all(Result::is_ok), "{}", ran.stdout);
    assert!(6 <= json.len(), "{}", ran.stdout);
}

/// A device is logged for ever, so that nothing is signed before the answer can be made.
#[test]
fn a_device_is_not_logged_by_a_node_that_no_device_can_reach() {
    let world = World::new();
    let (org, node, agent) = (super::world::org(1), world.path("plant"), world.path("meter"));
    let (node, agent) = (path_text(&node), path_text(&agent));
    let init = ["init", node, "--org", &org, "--name", "Plant", "--role", "producer"];
    run("hallmark-node", &[&init[..], &["--new-network", "world"]].concat()).ok();
    let init = ["init", agent, "--org", &org, "--device", "m-1", "--source", "replay"];
    run("hallmark-agent", &[&init[..], &["--quantity", "electricity"]].concat()).ok();
    let waiting = || std::fs::read_dir(format!("{node}/outbox")).expect("init made it").count();
    let before = waiting();
    let refused = run("hallmark-node", &["enrol", node, &format!("{agent}/enrol.cbor")]);
    assert_told(&refused, 2, "enrol");
    assert!(refused.stderr.contains("broker"), "{}", refused.stderr);
    assert_eq!(waiting(), before);
}

/// A file that tells a facility of this node.
fn works(world: &World, node: &Node) -> PathBuf {
    let facility = format!(
        r#"{{"kind":"facility","sub":"{}:works-1","payload":{{"name":"Works 1",
        "lat_e7":312300000,"lon_e7":1214700000,"province":"CN-SH","utc_offset":"+08:00",
        "sector":"metal-goods"}}}}"#,
        node.org.replacen(":org:", ":facility:", 1)
    );
    world.file("works.json", facility)
}

#[test]
fn a_submission_waits_for_its_node_as_long_as_it_is_told_to() {
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    node.stop();
    let file = works(&world, &node);
    let refused = node.run("submit", &[path_text(&file)]);
    assert_told(&refused, 6, "submit");
    let line = ["submit", node.dir_text(), path_text(&file), "--wait", "60"].map(str::to_owned);
    let submitting = std::thread::spawn(move || run("hallmark-node", &line));
    node.start();
    let ran = submitting.join().expect("it ended").ok();
    assert!(ran.stderr.contains("stored"), "{}", ran.stderr);
}

/// A node that runs and may take nothing yet is waited for too.
#[test]
fn a_submission_waits_for_the_admission_of_its_organisation() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    plant.start();
    let file = works(&world, &plant);
    let refused = plant.run("submit", &[path_text(&file)]).fails(6);
    assert!(refused.stderr.contains("waits for its genesis"), "{}", refused.stderr);
    let line = ["submit", plant.dir_text(), "--wait", "60"].map(str::to_owned);
    let submitting = std::thread::spawn(move || run("hallmark-node", &line));
    registrar.run("admit", &[path_text(&plant.dir.join("join.cbor"))]).ok();
    let ran = submitting.join().expect("it ended").ok();
    assert!(ran.stderr.contains("stored") && !ran.stderr.contains("later"), "{}", ran.stderr);
}

/// What a file says of itself goes before what config.toml says of it.
#[test]
fn readings_of_another_meter_or_unit_are_never_signed() {
    let world = World::new();
    let node = world.founder_with("plant", &["producer"], &["--mqtt", "embedded"]);
    node.ready();
    let meter = Agent::meter(&world, &node, "meter", METER_SOURCE);
    let device = node.org.replacen(":org:", ":device:", 1) + ":meter";
    let rows = |device: &str, unit: &str| {
        format!(
            "device,quantity,unit,read_at,interval_s,amount\n\
             {device},electricity,{unit},2026-01-01T00:15:00Z,900,7\n"
        )
    };
    for (name, text) in [
        ("meter", rows(&format!("{device}-2"), "Wh")),
        ("unit", rows(&device, "m3")),
        ("quantity", rows(&device, "Wh").replace("electricity", "water")),
        ("interval", rows(&device, "Wh").replace(",900,", ",60,")),
    ] {
        let file = world.file(&format!("{name}.csv"), text);
        let ran = meter.run("replay", &[path_text(&file)]);
        assert_told(&ran, 3, name);
        assert!(ran.stderr.contains("line 2, column "), "{name}: {}", ran.stderr);
    }
    let file = world.file("kwh.csv", rows(&device, "kWh"));
    meter.run("replay", &[path_text(&file)]).ok();
}

const METER_SOURCE: &str = "quantity = \"electricity\"\n\
    unit = \"Wh\"\ntime_column = \"read_at\"\nvalue_column = \"amount\"\ninterval = \"15min\"\n";

#[test]
fn the_demo_tells_a_wrong_file_before_it_starts_anything() {
    let world = World::new();
    let empty = world.file("empty.csv", b"");
    let other = world.file("other.csv", b"read_at,amount\nyesterday,1\ntoday,2\n");
    let foreign = b"device,read_at,amount\nx,2026-01-01T00:15:00Z,1\nx,2026-01-01T00:30:00Z,2\n";
    let foreign = world.file("foreign.csv", foreign);
    let noise = world.file("events.json", b"{\"type\":\"Letter\"}");
    for (line, code) in [
        (vec!["--bogus"], 2),
        (vec!["--meter", "/nonexistent/meter.csv"], 3),
        (vec!["--meter", path_text(&empty)], 3),
        (vec!["--meter", path_text(&other)], 3),
        (vec!["--meter", path_text(&foreign)], 3),
        (vec!["--events", "/nonexistent/events.json"], 3),
        (vec!["--events", path_text(&noise)], 3),
    ] {
        assert_told(&run("demo", &line), code, &format!("{line:?}"));
    }
}

#[test]
fn agent_and_verifier_tell_a_full_disk_too() {
    let world = World::new();
    let lines = world.file("lines.txt", "(01)09521234000129(21)F1\n");
    assert_knows_its_stdout("hallmark-agent", &["parse", path_text(&lines)]);
    assert_knows_its_stdout("hallmark-verify", &["tables"]);
    assert_knows_its_stdout("hallmark-verify", &["rules", "list"]);
    let rows = world.file("rows.csv", "device,facility,quantity,unit,read_at,interval_s,amount\n");
    let table = format!("meter_readings={}", path_text(&rows));
    assert_knows_its_stdout("hallmark-verify", &["check", "--table", &table]);
}

#[test]
fn the_demo_away_from_its_programs_says_which_it_misses_and_builds_nothing() {
    let world = World::new();
    let alone = world.path("demo");
    std::fs::copy(program("demo"), &alone).expect("copied");
    let ended = std::process::Command::new(&alone).arg("--once").output().expect("starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("hallmark-node, hallmark-agent, hallmark-verify not beside"), "{said}");
    assert!(said.contains("help: put the demo beside") && !said.contains("Compiling"), "{said}");
}
