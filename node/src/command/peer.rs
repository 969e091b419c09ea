//! `peer`: who the peers are, how each is reached, why not, and an address that no record tells.

mod demand;

use std::path::Path;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::layout::Dir;
use serde_json::Value;

use super::{running, wait_for};
use crate::cli::Output;
use crate::cli::peer::{PeerAction, PeerArgs};
use crate::client::Ask;
use crate::config::Config;
use crate::failure::Failure;
use crate::files::write_durably;

/// Asks the running node, or writes the address down for it.
pub(super) fn run(args: &PeerArgs, output: Output) -> Result<Exit, Failure> {
    match &args.action {
        PeerAction::List => list(&view(&args.dir)?, output),
        PeerAction::Why { peer } => why(&view(&args.dir)?, peer, output),
        PeerAction::Add { address, origin } => add(&args.dir, address, origin.as_deref(), output),
        PeerAction::Wanted => demand::wanted(&args.dir, output),
        PeerAction::Demand(asked) => demand::run(&args.dir, asked, output),
    }
}

fn view(dir: &Path) -> Result<Value, Failure> {
    let answer = wait_for(async { running(dir).await?.get("/local/peers").await })?;
    serde_json::from_slice(&answer.body)
        .map_err(|e| Failure::fault("the node's answer is no JSON").because(&e))
}

fn text<'a>(peer: &'a Value, key: &str) -> &'a str {
    peer[key].as_str().unwrap_or("-")
}

