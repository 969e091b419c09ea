use std::io::Write;
use std::sync::LazyLock;

use super::forms::{Given, given};
use super::refusal::Refusal;
use super::*;
use crate::passport::fold::UTC;
use crate::passport::view::print::{Attribute, Contradiction, Link, PassedDate, Unreadable};
use crate::passport::view::{
    Accreditation, Answer, Certificate, Confirmations, Doubted, Elsewhere, End, Ended, Erased,
    Footprint, IdleRecall, Inactive, Item, LateLabel, LogView, LotRecall, MakerClaim, Named,
    OpenFinding, Party, Picture, Proof, Recall, Record, StatedFinding, Step,
};

mod notices;
mod questions;

const PROBE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&";

fn text(text: &str) -> Vec<Text> {
    vec![
        Text { lang: Some("zh-Hans".to_owned()), text: format!("中文 {text}") },
        Text { lang: Some("en".to_owned()), text: text.to_owned() },
    ]
}

/// The text of a page, without its elements.
fn untagged(html: &str) -> String {
    html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
}

fn some_id() -> hallmark_schemas::attestation::ContentId {
    hallmark_schemas::attestation::ContentId::from_bytes([7; 32])
}

fn party(text: &str) -> Party {
    Party { id: "urn:hallmark:org:gln:9506000000013".to_owned(), name: text.to_owned() }
}

fn step(text_of: &str, number: usize) -> Step {
    let some = || Some(text_of.to_owned());
    Step {
        step: some(),
        place: some(),
        place_names: text(text_of),
        region: Some(format!("CN-{number:02}")),
        month: some(),
        by: party(text_of),
        id: some(),
        inside: None,
        is_used_up: false,
    }
}

fn certificate(text_of: &str, standing: Standing) -> Certificate {
    let own = || text_of.to_owned();
    let some = || Some(text_of.to_owned());
    Certificate {
        id: own(),
        number: own(),
        standard: own(),
        issuer: party(text_of),
        standing,
        valid_from: some(),
        valid_to: some(),
        withdrawn: some(),
        key_revoked: None,
        product_class: some(),
        site: some(),
        volume: Some(7),
        unit: some(),
        zone: UTC.to_owned(),
        reason: some(),
        is_superseded: false,
        accreditation: Accreditation {
            id: some(),
            standing: Some(Standing::InForce),
            accreditor: Some(party(text_of)),
            number: some(),
            reason: some(),
            valid_to: some(),
        },
    }
}

fn record(text_of: &str, fault: Option<&'static str>) -> Record {
    let own = || text_of.to_owned();
    let some = || Some(text_of.to_owned());
    Record {
        id: own(),
        kind: some(),
        log: own(),
        entry: 7,
        issuer: Some(party(text_of)),
        recorded: Some([own(), own()]),
        fault,
        is_public: true,
        is_silent: false,
    }
}

fn footprint(text_of: &str) -> Footprint {
    let own = || text_of.to_owned();
    let some = || Some(text_of.to_owned());
    Footprint {
        id: own(),
        by: party(text_of),
        kg_co2e: own(),
        per: own(),
        boundary: own(),
        period: Some([own(), own()]),
        verifier: Some(party(text_of)),
        verifier_claimed_by: Some(party(text_of)),
        assurance: some(),
        primary_ppm: Some(620_000),
    }
}

fn ended(text_of: &str) -> Ended {
    let some = || Some(text_of.to_owned());
    let (how, by) = (End::UsedUp, party(text_of));
    Ended { how, month: some(), by, id: some(), is_of_others: false }
}

fn erased(text_of: &str) -> Erased {
    let own = || text_of.to_owned();
    Erased { id: own(), record: own(), by: party(text_of), day: own(), reason: own() }
}

fn doubted(text_of: &str) -> Doubted {
    let own = || text_of.to_owned();
    Doubted { id: own(), kind: own(), by: party(text_of), since: own(), is_origin: true }
}

fn proof(text_of: &str) -> Proof {
    let own = || text_of.to_owned();
    let some = || Some(text_of.to_owned());
    Proof {
        records: vec![record(text_of, Some("digest")), record(text_of, None)],
        is_cut: true,
        logs: vec![LogView {
            origin: own(),
            size: 9,
            checkpoint_at: some(),
            checkpoint: "/log/checkpoint".to_owned(),
        }],
        checked_at: some(),
        judged_as_of: some(),
        bundle: Some("/v1/bundle/01/09506000134352/21/S1".to_owned()),
    }
}

