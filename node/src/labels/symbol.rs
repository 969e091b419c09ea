//! Symbols: what is dark, in modules.
//!
//! Invariants: all symbols of a run have one size, that of a label whose serial is all letters, so
//! that labels fit one grid; no symbol has its quiet zone yet.

use datamatrix::data::EncodationType;
use datamatrix::{DataMatrixBuilder, SymbolList, SymbolSize};
use qrcode::bits::Bits;
use qrcode::types::QrResult;
use qrcode::{Color, EcLevel, QrCode, Version};

use super::code128::{self, Code128Error};
use super::item::{Item, is_fnc1};

/// Largest QR version: 85 modules, 42.5 mm. An address may have some 250 characters then.
const VERSION_MAX: i16 = 17;
/// A smudge of 15 % is repaired.
const CORRECTION: EcLevel = EcLevel::M;
/// Largest DataMatrix, in modules: 24 mm.
const MATRIX_MODULES_MAX: usize = 48;
/// The group separator, which stands for FNC1 within GS1 DataMatrix.
const GROUP_SEPARATOR: char = '\u{1d}';

/// What is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Symbology {
    /// QR code with the Digital Link: any phone opens it.
    Qr,
    /// GS1 DataMatrix with the element string.
    DataMatrix,
    /// GS1-128 with the element string.
    Gs1128,
}

/// Why a label has no symbol.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SymbolError {
    /// Too much for the largest symbol.
    #[error("{0} characters do not fit into the largest QR code of a label")]
    Qr(usize),
    /// Too much for the largest symbol.
    #[error("{0} characters do not fit into the largest DataMatrix of a label")]
    DataMatrix(usize),
    /// No GS1-128.
    #[error(transparent)]
    Code128(#[from] Code128Error),
}

/// Rows of modules; true is dark.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grid {
    /// Modules of a row.
    pub width: usize,
    /// Row after row.
    pub dark: Vec<bool>,
}

/// Who turns a link into modules.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drawn {
    /// This program, in two modes.
    Here,
    /// A printer or another program, perhaps in one mode for all.
    Elsewhere,
}

/// Draws the symbols of one run.
#[derive(Clone, Copy, Debug)]
pub enum Press {
    /// Of one version.
    Qr(Version),
    /// Of one size.
    DataMatrix(SymbolSize),
    /// At most so many modules wide.
    Gs1128(u32),
}

impl Press {
    /// For a run in which no label is longer than `widest`, whose serial is all letters.
    pub fn new(symbology: Symbology, drawn: Drawn, widest: &Item) -> Result<Press, SymbolError> {
        Ok(match symbology {
            Symbology::Qr => Press::Qr(version(&widest.link, drawn)?),
            Symbology::DataMatrix => {
                // ASCII alone never takes fewer codewords than the best choice does.
                let ascii = DataMatrixBuilder::new().with_encodation_types(EncodationType::Ascii);
                Press::DataMatrix(gs1(ascii, widest, sizes())?.size)
            }
            Symbology::Gs1128 => {
                let pieces = code128::plan(&widest.message())?;
                Press::Gs1128(code128::width_of(pieces.len()))
            }
        })
    }

    /// Which symbology it draws.
    pub fn symbology(&self) -> Symbology {
        match self {
            Press::Qr(_) => Symbology::Qr,
            Press::DataMatrix(_) => Symbology::DataMatrix,
            Press::Gs1128(_) => Symbology::Gs1128,
        }
    }

    /// The symbol of one label.
    pub fn symbol(&self, item: &Item) -> Result<Grid, SymbolError> {
        match self {
            Press::Qr(version) => {
                let code = bits(*version, &item.link, Drawn::Here)
                    .or_else(|_| bits(*version, &item.link, Drawn::Elsewhere))
                    .and_then(|bits| QrCode::with_bits(bits, CORRECTION))
                    .map_err(|_| SymbolError::Qr(item.link.len()))?;
                let width = code.width();
                let dark = code.into_colors().into_iter().map(|color| color == Color::Dark);
                Ok(Grid { width, dark: dark.collect() })
            }
            Press::DataMatrix(size) => {
                let all = DataMatrixBuilder::new();
                let drawn = gs1(all, item, SymbolList::with_whitelist([*size]))?;
                let bitmap = drawn.bitmap();
                Ok(Grid { width: bitmap.width(), dark: bitmap.bits().to_vec() })
            }
            Press::Gs1128(_) => {
                let dark = code128::modules(&code128::plan(&item.message())?);
                Ok(Grid { width: dark.len(), dark })
            }
        }
    }

    /// Modules of the widest symbol of the run.
    pub fn width(&self, grid: &Grid) -> usize {
        match self {
            Press::Gs1128(width) => grid.width.max(*width as usize),
            Press::Qr(_) | Press::DataMatrix(_) => grid.width,
        }
    }
}

