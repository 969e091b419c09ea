//! The passport of goods: what the records held here say of a code, in one of twelve states.
//!
//! Invariants: a state is a fact about records, never about the thing in the hand, so no text says
//! genuine or safe; every state has an icon, a word and a sentence in both languages, an HTTP
//! status and a name in JSON, and names are never renamed; the order of [`State::ALL`] is the
//! order in which states win over one another.

pub mod cache;
pub mod code;
pub mod decide;
mod findings;
pub mod fold;
pub mod form;
pub mod gather;
pub mod issuance;
pub mod named;
pub mod printed;
mod sentence;
pub mod view;

use crate::page::Language;

/// What the records say, in the order of precedence: the first that holds is shown.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// The path is no code.
    Unreadable,
    /// A valid code of which no record of this network speaks.
    Foreign,
    /// The product is known, this item is not.
    Unknown,
    /// A record does not match its digest, its signature or its log.
    Broken,
    /// A recall is in force.
    Recalled,
    /// A certificate was pulled.
    Withdrawn,
    /// A certificate is past its date.
    Expired,
    /// The code was seen where it cannot be, was confirmed too often, is on no goods as far as is
    /// recorded, or its print contradicts the records.
    CopySuspected,
    /// A finding is open, or descriptions name different makers.
    Disputed,
    /// What is held here is older than the policy allows.
    Stale,
    /// Consistent, and a buyer has confirmed it before.
    ConsistentSeen,
    /// Complete and consistent.
    Consistent,
}

impl State {
    /// All, the strongest first.
    pub const ALL: [State; 12] = [
        State::Unreadable,
        State::Foreign,
        State::Unknown,
        State::Broken,
        State::Recalled,
        State::Withdrawn,
        State::Expired,
        State::CopySuspected,
        State::Disputed,
        State::Stale,
        State::ConsistentSeen,
        State::Consistent,
    ];

