//! The published checkpoints of a log, read one after the other: a busy log has a hundred thousand.
//!
//! Invariant: memory is bounded by one record; what is damaged ends the reading of that history, so
//! that entry times rest on fewer checkpoints and on none that is wrong.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};

use hallmark_schemas::frame::{self, CONTENT_BYTES_MAX, HEAD_BYTES, Piece};
use hallmark_schemas::layout::Data;

use crate::store::StoreError;
use crate::store::disk::OnPath;

/// Calls `look` with each checkpoint, oldest first, until it answers false.
pub fn each(data: &Data, look: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), StoreError> {
    let path = data.checkpoints();
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.on("open", &path)?,
    };
    let mut file = BufReader::new(file);
    loop {
        let mut record = vec![0; HEAD_BYTES];
        match file.read_exact(&mut record) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read.on("read", &path)?,
        }
        let length = record.first_chunk::<4>().map_or(0, |head| u32::from_le_bytes(*head));
        if CONTENT_BYTES_MAX < length as usize {
            return damaged(&path);
        }
        // No more is taken than the file has, whatever the head says.
        let read = file.by_ref().take(length.into()).read_to_end(&mut record);
        read.on("read", &path)?;
        match frame::scan(&record).next() {
            Some(Piece::Record { content, .. }) => {
                if !look(content) {
                    return Ok(());
                }
            }
            _ => return damaged(&path),
        }
    }
}

fn damaged(path: &std::path::Path) -> Result<(), StoreError> {
    tracing::warn!(path = %path.display(), "the history of checkpoints is damaged or cut from here");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_read_to_its_end_or_to_the_first_damage() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::new(folder.path());
        let read = || {
            let mut found = Vec::new();
            each(&data, &mut |note| {
                found.push(note.to_vec());
                found.len() < 4
            })
            .unwrap();
            found.len()
        };
        assert_eq!(read(), 0);
        let mut file = Vec::new();
        (0..6u8).for_each(|number| frame::append(&mut file, &[number; 40]));
        std::fs::write(data.checkpoints(), &file).unwrap();
        assert_eq!(read(), 4, "as many as are asked for");
        std::fs::write(data.checkpoints(), &file[..48 * 2 + 20]).unwrap();
        assert_eq!(read(), 2, "a torn end");
        file[48 + 20] ^= 1;
        std::fs::write(data.checkpoints(), &file).unwrap();
        assert_eq!(read(), 1, "a flipped bit");
        file[48..52].fill(0xff);
        std::fs::write(data.checkpoints(), &file).unwrap();
        assert_eq!(read(), 1, "a length of 4 GiB");
    }
}
