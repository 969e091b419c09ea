//! Labels as PDF: pages of A4, filled row by row, in the middle of the page.
//!
//! Invariants: a page is written when it is full, so memory holds one page and a few bytes for
//! each page before; nothing is embedded, the text is in Courier, which every reader has.

use std::io::{Error, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::{Chunk, Content, Filter, Finish, Name, Rect, Ref, Str};

use super::drawing::{CELL, DOTS_PER_MM, Drawing};

/// A4 in dots.
const PAGE_WIDTH: u32 = 210 * DOTS_PER_MM;
const PAGE_HEIGHT: u32 = 297 * DOTS_PER_MM;
/// What printers leave blank at least: 10 mm.
const MARGIN_X: u32 = 10 * DOTS_PER_MM;
/// The same, and the half of what Letter is shorter than A4: in the middle of a sheet of Letter,
/// unscaled, everything is printed.
const MARGIN_Y: u32 = 19 * DOTS_PER_MM;
/// Between two labels: 2 mm to cut in.
const GAP: u32 = 2 * DOTS_PER_MM;
/// Points of a dot; 72 points are 25.4 mm.
const POINTS: f32 = 72.0 / 25.4 / DOTS_PER_MM as f32;
/// Size of Courier whose characters are a cell wide.
const FONT_SIZE: f32 = CELL as f32 / 0.6;
const FONT: Name<'_> = Name(b"F");

const CATALOG: i32 = 1;
const TREE: i32 = 2;
const COURIER: i32 = 3;

/// A document that is being written.
pub struct Pages<W: Write> {
    to: W,
    /// Bytes written.
    written: u64,
    /// Where each object begins, by its number less one; 0 until it is written.
    places: Vec<u64>,
    pages: Vec<Ref>,
    content: Content,
    /// Where the first label of a page goes.
    first: (u32, u32),
    /// Where the next label goes; `None` on no page.
    next: Option<(u32, u32)>,
}

impl<W: Write> Pages<W> {
    /// Begins the document.
    pub fn new(to: W) -> Result<Pages<W>, Error> {
        let mut pages = Pages {
            to,
            written: 0,
            places: vec![0; 3],
            pages: Vec::new(),
            content: Content::new(),
            first: (MARGIN_X, MARGIN_Y),
            next: None,
        };
        // The second line tells transports that the file is not text.
        pages.put(b"%PDF-1.7\n%\x80\x80\x80\x80\n")?;
        let mut font = Chunk::new();
        font.type1_font(Ref::new(COURIER)).base_font(Name(b"Courier"));
        pages.object(COURIER, &font)?;
        Ok(pages)
    }

    /// Draws one more label. All are of one size.
    pub fn add(&mut self, drawing: &Drawing) -> Result<(), Error> {
        let fits = |(x, y): (u32, u32)| {
            x + drawing.width + MARGIN_X <= PAGE_WIDTH
                && y + drawing.height + MARGIN_Y <= PAGE_HEIGHT
        };
        let here = self.next.filter(|place| fits(*place));
        let row = self.next.map(|(_, y)| (self.first.0, y + drawing.height + GAP));
        let (x, y) = match here.or_else(|| row.filter(|place| fits(*place))) {
            Some(place) => place,
            None => {
                self.end_page()?;
                self.content.transform([POINTS, 0.0, 0.0, POINTS, 0.0, 0.0]);
                self.first = (
                    centred(PAGE_WIDTH, MARGIN_X, drawing.width),
                    centred(PAGE_HEIGHT, MARGIN_Y, drawing.height),
                );
                self.first
            }
        };
        // The page's zero is at the foot.
        let up = |y: u32| PAGE_HEIGHT.saturating_sub(y) as f32;
        for bar in &drawing.bars {
            let (width, height) = (bar.width as f32, bar.height as f32);
            self.content.rect((x + bar.x) as f32, up(y + bar.y) - height, width, height);
        }
        self.content.fill_nonzero();
        for line in &drawing.lines {
            let (from, base) = ((x + line.x) as f32, up(y + line.y + CELL));
            self.content.begin_text().set_font(FONT, FONT_SIZE).next_line(from, base);
            self.content.show(Str(line.text.as_bytes())).end_text();
        }
        self.next = Some((x + drawing.width + GAP, y));
        Ok(())
    }

    /// Ends the document and gives back what it was written to.
    pub fn finish(mut self) -> Result<W, Error> {
        self.end_page()?;
        let mut tree = Chunk::new();
        let count = i32::try_from(self.pages.len()).unwrap_or(i32::MAX);
        tree.pages(Ref::new(TREE)).kids(self.pages.iter().copied()).count(count);
        self.object(TREE, &tree)?;
        let mut catalog = Chunk::new();
        catalog
            .indirect(Ref::new(CATALOG))
            .dict()
            .pair(Name(b"Type"), Name(b"Catalog"))
            .pair(Name(b"Pages"), Ref::new(TREE));
        self.object(CATALOG, &catalog)?;
        let (at, size) = (self.written, self.places.len() + 1);
        self.put(format!("xref\n0 {size}\n0000000000 65535 f \n").as_bytes())?;
        for place in std::mem::take(&mut self.places) {
            self.put(format!("{place:010} 00000 n \n").as_bytes())?;
        }
        let root = format!("<< /Size {size} /Root {CATALOG} 0 R >>");
        self.put(format!("trailer\n{root}\nstartxref\n{at}\n%%EOF\n").as_bytes())?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn end_page(&mut self) -> Result<(), Error> {
        if self.next.take().is_none() {
            return Ok(());
        }
        let drawn = std::mem::replace(&mut self.content, Content::new()).finish();
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        packed.write_all(drawn.as_slice())?;
        let packed = packed.finish()?;
        let (stream, page) = (self.number(), self.number());
        let mut chunk = Chunk::new();
        chunk.stream(Ref::new(stream), &packed).filter(Filter::FlateDecode);
        self.object(stream, &chunk)?;
        let mut chunk = Chunk::new();
        let mut dict = chunk.page(Ref::new(page));
        let (width, height) = (PAGE_WIDTH as f32 * POINTS, PAGE_HEIGHT as f32 * POINTS);
        dict.media_box(Rect::new(0.0, 0.0, width, height));
        dict.parent(Ref::new(TREE)).contents(Ref::new(stream));
        dict.resources().fonts().pair(FONT, Ref::new(COURIER));
        dict.finish();
        self.object(page, &chunk)?;
        self.pages.push(Ref::new(page));
        Ok(())
    }

    fn number(&mut self) -> i32 {
        self.places.push(0);
        i32::try_from(self.places.len()).expect("100,000 labels take fewer objects than 2^31")
    }

    fn object(&mut self, number: i32, chunk: &Chunk) -> Result<(), Error> {
        let index = usize::try_from(number - 1).expect("objects are numbered from 1");
        self.places[index] = self.written;
        self.put(chunk.as_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written += bytes.len() as u64;
        self.to.write_all(bytes)
    }
}

/// Where as many labels of this extent begin as fit between the margins of a page.
fn centred(page: u32, margin: u32, extent: u32) -> u32 {
    let count = ((page - 2 * margin + GAP) / (extent + GAP)).max(1);
    page.saturating_sub(count * (extent + GAP) - GAP) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_in_the_middle_and_inside_of_the_margins() {
        for (page, margin) in [(PAGE_WIDTH, MARGIN_X), (PAGE_HEIGHT, MARGIN_Y)] {
            for extent in 1..=page - 2 * margin {
                let first = centred(page, margin, extent);
                let fits = |at: &u32| at + extent + margin <= page;
                let places = (0..).map(|index| first + index * (extent + GAP)).take_while(fits);
                let end = places.last().expect("one label at least") + extent;
                assert!(margin <= first && end + margin <= page, "{extent}");
                assert!((page - end).abs_diff(first) <= 1, "{extent}: {first}..{end} of {page}");
            }
        }
        // What is larger than a page begins at its edge.
        assert_eq!(centred(PAGE_WIDTH, MARGIN_X, PAGE_WIDTH + 1), 0);
    }
}
