//! The passport in a browser: each of its twelve states, as a running node shows it.

mod falsified;

use hallmark_schemas::hex;
use serde_json::{Value, json};

use super::browser::look;
use super::passport::{CHENGDU, XIAMEN, confirm, expect, form, grow_stale, record, tamper, works};
use super::world::{Node, World, http, path_text, run};

/// Text that would run if it were not shown as text.
const PROBE: &str = "<img src=x onerror=probed=1>\"'&";
/// The same of the characters that a code may hold.
const PRINTED: &str = "<img/src=x>\"'&";

const OWN: &str = "https://id.gs1.org/01/09520123450007";
const RECALLED: &str = "https://id.gs1.org/01/09520123450014";
const WITHDRAWN: &str = "https://id.gs1.org/01/09520123450021";
const EXPIRED: &str = "https://id.gs1.org/01/09520123450038";
const NOTICED: &str = "https://id.gs1.org/01/09520123450045";

/// HTML and style, compressed: ten segments of the first congestion window.
const PAGE_BYTES_MAX: usize = 14 * 1024;
/// The script that comes with it; the rest is asked for by whoever presses the button.
const SCRIPT_BYTES_MAX: usize = 10 * 1024;
/// The page with every part of the script.
const ALL_BYTES_MAX: usize = 60 * 1024;

/// A page of a state: its name and path, then its words in Chinese and English.
struct Shown {
    name: &'static str,
    path: String,
    status: u16,
    words: [&'static str; 2],
    probes: Vec<String>,
    more: Value,
}

impl Shown {
    fn new(name: &'static str, path: String, status: u16, words: [&'static str; 2]) -> Shown {
        Shown { name, path, status, words, probes: Vec::new(), more: json!({}) }
    }

    /// It is the page of goods that are described in probes.
    fn described(mut self) -> Shown {
        self.probes = ["Flask ", "Brand ", "Size ", "Seal ", "Lot", "Works "]
            .map(
                |field| if field == "Lot" { PRINTED.to_owned() } else { format!("{field}{PROBE}") },
            )
            .to_vec();
        self
    }

    fn with(mut self, probes: &[&str]) -> Shown {
        self.probes.extend(probes.iter().map(|field| format!("{field} {PROBE}")));
        self
    }

    fn page(&self) -> Value {
        let [zh, en] = self.words;
        // Whoever prints it has one sheet, unless there is more to warn of than fits on one.
        let is_sheet = self.name != "noticed";
        let mut page = json!({
            "name": format!("passport-{}", self.name), "path": self.path, "status": self.status,
            "probes": self.probes, "golden": true, "few": true, "sheet": is_sheet,
            "says": { "zh-Hans": { "both": [zh] }, "en": { "both": [en] } },
        });
        let more = self.more.as_object().expect("an object").clone();
        page.as_object_mut().expect("an object").extend(more);
        page
    }
}

/// Both languages of a field, each with the probe.
fn words(en: &str, zh: &str) -> Value {
    json!({ "en": format!("{en} {PROBE}"), "zh-Hans": format!("{zh}，{en} {PROBE}") })
}

/// A class with every field that a passport shows.
fn described(class: &str) -> [Value; 2] {
    let item = json!({ "item": {
        "brand": words("Brand", "品牌"), "content": format!("Size {PROBE}"),
        "look_for": words("Seal", "瓶盖上有蓝色封签"),
    } });
    let about = json!({ "kind": "masterdata", "sub": class, "payload": {
        "from_at": "2026-01-01T00:00:00Z", "name": words("Flask", "保温杯"), "about": item,
        "pictures": [{ "url": "https://pictures.example/flask.png?a='x'", "digest": "ab".repeat(32),
            "alt": words("Picture", "保温杯正面照片") }],
    } });
    let footprint = json!({ "kind": "footprint", "sub": class, "aud": "public", "payload": {
        "footprint": class, "declared_unit": "piece", "quantity": 1, "amount_g": 1840,
        "boundary": "cradle_to_gate", "standards": ["ISO 14067"], "primary_share_ppm": 640_000,
        "period_start": "2025-01-01T00:00:00Z", "period_end": "2026-01-01T00:00:00Z",
    } });
    [about, footprint]
}

