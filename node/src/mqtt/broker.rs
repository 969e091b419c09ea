//! The embedded broker: loopback, for the demo and for one machine.
//!
//! Invariant: its queues are memory only, so nothing rests on it: agents keep their spool until a
//! receipt has come.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use tokio::net::TcpListener;

use crate::failure::Failure;

/// Most connections.
const CONNECTIONS_MAX: usize = 1024;
/// Bytes of one segment of a topic's queue, and how many segments: 64 MiB a topic at most.
const SEGMENT_BYTES: usize = 8 << 20;
const SEGMENTS_MAX: usize = 8;
/// How long the broker may take to listen.
const START_WAIT_MAX: Duration = Duration::from_secs(10);

/// Starts the broker in its own threads; they end with the process. Answers its URL.
///
/// `held` has found the address: the broker takes an address only, and tells none.
pub async fn start(held: TcpListener) -> Result<String, Failure> {
    let cannot = |e: std::io::Error| {
        Failure::busy("the embedded broker cannot listen")
            .because(&e)
            .help("choose another `mqtt.listen`, or port 0")
    };
    let listen = held.local_addr().map_err(cannot)?;
    drop(held);
    let mut broker = Broker::new(config(listen));
    std::thread::Builder::new()
        .name("broker".to_owned())
        .spawn(move || {
            if let Err(error) = broker.start() {
                tracing::error!(%error, "the embedded broker stopped");
            }
        })
        .map_err(cannot)?;
    let listening = async {
        while tokio::net::TcpStream::connect(listen).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(START_WAIT_MAX, listening)
        .await
        .map_err(|_| Failure::fault(format!("the embedded broker does not listen on {listen}")))?;
    Ok(format!("mqtt://{listen}"))
}

fn config(listen: SocketAddr) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 10_000,
        max_payload_size: (1 << 20) + 4096,
        max_inflight_count: 512,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "hallmark".to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 0,
        connections,
    };
    Config {
        id: 0,
        router: RouterConfig {
            max_connections: CONNECTIONS_MAX,
            max_outgoing_packet_count: 200,
            max_segment_size: SEGMENT_BYTES,
            max_segment_count: SEGMENTS_MAX,
            ..RouterConfig::default()
        },
        v5: Some(HashMap::from([("hallmark".to_owned(), server)])),
        ..Config::default()
    }
}
