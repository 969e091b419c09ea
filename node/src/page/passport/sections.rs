//! The parts of the passport beneath its state, in the order of the page.

use hallmark_schemas::goods::GoodsId;
use maud::{Markup, html};

use super::super::Language;
use super::words;
use super::{instant, sort_word, texts};
use hallmark_schemas::gs1::digital_link::CANONICAL;

use crate::passport::State;
use crate::passport::code::{asked, path_of};
use crate::passport::view::{
    Accreditation, Certificate, Footprint, Item, Party, Passport, Record, Sort, Standing, Step,
};

/// Longest list of records that the page prints; the JSON form has them all.
const RECORDS_MAX: usize = 12;

/// The code as it was read; all there is to show where there is no record.
pub(super) fn code(passport: &Passport, language: Language) -> Markup {
    html! {
        @if let Some(goods) = &passport.goods {
            section id="item" {
                h2 { (language.pick("The code", "代码")) }
                p { code { (goods) } }
                (kind_of_product(passport, language))
                (attributes(passport, language))
            }
        }
    }
}

/// The way to what is recorded of the product, where nothing but that is.
fn kind_of_product(passport: &Passport, language: Language) -> Markup {
    let goods = passport.goods.as_deref().and_then(|goods| GoodsId::parse(goods).ok());
    let class = goods.and_then(|goods| goods.class().filter(|class| *class != goods));
    let is_meant = passport.state == State::Unknown && !passport.item.names.is_empty();
    html! {
        @if let Some(class) = class.filter(|_| is_meant) {
            p {
                (language.pick("Recorded of the product: ", "此类产品的记录："))
                a href=(asked(&path_of(&class), "lang", language.tag())) {
                    (texts(&passport.item.names, language))
                }
            }
        }
    }
}

/// What others say of a code for which nobody here vouches.
pub(super) fn words_of_others(passport: &Passport, language: Language) -> Markup {
    html! {
        @if !passport.journey.is_empty() { (journey(passport, language)) }
        @if !passport.findings.is_empty() || !passport.stated_findings.is_empty() {
            (super::questions::findings(passport, language))
        }
        (proof(passport, language))
    }
}

/// What it is.
pub(super) fn item(passport: &Passport, language: Language) -> Markup {
    let item = &passport.item;
    html! {
        section id="item" {
            h2 { (language.pick("What it is", match passport.sort {
                Some(Sort::Place) => "地点或机构",
                Some(Sort::Unit) => "物流单元",
                Some(Sort::Other) => "物品",
                _ => "产品",
            })) }
            @if item.names.is_empty() {
                p class="none" { (language.pick(
                    "No description of it is published.", "没有已发布的说明。",
                )) }
            } @else {
                p { strong data-words { (texts(&item.names, language)) } }
            }
            dl {
                @if !item.brand.is_empty() {
                    dt { (language.pick("Brand", "品牌")) } dd data-words { (texts(&item.brand, language)) }
                }
                @if let Some(content) = &item.content {
                    dt { (language.pick("Content", "规格")) } dd data-words { (content) }
                }
                (told_by(item, language))
                @if let Some(lot) = &item.lot {
                    dt { (language.pick("Lot", "批号")) } dd data-words { (lot) }
                }
                @if let Some(produced) = &item.produced {
                    dt { (language.pick("Made on", "生产日期")) } dd data-words { (produced) }
                }
                @if let Some(expiry) = &item.expiry {
                    dt { (language.pick("Use until", "有效期至")) }
                    dd {
                        span data-words { (expiry) }
                        @if item.is_past_expiry {
                            " · " strong { (language.pick("this day has passed", "已过期")) }
                        }
                    }
                }
                @if !item.markets.is_empty() {
                    dt { (language.pick("Sold in", "销售地区")) }
                    dd {
                        @for (place, code) in item.markets.iter().enumerate() {
                            @if 0 < place { (language.pick(", ", "、")) } (words::region(code, language))
                        }
                    }
                }
                @if let Some(goods) = &passport.goods {
                    dt { (language.pick("Code", "代码")) }
                    dd {
                        code { (goods) }
                        @if let Some(sort) = passport.sort { " (" (sort_word(sort, language)) ")" }
                    }
                }
            }
            (pictures(item, language))
            (attributes(passport, language))
        }
    }
}

