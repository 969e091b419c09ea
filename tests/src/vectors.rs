//! Generates the golden vectors in `schemas/vectors/`: fixed keys, salts and times, so that any
//! implementation in any language must come to the same bytes.
//!
//! Keys are Ed25519 seeds of one repeated byte; the byte stands in each file.

use serde_json::{Value, json};

mod bodies;
mod exchange;
mod log;
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
    ]
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
}
