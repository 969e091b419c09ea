//! A label as black rectangles and lines of text, in whole dots of 1/16 mm.
//!
//! Invariants: around the symbol lies the quiet zone that its symbology demands; all labels of a
//! run have one size; text stands below, one character a cell.

use super::item::Item;
use super::symbol::{Press, SymbolError, Symbology};

/// Dots of a millimetre.
pub const DOTS_PER_MM: u32 = 16;
/// Width of a character, 1.5 mm, and the height of its cell.
pub const CELL: u32 = 24;
/// From one line of text to the next.
const PITCH: u32 = 44;
/// Between the quiet zone and the first line: capitals rise a little over their cells.
const GAP: u32 = 8;
/// Blank dots around everything.
const MARGIN: u32 = 16;

/// A black rectangle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bar {
    /// Dots from the left edge.
    pub x: u32,
    /// Dots from the upper edge.
    pub y: u32,
    /// Dots wide.
    pub width: u32,
    /// Dots high.
    pub height: u32,
}

/// A line of text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// Dots from the left edge to the first cell.
    pub x: u32,
    /// Dots from the upper edge to the top of the cells.
    pub y: u32,
    /// Printable ASCII.
    pub text: String,
}

/// A label.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Drawing {
    /// Dots wide.
    pub width: u32,
    /// Dots high.
    pub height: u32,
    /// What is black.
    pub bars: Vec<Bar>,
    /// What people read.
    pub lines: Vec<Line>,
}

/// How a symbology is drawn, in dots and modules.
pub(super) struct Shape {
    /// Side of a module: 0.5 mm for a phone, 0.25 mm for the bars of a line scanner.
    pub(super) module: u32,
    /// Height of a row.
    pub(super) row: u32,
    /// Blank modules left and right.
    quiet_x: u32,
    /// Blank modules above and below.
    quiet_y: u32,
}

pub(super) fn shape(symbology: Symbology) -> Shape {
    match symbology {
        Symbology::Qr => Shape { module: 8, row: 8, quiet_x: 4, quiet_y: 4 },
        // One module is demanded; the second forgives a crooked print.
        Symbology::DataMatrix => Shape { module: 8, row: 8, quiet_x: 2, quiet_y: 2 },
        // 24 mm high: 15 % of the longest symbol.
        Symbology::Gs1128 => Shape { module: 4, row: 384, quiet_x: QUIET_128, quiet_y: 4 },
    }
}

const QUIET_128: u32 = super::code128::QUIET_MODULES;

impl Drawing {
    /// The label of one item.
    pub fn of(press: &Press, item: &Item) -> Result<Drawing, SymbolError> {
        let grid = press.symbol(item)?;
        let shape = shape(press.symbology());
        let readable = match press.symbology() {
            Symbology::Gs1128 => vec![item.readable().concat()],
            Symbology::Qr | Symbology::DataMatrix => item.readable(),
        };
        let dots = |modules: usize| modules as u32 * shape.module;
        let quiet = shape.quiet_x * shape.module;
        let longest = readable.iter().map(String::len).max().unwrap_or(0) as u32 * CELL;
        let inner = longest.max(dots(press.width(&grid)) + 2 * quiet);
        let width = inner + 2 * MARGIN;
        let (left, top) = ((width - dots(grid.width)) / 2, MARGIN + shape.quiet_y * shape.module);
        let bars = grid.runs().into_iter().map(|(row, column, modules)| Bar {
            x: left + dots(column),
            y: top + row as u32 * shape.row,
            width: dots(modules),
            height: shape.row,
        });
        let below = top + grid.height() as u32 * shape.row + shape.quiet_y * shape.module + GAP;
        let lines = readable.into_iter().enumerate().map(|(index, text)| Line {
            x: (width - text.len() as u32 * CELL) / 2,
            y: below + index as u32 * PITCH,
            text,
        });
        let lines: Vec<Line> = lines.collect();
        let height = below + lines.len() as u32 * PITCH + MARGIN;
        Ok(Drawing { width, height, bars: bars.collect(), lines })
    }
}

#[cfg(test)]
mod tests {
    use super::super::item::Template;
    use super::super::symbol::Drawn;
    use super::*;

    fn drawing((symbology, drawn): (Symbology, Drawn), serial: &str) -> Drawing {
        let template = Template::new("09521234000129", Some("L7"), "https://example.com").unwrap();
        let widest = template.item(0, &"Z".repeat(20)).unwrap();
        let press = Press::new(symbology, drawn, &widest).unwrap();
        Drawing::of(&press, &template.item(1, serial).unwrap()).unwrap()
    }

    #[test]
    fn every_label_of_a_run_has_one_size_and_its_quiet_zone() {
        for (symbology, drawn, quiet) in [
            (Symbology::Qr, Drawn::Here, 32),
            (Symbology::Qr, Drawn::Elsewhere, 32),
            (Symbology::DataMatrix, Drawn::Here, 16),
            (Symbology::Gs1128, Drawn::Here, 40),
        ] {
            let serials = ["ZZZZZZZZZZZZZZZZZZZZ", "00000000000000000000", "Z1234Y56789X12345678"];
            let drawings = serials.map(|serial| drawing((symbology, drawn), serial));
            for drawing in &drawings {
                let size = (drawings[0].width, drawings[0].height);
                assert_eq!((drawing.width, drawing.height), size, "{symbology:?}");
                let right = drawing.bars.iter().map(|bar| bar.x + bar.width).max().unwrap();
                let bottom = drawing.bars.iter().map(|bar| bar.y + bar.height).max().unwrap();
                assert!(drawing.bars.iter().all(|bar| quiet <= bar.x), "{symbology:?}");
                assert!(right + quiet <= drawing.width, "{symbology:?}");
                let first = drawing.lines.iter().map(|line| line.y).min().unwrap();
                assert!(bottom + 8 <= first, "{symbology:?}: text below the symbol");
                for line in &drawing.lines {
                    assert!(line.x + line.text.len() as u32 * CELL <= drawing.width);
                    assert!(line.y + CELL <= drawing.height);
                }
            }
        }
    }

    #[test]
    fn too_much_for_a_symbol_is_told() {
        let long = format!("https://example.com/{}", "x".repeat(600));
        let new = |symbology, lot, address: &str| {
            let template = Template::new("09521234000129", lot, address).unwrap();
            let widest = template.item(0, &"Z".repeat(20)).unwrap();
            Press::new(symbology, Drawn::Here, &widest).map(|_| ())
        };
        assert!(matches!(new(Symbology::Qr, None, &long), Err(SymbolError::Qr(_))));
        assert!(new(Symbology::DataMatrix, None, &long).is_ok(), "it carries no address");
        let lot = Some("ABCDEFGHIJKLMNOPQRST");
        let refused = new(Symbology::Gs1128, lot, "https://example.com");
        assert!(matches!(refused, Err(SymbolError::Code128(Code128Error::TooLong(61)))));
    }

    use super::super::code128::Code128Error;
}
