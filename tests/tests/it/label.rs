//! Labels: every written form is read again by programs that are not ours, and says the code that
//! the table of the same run says; ranges are attested before they are printed, and only once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::world::http::send;
use super::world::{Node, SOON, World, assert_knows_its_stdout, path_text, wait};

const GTIN: &str = "09521234000129";
const CLASS: &str = "https://id.gs1.org/01/09521234000129";
const HOST: &str = "https://id.example.com";
/// Characters of AI 10 that each of the writings must escape in its own way.
const LOT: &str = "A_>&/1";

/// A row of the CSV.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Row {
    serial: String,
    message: String,
    link: String,
    order: String,
    number: u64,
}

/// The rows of a CSV whose fields need no quotes.
fn rows(text: &str) -> Vec<Row> {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("serial,element_string,digital_link,order,number"));
    let row = |line: &str| {
        let cells: Vec<String> = line.split(',').map(ToOwned::to_owned).collect();
        let [serial, message, link, order, number] = cells.try_into().expect("five columns");
        // What a spreadsheet would take for a formula stands in no cell.
        for cell in [&serial, &message, &link, &order] {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t']), "{line}");
        }
        Row { serial, message, link, order, number: number.parse().expect("a number") }
    };
    lines.map(row).collect()
}

/// The program, unless it is missing, which is said.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--help").output().is_ok();
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

fn stdout(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).output().expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {errors}");
    output.stdout
}

/// What each symbol of an image says; `^` is FNC1, first or between elements.
fn read(symbol: &str, image: &Path) -> BTreeSet<String> {
    let path = path_text(image);
    let lines = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8(bytes.to_vec()).expect("codes hold ASCII");
        let text = text.replace('\u{1d}', "^");
        text.lines().filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect()
    };
    if symbol == "datamatrix" {
        // The decimal code of what stands for FNC1 at the front.
        let codes = stdout("dmtxread", &["-n", "-G", "94", "-m", "20000", path]);
        return lines(&codes).into_iter().collect();
    }
    let codes = lines(&stdout("zbarimg", &["-q", "--raw", path]));
    if symbol == "qr" {
        return codes.into_iter().collect();
    }
    // FNC1 at the front makes Code 128 to GS1-128; zbar tells it beside the data.
    let xml = String::from_utf8_lossy(&stdout("zbarimg", &["-q", "--xml", path])).into_owned();
    assert_eq!(xml.matches("type='CODE-128'").count(), codes.len());
    assert_eq!(xml.matches("modifiers='GS1'").count(), codes.len());
    codes.into_iter().map(|code| format!("^{code}")).collect()
}

/// What the symbols of a run must say.
fn said(symbol: &str, rows: &[Row]) -> BTreeSet<String> {
    let text = |row: &Row| if symbol == "qr" { row.link.clone() } else { row.message.clone() };
    rows.iter().map(text).collect()
}

/// A run of labels in one form; the same codes each time.
fn print(node: &Node, symbol: &str, rows: &[Row], out: &Path, format: &str) {
    let (first, last) = (rows[0].number, rows[rows.len() - 1].number);
    let numbers = format!("{first}..{last}");
    let order = &rows[0].order;
    let line = [GTIN, "--order", order, "--numbers", &numbers, "--lot", LOT, "--host", HOST];
    let form = ["--symbol", symbol, "--format", format, "-o", path_text(out)];
    node.run("label", &[&line[..], &form].concat()).ok();
}

