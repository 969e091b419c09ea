//! Word, sentence and look of a passport, where those of its state would say more than is known.
//!
//! Invariants: no sentence calls an organisation the maker, because nothing in the network tells
//! whose number goods have; none says complete where something was left out or is missing; a calm
//! look is for answers of which nothing must be seen.

use super::view::{End, Impossible, Misread, OpenFinding, Passport, Sort, Standing};
use super::{State, findings};
use crate::page::Language;

impl Passport {
    /// One or two words for the heading and the title.
    pub fn word(&self, language: Language) -> &'static str {
        match (self.state, self.sort, self.misread) {
            (State::Unreadable, _, Some(Misread::Nothing)) => {
                language.pick("Which code?", "请输入代码")
            }
            (State::Unknown, ..) if self.is_only_recalled() => {
                language.pick("Recalled, no other record", "已召回，无其他记录")
            }
            (State::Unknown, ..) if self.is_spoken_of() => {
                language.pick("Not recorded by its issuer", "发放方没有记录")
            }
            (State::Unknown, Some(sort), _) => {
                let (en, zh) = match sort {
                    Sort::Item => return self.state.word(language),
                    Sort::Lot => ("No record of this lot", "没有此批次的记录"),
                    Sort::Class => ("No record of this product", "没有此类产品的记录"),
                    Sort::Unit => ("No record of this shipping unit", "没有此物流单元的记录"),
                    Sort::Place => ("No record of this place or party", "没有此地点或机构的记录"),
                    Sort::Document => ("No record of this document", "没有此单证的记录"),
                    Sort::Coupon => ("No record of this coupon", "没有此优惠券的记录"),
                    Sort::Relation => {
                        ("No record of this service relation", "没有此服务关系的记录")
                    }
                    Sort::Other => ("No record of these goods", "没有此物品的记录"),
                };
                language.pick(en, zh)
            }
            (State::Consistent | State::ConsistentSeen, ..) if self.ended.is_some() => {
                self.ended.as_ref().map_or("", |ended| match ended.is_of_others {
                    true => ended.how.word_of_others(language),
                    false => ended.how.word(language),
                })
            }
            (state, ..) => state.word(language),
        }
    }

    /// The plain sentence of the band: that of the state, unless it would say more than the
    /// records do. Records without a description of the goods, or that were not all read, may be
    /// consistent; complete they are not.
    pub fn sentence(&self, language: Language) -> &'static str {
        match self.state {
            State::Unreadable => self.unread(language),
            State::Unknown => self.unknown(language),
            State::Foreign if self.sort == Some(Sort::Place) => language.pick(
                "Not registered here. No member of this network describes this place or party; \
                 events that name it are not looked up by it.",
                "未在此登记。本网络没有成员说明过此地点或机构；提及它的事件不按地点查询。",
            ),
            State::Withdrawn if self.is_withdrawn_by_its_key() => language.pick(
                "The key that signed a certificate shown here was revoked: it is in doubt who issued \
                 it. Do not rely on that certificate.",
                "签署此处一份证书的密钥已被吊销，该证书由谁签发存疑，请勿依赖该证书。",
            ),
            State::Withdrawn if self.sort == Some(Sort::Place) => language.pick(
                "A certificate of this place or party was withdrawn. The other records below still \
                 hold.",
                "此地点或机构的一份证书已被撤销，下列其他记录仍然有效。",
            ),
            State::Expired if self.sort == Some(Sort::Place) => language.pick(
                "A certificate of this place or party is past its date. The other records below \
                 still hold.",
                "此地点或机构的一份证书已过有效期，下列其他记录仍然有效。",
            ),
            State::Consistent | State::ConsistentSeen if self.ended.is_some() => {
                self.ended.as_ref().map_or("", |ended| match ended.is_of_others {
                    true => end_of_others(language),
                    false => ended.how.sentence(language),
                })
            }
            State::Consistent | State::ConsistentSeen if !self.erased.is_empty() => {
                Passport::rest(language)
            }
            State::Consistent => self.consistent(language),
            State::ConsistentSeen if self.proof.is_cut => language.pick(
                "A buyer has already confirmed this item. The records that were read here are \
                 consistent; there are more.",
                "此前已有购买者确认过此件产品。此处读取的记录一致，另有更多记录未读取。",
            ),
            State::CopySuspected => self.suspicion(language),
            State::Disputed if self.item.maker_claims.len() > 1 => language.pick(
                "The records disagree about who makes these goods. All who are named are below.",
                "关于该产品由谁生产，各方记录不一致，说法均列于下。",
            ),
            State::Disputed if self.is_in_doubt() => language.pick(
                "A key was revoked that signed records of this code: it is in doubt who signed them. \
                 Which ones and since when is below.",
                "签署此代码部分记录的密钥已被吊销，这些记录由谁签署存疑。涉及的记录和起始日期见下。",
            ),
            state => state.sentence(language),
        }
    }

    /// Whether no open finding asks the question that is left.
    fn is_in_doubt(&self) -> bool {
        let is_question = |one: &OpenFinding| !one.is_copy && one.severity != "note";
        !self.findings.iter().any(is_question) && self.doubted.iter().any(|one| one.is_origin)
    }

    /// Whether each certificate that counts no more does so because of its key.
    fn is_withdrawn_by_its_key(&self) -> bool {
        let withdrawn = self.certificates.iter();
        let mut withdrawn = withdrawn
            .filter(|one| !one.is_superseded && one.standing == Standing::Withdrawn)
            .peekable();
        withdrawn.peek().is_some() && withdrawn.all(|one| one.key_revoked.is_some())
    }

    fn unread(&self, language: Language) -> &'static str {
        match self.misread {
            Some(Misread::Nothing) => language.pick(
                "No code was given. Type the one that is on the goods: the address beside it, or \
                 the numbers with their brackets.",
                "尚未提供代码。请输入产品上的代码：代码旁的网址，或带括号的数字。",
            ),
            Some(Misread::ShortGtin) => language.pick(
                "A product number behind (01) has 14 digits; this one has fewer. With zeros in \
                 front it can be looked up below.",
                "(01) 后的商品代码应为 14 位，此处位数不足。可在下方用前面补零的代码查询。",
            ),
            _ => State::Unreadable.sentence(language),
        }
    }

    fn unknown(&self, language: Language) -> &'static str {
        if self.is_only_recalled() {
            return match self.recalls.is_empty() {
                false => language.pick(
                    "A recall names this code, see below. Apart from that, whoever answers for it has \
                     no record of it here.",
                    "有召回涉及此代码，见下。除此之外，此处没有对其负责的机构的记录。",
                ),
                true => language.pick(
                    "Lots of this product are recalled, see below. Apart from that, there is no \
                     record of it here.",
                    "此产品的部分批次已被召回，见下。除此之外，此处没有其记录。",
                ),
            };
        }
        if self.is_spoken_of() {
            return self.spoken_of(language);
        }
        if self.elsewhere.is_some() {
            return language.pick(
                "This node holds no record of this item. Only the node of the organisation that \
                 issues these codes can tell whether this one was issued.",
                "本节点没有此件产品的记录。此代码是否已发放，只有发放方的节点能够确认。",
            );
        }
        if self.proof.is_cut {
            return language.pick(
                "Among the records that were read here none is of this code; there are more that \
                 were not read.",
                "此处读取的记录中没有此代码的记录，另有更多记录未读取。",
            );
        }
        let (en, zh) = match self.sort {
            None | Some(Sort::Item) => return State::Unknown.sentence(language),
            Some(Sort::Lot) => (
                "No record of this lot. The code may be wrong or invented.",
                "没有此批次的记录。代码可能有误，也可能是编造的。",
            ),
            Some(_) => (
                "There is no record of what this code names, only of what belongs to it.",
                "没有此代码所指对象的记录，只有与其相关的记录。",
            ),
        };
        language.pick(en, zh)
    }

    /// Of what others have recorded and whoever issues such codes has not.
    fn spoken_of(&self, language: Language) -> &'static str {
        if self.elsewhere.is_some() {
            return language.pick(
                "Others have recorded this code, see below. Whether it was issued, only the node of \
                 the organisation that issues these codes can tell.",
                "其他机构登记过此代码，见下。此代码是否已发放，只有发放方的节点能够确认。",
            );
        }
        if self.proof.is_cut {
            return language.pick(
                "Others have recorded this code, see below. Whoever answers for these goods has \
                 not, in the records that were read here; there are more.",
                "其他机构登记过此代码，见下。在此处读取的记录中，对该产品负责的机构没有登记过它，\
                 另有更多记录未读取。",
            );
        }
        language.pick(
            "Others have recorded this code, see below; whoever answers for these goods has not. It \
             may be wrong or invented.",
            "其他机构登记过此代码，见下；对该产品负责的机构没有登记过它。代码可能有误，也可能是编造的。",
        )
    }

    /// Of records of which others were erased.
    fn rest(language: Language) -> &'static str {
        language.pick(
            "What is left of the records for this code agrees, but a record about these goods was \
             erased, see below. A printed code can be copied: do not go by the code alone.",
            "关于此代码的现存记录一致，但有关于此产品的记录已被删除，见下。印刷的代码可以被复制：\
             请勿仅凭代码判断。",
        )
    }

    fn consistent(&self, language: Language) -> &'static str {
        if self.sort == Some(Sort::Place) {
            return language.pick(
                "The records that describe this place or party are consistent. What happened there \
                 is not looked up by its code.",
                "描述此地点或机构的记录一致。在该处发生的事件不按其代码查询。",
            );
        }
        if self.proof.is_cut {
            return language.pick(
                "The records for this code that were read here are consistent; there are more. A \
                 printed code can be copied: compare what you hold with the description and the \
                 seal.",
                "此处读取的关于此代码的记录一致，另有更多记录未读取。印刷的代码可以被复制：\
                 请对照说明和封签查看实物。",
            );
        }
        if self.inactive.is_some() {
            return language.pick(
                "A label with this code was made, and that is all that is recorded of it. A \
                 printed code can be copied: do not go by the code alone.",
                "带有此代码的标签已制作，除此之外没有其他记录。印刷的代码可以被复制：请勿仅凭代码判断。",
            );
        }
        if self.late_label.is_some() {
            return language.pick(
                "The records for this code agree, but it was recorded before its label was ordered. \
                 A printed code can be copied: do not go by the code alone.",
                "关于此代码的记录一致，但在其标签下单之前，此代码已有记录。印刷的代码可以被复制：\
                 请勿仅凭代码判断。",
            );
        }
        if self.item.names.is_empty() {
            return language.pick(
                "The records for this code are consistent, but there is no description of it. A \
                 printed code can be copied: do not go by the code alone.",
                "关于此代码的记录一致，但没有产品说明。印刷的代码可以被复制：请勿仅凭代码判断。",
            );
        }
        State::Consistent.sentence(language)
    }

    /// Why the code may be a copy: the first cause that holds.
    fn suspicion(&self, language: Language) -> &'static str {
        let mut of_copies = self.findings.iter().filter(|finding| finding.is_copy).peekable();
        if of_copies.peek().is_some() {
            return if of_copies.any(|finding| finding.code == findings::TWO_PLACES) {
                State::CopySuspected.sentence(language)
            } else {
                of_many(language)
            };
        }
        if self.is_scrapped {
            return language.pick(
                "Whoever issued this code scrapped it, so it should be on no goods. It may be a \
                 copy.",
                "此代码已由发放方作废，不应出现在任何产品上，可能是复制品上的代码。",
            );
        }
        if !self.link.contradictions.is_empty() {
            return language.pick(
                "What is printed with this code is not what was recorded for it. It may be a \
                 copy, or the print was changed.",
                "此代码的印刷内容与登记内容不符，可能是复制品上的代码，或印刷内容被改动过。",
            );
        }
        if self.inactive.is_some_and(|inactive| inactive.others_are_active) {
            return language.pick(
                "A label with this code was made and, as far as is recorded, not put on goods; yet \
                 the code has been seen. It may be a copy, or the label was taken.",
                "带有此代码的标签已制作，但没有已用于产品的记录，而此代码已经出现，\
                 可能是复制品上的代码，或标签被盗用。",
            );
        }
        if let Some(cause) = self.confirmations.impossible.first() {
            return cause.sentence(language);
        }
        if self.confirmations.count <= self.confirmations.innocent_max {
            // What rules a confirmation out is not public.
            return of_many(language);
        }
        language.pick(
            "This code was confirmed more often than one item is bought. It may be a copy.",
            "此代码被确认的次数多于一件产品的购买次数，可能是复制品上的代码。",
        )
    }

    /// How the band looks: that of the state, unless something beneath it must be seen.
    pub fn tone(&self) -> &'static str {
        let must_be_seen = self.item.is_past_expiry
            || !self.link.passed.is_empty()
            || !self.link.unreadable.is_empty()
            || !self.lot_recalls.is_empty()
            || self.idle_recalls.iter().any(|one| one.lifted.is_none())
            || self.ended.is_some()
            || !self.erased.is_empty()
            || self.late_label.is_some()
            || self.inactive.is_some_and(|one| one.others_are_active || one.is_seen);
        match self.state.tone() {
            "calm" if must_be_seen => "warn",
            "calm" if self.proof.is_cut => "mute",
            tone => tone,
        }
    }
}