fn attribute(text_of: &str) -> Attribute {
    let own = || text_of.to_owned();
    let (date, amount, unit) = (None, Some(own()), Some(own()));
    Attribute { ai: own(), title: "USE BY", value: own(), date, amount, unit }
}

/// A passport with `text` in every field that holds a text of others.
fn full(state: State, text_of: &str, steps: usize) -> Passport {
    let own = || text_of.to_owned();
    let some = || Some(text_of.to_owned());
    Passport {
        state,
        goods: some(),
        sort: Some(Sort::Item),
        misread: None,
        did_you_mean: Some("https://id.gs1.org/01/09506000134352/21/S1".to_owned()),
        link: Link {
            attributes: vec![attribute(text_of)],
            has_unreadable: true,
            unreadable: vec![unreadable(text_of)],
            contradictions: vec![Contradiction {
                ai: own(),
                title: "USE BY",
                printed: own(),
                recorded: vec![own(), own()],
            }],
            passed: vec![PassedDate { ai: own(), title: "USE BY", day: own() }],
        },
        item: Item {
            names: text(text_of),
            described_by: Some(party(text_of)),
            maker: Some(party(text_of)),
            maker_claims: ["", "other"].map(|other| claim(text_of, other)).to_vec(),
            pictures: vec![Picture { alt: text(text_of), url: own(), digest: own() }],
            brand: text(text_of),
            content: some(),
            checks: text(text_of),
            lot: some(),
            produced: some(),
            expiry: some(),
            is_past_expiry: true,
            markets: vec![own()],
        },
        recalls: vec![recall(text_of)],
        idle_recalls: vec![IdleRecall { lifted: some(), recall: recall(text_of) }],
        ended: Some(ended(text_of)),
        erased: vec![erased(text_of)],
        doubted: vec![doubted(text_of)],
        lot_recalls: vec![LotRecall { lots: vec![own(), own()], recall: recall(text_of) }],
        certificates: vec![
            certificate(text_of, Standing::Withdrawn),
            certificate(text_of, Standing::InForce),
        ],
        journey: (0..steps).map(|number| step(text_of, number)).collect(),
        footprints: vec![footprint(text_of)],
        findings: vec![finding(text_of, true), finding(text_of, false)],
        names: vec![Named { id: own(), names: text(text_of), party: None }],
        stated_findings: vec![stated(text_of)],
        confirmations: confirmations(own()),
        is_scrapped: true,
        inactive: Some(Inactive { others_are_active: true, is_seen: true }),
        late_label: Some(LateLabel { seen: some(), made: own() }),
        elsewhere: Some(Elsewhere { issuer: party(text_of), url: some() }),
        proof: proof(text_of),
    }
}

/// The same without anything that must be seen beside the state.
fn plain(state: State, text_of: &str, steps: usize) -> Passport {
    let mut passport = full(state, text_of, steps);
    passport.proof.is_cut = false;
    passport.erased.clear();
    passport.doubted.clear();
    passport.link.passed.clear();
    passport.link.unreadable.clear();
    if !state.has_record() {
        let (journey, findings, stated_findings, confirmations) = Default::default();
        passport = Passport { journey, findings, stated_findings, confirmations, ..passport };
    }
    passport.item.maker_claims.clear();
    passport.lot_recalls.clear();
    passport.idle_recalls.clear();
    let (elsewhere, inactive, late_label, did_you_mean) = Default::default();
    Passport { elsewhere, inactive, late_label, did_you_mean, ended: None, ..passport }
}

fn unreadable(text_of: &str) -> Unreadable {
    let own = || text_of.to_owned();
    Unreadable { ai: own(), title: "USE BY", value: own(), reason: own() }
}

fn recall(text_of: &str) -> Recall {
    let own = || text_of.to_owned();
    Recall {
        id: own(),
        by: party(text_of),
        goods: own(),
        since: own(),
        zone: UTC.to_owned(),
        reason: text(text_of),
        action: text(text_of),
        contact: Some(own()),
    }
}

fn claim(text_of: &str, other: &str) -> MakerClaim {
    let id = text_of.to_owned();
    MakerClaim { id, by: party(text_of), maker: party(&format!("{text_of}{other}")) }
}

