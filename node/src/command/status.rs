//! `status`: how the node and its log are.

use hallmark_schemas::exit::Exit;
use serde_json::Value;

use super::{running, wait_for};
use crate::cli::{DirArgs, Output};
use crate::failure::Failure;

/// Asks the running node.
pub(super) fn run(args: &DirArgs, output: Output) -> Result<Exit, Failure> {
    let answer = wait_for(async { running(&args.dir).await?.get("/local/status").await })?;
    let view: Value = serde_json::from_slice(&answer.body)
        .map_err(|e| Failure::fault("the node's answer is no JSON").because(&e))?;
    let mut lines = Vec::new();
    flatten("", &view, &mut lines);
    output.item(lines.join("\n"), &view);
    advice(&view).into_iter().for_each(|line| output.say(line));
    if view["ready"].as_bool() == Some(true) {
        output.verdict("ready", format!("{} entries published", view["published_size"]));
        return Ok(Exit::Done);
    }
    let parts = view["readiness"].as_object().into_iter().flatten();
    let missing: Vec<String> = parts
        .filter_map(|(part, word)| Some((part, word.as_str()?)))
        .filter(|(_, word)| !matches!(*word, "ready" | "none"))
        .map(|(part, word)| format!("{part} {word}"))
        .collect();
    output.verdict("not ready", missing.join(", "));
    Ok(Exit::Busy)
}

/// What to do about what the node serves on beside.
fn advice(view: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let count = |key: &str| view[key].as_u64().unwrap_or(0);
    let damaged = count("damaged_records") + count("damaged_tiles");
    if 0 < damaged {
        lines.push(format!(
            "warning: {damaged} records or tiles were found lost or damaged, of this log or of copies \
             of others"
        ));
        lines.push(
            "help: `hallmark-node check DIR --repair` fetches them from peers while this node runs"
                .to_owned(),
        );
    }
    let proofs = view["defect_proofs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    lines.extend(proofs.map(|proof| format!("warning: proved against this log: {proof}")));
    lines
}

fn flatten(prefix: &str, value: &Value, lines: &mut Vec<String>) {
    let name = |key: &str| {
        if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
    };
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| flatten(&name(key), value, lines));
        }
        Value::Array(list) => {
            let items = list.iter().enumerate();
            items.for_each(|(index, value)| flatten(&name(&index.to_string()), value, lines));
        }
        Value::Null if prefix == "judged_as_of" => {
            lines.push(format!("{prefix:<28} not judged yet"));
        }
        Value::String(text) => lines.push(format!("{prefix:<28} {text}")),
        other => lines.push(format!("{prefix:<28} {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_comes_with_the_command_that_mends_it_and_a_proof_against_the_log_is_told() {
        let view = |damaged: u64| serde_json::json!({ "damaged_records": damaged, "damaged_tiles": 0, "defect_proofs": [] });
        assert!(advice(&view(0)).is_empty());
        let told = advice(&view(2));
        assert!(
            told[0].starts_with("warning: 2 records") && told[1].contains("check DIR --repair")
        );
        let accused = serde_json::json!({ "defect_proofs": ["split: it signed two histories"] });
        assert_eq!(advice(&accused).len(), 1);
    }

    #[test]
    fn a_node_that_has_not_judged_says_so_and_names_no_year() {
        let view = serde_json::json!({ "findings": 0, "judged_as_of": null, "published_at": null });
        let mut lines = Vec::new();
        flatten("", &view, &mut lines);
        assert!(lines.iter().any(|line| line.ends_with(" not judged yet")), "{lines:?}");
        assert!(lines.iter().any(|line| line.ends_with(" null")), "{lines:?}");
    }
}