impl End {
    /// The heading of goods that are no more.
    fn word(self, language: Language) -> &'static str {
        let (en, zh) = match self {
            End::UsedUp => ("Recorded as used up", "登记为已耗用"),
            End::Destroyed => ("Recorded as destroyed", "登记为已销毁"),
            End::TakenOutOfUse => ("Recorded as taken out of use", "登记为已注销"),
        };
        language.pick(en, zh)
    }

    /// The same where it is the word of somebody who is not known to have had them.
    fn word_of_others(self, language: Language) -> &'static str {
        let (en, zh) = match self {
            End::UsedUp => ("Said by others to be used up", "他方称已耗用"),
            End::Destroyed => ("Said by others to be destroyed", "他方称已销毁"),
            End::TakenOutOfUse => ("Said by others to be out of use", "他方称已注销"),
        };
        language.pick(en, zh)
    }

    /// What that means for whoever holds something with their code.
    fn sentence(self, language: Language) -> &'static str {
        match self {
            End::UsedUp => language.pick(
                "By the records these goods were used up to make others. What you hold with this \
                 code may be something else: do not go by the code.",
                "据记录，此产品已用于制造其他产品。您手中带有此代码的物品可能并非此产品，请勿凭此代码判断。",
            ),
            End::Destroyed => language.pick(
                "By the records these goods were destroyed. What you hold with this code may be \
                 something else: do not go by the code.",
                "据记录，此产品已销毁。您手中带有此代码的物品可能并非此产品，请勿凭此代码判断。",
            ),
            End::TakenOutOfUse => language.pick(
                "By the records this code was taken out of use. What you hold with it may be \
                 something else: do not go by the code.",
                "据记录，此代码已注销。您手中带有此代码的物品可能并非原产品，请勿凭此代码判断。",
            ),
        }
    }
}