fn stated(text_of: &str) -> StatedFinding {
    let own = || text_of.to_owned();
    StatedFinding {
        id: own(),
        finding: own(),
        by: party(text_of),
        subject: format!("about {text_of}"),
        code: own(),
        severity: "warning",
        message_en: own(),
        message_zh: own(),
        day: own(),
        answers: vec![Answer { id: own(), by: party(text_of), day: own(), text: text(text_of) }],
    }
}

fn finding(text_of: &str, has_message: bool) -> OpenFinding {
    let own = || text_of.to_owned();
    OpenFinding {
        id: own(),
        code: own(),
        severity: own(),
        subject: own(),
        is_copy: true,
        title: own(),
        message_en: has_message.then(own),
        message_zh: has_message.then(own),
        months: vec![own()],
        evidence_count: 2,
        answers: vec![Answer { id: own(), by: party(text_of), day: own(), text: text(text_of) }],
    }
}

/// Both forms, as long as their tokens are.
static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    let token = || Some("00112233445566778899aabbccddeeff".repeat(2));
    Forms { confirmation: token(), complaint: token() }
});

fn frame(language: Language) -> Frame<'static> {
    let path = "/01/09506000134352/10/L1/21/S1?17=271231";
    Frame { language, operator: "Works & Sons", path, forms: &FORMS }
}

fn html(passport: &Passport, language: Language) -> String {
    page(passport, &frame(language)).into_string()
}

fn confirmations(month: String) -> Confirmations {
    Confirmations { count: 3, innocent_max: 1, months: vec![month], impossible: Vec::new() }
}

#[test]
fn every_state_is_heading_title_icon_and_sentence_in_both_languages() {
    for state in State::ALL {
        for language in [Language::En, Language::Zh] {
            let passport = plain(state, "text", 3);
            let html = html(&passport, language);
            assert!(
                html.contains(&format!("<h1 data-of=\"word\">{}</h1>", state.word(language))),
                "{state:?}"
            );
            assert!(html.contains(&format!("<title>{} ·", state.word(language))), "{state:?}");
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())));
            assert!(html.contains(passport.sentence(language)), "{state:?}");
            if state != State::CopySuspected {
                assert_eq!(passport.sentence(language), state.sentence(language), "{state:?}");
            }
            assert!(html.contains(state.icon()), "{state:?}");
            assert!(html.contains(&format!("data-state=\"{}\"", state.as_str())));
        }
    }
}

#[test]
fn a_script_in_any_text_stays_text() {
    for state in State::ALL {
        for language in [Language::En, Language::Zh] {
            let html = html(&full(state, PROBE, 3), language);
            let rest = html.replace("<script type=\"module\" src=\"/assets/page.mjs\">", "");
            assert!(!rest.contains("<script") && !rest.contains("<img"), "{state:?}");
            assert!(!rest.contains(PROBE) && !rest.contains("x onerror=alert(1)>'&"), "{state:?}");
            assert!(rest.contains("&lt;script&gt;alert(1)"), "{state:?}");
        }
    }
    let answer = given(Given::Complaint, (PROBE, &some_id()), &frame(Language::En)).into_string();
    assert!(!answer.contains("<script"));
}

#[test]
fn texts_are_shown_in_the_language_of_the_page_and_marked_where_they_are_not() {
    let mut passport = full(State::Consistent, "words", 1);
    let chinese = html(&passport, Language::Zh);
    assert!(chinese.contains("中文 words"));
    passport.item.names.remove(0);
    let chinese = html(&passport, Language::Zh);
    assert!(
        chinese.contains("<strong data-of=\"name\"><span lang=\"en\">words</span></strong>"),
        "{chinese}"
    );
    let english = html(&passport, Language::En);
    assert!(english.contains("<strong data-of=\"name\"><span>words</span></strong>"));
}

#[test]
fn the_parts_stand_in_the_order_of_what_a_buyer_asks() {
    let html = html(&full(State::Recalled, "text", 3), Language::En);
    let ids = [
        "state",
        "item",
        "eyes",
        "certificates",
        "journey",
        "footprint",
        "findings",
        "check",
        "report",
        "confirm",
    ];
    let places: Vec<_> = ids.iter().map(|id| html.find(&format!("id=\"{id}\""))).collect();
    assert!(places.iter().all(Option::is_some), "{places:?}");
    assert!(places.is_sorted(), "{places:?}");
    let recall = html.find("Recalled since").expect("the recall is told");
    assert!(Some(recall) < places[1], "a recall is told before anything else");
}

