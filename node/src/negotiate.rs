//! What a client would rather have: the lists of `Accept` and its like (RFC 9110, section 12).
//!
//! Invariants: weights are whole thousandths, never floats; what cannot be read counts as not said;
//! of a list so many members are looked at and no more.

/// Most members of a list that are looked at: browsers send ten.
const MEMBERS_MAX: usize = 32;
/// The weight of what is named without one, in thousandths.
const WEIGHT_MAX: u16 = 1000;

/// The members of a list, each in small letters, without parameters, and its weight in thousandths.
pub(crate) fn members(list: &str) -> impl Iterator<Item = (String, u16)> + '_ {
    list.split(',').take(MEMBERS_MAX).filter_map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
        let weight = parts.find_map(|part| match part.split_once('=') {
            Some((key, value)) if key.trim_end().eq_ignore_ascii_case("q") => Some(value.trim()),
            _ => None,
        });
        Some((name, weight.map_or(Some(WEIGHT_MAX), parsed)?))
    })
}

/// `0.85` in thousandths.
fn parsed(weight: &str) -> Option<u16> {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    let is_short = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let part: u16 = format!("{part:0<3}").parse().ok().filter(|_| is_short)?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(WEIGHT_MAX),
        _ => None,
    }
}

/// The offer that an `Accept` header prefers, none if it takes none of them.
///
/// What it says of the type itself goes before what it says of ranges (`text/*`, `*/*`). Of equal
/// weight what it names goes first, then what stands first in `offered`: clients write what they
/// want and let `*/*` follow. An empty header takes anything.
pub(crate) fn best<T: Copy>(accept: &str, offered: &[(&str, T)]) -> Option<T> {
    if accept.trim().is_empty() {
        return offered.first().map(|(_, offer)| *offer);
    }
    let members: Vec<_> = members(accept).collect();
    let mut best: Option<((u16, u8), T)> = None;
    for (kind, offer) in offered {
        let range = kind.split('/').next().map(|first| format!("{first}/*"));
        let named = |name: &str| match name {
            "*/*" => Some(0),
            name if Some(name) == range.as_deref() => Some(1),
            name if name == *kind => Some(2),
            _ => None,
        };
        let said = members.iter().filter_map(|(name, weight)| Some((named(name)?, *weight)));
        let Some((how, weight)) = said.max().filter(|(_, weight)| 0 < *weight) else { continue };
        if best.is_none_or(|(most, _)| most < (weight, how)) {
            best = Some(((weight, how), *offer));
        }
    }
    best.map(|(_, offer)| offer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_as_the_standard_writes_them() {
        for (weight, expected) in [
            ("1", Some(1000)),
            ("1.000", Some(1000)),
            ("0", Some(0)),
            ("0.", Some(0)),
            ("0.5", Some(500)),
            ("0.123", Some(123)),
            ("0.1234", None),
            ("1.001", None),
            ("2", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("", None),
            ("0.+1", None),
        ] {
            assert_eq!(parsed(weight), expected, "{weight}");
        }
    }

    #[test]
    fn members_are_names_and_weights_and_what_cannot_be_read_is_not_said() {
        let read: Vec<_> = members("Text/HTML ;level=1; Q=0.7,, zh , en;q=x, *;q = 0.1").collect();
        let expected = [("text/html", 700), ("zh", 1000), ("*", 100)];
        assert_eq!(read, expected.map(|(name, weight)| (name.to_owned(), weight)));
        let many = "a,".repeat(1000);
        assert_eq!(members(&many).count(), MEMBERS_MAX);
    }

    #[test]
    fn the_better_offer_is_what_the_header_says_of_it_and_then_what_stands_first() {
        let offered = [("text/html", 'h'), ("application/json", 'j'), ("application/cbor", 'c')];
        for (accept, expected) in [
            ("", Some('h')),
            ("*/*", Some('h')),
            ("application/*", Some('j')),
            ("application/json, */*", Some('j')),
            ("application/json;q=0.5, */*;q=0.8", Some('h')),
            ("text/html;q=0, */*", Some('j')),
            ("application/*;q=0.9, application/json;q=0.1", Some('c')),
            ("*/*;q=0", None),
            ("image/png", None),
            ("json", None),
        ] {
            assert_eq!(best(accept, &offered), expected, "{accept}");
        }
    }
}