#[test]
fn every_form_of_every_symbol_is_read_again_as_the_code_of_the_table() {
    let programs = ["zbarimg", "dmtxread", "rsvg-convert", "pdftoppm", "pdftotext"];
    if !programs.iter().all(|program| has(program)) {
        return;
    }
    let world = World::new();
    let node = world.founder("plant");
    for symbol in ["qr", "datamatrix", "gs1-128"] {
        let csv = world.path(&format!("{symbol}.csv"));
        let line = [GTIN, "--count", "3", "--lot", LOT, "--host", HOST, "--symbol", symbol];
        node.run("label", &[&line[..], &["-o", path_text(&csv)]].concat()).ok();
        let rows = rows(&std::fs::read_to_string(&csv).expect("written"));
        assert_eq!(rows.len(), 3);
        let expected = said(symbol, &rows);
        assert_eq!(expected.len(), 3, "three codes");

        for format in ["png", "svg"] {
            let folder = world.path(&format!("{symbol}-{format}"));
            print(&node, symbol, &rows, &folder, format);
            let mut found = BTreeSet::new();
            for number in 1..=3 {
                let image = folder.join(format!("{number:06}.{format}"));
                found.extend(read(symbol, &rasterised(&image)));
            }
            assert_eq!(found, expected, "{symbol} {format}");
        }
        let pdf = world.path(&format!("{symbol}.pdf"));
        print(&node, symbol, &rows, &pdf, "pdf");
        assert_eq!(read(symbol, &rasterised(&pdf)), expected, "{symbol} pdf");
        let text = String::from_utf8(stdout("pdftotext", &["-layout", path_text(&pdf), "-"]));
        let text = text.expect("UTF-8");
        for row in &rows {
            assert!(text.contains(&format!("(21){}", row.serial)), "{text}");
        }
        let zpl = world.path(&format!("{symbol}.zpl"));
        print(&node, symbol, &rows, &zpl, "zpl");
        let text = std::fs::read_to_string(&zpl).expect("written");
        assert_eq!(text.matches("^FD(01)09521234000129").count(), 3, "readable text: {text}");
        if let Some(images) = drawn_by_a_printer(&zpl) {
            let found: BTreeSet<String> =
                images.iter().flat_map(|image| read(symbol, &legible(symbol, image))).collect();
            assert_eq!(found, expected, "{symbol} zpl");
        }
    }
}

/// The image as large as the reader needs it: bars of two dots are too thin for it, and at one size
/// alone it misses some codes.
fn legible(symbol: &str, png: &Path) -> PathBuf {
    let is_read = |large: &PathBuf| {
        let reader = Command::new("zbarimg").args(["-q", "--raw"]).arg(large).output();
        symbol == "datamatrix" || reader.expect("the program starts").status.success()
    };
    let mut sizes = [3, 4, 5, 2].into_iter().map(|times| enlarged(png, times));
    sizes.find(is_read).unwrap_or_else(|| panic!("{} is not read at any size", png.display()))
}

fn enlarged(png: &Path, times: u32) -> PathBuf {
    let bytes = std::fs::read(png).expect("drawn");
    // The header of PNG holds width and height as big-endian numbers at byte 16.
    let side = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let (width, height) = (side(16), side(20));
    let name = png.file_name().and_then(|name| name.to_str()).expect("a plain name");
    let svg = png.with_extension("svg");
    let text = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{}" height="{}" viewBox="0 0 {width} {height}"><image href="{name}" width="{width}" height="{height}" style="image-rendering:pixelated"/></svg>"#,
        times * width,
        times * height
    );
    std::fs::write(&svg, text).expect("writable");
    let large = png.with_extension("large.png");
    std::fs::write(&large, stdout("rsvg-convert", &[path_text(&svg)])).expect("writable");
    large
}

/// The labels as a printer draws them; None without its renderer, which is said.
fn drawn_by_a_printer(zpl: &Path) -> Option<Vec<PathBuf>> {
    let renderer = Path::new(env!("CARGO_MANIFEST_DIR")).join("labels");
    if !has("node") || !renderer.join("node_modules").exists() {
        println!("skipped: ZPL as drawn, node or tests/labels/node_modules is missing");
        return None;
    }
    let folder = zpl.with_extension("drawn");
    std::fs::create_dir(&folder).expect("writable");
    let script = renderer.join("render.mjs");
    let said = stdout("node", &[path_text(&script), path_text(zpl), path_text(&folder)]);
    let count: u64 = String::from_utf8_lossy(&said).trim().parse().expect("a number");
    Some((1..=count).map(|number| folder.join(format!("{number}.png"))).collect())
}

