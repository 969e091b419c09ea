//! Words of the standards that consumers read, in both languages.
//!
//! A word that is not here is shown as it stands: nothing is translated by guess.

use std::borrow::Cow;

use super::super::Language;
use countries::COUNTRIES;
use identifiers::IDENTIFIERS;

mod countries;
mod identifiers;

/// Whatever the business step: other goods were made of these. No word of the CBV.
pub(super) const USED_UP: &str = "used_up";

/// Business steps of the CBV that happen to goods before they are sold.
const STEPS: [(&str, &str, &str); 34] = [
    ("accepting", "accepted", "验收"),
    ("arriving", "arrived", "到达"),
    ("assembling", "assembled", "组装"),
    ("collecting", "collected", "收集"),
    ("commissioning", "made", "生产赋码"),
    ("consigning", "consigned", "托运"),
    ("creating_class_instance", "made", "生产"),
    ("decommissioning", "taken out of use", "注销"),
    ("departing", "departed", "离开"),
    ("destroying", "destroyed", "销毁"),
    ("disassembling", "taken apart", "拆解"),
    ("dispensing", "dispensed", "发药"),
    ("encoding", "code written", "写码"),
    ("holding", "put on hold", "暂扣"),
    ("inspecting", "inspected", "检验"),
    ("installing", "installed", "安装"),
    ("killing", "code ended", "废码"),
    ("loading", "loaded", "装货"),
    ("packing", "packed", "包装"),
    ("picking", "picked", "拣货"),
    ("receiving", "received", "收货"),
    ("removing", "removed", "移出"),
    ("repackaging", "repackaged", "改包装"),
    ("repairing", "repaired", "维修"),
    ("replacing", "replaced", "更换"),
    ("retail_selling", "sold", "零售"),
    ("sampling", "sampled", "抽样"),
    ("shipping", "shipped", "发货"),
    ("stocking", "put on the shelf", "上架"),
    ("storing", "stored", "入库"),
    ("transporting", "in transport", "运输"),
    ("unloading", "unloaded", "卸货"),
    ("unpacking", "unpacked", "拆包"),
    ("used_up", "used up to make other goods", "用于制造其他产品"),
];

/// A business step in words.
pub(super) fn step(step: &str, language: Language) -> &str {
    let known = STEPS.iter().find(|(word, ..)| *word == step);
    known.map_or(step, |(_, en, zh)| language.pick(en, zh))
}

/// What a record is, by the name of its kind.
pub(super) fn kind(kind: &str, language: Language) -> &str {
    let (en, zh) = match kind {
        "event" => ("event", "事件"),
        "masterdata" => ("description", "产品说明"),
        "certificate" => ("certificate", "证书"),
        "recall" => ("recall", "召回"),
        "label" => ("label order", "标签批次"),
        "footprint" => ("carbon footprint", "碳足迹"),
        "confirmation" => ("confirmation", "购买确认"),
        "complaint" => ("report", "问题报告"),
        "accreditation" => ("accreditation", "认可"),
        "response" => ("answer", "答复"),
        "finding" => ("finding of others", "他方核查结论"),
        "inspection" => ("inspection", "检验"),
        "offer" => ("offer for sale", "在售信息"),
        "claim" => ("claim about the goods", "产品宣称"),
        "organisation" => ("member of the network", "网络成员"),
        "facility" => ("place", "场所"),
        other => (other, other),
    };
    language.pick(en, zh)
}

/// What does not hold of a record.
pub(super) fn fault(fault: &'static str, language: Language) -> &'static str {
    let (en, zh) = match fault {
        "digest" => ("its bytes are not those that were recorded", "内容与登记时不同"),
        "form" => ("it cannot be read", "无法读取"),
        "signature" => ("its signature does not hold", "签名无效"),
        "inclusion" => ("its log does not prove it", "日志无法证明"),
        other => (other, other),
    };
    language.pick(en, zh)
}

/// What a rule found that says a code was copied: see the rules of these codes.
pub(super) fn copied(code: &str, language: Language) -> Option<&'static str> {
    let (en, zh) = match code {
        "TRC-001" => ("It was made more than once.", "它被登记生产了不止一次。"),
        "TRC-004" => ("It was seen after its end was recorded.", "在登记终结之后又出现。"),
        "TRC-005" => (
            "It was seen at two places too far apart for the time between.",
            "它先后出现在两地，其间的时间不足以到达。",
        ),
        _ => return None,
    };
    Some(language.pick(en, zh))
}

