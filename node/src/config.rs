//! `DIR/config.toml`: every option of a node with its unit, range and default.
//!
//! Invariants: an unknown key is an error that names its line and the nearest known key; the
//! environment is read here (and by the flags in `cli.rs`) and nowhere else; a parsed [`Config`] is
//! within all ranges.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hallmark_schemas::audience::{Audience, Region};
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::layout::{Data, Dir};
use hallmark_schemas::note::VerifierKey;
use serde::Deserialize;

use crate::failure::Failure;
use crate::index::engine::Engine;
use crate::passport::fold::journey::Reveal;
pub(crate) use fresh::fresh;
use p2p::{P2p, Peers};

mod fresh;
pub mod p2p;

/// Everything in `config.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The organisation that this node belongs to.
    pub org: OrgId,
    /// Its legal name.
    pub name: String,
    /// The network's name.
    pub network: String,
    /// The origin of its own log, `<network>/<scheme>-<value>/<n>`.
    pub origin: String,
    /// The regions whose bodies this node may hold, ISO 3166 alpha-2. Default none: only bodies
    /// without a region. What is held already stays.
    #[serde(default)]
    pub regions: Vec<Region>,
    /// Where log, packs, index and lake are. Default `DIR/data`.
    #[serde(default)]
    pub data: Option<PathBuf>,
    /// HTTP.
    #[serde(default)]
    pub http: Http,
    /// The log.
    #[serde(default)]
    pub log: Log,
    /// The index.
    #[serde(default)]
    pub index: Index,
    /// Followed logs.
    #[serde(default)]
    pub peers: Peers,
    /// Connections to peers over libp2p.
    #[serde(default)]
    pub p2p: P2p,
    /// The witness.
    #[serde(default)]
    pub witness: WitnessOptions,
    /// Peers whose address neither a `node` attestation nor the network file tells.
    #[serde(default)]
    pub peer: Vec<Peer>,
    /// MQTT.
    #[serde(default)]
    pub mqtt: Mqtt,
    /// Tabulating and judging.
    #[serde(default)]
    pub judge: Judge,
    /// The passport.
    #[serde(default)]
    pub passport: Passport,
    /// Default audience of what `submit` and `/v1/attestations` sign, by kind.
    #[serde(default)]
    pub audience: BTreeMap<String, Audience>,
}

/// `[http]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where HTTP listens. Default `127.0.0.1:0`: port 0 picks a free one at the first start, which
    /// run/ports.json keeps for the next ones.
    pub listen: SocketAddr,
    /// The URL under which others reach this node. Default: the address it listens on.
    pub public_url: Option<String>,
    /// Proxies in front that speak TLS; their `X-Forwarded-For` is believed. Default none.
    pub trusted_proxies: Vec<IpAddr>,
    /// Certificate chain (PEM) for TLS; needed off loopback without `trusted_proxies`.
    pub tls_certificate: Option<PathBuf>,
    /// Private key (PEM) for TLS.
    pub tls_key: Option<PathBuf>,
    /// Longest wait for a request's header. Default `10s`; from `1s` to `60s`.
    #[serde(with = "humantime_serde")]
    pub header_wait_max: Duration,
    /// Longest wait for a whole request and its answer. Default `60s`; from `1s` to `10min`.
    #[serde(with = "humantime_serde")]
    pub request_wait_max: Duration,
    /// Longest idle time of a kept connection. Default `60s`; from `1s` to `10min`.
    #[serde(with = "humantime_serde")]
    pub idle_wait_max: Duration,
    /// Slowest body, bytes a second after the first second. Default 1,024; at least 1.
    pub body_rate_min: u64,
    /// Most connections from one address. Default 256; from 1 to 10,000. One too many is answered
    /// with 429 and closed; under TLS, or where many are, it is just closed.
    pub connections_per_ip_max: usize,
    /// Requests a second from one address; the burst is ten times this. Default 500; from 1 to
    /// 100,000.
    pub requests_per_second_max: u32,
    /// Who sees findings without a token: `loopback` (default), `all` or `none`.
    pub findings_open: Openness,
}