#[test]
fn a_table_says_the_same_in_both_syntaxes_to_readers_that_are_not_ours() {
    // tests/run puts it there.
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = tests.join("../target/tools/python/bin/python");
    if !python.exists() {
        println!("skipped: a table of labels in Python, target/tools/python is missing");
        return;
    }
    let world = World::new();
    let node = world.founder("plant");
    // What a table quotes, and a Digital Link escapes.
    let lot = "\"A\",_;%/?&'B";
    let csv = world.path("labels.csv");
    let line = [GTIN, "--count", "20", "--lot", lot, "--host", HOST, "-o", path_text(&csv)];
    node.run("label", &line).ok();
    let script = tests.join("labels/read_csv.py");
    let said = stdout(path_text(&python), &[path_text(&script), path_text(&csv), HOST]);
    let said = String::from_utf8(said).expect("UTF-8");
    let mut numbers = BTreeSet::new();
    for row in said.lines() {
        let row: serde_json::Value = serde_json::from_str(row).expect("JSON");
        let expected = serde_json::json!([["01", GTIN], ["10", lot], ["21", row["serial"]]]);
        assert_eq!(row["elements"], expected);
        numbers.insert(row["number"].as_u64().expect("a number"));
    }
    assert_eq!(numbers.len(), 20, "{said}");
}

/// A PNG of the drawing or page, a whole number of dots a module.
fn rasterised(path: &Path) -> PathBuf {
    // 16 dots a millimetre.
    const DENSITY: &str = "406.4";
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => {
            let png = path.with_extension("drawn.png");
            let from = ["-d", DENSITY, "-p", DENSITY, path_text(path)];
            stdout("rsvg-convert", &[&from[..], &["-o", path_text(&png)]].concat());
            png
        }
        Some("pdf") => {
            let root = path.with_extension("page");
            let args = ["-r", DENSITY, "-png", "-singlefile", path_text(path), path_text(&root)];
            stdout("pdftoppm", &args);
            root.with_extension("page.png")
        }
        _ => path.to_owned(),
    }
}

#[test]
fn a_range_is_attested_with_its_numbers_before_its_codes_are_there() {
    let world = World::new();
    let mut node = world.founder("plant");
    let csv = world.path("labels.csv");
    let line = [GTIN, "--count", "5", "--order", "PO-7/1", "--host", HOST, "-o", path_text(&csv)];
    let ran = node.run("label", &line).ok();
    let id = ran.stdout.split_whitespace().find(|word| word.starts_with("sha256:")).expect("an id");
    let body = node.get(&format!("/v1/attestations/{id}")).json();
    let rows = rows(&std::fs::read_to_string(&csv).expect("written"));
    assert_eq!(body["kind"], "label");
    assert_eq!(body["aud"], "public");
    assert_eq!(body["payload"]["order"], "PO-7/1");
    assert_eq!(body["payload"]["first"], rows[0].number);
    assert_eq!(body["payload"]["last"], rows[4].number);
    assert_eq!(body["payload"]["count"], 5);
    let secret = std::fs::read_to_string(node.dir.join("keys/label.key")).expect("made by init");
    assert!(secret.starts_with("hallmark-key 1 label clear "));

    // Without a node that stores the attestation there is no code.
    node.stop();
    let none = world.path("none.csv");
    let line = [GTIN, "--count", "5", "--host", HOST, "-o", path_text(&none)];
    let ran = node.run("label", &line).fails(6);
    assert!(ran.stderr.contains("help: start it"), "{}", ran.stderr);
    assert!(!none.exists());
    assert_eq!(leftovers(&world), Vec::<String>::new());
}