/// Who describes it, and whom they name as its maker.
fn told_by(item: &Item, language: Language) -> Markup {
    html! {
        @if let Some(by) = &item.described_by {
            dt { (language.pick("Described by", "说明方")) } dd { (party(by)) }
        }
        @if let Some(maker) = &item.maker {
            dt { (language.pick("Maker, as they say", "说明方所称厂家")) } dd { (party(maker)) }
        }
    }
}

/// Pictures by name, place and digest. Nothing here leads to where they lie: whoever has one
/// compares its digest.
fn pictures(item: &Item, language: Language) -> Markup {
    html! {
        @if !item.pictures.is_empty() {
            details {
                summary {
                    (language.pick("Pictures named: ", "所列图片：")) (item.pictures.len())
                }
                p class="none" { (language.pick(
                    "This node holds no pictures. Where one was published and its SHA-256:",
                    "本节点不保存图片。以下为图片的发布地址及其 SHA-256：",
                )) }
                ul {
                    @for one in &item.pictures {
                        li {
                            span data-words { (texts(&one.alt, language)) } br;
                            code data-words { (one.url) } br; code { (one.digest) }
                        }
                    }
                }
            }
        }
    }
}

/// What the print says beside the identifier.
fn attributes(passport: &Passport, language: Language) -> Markup {
    let link = &passport.link;
    html! {
        @if !link.attributes.is_empty() {
            h3 { (language.pick(
                "The code also says (printed, not signed)", "代码中还写有（仅为印刷内容，未经签名）",
            )) }
            dl {
                @for one in &link.attributes {
                    @let (title, is_foreign) = words::identifier(&one.ai, one.title, language);
                    dt { span lang=[is_foreign.then_some("en")] { (title) } " (" (one.ai) ")" }
                    dd { (one.value) }
                }
            }
        }
        @if link.has_unreadable && link.unreadable.is_empty() {
            p class="none" { (language.pick(
                "A part of the code could not be read and is not shown.",
                "代码的一部分无法识别，未予显示。",
            )) }
        }
    }
}

/// What one can check with one's eyes, of what such a code is on.
pub(super) fn eyes(passport: &Passport, language: Language) -> Markup {
    let (seal, place) =
        match passport.sort {
            Some(Sort::Place) => (None, None),
            Some(Sort::Unit) => (
                Some(language.pick(
                    "Is the unit closed, and does the print beside the code say the same as here?",
                    "物流单元是否封闭完好？代码旁的文字与此处是否一致？",
                )),
                None,
            ),
            _ => (
                Some(language.pick(
                    "Is the seal whole, and does the print beside the code say the same as here?",
                    "封签是否完好？代码旁的文字与此处是否一致？",
                )),
                Some(language.pick(
                    "Did you buy it where such goods are sold?",
                    "购买地点是否销售此类产品？",
                )),
            ),
        };
    let checks = &passport.item.checks;
    html! {
        @if !checks.is_empty() || seal.is_some() {
            section id="eyes" {
                h2 { (language.pick("What you can check with your eyes", "请您亲眼核对")) }
                ul {
                    @if !checks.is_empty() { li data-words { (texts(checks, language)) } }
                    @for question in seal.iter().chain(&place) { li { (question) } }
                }
            }
        }
    }
}

/// Certificates, who vouches, and whether they are accredited.
pub(super) fn certificates(passport: &Passport, language: Language) -> Markup {
    html! {
        section id="certificates" {
            h2 { (language.pick("Certificates", "证书")) }
            @if passport.certificates.is_empty() {
                p class="none" { (language.pick("None is recorded.", "没有登记的证书。")) }
            }
            @for one in &passport.certificates { (certificate(one, language)) }
        }
    }
}