/// Who may see something without a token.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Openness {
    /// Whoever asks from this machine.
    #[default]
    Loopback,
    /// Anyone.
    All,
    /// Nobody.
    None,
}

impl Default for Http {
    fn default() -> Http {
        Http {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            trusted_proxies: Vec::new(),
            tls_certificate: None,
            tls_key: None,
            header_wait_max: Duration::from_secs(10),
            request_wait_max: Duration::from_secs(60),
            idle_wait_max: Duration::from_secs(60),
            body_rate_min: 1024,
            connections_per_ip_max: 256,
            requests_per_second_max: 500,
            findings_open: Openness::Loopback,
        }
    }
}

/// `[index]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Index {
    /// `fjall` (default), or `sled` in builds with that feature. Another one begins an index of its
    /// own, which takes as long as `reindex`.
    pub engine: Engine,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Longest wait before a submission is in a signed tree, while the witnesses answer. Default
    /// `1s`; from `100ms` to `1min`. A quiet log waits 10 ms. One that is never quiet has, beside
    /// 60 batches that it saved, one in each such time and one for every 64 attestations.
    #[serde(with = "humantime_serde")]
    pub batch_wait_max: Duration,
    /// How long `POST /entries` waits for *recorded* before it answers 303. Default `2s`; up to
    /// `30s`.
    #[serde(with = "humantime_serde")]
    pub receipt_wait_max: Duration,
    /// How old the cosignatures of the published checkpoint may grow before its witnesses are
    /// asked again: so they vouch that an idle log has nothing newer. Default `1h`; from `1s` to
    /// `7days`.
    #[serde(with = "humantime_serde")]
    pub renew_every: Duration,
}

impl Default for Log {
    fn default() -> Log {
        Log {
            batch_wait_max: Duration::from_secs(1),
            receipt_wait_max: Duration::from_secs(2),
            renew_every: Duration::from_secs(3600),
        }
    }
}

/// `[witness]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessOptions {
    /// Logs of other networks that this node cosigns too, at most 1,024. Default none. One that was
    /// ever named stays known by what was cosigned of it: taken out and put back, it goes on there.
    pub log: Vec<WitnessedLog>,
}

/// `[[witness.log]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessedLog {
    /// The verifier key of the log, `<name>+<id>+<key>`.
    pub vkey: VerifierKey,
    /// The first line of its checkpoints. Default: the name of its key.
    #[serde(default)]
    pub origin: Option<String>,
}

/// `[[peer]]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// The origin of its log; without it the URL only serves to fetch the network file.
    #[serde(default)]
    pub origin: Option<String>,
    /// Where it answers, `http://…` or `https://…`.
    #[serde(default)]
    pub url: Option<String>,
    /// Its multiaddress, `/ip4/…/tcp/…`; needs `origin`.
    #[serde(default)]
    pub multiaddr: Option<String>,
}

/// `[mqtt]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mqtt {
    /// `embedded`, `none` or `mqtt[s]://host:port`. Default `none`.
    pub broker: String,
    /// Where the embedded broker listens: loopback only. Default `127.0.0.1:0`: port 0 picks a free
    /// one at the first start, which run/ports.json keeps for the next ones.
    pub listen: SocketAddr,
    /// The broker's URL as devices reach it. Default: the same.
    pub public_url: Option<String>,
    /// The shared subscription group, so that several front ends split the load. Default `nodes`.
    pub group: String,
    /// User name at the broker.
    pub username: Option<String>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) of the broker's authority, for `mqtts://`.
    pub ca_file: Option<PathBuf>,
    /// Most batches in work at once; the broker waits with the next. Default 256; 1 to 10,000.
    pub inflight_max: u16,
}

impl Default for Mqtt {
    fn default() -> Mqtt {
        Mqtt {
            broker: "none".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            group: "nodes".to_owned(),
            username: None,
            password_file: None,
            ca_file: None,
            inflight_max: 256,
        }
    }
}

