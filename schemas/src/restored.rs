//! DATA/restored: which checkpoints of a log were lost for good.
//!
//! A line `<from> <to>` for each time that the log was made whole again: checkpoints of the sizes
//! from `from` to before `to` that are in no history were held by nobody who was asked. Entries
//! under them are dated by later checkpoints, which makes their interval wider and never wrong.

use std::ops::Range;

/// Most lines that are read.
pub const LINES_MAX: usize = 4096;

/// The ranges of sizes; `None` if it is no such file.
pub fn parse(bytes: &[u8]) -> Option<Vec<Range<u64>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let lines = text.strip_suffix('\n')?.split('\n');
    let mut ranges = Vec::new();
    for line in lines {
        let (from, to) = line.split_once(' ')?;
        let range = plain(from)?..plain(to)?;
        if range.end <= range.start || LINES_MAX <= ranges.len() {
            return None;
        }
        ranges.push(range);
    }
    Some(ranges)
}

/// The file's bytes.
pub fn encode(ranges: &[Range<u64>]) -> String {
    ranges.iter().map(|range| format!("{} {}\n", range.start, range.end)).collect()
}

/// A number as it is written: digits, no leading zero.
fn plain(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let ranges = [0..7, 9..12];
        assert_eq!(parse(encode(&ranges).as_bytes()).as_deref(), Some(&ranges[..]));
        for wrong in ["", "1 2", "2 1\n", "1 1\n", "01 2\n", "1 2\n\n", "+1 2\n", "1  2\n", "1\n"] {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong:?}");
        }
        assert_eq!(parse("1 2\n".repeat(LINES_MAX + 1).as_bytes()), None);
    }
}