/// A public event of one item of a class; one that makes it gives it a lot.
fn seen(number: u32, class: &str, serial: &str, (step, at, place): (&str, &str, &str)) -> Value {
    let mut epcis = json!({
        "type": "ObjectEvent", "action": "OBSERVE", "bizStep": step,
        "eventID": format!("urn:uuid:00000000-0000-4000-8001-{number:012}"),
        "eventTime": at, "eventTimeZoneOffset": "+08:00",
        "epcList": [format!("{class}/21/{serial}")], "readPoint": { "id": place },
    });
    if step == "commissioning" {
        epcis["action"] = "ADD".into();
        epcis["ilmd"] = json!({ "cbvmda:lotNumber": PRINTED });
    }
    json!({ "kind": "event", "aud": "public", "payload": { "epcis": epcis.to_string() } })
}

fn made(number: u32, class: &str, serial: &str) -> Value {
    seen(number, class, serial, ("commissioning", "2026-03-01T08:00:00+08:00", XIAMEN))
}

fn certificate(class: &str, id: &str, until: &str) -> Value {
    json!({ "kind": "certificate", "sub": class, "payload": {
        "id": format!("{id} {PROBE}"), "standard": format!("GB/T 29606 {PROBE}"),
        "valid_from": "2020-01-01T00:00:00Z", "valid_to": until } })
}

/// What a class has that is recalled, pulled or past its date.
fn faulty(world: &World, node: &Node) {
    let mut statements = Vec::new();
    for (number, class) in (40..).zip([RECALLED, WITHDRAWN, EXPIRED]) {
        statements.extend(described(class));
        statements.push(made(number, class, "fine"));
    }
    let pulled = certificate(WITHDRAWN, "Pulled", "2099-01-01T00:00:00Z");
    statements.push(certificate(EXPIRED, "Old", "2021-01-01T00:00:00Z"));
    statements.extend(noticed());
    statements.push(json!({ "kind": "recall", "sub": RECALLED, "payload": {
        "recall": "R-1", "why": words("Why", "瓶盖可能漏水"), "what_to_do": words("Do", "请停止使用"),
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } }));
    record(world, node, &statements);
    let first = record(world, node, std::slice::from_ref(&pulled));
    let mut after = pulled;
    after["payload"]["withdrawn_at"] = json!("2026-01-01T00:00:00Z");
    after["payload"]["replaces"] = json!(first[0]);
    after["payload"]["reason"] = json!(format!("The audit failed {PROBE}"));
    record(world, node, &[after]);
}

/// Of what a calm state must not hide: a recall of another lot, a label on no goods, a date.
fn noticed() -> Vec<Value> {
    let label = |last: u64, state: &str| {
        json!({ "kind": "label", "sub": NOTICED, "payload": {
            "order": "PO-9", "class": NOTICED, "scheme": "sequence", "first": 1, "last": last,
            "count": last, "state": state } })
    };
    let recall = json!({ "kind": "recall", "sub": format!("{NOTICED}/10/L9"), "payload": {
        "recall": "R-9", "why": words("Why", "瓶盖可能漏水"), "what_to_do": words("Do", "请停止使用"),
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } });
    let mut later = recall.clone();
    later["sub"] = json!(NOTICED);
    later["payload"]["recall"] = json!("R-10");
    later["payload"]["since"] = json!("2099-01-01T00:00:00Z");
    let mut all = described(NOTICED).to_vec();
    all.push(later);
    all.extend([label(20, "made"), label(10, "activated"), recall, stated(NOTICED, "Stated")]);
    all
}

/// A public finding about goods, which names a place, an organisation and a place that nobody knows.
fn stated(goods: &str, word: &str) -> Value {
    let places = format!("{XIAMEN} / {CHENGDU} / https://id.gs1.org/414/9506000134383");
    json!({ "kind": "finding", "sub": goods, "aud": "public", "payload": {
        "code": "TRC-900", "subject": goods, "anchor": "2026-01-01T00:00:00Z",
        "severity": "warning", "class": "lead", "message_en": format!("{places}, {word} {PROBE}"),
        "message_zh": format!("{places}，两批产品的重量不同，{word} {PROBE}"), "evidence": [],
        "evidence_count": 0, "answer": "Publish the record.", "as_of": "2026-02-01T00:00:00Z",
        "pack_digest": "00".repeat(32) } })
}