/// `[judge]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Judge {
    /// Whether this node judges. Default true.
    pub enabled: bool,
    /// How long after new evidence it judges. Default `5s`; from `100ms` to `1h`.
    #[serde(with = "humantime_serde")]
    pub wait: Duration,
    /// Most memory one run may take, bytes. Default 512 MiB; at least 64 MiB.
    pub memory_max: u64,
}

impl Default for Judge {
    fn default() -> Judge {
        Judge { enabled: true, wait: Duration::from_secs(5), memory_max: 512 << 20 }
    }
}

/// `[passport]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Passport {
    /// A passport cannot confirm its records now where the witnesses of a log that these are in (its
    /// own node, where its policy names none) last vouched for it, and it last grew, longer ago.
    /// Default `7days`; from `1s` to `1year`.
    #[serde(with = "humantime_serde")]
    pub stale_after: Duration,
    /// What is shown of own events that are not public: any of `step`, `region`, `month`, `place`.
    /// Default `step`, `region` and `month`.
    pub reveal: Vec<Reveal>,
    /// As many buyers' confirmations of one code are innocent; one more is told as a possible
    /// copy. The number stands on the page. Default 1; from 1 to 1,000.
    pub confirmations_max: usize,
    /// Most confirmations and complaints a minute from one address. Default 6; from 1 to 600.
    pub forms_per_minute_max: u32,
}

impl Default for Passport {
    fn default() -> Passport {
        Passport {
            stale_after: Duration::from_secs(7 * 24 * 3600),
            reveal: vec![Reveal::Step, Reveal::Region, Reveal::Month],
            confirmations_max: 1,
            forms_per_minute_max: 6,
        }
    }
}

impl Config {
    /// Reads and checks `DIR/config.toml`.
    pub fn load(dir: &Path) -> Result<Config, Failure> {
        let path = Dir::new(dir).config();
        let text = std::fs::read_to_string(&path).map_err(|e| {
            Failure::usage(format!("cannot read {}", path.display()))
                .because(&e)
                .help("`hallmark-node init` makes a node's folder")
        })?;
        Config::parse(&text, &path)
    }

    /// Parses and checks the text of a configuration.
    pub fn parse(text: &str, path: &Path) -> Result<Config, Failure> {
        let config: Config = toml::from_str(text).map_err(|e| wrong_toml(text, path, &e))?;
        config.check(path)?;
        Ok(config)
    }

    /// Where the data is.
    pub fn data_dir(&self, dir: &Path) -> Data {
        let stated = self.data.as_ref();
        stated.map_or_else(|| Dir::new(dir).data(), |data| Data::new(dir.join(data)))
    }

    /// Checks again after flags have replaced options.
    pub fn check_flags(&self, dir: &Path) -> Result<(), Failure> {
        self.check(&Dir::new(dir).config())
    }

    /// The audience of what this node signs, where the caller states none.
    pub fn audience_of(&self, kind: KindName) -> Audience {
        if let Some(audience) = self.audience.get(kind.as_str()) {
            return audience.clone();
        }
        match kind {
            // What could be a trade secret, and what could hurt somebody who has not been heard.
            KindName::Event
            | KindName::Readings
            | KindName::Emissions
            | KindName::Footprint
            | KindName::Finding
            | KindName::Response
            | KindName::Complaint
            | KindName::Inspection
            | KindName::Demand => Audience::Members,
            _ => Audience::Public,
        }
    }