impl Impossible {
    /// Why a confirmed code may be a copy.
    fn sentence(self, language: Language) -> &'static str {
        match self {
            Impossible::AfterEnd => language.pick(
                "A buyer confirmed this code after its goods were recorded as destroyed, used up or \
                 taken out of use. It may be a copy.",
                "此代码的产品登记为已销毁、耗用或注销之后，仍有购买者确认，可能是复制品上的代码。",
            ),
            Impossible::BeforeShipping => language.pick(
                "A buyer confirmed this code before its goods were shipped. It may be a copy.",
                "此代码的产品发运之前，已有购买者确认，可能是复制品上的代码。",
            ),
            Impossible::OtherMarket => language.pick(
                "A buyer confirmed this code where its lot, by the records, is not sold. It may be a \
                 copy.",
                "有购买者在登记的销售地区之外确认了此代码，可能是复制品上的代码。",
            ),
        }
    }
}

/// Of the word of somebody who is not known to have had the goods.
fn end_of_others(language: Language) -> &'static str {
    language.pick(
        "An organisation that is not known to have had these goods says that they are no more. It is \
         named below; nobody who had them says so. A printed code can be copied: compare what you \
         hold with the description and the seal.",
        "一家没有记录表明曾持有此产品的机构称此产品已不存在，该机构见下；曾持有者均未如此登记。\
         印刷的代码可以被复制：请对照说明和封签查看实物。",
    )
}

