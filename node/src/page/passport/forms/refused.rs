//! The answer to a form that was not taken: why, and the form again as it was filled in.
//!
//! Invariants: nothing that was written is lost; what was written stays text; the sentence says
//! what to do.

use hallmark_schemas::goods::GoodsId;
use maud::{Markup, html};

use super::super::super::Language;
use super::super::{Frame, shell};
use super::{Given, back, by_hand, complaint_fields, confirmation_fields, hidden};
use crate::passport::code::sort_of;

/// What was filled in, as it came: nothing here has been checked.
#[derive(Debug, Default)]
pub struct Kept {
    /// The goods.
    pub goods: String,
    /// The form's token.
    pub form: String,
    /// The path of the code as it was printed.
    pub at: String,
    /// What was chosen: a category, an act.
    pub choice: String,
    /// What was written.
    pub text: String,
    /// Where.
    pub region: String,
}

impl Kept {
    /// Keeps a field of either form; of one that comes twice, the first.
    pub fn take(&mut self, name: &str, value: String) {
        let field = match name {
            "goods" => &mut self.goods,
            "form" => &mut self.form,
            "at" => &mut self.at,
            "category" | "act" => &mut self.choice,
            "text" => &mut self.text,
            "region" => &mut self.region,
            _ => return,
        };
        if field.is_empty() {
            *field = value;
        }
    }
}

/// Why a form is not taken, as its sender can mend it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// The code cannot be read.
    Code,
    /// There is no record of the code.
    Unknown,
    /// There is no record of this one item.
    Unissued,
    /// A record of the goods does not hold.
    Broken,
    /// The code names no single thing that is bought.
    Many,
    /// This form was handed out too long ago, or not for this code.
    Old,
    /// Something else was said with this form before.
    Twice,
    /// The text names a person.
    Person,
    /// The text holds characters that change how it looks.
    Unseen,
    /// The text holds nothing that can be seen.
    Blank,
    /// The text is too long.
    TooLong,
    /// Too many forms from one place.
    TooMany {
        /// Seconds until there is one again.
        after_s: u64,
    },
    /// This node takes nothing at the moment.
    NotNow,
    /// A page of another site sent it.
    Elsewhere,
    /// What was chosen is none of what the form offers.
    Choice,
    /// It is not the form that the page sends.
    Form,
}

impl Why {
    /// Whether another text would be taken.
    fn is_of_text(self) -> bool {
        matches!(self, Why::Person | Why::Unseen | Why::Blank | Why::TooLong)
    }

    /// Whether a code is needed, another one or the same anew.
    fn is_of_code(self) -> bool {
        matches!(self, Why::Code | Why::Unknown | Why::Unissued | Why::Many | Why::Elsewhere)
    }