    fn check(&self, path: &Path) -> Result<(), Failure> {
        let seconds = Duration::from_secs;
        let durations = [
            ("http.header_wait_max", self.http.header_wait_max, seconds(1), seconds(60)),
            ("http.request_wait_max", self.http.request_wait_max, seconds(1), seconds(600)),
            ("http.idle_wait_max", self.http.idle_wait_max, seconds(1), seconds(600)),
            ("log.batch_wait_max", self.log.batch_wait_max, TENTH, seconds(60)),
            ("log.receipt_wait_max", self.log.receipt_wait_max, Duration::ZERO, seconds(30)),
            ("log.renew_every", self.log.renew_every, seconds(1), seconds(7 * 24 * 3600)),
            ("peers.poll_every", self.peers.poll_every, TENTH, seconds(3600)),
            ("judge.wait", self.judge.wait, TENTH, seconds(3600)),
            ("passport.stale_after", self.passport.stale_after, seconds(1), YEAR),
        ];
        for (key, value, low, high) in durations {
            if value < low || high < value {
                let range = format!("from {low:?} to {high:?}");
                return Err(out_of_range(path, key, &format!("{value:?}"), &range));
            }
        }
        let numbers = [
            ("p2p.connections_max", self.p2p.connections_max.into(), 2, 10_000),
            ("p2p.relays", self.p2p.relays.len() as u64, 0, 8),
            ("p2p.questions_per_second_max", self.p2p.questions_per_second_max.into(), 1, 100_000),
            (
                "peers.catch_up_bytes_per_second_max",
                self.peers.catch_up_bytes_per_second_max,
                1 << 16,
                1 << 32,
            ),
            ("peers.log_entries_max", self.peers.log_entries_max, 1000, 1 << 40),
            ("p2p.bytes_per_second_max", self.p2p.bytes_per_second_max, 1 << 16, 1 << 32),
            ("http.connections_per_ip_max", self.http.connections_per_ip_max as u64, 1, 10_000),
            ("http.requests_per_second_max", self.http.requests_per_second_max.into(), 1, 100_000),
            ("http.body_rate_min", self.http.body_rate_min, 1, 1 << 30),
            ("mqtt.inflight_max", self.mqtt.inflight_max.into(), 1, 10_000),
            ("witness.log", self.witness.log.len() as u64, 0, 1024),
            ("judge.memory_max", self.judge.memory_max, 64 << 20, 1 << 40),
            ("passport.confirmations_max", self.passport.confirmations_max as u64, 1, 1000),
            ("passport.forms_per_minute_max", self.passport.forms_per_minute_max.into(), 1, 600),
        ];
        for (key, value, low, high) in numbers {
            if value < low || high < value {
                let range = format!("from {low} to {high}");
                return Err(out_of_range(path, key, &value.to_string(), &range));
            }
        }
        for kind in self.audience.keys() {
            if kind.parse::<KindName>().is_err() {
                return Err(Failure::usage(format!(
                    "{}: `audience.{kind}` names no kind",
                    path.display()
                ))
                .help("name kinds as `event`, `readings` or `emissions` in [audience]"));
            }
        }
        self.peer.iter().try_for_each(|peer| check_peer(peer, path))?;
        for relay in self.p2p.relays.iter().map(ToString::to_string) {
            if !relay.contains("/p2p/") {
                let form = "the relay's multiaddress with its peer id, /ip4/…/tcp/…/p2p/12D3Koo…";
                return Err(out_of_range(path, "p2p.relays", &relay, form));
            }
        }
        check_broker(&self.mqtt, path)
    }
}

/// A tenth of a second, the shortest beat of anything here.
const TENTH: Duration = Duration::from_millis(100);
/// The longest age of anything that is still called current.
const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

/// An address that cannot be one is not taken, though nobody asks there yet.
fn check_peer(peer: &Peer, path: &Path) -> Result<(), Failure> {
    let refused = |key: &str, value: &str, form: &str| Err(out_of_range(path, key, value, form));
    if peer.url.is_none() && peer.multiaddr.is_none() {
        return refused("peer", "neither `url` nor `multiaddr`", "one of the two");
    }
    if let Some(url) = peer.url.as_deref()
        && !crate::client::is_base_url(url)
    {
        let form = "http://HOST or https://HOST, with a port or a path, without `?` and `#`";
        return refused("peer.url", url, form);
    }
    let Some(multiaddr) = peer.multiaddr.as_deref() else { return Ok(()) };
    if peer.origin.is_none() {
        return refused("peer.origin", "missing", "the origin of the log that is kept there");
    }
    if !crate::net::is_dialled(multiaddr) {
        let form = "a multiaddress such as /ip4/192.0.2.1/tcp/4001 or /dns/HOST/udp/4001/quic-v1";
        return refused("peer.multiaddr", multiaddr, form);
    }
    Ok(())
}

