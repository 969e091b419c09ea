//! What nodes ask one another over a libp2p stream, and how the answers are framed.
//!
//! One stream carries one question and one answer. A question is deterministic CBOR; an answer is a
//! status of HTTP (16 bits, big-endian) and the bytes that the route of the same name would send, so
//! that both roads mean the same.
//!
//! Invariants: nothing longer than its limit is read, and nothing is allocated from a claimed
//! length; a question that is not exactly one of [`Question`] ends its stream, and so does one that
//! does not go on; a peer's large messages wait for that peer's room (`traffic.rs`), so that one
//! that sends slowly holds up nobody else.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::cbor;
use hallmark_schemas::hex;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::Timestamp;
use libp2p::{StreamProtocol, request_response};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::traffic::{OfPeer, Room, Traffic};
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
/// So many more bytes of a message come within [`Patience::part`], or its end.
const PART_BYTES: usize = 8 << 10;
/// How long whoever sends is waited for; all of it is less than a stream lives.
const PATIENCE: Patience = Patience {
    part: Duration::from_secs(5),
    large: Duration::from_secs(20),
    own_room: Duration::from_secs(25),
};
/// What a stream costs beside its message: names of protocols and frames.
const STREAM_BYTES: usize = 512;
/// Most bytes of the reason why one is kept out.
pub const REASON_BYTES_MAX: usize = 512;
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
    /// No question: whoever sends it keeps the other out, until when and why.
    KeptOut {
        /// Until when.
        until: Timestamp,
        /// Why, in at most [`REASON_BYTES_MAX`].
        because: String,
    },
    /// Which defect proofs whoever is asked keeps: their digests, one a line.
    Defects,
    /// One of them.
    Defect {
        /// Its hex SHA-256.
        digest: String,
    },
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
            Question::KeptOut { .. } => "kept_out",
            Question::Defects => "defects",
            Question::Defect { .. } => "defect",
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
            | Question::Network
            | Question::Defects
            | Question::Defect { .. }
            | Question::KeptOut { .. } => 128,
        }
    }

    /// Checks what its fields say, so that whoever answers need not.
    fn parse(bytes: &[u8]) -> Result<Question, String> {
        let question: Question = cbor::from_slice(bytes).map_err(|e| e.to_string())?;
        let is_hash = |text: &str| hex::decode_array::<32>(text).is_some();
        match &question {
            Question::Checkpoint { log } | Question::Held { log } if !is_hash(log) => {
                Err("names no log".to_owned())
            }
            Question::Tile { log, path } if !is_hash(log) || path.parse::<TilePath>().is_err() => {
                Err("names no tile".to_owned())
            }
            Question::Defect { digest } if !is_hash(digest) => Err("names no proof".to_owned()),
            Question::Bodies { ids } if ids.is_empty() || BODIES_MAX < ids.len() => {
                Err(format!("asks for {} bodies", ids.len()))
            }
            Question::Cosign { request } if CHECKPOINT_REQUEST_BYTES_MAX < request.len() => {
                Err("is too long a request of a witness".to_owned())
            }
            Question::KeptOut { because, .. } if REASON_BYTES_MAX < because.len() => {
                Err("has too long a reason".to_owned())
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

/// Longest waits for a message.
#[derive(Clone, Copy)]
struct Patience {
    /// For the next part of it.
    part: Duration,
    /// For all of a large one, once there is room.
    large: Duration,
    /// For the peer's other large ones to end.
    own_room: Duration,
}

/// That a peer began a message and does not go on.
#[derive(Debug, thiserror::Error)]
#[error("it does not go on")]
struct Stalled;

fn stalled<E>(_: E) -> io::Error {
    io::Error::other(Stalled)
}

/// Why what came is no question.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unasked {
    /// It is whole, and none.
    #[error("{0}")]
    Malformed(String),
    /// It was begun.
    #[error("it does not go on")]
    Stalled,
}

/// Whether an answer ended because its peer did not go on.
pub(super) fn is_stalled(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Stalled>())
}

/// Reads and writes [`Question`] and [`Reply`].
///
/// The first one is of no peer; a copy that is made while the traffic names a peer is that peer's,
/// and so are its copies.
pub struct Codec {
    traffic: Arc<Traffic>,
    peer: Option<Arc<OfPeer>>,
    patience: Patience,
}

impl Clone for Codec {
    fn clone(&self) -> Codec {
        let peer = self.peer.clone().or_else(|| self.traffic.of_present());
        Codec { traffic: Arc::clone(&self.traffic), peer, patience: self.patience }
    }
}

impl Codec {
    pub(super) fn new(traffic: Arc<Traffic>) -> Codec {
        Codec { traffic, peer: None, patience: PATIENCE }
    }

    fn of_peer(&self) -> io::Result<Arc<OfPeer>> {
        self.peer.clone().ok_or_else(|| io::Error::other("a stream of nobody"))
    }

    /// Everything up to the end of the stream, at most `max` bytes, of which the first are there.
    async fn whole<T>(
        &self,
        io: &mut T,
        mut bytes: Vec<u8>,
        max: usize,
        room: impl Fn(&OfPeer) -> &Room,
    ) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let (peer, patience) = (self.of_peer()?, self.patience);
        parts(io, &mut bytes, SMALL_BYTES.min(max + 1), &peer, patience.part).await?;
        if !bytes.is_empty() {
            peer.brought(STREAM_BYTES);
        }
        if bytes.len() == SMALL_BYTES {
            let room = room(&peer);
            let own = timeout(patience.own_room, room.own.acquire()).await.map_err(stalled)?;
            let _own = own.map_err(io::Error::other)?;
            // That all peers together need more than there is is no fault of this one.
            let _all = room.all.acquire().await.map_err(io::Error::other)?;
            let rest = parts(io, &mut bytes, max + 1, &peer, patience.part);
            timeout(patience.large, rest).await.map_err(stalled)??;
        }
        if max < bytes.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than it may be"));
        }
        Ok(bytes)
    }
}

