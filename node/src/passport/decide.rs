//! Which state the facts give: a pure function.
//!
//! Invariants: no clock, no store; the strongest state that holds wins, in the order of
//! [`State::ALL`]; a fact that is not there accuses nobody.

use super::State;

/// What the maker's label orders say of a serial.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Issuance {
    /// Nothing: the serials are not ours to tell, or there are no orders.
    #[default]
    Untold,
    /// It was made under an order.
    Issued,
    /// No order made it.
    Never,
    /// It was made and then scrapped: it should be on no goods.
    Scrapped,
}

/// What was established about a code before its state is decided.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// The path is a valid code.
    pub is_readable: bool,
    /// Some record of this network speaks of the code or of its class.
    pub is_known: bool,
    /// Records of the code itself from its maker, or from anyone where no maker is known; damaged
    /// ones too where they may be such.
    pub records: usize,
    /// What label orders say.
    pub issuance: Issuance,
    /// Whether label orders leave it to the node of whoever made them to tell.
    pub is_told_elsewhere: bool,
    /// Records whose digest, signature, key or inclusion does not hold.
    pub damaged: usize,
    /// Recalls in force.
    pub recalls: usize,
    /// Certificates that were pulled and not followed by one in force.
    pub certificates_withdrawn: usize,
    /// Certificates past their date and not followed by one in force.
    pub certificates_expired: usize,
    /// Open findings that say the code was copied.
    pub copy_findings: usize,
    /// Other open findings.
    pub other_findings: usize,
    /// Buyers' confirmations.
    pub confirmations: usize,
    /// As many confirmations are innocent.
    pub confirmations_max: usize,
    /// Causes for which a confirmation cannot be of the goods that the records tell of.
    pub impossible: usize,
    /// Parts of the print that the records contradict.
    pub contradictions: usize,
    /// Its label was made, others of the kind were put on goods, this one was not, and the code was
    /// seen or bought all the same.
    pub is_inactive_seen: bool,
    /// Organisations that are each said to make the goods, where descriptions differ.
    pub maker_claims: usize,
    /// Records that the goods are known by and of which it is in doubt who signed them.
    pub doubted: usize,
    /// What is held is older than the policy allows.
    pub is_stale: bool,
}

/// The state that the facts give.
pub fn decide(facts: &Facts) -> State {
    let state = State::ALL.into_iter().find(|state| holds(*state, facts));
    state.unwrap_or(State::Consistent)
}

impl Facts {
    /// Whether whoever issues such codes speaks of this one.
    pub fn is_vouched_for(&self) -> bool {
        0 < self.records || matches!(self.issuance, Issuance::Issued | Issuance::Scrapped)
    }

    /// Whether the records cannot all be of one item.
    fn is_of_many(&self) -> bool {
        0 < self.copy_findings || self.confirmations_max < self.confirmations || 0 < self.impossible
    }
}