fn of_many(language: Language) -> &'static str {
    language.pick(
        "The records of this code cannot all be of one item. It may be a copy.",
        "关于此代码的记录不可能都属于同一件产品，可能是复制品上的代码。",
    )
}

#[cfg(test)]
mod tests {
    use super::super::view::print::PassedDate;
    use super::super::view::{Ended, IdleRecall, Inactive, Party, Recall};
    use super::*;

    fn of(state: State) -> Passport {
        Passport { state, sort: Some(Sort::Item), ..Passport::unreadable(Misread::Garbled, None) }
    }

    #[test]
    fn a_calm_look_is_for_answers_of_which_nothing_must_be_seen() {
        let inactive = |others_are_active, is_seen| Some(Inactive { others_are_active, is_seen });
        for (inactive, expected) in [
            (None, "calm"),
            (inactive(false, false), "calm"),
            (inactive(false, true), "warn"),
            (inactive(true, false), "warn"),
        ] {
            let passport = Passport { inactive, ..of(State::Consistent) };
            assert_eq!(passport.tone(), expected, "{inactive:?}");
        }
        let mut passport = of(State::ConsistentSeen);
        passport.proof.is_cut = true;
        assert_eq!(passport.tone(), "mute", "what was not read may change it");
        let (ai, day) = ("17".to_owned(), "2020-01-31".to_owned());
        passport.link.passed = vec![PassedDate { ai, title: "USE BY", day }];
        assert_eq!(passport.tone(), "warn");
        passport.state = State::Recalled;
        assert_eq!(passport.tone(), "bad", "a stronger look stays");
        let recall = || Recall {
            id: String::new(),
            by: Party { id: String::new(), name: String::new() },
            goods: String::new(),
            since: String::new(),
            zone: String::new(),
            reason: Vec::new(),
            action: Vec::new(),
            contact: None,
        };
        for (lifted, expected) in [(Some(String::new()), "calm"), (None, "warn")] {
            let idle_recalls = vec![IdleRecall { lifted, recall: recall() }];
            let passport = Passport { idle_recalls, ..of(State::Consistent) };
            assert_eq!((passport.tone(), passport.state), (expected, State::Consistent));
        }
    }

