//! What must be seen right beneath the sentence of the state, whatever that is.
//!
//! Invariants: a notice states what is recorded or printed and says which of the two; it changes
//! no state; every link leads to this node.

use maud::{Markup, html};

use super::super::Language;
use super::{Stage, of_zone, party, recall_terms, words};
use crate::passport::State;
use crate::passport::code::{asked, path_of};
use crate::passport::fold::UTC;
use crate::passport::view::{End, Ended, Erased, IdleRecall, Inactive, LateLabel, Passport};
use hallmark_schemas::goods::GoodsId;

/// Most records in doubt that the page prints; the JSON form has more.
const DOUBTED_MAX: usize = 8;

/// All of them.
pub(super) fn all(passport: &Passport, language: Language) -> Markup {
    let state = passport.state;
    let has_said = matches!(state, State::Consistent | State::ConsistentSeen | State::Unknown);
    html! {
        (meant(passport, language))
        (lots(passport, language))
        @for one in &passport.erased { (erased(one, language)) }
        @if state != State::Broken {
            @if let Some(ended) = &passport.ended { (self::ended(ended, language)) }
            @for one in &passport.idle_recalls { (idle(one, language)) }
            @for one in &passport.link.passed {
                p { strong data-of="overdue" data-ai=(one.ai) {
                    (language.pick("According to the code, ", "按代码所示，"))
                    (words::printed(&one.ai, one.title, language)) " " (one.day)
                    (language.pick(": this day has passed.", "：该日期已过。"))
                } }
            }
            @for one in &passport.link.unreadable {
                p { strong data-of="unread" data-ai=(one.ai) {
                    (language.pick("The code has a part that cannot be read: ", "代码中有无法识别的部分："))
                    (words::printed(&one.ai, one.title, language)) " (" (one.ai) ") " (one.value)
                    (language.pick(".", "。"))
                } }
            }
            @if let Some(one) = &passport.inactive { (inactive(*one, state, language)) }
            @if let Some(one) = &passport.late_label { (late(one, language)) }
            (makers(passport, language))
            (doubted(passport, language))
        }
        @if passport.proof.is_cut && !has_said {
            p { (language.pick(
                "Not all records of this code were read here.", "此代码的记录未全部读取。",
            )) }
        }
    }
}

/// The code that is meant, perhaps, as a link to look it up.
fn meant(passport: &Passport, language: Language) -> Markup {
    let goods = passport.did_you_mean.as_deref().and_then(|goods| GoodsId::parse(goods).ok());
    html! {
        @if let Some(goods) = goods {
            p {
                @if passport.state == State::Unknown {
                    (language.pick(
                        "Capital and small letters are different codes. ",
                        "大写与小写字母是不同的代码。",
                    ))
                }
                (language.pick("Did you mean ", "您要查的是否为 "))
                a href=(asked(&path_of(&goods), "lang", language.tag())) data-of="meant" { (goods) }
                (language.pick("?", "？"))
            }
        }
    }
}

/// That a record is gone which may have said anything of the goods.
fn erased(one: &Erased, language: Language) -> Markup {
    html! {
        p { strong data-record=(one.id) data-kind="erasure" data-of="erased" {
            (language.pick("A record about these goods was erased on ", "关于此产品的一条记录已被删除，日期为 "))
            (one.day) (of_zone(UTC)) (language.pick(".", "。"))
        } }
        dl data-record=(one.id) data-kind="erasure" data-by=(one.by.id) {
            dt { (language.pick("Reason", "原因")) } dd data-of="reason" { (one.reason) }
            dt { (language.pick("Stated by", "发布方")) } dd data-of="by" { (party(&one.by)) }
        }
    }
}

/// Recalls of lots that these goods may be of.
fn lots(passport: &Passport, language: Language) -> Markup {
    html! {
        @for one in &passport.lot_recalls {
            p { strong data-record=(one.recall.id) data-of="lots" {
                (language.pick("Some lots are recalled. If the pack shows lot ", "部分批次已被召回。如果包装上的批号为 "))
                (one.lots.join(language.pick(" or ", " 或 ")))
                (language.pick(", this is about it:", "，请注意："))
            } }
            (recall_terms(&one.recall, Stage::InForce, language))
        }
    }
}

/// A recall that was lifted, or begins later.
fn idle(one: &IdleRecall, language: Language) -> Markup {
    let recall = &one.recall;
    let stage = if one.lifted.is_some() { Stage::Lifted } else { Stage::Begins };
    html! {
        p { strong data-record=(recall.id) data-kind="recall" data-of="idle" {
            @if let Some(lifted) = &one.lifted {
                (language.pick("A recall of ", "已解除的召回：自 ")) (recall.since) (of_zone(&recall.zone))
                (language.pick(" was lifted on ", " 起，解除于 ")) (lifted) (of_zone(&recall.zone))
            } @else {
                (language.pick("A recall takes effect on ", "尚未生效的召回：生效日期为 "))
                (recall.since) (of_zone(&recall.zone))
            }
            (language.pick(".", "。"))
        } }
        (recall_terms(recall, stage, language))
    }
}

