//! `trace`: the way of an item, lot or container, from the running node or from any node by HTTP.

use std::path::Path;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::goods::GoodsId;

use super::{running, wait_for};
use crate::cli::{Format, Output, TraceArgs};
use crate::client::{Answer, Ask, Client};
use crate::failure::Failure;

/// Prints what the node answers; that nothing is known is an answer too.
pub(super) fn run(args: &TraceArgs, output: Output) -> Result<Exit, Failure> {
    let goods = GoodsId::by_hand(&args.goods).map_err(|e| {
        Failure::usage("no goods to trace").because(&e).help(
            "give the address that a label prints, an element string such as (01)…(21)…, an EPC \
             URN or urn:hallmark:goods:<scheme>:<value>",
        )
    })?;
    let form = match output.format {
        Format::Text => "text",
        Format::Json => "json",
        Format::Dot => "dot",
        _ => {
            return Err(Failure::usage("a trace is not written in this format")
                .help("--format text, json or dot"));
        }
    };
    let path = format!("/v1/trace/{}?format={form}", goods.path_segment());
    let answer = wait_for(ask(args, &path))?;
    match answer.status {
        200 => {
            output.bytes(&answer.body)?;
            if output.format == Format::Json {
                output.bytes(b"\n")?;
            }
            let told = match form {
                "json" => answer,
                _ => {
                    wait_for(ask(args, &format!("/v1/trace/{}?format=json", goods.path_segment())))?
                }
            };
            Ok(if is_damaged(&told) { Exit::Broken } else { Exit::Done })
        }
        404 => {
            output.verdict("unknown", format!("no event there that you may see names {goods}"));
            Ok(Exit::Done)
        }
        401 | 403 => Err(Failure::usage(format!("the node refuses the token: {}", answer.text()))
            .help(
                "make one: hallmark-node token DIR --scope read --audience <origin of the node>",
            )),
        408 | 429 | 503 => Err(Failure::busy(format!("the node is busy: {}", answer.text()))),
        status => Err(Failure::fault(format!("the node answers {status}: {}", answer.text()))),
    }
}

/// Whether a body of the trace is damaged at the node that answered.
fn is_damaged(told: &Answer) -> bool {
    let view: serde_json::Value = serde_json::from_slice(&told.body).unwrap_or_default();
    let logs = view["logs"].as_array().map_or(&[][..], Vec::as_slice);
    logs.iter().any(|log| log["bodies_damaged"].as_u64().is_some_and(|count| 0 < count))
}

async fn ask(args: &TraceArgs, path: &str) -> Result<Answer, Failure> {
    let token = args.token_file.as_deref().map(read_token).transpose()?;
    let ask = Ask { token: token.as_deref(), ..Ask::default() };
    if !args.node.starts_with("http://") && !args.node.starts_with("https://") {
        return running(Path::new(&args.node)).await?.ask(path, ask).await;
    }
    let client = Client::new().map_err(|e| Failure::fault("cannot speak HTTP").because(&e))?;
    let url = format!("{}{path}", args.node.trim_end_matches('/'));
    let answer = client.ask(&url, ask).await;
    answer.map_err(|e| {
        Failure::busy("the node does not answer").because(&e).help("is the URL right?")
    })
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("cannot read {}", path.display())).because(&e))?;
    // `hallmark-node token` prints it alone on its last line.
    Ok(text.lines().last().unwrap_or_default().trim().to_owned())
}
