//! Where labels go: one file, a folder of files, or stdout, label by label.
//!
//! Invariants: a file or folder appears whole under its name or not at all; nothing existing is
//! mixed with, and no file is written over unless that was said; nothing comes out of stdout or a pipe before there is a label; memory holds one label,
//! or one page.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::drawing::Drawing;
use super::item::Item;
use super::pdf::Pages;
use super::symbol::{Drawn, Press, SymbolError};
use super::{png, svg, zpl};

/// How labels are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// A drawing each.
    Svg,
    /// An image each.
    Png,
    /// Pages of A4.
    Pdf,
    /// Commands for a label printer.
    Zpl,
    /// A table for whoever prints otherwise.
    Csv,
}

impl Form {
    /// Who draws the symbols: of a printer, or whoever reads the table, nobody knows how well.
    pub fn drawn(self) -> Drawn {
        match self {
            Form::Svg | Form::Png | Form::Pdf => Drawn::Here,
            Form::Zpl | Form::Csv => Drawn::Elsewhere,
        }
    }
}

/// Why labels cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SheetError {
    /// There is something of that name.
    #[error("{} exists", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// There is a file of that name, and it is not to be written over.
    #[error("{} exists", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// Several images cannot be one stream.
    #[error("stdout takes one label of this format, not {count}")]
    Several {
        /// How many there would be.
        count: u64,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A label has no symbol.
    #[error("the label of serial {serial} cannot be drawn")]
    Symbol {
        /// The serial.
        serial: String,
        /// Why.
        source: SymbolError,
    },
}

/// A name that appears at the end only.
#[derive(Debug)]
struct Fresh {
    path: PathBuf,
    unfinished: PathBuf,
    is_done: bool,
}

impl Fresh {
    fn new(path: &Path) -> Fresh {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
        Fresh { path: path.to_owned(), unfinished, is_done: false }
    }

    fn failed(&self, source: std::io::Error) -> SheetError {
        SheetError::Write { path: self.path.clone(), source }
    }

    fn finish(mut self) -> Result<(), SheetError> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let renamed = std::fs::rename(&self.unfinished, &self.path);
        renamed.and_then(|()| File::open(folder)?.sync_all()).map_err(|e| self.failed(e))?;
        self.is_done = true;
        Ok(())
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.is_done {
            // Best effort: what is left has a name that nobody takes for labels.
            let _ = std::fs::remove_file(&self.unfinished);
            let _ = std::fs::remove_dir_all(&self.unfinished);
        }
    }
}

/// Bytes that wait for the first label, and then go in pieces of this size.
const PIECE: usize = 64 * 1024;

/// What has no name to appear under: what is written there cannot be taken back, so what stands
/// before the labels waits for them.
struct Through<W: Write> {
    to: W,
    path: PathBuf,
    held: Vec<u8>,
}

impl<W: Write> Through<W> {
    fn new(to: W, path: &Path) -> Through<W> {
        Through { to, path: path.to_owned(), held: Vec::new() }
    }

    fn pass(&mut self) -> std::io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.to.write_all(&held)?;
        self.to.flush()
    }
}

impl<W: Write> Write for Through<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if PIECE <= self.held.len() {
            self.pass()?;
        }
        Ok(bytes.len())
    }

    /// Only [`Stream::finish`] passes the last piece on.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One open stream.
enum Stream {
    File(BufWriter<File>, Fresh),
    Through(Through<Box<dyn Write>>),
}

impl Stream {
    fn open(path: &Path) -> Result<Stream, SheetError> {
        if path == Path::new("-") {
            let stdout = Box::new(std::io::stdout());
            return Ok(Stream::Through(Through::new(stdout, Path::new("stdout"))));
        }
        // A device or pipe stays what it is.
        let is_other = std::fs::metadata(path).is_ok_and(|found| !found.is_file());
        if is_other && !path.is_dir() {
            let opened = File::options().write(true).open(path);
            let opened =
                opened.map_err(|source| SheetError::Write { path: path.to_owned(), source })?;
            return Ok(Stream::Through(Through::new(Box::new(opened), path)));
        }
        let fresh = Fresh::new(path);
        match File::create(&fresh.unfinished) {
            Ok(file) => Ok(Stream::File(BufWriter::new(file), fresh)),
            Err(source) => Err(fresh.failed(source)),
        }
    }

    fn failed(&self, source: std::io::Error) -> SheetError {
        match self {
            Stream::File(_, fresh) => fresh.failed(source),
            Stream::Through(through) => SheetError::Write { path: through.path.clone(), source },
        }
    }

    fn finish(mut self) -> Result<(), SheetError> {
        let flushed = match &mut self {
            Stream::File(file, _) => file.flush(),
            Stream::Through(through) => through.pass(),
        };
        flushed.map_err(|e| self.failed(e))?;
        match self {
            Stream::File(file, fresh) => {
                file.get_ref().sync_all().map_err(|e| fresh.failed(e))?;
                fresh.finish()
            }
            Stream::Through(_) => Ok(()),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Stream::File(file, _) => file.write(bytes),
            Stream::Through(through) => through.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Stream::File(file, _) => file.flush(),
            Stream::Through(through) => through.flush(),
        }
    }
}

