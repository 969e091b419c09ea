//! The fuzz targets of `fuzz/` on a stable compiler: the corpus is replayed, then mutated a fixed
//! number of times from a fixed seed. `cargo +nightly fuzz` searches further.

#[path = "../../fuzz/targets/envelope.rs"]
mod envelope;
#[path = "../../fuzz/targets/epcis.rs"]
mod epcis;
#[path = "../../fuzz/targets/gs1.rs"]
mod gs1;

use std::path::Path;

/// Mutated inputs of each target.
const ROUNDS: usize = 100_000;
/// Most mutations of one input.
const MUTATIONS_MAX: usize = 4;
/// Longest input, so that insertions do not add up.
const BYTES_MAX: usize = 4096;

/// Pieces that readers look for.
const PIECES: [&[u8]; 14] = [
    b"^",
    b"\x1d",
    b"(01)",
    b"/01/",
    b"/21/",
    b"%2F",
    b"?17=",
    b"]Q3",
    b"|]e0",
    b"urn:epc:id:",
    b"<x:a>",
    b"\":{\"",
    b"\xa1",
    b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
];

/// xorshift64*: enough to mutate with, the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        value as usize % end.max(1)
    }
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .expect("a corpus")
        .map(|entry| entry.expect("a seed").path())
        .collect();
    paths.sort();
    assert!(10 < paths.len(), "the corpus of {target} is not where it was");
    paths.iter().map(|path| std::fs::read(path).expect("a seed")).collect()
}

fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len() + 1);
    match random.below(6) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.below(256) as u8,
        2 => drop(input.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
        3 => {
            let end = (at + 1 + random.below(8)).min(input.len());
            input.drain(at.min(end)..end);
        }
        4 => {
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let end = (at + 1 + random.below(16)).min(input.len());
            let piece = input[at.min(end)..end].to_vec();
            input.splice(at..at, piece);
        }
    }
    input.truncate(BYTES_MAX);
}

fn run(target: &str, check: fn(&[u8])) {
    let corpus = corpus(target);
    corpus.iter().for_each(|input| check(input));
    let mut random = Random(0x5eed);
    for round in 0..ROUNDS {
        let mut input = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(MUTATIONS_MAX) {
            let other = &corpus[random.below(corpus.len())];
            mutate(&mut input, other, &mut random);
        }
        let outcome = std::panic::catch_unwind(|| check(&input));
        assert!(outcome.is_ok(), "{target}, round {round}: {:?}", String::from_utf8_lossy(&input));
    }
}

#[test]
fn no_text_breaks_a_reader_of_gs1_data() {
    run("gs1", gs1::check);
}

#[test]
fn no_bytes_break_the_reader_of_attestations() {
    run("envelope", envelope::check);
}

#[test]
fn no_text_breaks_the_reader_of_epcis_documents() {
    run("epcis", epcis::check);
}