/// Whether the log holds a `label` attestation: its content type stands in the bundle as text.
fn has_labels(world: &World, node: &Node) -> bool {
    let bundle = world.path("all.hallmark");
    node.run("export", &["-o", path_text(&bundle)]).ok();
    let bytes = std::fs::read(&bundle).expect("written");
    let kind = b"vnd.hallmark.label+cbor";
    bytes.windows(kind.len()).any(|window| window == kind)
}

/// Unfinished files beside the labels.
fn leftovers(world: &World) -> Vec<String> {
    let folder = world.path("x");
    let entries = std::fs::read_dir(folder.parent().expect("a folder")).expect("readable");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".new")).collect()
}

#[test]
fn codes_of_a_sequence_are_made_once_also_after_the_index_was_lost() {
    let world = World::new();
    let mut node = world.founder("plant");
    let zpl = world.path("labels.zpl");
    let make = |node: &Node, serials: &str, order: &str| {
        let line = [GTIN, "--serials", serials, "--order", order, "--symbol", "datamatrix"];
        node.run("label", &[&line[..], &["-o", path_text(&zpl)]].concat())
    };
    make(&node, "0001..0010", "A").ok();
    let first = std::fs::read_to_string(&zpl).expect("written");
    assert!(first.contains("^FD@10109521234000129210010^FS"), "{first}");
    let ran = make(&node, "0010..0020", "B").fails(2);
    assert!(ran.stderr.contains("meets 1..10 of order A"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&zpl).expect("there"), first, "nothing was printed");

    node.stop();
    node.run("reindex", &[]).ok();
    node.start();
    make(&node, "0010..0020", "B").fails(2);
    let ran = make(&node, "0001..0010", "A").ok();
    assert!(ran.stderr.contains("attested before"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&zpl).expect("there"), first, "the same codes again");

    // A spoilt one is printed again alone.
    let ran = make(&node, "0004", "A").ok();
    assert!(ran.stderr.contains("attested before"), "{}", ran.stderr);
    let one = std::fs::read_to_string(&zpl).expect("there");
    assert!(one.len() < first.len() / 5 && one.contains("210004^FS"), "{one}");
    make(&node, "0004..0011", "A").fails(2);
    let line = [GTIN, "--serials", "0004", "--order", "A", "--lot", "L", "--symbol", "datamatrix"];
    node.run("label", &[&line[..], &["-o", path_text(&zpl)]].concat()).fails(2);

    let state = |node: &Node, state: &str, serials: &str| {
        let line = [GTIN, "--serials", serials, "--order", "A", "--state", state];
        node.run("label", &[&line[..], &["--format", "json"]].concat())
    };
    let ran = state(&node, "activated", "0001..0009").ok();
    let told: serde_json::Value = serde_json::from_str(ran.stdout.trim()).expect("JSON");
    assert_eq!((&told["state"], &told["count"]), (&"activated".into(), &9.into()));
    state(&node, "scrapped", "0010").ok();
    let ran = state(&node, "scrapped", "0011").fails(2);
    assert!(ran.stderr.contains("11 of order A was never made"), "{}", ran.stderr);
    let line = [GTIN, "--numbers", "9..9", "--order", "A", "--state", "scrapped"];
    let ran = node.run("label", &line).fails(2);
    assert!(ran.stderr.contains("name its codes by --serials A..B"), "{}", ran.stderr);
    for serials in ["0001..0010", "0010"] {
        let ran = make(&node, serials, "A").fails(2);
        assert!(ran.stderr.contains("scrapped by"), "{}", ran.stderr);
    }
    make(&node, "0001..0009", "A").ok();
    let ran = state(&node, "activated", "0009..0010").fails(1);
    assert!(ran.stderr.contains("10 of order A was scrapped by sha256:"), "{}", ran.stderr);
    assert!(ran.stderr.contains("help: what was scrapped stays"), "{}", ran.stderr);
    state(&node, "activated", "0009").ok();
    // Other labels are not written over these, unless that is said.
    let before = std::fs::read_to_string(&zpl).expect("there");
    let ran = make(&node, "1..3", "C").fails(2);
    assert!(ran.stderr.contains("labels.zpl exists\nhelp: choose another name"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&zpl).expect("there"), before);
    // Without zeros in front they are other serials.
    let line = [GTIN, "--serials", "1..3", "--order", "C", "--symbol", "datamatrix", "--force"];
    node.run("label", &[&line[..], &["-o", path_text(&zpl)]].concat()).ok();
    assert_ne!(std::fs::read_to_string(&zpl).expect("there"), before);
    let ran = make(&node, "2..3", "D").fails(2);
    assert!(ran.stderr.contains("meets 1..3 of order C"), "{}", ran.stderr);
}