fn list(view: &Value, output: Output) -> Result<Exit, Failure> {
    let peers = view["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (mut connected, mut members) = (0, 0);
    if view["own"].is_object() {
        output.item(format!("own        {}", text(&view["own"], "peer")), &view["own"]);
    }
    for peer in peers {
        connected += usize::from(peer["standing"] == "connected");
        members += usize::from(!matches!(text(peer, "standing"), "departed" | "no member"));
        let who = peer["org"].as_str().unwrap_or_else(|| text(peer, "peer"));
        output.item(row(peer, who), peer);
    }
    let unnamed = &view["unnamed"];
    let mut verdict = format!("{connected} of {members} connected");
    if let Some(count) = unnamed["refused"].as_u64().filter(|count| 0 < *count) {
        let last = one_line(text(unnamed, "last_refusal"));
        verdict.push_str(&format!("; {count} that proved no name were refused, last {last}"));
    }
    output.verdict("peers", verdict);
    Ok(Exit::Done)
}

/// Its line of the list.
fn row(peer: &Value, who: &str) -> String {
    let line = format!("{:<10} {who}  {}", text(peer, "standing"), one_line(told(peer)));
    line.trim_end().to_owned()
}

/// Reasons of a dial list every address on a line of its own.
fn one_line(reason: &str) -> String {
    reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What of a peer fits on its line: where it is, or why it is not.
fn told(peer: &Value) -> &str {
    match peer["standing"].as_str() {
        Some("connected") => text(peer, "address"),
        Some("departed") => "it has left",
        Some("http") => peer["urls"][0].as_str().unwrap_or("no address known"),
        _ => peer["last_refusal"].as_str().unwrap_or(""),
    }
}

fn why(view: &Value, wanted: &str, output: Output) -> Result<Exit, Failure> {
    let is_it = |peer: &&Value| {
        let short = text(peer, "origin").split('/').nth(1) == Some(wanted);
        short || ["peer", "org", "origin"].iter().any(|key| peer[key].as_str() == Some(wanted))
    };
    let peer = view["peers"].as_array().into_iter().flatten().find(is_it).ok_or_else(|| {
        Failure::usage(format!("{wanted} is no member of {}", view["network"]))
            .note(format!("version {} of the network file is in force", view["network_version"]))
            .help(
                "name an organisation, an origin or a peer id as `peer list` prints them; a \
                   newcomer is a peer once its registrar has admitted it",
            )
    })?;
    if output.is_json() {
        output.item("", peer);
    } else {
        lines(peer).into_iter().for_each(|line| output.item(line, &Value::Null));
    }
    let standing = text(peer, "standing");
    let reason = match standing {
        "connected" => format!("over {} since {}", text(peer, "address"), text(peer, "since")),
        "kept out" => format!("until {} for what it did", text(peer, "kept_out_until")),
        "no member" => "its key is the peer key of no member of the network file".to_owned(),
        "departed" => format!("it has left, its log ended at {} entries", peer["ended_at"]),
        "http" => "`p2p.enabled` is false: it is asked over HTTP alone".to_owned(),
        _ if has_none(&peer["multiaddrs"]) => {
            "no multiaddress of it is known; `peer add` names one".to_owned()
        }
        _ => format!("asked over HTTP meanwhile; last: {}", one_line(text(peer, "last_refusal"))),
    };
    output.verdict(standing, reason);
    Ok(Exit::Done)
}

fn has_none(list: &Value) -> bool {
    list.as_array().is_none_or(Vec::is_empty)
}

/// One fact a line.
fn lines(peer: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |name: &str, value: String| lines.push(format!("{name:<18} {value}"));
    for key in ["org", "origin", "peer", "standing", "since", "address", "kept_out_until"] {
        if let Some(value) = peer[key].as_str() {
            line(key, value.to_owned());
        }
    }
    for key in ["multiaddrs", "urls"] {
        let known = peer[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        known.for_each(|value| line(key, value.to_owned()));
    }
    for (fault, count) in peer["faults"].as_object().into_iter().flatten() {
        line("faults", format!("{fault} {count}"));
    }
    if let Some(reason) = peer["last_refusal"].as_str() {
        line("last refusal", format!("{} {}", text(peer, "last_refusal_at"), one_line(reason)));
    }
    let copy = &peer["copy"];
    if let Some(size) = copy["size"].as_u64() {
        line(
            "copy of its log",
            format!("{size} entries, {} bodies missing", copy["bodies_wanted"]),
        );
    }
    if let Some(reason) = copy["why_not_followed"].as_str() {
        line("not followed", one_line(reason));
    }
    for complaint in peer["complaints"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        line("complaint", complaint.to_owned());
    }
    for defect in copy["defects"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        line("defect", defect.to_owned());
    }
    lines
}

/// Refuses the origin of nobody, before a newcomer is waited for that never comes.
fn check_origin(dir: &Path, origin: &str) -> Result<(), Failure> {
    let network = super::network::current(dir)?;
    if network.network().member_of_origin(origin).is_some() {
        return Ok(());
    }
    let members = network.network().members.iter().map(|member| member.origin.as_str());
    Err(Failure::usage(format!("{origin} is the origin of no member's log"))
        .note(format!("members are {}", members.collect::<Vec<_>>().join(", ")))
        .help("give the origin as `network DIR show` prints it"))
}

/// Writes a `[[peer]]` into config.toml, and tells the running node.
fn add(dir: &Path, address: &str, origin: Option<&str>, output: Output) -> Result<Exit, Failure> {
    let key = if address.starts_with('/') { "multiaddr" } else { "url" };
    if key == "multiaddr" && origin.is_none() {
        return Err(Failure::usage("whose multiaddress this is, is not said")
            .help("give --origin with the origin of its log, as `network DIR show` prints it"));
    }
    let path = Dir::new(dir).config();
    let config = Config::load(dir)?;
    if let Some(origin) = origin {
        check_origin(dir, origin)?;
    }
    let mut table = toml::Table::new();
    table.insert(key.to_owned(), address.into());
    if let Some(origin) = origin {
        table.insert("origin".to_owned(), origin.into());
    }
    let is_known = config.peer.iter().any(|peer| {
        let known = if key == "url" { &peer.url } else { &peer.multiaddr };
        known.as_deref() == Some(address) && peer.origin.as_deref() == origin
    });
    let json = serde_json::to_value(&table).expect("a table of texts is JSON");
    if !is_known {
        let failed = |e: &std::io::Error| {
            Failure::busy(format!("cannot write {}", path.display())).because(e)
        };
        let mut text = std::fs::read_to_string(&path).map_err(|e| failed(&e))?;
        text.push_str(&format!("\n[[peer]]\n{table}"));
        // Refused before it is written, as the next start would refuse it.
        Config::parse(&text, &path)?;
        write_durably(&path, text.as_bytes()).map_err(|e| failed(&e))?;
    }
    let told = wait_for(async {
        let Some(local) = crate::socket::Local::connect(dir).await? else { return Ok(false) };
        let body = json.to_string();
        let ask = Ask { body: Some(("application/json", body.as_bytes())), ..Ask::default() };
        let answer = local.ask("/local/peers", ask).await?;
        match answer.status {
            204 => Ok(true),
            _ => Err(Failure::usage(answer.text())),
        }
    })?;
    let when = if told { "the running node uses it" } else { "the next run uses it" };
    output.verdict("added", format!("{address}: {when}"));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_of_several_lines_takes_one_line_in_the_list_and_in_why() {
        let reason = "Failed to negotiate:\n [(/ip4/192.0.2.1/tcp/1:  refused\r\n)\t(timed out)]\n";
        let peer = serde_json::json!({
            "standing": "unreached", "last_refusal": reason, "last_refusal_at": "2026-03-01T00:00:00Z",
            "copy": { "size": 3, "bodies_wanted": 0, "why_not_followed": "one\ntwo" },
        });
        let told =
            "unreached  urn:x  Failed to negotiate: [(/ip4/192.0.2.1/tcp/1: refused ) (timed out)]";
        assert_eq!(row(&peer, "urn:x"), told);
        let lines = lines(&peer);
        assert!(lines.iter().all(|line| !line.contains(['\n', '\r'])), "{lines:?}");
        assert!(lines.iter().any(|line| line.ends_with("one two")), "{lines:?}");
    }
}
