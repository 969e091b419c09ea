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
    for part in ["journey", "findings", "check"] {
        assert!(!silent.contains(&format!("id=\"{part}\"")), "{part}");
    }
    assert!(silent.contains(State::Unknown.word(Language::En)));
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