fn certificate(one: &Certificate, language: Language) -> Markup {
    let dash = |day: &Option<String>| {
        html! {
            @if let Some(day) = day { span data-words { (day) } } @else { "…" }
        }
    };
    html! {
        article data-record=(one.id) data-kind="certificate" data-by=(one.issuer.id) {
            h3 { span data-words { (one.standard) } " · " span data-words { (one.number) } }
            dl {
                dt { (language.pick("Status", "状态")) }
                dd {
                    strong { (standing(one.standing, language)) }
                    @if let Some(day) = &one.withdrawn { " (" span data-words { (day) } ")" }
                    @if one.is_superseded {
                        " · " (language.pick("a later one is in force", "已有后续证书生效"))
                    }
                }
                @if let Some(reason) = &one.reason {
                    dt { (language.pick("Reason", "原因")) } dd data-words { (reason) }
                }
                dt { (language.pick("Valid", "有效期")) }
                dd { (dash(&one.valid_from)) " – " (dash(&one.valid_to)) }
                dt { (language.pick("Vouched for by", "发证机构")) } dd { (party(&one.issuer)) }
                dt { (language.pick("Their accreditation", "该机构的认可")) }
                dd data-record=[&one.accreditation.id]
                    data-kind=[one.accreditation.id.as_ref().map(|_| "accreditation")]
                    data-by=[one.accreditation.accreditor.as_ref().map(|by| &by.id)] {
                    (accreditation(&one.accreditation, language))
                }
            }
        }
    }
}

fn accreditation(one: &Accreditation, language: Language) -> Markup {
    html! {
        @match one.standing {
            None => (language.pick("none is recorded", "没有登记")),
            Some(now) => {
                (standing(now, language))
                @if let Some(number) = &one.number { " · " span data-words { (number) } }
                @if let Some(by) = &one.accreditor { " · " (party(by)) }
                @if let Some(reason) = &one.reason {
                    " · " (language.pick("reason: ", "原因：")) span data-words { (reason) }
                }
                @if let Some(day) = &one.valid_to { " · " (language.pick("until ", "至 ")) span data-words { (day) } }
            }
        }
    }
}

/// How a certificate or an accreditation stands.
pub(super) fn standing(standing: Standing, language: Language) -> &'static str {
    let (en, zh) = match standing {
        Standing::Withdrawn => ("withdrawn", "已撤销"),
        Standing::Expired => ("expired", "已过期"),
        Standing::Future => ("not in force yet", "尚未生效"),
        Standing::InForce => ("in force", "有效"),
    };
    language.pick(en, zh)
}

/// Places and months.
pub(super) fn journey(passport: &Passport, language: Language) -> Markup {
    html! {
        section id="journey" {
            h2 { (language.pick("Journey", "流转")) }
            @if passport.journey.is_empty() {
                p class="none" { (language.pick(
                    "No step is shown to the public.", "没有向公众显示的环节。",
                )) }
            } @else {
                ol class="way" {
                    @for one in &passport.journey {
                        @let kind = one.id.as_ref().map(|_| "event");
                        @let by = kind.map(|_| &one.by.id);
                        @let shown = one.id.is_some();
                        li data-record=[&one.id] data-kind=[kind] data-by=[by]
                            data-step=[one.step.as_ref().filter(|_| shown)]
                            data-month=[one.month.as_ref().filter(|_| shown)] {
                            (way_point(one, language))
                        }
                    }
                }
            }
        }
    }
}

