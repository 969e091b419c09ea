//! Periods, found by overlap: a balanced tree that lies in a sorted list.

use hallmark_schemas::time::Timestamp;

/// From, until before, and whose it is.
type Span = (Timestamp, Timestamp, usize);

/// Many periods.
#[derive(Default)]
pub(super) struct Spans {
    /// By their begin. The middle of a stretch of them is the root of it, its halves are what is below.
    sorted: Vec<Span>,
    /// The latest end of the stretch of which the period at this place is the root.
    reach: Vec<Timestamp>,
}

impl FromIterator<Span> for Spans {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Spans {
        let mut sorted: Vec<Span> = spans.into_iter().collect();
        sorted.sort_unstable();
        let mut reach = vec![Timestamp::EPOCH; sorted.len()];
        reach_of(&sorted, &mut reach);
        Spans { sorted, reach }
    }
}

fn reach_of(sorted: &[Span], reach: &mut [Timestamp]) -> Option<Timestamp> {
    let mid = sorted.len() / 2;
    let own = sorted.get(mid)?.1;
    let (left, rest) = reach.split_at_mut(mid);
    let (root, right) = rest.split_first_mut()?;
    let below = [reach_of(&sorted[..mid], left), reach_of(&sorted[mid + 1..], right)];
    *root = below.into_iter().flatten().fold(own, Timestamp::max);
    Some(*root)
}

impl Spans {
    /// Adds whose periods overlap this one, in the order of their begins, until there are `max`.
    pub(super) fn overlapping(
        &self,
        (start, end): (Timestamp, Timestamp),
        max: usize,
        found: &mut Vec<usize>,
    ) {
        self.look(0..self.sorted.len(), (start, end), max, found);
    }

    fn look(
        &self,
        stretch: std::ops::Range<usize>,
        (start, end): (Timestamp, Timestamp),
        max: usize,
        found: &mut Vec<usize>,
    ) {
        let mid = stretch.start + stretch.len() / 2;
        if stretch.is_empty() || self.reach[mid] <= start || max <= found.len() {
            return;
        }
        self.look(stretch.start..mid, (start, end), max, found);
        let (from, to, whose) = self.sorted[mid];
        if end <= from {
            return;
        }
        if start < to && found.len() < max {
            found.push(whose);
        }
        self.look(mid + 1..stretch.end, (start, end), max, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_overlaps_is_found_in_order(
            spans in proptest::collection::vec((0_i64..50, 1_i64..20), 0..40),
            (from, length) in (0_i64..60, 1_i64..20),
            max in 0_usize..50,
        ) {
            let at = |ms: i64| Timestamp::EPOCH.checked_add_ms(ms).unwrap();
            let all: Vec<Span> = spans.iter().enumerate()
                .map(|(whose, (from, length))| (at(*from), at(from + length), whose)).collect();
            let (start, end) = (at(from), at(from + length));
            let mut expected: Vec<Span> = all.clone();
            expected.sort_unstable();
            expected.retain(|(from, to, _)| *from < end && start < *to);
            let expected: Vec<usize> = expected.into_iter().map(|(_, _, one)| one).take(max).collect();
            let mut found = Vec::new();
            Spans::from_iter(all).overlapping((start, end), max, &mut found);
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
