//! What the script and `hallmark-verify` say of the same altered bundle: the same, step by step.

use super::*;

/// A bundle cut into its header and its items, but for the end.
struct Cut {
    header: Vec<u8>,
    items: Vec<Vec<u8>>,
}

impl Cut {
    fn of(bundle: &[u8]) -> Cut {
        let (mut reader, mut at) = (Reader::default(), 0);
        let mut cut = Cut { header: Vec::new(), items: Vec::new() };
        while let Some((piece, length)) = reader.next(&bundle[at..]).expect("a good bundle") {
            let bytes = bundle[at..at + length].to_vec();
            match piece {
                Piece::Header(_) => cut.header = bytes,
                Piece::Item(Item::End { .. }) => {}
                Piece::Item(_) => cut.items.push(bytes),
            }
            at += length;
        }
        cut
    }

    /// Of these items, with an end that counts them.
    fn with(&self, items: &[Vec<u8>]) -> Vec<u8> {
        let end = Item::End { items: items.len() as u64 }.encode();
        [self.header.clone(), items.concat(), end].concat()
    }

    /// Every way to leave out, move, repeat or change one item, or two.
    fn altered(&self, random: &mut fastrand::Rng) -> Vec<(String, Vec<u8>)> {
        let count = self.items.len();
        let mut all = Vec::new();
        for one in 0..count {
            let mut without = self.items.clone();
            without.remove(one);
            all.push((format!("without {one}"), self.with(&without)));
            for other in 0..without.len() {
                let mut less = without.clone();
                less.remove(other);
                all.push((format!("without {one} and then {other}"), self.with(&less)));
            }
            for other in one + 1..count {
                let mut swapped = self.items.clone();
                swapped.swap(one, other);
                all.push((format!("{one} and {other} swapped"), self.with(&swapped)));
            }
            for place in [one, count] {
                let mut twice = self.items.clone();
                twice.insert(place, self.items[one].clone());
                all.push((format!("{one} again at {place}"), self.with(&twice)));
            }
            let length = self.items[one].len();
            let inside: Vec<_> = (0..6).map(|_| random.usize(0..length)).collect();
            for at in [0, 1, 2, 3, length - 1].into_iter().chain(inside) {
                let mut changed = self.items.clone();
                changed[one][at] ^= 1 << random.u8(0..8);
                all.push((format!("byte {at} of {one} changed"), self.with(&changed)));
            }
            let mut begin = [self.header.clone(), self.items[..one].concat()].concat();
            all.push((format!("cut before {one}"), begin.clone()));
            begin.extend(&self.items[one][..length / 2]);
            all.push((format!("cut in {one}"), begin));
        }
        let whole = self.with(&self.items);
        let end = Item::End { items: 0 }.encode().len();
        for at in whole.len() - end..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1 << random.u8(0..8);
            all.push((format!("byte {at} of the end changed"), changed));
        }
        for _ in 0..12 {
            let mut changed = self.with(&self.items);
            let at = random.usize(0..self.header.len());
            changed[at] ^= 1 << random.u8(0..8);
            all.push((format!("byte {at} of the header changed"), changed));
        }
        all
    }
}

/// Types that the script leaves to `hallmark-verify`: foreign statements, and proofs about others.
fn holds_other_items(bundle: &[u8]) -> bool {
    let head = |at: usize| bundle[at] == 0x82 && matches!(bundle[at + 1], 0 | 1 | 6 | 8);
    (0..bundle.len() - 1).any(head)
}

#[test]
fn what_is_left_out_moved_repeated_or_changed_has_the_same_verdict_in_both() {
    let judge = Judge::new();
    let cases = passport::cases();
    let mut random = fastrand::Rng::with_seed(11);
    let mut seen = std::collections::BTreeMap::<&str, u32>::new();
    for case in cases.iter().filter(|case| case.verdict != Verdict::Broken) {
        let altered = Cut::of(&case.bytes).altered(&mut random);
        let bundles: Vec<_> = altered.iter().map(|(_, bundle)| bundle.clone()).collect();
        let Some(answers) = verdicts("webcrypto", &bundles, &[]) else { return };
        for ((what, bundle), answer) in altered.iter().zip(&answers) {
            let name = format!("{}, {what}", case.name);
            if answer[4] == "items" {
                assert!(holds_other_items(bundle), "{name}: {answer}");
                continue;
            }
            let exit = same(&name, bundle, &judge, answer);
            *seen.entry(word(exit)).or_default() += 1;
        }
    }
    println!("{seen:?}");
    assert!(seen.values().all(|count| 20 < *count) && seen.len() == 4, "{seen:?}");
}