fn check_broker(mqtt: &Mqtt, path: &Path) -> Result<(), Failure> {
    let broker = mqtt.broker.as_str();
    let known = matches!(broker, "embedded" | "none")
        || broker.starts_with("mqtt://")
        || broker.starts_with("mqtts://");
    if !known {
        return Err(out_of_range(path, "mqtt.broker", broker, "embedded, none or mqtt[s]://…"));
    }
    if broker == "embedded" && !mqtt.listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "{}: the embedded broker listens on loopback only, not {}",
            path.display(),
            mqtt.listen
        ))
        .help("run a broker of its own (mosquitto) and name it in `mqtt.broker`"));
    }
    Ok(())
}

fn out_of_range(path: &Path, key: &str, value: &str, range: &str) -> Failure {
    Failure::usage(format!("{}: `{key}` is {value}, it must be {range}", path.display()))
        .help(format!("change `{key}` in config.toml"))
}

/// Line of the error and, for an unknown key, the nearest known one.
fn wrong_toml(text: &str, path: &Path, error: &toml::de::Error) -> Failure {
    let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
    let message = error.message();
    let failure = Failure::usage(format!("{} line {line}: {message}", path.display()));
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((&"sled", _)) if message.starts_with("unknown variant") => {
            failure.help("this build has no sled: build hallmark-node with feature `sled`")
        }
        Some((unknown, known)) if message.starts_with("unknown field") => {
            match nearest(unknown, known) {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure.help("remove it; `config.toml` of a fresh `init` lists the keys"),
            }
        }
        _ => failure.help("`config.toml` of a fresh `init` lists every key with its range"),
    }
}

fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(word, k), *k)).min()?;
    (near.0 <= word.len() / 2 + 1).then_some(near.1)
}

/// The log filter: `HALLMARK_LOG`, else `default`.
pub(crate) fn log_filter(default: &str) -> tracing_subscriber::EnvFilter {
    let stated = std::env::var("HALLMARK_LOG").ok();
    stated
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| tracing_subscriber::EnvFilter::new(default))
}

/// Whether the user wants no colour (`NO_COLOR` set to anything).
pub(crate) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";

    fn text() -> String {
        let org = ORG.parse().expect("a good LEI");
        fresh(&org, "Plant \"A\"", "demo", "demo/lei-529900T8BM49AURSDO55/1", "CN")
    }

    #[test]
    fn a_fresh_configuration_is_read_back() {
        let config = Config::parse(&text(), Path::new("config.toml")).expect("parses");
        assert_eq!(config.name, "Plant \"A\"");
        assert_eq!(config.log.batch_wait_max, Duration::from_secs(1));
        assert_eq!(config.mqtt.broker, "none");
    }

    #[test]
    fn an_unknown_key_names_its_line_and_the_nearest_one() {
        let wrong = text().replace("listen = \"127", "lisen = \"127");
        let failure = Config::parse(&wrong, Path::new("config.toml")).expect_err("unknown key");
        let lines = failure.lines();
        assert!(lines.contains("line 9"), "{lines}");
        assert!(lines.contains("did you mean `listen`?"), "{lines}");
    }

    #[test]
    fn a_value_out_of_range_is_refused() {
        let wrong = text().replace("# batch_wait_max = \"1s\"", "batch_wait_max = \"1ms\"");
        let failure = Config::parse(&wrong, Path::new("config.toml")).expect_err("too short");
        assert!(failure.lines().contains("log.batch_wait_max"));
        let wrong = text().replace("broker = \"none\"", "broker = \"http://x\"");
        assert!(Config::parse(&wrong, Path::new("config.toml")).is_err());
    }
}