/// The record that tells the end of the goods.
fn ended(one: &Ended, language: Language) -> Markup {
    let step = match one.how {
        End::UsedUp => words::USED_UP,
        End::Destroyed => "destroying",
        End::TakenOutOfUse => "decommissioning",
    };
    html! {
        // Without a public record the heading alone says so, and the journey what may be shown.
        @if let (Some(id), Some(month)) = (&one.id, &one.month) {
            p data-record=(id) data-kind="event" data-by=(one.by.id) {
                strong data-of="ended" {
                    (language.pick("Recorded in ", "登记于 ")) (month)
                    (language.pick(": ", "：")) (words::step(step, language))
                }
                " · " (language.pick("says ", "陈述方："))
                span data-of="by" { (party(&one.by)) }
            }
        }
    }
}

fn inactive(inactive: Inactive, state: State, language: Language) -> Markup {
    // The sentence of a calm answer says as much, and that of a suspicion more.
    let has_said = matches!(state, State::CopySuspected)
        || (state == State::Consistent && !inactive.others_are_active && !inactive.is_seen);
    html! {
        @if !has_said {
            p {
                @if inactive.others_are_active {
                    (language.pick(
                        "Other labels of this kind are recorded as put on goods; this one is not.",
                        "同类的其他标签已有用于产品的记录，此标签没有。",
                    ))
                } @else if inactive.is_seen {
                    (language.pick(
                        "Only others have recorded events of this code, not the organisation that \
                         made the label.",
                        "此代码的流转仅由其他机构记录，制作标签的机构没有记录。",
                    ))
                } @else {
                    (language.pick(
                        "Of the label with this code it is recorded that it was made, no more.",
                        "关于带有此代码的标签，仅有已制作的记录。",
                    ))
                }
            }
        }
    }
}

/// That the code was in use before its label was ordered.
fn late(late: &LateLabel, language: Language) -> Markup {
    html! {
        p data-of="late" {
            strong { (language.pick(
                "This code was recorded before its label was ordered",
                "此代码在其标签下单之前已有记录",
            )) }
            @if let Some(seen) = &late.seen {
                (language.pick(": first by ", "：最早登记不晚于 ")) (seen) (of_zone(UTC))
            }
            (language.pick("; the label was ordered on or after ", "；标签下单不早于 ")) (late.made) (of_zone(UTC))
            (language.pick(".", "。"))
        }
    }
}

/// Records that may be another's than who is said to have signed them; certificates say so themselves.
fn doubted(passport: &Passport, language: Language) -> Markup {
    let doubted = || passport.doubted.iter().filter(|one| one.kind != "certificate");
    html! {
        @if doubted().next().is_some() {
            p { strong { (language.pick(
                "In doubt, because a key was revoked that may have been in other hands:",
                "以下记录存疑，因为签署密钥已被吊销，此前可能已被他人掌握：",
            )) } }
            ul {
                @for one in doubted().take(DOUBTED_MAX) {
                    li data-record=(one.id) data-kind=(one.kind) data-by=(one.by.id) {
                        span data-of="doubted" {
                            (words::kind(&one.kind, language))
                            (language.pick(", in doubt since ", "，存疑自 ")) (one.since) (of_zone(UTC))
                        }
                        " · " span data-of="by" { (party(&one.by)) }
                    }
                }
            }
        }
    }
}

/// All who are said to make the goods, where that is not one.
fn makers(passport: &Passport, language: Language) -> Markup {
    let claims = &passport.item.maker_claims;
    html! {
        @if !claims.is_empty() {
            p { strong { (language.pick(
                "Different makers are named. Any member can describe any product number, and nothing \
                 in this network tells whose it is:",
                "各方所称的厂家不同。任何成员都可以说明任何商品代码，本网络中没有记录表明它属于谁：",
            )) } }
            ul {
                @for one in claims {
                    li data-record=(one.id) data-by=(one.by.id) {
                        span data-of="by" { (party(&one.by)) }
                        @if one.by == one.maker {
                            (language.pick(" names itself", " 称自己是厂家"))
                        } @else {
                            (language.pick(" names ", " 称厂家是 "))
                            span data-of="maker" { (party(&one.maker)) }
                        }
                    }
                }
            }
        }
    }
}