/// What is being written.
enum Sink {
    /// One image.
    One(Stream),
    /// Images in a folder, and how many there are already.
    Folder(Fresh, u64),
    Pdf(Box<Pages<Stream>>),
    Zpl(Stream),
    Csv(Box<csv::Writer<Stream>>),
}

/// Whether a file that is there may be written over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over {
    /// It stays.
    Never,
    /// It holds the same labels, or whoever prints has said so.
    Files,
}

/// Labels on their way to a file.
pub struct Sheet {
    form: Form,
    press: Press,
    order: String,
    sink: Sink,
}

impl Sheet {
    /// Opens `path` (`-` is stdout) for `count` labels of an order.
    pub fn create(
        form: Form,
        (path, over): (&Path, Over),
        count: u64,
        press: Press,
        order: &str,
    ) -> Result<Sheet, SheetError> {
        let written = |source| SheetError::Write { path: path.to_owned(), source };
        let is_stdout = path == Path::new("-");
        let is_file = !is_stdout && std::fs::metadata(path).is_ok_and(|found| found.is_file());
        if is_file && over == Over::Never {
            return Err(SheetError::Taken { path: path.to_owned() });
        }
        let sink = match form {
            Form::Svg | Form::Png if 1 < count && is_stdout => {
                return Err(SheetError::Several { count });
            }
            Form::Svg | Form::Png if 1 < count => {
                if path.exists() {
                    return Err(SheetError::Exists { path: path.to_owned() });
                }
                let fresh = Fresh::new(path);
                std::fs::create_dir(&fresh.unfinished).map_err(|e| fresh.failed(e))?;
                Sink::Folder(fresh, 0)
            }
            Form::Svg | Form::Png => Sink::One(Stream::open(path)?),
            Form::Pdf => Sink::Pdf(Box::new(Pages::new(Stream::open(path)?).map_err(written)?)),
            Form::Zpl => Sink::Zpl(Stream::open(path)?),
            Form::Csv => {
                let mut csv = csv::Writer::from_writer(Stream::open(path)?);
                let head = ["serial", "element_string", "digital_link", "order", "number"];
                csv.write_record(head).map_err(|e| written(of_csv(e)))?;
                Sink::Csv(Box::new(csv))
            }
        };
        Ok(Sheet { form, press, order: order.to_owned(), sink })
    }

    /// Writes one more label.
    pub fn add(&mut self, item: &Item) -> Result<(), SheetError> {
        let undrawn = |source| SheetError::Symbol { serial: item.serial().to_owned(), source };
        let stdout = || PathBuf::from("the labels");
        let written = |source: std::io::Error| SheetError::Write { path: stdout(), source };
        match &mut self.sink {
            Sink::One(stream) => {
                let drawing = Drawing::of(&self.press, item).map_err(undrawn)?;
                let done = image(self.form, &drawing, &mut *stream);
                done.map_err(|e| stream.failed(e))
            }
            Sink::Folder(fresh, count) => {
                let drawing = Drawing::of(&self.press, item).map_err(undrawn)?;
                *count += 1;
                let ending = if self.form == Form::Png { "png" } else { "svg" };
                // A serial may hold a slash or a dot; its place in the run does not.
                let path = fresh.unfinished.join(format!("{count:06}.{ending}"));
                let file = File::create(&path).map_err(|e| fresh.failed(e))?;
                let mut file = BufWriter::new(file);
                let done = image(self.form, &drawing, &mut file).and_then(|()| file.flush());
                done.map_err(|e| fresh.failed(e))
            }
            Sink::Pdf(pages) => {
                let drawing = Drawing::of(&self.press, item).map_err(undrawn)?;
                pages.add(&drawing).map_err(written)
            }
            Sink::Zpl(stream) => {
                let text = zpl::zpl(&self.press, item).map_err(undrawn)?;
                stream.write_all(text.as_bytes()).map_err(|e| stream.failed(e))
            }
            Sink::Csv(csv) => {
                let number = item.number.to_string();
                let message = item.message();
                let row = [item.serial(), &message, &item.link, &self.order, &number];
                csv.write_record(row).map_err(|e| written(of_csv(e)))
            }
        }
    }

    /// Makes everything durable, then gives it its name.
    pub fn finish(self) -> Result<(), SheetError> {
        let written = |source| SheetError::Write { path: PathBuf::from("the labels"), source };
        match self.sink {
            Sink::One(stream) | Sink::Zpl(stream) => stream.finish(),
            Sink::Folder(fresh, _) => {
                let synced = File::open(&fresh.unfinished).and_then(|folder| folder.sync_all());
                synced.map_err(|e| fresh.failed(e))?;
                fresh.finish()
            }
            Sink::Pdf(pages) => pages.finish().map_err(written)?.finish(),
            Sink::Csv(csv) => {
                let stream = csv.into_inner().map_err(|e| written(e.into_error()))?;
                stream.finish()
            }
        }
    }
}

/// The fault below, which tells a closed pipe from a full disk.
fn of_csv(error: csv::Error) -> std::io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => std::io::Error::other(format!("{other:?}")),
    }
}

fn image(form: Form, drawing: &Drawing, mut to: impl Write) -> std::io::Result<()> {
    match form {
        Form::Png => png::write(drawing, to),
        _ => to.write_all(svg::svg(drawing).as_bytes()),
    }
}
