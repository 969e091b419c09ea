//! Whether a value encodes to given bytes, without encoding it.
//!
//! Invariant: where the answer is yes, the encoder would have given these very bytes; where it is
//! no, they may still be the same, and the encoder is asked. The bytes are one deterministic item:
//! each key of a map stands there once, so that a map is the same if it has as many entries as the
//! value, and each entry of the value is among them.

use serde::Serialize;
use serde::ser::{self, Serializer};
use std::fmt::{self, Display, Write};

use super::Head;

/// Most entries of a map that is compared here: no body has wider ones.
const ENTRIES_MAX: usize = 64;

/// Whether the encoder gives exactly `bytes` for this value. They have passed [`super::scan`].
pub(super) fn encodes_to<T: Serialize + ?Sized>(value: &T, bytes: &[u8]) -> bool {
    let mut reader = Reader { bytes, at: 0 };
    value.serialize(&mut reader).is_ok() && reader.at == bytes.len()
}

/// The bytes do not go on as the value does, or that cannot be told here.
#[derive(Debug)]
struct Unlike;

impl Display for Unlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("other bytes than the value's")
    }
}

impl std::error::Error for Unlike {}

impl ser::Error for Unlike {
    fn custom<T: Display>(_words: T) -> Unlike {
        Unlike
    }
}

type Step = Result<(), Unlike>;

fn expect(is_so: bool) -> Step {
    if is_so { Ok(()) } else { Err(Unlike) }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Goes past the head of an item of this type and argument.
    fn head(&mut self, major: u8, value: u64) -> Step {
        let head = Head::read(self.bytes, self.at).map_err(|_| Unlike)?;
        self.at = head.end;
        expect(head.major == major && head.value == value)
    }

    fn content(&mut self, major: u8, content: &[u8]) -> Step {
        self.head(major, content.len() as u64)?;
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += content.len();
        expect(rest.starts_with(content))
    }

    fn simple(&mut self, byte: u8) -> Step {
        let found = self.bytes.get(self.at);
        self.at += 1;
        expect(found == Some(&byte))
    }

    /// Goes past a whole item.
    fn skip(&mut self) -> Step {
        let mut left = 1_u64;
        while left != 0 {
            let head = Head::read(self.bytes, self.at).map_err(|_| Unlike)?;
            left -= 1;
            self.at = head.end;
            match head.major {
                2 | 3 => self.at = head.end.saturating_add(head.value as usize),
                4 => left = left.saturating_add(head.value),
                5 => left = left.saturating_add(head.value.saturating_mul(2)),
                _ => {}
            }
        }
        Ok(())
    }

    fn map<'b>(&'b mut self, entries: Option<usize>) -> Result<Map<'a, 'b>, Unlike> {
        let head = Head::read(self.bytes, self.at).map_err(|_| Unlike)?;
        let count = head.value as usize;
        let is_this = entries.is_none_or(|entries| entries == count);
        expect(head.major == 5 && is_this && head.value <= ENTRIES_MAX as u64)?;
        self.at = head.end;
        let mut starts = [0; ENTRIES_MAX];
        for start in &mut starts[..count] {
            *start = self.at;
            self.skip()?;
            self.skip()?;
        }
        Ok(Map { end: self.at, reader: self, starts, count, found: 0, next: 0 })
    }
}

/// A map of the bytes, and which of its entries the value has named.
struct Map<'a, 'b> {
    reader: &'b mut Reader<'a>,
    starts: [usize; ENTRIES_MAX],
    count: usize,
    /// One bit for each entry.
    found: u64,
    /// Where to look first: fields often stand in one order.
    next: usize,
    end: usize,
}

impl Map<'_, '_> {
    /// Goes to the value of the entry with this key, which nothing has named yet.
    fn find<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<usize, Unlike> {
        let around = (self.next..self.count).chain(0..self.next);
        for entry in around {
            self.reader.at = self.starts[entry];
            if key.serialize(&mut *self.reader).is_ok() {
                expect(self.found & (1 << entry) == 0)?;
                self.found |= 1 << entry;
                self.next = (entry + 1) % self.count;
                return Ok(entry);
            }
        }
        Err(Unlike)
    }

    /// The value of an entry, from where [`Map::find`] has gone.
    fn value<T: Serialize + ?Sized>(&mut self, entry: usize, value: &T) -> Step {
        value.serialize(&mut *self.reader)?;
        let end = if entry + 1 < self.count { self.starts[entry + 1] } else { self.end };
        expect(self.reader.at == end)
    }

    fn finish(self) -> Step {
        self.reader.at = self.end;
        expect(self.found.count_ones() as usize == self.count)
    }
}

impl<'a, 'b> Serializer for &'b mut Reader<'a> {
    type Ok = ();
    type Error = Unlike;
    type SerializeSeq = Items<'a, 'b>;
    type SerializeTuple = Items<'a, 'b>;
    type SerializeTupleStruct = Items<'a, 'b>;
    type SerializeTupleVariant = Items<'a, 'b>;
    type SerializeMap = Pairs<'a, 'b>;
    type SerializeStruct = Map<'a, 'b>;
    type SerializeStructVariant = Map<'a, 'b>;

    fn serialize_bool(self, v: bool) -> Step {
        self.simple(if v { 0xf5 } else { 0xf4 })
    }

    fn serialize_i8(self, v: i8) -> Step {
        self.serialize_i64(v.into())
    }