/// An item is put on a pallet, and the pallet is moved.
fn on_pallet(number: u32, step: &str, at: &str) -> Value {
    const PALLET: &str = "urn:epc:id:sscc:952012.30000000001";
    let mut event = seen(number, OWN, "boxed", (step, at, XIAMEN));
    let text = event["payload"]["epcis"].as_str().expect("text");
    let mut epcis: Value = serde_json::from_str(text).expect("JSON");
    if step == "packing" {
        let children = epcis["epcList"].take();
        epcis["type"] = "AggregationEvent".into();
        epcis["action"] = "ADD".into();
        epcis["parentID"] = PALLET.into();
        epcis["childEPCs"] = children;
        epcis.as_object_mut().expect("an object").remove("epcList");
    } else {
        epcis["epcList"] = json!([PALLET]);
    }
    event["payload"]["epcis"] = epcis.to_string().into();
    event
}

/// Items of the first class, one for each state that an item alone can have.
fn items(world: &World, node: &Node) {
    let mut statements = described(OWN).to_vec();
    for (number, serial) in (20..).zip(["fine", "seen", "torn", "copied", "early"]) {
        statements.push(made(number, OWN, serial));
    }
    let mut good = certificate(OWN, "Good", "2099-01-01T00:00:00Z");
    for (name, value) in [
        ("product_class", json!(format!("Class {PROBE}"))),
        ("site", json!(format!("Site {PROBE}"))),
        ("volume", json!(5000)),
        ("unit", json!("items")),
    ] {
        good["payload"][name] = value;
    }
    statements.extend([
        good,
        made(55, OWN, "ended"),
        seen(56, OWN, "ended", ("destroying", "2026-04-01T09:00:00+08:00", CHENGDU)),
        json!({ "kind": "accreditation", "sub": node.org, "payload": {
            "scheme": "iso17065", "number": format!("CNAS {PROBE}"),
            "valid_from": "2020-01-01T00:00:00Z", "sectors": [format!("GB/T 29606 {PROBE}")],
            "status": "in_force", "from_at": "2020-01-01T00:00:00Z" } }),
        seen(50, OWN, "copied", ("receiving", "2026-03-01T09:00:00+08:00", CHENGDU)),
        seen(51, OWN, "early", ("receiving", "2026-02-20T08:00:00+08:00", XIAMEN)),
        stated(&format!("{OWN}/21/spoken"), "Spoken"),
        made(52, OWN, "boxed"),
        on_pallet(53, "packing", "2026-03-01T09:00:00+08:00"),
        on_pallet(54, "shipping", "2026-03-01T10:00:00+08:00"),
    ]);
    record(world, node, &statements);
    let seen = format!("{OWN}/21/seen");
    assert_eq!(confirm(node, &seen, &form(node, &seen)).status, 201);
    let early = expect(node, &path_of(OWN, "early"), 200, "disputed");
    let answer = json!({ "kind": "response", "aud": "public", "payload": {
        "finding": early["findings"][0]["id"], "text": words("Answer", "生产线的时钟有误") } });
    record(world, node, &[answer]);
}

/// What the check says where all that is shown holds.
fn holding() -> Value {
    json!({
        "zh-Hans": {"text": "本页所示记录核对通过：已签名、已登记、未被改动。",
            "steps": ["见证方：本网络没有见证方", "本页所示记录：通过"]},
        "en": {"text": "The records on this page hold: signed, logged and unchanged.",
            "steps": ["Witnesses: this network has none", "The records on this page: holds",
                "Keys given up since: not checked"]},
    })
}

/// What the check must say, and the form that is filled in without script.
fn consistent() -> Value {
    json!({
        "check": holding(),
        // A telephone number is refused; the page that says so has the form as it was filled in.
        "taps": [
            "#report summary", "#report label >> nth=1",
            {"fill": "#report textarea", "text": "139.1234.5678 <b>"}, "#report button",
            {"fill": "textarea[aria-describedby=fault]", "was": "139.1234.5678 <b>",
                "text": "The seal was open"},
            "input[value=damaged]:checked", "main form button",
        ],
        "lands": "/complaints/",
        "then": {
            "zh-Hans": {"both": ["您的报告已登记"]}, "en": {"both": ["Your report is recorded"]},
        },
    })
}

/// What the check says of a page with a finding: it is its node's own word, and all else a record's.
fn found() -> Value {
    json!({ "check": {
        "zh-Hans": {"text": "能核对的部分均通过，但并非全部都能核对。本页的其他文字：以下为本节点自己的核查结论： “",
            "steps": ["本页所示记录：通过", "本页所示状态：未核对：仅为节点自称"]},
        "en": {"text": "What could be checked holds, but not everything could be. Other words of this \
                page: what this node’s own rules found is its word: “",
            "steps": ["The records on this page: holds",
                "The state on this page: not checked: it is the node’s own word"]},
    } })
}