/// Boundaries, units and levels of assurance of a footprint.
const FOOTPRINT: [(&str, &str, &str); 15] = [
    ("cradle_to_gate", "from the raw material to the factory gate", "从原料到出厂"),
    ("cradle_to_grave", "from the raw material to the end of life", "从原料到报废"),
    ("cubic meter", "cubic metre", "立方米"),
    ("gate_to_gate", "the stage within the factory alone", "仅厂内阶段"),
    ("hour", "hour", "小时"),
    ("kilogram", "kilogram", "千克"),
    ("kilowatt hour", "kilowatt hour", "千瓦时"),
    ("limited", "limited assurance", "有限保证"),
    ("liter", "litre", "升"),
    ("megabit second", "megabit a second", "兆比特每秒"),
    ("megajoule", "megajoule", "兆焦"),
    ("piece", "piece", "件"),
    ("reasonable", "reasonable assurance", "合理保证"),
    ("square meter", "square metre", "平方米"),
    ("ton kilometer", "tonne-kilometre", "吨公里"),
];

/// A word of a footprint.
pub(super) fn footprint(word: &str, language: Language) -> &str {
    let known = FOOTPRINT.iter().find(|(known, ..)| *known == word);
    known.map_or(word, |(_, en, zh)| language.pick(en, zh))
}

/// Regions that the confirmation form offers: ISO 3166-2 of China, and other countries together.
pub(super) const REGIONS: [(&str, &str, &str); 34] = [
    ("CN-AH", "Anhui", "安徽"),
    ("CN-BJ", "Beijing", "北京"),
    ("CN-CQ", "Chongqing", "重庆"),
    ("CN-FJ", "Fujian", "福建"),
    ("CN-GD", "Guangdong", "广东"),
    ("CN-GS", "Gansu", "甘肃"),
    ("CN-GX", "Guangxi", "广西"),
    ("CN-GZ", "Guizhou", "贵州"),
    ("CN-HA", "Henan", "河南"),
    ("CN-HB", "Hubei", "湖北"),
    ("CN-HE", "Hebei", "河北"),
    ("CN-HI", "Hainan", "海南"),
    ("CN-HK", "Hong Kong", "香港"),
    ("CN-HL", "Heilongjiang", "黑龙江"),
    ("CN-HN", "Hunan", "湖南"),
    ("CN-JL", "Jilin", "吉林"),
    ("CN-JS", "Jiangsu", "江苏"),
    ("CN-JX", "Jiangxi", "江西"),
    ("CN-LN", "Liaoning", "辽宁"),
    ("CN-MO", "Macao", "澳门"),
    ("CN-NM", "Inner Mongolia", "内蒙古"),
    ("CN-NX", "Ningxia", "宁夏"),
    ("CN-QH", "Qinghai", "青海"),
    ("CN-SC", "Sichuan", "四川"),
    ("CN-SD", "Shandong", "山东"),
    ("CN-SH", "Shanghai", "上海"),
    ("CN-SN", "Shaanxi", "陕西"),
    ("CN-SX", "Shanxi", "山西"),
    ("CN-TJ", "Tianjin", "天津"),
    ("CN-TW", "Taiwan", "台湾"),
    ("CN-XJ", "Xinjiang", "新疆"),
    ("CN-XZ", "Tibet", "西藏"),
    ("CN-YN", "Yunnan", "云南"),
    ("CN-ZJ", "Zhejiang", "浙江"),
];

/// A region in words: a province of China, a country, or a part of one with its code.
pub(super) fn region(code: &str, language: Language) -> Cow<'_, str> {
    let of = |list: &[(&str, &'static str, &'static str)], code: &str| {
        let known = list.iter().find(|(known, ..)| *known == code);
        known.map(|(_, en, zh)| language.pick(en, zh))
    };
    if let Some(word) = of(&REGIONS, code).or_else(|| of(&COUNTRIES, code)) {
        return Cow::Borrowed(word);
    }
    match code.split_once('-').and_then(|(country, _)| of(&COUNTRIES, country)) {
        Some(country) => Cow::Owned(format!("{country} ({code})")),
        None => Cow::Borrowed(code),
    }
}

/// An application identifier in words, and whether they are of another language than the page.
pub(super) fn identifier<'a>(ai: &str, title: &'a str, language: Language) -> (&'a str, bool) {
    let of = |code: &str| IDENTIFIERS.iter().find(|(known, ..)| *known == code);
    match of(ai).or_else(|| ai.get(..3).and_then(of)) {
        Some((_, en, zh)) => (language.pick(en, zh), false),
        None => (title, language == Language::Zh),
    }
}

/// What a part of the print says that records can contradict.
pub(super) fn printed<'a>(ai: &str, title: &'a str, language: Language) -> &'a str {
    match ai {
        "10" => language.pick("lot", "批号"),
        "11" => language.pick("made on", "生产日期"),
        "15" => language.pick("best before", "最佳食用日期"),
        "17" | "7003" => language.pick("use until", "有效期至"),
        _ => identifier(ai, title, language).0,
    }
}