#[test]
fn a_qr_code_with_more_text_than_a_small_label_is_read_well_with_is_warned_of() {
    let world = World::new();
    let node = world.founder("plant");
    let out = world.path("labels.csv");
    let print = |order: &str, host: &str, symbol: &str| {
        let line = [GTIN, "--serials", "1", "--order", order, "--symbol", symbol, "--host", host];
        node.run("label", &[&line[..], &["--force", "-o", path_text(&out)]].concat()).ok().stderr
    };
    // With `/01/`, 14 digits, `/21/` and one digit of a serial 39 characters are left.
    let (fits, long) =
        (format!("https://{}.cn", "a".repeat(28)), format!("https://{}.cn", "a".repeat(29)));
    let told = print("A", &fits, "qr");
    assert!(!told.contains("warning: the QR code"), "{told}");
    let told = print("A", &long, "qr");
    let warned = "warning: the QR code of these 63 characters has 37 modules a side, 18.5 mm, more \
                  than the 33, 16.5 mm, of a small label";
    assert!(told.contains(warned) && told.contains("help: a shorter --host"), "{told}");
    // What is drawn here takes less: an ordinary address, with a lot and a serial that nobody guesses.
    let pdf = world.path("labels.pdf");
    let line = [GTIN, "--count", "1", "--lot", "L7", "--host", "https://id.example.com", "-o"];
    let told = node.run("label", &[&line[..], &[path_text(&pdf)]].concat()).ok().stderr;
    assert!(!told.contains("warning: the QR code"), "{told}");
    let told = print("A", &long, "datamatrix");
    assert!(!told.contains("warning: the QR code"), "{told}");
}

