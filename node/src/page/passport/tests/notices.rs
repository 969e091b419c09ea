//! What must be seen beneath the state, and words of others.

use super::*;

#[test]
fn what_must_be_seen_is_in_the_band_in_both_languages() {
    let mut passport = plain(State::Consistent, "text", 1);
    let day = "2020-01-31".to_owned();
    passport.link.passed = vec![PassedDate { ai: "17".to_owned(), title: "USE BY", day }];
    let lots = vec!["L1".to_owned(), "L2".to_owned()];
    passport.lot_recalls = vec![LotRecall { lots, recall: recall("it leaks") }];
    passport.inactive = Some(Inactive { others_are_active: true, is_seen: false });
    for (language, told) in [
        (
            Language::En,
            [
                "According to the code, use until 2020-01-31: this day has passed.",
                "If the pack shows lot L1 or L2, this is about it:",
                "Other labels of this kind are recorded as put on goods; this one is not.",
            ],
        ),
        (
            Language::Zh,
            [
                "按代码所示，有效期至 2020-01-31：该日期已过。",
                "如果包装上的批号为 L1 或 L2，请注意：",
                "同类的其他标签已有用于产品的记录，此标签没有。",
            ],
        ),
    ] {
        let html = html(&passport, language);
        let (band, _) = html.split_once("</section>").unwrap();
        assert!(band.contains("band warn") && band.contains("it leaks"), "{band}");
        for told in told {
            assert!(untagged(band).contains(told), "{told}: {band}");
        }
    }
}

#[test]
fn makers_that_differ_are_all_named_and_none_is_called_the_maker() {
    let mut passport = plain(State::Disputed, "text", 1);
    let named = |by: &str, maker: &str| {
        let party = |name: &str| Party { id: format!("urn:{name}"), name: name.to_owned() };
        MakerClaim { id: String::new(), by: party(by), maker: party(maker) }
    };
    passport.item.maker_claims = vec![named("Works", "Works"), named("Shop", "Other")];
    for (language, told) in [
        (
            Language::En,
            ["The records disagree about who makes", "Works names itself", "Shop names Other"],
        ),
        (Language::Zh, ["由谁生产，各方记录不一致", "Works 称自己是厂家", "Shop 称厂家是 Other"]),
    ] {
        let html = html(&passport, language);
        let (band, _) = html.split_once("</section>").unwrap();
        for told in told {
            assert!(untagged(band).contains(told), "{told}: {band}");
        }
    }
}

#[test]
fn pictures_are_named_and_lead_nowhere() {
    let mut passport = plain(State::Consistent, "text", 1);
    passport.item.pictures[0].url = "https://pictures.example/flask.svg?a=\"b".to_owned();
    for language in [Language::En, Language::Zh] {
        let html = html(&passport, language);
        assert!(html.contains("https://pictures.example/flask.svg?a=&quot;b"), "{html}");
        assert!(!html.contains("href=\"https://pictures") && !html.contains("src=\"https"));
        assert!(!html.contains("<img"), "{html}");
    }
}

#[test]
fn what_another_found_is_told_as_their_word() {
    let mut passport = plain(State::Consistent, "text", 1);
    passport.stated_findings[0].message_en = "It has two lots".to_owned();
    for (language, told) in [
        (Language::En, ["text states:", "It has two lots", "Their word; the check of this node"]),
        (Language::Zh, ["text 称：", "此为其单方陈述", "本节点的核查没有此结论"]),
    ] {
        let html = html(&passport, language);
        for told in told {
            assert!(untagged(&html).contains(told), "{told}: {html}");
        }
    }
}

#[test]
fn a_rules_sentence_is_told_in_plain_words() {
    let mut passport = full(State::CopySuspected, "urn:x", 1);
    let finding = &mut passport.findings[0];
    finding.code = "TRC-005".to_owned();
    finding.message_en = Some("urn:x was seen on 2026-03-01T00:00:00Z, too <b> far".to_owned());
    finding.message_zh = Some("urn:x 于 2026-03-01T00:00:00Z；共 1 次".to_owned());
    finding.months = vec!["2026-03".to_owned()];
    let english = html(&passport, Language::En);
    let (band, rest) = english.split_once("</section>").unwrap();
    assert!(
        band.contains("two places too far apart for the time between. (2026-03 UTC)"),
        "{band}"
    );
    let told = "This code was seen on <time datetime=\"2026-03-01T00:00:00Z\">2026-03-01 00:00 UTC\
        </time>, too &lt;b&gt; far";
    assert!(rest.contains(told), "{rest}");
    assert!(html(&passport, Language::Zh).contains("2026-03-01 00:00 UTC</time>；共 1 次"));
}

#[test]
fn a_broken_record_is_named_and_what_is_left_is_not_shown_as_if_it_held() {
    let mut passport = full(State::Broken, "text", 3);
    passport.proof.records = vec![record("event", Some("digest")), record("recall", None)];
    let english = html(&passport, Language::En);
    let (band, rest) = english.split_once("</section>").unwrap();
    assert!(band.contains("its bytes are not those that were recorded"), "{band}");
    assert!(band.contains("Recalled since"), "a recall is told whatever the state is");
    for part in ["certificates", "journey", "footprint", "confirm"] {
        assert!(!rest.contains(&format!("id=\"{part}\"")), "{part}");
    }
    for part in ["check", "report"] {
        assert!(rest.contains(&format!("id=\"{part}\"")), "{part}");
    }
    assert!(html(&passport, Language::Zh).contains("内容与登记时不同"));
}

#[test]
fn a_day_that_has_passed_is_told_in_the_band() {
    for (language, told) in [
        (Language::En, "2026-01-31: this day has passed."),
        (Language::Zh, "2026-01-31：该日期已过。"),
    ] {
        let mut passport = plain(State::Consistent, "text", 1);
        passport.item.expiry = Some("2026-01-31".to_owned());
        for (is_past, tone) in [(true, "band warn"), (false, "band calm")] {
            passport.item.is_past_expiry = is_past;
            let html = html(&passport, language);
            let (band, rest) = html.split_once("</section>").unwrap();
            assert_eq!(band.contains(told), is_past, "{band}");
            assert!(band.contains(tone), "{band}");
            assert!(rest.contains("2026-01-31"), "{rest}");
        }
        passport.item.is_past_expiry = true;
        passport.state = State::Broken;
        assert!(!html(&passport, language).contains(told), "it rests on records that do not hold");
    }
}
