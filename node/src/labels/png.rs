//! A label as PNG: one bit a dot, its size in metres stated.
//!
//! Four chunks, by hand: the crate for it would bring a second deflate into everything.

use std::io::{Error, Write};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use font8x8::legacy::BASIC_LEGACY;

use super::drawing::{CELL, DOTS_PER_MM, Drawing};

/// What every PNG begins with.
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// Bit depth 1, greyscale, the one compression, the one filter method, not interlaced.
const ONE_BIT_GREY: [u8; 5] = [1, 0, 0, 0, 0];
/// The filter of a row that is as it is.
const UNFILTERED: u8 = 0;
/// The unit of the stated size.
const METRE: u8 = 1;
/// Dots of a dot of the font.
const SCALE: u32 = CELL / 8;

/// One bit a dot, rows filled up to whole bytes; 1 is white.
struct Canvas {
    row: usize,
    bits: Vec<u8>,
}

impl Canvas {
    fn blank(width: u32, height: u32) -> Canvas {
        let row = width.div_ceil(8) as usize;
        Canvas { row, bits: vec![0xff; row * height as usize] }
    }

    fn blacken(&mut self, x: u32, y: u32, width: u32, height: u32) {
        for y in y..y + height {
            for x in x..x + width {
                self.bits[y as usize * self.row + x as usize / 8] &= !(0x80 >> (x % 8));
            }
        }
    }
}

/// Writes the whole file.
pub fn write(drawing: &Drawing, mut to: impl Write) -> Result<(), Error> {
    let mut canvas = Canvas::blank(drawing.width, drawing.height);
    for bar in &drawing.bars {
        canvas.blacken(bar.x, bar.y, bar.width, bar.height);
    }
    for line in &drawing.lines {
        for (cell, byte) in (0..).zip(line.text.bytes()) {
            let glyph = BASIC_LEGACY.get(usize::from(byte)).unwrap_or(&BASIC_LEGACY[0]);
            for (row, bits) in (0..).zip(glyph) {
                for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                    let x = line.x + cell * CELL + column * SCALE;
                    canvas.blacken(x, line.y + row * SCALE, SCALE, SCALE);
                }
            }
        }
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    for row in canvas.bits.chunks(canvas.row) {
        packed.write_all(&[UNFILTERED])?;
        packed.write_all(row)?;
    }
    let size = [drawing.width.to_be_bytes(), drawing.height.to_be_bytes()].concat();
    let density = (DOTS_PER_MM * 1000).to_be_bytes();
    to.write_all(&SIGNATURE)?;
    chunk(&mut to, b"IHDR", &[&size[..], &ONE_BIT_GREY].concat())?;
    chunk(&mut to, b"pHYs", &[&density[..], &density, &[METRE]].concat())?;
    chunk(&mut to, b"IDAT", &packed.finish()?)?;
    chunk(&mut to, b"IEND", &[])
}

/// Length, name, data, and the checksum of name and data.
fn chunk(to: &mut impl Write, name: &[u8; 4], data: &[u8]) -> Result<(), Error> {
    let length = u32::try_from(data.len()).map_err(Error::other)?;
    let mut checksum = Crc::new();
    checksum.update(name);
    checksum.update(data);
    to.write_all(&length.to_be_bytes())?;
    to.write_all(name)?;
    to.write_all(data)?;
    to.write_all(&checksum.sum().to_be_bytes())
}
