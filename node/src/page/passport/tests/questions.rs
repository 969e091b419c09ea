//! What others say, and what is open.

use super::*;

#[test]
fn what_others_say_of_a_code_that_nobody_vouches_for_is_on_the_page_as_in_the_data() {
    let mut passport = full(State::Unknown, "text", 3);
    for (language, told) in [
        (Language::En, ["Buyers confirmed it 3 times", "Recorded of the product: ", "says text"]),
        (Language::Zh, ["购买者已确认 3 次", "此类产品的记录：", "陈述方：text"]),
    ] {
        passport.goods = Some("https://id.gs1.org/01/09506000134352/21/S1".to_owned());
        let told_of = html(&passport, language);
        for told in told {
            assert!(untagged(&told_of).contains(told), "{told}: {told_of}");
        }
        for part in ["journey", "findings", "check", "by-hand", "report"] {
            assert!(told_of.contains(&format!("id=\"{part}\"")), "{part}");
        }
        let way = format!("href=\"/01/09506000134352?lang={}\"", language.tag());
        assert!(told_of.contains(&way), "{told_of}");
        assert!(!told_of.contains(State::Unknown.word(language)), "there is a record");
    }
    let silent = html(&plain(State::Unknown, "text", 3), Language::En);
    for part in ["journey", "findings"] {
        assert!(!silent.contains(&format!("id=\"{part}\"")), "{part}");
    }
    assert!(
        silent.contains("no signature proves") && !silent.contains("<div data-check"),
        "{silent}"
    );
    assert!(silent.contains(State::Unknown.word(Language::En)));
}

#[test]
fn a_finding_tells_places_and_organisations_by_name_with_their_number_behind() {
    let [works, shop, nobody] = ["9506000134369", "9506000134376", "9506000134383"]
        .map(|gln| format!("https://id.gs1.org/414/{gln}"));
    let mut passport = full(State::CopySuspected, "text", 1);
    let told = format!("text was at {works}, at {shop} and at {nobody}; once");
    (passport.findings[0].message_en, passport.findings[0].message_zh) = (Some(told.clone()), None);
    passport.stated_findings[0].message_en = told;
    passport.names = vec![
        Named { id: works, names: text("<Works>"), party: None },
        Named { id: shop, names: Vec::new(), party: Some(party("Shop")) },
    ];
    let html = html(&passport, Language::En);
    assert!(!html.contains("id.gs1.org/414"), "{html}");
    let told = "was at &lt;Works&gt; (GLN 9506000134369), at Shop (GLN 9506000134376) and at GLN \
                9506000134383; once";
    assert_eq!(untagged(&html).matches(told).count(), 3, "{html}");
}

#[test]
fn that_the_rules_found_nothing_contradicts_no_question_at_the_top() {
    for (language, nothing, beside, unchecked) in [
        (Language::En, "The rules found nothing", "Beside it the rules", "has not checked"),
        (Language::Zh, "规则未发现", "除此之外，规则", "尚未按规则核查"),
    ] {
        for state in [State::Consistent, State::Disputed, State::CopySuspected, State::Recalled] {
            let mut passport = plain(state, "text", 1);
            passport.findings.clear();
            let told = html(&passport, language);
            let is_open = matches!(state, State::Disputed | State::CopySuspected);
            assert_eq!(told.contains(beside), is_open, "{state:?}: {told}");
            assert!(is_open || told.contains(nothing), "{state:?}: {told}");
            passport.proof.judged_as_of = None;
            let told = html(&passport, language);
            assert!(told.contains(unchecked) && !told.contains(nothing), "{state:?}: {told}");
        }
    }
}
