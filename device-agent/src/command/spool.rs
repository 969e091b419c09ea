//! `spool`: what waits for a receipt, and what the node refused.

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::exit::Exit;
use serde_json::json;

use crate::cli::{DirArgs, Output};
use crate::command::status::require_folder;
use crate::failure::Failure;
use crate::layout::Layout;
use crate::spool::Class;
use crate::spool::peek::{self, Waiting};

pub(super) fn run(args: &DirArgs, out: &Output) -> Result<Exit, Failure> {
    let layout = Layout::new(&args.dir);
    require_folder(&layout)?;
    let seen = peek::peek(&layout.spool())
        .map_err(|error| Failure::fault("cannot read the spool").because(&error))?;
    for entry in &seen.waiting {
        show(entry, out);
    }
    for entry in &seen.refused {
        let id = format!("sha256:{}", entry.id);
        let json = json!({ "state": "refused", "id": id, "reason": entry.reason,
            "file": entry.path.display().to_string() });
        out.item(format!("refused {id}: {}", entry.reason), &json);
    }
    let (waiting, refused) = (seen.waiting.len(), seen.refused.len());
    out.verdict(
        if waiting == 0 { "empty" } else { "pending" },
        format!("{waiting} wait for a receipt, {refused} refused, {} bytes", seen.bytes),
    );
    Ok(if 0 < refused { Exit::Found } else { Exit::Done })
}

fn show(entry: &Waiting, out: &Output) {
    let sequence = match entry.class {
        Class::Batch { sequence } => Some(sequence),
        Class::Scan => None,
    };
    let envelope = Envelope::parse(&entry.body).ok();
    let kind = envelope.as_ref().map_or("damaged", |envelope| envelope.kind().as_str());
    let at = envelope.as_ref().map(|envelope| envelope.claims().iat.to_string());
    let json = json!({ "state": "pending", "id": entry.id, "kind": kind, "sequence": sequence,
        "signed_at": at, "bytes": entry.body.len() });
    let number = sequence.map_or(String::new(), |sequence| format!(" {sequence}"));
    let at = at.unwrap_or_default();
    out.item(format!("pending {} {kind}{number} {at}", entry.id), &json);
}
