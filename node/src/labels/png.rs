//! A label as PNG: one bit a dot, its size in metres stated.

use std::io::Write;

use font8x8::legacy::BASIC_LEGACY;
use png::{BitDepth, ColorType, Encoder, EncodingError, PixelDimensions, Unit};

use super::drawing::{CELL, DOTS_PER_MM, Drawing};

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
pub fn write(drawing: &Drawing, to: impl Write) -> Result<(), EncodingError> {
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
    let mut encoder = Encoder::new(to, drawing.width, drawing.height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let density = DOTS_PER_MM * 1000;
    let size = PixelDimensions { xppu: density, yppu: density, unit: Unit::Meter };
    encoder.set_pixel_dims(Some(size));
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&canvas.bits)?;
    writer.finish()
}
