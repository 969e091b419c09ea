//! What can be checked of a code of which nothing is recorded here.
//!
//! Invariant: such a page has no button, so its words are none of those that the script of the check
//! knows.

use hallmark_schemas::goods::GoodsId;
use maud::{Markup, html};

use super::super::Language;
use crate::passport::code::path_of;
use crate::passport::view::Passport;

/// That there is no record to check, and what helps instead.
pub(super) fn check(passport: &Passport, language: Language) -> Markup {
    let goods = passport.goods.as_deref().and_then(|goods| GoodsId::parse(goods).ok());
    html! {
        section id="check" {
            h2 { (language.pick("Check it yourself", "自行核对")) }
            p { (language.pick(
                "A signature proves what was recorded; that nothing was, no signature proves. It is \
                 the word of this node.",
                "签名能证明已登记的内容，不能证明没有登记。没有记录仅为本节点的陈述。",
            )) }
            ul {
                li { (language.pick(
                    "Compare the code above with the print, sign by sign.",
                    "请将上方代码与印刷内容逐字核对。",
                )) }
                @if let Some(goods) = &goods {
                    li {
                        (language.pick(
                            "Ask the node of another member, for example of the shop or of whoever \
                             makes such goods: its address, followed by ",
                            "向其他成员的节点查询，例如商店或生产此类产品的机构：在其网址后加上 ",
                        ))
                        code { (path_of(goods)) }
                        (language.pick(".", "。"))
                    }
                    li {
                        (language.pick(
                            "Whoever runs a node looks through all logs that it copies with ",
                            "运行节点者可在其复制的所有日志中查找：",
                        ))
                        code { "hallmark-node trace DIR '" (goods) "'" }
                        (language.pick(".", "。"))
                    }
                }
            }
        }
    }
}