fn way_point(one: &Step, language: Language) -> Markup {
    let what = one.step.as_deref().map(|step| words::step(step, language));
    let region = one.region.as_deref().map(|region| words::region(region, language));
    html! {
        strong { (what.unwrap_or_else(|| language.pick("recorded", "有记录"))) }
        @if let Some(region) = region { " · " (region) }
        @if !one.place_names.is_empty() { " · " (texts(&one.place_names, language)) }
        @else if let Some(place) = &one.place { " · " (place) }
        @if let Some(month) = &one.month { " · " time datetime=(month) { (month) } }
        @if let Some(unit) = &one.inside {
            " · " (language.pick("inside ", "所在物流单元 "))
            code { (unit.strip_prefix(CANONICAL).unwrap_or(unit)) }
        }
        br;
        span { (language.pick("says ", "陈述方：")) (party(&one.by)) }
    }
}

/// Carbon footprints.
pub(super) fn footprints(passport: &Passport, language: Language) -> Markup {
    html! {
        section id="footprint" {
            h2 { (language.pick("Carbon footprint", "碳足迹")) }
            @if passport.footprints.is_empty() {
                p class="none" { (language.pick("None is stated.", "没有公布。")) }
            }
            @for one in &passport.footprints { (footprint(one, language)) }
        }
    }
}

fn footprint(one: &Footprint, language: Language) -> Markup {
    html! {
        article data-record=(one.id) data-kind="footprint" data-by=(one.by.id) data-kg=(one.kg_co2e) {
            p { strong { (one.kg_co2e) " kg CO₂e" } " / " (words::footprint(&one.per, language)) }
            dl {
                dt { (language.pick("Boundary", "核算边界")) } dd { (words::footprint(&one.boundary, language)) }
                @if let Some([from, to]) = &one.period {
                    dt { (language.pick("Period", "时段")) } dd { span data-words { (from) } " – " span data-words { (to) } }
                }
                dt { (language.pick("Stated by", "发布方")) } dd { (party(&one.by)) }
                dt { (language.pick("Verification", "核查")) }
                dd { (verification(one, language)) }
                @if let Some(ppm) = one.primary_ppm {
                    dt { (language.pick("From primary data", "初级数据占比")) }
                    dd { (ppm / 10_000) " %" }
                }
            }
        }
    }
}

/// What the issuer says of a verification: whoever it names has signed nothing here.
fn verification(one: &Footprint, language: Language) -> Markup {
    let (Some(body), Some(by)) = (&one.verifier, &one.verifier_claimed_by) else {
        return html! { (language.pick("none is claimed", "未声明经过核查")) };
    };
    html! {
        (language.pick("according to ", "据")) (party(by))
        (language.pick(", verified by ", "称，由")) (party(body))
        (language.pick("", "核查"))
        @if let Some(level) = &one.assurance {
            (language.pick(", ", "，")) (words::footprint(level, language))
        }
        (language.pick("; not signed by the verifier", "；核查方未签名"))
    }
}

/// How to check it oneself.
pub(super) fn proof(passport: &Passport, language: Language) -> Markup {
    let proof = &passport.proof;
    let listed = || proof.records.iter().filter(|record| !record.is_silent);
    let silent = proof.records.len() - listed().count();
    html! {
        section id="check" {
            h2 { (language.pick("Check it yourself", "自行核对")) }
            @if let Some(bundle) = &proof.bundle {
                (checker(passport, bundle, language))
            }
            dl {
                @for log in &proof.logs {
                    dt { (language.pick("Log", "日志")) }
                    dd {
                        a href=(log.checkpoint) { (log.origin) } ", " (log.size) " "
                        (language.pick("entries", "个条目"))
                        @if let Some(at) = &log.checkpoint_at { " · " (instant(at)) }
                    }
                }
                @if let Some(at) = &proof.checked_at {
                    dt { (language.pick("Checked at", "核对时间")) } dd { (instant(at)) }
                }
                @if let Some(at) = &proof.judged_as_of {
                    dt { (language.pick("Findings up to", "疑问核查截至")) } dd { (instant(at)) }
                }
            }
            details {
                summary { (language.pick("Records: ", "记录数：")) (proof.records.len()) }
                ul {
                    @for record in listed().take(RECORDS_MAX) {
                        @let shown = Some(record).filter(|record| record.is_public);
                        li data-record=[shown.map(|one| &one.id)]
                            data-kind=[shown.and_then(|one| one.kind.as_ref())]
                            data-by=[shown.and_then(|one| one.issuer.as_ref()).map(|by| &by.id)]
                            data-log=[shown.map(|one| &one.log)]
                            data-entry=[shown.map(|one| one.entry)]
                            data-time=[shown.and_then(|one| one.recorded.as_ref()).map(|r| r.join(" "))]
                            data-fault=[shown.and_then(|one| one.fault)] {
                            (self::record(record, language)) " · "
                            (signed(record, language))
                            @if record.is_public {
                                a href={ "/v1/attestations/" (record.id) } { code { (record.id) } }
                            } @else { code { (record.id) } }
                        }
                    }
                    @if 0 < silent {
                        li {
                            (silent) " "
                            (language.pick(
                                "label orders that this code is not of",
                                "个标签批次不含此代码",
                            ))
                        }
                    }
                    @if RECORDS_MAX < listed().count() || proof.is_cut {
                        li { (language.pick("More are not listed here.", "其余未在此列出。")) }
                    }
                }
            }
        }
    }
}

