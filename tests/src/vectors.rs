//! Generates the golden vectors in `schemas/vectors/`: fixed keys, salts and times, so that any
//! implementation in any language must come to the same bytes.
//!
//! Keys are Ed25519 seeds of one repeated byte; the byte stands in each file.

use serde_json::{Value, json};

mod bodies;
pub mod defects;
mod exchange;
mod goods;
mod labels;
mod log;
pub mod passport;
mod refused;
mod world;

/// Every generated file under `schemas/vectors/`, by name.
pub fn files() -> Vec<(&'static str, Value)> {
    vec![
        ("attestations.json", bodies::vectors()),
        ("refused.json", refused::vectors()),
        ("network.json", world::vectors()),
        ("log.json", log::vectors()),
        ("exchange.json", exchange::vectors()),
        ("passport.json", passport::vectors()),
        ("labels.json", labels::vectors()),
        ("defects.json", defects::vectors()),
    ]
}

/// The seeds of the fuzz target `envelope`, by name: the valid attestations.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let seed =
        |sample: bodies::Sample| (sample.name.replace(' ', "-"), sample.envelope.stored().to_vec());
    bodies::samples().into_iter().map(seed).collect()
}

fn hex(bytes: &[u8]) -> Value {
    json!(hallmark_schemas::hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn generated_golden_vectors_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/vectors");
        let update = std::env::var_os("UPDATE").is_some();
        for (name, value) in files() {
            let path = folder.join(name);
            let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
            if update {
                std::fs::write(&path, &text).unwrap();
            }
            let found = std::fs::read_to_string(&path).unwrap_or_default();
            let help = "rewrite it with: UPDATE=1 cargo test -p hallmark-tests generated";
            assert!(found == text, "schemas/vectors/{name} is stale; {help}");
        }
    }

    #[test]
    fn generated_fuzz_seeds_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/envelope");
        for (name, bytes) in seeds() {
            let path = folder.join(&name);
            if std::env::var_os("UPDATE").is_some() {
                std::fs::write(&path, &bytes).unwrap();
            }
            let found = std::fs::read(&path).unwrap_or_default();
            let help = "rewrite it with: UPDATE=1 cargo test -p hallmark-tests generated";
            assert!(found == bytes, "fuzz/corpus/envelope/{name} is stale; {help}");
        }
    }

    /// The bytes of a page's `hex` blocks, without comments, and its `note` and `token` blocks.
    fn examples(page: &str) -> Vec<String> {
        let blocks = page.split("```").skip(1).step_by(2);
        let code = |line: &str| line.split("  #").next().unwrap_or_default().trim().to_owned();
        let example = |block: &str| {
            let (kind, text) = block.split_once('\n')?;
            match kind {
                "hex" => Some(text.lines().map(code).collect::<String>()),
                "note" | "token" => Some(text.trim_end().to_owned()),
                _ => None,
            }
        };
        blocks.filter_map(example).collect()
    }

    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
            Value::Object(members) => members.values().for_each(|value| texts(value, found)),
            _ => {}
        }
    }

    #[test]
    fn examples_in_the_specification_are_those_of_the_vectors() {
        let mut known = Vec::new();
        files().iter().for_each(|(_, value)| texts(value, &mut known));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/spec");
        let mut pages = 0;
        for page in std::fs::read_dir(folder).unwrap() {
            let path = page.unwrap().path();
            let examples = examples(&std::fs::read_to_string(&path).unwrap());
            assert!(!examples.is_empty(), "{} has no example", path.display());
            for example in examples {
                let found = known.iter().any(|text| text.contains(&example));
                assert!(found, "{}: in no vector: {example}", path.display());
            }
            pages += 1;
        }
        assert_eq!(pages, 10);
    }
}
