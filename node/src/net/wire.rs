//! What nodes ask one another over a libp2p stream, and how the answers are framed.
//!
//! One stream carries one question and one answer. A question is deterministic CBOR; an answer is a
//! status of HTTP (16 bits, big-endian) and the bytes that the route of the same name would send, so
//! that both roads mean the same.
//!
//! Invariants: nothing longer than its limit is read, and nothing is allocated from a claimed
//! length; a question that is not exactly one of [`Question`] ends its stream.

use std::io;
use std::sync::Arc;

use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::cbor;
use hallmark_schemas::hex;
use hallmark_schemas::tile::TilePath;
use libp2p::{StreamProtocol, request_response};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::api::{CHECKPOINT_REQUEST_BYTES_MAX, SUBMISSION_BYTES_MAX};

/// Most bodies of one question. The answer gives as many as fit.
pub const BODIES_MAX: usize = 256;
/// Bodies are answered until so many bytes are full; the one that goes over is still given.
pub const BODIES_BYTES: usize = 1 << 20;
/// Most bytes of a question: a submission in transit and its frame.
const QUESTION_BYTES_MAX: usize = SUBMISSION_BYTES_MAX + 64;
/// Most bytes of an answer: a full load of bodies with one more of 1 MiB, and their lengths.
pub const ANSWER_BYTES_MAX: usize = BODIES_BYTES + (1 << 20) + 4 * BODIES_MAX + 2;
const _: () = assert!(CHECKPOINT_REQUEST_BYTES_MAX < QUESTION_BYTES_MAX);
/// A question or an answer up to this size is read at once.
const SMALL_BYTES: usize = 64 << 10;
/// Of larger ones, so many are read at a time from all peers: 32 * 2 MiB.
pub(super) const LARGE_MAX: usize = 32;
/// Length of a body that is not given.
const NOT_GIVEN: u32 = 0;

/// The protocol, with its version.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/hallmark/ask/1");

/// What a node asks another.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// The newest checkpoint of the log with this hex SHA-256 of its origin, as whoever is asked
    /// has seen it: the note.
    Checkpoint {
        /// Which log.
        log: String,
    },
    /// The newest checkpoints of that log that whoever is asked has cosigned and has mirrored, framed
    /// as two bodies: they may be of two trees.
    Held {
        /// Which log.
        log: String,
    },
    /// A hash tile or an entry bundle of a log that whoever is asked keeps or mirrors.
    Tile {
        /// Which log.
        log: String,
        /// `tile/…`
        path: String,
    },
    /// Bodies by their ids, as far as the audience and the region admit who asks.
    Bodies {
        /// Which, at most [`BODIES_MAX`].
        ids: Vec<ContentId>,
    },
    /// A cosignature, by a request of tlog-witness.
    Cosign {
        /// `old …`, the proof, the note.
        #[serde(with = "serde_bytes")]
        request: Vec<u8>,
    },
    /// The network file in force.
    Network,
    /// Takes this attestation in, as `POST /entries` does.
    Submit {
        /// A COSE_Sign1.
        #[serde(with = "serde_bytes")]
        attestation: Vec<u8>,
    },
}

impl Question {
    /// Which kind of question, for counters and refusals.
    pub fn word(&self) -> &'static str {
        match self {
            Question::Checkpoint { .. } => "checkpoint",
            Question::Held { .. } => "held",
            Question::Tile { .. } => "tile",
            Question::Bodies { .. } => "bodies",
            Question::Cosign { .. } => "cosign",
            Question::Network => "network",
            Question::Submit { .. } => "submit",
        }
    }

    /// About how many bytes it took.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Question::Bodies { ids } => ids.len() * 36,
            Question::Cosign { request: bytes } | Question::Submit { attestation: bytes } => {
                bytes.len()
            }
            Question::Checkpoint { .. }
            | Question::Held { .. }
            | Question::Tile { .. }
            | Question::Network => 128,
        }
    }

    /// Checks what its fields say, so that whoever answers need not.
    fn parse(bytes: &[u8]) -> Result<Question, String> {
        let question: Question = cbor::from_slice(bytes).map_err(|e| e.to_string())?;
        let is_log = |log: &str| hex::decode_array::<32>(log).is_some();
        match &question {
            Question::Checkpoint { log } | Question::Held { log } if !is_log(log) => {
                Err("names no log".to_owned())
            }
            Question::Tile { log, path } if !is_log(log) || path.parse::<TilePath>().is_err() => {
                Err("names no tile".to_owned())
            }
            Question::Bodies { ids } if ids.is_empty() || BODIES_MAX < ids.len() => {
                Err(format!("asks for {} bodies", ids.len()))
            }
            Question::Cosign { request } if CHECKPOINT_REQUEST_BYTES_MAX < request.len() => {
                Err("is too long a request of a witness".to_owned())
            }
            _ => Ok(question),
        }
    }
}

/// What a node answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// As of HTTP.
    pub status: u16,
    /// What the status says is here.
    pub body: Vec<u8>,
}

impl Reply {
    /// 200 with these bytes.
    pub fn ok(body: Vec<u8>) -> Reply {
        Reply { status: 200, body }
    }

    /// Another status, with its reason as text.
    pub fn refused(status: u16, reason: impl Into<String>) -> Reply {
        Reply { status, body: reason.into().into_bytes() }
    }

    /// The body as text, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(200).collect()
    }
}