/// What rules about goods find, in Chinese; their own titles are English.
const RULES: [(&str, &str); 16] = [
    ("TRC-001", "同一序列号登记生产不止一次"),
    ("TRC-002", "序列号不在标签发放方的标签订单之中"),
    ("TRC-003", "产品在生产之前已被扫描"),
    ("TRC-004", "产品在登记终结之后又出现"),
    ("TRC-005", "同一序列号在两地出现的间隔过短"),
    ("TRC-006", "产品装入一个包装，却从另一个包装取出"),
    ("TRC-007", "包装内有未登记装入的产品"),
    ("TRC-012", "已发往某成员，而该成员无收货记录"),
    ("TRC-013", "交出产品的一方并未登记收到产品"),
    ("TRC-014", "产品在其批次限定的市场之外销售"),
    ("TRC-015", "证书在有效期或适用范围之外使用"),
    ("TRC-016", "过期或已召回的产品被销售或发出"),
    ("TRC-017", "产品的批号或有效期记录不一致"),
    ("TRC-019", "同一机构对同一事件说法不一"),
    ("TRC-021", "传感器报警后无检验记录"),
    ("TRC-027", "在售产品无生产记录"),
];

/// What a rule finds, in the page's language, and whether that is English on a Chinese page.
pub(super) fn rule<'a>(code: &str, title: &'a str, language: Language) -> (&'a str, bool) {
    let own = RULES.iter().find(|(known, _)| *known == code);
    match (language, own) {
        (Language::En, _) => (title, false),
        (Language::Zh, Some((_, words))) => (words, false),
        (Language::Zh, None) => (title, true),
    }
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::gs1::ai::Ai;
    use hallmark_schemas::kind::footprint::DeclaredUnit;

    use super::*;

    #[test]
    fn every_rule_about_goods_has_a_title_in_chinese() {
        let mut folders = vec![concat!(env!("CARGO_MANIFEST_DIR"), "/../verifier/packs").into()];
        let mut found = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir::<std::path::PathBuf>(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|name| name == "sql") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    if text.contains("scope    = \"item\"") {
                        let code = text.split('"').nth(1).unwrap();
                        assert!(RULES.iter().any(|(known, _)| *known == code), "{code}");
                        found += 1;
                    }
                }
            }
        }
        assert!(2 <= found);
        assert_eq!(rule("TRC-005", "title", Language::En), ("title", false));
        assert_eq!(rule("XXX-001", "title", Language::Zh), ("title", true));
    }

    #[test]
    fn lists_are_sorted_without_repetition_and_unknown_words_stay() {
        assert!(STEPS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(REGIONS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(FOOTPRINT.is_sorted_by(|a, b| a.0 < b.0));
        for word in DeclaredUnit::ALL.iter().map(|unit| unit.as_str()) {
            assert!(FOOTPRINT.iter().any(|(known, ..)| *known == word), "{word}");
        }
        assert_eq!(step("shipping", Language::Zh), "发货");
        assert_eq!(step("https://example.org/step", Language::En), "https://example.org/step");
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
        for (code, en, zh) in COUNTRIES {
            assert!(code.parse::<hallmark_schemas::audience::Region>().is_ok(), "{code}");
            assert!(en != zh && !en.is_empty() && !zh.is_ascii(), "{code}");
        }
        assert_eq!(region("CN-SH", Language::En), "Shanghai");
        assert_eq!(region("CN", Language::Zh), "中国");
        assert_eq!(region("DE", Language::Zh), "德国");
        assert_eq!(region("FR-IDF", Language::Zh), "法国 (FR-IDF)");
        assert_eq!(region("XX", Language::Zh), "XX");
    }

    #[test]
    fn every_application_identifier_has_a_title_in_both_languages() {
        assert!(IDENTIFIERS.is_sorted_by(|a, b| a.0 < b.0));
        let mut used = std::collections::BTreeSet::new();
        for code in (0..10_000).flat_map(|code| [format!("{code:02}"), format!("{code:04}")]) {
            let Some(known) = Ai::find(&code) else { continue };
            let (en, is_foreign) = identifier(&code, known.title, Language::En);
            assert!(!en.is_empty() && !is_foreign, "{code}");
            let (zh, is_foreign) = identifier(&code, known.title, Language::Zh);
            assert!(!is_foreign && zh != en, "{code}: {zh}");
            let row = IDENTIFIERS.iter().find(|row| row.1 == en && code.starts_with(row.0));
            used.insert(row.unwrap_or_else(|| panic!("{code}: {en}")).0);
        }
        for (code, _, zh) in IDENTIFIERS {
            assert!(used.contains(code), "{code} is no identifier");
            assert!(!zh.is_ascii(), "{code}: {zh}");
        }
        assert_eq!(identifier("3103", "NET WEIGHT (kg)", Language::En), ("Net weight", false));
        assert_eq!(identifier("10", "BATCH/LOT", Language::Zh), ("批号", false));
        assert_eq!(identifier("0001", "UNKNOWN", Language::Zh), ("UNKNOWN", true));
    }
}