    /// Its name in JSON, in style classes and in the ETag.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Unreadable => "unreadable",
            State::Foreign => "foreign",
            State::Unknown => "unknown",
            State::Broken => "broken",
            State::Recalled => "recalled",
            State::Withdrawn => "withdrawn",
            State::Expired => "expired",
            State::CopySuspected => "copy_suspected",
            State::Disputed => "disputed",
            State::Stale => "stale",
            State::ConsistentSeen => "consistent_seen",
            State::Consistent => "consistent",
        }
    }

    /// The HTTP status of its page.
    pub const fn status(self) -> u16 {
        match self {
            State::Unreadable => 400,
            State::Foreign | State::Unknown => 404,
            _ => 200,
        }
    }

    /// Whether there is a record to show beneath the state.
    pub const fn has_record(self) -> bool {
        !matches!(self, State::Unreadable | State::Foreign | State::Unknown)
    }

    /// Whether a buyer's confirmation is taken: there is a record of the goods that can be relied
    /// on, whatever else it says.
    pub const fn takes_confirmations(self) -> bool {
        self.has_record() && !matches!(self, State::Broken)
    }

    /// Whether a complaint is taken: the network knows the goods or their class.
    pub const fn takes_complaints(self) -> bool {
        self.has_record() || matches!(self, State::Unknown)
    }

    /// How the band looks: by colour for those who see it, beside icon and word.
    pub const fn tone(self) -> &'static str {
        match self {
            State::Broken | State::Recalled => "bad",
            State::Withdrawn | State::Expired | State::CopySuspected | State::Disputed => "warn",
            State::Unreadable | State::Foreign | State::Unknown | State::Stale => "mute",
            State::ConsistentSeen | State::Consistent => "calm",
        }
    }

    /// The path of its icon on a grid of 24 by 24, drawn with strokes. Each state has its own
    /// shape, so that none is told by colour alone.
    pub const fn icon(self) -> &'static str {
        match self {
            State::Unreadable => {
                "M4 4h4M4 4v4M20 4h-4M20 4v4M4 20h4M4 20v-4M20 20h-4M20 20v-4M8 8l8 8M16 8l-8 8"
            }
            State::Foreign => {
                "M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0M3 12h18M12 3c-5 5-5 13 0 18c5-5 5-13 0-18"
            }
            State::Unknown => {
                "M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0M9 9.5c0-4 6-4 6-.5c0 2-3 2-3 4.5M12 17v.5"
            }
            State::Broken => {
                "M10 14l-3 3a3.5 3.5 0 0 1-5-5l3-3M14 10l3-3a3.5 3.5 0 0 1 5 5l-3 3M9 4v3M4 9h3M15 20v-3M20 15h-3"
            }
            State::Recalled => "M8 2h8l6 6v8l-6 6H8l-6-6V8zM12 7v6M12 16.5v.5",
            State::Withdrawn => "M6 2h9l4 4v16H6zM9 11l6 6M15 11l-6 6",
            State::Expired => {
                "M6 2h12M6 22h12M7 2c0 6 10 6 10 10s-10 4-10 10M17 2c0 6-10 6-10 10s10 4 10 10"
            }
            State::CopySuspected => "M8 8h13v13H8zM16 8V3H3v13h5",
            State::Disputed => "M3 4h12v8H8l-5 4zM18 9h3v11l-4-3h-6v-2",
            State::Stale => "M3 12a9 9 0 1 0 18 0a9 9 0 1 0-18 0M12 7v5l4 3",
            State::ConsistentSeen => {
                "M2 12c4-8 16-8 20 0c-4 8-16 8-20 0M9 12a3 3 0 1 0 6 0a3 3 0 1 0-6 0"
            }
            State::Consistent => "M6 2h9l4 4v16H6zM9 13l2.5 3L16 10",
        }
    }

    /// One or two words for the heading and the title.
    pub const fn word(self, language: Language) -> &'static str {
        let (en, zh) = match self {
            State::Unreadable => ("Not a product code", "不是产品代码"),
            State::Foreign => ("Not registered here", "未在此登记"),
            State::Unknown => ("No record of this item", "没有此件产品的记录"),
            State::Broken => ("Records do not match", "记录不符"),
            State::Recalled => ("Recalled", "已召回"),
            State::Withdrawn => ("Certificate withdrawn", "证书已被撤销"),
            State::Expired => ("Certificate expired", "证书已过期"),
            State::CopySuspected => ("May be a copied code", "代码可能被复制"),
            State::Disputed => ("Question open", "有未决疑问"),
            State::Stale => ("Not confirmed now", "目前无法确认"),
            State::ConsistentSeen => ("Confirmed before", "此前已有人确认"),
            State::Consistent => ("Records consistent", "记录一致"),
        };
        language.pick(en, zh)
    }

    /// The plain sentence of the band. What it leaves open (which, since when, how often) stands
    /// right beneath it.
    pub const fn sentence(self, language: Language) -> &'static str {
        let (en, zh) = match self {
            State::Unreadable => (
                "This is not a product code: a digit may be wrong, or the print damaged. Type the \
                 code below.",
                "这不是产品代码：可能有数字错误，或印刷已损坏。请在下方手动输入代码。",
            ),
            State::Foreign => (
                "Not registered here. This is a valid code, but this node has no record of it \
                 from any member of its network.",
                "未在此登记。这是有效的代码，但本节点没有本网络任何成员对它的记录。",
            ),
            State::Unknown => (
                "No record of this item. The code may be wrong or invented.",
                "没有此件产品的记录。代码可能有误，也可能是编造的。",
            ),
            State::Broken => (
                "Records do not match their signatures. Do not rely on them.",
                "记录与其签名不符，请勿依赖这些记录。",
            ),
            State::Recalled => (
                "The goods have been recalled. Read the reason and what to do below.",
                "该产品已被召回，原因和处理办法见下。",
            ),
            State::Withdrawn => (
                "A certificate for these goods was withdrawn. The other records below still hold.",
                "该产品的一份证书已被撤销，下列其他记录仍然有效。",
            ),
            State::Expired => (
                "A certificate for these goods is past its date. The other records below still \
                 hold.",
                "该产品的一份证书已过有效期，下列其他记录仍然有效。",
            ),
            State::CopySuspected => (
                "This code has been seen where it cannot be. It may be a copy.",
                "此代码曾出现在不可能出现的地方，可能是复制品上的代码。",
            ),
            State::Disputed => (
                "A check of the records raised a question that is not settled. The question and \
                 what was answered to it are below.",
                "核查记录时发现的疑问尚未解决，疑问及其答复见下。",
            ),
            State::Stale => (
                "Not confirmed now: this is what was known at the last check.",
                "目前无法确认：以下为上次核对时的情况。",
            ),
            State::ConsistentSeen => (
                "The records are consistent, and a buyer has already confirmed this item. If you \
                 bought it new, say so below.",
                "记录一致，但此前已有购买者确认过此件产品。如果您买到的是新品，请在下方告知。",
            ),
            State::Consistent => (
                "The records for this code are complete and consistent. A printed code can be \
                 copied: compare what you hold with the description and the seal.",
                "关于此代码的记录完整且一致。印刷的代码可以被复制：请对照说明和封签查看实物。",
            ),
        };
        language.pick(en, zh)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_state_has_its_own_name_icon_word_and_sentence_in_both_languages() {
        let mut seen = BTreeSet::new();
        for state in State::ALL {
            assert!(seen.insert(state.as_str()), "{state:?}");
            assert!(seen.insert(state.icon()), "{state:?}");
            for language in [Language::En, Language::Zh] {
                assert!(seen.insert(state.word(language)), "{state:?}");
                assert!(seen.insert(state.sentence(language)), "{state:?}");
            }
            let is_chinese = |text: &str| text.chars().any(|c| ('一'..='鿿').contains(&c));
            assert!(is_chinese(state.word(Language::Zh)) && !is_chinese(state.word(Language::En)));
        }
    }

    #[test]
    fn no_state_says_that_the_thing_in_the_hand_is_genuine_safe_or_fake() {
        for state in State::ALL {
            for language in [Language::En, Language::Zh] {
                let text = format!("{} {}", state.word(language), state.sentence(language));
                for word in
                    ["genuine", "safe", "authentic", "100", "fake", "正品", "真品", "安全", "假货"]
                {
                    assert!(!text.to_lowercase().contains(word), "{state:?}: {word}");
                }
            }
        }
    }

    #[test]
    fn the_states_are_ordered_as_they_win() {
        assert!(State::ALL.is_sorted());
        let statuses: Vec<u16> = State::ALL.iter().map(|state| state.status()).collect();
        assert_eq!(statuses[..3], [400, 404, 404]);
        assert!(statuses[3..].iter().all(|status| *status == 200));
    }
}
