//! The parts of the passport beneath its state, in the order of the page.

use hallmark_schemas::goods::GoodsId;
use maud::{Markup, html};

use super::super::Language;
use super::{of_zone, revoked, sort_word, texts};
use super::{scope, words};
use hallmark_schemas::gs1::digital_link::CANONICAL;

use crate::passport::State;
use crate::passport::code::{asked, path_of};
use crate::passport::fold::UTC;
use crate::passport::view::{
    Accreditation, Certificate, Footprint, Item, Party, Passport, Sort, Standing, Step,
};

/// The code as it was read; all there is to show where there is no record.
pub(super) fn code(passport: &Passport, language: Language) -> Markup {
    html! {
        @if let Some(goods) = &passport.goods {
            section id="item" {
                h2 { (language.pick("The code", "代码")) }
                p { code data-of="goods" { (goods) } }
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
                a href=(asked(&path_of(&class), "lang", language.tag())) data-of="name" {
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
        (super::proof::proof(passport, language))
    }
}

/// What it is.
pub(super) fn item(passport: &Passport, language: Language) -> Markup {
    let item = &passport.item;
    html! {
        section id="item" {
            h2 { (match passport.sort {
                Some(Sort::Place) => language.pick("What it is", "地点或机构"),
                Some(Sort::Unit) => language.pick("What it is", "物流单元"),
                Some(Sort::Other) => language.pick("What it is", "物品"),
                Some(Sort::Document) => language.pick("What it is", "单证"),
                Some(Sort::Coupon) => language.pick("What it is", "优惠券"),
                Some(Sort::Relation) => language.pick("What it is", "服务关系"),
                _ => language.pick("What it is", "产品"),
            }) }
            @if item.names.is_empty() {
                p class="none" { (language.pick(
                    "No description of it is published.", "没有已发布的说明。",
                )) }
            } @else {
                p { strong data-of="name" { (texts(&item.names, language)) } }
            }
            dl {
                @if !item.brand.is_empty() {
                    dt { (language.pick("Brand", "品牌")) } dd data-of="brand" { (texts(&item.brand, language)) }
                }
                @if let Some(content) = &item.content {
                    dt { (language.pick("Content", "规格")) } dd data-of="content" { (content) }
                }
                (told_by(item, language))
                @if let Some(lot) = &item.lot {
                    dt { (language.pick("Lot", "批号")) } dd data-of="lot" { (lot) }
                }
                @if let Some(produced) = &item.produced {
                    dt { (language.pick("Made on", "生产日期")) } dd data-of="produced" { (produced) }
                }
                @if let Some(expiry) = &item.expiry {
                    dt { (language.pick("Use until", "有效期至")) }
                    dd data-of="expiry" {
                        (expiry)
                        @if item.is_past_expiry {
                            " · " strong { (language.pick("this day has passed", "已过期")) }
                        }
                    }
                }
                @if !item.markets.is_empty() {
                    dt { (language.pick("Sold in", "销售地区")) }
                    dd data-of="markets" {
                        @for (place, code) in item.markets.iter().enumerate() {
                            @if 0 < place { (language.pick(", ", "、")) } (words::region(code, language))
                        }
                    }
                }
                @if let Some(goods) = &passport.goods {
                    dt { (language.pick("Code", "代码")) }
                    dd {
                        code data-of="goods" { (goods) }
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
            dt { (language.pick("Described by", "说明方")) }
            dd data-of="describer" { (party(by)) }
        }
        @if let Some(maker) = &item.maker {
            dt { (language.pick("Maker, as they say", "说明方所称厂家")) } dd data-of="maker" { (party(maker)) }
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
                    (language.pick("Pictures named: ", "所列图片：")) (count(item.pictures.len()))
                }
                p class="none" { (language.pick(
                    "This node holds no pictures. Where one was published and its SHA-256:",
                    "本节点不保存图片。以下为图片的发布地址及其 SHA-256：",
                )) }
                ul {
                    @for one in &item.pictures {
                        li data-of="picture" {
                            (texts(&one.alt, language)) br;
                            code { (one.url) } br; code { (one.digest) }
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
                    dd data-of="printed" data-ai=(one.ai) { (one.text()) }
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
            Some(sort) if !sort.is_goods() => (None, None),
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
                    @if !checks.is_empty() { li data-of="look" { (texts(checks, language)) } }
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
                p class="none" { (language.pick(
                    "None is shown to the public.", "没有向公众公布的证书。",
                )) }
            }
            @for one in &passport.certificates { (certificate(one, language)) }
        }
    }
}

fn certificate(one: &Certificate, language: Language) -> Markup {
    let dash = |day: &Option<String>| day.clone().unwrap_or_else(|| "…".to_owned());
    html! {
        article data-record=(one.id) data-kind="certificate" data-by=(one.issuer.id) {
            h3 {
                span data-of="standard" { (one.standard) } " · "
                span data-of="number" { (one.number) }
            }
            dl {
                dt { (language.pick("Status", "状态")) }
                dd data-of="status" {
                    strong { (standing(one.standing, language)) }
                    @if let Some(day) = &one.withdrawn { " (" (day) (of_zone(&one.zone)) ")" }
                    @if one.key_revoked.is_some() { (revoked(language)) }
                    @if one.is_superseded {
                        " · " (language.pick("a later one is in force", "已有后续证书生效"))
                    }
                }
                @if let Some(reason) = &one.reason {
                    dt { (language.pick("Reason", "原因")) } dd data-of="reason" { (reason) }
                }
                dt { (language.pick("Valid", "有效期")) }
                dd data-of="valid" { (dash(&one.valid_from)) " – " (dash(&one.valid_to)) (of_zone(&one.zone)) }
                dt { (language.pick("Vouched for by", "发证机构")) }
                dd data-of="by" { (party(&one.issuer)) }
                dt { (language.pick("Their accreditation", "该机构的认可")) }
                dd data-of="accreditation" data-record=[&one.accreditation.id]
                    data-kind=[one.accreditation.id.as_ref().map(|_| "accreditation")]
                    data-by=[one.accreditation.accreditor.as_ref().map(|by| &by.id)] {
                    (accreditation(&one.accreditation, language))
                }
            }
            (scope::of(one, language))
        }
    }
}

fn accreditation(one: &Accreditation, language: Language) -> Markup {
    html! {
        @match one.standing {
            None => (language.pick("none is recorded", "没有登记")),
            Some(now) => {
                (standing(now, language))
                @if let Some(number) = &one.number { " · " (number) }
                @if let Some(by) = &one.accreditor { " · " (party(by)) }
                @if let Some(reason) = &one.reason {
                    " · " (language.pick("reason: ", "原因：")) (reason)
                }
                @if let Some(day) = &one.valid_to {
                    " · " (language.pick("until ", "至 ")) (day) (of_zone(UTC))
                }
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
                        li data-record=[&one.id] data-kind=[kind] data-by=[by]
                            data-closed=[one.id.is_none().then_some("")] {
                            (way_point(one, language))
                        }
                    }
                }
            }
        }
    }
}

fn way_point(one: &Step, language: Language) -> Markup {
    let step = if one.is_used_up { Some(words::USED_UP) } else { one.step.as_deref() };
    let what = step.map(|step| words::step(step, language));
    let region = one.region.as_deref().map(|region| words::region(region, language));
    html! {
        strong data-of="step" { (what.unwrap_or_else(|| language.pick("recorded", "有记录"))) }
        @if let Some(region) = region { " · " span data-of="region" { (region) } }
        @if !one.place_names.is_empty() {
            " · " span data-of="place" { (texts(&one.place_names, language)) }
        } @else if let Some(place) = &one.place { " · " span data-of="place" { (place) } }
        @if let Some(month) = &one.month {
            " · " time data-of="month" datetime=(month) { (month) }
        }
        @if let Some(unit) = &one.inside {
            " · " (language.pick("inside ", "所在物流单元 "))
            code data-of="inside" { (unit.strip_prefix(CANONICAL).unwrap_or(unit)) }
        }
        br;
        span { (language.pick("says ", "陈述方：")) span data-of="by" { (party(&one.by)) } }
    }
}

/// Carbon footprints.
pub(super) fn footprints(passport: &Passport, language: Language) -> Markup {
    html! {
        section id="footprint" {
            h2 { (language.pick("Carbon footprint", "碳足迹")) }
            @if passport.footprints.is_empty() {
                p class="none" { (language.pick(
                    "None is shown to the public.", "没有向公众公布的碳足迹。",
                )) }
            }
            @for one in &passport.footprints { (footprint(one, language)) }
        }
    }
}

fn footprint(one: &Footprint, language: Language) -> Markup {
    html! {
        article data-record=(one.id) data-kind="footprint" data-by=(one.by.id) {
            p {
                strong data-of="kg" { (one.kg_co2e) " kg CO₂e" } " / "
                span data-of="per" { (words::footprint(&one.per, language)) }
            }
            dl {
                dt { (language.pick("Boundary", "核算边界")) } dd data-of="boundary" { (words::footprint(&one.boundary, language)) }
                @if let Some([from, to]) = &one.period {
                    dt { (language.pick("Period", "时段")) } dd data-of="period" { (from) " – " (to) (of_zone(UTC)) }
                }
                dt { (language.pick("Stated by", "发布方")) } dd data-of="by" { (party(&one.by)) }
                dt { (language.pick("Verification", "核查")) }
                dd data-of="verification" { (verification(one, language)) }
                @if let Some(ppm) = one.primary_ppm {
                    dt { (language.pick("From primary data", "初级数据占比")) }
                    dd data-of="primary" { (ppm / 10_000) " %" }
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

/// A number that no record tells.
pub(super) fn count(count: usize) -> Markup {
    html! { span data-of="count" { (count) } }
}

/// An organisation by its name, else its identifier.
pub(super) fn party(party: &Party) -> Markup {
    html! { @if party.name.is_empty() { code { (party.id) } } @else { (party.name) } }
}