#[test]
fn the_sentence_of_a_possible_copy_names_the_cause_that_there_is() {
    let mut passport = full(State::CopySuspected, "text", 1);
    passport.findings.truncate(1);
    let mut causes = Vec::new();
    passport.findings[0].code = "TRC-005".to_owned();
    causes.push(passport.sentence(Language::En));
    assert_eq!(causes[0], State::CopySuspected.sentence(Language::En), "seen where it cannot be");
    passport.findings[0].code = "TRC-001".to_owned();
    causes.push(passport.sentence(Language::En));
    passport.findings.clear();
    causes.push(passport.sentence(Language::En));
    assert!(causes[2].contains("scrapped"));
    passport.is_scrapped = false;
    causes.push(passport.sentence(Language::En));
    assert!(causes[3].contains("printed"));
    passport.link.contradictions.clear();
    causes.push(passport.sentence(Language::En));
    assert!(causes[4].contains("label") && causes[4].contains("not put on goods"));
    passport.inactive = None;
    causes.push(passport.sentence(Language::En));
    assert!(causes[5].contains("confirmed more often"));
    assert!(causes[1..].iter().all(|cause| !cause.contains("seen where")), "{causes:?}");
    assert!(causes.iter().all(|cause| cause.contains("may be a copy")), "{causes:?}");
}

#[test]
fn a_print_that_the_records_contradict_is_told_in_the_band_and_goes_along_on_every_way() {
    let mut passport = full(State::CopySuspected, "text", 1);
    let found = Contradiction {
        ai: "10".to_owned(),
        title: "BATCH/LOT",
        printed: "L<9".to_owned(),
        recorded: vec!["L1".to_owned()],
    };
    passport.link.contradictions = vec![found];
    for (language, words) in [
        (Language::En, [" L&lt;9</strong>. Recorded: L1. They differ.", "Printed: "]),
        (Language::Zh, [" L&lt;9</strong>；登记内容：L1。两者不一致。", "印刷内容："]),
    ] {
        let html = html(&passport, language);
        let band = html.split("</section>").next().unwrap();
        assert!(words.iter().all(|words| band.contains(words)), "{band}");
        let other = if language == Language::En { Language::Zh } else { Language::En };
        let path = "/01/09506000134352/10/L1/21/S1?17=271231";
        assert!(html.contains(&format!("href=\"{path}&amp;lang={}\"", other.tag())), "{html}");
        assert!(html.contains(&format!("href=\"{path}&amp;linkType=linkset\"")), "{html}");
        let hidden = format!("<input type=\"hidden\" name=\"at\" value=\"{path}\">");
        assert_eq!(html.matches(&hidden).count(), 2, "both forms: {html}");
    }
    let answer = given(Given::Complaint, ("1", &some_id()), &frame(Language::En)).into_string();
    assert!(
        answer.contains("href=\"/01/09506000134352/10/L1/21/S1?17=271231&amp;lang=en\""),
        "{answer}"
    );
    assert!(answer.contains("href=\"?at=%2F01%2F09506000134352%2F10%2FL1%2F21%2FS1"), "{answer}");
}

#[test]
fn a_refusal_is_told_in_both_languages_and_its_detail_stays_text() {
    let none = Forms::default();
    for language in [Language::En, Language::Zh] {
        let frame = Frame { forms: &none, path: "", ..frame(language) };
        for (status, after_s) in [(404, None), (429, Some(7)), (503, Some(60)), (400, None)] {
            let refusal = Refusal { status, after_s, detail: PROBE };
            let html = refusal::page(&refusal, &frame).into_string();
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())), "{status}");
            assert!(!html.contains("<script") && !html.contains("<img"), "{status}");
            assert!(!html.contains("rel=\"linkset\""), "{status}");
            let told = after_s.map(|after_s| format!("{after_s} "));
            assert!(told.is_none_or(|told| html.contains(&told)), "{status}: {html}");
        }
    }
}

#[test]
fn only_forms_that_are_handed_out_are_on_the_page() {
    let none = Forms::default();
    for state in State::ALL {
        let passport = full(state, "text", 1);
        let frame = Frame { forms: &none, ..frame(Language::En) };
        let without = page(&passport, &frame).into_string();
        assert!(!without.contains("method=\"post\""), "{state:?}");
    }
}