/// Frames bodies in the order in which they were asked for: length (32 bits, big-endian, 0 = not
/// given) and bytes. It ends early where [`BODIES_BYTES`] are full.
pub fn frame_bodies<E>(
    count: usize,
    mut next: impl FnMut(usize) -> Result<Option<Vec<u8>>, E>,
) -> Result<Vec<u8>, E> {
    let mut framed = Vec::new();
    for place in 0..count {
        if BODIES_BYTES <= framed.len() {
            break;
        }
        let body = next(place)?.unwrap_or_default();
        framed.extend_from_slice(&(body.len() as u32).to_be_bytes());
        framed.extend_from_slice(&body);
    }
    Ok(framed)
}

/// The bodies of an answer: of each that was answered, what was given. Fewer than were asked for
/// means: ask for the rest again. `None` if it is no such answer.
pub fn parse_bodies(mut framed: &[u8], asked: usize) -> Option<Vec<Option<Vec<u8>>>> {
    let mut bodies = Vec::new();
    while let Some((length, rest)) = framed.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length);
        let (body, rest) = rest.split_at_checked(length as usize)?;
        bodies.push((length != NOT_GIVEN).then(|| body.to_vec()));
        framed = rest;
    }
    let is_whole = framed.is_empty() && !bodies.is_empty() && bodies.len() <= asked;
    is_whole.then_some(bodies)
}

/// Reads and writes [`Question`] and [`Reply`].
#[derive(Clone, Debug)]
pub struct Codec {
    /// Room for large ones that are being read, of all peers.
    large: Arc<Semaphore>,
}

impl Default for Codec {
    fn default() -> Codec {
        Codec { large: Arc::new(Semaphore::new(LARGE_MAX)) }
    }
}

impl Codec {
    /// Everything up to the end of the stream, at most `max` bytes. A large message waits for room,
    /// at most as long as its stream lives.
    async fn whole<T>(&self, io: &mut T, max: usize) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = Vec::new();
        io.take(SMALL_BYTES.min(max + 1) as u64).read_to_end(&mut bytes).await?;
        if bytes.len() == SMALL_BYTES {
            let _room = self.large.acquire().await.map_err(io::Error::other)?;
            io.take((max + 1).saturating_sub(SMALL_BYTES) as u64).read_to_end(&mut bytes).await?;
        }
        if max < bytes.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than it may be"));
        }
        Ok(bytes)
    }
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Result<Question, String>;
    type Response = Reply;

    /// A malformed question is handed on as such: whoever sent it is to be told of and counted.
    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        match self.whole(io, QUESTION_BYTES_MAX).await {
            Ok(bytes) => Ok(Question::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Reply>
    where
        T: AsyncRead + Unpin + Send,
    {
        let bytes = self.whole(io, ANSWER_BYTES_MAX).await?;
        let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer was cut off");
        let (status, body) = bytes.split_first_chunk::<2>().ok_or_else(cut)?;
        Ok(Reply { status: u16::from_be_bytes(*status), body: body.to_vec() })
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        question: Self::Request,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let question = question.map_err(io::Error::other)?;
        let bytes = cbor::to_vec(&question).map_err(io::Error::other)?;
        io.write_all(&bytes).await?;
        io.close().await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        reply: Reply,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&reply.status.to_be_bytes()).await?;
        io.write_all(&reply.body).await?;
        io.close().await
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn questions() -> Vec<Question> {
        let log = "ab".repeat(32);
        vec![
            Question::Checkpoint { log: log.clone() },
            Question::Held { log: log.clone() },
            Question::Tile { log, path: "tile/entries/000".to_owned() },
            Question::Bodies { ids: vec![ContentId::of(b"a"), ContentId::of(b"b")] },
            Question::Cosign { request: b"old 0\n\n".to_vec() },
            Question::Network,
            Question::Submit { attestation: vec![0xd2, 0x84] },
        ]
    }

    #[test]
    fn each_question_is_read_as_it_was_asked() {
        for question in questions() {
            let bytes = cbor::to_vec(&question).unwrap();
            assert_eq!(Question::parse(&bytes), Ok(question.clone()), "{}", question.word());
            for cut in 0..bytes.len() {
                assert!(Question::parse(&bytes[..cut]).is_err());
            }
        }
    }

    #[test]
    fn a_question_beyond_its_limits_is_refused() {
        let log = "ab".repeat(32);
        let ids = vec![ContentId::of(b"a"); BODIES_MAX + 1];
        for question in [
            Question::Checkpoint { log: "ab".to_owned() },
            Question::Held { log: "ab".to_owned() },
            Question::Tile { log: log.clone(), path: "tile/entries/0".to_owned() },
            Question::Tile { log: log.to_uppercase() + "x", path: "tile/0/000".to_owned() },
            Question::Bodies { ids: Vec::new() },
            Question::Bodies { ids },
            Question::Cosign { request: vec![0; CHECKPOINT_REQUEST_BYTES_MAX + 1] },
        ] {
            let bytes = cbor::to_vec(&question).unwrap();
            assert!(Question::parse(&bytes).is_err(), "{question:?}");
        }
    }

    #[test]
    fn an_answer_ends_where_it_is_full_and_the_rest_is_asked_for_again() {
        let large = vec![7; BODIES_BYTES / 2 + 1];
        let framed = frame_bodies::<Infallible>(4, |_| Ok(Some(large.clone()))).unwrap();
        let bodies = parse_bodies(&framed, 4).unwrap();
        assert_eq!(bodies, vec![Some(large.clone()); 2]);
        assert_eq!(parse_bodies(&framed, 1), None, "more than was asked for");
        assert_eq!(parse_bodies(&[], 1), None, "nothing at all");
        let withheld = frame_bodies::<Infallible>(2, |_| Ok(None)).unwrap();
        assert_eq!(parse_bodies(&withheld, 2), Some(vec![None, None]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Question::parse(&bytes);
            let _ = parse_bodies(&bytes, 3);
        }
    }
}