/// Whether this state holds, whatever else does.
fn holds(state: State, facts: &Facts) -> bool {
    match state {
        State::Unreadable => !facts.is_readable,
        State::Foreign => !facts.is_known,
        // Where this node cannot tell whether the code was issued, it tells what it can: that it
        // is on more than one thing.
        State::Unknown => {
            let is_told = facts.is_told_elsewhere && facts.is_of_many();
            !facts.is_vouched_for() && !is_told
        }
        State::Broken => 0 < facts.damaged,
        State::Recalled => 0 < facts.recalls,
        State::Withdrawn => 0 < facts.certificates_withdrawn,
        State::Expired => 0 < facts.certificates_expired,
        State::CopySuspected => {
            facts.is_of_many()
                || facts.issuance == Issuance::Scrapped
                || 0 < facts.contradictions
                || facts.is_inactive_seen
        }
        State::Disputed => 0 < facts.other_findings || 1 < facts.maker_claims || 0 < facts.doubted,
        State::Stale => facts.is_stale,
        State::ConsistentSeen => 0 < facts.confirmations,
        State::Consistent => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facts of a code about which all is well.
    fn well() -> Facts {
        Facts {
            is_readable: true,
            is_known: true,
            records: 3,
            issuance: Issuance::Issued,
            confirmations_max: 1,
            ..Facts::default()
        }
    }

    /// Makes a state hold, and as little else as possible.
    fn cause(state: State, facts: &mut Facts) {
        match state {
            State::Unreadable => facts.is_readable = false,
            State::Foreign => {
                facts.is_known = false;
                facts.records = 0;
                facts.issuance = Issuance::Untold;
            }
            State::Unknown => {
                facts.records = 0;
                facts.issuance = Issuance::Never;
            }
            State::Broken => facts.damaged = 1,
            State::Recalled => facts.recalls = 1,
            State::Withdrawn => facts.certificates_withdrawn = 1,
            State::Expired => facts.certificates_expired = 1,
            State::CopySuspected => facts.copy_findings = 1,
            State::Disputed => facts.other_findings = 1,
            State::Stale => facts.is_stale = true,
            State::ConsistentSeen => facts.confirmations = facts.confirmations.max(1),
            State::Consistent => {}
        }
    }

    #[test]
    fn each_state_is_reached_by_its_cause_alone() {
        for state in State::ALL {
            let mut facts = well();
            cause(state, &mut facts);
            assert_eq!(decide(&facts), state, "{facts:?}");
        }
    }

    #[test]
    fn of_every_two_causes_the_stronger_state_wins() {
        for stronger in State::ALL {
            for weaker in State::ALL.into_iter().filter(|weaker| stronger < *weaker) {
                let mut facts = well();
                cause(weaker, &mut facts);
                cause(stronger, &mut facts);
                assert_eq!(decide(&facts), stronger, "{stronger:?} over {weaker:?}: {facts:?}");
            }
        }
    }

    #[test]
    fn confirmations_turn_suspicious_only_over_their_number() {
        for (confirmations, max, expected) in [
            (0, 1, State::Consistent),
            (1, 1, State::ConsistentSeen),
            (2, 1, State::CopySuspected),
            (2, 2, State::ConsistentSeen),
            (3, 2, State::CopySuspected),
        ] {
            let facts = Facts { confirmations, confirmations_max: max, ..well() };
            assert_eq!(decide(&facts), expected, "{confirmations} of {max}");
        }
    }

    #[test]
    fn one_confirmation_is_enough_where_the_records_rule_it_out() {
        let facts = Facts { confirmations: 1, impossible: 1, ..well() };
        assert_eq!(decide(&facts), State::CopySuspected);
        assert_eq!(decide(&Facts { recalls: 1, ..facts.clone() }), State::Recalled);
        assert_eq!(decide(&Facts { impossible: 0, ..facts }), State::ConsistentSeen);
    }

    #[test]
    fn a_print_that_the_records_contradict_may_be_a_copys() {
        let facts = Facts { contradictions: 1, ..well() };
        assert_eq!(decide(&facts), State::CopySuspected);
        assert_eq!(decide(&Facts { recalls: 1, ..facts.clone() }), State::Recalled);
        assert_eq!(decide(&Facts { damaged: 1, ..facts }), State::Broken);
    }

    #[test]
    fn a_label_that_nobody_put_on_goods_may_be_misused_once_its_code_is_seen() {
        let facts = Facts { is_inactive_seen: true, ..well() };
        assert_eq!(decide(&facts), State::CopySuspected);
        assert_eq!(decide(&Facts { certificates_expired: 1, ..facts }), State::Expired);
    }

    #[test]
    fn several_makers_are_a_question_that_is_open() {
        for (maker_claims, expected) in
            [(0, State::Consistent), (1, State::Consistent), (2, State::Disputed)]
        {
            assert_eq!(decide(&Facts { maker_claims, ..well() }), expected);
        }
    }

    #[test]
    fn records_of_a_revoked_key_carry_no_calm_answer() {
        assert_eq!(decide(&Facts { doubted: 1, ..well() }), State::Disputed);
        assert_eq!(decide(&Facts { doubted: 1, recalls: 1, ..well() }), State::Recalled);
    }

    #[test]
    fn what_only_another_node_can_tell_is_a_possible_copy_where_its_records_are_of_many() {
        let of = |copy_findings, confirmations, is_told_elsewhere, issuance| Facts {
            records: 0,
            copy_findings,
            confirmations,
            is_told_elsewhere,
            issuance,
            ..well()
        };
        for (facts, expected) in [
            (of(0, 0, true, Issuance::Untold), State::Unknown),
            (of(0, 1, true, Issuance::Untold), State::Unknown),
            (of(1, 0, true, Issuance::Untold), State::CopySuspected),
            (of(0, 2, true, Issuance::Untold), State::CopySuspected),
            // What is known to be invented is called so, whatever others record of it.
            (of(1, 2, false, Issuance::Never), State::Unknown),
            (of(1, 2, false, Issuance::Untold), State::Unknown),
        ] {
            assert_eq!(decide(&facts), expected, "{facts:?}");
            assert!(!facts.is_vouched_for());
        }
    }

    #[test]
    fn what_label_orders_say_decides_between_unknown_and_known() {
        for (records, issuance, expected) in [
            (0, Issuance::Untold, State::Unknown),
            (0, Issuance::Never, State::Unknown),
            (0, Issuance::Issued, State::Consistent),
            (0, Issuance::Scrapped, State::CopySuspected),
            (1, Issuance::Untold, State::Consistent),
            (1, Issuance::Scrapped, State::CopySuspected),
        ] {
            let facts = Facts { records, issuance, ..well() };
            assert_eq!(decide(&facts), expected, "{records} records, {issuance:?}");
        }
    }
}