    #[test]
    fn goods_that_are_no_more_are_not_headed_as_if_they_were_in_trade() {
        let by = Party { id: String::new(), name: String::new() };
        for (how, en, zh) in [
            (End::UsedUp, "used up", "耗用"),
            (End::Destroyed, "destroyed", "销毁"),
            (End::TakenOutOfUse, "taken out of use", "注销"),
        ] {
            let ended =
                Some(Ended { how, month: None, by: by.clone(), id: None, is_of_others: false });
            for state in [State::Consistent, State::ConsistentSeen] {
                let mut passport = Passport { ended: ended.clone(), ..of(state) };
                passport.proof.is_cut = true;
                assert!(passport.word(Language::En).contains(en), "{how:?}");
                assert!(passport.word(Language::Zh).contains(zh), "{how:?}");
                for language in [Language::En, Language::Zh] {
                    let said = passport.sentence(language);
                    assert!(!said.contains("consistent") && !said.contains("一致"), "{said}");
                }
                assert_eq!((passport.state, passport.tone()), (state, "warn"));
            }
            // What is stronger keeps its own words.
            let recalled = Passport { ended, ..of(State::Recalled) };
            assert_eq!(recalled.word(Language::En), "Recalled");
        }
    }

    #[test]
    fn a_confirmation_that_cannot_be_is_told_with_its_cause_and_without_it_where_that_is_closed() {
        let mut passport = of(State::CopySuspected);
        passport.confirmations.count = 1;
        passport.confirmations.innocent_max = 1;
        let closed = passport.sentence(Language::En);
        assert!(closed.contains("cannot all be of one item"), "{closed}");
        for (cause, en, zh) in [
            (Impossible::AfterEnd, "destroyed", "销毁"),
            (Impossible::BeforeShipping, "before its goods were shipped", "发运之前"),
            (Impossible::OtherMarket, "is not sold", "销售地区之外"),
        ] {
            passport.confirmations.impossible = vec![cause];
            assert!(passport.sentence(Language::En).contains(en), "{cause:?}");
            assert!(passport.sentence(Language::Zh).contains(zh), "{cause:?}");
        }
    }

    #[test]
    fn what_was_not_all_read_is_called_neither_complete_nor_absent() {
        for state in [State::Consistent, State::ConsistentSeen, State::Unknown] {
            let mut passport = of(state);
            passport.proof.is_cut = true;
            for (language, word) in
                [(Language::En, "there are more"), (Language::Zh, "更多记录未读取")]
            {
                let sentence = passport.sentence(language);
                assert!(sentence.contains(word), "{state:?}: {sentence}");
                assert!(!sentence.contains("invented") && !sentence.contains("编造"));
            }
        }
    }

    #[test]
    fn what_has_no_record_is_called_by_what_it_is() {
        for (sort, en, zh) in [
            (Sort::Item, "item", "此件产品"),
            (Sort::Lot, "lot", "此批次"),
            (Sort::Class, "product", "此类产品"),
            (Sort::Unit, "shipping unit", "物流单元"),
            (Sort::Place, "place or party", "地点或机构"),
            (Sort::Document, "document", "此单证"),
            (Sort::Coupon, "coupon", "此优惠券"),
            (Sort::Relation, "service relation", "此服务关系"),
            (Sort::Other, "goods", "此物品"),
        ] {
            let passport = Passport { sort: Some(sort), ..of(State::Unknown) };
            assert!(passport.word(Language::En).ends_with(en), "{sort:?}");
            assert!(passport.word(Language::Zh).contains(zh), "{sort:?}");
            let is_of_items = passport.sentence(Language::En).contains("item");
            assert_eq!(is_of_items, sort == Sort::Item, "{sort:?}");
        }
    }

    #[test]
    fn nobody_is_called_the_maker() {
        let inactive = Some(Inactive { others_are_active: true, is_seen: true });
        for state in State::ALL {
            for is_scrapped in [false, true] {
                let passport = Passport { is_scrapped, inactive, ..of(state) };
                for language in [Language::En, Language::Zh] {
                    let said = passport.sentence(language);
                    assert!(!said.contains("maker") && !said.contains("厂家"), "{said}");
                }
            }
        }
    }
}