    fn sentence(self, language: Language) -> String {
        let (en, zh) = match self {
            Why::Code => (
                "The code of the goods could not be read. Open the record again from the code.",
                "无法识别产品代码。请重新扫码打开记录页。",
            ),
            Why::Unknown => (
                "There is no record of this code here, so nothing can be added to it.",
                "此处没有该代码的记录，无法登记。",
            ),
            Why::Unissued => (
                "There is no record of this item, so it cannot be confirmed. The code may be wrong \
                 or invented: on its page you can report that.",
                "没有此件产品的记录，无法确认。代码可能有误，也可能是编造的：可在其页面报告问题。",
            ),
            Why::Broken => (
                "The records of this code do not match their signatures, so nothing can be \
                 confirmed on them. You can report a problem instead.",
                "此代码的记录与其签名不符，无法据此确认。您可以报告问题。",
            ),
            Why::Old => (
                "This form was opened more than a day ago, or for another code. Check it and send \
                 it again.",
                "此表单打开已超过一天，或属于其他代码。请检查后重新提交。",
            ),
            Why::Twice => (
                "This form was sent before, with other words, and those are recorded. To say this \
                 as well, send it once more.",
                "此表单此前已提交过其他内容并已登记。如需另行登记以上内容，请再次提交。",
            ),
            Why::Many => (
                "This code is not of one item that is bought. Only such an item is confirmed, by \
                 its serial number.",
                "此代码不是可购买的单件产品的代码。只能按序列号确认单件产品。",
            ),
            Why::Person => (
                "The text holds what looks like a telephone number or an address. Take it out and \
                 send it again.",
                "文字中似乎含有电话号码或地址。请删除后重新提交。",
            ),
            Why::Unseen => (
                "The text holds hidden characters that change how it looks. Type it anew and send \
                 it again.",
                "文字中含有会改变显示方式的隐藏字符。请重新输入后提交。",
            ),
            Why::Blank => (
                "The text holds nothing that can be read. Write something, or leave it empty.",
                "文字中没有可读的内容。请填写说明，或留空。",
            ),
            Why::TooLong => (
                "The text is too long. Shorten it to 300 characters and send it again.",
                "文字过长。请缩短至 300 字以内后重新提交。",
            ),
            Why::TooMany { after_s } => return too_many(after_s, language),
            Why::NotNow => (
                "This node can record nothing at the moment. Send it again later.",
                "本节点暂时无法登记。请稍后重新提交。",
            ),
            Why::Elsewhere => (
                "Another website sent this form in your name, so it was not taken. To say \
                 something, open the record from the code.",
                "此表单由其他网站以您的名义提交，未予受理。如需登记，请扫码打开记录页。",
            ),
            Why::Choice => CHOICE,
            Why::Form => FORM,
        };
        language.pick(en, zh).to_owned()
    }
}

/// Of what is no form of ours.
const FORM: (&str, &str) = (
    "What was sent is not what this form sends. Check it and send it again.",
    "提交的内容与表单不符。请检查后重新提交。",
);

/// Of a choice that there is not.
const CHOICE: (&str, &str) = (
    "What was chosen is none of what this form offers. Choose again and send it.",
    "所选内容不在此表单的选项之中。请重新选择后提交。",
);

fn too_many(after_s: u64, language: Language) -> String {
    match language {
        Language::En => {
            format!("Too many forms came from where you are. Send it again in {after_s} seconds.")
        }
        Language::Zh => format!("您所在的网络提交过于频繁。请在 {after_s} 秒后重新提交。"),
    }
}

/// The page.
pub fn page(given: Given, why: Why, kept: &Kept, frame: &Frame<'_>) -> Markup {
    let language = frame.language;
    let title = match given {
        Given::Confirmation => {
            language.pick("Your confirmation was not recorded", "您的确认未登记")
        }
        Given::Complaint => language.pick("Your report was not recorded", "您的报告未登记"),
    };
    let body = html! {
        main {
            section class="band warn" role="alert" {
                svg viewBox="0 0 24 24" width="40" height="40" aria-hidden="true" {
                    path d="M12 5v9M12 18v1" {}
                }
                h1 { (title) }
                p id="fault" { (why.sentence(language)) }
            }
            @if why.is_of_code() {
                @if !kept.text.is_empty() {
                    section {
                        h2 { (language.pick("What you wrote", "您填写的内容")) }
                        p { (kept.text) }
                    }
                }
                @if why == Why::Unissued { (back(frame)) }
                (by_hand(language))
            } @else if why == Why::Broken {
                (back(frame))
            } @else {
                section {
                    h2 { (language.pick("The form as you sent it", "您提交的表单")) }
                    form method="post" action=(given.path()) {
                        @let form = match given {
                            Given::Complaint => &frame.forms.complaint,
                            Given::Confirmation => &frame.forms.confirmation,
                        };
                        (hidden(&kept.goods, form.as_deref().unwrap_or_default(), frame))
                        @match given {
                            Given::Complaint => {
                                @let goods = GoodsId::parse(&kept.goods);
                                (complaint_fields(
                                    kept, goods.ok().map(|goods| sort_of(&goods)),
                                    why.is_of_text().then_some("fault"), language,
                                ))
                            }
                            Given::Confirmation => (confirmation_fields(kept, language)),
                        }
                    }
                }
                @if !kept.goods.is_empty() { (back(frame)) }
            }
        }
    };
    shell(title, frame.path, frame, &body)
}