/// What the check says of a page of a code that others speak of: all but its state is a record's.
fn spoken() -> Value {
    json!({ "check": {
        "zh-Hans": {"text": "能核对的部分均通过，但并非全部都能核对。本页所示状态：仅为节点自称",
            "steps": ["本页所示记录：通过", "本页的其他文字：通过"]},
        "en": {"text": "What could be checked holds, but not everything could be. The state on this \
                page: it is the node’s own word",
            "steps": ["The records on this page: holds", "Other words of this page: holds"]},
    } })
}

fn broken() -> Value {
    json!({ "check": {
        "zh-Hans": {
            "text": "记录未通过核对，请勿依赖。记录内容完整：节点所存的记录内容与登记时不同 (sha256:",
            "steps": ["见证方：本网络没有见证方", "本页所示记录：未通过", "本页的其他文字：未进行"]},
        "en": {
            "text": "The records do not hold. Do not rely on them. Records whole: the node’s bytes of \
                a record are not those that were logged (sha256:",
            "steps": ["Witnesses: this network has none", "The records on this page: failed",
                "Other words of this page: not reached"]},
    } })
}

fn path_of(class: &str, serial: &str) -> String {
    format!("{}/21/{serial}", class_path(class))
}

fn class_path(class: &str) -> &str {
    class.trim_start_matches("https://id.gs1.org")
}

fn shown() -> Vec<Shown> {
    let of = |class| path_of(class, "fine");
    let path = |serial| path_of(OWN, serial);
    let unreadable = "/01/09520123450008/21/fine".to_owned();
    let printed = "%3Cimg%2Fsrc%3Dx%3E%22%27%26";
    let foreign = format!("/01/09506000134352/21/{printed}?240={printed}");
    let mut all = vec![
        Shown::new("unreadable", unreadable, 400, ["不是产品代码", "Not a product code"]),
        Shown::new("foreign", foreign, 404, ["未在此登记", "Not registered here"]),
        Shown::new(
            "unknown",
            path("invented"),
            404,
            ["没有此件产品的记录", "No record of this item"],
        ),
        Shown::new("broken", path("torn"), 200, ["记录不符", "Records do not match"]),
        Shown::new("recalled", of(RECALLED), 200, ["已召回", "Recalled"])
            .described()
            .with(&["Why", "Do"]),
        Shown::new("withdrawn", of(WITHDRAWN), 200, ["证书已被撤销", "Certificate withdrawn"])
            .described()
            .with(&["Pulled", "GB/T 29606"]),
        Shown::new("expired", of(EXPIRED), 200, ["证书已过期", "Certificate expired"])
            .described()
            .with(&["Old"]),
        Shown::new("copied", path("copied"), 200, ["代码可能被复制", "May be a copied code"])
            .described(),
        Shown::new("disputed", path("early"), 200, ["有未决疑问", "Question open"])
            .described()
            .with(&["Answer"]),
        Shown::new(
            "noticed",
            format!("{}/21/15?17=200131&3103=000500", class_path(NOTICED)),
            200,
            ["记录一致", "Records consistent"],
        )
        .with(&["Why", "Do", "Flask", "Picture", "Stated"]),
        Shown::new("asked", "/goods".to_owned(), 400, ["请输入代码", "Which code?"]),
        Shown::new("seen", path("seen"), 200, ["此前已有人确认", "Confirmed before"]).described(),
        Shown::new("consistent", path("fine"), 200, ["记录一致", "Records consistent"])
            .described()
            .with(&["Good", "CNAS", "Class", "Site"]),
        Shown::new("spoken", path("spoken"), 404, ["发放方没有记录", "Not recorded by its issuer"])
            .with(&["Spoken", "Flask"]),
        Shown::new("boxed", path("boxed"), 200, ["记录一致", "Records consistent"]).described(),
        Shown::new("ended", path("ended"), 200, ["登记为已销毁", "Recorded as destroyed"])
            .described(),
    ];
    all[1].probes = vec![PRINTED.to_owned()];
    all[3].more = broken();
    all[12].more = consistent();
    // Recalls, certificates, accreditations, pallets: all that is worded is checked.
    for state in [4, 5, 9, 14, 15] {
        all[state].more = json!({ "check": holding() });
    }
    for state in [7, 8] {
        all[state].more = found();
    }
    all[13].more = spoken();
    for state in [13, 14, 15] {
        all[state].more["golden"] = false.into();
    }
    all
}

