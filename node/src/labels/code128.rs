//! GS1-128: an element string as the bars of Code 128 (ISO/IEC 15417).
//!
//! Invariants: FNC1 stands first; sets B and C only, which hold all characters of AI values; of
//! all ways to switch between them one with the fewest symbols is taken, so that a string whose
//! letters are replaced by digits never grows.
//!
//! Crates that draw Code 128 leave FNC1 or the choice of sets to the caller, hence by hand.

use super::item::is_fnc1;

/// Most characters of an element string, identifiers and inner separators counted.
pub const GS1_128_CHARS_MAX: usize = 48;
/// Blank modules that a scanner needs on each side.
pub const QUIET_MODULES: u32 = 10;

const CODE_C: u8 = 99;
const CODE_B: u8 = 100;
const FNC1: u8 = 102;
const START_B: u8 = 104;
const START_C: u8 = 105;
const STOP: u8 = 106;

/// Widths of bars and spaces in turn, of each symbol by its value; a bar first. Six digits each,
/// but seven for the stop.
const WIDTHS: [&str; 107] = [
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212",
    "221213", "221312", "231212", "112232", "122132", "122231", "113222", "123122", "123221",
    "223211", "221132", "221231", "213212", "223112", "312131", "311222", "321122", "321221",
    "312212", "322112", "322211", "212123", "212321", "232121", "111323", "131123", "131321",
    "112313", "132113", "132311", "211313", "231113", "231311", "112133", "112331", "132131",
    "113123", "113321", "133121", "313121", "211331", "231131", "213113", "213311", "213131",
    "311123", "311321", "331121", "312113", "312311", "332111", "314111", "221411", "431111",
    "111224", "111422", "121124", "121421", "141122", "141221", "112214", "112412", "122114",
    "122411", "142112", "142211", "241211", "221114", "413111", "241112", "134111", "111242",
    "121142", "121241", "114212", "124112", "124211", "411212", "421112", "421211", "212141",
    "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113", "411311",
    "113141", "114131", "311141", "411131", "211412", "211214", "211232", "2331112",
];

/// A set of characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Set {
    /// Printable ASCII.
    B,
    /// Pairs of digits.
    C,
}

/// One symbol before the check symbol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece {
    /// Begins in a set.
    Start(Set),
    /// Goes on in another set.
    Switch(Set),
    /// The separator.
    Fnc1,
    /// A character of set B.
    Char(u8),
    /// Two digits of set C, 0 to 99.
    Pair(u8),
}

impl Piece {
    fn value(self) -> u8 {
        match self {
            Piece::Start(Set::B) => START_B,
            Piece::Start(Set::C) => START_C,
            Piece::Switch(Set::B) => CODE_B,
            Piece::Switch(Set::C) => CODE_C,
            Piece::Fnc1 => FNC1,
            Piece::Char(byte) => byte - b' ',
            Piece::Pair(pair) => pair,
        }
    }
}

/// Why an element string is no GS1-128.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Code128Error {
    /// Over [`GS1_128_CHARS_MAX`].
    #[error("GS1-128 holds {GS1_128_CHARS_MAX} characters, this label has {0}")]
    TooLong(usize),
    /// Not printable ASCII.
    #[error("GS1-128 cannot hold {0:?}")]
    Char(char),
}

/// The way with the fewest symbols to write what follows a place, in each set.
#[derive(Clone, Copy)]
struct Rest {
    b: usize,
    c: usize,
}

/// Plans the symbols of an element string that begins with FNC1, as [`super::item::Item::message`]
/// writes it.
pub fn plan(message: &str) -> Result<Vec<Piece>, Code128Error> {
    let wrong = message.chars().find(|c| !c.is_ascii() || c.is_ascii_control());
    if let Some(c) = wrong {
        return Err(Code128Error::Char(c));
    }
    let bytes = message.as_bytes();
    let length = bytes.len().saturating_sub(1);
    if GS1_128_CHARS_MAX < length {
        return Err(Code128Error::TooLong(length));
    }
    let rests = rests(bytes);
    let mut set = if rests[0].b < rests[0].c { Set::B } else { Set::C };
    let mut pieces = vec![Piece::Start(set)];
    let mut at = 0;
    while at < bytes.len() {
        let stay = cost_of(bytes, &rests, at, set);
        let other = if set == Set::B { Set::C } else { Set::B };
        if cost_of(bytes, &rests, at, other).saturating_add(1) < stay {
            set = other;
            pieces.push(Piece::Switch(set));
        }
        let (piece, taken) = match (set, pair(bytes, at)) {
            _ if is_fnc1(char::from(bytes[at])) => (Piece::Fnc1, 1),
            (Set::C, Some(pair)) => (Piece::Pair(pair), 2),
            _ => (Piece::Char(bytes[at]), 1),
        };
        pieces.push(piece);
        at += taken;
    }
    Ok(pieces)
}

/// For every place, from the end: the fewest symbols for the rest, switches counted.
fn rests(bytes: &[u8]) -> Vec<Rest> {
    let mut rests = vec![Rest { b: 0, c: 0 }; bytes.len() + 1];
    for at in (0..bytes.len()).rev() {
        let b = cost_of(bytes, &rests, at, Set::B);
        let c = cost_of(bytes, &rests, at, Set::C);
        rests[at] = Rest { b: b.min(c.saturating_add(1)), c: c.min(b.saturating_add(1)) };
    }
    rests
}

