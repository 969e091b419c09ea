//! Tables of one's own through `--map`: columns, units, times, encodings, workbooks.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::command::{stdout, verify};

const MAP: &str = r#"
[meter_readings]
zone = "Asia/Shanghai"
encoding = "gb18030"
header_line = 2
[meter_readings.columns]
device = "表号"
quantity = { value = "electricity" }
interval_s = { value = "3600" }
read_at = { column = "时间", format = "%Y/%m/%d %H:%M", begins = true }
amount = { column = "电量", unit = "kWh" }
"#;

/// What a run says of the one table, and the values of its first evidence row.
fn report(folder: &Path, table: &str, map: &str) -> Value {
    fs::write(folder.join("map.toml"), map).expect("written");
    let table = format!("meter_readings={table}");
    let args = ["check", "--table", &table, "--map", "map.toml", "--report", "json"];
    let output = verify(&args, folder);
    assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Rows read, used and refused, and the first fault.
fn rows(report: &Value) -> (u64, u64, String) {
    let source = &report["sources"][0];
    let number = |name: &str| source[name].as_u64().expect("a count");
    assert_eq!(number("rows_read"), number("rows_used") + number("rows_refused"));
    let fault = &source["faults"][0];
    let text = |name: &str| fault[name].as_str().unwrap_or_default().to_owned();
    let said = format!("{}: {}; {}", text("column"), text("reason"), text("advice"));
    (number("rows_used"), number("rows_refused"), said)
}

/// Hours whose readings stand still: MTR-003 cites them, so `explain` shows the rows as they are read.
fn stuck(hours: u32) -> String {
    let row = |hour: u32| format!("0042,2026/03/{:02} {:02}:00,1.5\n", 1 + hour / 24, hour % 24);
    (0..hours).map(row).collect()
}

#[test]
fn a_gbk_file_with_names_units_and_times_of_its_own_is_read_and_keeps_what_it_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("三月读数,,\n表号,时间,电量\n{}", stuck(48));
    let (bytes, _, lossy) = encoding_rs::GB18030.encode(&text);
    assert!(!lossy);
    fs::write(folder.path().join("m.csv"), &bytes).expect("written");
    let found = report(folder.path(), "m.csv", MAP);
    assert_eq!(rows(&found).0, 48, "{found}");
    let args = ["explain", "--table", "meter_readings=m.csv", "--map", "map.toml", "MTR-003"];
    let text = stdout(&verify(&args, folder.path()));
    for wanted in [
        "device=0042",
        "unit=Wh",
        "amount=1500",
        "source_amount=1.5",
        "source_unit=kWh",
        "read_at=2026-02-28T17:00:00Z",
        "--map map.toml",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    // Without the map nothing of it is guessed.
    let bare = verify(&["check", "--table", "meter_readings=m.csv"], folder.path());
    assert_eq!(bare.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&bare.stderr).contains("gb18030"));
}

#[test]
fn what_a_map_does_not_say_is_refused_with_its_line_and_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let utf8 =
        MAP.replace("encoding = \"gb18030\"\n", "").replace("Asia/Shanghai", "Europe/Berlin");
    for (cells, wanted) in [
        ("0042,2026/03/29 02:30,1", "put forward"),
        ("0042,2026/10/25 02:30,1", "put back"),
        ("0042,2026-03-01 02:30,1", "not written as"),
        ("0042,2026/03/01 02:30,1.0005", "round = true"),
        ("0042,2026/03/01 02:30,4.9E+12", "digits are lost"),
        ("0042,2026/03/01 02:30,\"1,5\"", "no decimal number"),
        ("0042,2026/03/01 02:30,", "every row needs it"),
        ("0042,2026/03/01 02:30", "the row has 2 cells"),
    ] {
        let text = format!("title\n表号,时间,电量\n{cells}\n");
        fs::write(folder.path().join("m.csv"), text).expect("written");
        let (used, refused, fault) = rows(&report(folder.path(), "m.csv", &utf8));
        assert_eq!((used, refused), (0, 1), "{cells}");
        assert!(fault.contains(wanted), "{cells}: {fault}");
    }
    let rounding = utf8.replace("unit = \"kWh\"", "unit = \"kWh\", round = true");
    fs::write(folder.path().join("m.csv"), "x\n表号,时间,电量\n1,2026/03/01 02:30,1.0005\n")
        .expect("written");
    assert_eq!(rows(&report(folder.path(), "m.csv", &rounding)).0, 1);
    for (map, wanted) in [
        (utf8.replace("\"电量\"", "\"能量\""), "the map names the column `能量`"),
        ("[meter_reading]".to_owned(), "the nearest is `meter_readings`"),
        (utf8.replace("zone", "zome"), "zome"),
    ] {
        fs::write(folder.path().join("map.toml"), map).expect("written");
        let args = ["check", "--table", "meter_readings=m.csv", "--map", "map.toml"];
        let output = verify(&args, folder.path());
        assert!(matches!(output.status.code(), Some(2 | 3)));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(wanted) && said.contains("help: "), "{said}");
    }
}

