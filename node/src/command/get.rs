//! `get` and `receipt`: one attestation, one receipt.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::proof::LogProof;
use hallmark_schemas::receipt::Receipt;

use super::{running, wait_for};
use crate::cli::{Format, GetArgs, Output};
use crate::client::Ask;
use crate::failure::Failure;

/// `get`: as JSON, or the stored COSE_Sign1 bytes with `--format cbor`.
pub(super) fn attestation(args: &GetArgs, output: Output) -> Result<Exit, Failure> {
    let id = parse(&args.id)?;
    let accept = match output.format {
        Format::Cbor => "application/cose",
        _ => "application/json",
    };
    let answer = wait_for(async {
        let local = running(&args.dir).await?;
        let path = format!("/v1/attestations/{id}");
        local.ask(&path, Ask { accept: Some(accept), ..Ask::default() }).await
    })?;
    match answer.status {
        200 if output.format == Format::Cbor => output.bytes(&answer.body)?,
        200 => {
            let view: serde_json::Value = serde_json::from_slice(&answer.body)
                .map_err(|e| Failure::fault("the node's answer is no JSON").because(&e))?;
            let pretty = serde_json::to_string_pretty(&view).unwrap_or_default();
            output.item(pretty, &view);
        }
        404 => return Err(unknown(&id)),
        410 => {
            return Err(Failure::new(Exit::Incomplete, format!("the body of {id} was erased"))
                .note(answer.text())
                .help("its place stays provable: hallmark-node receipt DIR ID"));
        }
        status => {
            return Err(Failure::fault(format!("the node answers {status}: {}", answer.text())));
        }
    }
    output.say(format!("found: {id}"));
    Ok(Exit::Done)
}

/// `receipt`: the COSE receipt, bytes on stdout; in base64 with `--format json`; the same as
/// `tlog-proof` text with `--format tlog-proof`.
pub(super) fn receipt(args: &GetArgs, output: Output) -> Result<Exit, Failure> {
    let id = parse(&args.id)?;
    let answer = wait_for(async {
        let local = running(&args.dir).await?;
        local.get(&format!("/entries/{id}")).await
    })?;
    match answer.status {
        200 => {
            match output.format {
                Format::Json => {
                    let receipt = STANDARD.encode(&answer.body);
                    output.item("", &serde_json::json!({ "id": id, "receipt": receipt }));
                }
                Format::TlogProof => {
                    let receipt = Receipt::parse(&answer.body).map_err(|e| {
                        Failure::fault("the node's answer is no receipt").because(&e)
                    })?;
                    output.bytes(&LogProof::of_receipt(&receipt).to_bytes())?;
                }
                _ => output.bytes(&answer.body)?,
            }
            output.say(format!("recorded: {id}"));
            Ok(Exit::Done)
        }
        302 => {
            let standing = answer.standing.as_deref().unwrap_or("stored");
            Err(Failure::busy(format!("{id} is {standing}, there is no receipt yet"))
                .help("ask again when the next checkpoint is published"))
        }
        404 => Err(unknown(&id)),
        status => Err(Failure::fault(format!("the node answers {status}: {}", answer.text()))),
    }
}

pub(super) fn parse(text: &str) -> Result<ContentId, Failure> {
    let full = if text.starts_with("sha256:") { text.to_owned() } else { format!("sha256:{text}") };
    full.parse().map_err(|e| {
        Failure::usage("wrong id")
            .because(&e)
            .help("an id is sha256: and 64 lower-case hex digits, as `submit` prints it")
    })
}

pub(super) fn unknown(id: &ContentId) -> Failure {
    Failure::input(format!("nothing here has the id {id}"))
        .help("another node may hold it; `hallmark-node status` tells what is mirrored")
}