    fn serialize_i16(self, v: i16) -> Step {
        self.serialize_i64(v.into())
    }

    fn serialize_i32(self, v: i32) -> Step {
        self.serialize_i64(v.into())
    }

    fn serialize_i64(self, v: i64) -> Step {
        // The argument of a negative number is -1 - v, which is its bits turned over.
        if v < 0 { self.head(1, !v as u64) } else { self.head(0, v as u64) }
    }

    fn serialize_u8(self, v: u8) -> Step {
        self.head(0, v.into())
    }

    fn serialize_u16(self, v: u16) -> Step {
        self.head(0, v.into())
    }

    fn serialize_u32(self, v: u32) -> Step {
        self.head(0, v.into())
    }

    fn serialize_u64(self, v: u64) -> Step {
        self.head(0, v)
    }

    fn serialize_f32(self, _v: f32) -> Step {
        Err(Unlike)
    }

    fn serialize_f64(self, _v: f64) -> Step {
        Err(Unlike)
    }

    fn serialize_char(self, v: char) -> Step {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, v: &str) -> Step {
        self.content(3, v.as_bytes())
    }

    fn serialize_bytes(self, v: &[u8]) -> Step {
        self.content(2, v)
    }

    fn serialize_none(self) -> Step {
        self.simple(0xf6)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Step {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Step {
        self.simple(0xf6)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Step {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _at: u32, variant: &'static str) -> Step {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Step {
        // One name stands for a tagged link; no tag gets past a scan, and no value here is one.
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _at: u32,
        variant: &'static str,
        value: &T,
    ) -> Step {
        self.head(5, 1)?;
        self.serialize_str(variant)?;
        value.serialize(self)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items<'a, 'b>, Unlike> {
        self.serialize_tuple(length.ok_or(Unlike)?)
    }

    fn serialize_tuple(self, length: usize) -> Result<Items<'a, 'b>, Unlike> {
        self.head(4, length as u64)?;
        Ok(Items(self))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        length: usize,
    ) -> Result<Items<'a, 'b>, Unlike> {
        self.serialize_tuple(length)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _at: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Items<'a, 'b>, Unlike> {
        self.head(5, 1)?;
        self.serialize_str(variant)?;
        self.serialize_tuple(length)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Pairs<'a, 'b>, Unlike> {
        Ok(Pairs { map: self.map(length)?, entry: 0 })
    }

    fn serialize_struct(self, _name: &'static str, length: usize) -> Result<Map<'a, 'b>, Unlike> {
        self.map(Some(length))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _at: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Map<'a, 'b>, Unlike> {
        self.head(5, 1)?;
        self.serialize_str(variant)?;
        self.map(Some(length))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Step {
        let head = Head::read(self.bytes, self.at).map_err(|_| Unlike)?;
        expect(head.major == 3)?;
        let end = head.end.saturating_add(head.value as usize);
        let mut rest = Text(self.bytes.get(head.end..end).ok_or(Unlike)?);
        self.at = end;
        write!(rest, "{value}").map_err(|_| Unlike)?;
        expect(rest.0.is_empty())
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// What is left of a text that is being compared.
struct Text<'a>(&'a [u8]);

impl Write for Text<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(part.as_bytes()).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// The items of an array.
struct Items<'a, 'b>(&'b mut Reader<'a>);

impl ser::SerializeSeq for Items<'_, '_> {
    type Ok = ();
    type Error = Unlike;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Step {
        value.serialize(&mut *self.0)
    }

    fn end(self) -> Step {
        Ok(())
    }
}

impl ser::SerializeTuple for Items<'_, '_> {
    type Ok = ();
    type Error = Unlike;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Step {
        value.serialize(&mut *self.0)
    }

    fn end(self) -> Step {
        Ok(())
    }
}

impl ser::SerializeTupleStruct for Items<'_, '_> {
    type Ok = ();
    type Error = Unlike;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Step {
        value.serialize(&mut *self.0)
    }

    fn end(self) -> Step {
        Ok(())
    }
}

impl ser::SerializeTupleVariant for Items<'_, '_> {
    type Ok = ();
    type Error = Unlike;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Step {
        value.serialize(&mut *self.0)
    }

    fn end(self) -> Step {
        Ok(())
    }
}

/// The entries of a map whose keys are values themselves.
struct Pairs<'a, 'b> {
    map: Map<'a, 'b>,
    /// Where the last key was found.
    entry: usize,
}

impl ser::SerializeMap for Pairs<'_, '_> {
    type Ok = ();
    type Error = Unlike;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Step {
        self.entry = self.map.find(key)?;
        // The encoder takes no other keys than text.
        let start = self.map.starts[self.entry];
        expect(self.map.reader.bytes[start] >> 5 == 3)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Step {
        self.map.value(self.entry, value)
    }

    fn end(self) -> Step {
        self.map.finish()
    }
}

impl ser::SerializeStruct for Map<'_, '_> {
    type Ok = ();
    type Error = Unlike;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Step {
        let entry = self.find(key)?;
        self.value(entry, value)
    }

    fn end(self) -> Step {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Map<'_, '_> {
    type Ok = ();
    type Error = Unlike;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Step {
        let entry = self.find(key)?;
        self.value(entry, value)
    }

    fn end(self) -> Step {
        self.finish()
    }
}

#[cfg(test)]
mod tests;
