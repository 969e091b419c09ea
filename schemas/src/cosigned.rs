//! The file in which a witness notes which logs it ever cosigned: `head/witness/known`.
//!
//! A line says of one log, by the hex SHA-256 of its origin, that it was cosigned, or that what is
//! remembered of it may be old. Invariant: what is read is what would be written.

use crate::hex;

const TITLE: &str = "hallmark witness memory 1";
const COSIGNED: &str = "cosigned ";
const DOUBTED: &str = "doubted ";

/// The name of the file, beside the checkpoints, which are named by 64 digits.
pub const NAME: &str = "known";
/// Stands for every log of other networks. It can only be in doubt.
pub const STRANGERS: &str = "*";

/// Each log with whether what is remembered of it may be old; `None` if it is no such file.
pub fn parse(bytes: &[u8]) -> Option<Vec<(String, bool)>> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let mut lines = text.split('\n');
    if lines.next() != Some(TITLE) {
        return None;
    }
    let line = |line: &str| {
        let (name, is_doubted) = match line.strip_prefix(COSIGNED) {
            Some(name) => (name, false),
            None => (line.strip_prefix(DOUBTED)?, true),
        };
        let is_name = hex::decode_array::<32>(name).is_some();
        (is_name || (name == STRANGERS && is_doubted)).then(|| (name.to_owned(), is_doubted))
    };
    lines.map(line).collect()
}

/// The file of these logs.
pub fn encode<'a>(logs: impl IntoIterator<Item = (&'a str, bool)>) -> String {
    let mut text = format!("{TITLE}\n");
    for (name, is_doubted) in logs {
        text += if is_doubted { DOUBTED } else { COSIGNED };
        text += name;
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_other_texts_are_refused() {
        let one = "ab".repeat(32);
        let logs = [(one.clone(), false), ("cd".repeat(32), true), (STRANGERS.to_owned(), true)];
        let text = encode(logs.iter().map(|(name, is_doubted)| (name.as_str(), *is_doubted)));
        assert_eq!(parse(text.as_bytes()), Some(logs.to_vec()));
        assert_eq!(parse(encode([]).as_bytes()), Some(Vec::new()));
        let cut = &text[..text.len() - 1];
        for wrong in
            ["", "x", cut, &text.replace(&one, "ab"), &text.replace("cosigned", "Cosigned")]
        {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(parse(encode([(STRANGERS, false)]).as_bytes()), None);
    }
}