/// The button that has the browser check the bundle, and what it must find there: the goods and
/// every public record of this page, those that do not hold, and how many are told of that are not
/// public, as `shown.mjs` reads them. Without script the bundle is there to be downloaded.
fn checker(passport: &Passport, bundle: &str, language: Language) -> Markup {
    let ids = |which: fn(&&Record) -> bool| {
        let records = passport.proof.records.iter().filter(which);
        let ids: Vec<&str> = records.map(|one| one.id.trim_start_matches("sha256:")).collect();
        ids.join(" ")
    };
    let hidden = passport.journey.iter().filter(|step| step.id.is_none()).count();
    html! {
        div data-check=(bundle) data-goods=[&passport.goods] data-records=(ids(|one| one.is_public))
            data-damaged=(ids(|one| one.fault.is_some())) data-hidden=(hidden)
            data-busy=(language.pick("Checking …", "正在核对……"))
            data-lost=(language.pick(
                "Cannot check here: a part of the script could not be loaded. Download the bundle \
                 and use hallmark-verify.",
                "此处无法核对：脚本的一部分未能加载。请下载证据包并使用 hallmark-verify。",
            )) {
            p {
                (language.pick(
                    "The bundle holds the public records with the proofs of their logs. ",
                    "证据包含公开记录及其日志证明，可离线运行 ",
                ))
                code { "hallmark-verify check" }
                (language.pick(
                    " tests every signature in it, without network.", " 检验每个签名。",
                ))
            }
            p { a class="act" href=(bundle) download {
                (language.pick("Download the bundle", "下载证据包"))
            } }
            button type="button" hidden {
                (language.pick("Check in this browser", "在本浏览器中核对"))
            }
            p role="status" {}
            ol hidden {}
        }
        script type="module" src="/assets/page.mjs" {}
    }
}

/// Who signed a record, and by when it was in its log.
fn signed(record: &Record, language: Language) -> Markup {
    html! {
        @if let Some(issuer) = &record.issuer {
            (language.pick("signed by ", "签发方：")) (party(issuer)) " · "
        }
        @if let Some([_, latest]) = &record.recorded {
            (language.pick("recorded by ", "登记不晚于 ")) (instant(latest)) " · "
        }
    }
}

/// What a record is, where it lies, and what does not hold of it.
pub(super) fn record(record: &Record, language: Language) -> Markup {
    html! {
        (record.kind.as_deref().map_or("?", |kind| words::kind(kind, language)))
        " · " (record.log) " #" (record.entry)
        @if let Some(fault) = record.fault {
            " · " strong { (words::fault(fault, language)) }
        }
    }
}

/// An organisation by its name, else its identifier.
pub(super) fn party(party: &Party) -> Markup {
    html! { @if party.name.is_empty() { code { (party.id) } } @else { (party.name) } }
}
