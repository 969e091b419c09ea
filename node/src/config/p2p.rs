//! `[peers]` and `[p2p]`: others' logs, and connections to peers over libp2p.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::net::Address;

/// `[peers]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Peers {
    /// How often each followed log is polled. Default `1s`; from `100ms` to `1h`.
    #[serde(with = "humantime_serde")]
    pub poll_every: Duration,
    /// Most bytes a second that are fetched of all followed logs together; the burst is ten times
    /// this. While this node takes attestations in, fetching also pauses as long as it works.
    /// Default 67,108,864; from 65,536 to 4,294,967,296.
    pub catch_up_bytes_per_second_max: u64,
    /// Most entries of a log that is followed. One whose checkpoint states more is followed no further,
    /// so that no member fills this disk: an entry takes 41 bytes here, its hashes and its body more.
    /// Default 100,000,000; from 1,000 to 1,099,511,627,776.
    pub log_entries_max: u64,
}

impl Default for Peers {
    fn default() -> Peers {
        Peers {
            poll_every: Duration::from_secs(1),
            catch_up_bytes_per_second_max: 64 << 20,
            log_entries_max: 100_000_000,
        }
    }
}

/// `[p2p]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct P2p {
    /// Whether peers are also reached over libp2p. Default true; without it, by HTTP alone.
    pub enabled: bool,
    /// Where peers connect. Default `127.0.0.1:0`: port 0 picks a free one at the first start, which
    /// run/ports.json keeps for the next ones.
    pub listen: SocketAddr,
    /// Addresses under which others reach this node. Default: the address it listens on.
    pub public: Vec<Address>,
    /// Whether members are looked for on the local network by multicast DNS. Default false.
    pub mdns: bool,
    /// Whether this node relays connections of members that cannot be reached. Default false.
    pub relay: bool,
    /// Relays through which this node is reached, `/…/p2p/<peer id>`, at most 8. Default none.
    pub relays: Vec<Address>,
    /// Most connections. Default 256; from 2 to 10,000.
    pub connections_max: u32,
    /// Questions and messages a second from one peer; the burst is ten times this. Default 200;
    /// from 1 to 100,000.
    pub questions_per_second_max: u32,
    /// Most bytes a second to and from one peer, in answers, questions and messages; the burst is
    /// ten times this, then answers wait. Default 33,554,432; from 65,536 to 4,294,967,296.
    pub bytes_per_second_max: u64,
}

impl Default for P2p {
    fn default() -> P2p {
        P2p {
            enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public: Vec::new(),
            mdns: false,
            relay: false,
            relays: Vec::new(),
            connections_max: 256,
            questions_per_second_max: 200,
            bytes_per_second_max: 32 << 20,
        }
    }
}

/// The part of a fresh configuration about connections to peers.
pub(super) const FRESH_P2P: &str = r#"[p2p]
# enabled = true               # false: followed logs are polled over HTTP alone
listen = "127.0.0.1:0"         # port 0 as above
# public = ["/dns4/…/tcp/…"]   # where peers reach this node
# mdns = false                 # look for members on the local network
# relay = false                # relay members that cannot be reached
# relays = []                  # relays through which this node is reached, /…/p2p/<peer id>
# connections_max = 256
# questions_per_second_max = 200
# bytes_per_second_max = 33554432"#;