/// A workbook of one sheet with these rows of cells, each as its XML.
fn workbook(path: &Path, rows: &[String]) {
    let mut archive = ZipWriter::new(fs::File::create(path).expect("made"));
    let mut part = |name: &str, xml: String| {
        archive.start_file(name, SimpleFileOptions::default()).expect("starts");
        archive.write_all(xml.as_bytes()).expect("written");
    };
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006/relationships";
    part(
        "[Content_Types].xml",
        "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>"
            .to_owned(),
    );
    part(
        "_rels/.rels",
        format!(
            "<Relationships xmlns=\"{package}\"><Relationship Id=\"r1\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
        ),
    );
    part(
        "xl/workbook.xml",
        format!(
            "<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets><sheet name=\"July\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
        ),
    );
    part(
        "xl/_rels/workbook.xml.rels",
        format!(
            "<Relationships xmlns=\"{package}\"><Relationship Id=\"r1\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"r2\" Type=\"{office}/styles\" Target=\"styles.xml\"/></Relationships>"
        ),
    );
    part(
        "xl/styles.xml",
        format!(
            "<styleSheet xmlns=\"{main}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/></cellXfs></styleSheet>"
        ),
    );
    let rows = rows.iter().enumerate();
    let rows: String =
        rows.map(|(at, cells)| format!("<row r=\"{}\">{cells}</row>", at + 1)).collect();
    part(
        "xl/worksheets/sheet1.xml",
        format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>"),
    );
    archive.finish().expect("ends");
}

fn text(place: &str, text: &str) -> String {
    format!("<c r=\"{place}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

#[test]
fn a_workbook_is_read_with_its_dates_and_digits_and_lost_digits_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let map = r#"
[meter_readings]
zone = "+08:00"
sheet = "July"
[meter_readings.columns]
device = "Meter no"
quantity = { value = "electricity" }
interval_s = { value = "3600" }
read_at = "Time"
amount = { column = "Energy", unit_column = "Unit" }
"#;
    let header =
        [text("A1", "Meter no"), text("B1", "Time"), text("C1", "Energy"), text("D1", "Unit")];
    // 46082.5 days after the last of 1899: 2026-03-01T12:00.
    let row = |at: u32, device: String, time: &str, energy: &str, unit: &str| {
        [
            device,
            format!("<c r=\"B{at}\" s=\"1\"><v>{time}</v></c>"),
            format!("<c r=\"C{at}\"><v>{energy}</v></c>"),
            text(&format!("D{at}"), unit),
        ]
        .concat()
    };
    let rows_of = [
        header.concat(),
        row(2, text("A2", "007"), "46082.5", "1.25", "kWh"),
        row(3, text("A3", "007"), "46082.541666666664", "0.5", "MWh"),
        row(4, "<c r=\"A4\"><v>12345678901234567890</v></c>".to_owned(), "46082.5", "1", "kWh"),
        row(5, text("A5", "007"), "46082.5", "1", "m3"),
    ];
    workbook(&folder.path().join("m.xlsx"), &rows_of);
    let found = report(folder.path(), "m.xlsx", map);
    let (used, refused, fault) = rows(&found);
    assert_eq!((used, refused), (2, 2), "{found}");
    assert!(fault.starts_with("device") && fault.contains("digits are lost"), "{fault}");
    assert_eq!(found["as_of"], "2026-03-01T05:00:00Z");
    let other = report_fails(folder.path(), &map.replace("July", "June"));
    assert!(other.contains("there is no sheet `June`, only July"), "{other}");
    fs::write(folder.path().join("m.xlsx"), b"PK\x03\x04 and no more").expect("written");
    assert!(report_fails(folder.path(), map).contains("the workbook cannot be read"));
}

fn report_fails(folder: &Path, map: &str) -> String {
    fs::write(folder.join("map.toml"), map).expect("written");
    let args = ["check", "--table", "meter_readings=m.xlsx", "--map", "map.toml"];
    let output = verify(&args, folder);
    assert_eq!(output.status.code(), Some(3));
    String::from_utf8_lossy(&output.stderr).into_owned()
}
