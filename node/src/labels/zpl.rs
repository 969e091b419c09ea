//! A label in ZPL II: the printer draws the symbol itself.
//!
//! Invariants: sizes are for 203 dots an inch, 8 a millimetre; values of AIs and URLs hold neither
//! `^` nor `~`, so no data can become a command, nor the character that escapes within ^BX; ^BC's
//! own escape is escaped where the data holds it.

use std::fmt::Write as _;

use super::code128::{self, Piece, Set};
use super::drawing::{DOTS_PER_MM, Drawing, shape};
use super::item::{Item, is_fnc1};
use super::symbol::{Press, SymbolError, Symbology};

/// Dots of a printer of 203 dots an inch.
const PRINTER_DOTS_PER_MM: u32 = 8;
/// Dots of a drawing for one of the printer.
const REDUCE: u32 = DOTS_PER_MM / PRINTER_DOTS_PER_MM;
/// What begins an escape within ^BX. The manual doubles it where data holds it, not every printer
/// does: so one that no value of an AI holds, unlike the usual `_`.
const MATRIX_ESCAPE: char = '@';

/// The commands for one label.
pub fn zpl(press: &Press, item: &Item) -> Result<String, SymbolError> {
    let drawing = Drawing::of(press, item)?;
    let shape = shape(press.symbology());
    let module = shape.module / REDUCE;
    let x = drawing.bars.iter().map(|bar| bar.x).min().unwrap_or(0) / REDUCE;
    let y = drawing.bars.iter().map(|bar| bar.y).min().unwrap_or(0) / REDUCE;
    let (width, height) = (drawing.width / REDUCE, drawing.height / REDUCE);
    let mut text = format!("^XA\n^PW{width}\n^LL{height}\n^FO{x},{y}");
    let cannot = "writing to memory cannot fail";
    match press.symbology() {
        Symbology::Qr => {
            // Model 2, correction M, input A: the printer chooses the modes.
            writeln!(text, "^BQN,2,{module}^FDMA,{}^FS", item.link).expect(cannot);
        }
        Symbology::DataMatrix => {
            let data = matrix(&item.message());
            writeln!(text, "^BXN,{module},200,,,,{MATRIX_ESCAPE},1^FD{data}^FS").expect(cannot);
        }
        Symbology::Gs1128 => {
            let row = shape.row / REDUCE;
            let data = bars(&code128::plan(&item.message())?);
            writeln!(text, "^BY{module}^BCN,{row},N,N,N,N^FD{data}^FS").expect(cannot);
        }
    }
    for line in &drawing.lines {
        let (x, y) = (line.x / REDUCE, line.y / REDUCE);
        writeln!(text, "^FO{x},{y}^A0N,20,20^FD{}^FS", line.text).expect(cannot);
    }
    text.push_str("^XZ\n");
    Ok(text)
}

/// The element string for ^BX: `@1` is FNC1.
fn matrix(message: &str) -> String {
    let mut data = String::new();
    for c in message.chars() {
        match c {
            c if is_fnc1(c) => data.extend([MATRIX_ESCAPE, '1']),
            c => data.push(c),
        }
    }
    data
}

/// The planned symbols for ^BC in mode N, which takes each set as it is told.
fn bars(pieces: &[Piece]) -> String {
    let mut data = String::new();
    for piece in pieces {
        match piece {
            Piece::Start(Set::B) => data.push_str(">:"),
            Piece::Start(Set::C) => data.push_str(">;"),
            Piece::Switch(Set::B) => data.push_str(">6"),
            Piece::Switch(Set::C) => data.push_str(">5"),
            Piece::Fnc1 => data.push_str(">8"),
            Piece::Char(b'>') => data.push_str(">0"),
            Piece::Char(byte) => data.push(char::from(*byte)),
            Piece::Pair(pair) => write!(data, "{pair:02}").expect("writing to memory cannot fail"),
        }
    }
    data
}
