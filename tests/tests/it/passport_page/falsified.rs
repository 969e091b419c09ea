//! Pages that a dishonest node serves beside true records: the check never says that they hold.

use serde_json::{Value, json};

use super::super::browser::look;
use super::super::passport::{record, works};
use super::super::world::{Node, World, http};
use super::{OWN, RECALLED, certificate, described, holding, made, path_of};

const FAILED: [&str; 2] = ["记录未通过核对", "The records do not hold."];
const LEFT: [&str; 2] = ["能核对的部分均通过，但", "What could be checked holds, but"];
const WORDS: [&str; 2] = ["本页的其他文字：未核对", "Other words of this page: not checked"];
const RECORDS: [&str; 2] = ["本页所示记录：未通过", "The records on this page: failed"];
const STATE: [&str; 2] = ["本页所示状态：未通过", "The state on this page: failed"];

/// What is changed in a page, in Chinese and in English, and what the check says then.
struct Case {
    name: &'static str,
    changes: Vec<[[&'static str; 2]; 2]>,
    verdict: [&'static str; 2],
    step: [&'static str; 2],
}

fn case(
    name: &'static str,
    changes: &[[[&'static str; 2]; 2]],
    verdict: [&'static str; 2],
    step: [&'static str; 2],
) -> Case {
    Case { name, changes: changes.to_vec(), verdict, step }
}

/// The same in both languages.
fn both(from: &'static str, to: &'static str) -> [[&'static str; 2]; 2] {
    [[from, to]; 2]
}

fn cases() -> Vec<Case> {
    let mut all = fields();
    all.extend(words());
    all
}

/// A field that says what its record does not.
fn fields() -> Vec<Case> {
    vec![
        case(
            "a name",
            &[both("data-of=\"describer\">Works Ltd<", "data-of=\"describer\">The Ministry<")],
            FAILED,
            RECORDS,
        ),
        case(
            "an issuer",
            &[both("<dd data-of=\"by\">Works Ltd<", "<dd data-of=\"by\">The Ministry<")],
            FAILED,
            RECORDS,
        ),
        case(
            "a status",
            &[[["<strong>有效<", "<strong>已撤销<"], ["<strong>in force<", "<strong>withdrawn<"]]],
            FAILED,
            RECORDS,
        ),
        case(
            "the code",
            &[both(
                "<code data-of=\"goods\">https://id.gs1.org/01/0952",
                "<code data-of=\"goods\">https://id.gs1.org/01/0950",
            )],
            LEFT,
            WORDS,
        ),
    ]
}

/// Words that no field is of.
fn words() -> Vec<Case> {
    let main = |text| both("</main>", text);
    vec![
        case(
            "an article",
            &[main("<article>Tested by the Ministry</article></main>")],
            LEFT,
            WORDS,
        ),
        case("a picture", &[main("<img alt=\"\" src=\"data:,\"></main>")], LEFT, WORDS),
        case("a made-up field", &[main("<p data-of=\"operator\">Tested</p></main>")], LEFT, WORDS),
        case(
            "a phrase out of its place",
            &[[["</main>", "<p>有效</p></main>"], ["</main>", "<p>in force</p></main>"]]],
            LEFT,
            WORDS,
        ),
        case(
            "a field under another's label",
            &[both("<dd data-of=\"content\">", "<dd data-of=\"brand\">")],
            FAILED,
            RECORDS,
        ),
        case(
            "a label of another field",
            &[[["<dt>规格<", "<dt>批号<"], ["<dt>Content<", "<dt>Lot<"]]],
            LEFT,
            WORDS,
        ),
        case("no field", &[both("<strong data-of=\"name\">", "<strong>Safe ")], LEFT, WORDS),
        case(
            "a heading",
            &[[
                ["data-of=\"word\">记录一致", "data-of=\"word\">已召回"],
                ["data-of=\"word\">Records consistent", "data-of=\"word\">Recalled"],
            ]],
            FAILED,
            STATE,
        ),
        case(
            "a heading that is not shown",
            &[both("<h1 data-of=\"word\"", "<h1 hidden data-of=\"word\"")],
            LEFT,
            WORDS,
        ),
        case(
            "a sentence",
            &[[
                ["data-of=\"sentence\">", "data-of=\"sentence\">安全。"],
                ["data-of=\"sentence\">", "data-of=\"sentence\">Safe. "],
            ]],
            FAILED,
            STATE,
        ),
        case("the title", &[both("<title>", "<title>Safe: ")], LEFT, WORDS),
        case(
            "a worse state",
            &[both("data-state=\"consistent\"", "data-state=\"recalled\"")],
            FAILED,
            STATE,
        ),
    ]
}

/// Of a product that is recalled.
fn hidden() -> Case {
    let band = [
        [
            ["data-of=\"word\">已召回", "data-of=\"word\">记录一致"],
            ["data-of=\"word\">Recalled", "data-of=\"word\">Records consistent"],
        ],
        [
            [
                "该产品已被召回，原因和处理办法见下。",
                "关于此代码的记录完整且一致。印刷的代码可以被复制：请对照说明和封签查看实物。",
            ],
            [
                "The goods have been recalled. Read the reason and what to do below.",
                "The records for this code are complete and consistent. A printed code can be copied: compare what you hold with the description and the seal.",
            ],
        ],
        [["<title>已召回", "<title>记录一致"], ["<title>Recalled", "<title>Records consistent"]],
        both("data-state=\"recalled\"", "data-state=\"consistent\""),
    ];
    case("a recall", &band, FAILED, STATE)
}

/// A page as the node serves it, and its policy.
fn served(node: &Node, path: &str, language: &str) -> (String, String) {
    let path = format!("{path}?lang={language}");
    let answer = http::send("GET", &node.url, &path, &[("Accept", "text/html")], b"");
    assert_eq!(answer.status, 200, "{path}");
    let policy = answer.header("content-security-policy").expect("a policy").to_owned();
    (String::from_utf8(answer.body).expect("text"), policy)
}

/// The falsified page, as the browser gets it instead of the node's.
fn falsified(node: &Node, path: &str, case: &Case) -> Value {
    let mut html = json!({});
    let mut policy = String::new();
    for (at, language) in ["zh-Hans", "en"].into_iter().enumerate() {
        let (mut page, of) = served(node, path, language);
        for change in &case.changes {
            let [from, to] = change[at];
            assert!(page.contains(from), "{}: no {from} in {page}", case.name);
            page = page.replace(from, to);
        }
        html[language] = page.into();
        policy = of;
    }
    let told = |at: usize| json!({"text": case.verdict[at], "steps": [case.step[at]]});
    json!({
        "name": format!("falsified-{}", case.name.replace(' ', "-")), "path": path, "status": 200,
        "html": html, "policy": policy, "once": true, "probes": [],
        "says": {"zh-Hans": {}, "en": {}}, "check": {"zh-Hans": told(0), "en": told(1)},
    })
}

#[test]
fn no_page_that_was_falsified_is_said_to_hold() {
    let world = World::new();
    let mut node = works(&world, "Works Ltd");
    let mut statements = [described(OWN), described(RECALLED)].concat();
    statements.extend([made(20, OWN, "fine"), made(21, RECALLED, "fine")]);
    statements.push(certificate(OWN, "Good", "2099-01-01T00:00:00Z"));
    statements.push(json!({ "kind": "recall", "sub": RECALLED, "payload": {
        "recall": "R-1", "why": {"en": "It leaks"}, "what_to_do": {"en": "Bring it back"},
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } }));
    record(&world, &node, &statements);
    let path = path_of(OWN, "fine");
    let mut pages: Vec<Value> = cases().iter().map(|one| falsified(&node, &path, one)).collect();
    pages.push(falsified(&node, &path_of(RECALLED, "fine"), &hidden()));
    let mut honest = falsified(&node, &path, &case("nothing", &[], LEFT, WORDS));
    honest["check"] = holding();
    pages.push(honest);
    look(&node, &pages.into());
    assert_eq!(node.stop(), 0);
}
