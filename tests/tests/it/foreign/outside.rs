//! A witness that shares no code with a node's: what C2SP tlog-witness asks for, and nothing else. It
//! can be told to lie.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use hallmark_schemas::head::Head;
use hallmark_schemas::key::SecretKey;
use hallmark_schemas::merkle::{Hash, verify_consistency};
use hallmark_schemas::note::{NoteSignature, NoteSigner, SignedNote, VerifierKey};
use hallmark_schemas::time::Timestamp;

/// What it does with a request.
#[derive(Clone, Copy)]
pub(super) enum Mood {
    /// What the specification says.
    Honest,
    /// Always this status and body.
    Says(u16, &'static str),
    /// What the specification says, at so many seconds after 1970.
    States(u64),
}

/// What its thread shares with the test.
struct Shared {
    signer: NoteSigner,
    mood: Mutex<Mood>,
    seen: Mutex<BTreeMap<String, Head>>,
    ends: AtomicBool,
}

/// It answers until it is dropped.
pub(super) struct Outside {
    shared: Arc<Shared>,
    name: &'static str,
    address: String,
}

impl Outside {
    pub(super) fn new(name: &'static str, seed: u8) -> Outside {
        let key = Arc::new(SecretKey::from_seed([seed; 32]));
        let signer = NoteSigner::witness(name, key).expect("a name");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let shared = Arc::new(Shared {
            signer,
            mood: Mutex::new(Mood::Honest),
            seen: Mutex::default(),
            ends: AtomicBool::new(false),
        });
        let of = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if of.ends.load(Ordering::Acquire) {
                    return;
                }
                // Whoever asked may have gone.
                let _ = of.answer(stream);
            }
        });
        Outside { shared, name, address }
    }

    pub(super) fn is(&self, mood: Mood) {
        *self.shared.mood.lock().expect("no panic") = mood;
    }

    /// As `--foreign-witness` takes it.
    pub(super) fn line(&self) -> String {
        format!("{} http://{}", self.key(), self.address)
    }

    pub(super) fn key(&self) -> &VerifierKey {
        self.shared.signer.vkey()
    }

    pub(super) fn sign(&self, text: &str, at: Timestamp) -> NoteSignature {
        self.shared.signer.sign(text, at).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Release);
        drop(TcpStream::connect(&self.address));
    }
}

impl Shared {
    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let (status, text) = match first.starts_with("POST /add-checkpoint ") {
            true => self.add_checkpoint(&String::from_utf8_lossy(&body)),
            false => (501, String::new()),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        reader.get_mut().write_all(format!("{head}{text}").as_bytes())
    }

    fn add_checkpoint(&self, request: &str) -> (u16, String) {
        let mood = *self.mood.lock().expect("no panic");
        if let Mood::Says(status, text) = mood {
            return (status, text.to_owned());
        }
        let Some((old, proof, note)) = parsed(request) else {
            return (400, String::new());
        };
        let Ok(checkpoint) = note.checkpoint() else {
            return (400, String::new());
        };
        let mut seen = self.seen.lock().expect("no panic");
        let known = seen.get(&checkpoint.origin).copied().unwrap_or(Head::EMPTY);
        if checkpoint.size < old {
            return (400, String::new());
        }
        if old != known.size {
            return (409, format!("{}\n", known.size));
        }
        let next = Head { size: checkpoint.size, root: checkpoint.root };
        let leads = verify_consistency(old, &known.root, next.size, &next.root, &proof);
        if leads.is_err() || (known.size == next.size && known.root != next.root) {
            return (422, String::new());
        }
        seen.insert(checkpoint.origin, next);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let seconds = if let Mood::States(seconds) = mood { seconds } else { now };
        let line = self.signer.sign(note.text(), Timestamp::from_unix_ms(seconds * 1000));
        (200, format!("{}\n", line.expect("it has its key")))
    }
}

/// `old <size>`, hashes, an empty line, the note.
fn parsed(request: &str) -> Option<(u64, Vec<Hash>, SignedNote)> {
    let (head, note) = request.split_once("\n\n")?;
    let mut lines = head.lines();
    let old = lines.next()?.strip_prefix("old ")?.parse().ok()?;
    let proof = lines.map(|line| unbase64(line)?.try_into().ok()).collect::<Option<_>>()?;
    Some((old, proof, SignedNote::parse(note.as_bytes()).ok()?))
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | alphabet.iter().position(|one| *one == letter)? as u32;
        held += 6;
        if 8 <= held {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}