#[test]
fn what_no_label_can_be_is_told_before_anything_is_attested() {
    let world = World::new();
    let node = world.founder("plant");
    let out = world.path("labels.pdf");
    let taken = world.path("taken");
    std::fs::create_dir(&taken).expect("writable");
    let missing = world.path("missing/labels.pdf");
    let (out, taken, missing) = (path_text(&out), path_text(&taken), path_text(&missing));
    let cases: &[(&[&str], &str)] = &[
        (&["09521234000128", "--count", "1", "-o", out], "check character should be 9"),
        (&[GTIN, "-o", out], "--count"),
        (&[GTIN, "--count", "0", "-o", out], "1..=100000"),
        (&[GTIN, "--count", "100001", "-o", out], "1..=100000"),
        (&[GTIN, "--count", "1", "--serials", "1..2", "-o", out], "cannot be used with"),
        (&[GTIN, "--numbers", "1..2", "-o", out], "--order"),
        (
            &[GTIN, "--numbers", "1..2", "--order", "A", "--host", HOST, "-o", out],
            "no labels 1..2 of order A were made before",
        ),
        (&[GTIN, "--serials", "2..1", "--host", HOST, "-o", out], "the last comes before"),
        (&[GTIN, "--serials", "1..200000", "--host", HOST, "-o", out], "more than 100000"),
        (&[GTIN, "--count", "1", "--host", HOST], "where do the labels go?"),
        (&[GTIN, "--count", "1", "-o", out], "where do the codes lead?"),
        (&[GTIN, "--count", "1", "--host", "id.example.com", "-o", out], "https://"),
        (&[GTIN, "--count", "1", "--host", HOST, "-o", "-"], "does not end in one"),
        (&[GTIN, "--count", "1", "--host", HOST, "-o", out, "--format", "json"], "this format"),
        (&[GTIN, "--count", "2", "--host", HOST, "-o", "-", "--format", "png"], "one label"),
        (&[GTIN, "--count", "2", "--host", HOST, "-o", taken, "--format", "svg"], "exists"),
        (&[GTIN, "--count", "1", "--host", HOST, "-o", missing], "cannot write"),
        (&[GTIN, "--count", "1", "--host", HOST, "--lot", "a b", "-o", out], "(10) a b"),
        (&[GTIN, "--count", "1", "--host", HOST, "--order", "=1+1", "-o", out], "/order"),
        (
            &[
                GTIN,
                "--count",
                "1",
                "--symbol",
                "gs1-128",
                "--lot",
                "ABCDEFGHIJKLMNOPQRST",
                "-o",
                out,
            ],
            "48 characters",
        ),
        (&[GTIN, "--count", "1", "--state", "scrapped"], "which codes were scrapped?"),
        (
            &[GTIN, "--serials", "1..2", "--order", "A", "--state", "activated", "-o", out],
            "prints nothing",
        ),
    ];
    for (args, told) in cases {
        let ran = node.run("label", args).fails(2);
        assert!(ran.stderr.contains(told), "{args:?}\n{}", ran.stderr);
        assert!(ran.stderr.contains("\nhelp: "), "{args:?}\n{}", ran.stderr);
    }
    let ran = node.run("status", &["--format", "png"]).fails(2);
    assert!(ran.stderr.contains("only `label`"), "{}", ran.stderr);
    assert!(!has_labels(&world, &node), "nothing was attested");
    assert!(!Path::new(out).exists());
    assert_eq!(leftovers(&world), Vec::<String>::new());
    node.run("label", &[GTIN, "--count", "1", "--host", HOST, "-o", out]).ok();
    wait("the label in the log", SOON, || has_labels(&world, &node).then_some(()));
}

#[test]
fn a_closed_pipe_ends_quietly_and_a_full_disk_is_told() {
    let world = World::new();
    let node = world.founder("plant");
    let row = ["label", GTIN, "--count", "3", "--host", HOST, "-o", "-", "--format"];
    let seen = r#"{"type":"ObjectEvent","action":"ADD","bizStep":"commissioning","eventTime":
        "2026-01-02T03:04:05.000Z","eventTimeZoneOffset":"+00:00","epcList":
        ["https://id.gs1.org/01/09521234000129/21/1"]}"#;
    node.record(&world.file("event.json", seen), &[]);
    let code = "https://id.gs1.org/01/09521234000129/21/1";
    let label = |form| [&row[..], &[form]].concat();
    let commands: [Vec<&str>; 7] = [
        label("csv"),
        label("zpl"),
        label("pdf"),
        vec!["trace", code],
        vec!["status"],
        vec!["export", "-o", "-"],
        vec!["network", "show"],
    ];
    for args in &commands {
        assert_knows_its_stdout(
            "hallmark-node",
            &[&[args[0], node.dir_text()], &args[1..]].concat(),
        );
    }
}

#[test]
fn an_order_that_is_refused_leaves_nothing_on_stdout() {
    let world = World::new();
    let node = world.founder("plant");
    for form in ["csv", "pdf", "zpl", "svg", "png"] {
        let line = [GTIN, "--count", "1", "--host", HOST, "--order", "=1+1", "-o", "-"];
        let ran = node.run("label", &[&line[..], &["--format", form]].concat()).fails(2);
        assert!(ran.stderr.contains("/order"), "{form}: {}", ran.stderr);
        assert!(ran.bytes.is_empty(), "{form}: {}", ran.stdout);
    }
}