/// Symbols for the rest where the next one is of this set, without a switch before it.
fn cost_of(bytes: &[u8], rests: &[Rest], at: usize, set: Set) -> usize {
    let is_separator = is_fnc1(char::from(bytes[at]));
    match (set, pair(bytes, at)) {
        (Set::B, _) => rests[at + 1].b + 1,
        (Set::C, _) if is_separator => rests[at + 1].c + 1,
        (Set::C, Some(_)) => rests[at + 2].c + 1,
        (Set::C, None) => usize::MAX,
    }
}

fn pair(bytes: &[u8], at: usize) -> Option<u8> {
    let pair = bytes.get(at..at + 2)?;
    let is_pair = pair.iter().all(u8::is_ascii_digit);
    is_pair.then(|| (pair[0] - b'0') * 10 + (pair[1] - b'0'))
}

/// The modules of the symbols with check symbol and stop; true is a bar. No quiet zone.
pub fn modules(pieces: &[Piece]) -> Vec<bool> {
    let values = pieces.iter().map(|piece| piece.value());
    let weighted = values.clone().enumerate().map(|(at, value)| at.max(1) * usize::from(value));
    let check = (weighted.sum::<usize>() % 103) as u8; // below 103
    let mut modules = Vec::new();
    for value in values.chain([check, STOP]) {
        for (index, width) in WIDTHS[usize::from(value)].bytes().enumerate() {
            modules.extend((b'0'..width).map(|_| index % 2 == 0));
        }
    }
    modules
}

/// Modules of this many symbols with check symbol and stop.
pub fn width_of(pieces: usize) -> u32 {
    (pieces as u32 + 2) * 11 + 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_symbol_is_eleven_modules_wide_and_unlike_the_others() {
        let (stop, others) = WIDTHS.split_last().unwrap();
        let sum = |widths: &str| widths.bytes().map(|b| u32::from(b - b'0')).sum::<u32>();
        assert!(others.iter().all(|widths| widths.len() == 6 && sum(widths) == 11));
        assert_eq!((stop.len(), sum(stop)), (7, 13));
        let distinct: std::collections::BTreeSet<_> = WIDTHS.iter().collect();
        assert_eq!(distinct.len(), 107);
        // Bars of a symbol sum to an even number: that is how a scanner tells a misread edge.
        let bars = |widths: &str| widths.bytes().step_by(2).map(|b| b - b'0').sum::<u8>();
        assert!(others.iter().all(|widths| bars(widths).is_multiple_of(2)));
    }

    #[test]
    fn digits_go_in_pairs_and_letters_one_by_one() {
        use Piece::{Char, Fnc1, Pair, Start, Switch};
        let found = plan("^0195AB").unwrap();
        assert_eq!(
            found,
            [Start(Set::C), Fnc1, Pair(1), Pair(95), Switch(Set::B), Char(b'A'), Char(b'B')]
        );
        // Four digits between letters are not worth two switches and two pairs: as long in B.
        assert_eq!(plan("^A1234B").unwrap().len(), 8);
        assert_eq!(plan("^A123456B").unwrap().len(), 9);
    }

    #[test]
    fn the_check_symbol_is_that_of_the_standard_example() {
        // Start B, "PJJ123C": the known check value is 54.
        let pieces: Vec<Piece> = std::iter::once(Piece::Start(Set::B))
            .chain(b"PJJ123C".iter().map(|b| Piece::Char(*b)))
            .collect();
        let modules = modules(&pieces);
        let check = &modules[8 * 11..9 * 11];
        let mut wanted = Vec::new();
        for (index, width) in WIDTHS[54].bytes().enumerate() {
            wanted.extend((b'0'..width).map(|_| index % 2 == 0));
        }
        assert_eq!(check, wanted);
        assert_eq!(modules.len(), width_of(8) as usize);
    }

    #[test]
    fn what_it_cannot_hold_is_refused() {
        assert_eq!(plan(&format!("^{}", "1".repeat(49))), Err(Code128Error::TooLong(49)));
        assert!(plan(&format!("^{}", "1".repeat(48))).is_ok());
        assert_eq!(plan("^é"), Err(Code128Error::Char('é')));
        assert_eq!(plan("^\u{1d}"), Err(Code128Error::Char('\u{1d}')));
    }

    proptest! {
        #[test]
        fn a_plan_says_its_message_and_digits_never_make_it_longer(message in "[0-9A-Z^]{0,30}") {
            let message = format!("^{message}");
            let pieces = plan(&message).unwrap();
            let mut text = String::new();
            for piece in &pieces {
                match piece {
                    Piece::Start(_) | Piece::Switch(_) => {}
                    Piece::Fnc1 => text.push('^'),
                    Piece::Char(byte) => text.push(char::from(*byte)),
                    Piece::Pair(pair) => text.push_str(&format!("{pair:02}")),
                }
            }
            prop_assert_eq!(&text, &message);
            let letters = message.replace(|c: char| c.is_ascii_digit(), "Z");
            prop_assert!(pieces.len() <= plan(&letters).unwrap().len());
        }
    }
}