/// The bytes of a body as they travel to a browser that takes gzip alone.
fn travels(node: &Node, path: &str, accept: &str) -> usize {
    let headers = [("Accept", accept), ("Accept-Encoding", "gzip, deflate")];
    let answer = http::send("GET", &node.url, path, &headers, b"");
    assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
    answer.body.len()
}

/// A damaged record goes out as its proof, with what is there instead: who checks the bundle is told
/// which record it is.
fn holds_proof_of_damage(world: &World, node: &Node, path: &str) {
    let passport = expect(node, path, 200, "broken");
    let records = passport["proof"]["records"].as_array().expect("a list").iter();
    let mut damaged = records.filter(|record| record["fault"] == "digest");
    let id = damaged.next().and_then(|record| record["id"].as_str()).expect("an id");
    let bytes = hex::decode(id.trim_start_matches("sha256:")).expect("hex");
    let bundle = node.get(&format!("/v1/bundle{path}"));
    assert_eq!(bundle.status, 200);
    let names = |window: &[u8]| window == bytes;
    assert!(bundle.body.windows(bytes.len()).any(names), "the receipt names it");
    let file = world.file("damaged.hallmark", &bundle.body);
    let checked = run("hallmark-verify", &["check", path_text(&file)]);
    assert_eq!(checked.code, 4, "{}", checked.stdout);
    assert!(checked.stdout.contains("Records whole: failed"), "{}", checked.stdout);
    let told = "what is kept as its body is that of sha256:";
    assert!(checked.stdout.contains(told) && checked.stdout.contains(id), "{}", checked.stdout);
}

#[test]
fn every_state_holds_in_a_browser() {
    let world = World::new();
    let mut node = works(&world, &format!("Works {PROBE}"));
    items(&world, &node);
    faulty(&world, &node);
    tamper(&node, "torn");
    for one in shown() {
        let state = match one.name {
            "copied" => "copy_suspected",
            "seen" => "consistent_seen",
            "noticed" | "boxed" | "ended" => "consistent",
            "asked" => "unreadable",
            "spoken" => "unknown",
            name => name,
        };
        expect(&node, &one.path, one.status, state);
    }
    let described = node.get("/openapi.json").json();
    let names = &described["paths"]["/assets/{name}"]["get"]["parameters"][0]["schema"]["enum"];
    let names: Vec<_> =
        names.as_array().expect("the parts").iter().filter_map(Value::as_str).collect();
    let script = |name: &str| travels(&node, &format!("/assets/{name}"), "*/*");
    assert!(script("page.mjs") <= SCRIPT_BYTES_MAX);
    // A page asks for the parts of its own language alone.
    let scripts_in = |language: &str| -> usize {
        let other = if language == "en" { "-zh.mjs" } else { "-en.mjs" };
        names.iter().filter(|name| !name.ends_with(other)).map(|name| script(name)).sum()
    };
    println!("scripts: {} bytes with the page", script("page.mjs"));
    for one in shown().iter().filter(|one| one.status == 200) {
        for language in ["zh-Hans", "en"] {
            let scripts = scripts_in(language);
            let joint = if one.path.contains('?') { '&' } else { '?' };
            let path = format!("{}{joint}lang={language}", one.path);
            let page = travels(&node, &path, "text/html");
            assert!(page <= PAGE_BYTES_MAX, "{}: {page} bytes", one.name);
            assert!(page + scripts <= ALL_BYTES_MAX, "{}: {page} and {scripts}", one.name);
        }
    }
    holds_proof_of_damage(&world, &node, &path_of(OWN, "torn"));
    look(&node, &shown().iter().map(Shown::page).collect());
    assert_eq!(node.stop(), 0);
}

#[test]
fn a_page_that_is_not_confirmed_now_holds_in_a_browser() {
    let world = World::new();
    let mut node = works(&world, &format!("Works {PROBE}"));
    let statements = [described(OWN).to_vec(), vec![made(20, OWN, "fine")]].concat();
    record(&world, &node, &statements);
    grow_stale(&mut node);
    expect(&node, &path_of(OWN, "fine"), 200, "stale");
    let page =
        Shown::new("stale", path_of(OWN, "fine"), 200, ["目前无法确认", "Not confirmed now"]);
    look(&node, &json!([page.described().page()]));
    assert_eq!(node.stop(), 0);
}