#[test]
fn a_device_is_written_to_and_stays_one() {
    let world = World::new();
    let node = world.founder("plant");
    for form in ["csv", "pdf", "zpl", "svg", "png"] {
        let line = [GTIN, "--count", "1", "--host", HOST, "-o", "/dev/full", "--format", form];
        let ran = node.run("label", &line).fails(6);
        assert!(ran.stderr.contains("cause: cannot write /dev/full\n"), "{form}: {}", ran.stderr);
        assert!(ran.stderr.contains("help: print the same codes with"), "{form}: {}", ran.stderr);
        let is_file = std::fs::metadata("/dev/full").expect("a device").is_file();
        assert!(!is_file, "{form}");
    }
}

#[test]
fn what_became_of_codes_is_held_against_what_was_made_and_scrapped() {
    let world = World::new();
    let node = world.founder("plant");
    let submit = |state: &str, (first, last): (u64, u64)| {
        let payload = json!({
            "order": "A", "class": CLASS, "scheme": "sequence", "digits": 4, "state": state,
            "first": first, "last": last, "count": last - first + 1,
        });
        let one = json!({"kind": "label", "sub": CLASS, "payload": payload});
        node.run("submit", &[path_text(&world.file("label.json", one.to_string()))])
    };
    let ran = submit("activated", (1, 5)).fails(1);
    assert!(ran.stderr.contains("never made"), "{}", ran.stderr);
    submit("made", (1, 20)).ok();
    submit("scrapped", (7, 7)).ok();
    for range in [(7, 7), (1, 7), (7, 20), (1, 20)] {
        let ran = submit("activated", range).fails(1);
        assert!(ran.stderr.contains("were scrapped by sha256:"), "{}", ran.stderr);
    }
    for state in ["activated", "scrapped"] {
        let ran = submit(state, (20, 21)).fails(1);
        assert!(ran.stderr.contains("never made"), "{}", ran.stderr);
    }
    submit("activated", (1, 6)).ok();
    submit("activated", (8, 20)).ok();
    let unmade = json!({"kind": "label", "sub": CLASS, "payload": {
        "order": "C", "class": CLASS, "scheme": "derived", "state": "activated",
        "first": 1, "last": 1, "count": 1,
    }});
    let token = ["--scope", "capture", "--purpose", "labels"];
    let token = node.run("token", &token).ok().stdout;
    let bearer = format!("Bearer {}", token.trim().lines().last().unwrap_or_default());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let post = |one: &serde_json::Value| {
        send("POST", &node.url, "/v1/attestations", &headers, one.to_string().as_bytes())
    };
    assert_eq!(post(&unmade).status, 409, "{:?}", post(&unmade));
    // One file may bring a range and what became of it.
    let of = |state: &str, first: u64, last: u64| {
        json!({"kind": "label", "sub": CLASS, "payload": {
            "order": "B", "class": CLASS, "scheme": "derived", "state": state,
            "first": first, "last": last, "count": last - first + 1,
        }})
    };
    let all = json!([of("made", 1, 9), of("scrapped", 3, 3), of("activated", 4, 9)]);
    node.run("submit", &[path_text(&world.file("labels.json", all.to_string()))]).ok();
}

#[test]
fn one_label_can_go_down_a_pipe() {
    let world = World::new();
    let node = world.founder("plant");
    let line = [GTIN, "--count", "1", "--host", HOST, "--format"];
    let ran = node.run("label", &[&line[..], &["svg", "-o", "-"]].concat()).ok();
    assert!(ran.stdout.starts_with("<svg ") && ran.stdout.ends_with("</svg>\n"));
    assert!(ran.stderr.contains("printed: 1 label of"), "{}", ran.stderr);
    let ran = node.run("label", &[&line[..], &["png", "-o", "-"]].concat()).ok();
    assert!(ran.bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    let ran = node.run("label", &[&line[..], &["pdf", "-o", "-"]].concat()).ok();
    assert!(ran.bytes.starts_with(b"%PDF-1.7\n") && ran.bytes.ends_with(b"%%EOF\n"));
}