/// Reads until there are `max` bytes, or the stream ends; part after part, each within its time.
async fn parts<T>(
    io: &mut T,
    bytes: &mut Vec<u8>,
    max: usize,
    peer: &OfPeer,
    wait_max: Duration,
) -> io::Result<()>
where
    T: AsyncRead + Unpin + Send,
{
    while bytes.len() < max {
        let wanted = PART_BYTES.min(max - bytes.len());
        let mut part = (&mut *io).take(wanted as u64);
        let read = timeout(wait_max, part.read_to_end(bytes)).await.map_err(stalled)??;
        peer.brought(read + read / 8);
        if read < wanted {
            break;
        }
    }
    Ok(())
}

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Result<Question, Unasked>;
    type Response = Reply;

    /// What is no question is handed on as such: whoever sent it is to be told of and counted. A
    /// stream that ends before anything came is that of a connection that ends.
    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        let read = self.whole(io, Vec::new(), QUESTION_BYTES_MAX, |peer| &peer.questions).await;
        match read {
            Ok(bytes) if bytes.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => Ok(Question::parse(&bytes).map_err(Unasked::Malformed)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Ok(Err(Unasked::Malformed(error.to_string())))
            }
            Err(error) if is_stalled(&error) => Ok(Err(Unasked::Stalled)),
            Err(error) => Err(error),
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Reply>
    where
        T: AsyncRead + Unpin + Send,
    {
        // It may take long to begin.
        let mut first = Vec::new();
        (&mut *io).take(1).read_to_end(&mut first).await?;
        let bytes = self.whole(io, first, ANSWER_BYTES_MAX, |peer| &peer.answers).await?;
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

    use futures_util::io::Cursor;
    use libp2p::PeerId;
    use libp2p::request_response::Codec as _;
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
            Question::KeptOut { until: Timestamp::EPOCH, because: "forged: gossip".to_owned() },
            Question::Defects,
            Question::Defect { digest: "cd".repeat(32) },
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
            Question::Defect { digest: "cd".to_owned() },
            Question::Tile { log: log.to_uppercase() + "x", path: "tile/0/000".to_owned() },
            Question::Bodies { ids: Vec::new() },
            Question::Bodies { ids },
            Question::KeptOut { until: Timestamp::EPOCH, because: "x".repeat(513) },
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

    /// A stream that gives some bytes and then neither more nor its end.
    struct Unfinished(Cursor<Vec<u8>>);

    impl AsyncRead for Unfinished {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            buf: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            match std::pin::Pin::new(&mut self.0).poll_read(cx, buf) {
                std::task::Poll::Ready(Ok(0)) => std::task::Poll::Pending,
                other => other,
            }
        }
    }

    fn codec(traffic: &Arc<Traffic>, peer: PeerId) -> Codec {
        let mut first = Codec::new(Arc::clone(traffic));
        let ms = Duration::from_millis;
        first.patience = Patience { part: ms(500), large: ms(2000), own_room: ms(1000) };
        traffic.set_present(Some(peer));
        let own = first.clone();
        traffic.set_present(None);
        own
    }

    #[tokio::test]
    async fn questions_that_do_not_go_on_end_and_hold_up_no_other_peer_and_no_answer() {
        let traffic = Arc::new(Traffic::default());
        let (slow, honest) = (PeerId::random(), PeerId::random());
        let large = Question::Submit { attestation: vec![7; 3 * SMALL_BYTES] };
        let bytes = cbor::to_vec(&large).unwrap();
        let unfinished = (0..64).map(|_| {
            let (mut codec, bytes) = (codec(&traffic, slow), bytes[..70 << 10].to_vec());
            tokio::spawn(async move {
                codec.read_request(&PROTOCOL, &mut Unfinished(Cursor::new(bytes))).await
            })
        });
        let unfinished: Vec<_> = unfinished.collect();
        tokio::task::yield_now().await;
        let mut io = Cursor::new(bytes.clone());
        let read = codec(&traffic, honest).read_request(&PROTOCOL, &mut io).await.unwrap();
        assert_eq!(read, Ok(large));
        let reply = [vec![0, 200], vec![7; 1 << 20]].concat();
        let mut io = Cursor::new(reply);
        let reply = codec(&traffic, slow).read_response(&PROTOCOL, &mut io).await.unwrap();
        assert_eq!((reply.status, reply.body.len()), (200, 1 << 20));
        assert!(unfinished.iter().all(|question| !question.is_finished()), "they still wait");
        for question in unfinished {
            assert_eq!(question.await.unwrap().unwrap(), Err(Unasked::Stalled));
        }
        let mut small = Unfinished(Cursor::new(vec![7; 10]));
        let read = codec(&traffic, slow).read_request(&PROTOCOL, &mut small).await.unwrap();
        assert_eq!(read, Err(Unasked::Stalled));
        let mut answer = Unfinished(Cursor::new(vec![0; 10]));
        let error = codec(&traffic, slow).read_response(&PROTOCOL, &mut answer).await.unwrap_err();
        assert!(is_stalled(&error) && !is_stalled(&io::Error::other("broken")));
        let mut ended = Cursor::new(Vec::new());
        codec(&traffic, slow).read_request(&PROTOCOL, &mut ended).await.unwrap_err();
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Question::parse(&bytes);
            let _ = parse_bodies(&bytes, 3);
        }
    }
}
