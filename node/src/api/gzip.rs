//! Compression of what is sent, for clients that take it.
//!
//! Invariant: a client that does not name a coding, or names it with a quality of nought, gets none.

use std::io::Write;

use axum::http::{HeaderMap, header};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::listed;
use crate::negotiate;

/// Bits of the window of Brotli: 64 KiB, more than any script.
const BROTLI_WINDOW_BITS: u32 = 16;
/// Bytes that are packed at once.
const BROTLI_BUFFER_BYTES: usize = 4096;
/// What is packed once may take its time.
const BROTLI_QUALITY: u32 = 11;

/// How bytes are packed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Coding {
    /// RFC 7932, which browsers take over TLS alone.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// Its name in headers.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Gzip => "gzip",
        }
    }

    /// Whether the client takes it.
    pub(super) fn is_taken(self, headers: &HeaderMap) -> bool {
        names(&listed(headers, &header::ACCEPT_ENCODING), self.as_str())
    }

    /// The bytes, compressed: gzip at `level` (0 to 9), Brotli as small as it goes. None where the
    /// encoder fails: then they go as they are.
    pub(super) fn pack(self, bytes: &[u8], level: u32) -> Option<Vec<u8>> {
        match self {
            Coding::Gzip => pack(bytes, level),
            Coding::Brotli => {
                let mut packed = Vec::new();
                let mut encoder = brotli::CompressorWriter::new(
                    &mut packed,
                    BROTLI_BUFFER_BYTES,
                    BROTLI_QUALITY,
                    BROTLI_WINDOW_BITS,
                );
                encoder.write_all(bytes).ok()?;
                encoder.flush().ok()?;
                drop(encoder);
                Some(packed)
            }
        }
    }
}

/// Whether the client takes gzip.
pub(super) fn is_taken(headers: &HeaderMap) -> bool {
    Coding::Gzip.is_taken(headers)
}

/// The bytes, compressed at `level` (0 to 9). None where the encoder fails: then they go as they
/// are.
pub(super) fn pack(bytes: &[u8], level: u32) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Whether a list of codings has this one, with a quality above nought.
fn names(accepted: &str, coding: &str) -> bool {
    negotiate::members(accepted).any(|(name, weight)| name == coding && 0 < weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_only_where_it_is_taken() {
        for (accepted, expected) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, gzip;q=0.8", true),
            ("gzip;q=0", false),
            ("gzip; Q=0.0", false),
            ("GZIP;q=0.1", true),
            ("x-gzip", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(is_taken(&headers), expected, "{accepted}");
        }
        assert!(!is_taken(&HeaderMap::new()));
    }
}
