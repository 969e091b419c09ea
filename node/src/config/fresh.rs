//! The `config.toml` that `init` writes.

use hallmark_schemas::id::OrgId;

use super::p2p::FRESH_P2P;

/// The part of [`fresh`] about passports.
const FRESH_PASSPORT: &str = r#"[passport]
# stale_after = "7days"        # a log not vouched for since confirms nothing
# reveal = ["step", "region", "month"] # of own events that are not public; also: place
# confirmations_max = 1        # more of one code are told as a possible copy
# forms_per_minute_max = 6     # confirmations and complaints from one address"#;

/// The part of [`fresh`] about index and others' logs.
const FRESH_PEERS: &str = r#"[index]
# engine = "fjall"             # or "sled", in builds with that feature

[peers]
# poll_every = "1s"
# catch_up_bytes_per_second_max = 67108864
# log_entries_max = 100000000 # a log that states more is followed no further

# [[peer]]                     # an address that no record tells
# url = "http://127.0.0.1:8080"
# multiaddr = "/ip4/…/tcp/…"   # with origin = "…" of its log

# [[witness.log]]              # a log of another network that this node cosigns too
# vkey = "example.com/log+33d7b496+AeHT…""#;

/// The configuration that `init` writes: what was asked, then every option at its default.
pub(crate) fn fresh(org: &OrgId, name: &str, network: &str, origin: &str, region: &str) -> String {
    let quote = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!(
        r#"org = {org}
name = {name}
network = {network}
origin = {origin}
regions = [{region}]             # regions whose bodies this node may hold
# data = "data"                # log, packs, index, lake

[http]
listen = "127.0.0.1:0"         # port 0 picks a free one and keeps it in run/ports.json
# public_url = "https://…"     # where others reach this node
# trusted_proxies = []         # proxies in front that speak TLS
# tls_certificate = "cert.pem" # needed off loopback without trusted_proxies
# tls_key = "key.pem"
# header_wait_max = "10s"
# request_wait_max = "60s"
# idle_wait_max = "60s"
# body_rate_min = 1024         # bytes a second
# connections_per_ip_max = 256
# requests_per_second_max = 500
# findings_open = "loopback"   # who sees findings without a token: loopback, all or none

[log]
# batch_wait_max = "1s"        # 100ms to 1min; a quiet log waits 10 ms
# receipt_wait_max = "2s"      # how long POST /entries waits for recorded
# renew_every = "1h"           # age at which an idle log is cosigned anew; 1s to 7days

{FRESH_PEERS}

{FRESH_P2P}

[mqtt]
broker = "none"                # embedded, none or mqtt[s]://host:port
# listen = "127.0.0.1:0"       # of the embedded broker; port 0 as above
# public_url = "mqtt://…"      # as devices reach it
# group = "nodes"
# username = "node"
# password_file = "mqtt.password"
# ca_file = "ca.pem"
# inflight_max = 256

[judge]
# enabled = true
# wait = "5s"                  # after new evidence
# memory_max = 536870912       # bytes

{FRESH_PASSPORT}

[audience]                     # of what this node signs, by kind; others are public
event = "members"
readings = "members"
emissions = "members"
# footprint = "members"        # so are these, unless stated otherwise
# finding = "members"
# response = "members"
# complaint = "members"
"#,
        org = quote(&org.to_string()),
        name = quote(name),
        network = quote(network),
        origin = quote(origin),
        region = quote(region),
    )
}