impl Grid {
    /// Number of rows.
    pub fn height(&self) -> usize {
        self.dark.len() / self.width.max(1)
    }

    /// Dark stretches of each row: row, first module, modules.
    pub fn runs(&self) -> Vec<(usize, usize, usize)> {
        let mut runs: Vec<(usize, usize, usize)> = Vec::new();
        for (place, _) in self.dark.iter().enumerate().filter(|(_, dark)| **dark) {
            let (row, column) = (place / self.width, place % self.width);
            match runs.last_mut() {
                Some((last, from, length)) if *last == row && *from + *length == column => {
                    *length += 1;
                }
                _ => runs.push((row, column, 1)),
            }
        }
        runs
    }
}

/// The smallest version that holds the link.
fn version(link: &str, drawn: Drawn) -> Result<Version, SymbolError> {
    let found = (1..=VERSION_MAX).map(Version::Normal).find(|one| bits(*one, link, drawn).is_ok());
    found.ok_or(SymbolError::Qr(link.len()))
}

/// The link as the bits of a symbol. Its end, from the last character on that the alphanumeric mode has
/// not, takes 5.5 bits a character there: so the length depends on the number of characters alone, and
/// no serial takes more than one that is all letters.
fn bits(version: Version, link: &str, drawn: Drawn) -> QrResult<Bits> {
    const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
    let bytes = link.as_bytes();
    let last = bytes.iter().rposition(|byte| !ALPHANUMERIC.contains(byte));
    let (begin, end) = match drawn {
        Drawn::Here => bytes.split_at(last.map_or(0, |last| last + 1)),
        Drawn::Elsewhere => (bytes, &[][..]),
    };
    let mut bits = Bits::new(version);
    if !begin.is_empty() {
        bits.push_byte_data(begin)?;
    }
    if !end.is_empty() {
        bits.push_alphanumeric_data(end)?;
    }
    bits.push_terminator(CORRECTION)?;
    Ok(bits)
}

/// Square sizes up to the largest.
fn sizes() -> SymbolList {
    SymbolList::default().enforce_square().enforce_width_in(..=MATRIX_MODULES_MAX)
}

/// FNC1 first, as a codeword; between elements the group separator, which readers transmit alike.
fn gs1(
    builder: DataMatrixBuilder,
    item: &Item,
    sizes: SymbolList,
) -> Result<datamatrix::DataMatrix, SymbolError> {
    let message = item.message();
    let data = message.strip_prefix(is_fnc1).unwrap_or(&message);
    let data = data.replace(is_fnc1, &GROUP_SEPARATOR.to_string());
    let builder = builder.with_symbol_list(sizes).with_macros(false).with_fnc1_start(true);
    builder.encode(data.as_bytes()).map_err(|_| SymbolError::DataMatrix(data.len()))
}

#[cfg(test)]
mod tests {
    use super::super::item::Template;
    use super::*;

    fn modules(host: &str, lot: Option<&str>, drawn: Drawn) -> usize {
        let template = Template::new("09521234000129", lot, host).unwrap();
        let widest = template.item(0, &"Z".repeat(20)).unwrap();
        let press = Press::new(Symbology::Qr, drawn, &widest).unwrap();
        press.symbol(&widest).unwrap().width
    }

    /// Drawn here, the code of an ordinary host fits a label of 33 modules, with its lot.
    #[test]
    fn what_an_address_takes_depends_on_who_draws_it_and_on_its_letters() {
        for (host, lot, drawn, expected) in [
            ("https://id.example.com", None, Drawn::Here, 33),
            ("https://id.example.com", Some("L7"), Drawn::Here, 33),
            ("https://id.example.com", None, Drawn::Elsewhere, 37),
            ("https://id.gs1.org", None, Drawn::Elsewhere, 33),
            ("https://id.example.com", Some("small-letters"), Drawn::Here, 37),
            ("HTTPS://ID.GS1.ORG", None, Drawn::Here, 29),
        ] {
            assert_eq!(modules(host, lot, drawn), expected, "{host} {lot:?} {drawn:?}");
        }
    }

    #[test]
    fn every_serial_of_a_run_fits_the_version_that_its_letters_take() {
        let serials = ["00000000000000000000", "A0000000000A00000000", "0A0A0A0A0A0A0A0A0A0A"];
        for stem in 0..60 {
            let host = format!("https://id.example.com/{}", "x".repeat(stem));
            let template = Template::new("09521234000129", None, &host).unwrap();
            let widest = template.item(0, &"Z".repeat(20)).unwrap();
            for drawn in [Drawn::Here, Drawn::Elsewhere] {
                let press = Press::new(Symbology::Qr, drawn, &widest).unwrap();
                let width = press.symbol(&widest).unwrap().width;
                for serial in serials {
                    let item = template.item(1, serial).unwrap();
                    assert_eq!(press.symbol(&item).unwrap().width, width, "{host} {serial}");
                }
            }
        }
    }
}