#[test]
fn records_are_called_complete_only_where_they_describe_the_goods_and_all_were_read() {
    for (language, complete) in [(Language::En, "complete"), (Language::Zh, "完整")] {
        let mut passport = plain(State::Consistent, "text", 1);
        assert!(html(&passport, language).contains(complete));
        passport.proof.is_cut = true;
        assert!(!html(&passport, language).contains(complete));
        passport.proof.is_cut = false;
        passport.item.names.clear();
        assert!(!html(&passport, language).contains(complete));
        assert!(!passport.sentence(language).contains(complete));
    }
}

#[test]
fn label_orders_that_this_code_is_not_of_are_one_line() {
    let mut passport = full(State::Consistent, "text", 1);
    passport.proof.is_cut = false;
    let silent = |number: u64| Record { is_silent: true, entry: number, ..record("label", None) };
    passport.proof.records = vec![record("event", None)];
    passport.proof.records.extend((20..60).map(silent));
    let html = untagged(&html(&passport, Language::En));
    assert_eq!(html.matches(" #7 ·").count(), 1, "{html}");
    assert!(!html.contains(" #20 ·"), "{html}");
    assert!(html.contains("40 label orders that this code is not of"), "{html}");
    assert!(!html.contains("More are not listed"), "{html}");
}

#[test]
fn a_code_without_a_record_has_no_forms_but_the_one_for_typing() {
    for state in [State::Unreadable, State::Foreign, State::Unknown] {
        let html = html(&full(state, "text", 3), Language::En);
        assert!(html.contains("action=\"/goods\"") && !html.contains("action=\"/confirmations\""));
        for part in ["item", "eyes", "certificates", "footprint", "confirm"] {
            let is_there = html.contains(&format!("id=\"{part}\""));
            assert_eq!(is_there, part == "item", "{state:?} {part}");
        }
    }
}

#[test]
fn a_full_page_fits_the_first_round_trip_of_a_slow_network() {
    for language in [Language::En, Language::Zh] {
        let mut passport = full(State::CopySuspected, "Text 一段说明 of the maker", 12);
        for (number, record) in passport.proof.records.iter_mut().enumerate() {
            record.id = hallmark_schemas::hex::encode(&crate::keys::random::<32>());
            record.entry = number as u64;
        }
        let html = html(&passport, language);
        let level = flate2::Compression::new(5);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
        encoder.write_all(html.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap().len();
        assert!(packed <= 14 * 1024, "{packed} bytes of {}", html.len());
        assert!(
            !html.contains("http://") && !html.contains("//cdn"),
            "nothing is fetched elsewhere"
        );
    }
}

#[test]
fn nothing_on_the_page_says_genuine_or_safe() {
    for state in State::ALL {
        for language in [Language::En, Language::Zh] {
            let html = html(&full(state, "text", 2), language).to_lowercase();
            for word in ["genuine", "authentic", "is safe", "正品", "真品", "fake", "假货"] {
                assert!(!html.contains(word), "{state:?}: {word}");
            }
        }
    }
}

#[test]
fn what_is_kept_of_a_confirmation_is_told_before_it_is_sent() {
    let passport = full(State::Consistent, "text", 1);
    for (language, told) in [
        (Language::En, ["holds the day and what you choose", "the log notes when it was entered"]),
        (Language::Zh, ["公开记录只含日期和您在下方选择的内容", "日志另记其登记时刻"]),
    ] {
        let html = html(&passport, language);
        assert!(told.iter().all(|told| html.contains(told)), "{html}");
    }
}

#[test]
fn that_a_footprint_was_verified_is_told_as_the_claim_of_its_issuer() {
    let mut passport = full(State::Consistent, "text", 1);
    let party = |name: &str| Party { id: name.to_owned(), name: name.to_owned() };
    passport.footprints[0].by = party("Works");
    passport.footprints[0].verifier = Some(party("Registry"));
    passport.footprints[0].verifier_claimed_by = Some(party("Works"));
    passport.footprints[0].assurance = Some("limited".to_owned());
    for (language, claim, none) in [
        (
            Language::En,
            "according to Works, verified by Registry, limited assurance; not signed by the verifier",
            "none is claimed",
        ),
        (Language::Zh, "据Works称，由Registry核查，有限保证；核查方未签名", "未声明经过核查"),
    ] {
        let told = html(&passport, language);
        assert!(told.contains(claim) && !told.contains(none), "{told}");
        let mut unverified = passport.clone();
        unverified.footprints[0].verifier = None;
        unverified.footprints[0].verifier_claimed_by = None;
        unverified.footprints[0].assurance = None;
        let told = html(&unverified, language);
        assert!(told.contains(none) && !told.contains("Registry"), "{told}");
    }
}
