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
    let goods = goods_by_hand(&args.goods)?;
    let form = match output.format {
        Format::Text => "text",
        Format::Json => "json",
        Format::Dot => "dot",
        Format::Svg => "svg",
        Format::Epcis => "epcis",
        _ => {
            return Err(Failure::usage("a trace is not written in this format")
                .help("--format text, json, dot, svg or epcis"));
        }
    };
    let path = format!("/v1/trace/{}?format={form}", goods.path_segment());
    let answer = wait_for(ask(args, &path))?;
    match answer.status {
        200 => {
            output.bytes(&answer.body)?;
            if matches!(output.format, Format::Json | Format::Epcis) {
                output.bytes(b"\n")?;
            }
            match answer.bodies_damaged {
                Some(0) => Ok(Exit::Done),
                Some(_) => Ok(Exit::Broken),
                None => Err(Failure::new(
                    Exit::Incomplete,
                    "the node does not say whether bodies are damaged",
                )
                .help("it is older than this program: upgrade it")),
            }
        }
        404 => {
            output.verdict("unknown", format!("no event there that you may see names {goods}"));
            if args.token_file.is_none() && is_url(args) {
                output.say("help: what is not public shows with --token-file FILE");
            }
            Ok(Exit::Done)
        }
        // Like a wrong passphrase: what the command line gave does not open it.
        401 | 403 => Err(unauthorised(args, &answer)),
        408 | 429 | 503 => Err(Failure::busy(format!("the node is busy: {}", answer.text()))),
        status => Err(Failure::fault(format!("the node answers {status}: {}", answer.text()))),
    }
}

/// Goods in any writing that a person has of them.
pub(super) fn goods_by_hand(text: &str) -> Result<GoodsId, Failure> {
    let goods = GoodsId::by_hand(text);
    goods.or_else(|fault| GoodsId::read(text).map_err(|_| fault)).map_err(|e| {
        Failure::usage(format!("{text} names no goods")).because(&e).help(
            "give the address that a label prints, an element string such as (01)…(21)…, an EPC \
             URN or urn:hallmark:goods:<scheme>:<value>",
        )
    })
}

/// The node wants a token, or another one than it was given.
fn unauthorised(args: &TraceArgs, answer: &Answer) -> Failure {
    let what = match &args.token_file {
        Some(path) => format!("the node refuses the token of {}", path.display()),
        None => "the node asks for a token".to_owned(),
    };
    Failure::usage(format!("{what}: {}", answer.text())).help(
        "make one, hallmark-node token DIR --scope read --audience <origin of the node> > FILE, and \
         give it: --token-file FILE",
    )
}

async fn ask(args: &TraceArgs, path: &str) -> Result<Answer, Failure> {
    let token = args.token_file.as_deref().map(read_token).transpose()?;
    let ask = Ask { token: token.as_deref(), ..Ask::default() };
    if !is_url(args) {
        return running(Path::new(&args.node)).await?.ask(path, ask).await;
    }
    let client = Client::new().map_err(|e| Failure::fault("cannot speak HTTP").because(&e))?;
    let url = format!("{}{path}", args.node.trim_end_matches('/'));
    let answer = client.ask(&url, ask).await;
    answer.map_err(|e| {
        Failure::busy("the node does not answer").because(&e).help("is the URL right?")
    })
}

fn is_url(args: &TraceArgs) -> bool {
    args.node.starts_with("http://") || args.node.starts_with("https://")
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::usage(format!("cannot read {}", path.display())).because(&e))?;
    // `hallmark-node token` prints it alone on its last line.
    Ok(text.lines().last().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_needs_a_token_learns_how_to_make_and_give_it() {
        let answer = Answer {
            status: 401,
            location: None,
            standing: None,
            bodies_damaged: None,
            body: b"no token".to_vec(),
        };
        let url = "https://node.example".to_owned();
        let mut args = TraceArgs { node: url, goods: String::new(), token_file: None };
        let failure = unauthorised(&args, &answer);
        assert_eq!(
            failure.exit(),
            Exit::Usage,
            "an option is missing: 2 in the table of exit codes"
        );
        let told = failure.lines();
        assert!(told.contains("error: the node asks for a token: no token"), "{told}");
        assert!(
            told.contains("hallmark-node token DIR") && told.contains("--token-file"),
            "{told}"
        );
        args.token_file = Some("old.token".into());
        let told = unauthorised(&args, &answer).lines();
        assert!(told.contains("error: the node refuses the token of old.token"), "{told}");
    }
}
