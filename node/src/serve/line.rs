//! A connection on which this node tells why it refuses what the HTTP library cannot read.
//!
//! The library answers a request that it cannot parse with a bare status and no body, before any
//! route is asked. That answer is held back here, and the accept loop sends problem details.
//!
//! Invariants: only what is written while no answer of the routes is under way is the library's
//! own; no byte of an answer of the routes is ever held back, whatever it looks like.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::api::limit::{HEADER_BYTES_MAX, HEADER_FIELDS_MAX, URI_BYTES_MAX};
use crate::api::problem::ApiError;

/// Most bytes of the library's own answer that are kept: its status and its date.
const HELD_BYTES_MAX: usize = 1024;
/// A head that is longer is refused for that, however it ends.
const HEAD_BYTES_MAX: usize = HEADER_BYTES_MAX + URI_BYTES_MAX;
/// How a request begins whose answer has no body.
const HEAD: &[u8] = b"HEAD ";
/// How long a client that was refused may take to read why.
const FAREWELL_WAIT_MAX: Duration = Duration::from_secs(2);
/// Most bytes that are read of it meanwhile: closing on unread bytes would take the answer back.
const FAREWELL_BYTES_MAX: u64 = 1 << 20;

/// Whose turn it is on one connection. Its task alone changes it.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Even: idle. Odd: a request in work. Each request adds two in all.
    beat: AtomicU64,
    /// Bodies of answers that the library has not taken whole.
    bodies: AtomicUsize,
    /// An answer of the routes is not wholly on its way.
    is_owed: AtomicBool,
    /// Bytes came that belong to no request in work.
    has_heard: AtomicBool,
}

impl Turn {
    /// A request has come to the routes.
    pub(super) fn begin(&self) {
        self.beat.fetch_add(1, Relaxed);
        self.is_owed.store(true, Relaxed);
    }

    /// They have answered it.
    pub(super) fn end(self: &Arc<Self>, body: Body) -> Owed {
        self.beat.fetch_add(1, Relaxed);
        self.bodies.fetch_add(1, Relaxed);
        self.has_heard.store(false, Relaxed);
        Owed { body, turn: Arc::clone(self) }
    }

    /// How often it has changed; odd while a request is in work.
    pub(super) fn beat(&self) -> u64 {
        self.beat.load(Relaxed)
    }

    fn flushed(&self) {
        if self.beat().is_multiple_of(2) && self.bodies.load(Relaxed) == 0 {
            self.is_owed.store(false, Relaxed);
        }
    }
}

/// The body of an answer: owed until the library has taken it whole.
pub(super) struct Owed {
    body: Body,
    turn: Arc<Turn>,
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.turn.bodies.fetch_sub(1, Relaxed);
    }
}

impl hyper::body::Body for Owed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The connection.
pub(super) struct Line<S> {
    stream: S,
    turn: Arc<Turn>,
    /// What the library would have answered by itself.
    held: Vec<u8>,
    /// How the request in hand began.
    begun: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    pub(super) fn new(stream: S, turn: Arc<Turn>) -> Line<S> {
        Line { stream, turn, held: Vec::new(), begun: Vec::new() }
    }

    /// What to tell a client whose request could not be read; none where it asked for nothing.
    ///
    /// `error` is why the library ended the connection, none if it was too slow; `unread` is what
    /// it had read and not understood.
    pub(super) fn refusal(&self, error: Option<&hyper::Error>, unread: &[u8]) -> Option<ApiError> {
        let has_heard =
            self.turn.has_heard.load(Relaxed) || !unread.is_empty() || !self.held.is_empty();
        if self.turn.is_owed.load(Relaxed) || !has_heard {
            return None;
        }
        let Some(error) = error.filter(|error| !error.is_timeout()) else {
            return Some(ApiError::TooSlow);
        };
        if is_of_other_version(unread) {
            let detail = "this node speaks HTTP/1.1".to_owned();
            return Some(ApiError::Rejected {
                status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                detail,
            });
        }
        let status = self.held.get(9..12);
        let is_long = error.is_incomplete_message() && HEAD_BYTES_MAX < unread.len();
        if is_long || status == Some(b"431") {
            let line = unread.iter().position(|byte| *byte == b'\n').unwrap_or(unread.len());
            let (fields_max, bytes_max) = (HEADER_FIELDS_MAX, HEADER_BYTES_MAX);
            return Some(match URI_BYTES_MAX < line {
                true => ApiError::UriTooLong { max: URI_BYTES_MAX },
                false => ApiError::HeaderTooLarge { fields_max, bytes_max },
            });
        }
        match status {
            Some(b"414") => Some(ApiError::UriTooLong { max: URI_BYTES_MAX }),
            None if !error.is_parse() && !error.is_incomplete_message() => None,
            _ => Some(ApiError::malformed(format!("not a request of HTTP/1.1: {error}"))),
        }
    }

    /// Tells it, and waits until the client has read it, or is not worth waiting for.
    pub(super) async fn refuse(mut self, error: &ApiError) {
        let told = async {
            let bytes = self.answer(error).await;
            self.stream.write_all(&bytes).await?;
            self.stream.shutdown().await?;
            let mut rest = (&mut self.stream).take(FAREWELL_BYTES_MAX);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
        };
        let _ = tokio::time::timeout(FAREWELL_WAIT_MAX, told).await;
    }

    async fn answer(&self, error: &ApiError) -> Vec<u8> {
        let (mut head, body) = crate::api::refused(error).into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let mut bytes = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
        head.headers.remove("content-length");
        for (name, value) in &head.headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        let date = self.held.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"date:"));
        if let Some(date) = date {
            bytes.extend_from_slice(date.trim_ascii());
            bytes.extend_from_slice(b"\r\n");
        }
        let rest = format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len());
        bytes.extend_from_slice(rest.as_bytes());
        if self.begun != HEAD {
            bytes.extend_from_slice(&body);
        }
        bytes
    }
}

/// Whether a request line asks, in the form that all versions have, for another than ours.
fn is_of_other_version(unread: &[u8]) -> bool {
    let line = unread.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let mut words = line.rsplitn(2, |byte| *byte == b' ');
    let version = words.next().and_then(|word| word.strip_prefix(b"HTTP/"));
    words.next().is_some()
        && matches!(version, Some([major, b'.', minor])
            if major.is_ascii_digit() && minor.is_ascii_digit() && *major != b'1')
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if before < buf.filled().len() && !self.turn.has_heard.swap(true, Relaxed) {
            self.begun = buf.filled()[before..].iter().take(HEAD.len()).copied().collect();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.turn.is_owed.load(Relaxed) {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        let room = HELD_BYTES_MAX.saturating_sub(self.held.len()).min(bytes.len());
        self.held.extend_from_slice(&bytes[..room]);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.turn.is_owed.load(Relaxed) {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.poll_write(cx, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.turn.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() {
            // The client is still to be told why.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
