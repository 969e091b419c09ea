//! The connection to the MQTT broker: made again whenever it breaks, with a growing wait.
//!
//! Invariant: nothing is kept here that the spool does not have; each connection starts with an
//! empty queue of its own, and says so by [`LinkEvent::Up`].

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hallmark_schemas::ack::ACK_BYTES_MAX;
use hallmark_schemas::network::NETWORK_FILE_BYTES_MAX;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Filter, Packet};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions};
use rumqttc::{Outgoing, TlsConfiguration, Transport};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

/// Messages that are asked for but not acknowledged by the broker yet.
const INFLIGHT_MAX: u16 = 100;
/// Largest message that is taken: an acknowledgement or a network file, and its topic.
const PACKET_BYTES_MAX: usize = ACK_BYTES_MAX + 4096;
const _: () = assert!(NETWORK_FILE_BYTES_MAX <= ACK_BYTES_MAX);
/// Shortest wait before the next attempt to connect.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(250);
/// How long the broker keeps our subscription and its queue: a week away loses no answer.
const SESSION_EXPIRY_S: u32 = 7 * 86_400;

/// How to reach the broker.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// `mqtt://host[:port]` or `mqtts://host[:port]`.
    pub url: String,
    /// The same at every start, so that the broker finds the session again.
    pub client_id: String,
    /// User name and password.
    pub credentials: Option<(String, String)>,
    /// PEM file of the authorities that may have signed the broker's certificate.
    pub ca_file: Option<PathBuf>,
    /// PEM files of this agent's certificate and key.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Silence after which the connection counts as dead; at least 5 s.
    pub keep_alive: Duration,
    /// Longest wait between two attempts to connect.
    pub retry_wait_max: Duration,
}

/// What the loop is told.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// Connected, subscribed; what was on its way on the last connection may be lost.
    Up(AsyncClient),
    /// Not connected, and why.
    Down(String),
    /// A message for us.
    Message { topic: String, payload: Vec<u8> },
}

/// The connection as the loop sees it.
#[derive(Debug)]
pub(crate) struct Link {
    events: mpsc::Receiver<LinkEvent>,
    /// Set once, before the goodbye: the end of the connection is then no accident.
    leaving: Arc<AtomicBool>,
}

impl Link {
    /// What happens next; `None` after [`Link::leave`].
    pub(crate) async fn recv(&mut self) -> Option<LinkEvent> {
        self.events.recv().await
    }

    /// Tells the broker that this is no accident; returns once it is written.
    pub(crate) async fn leave(&mut self, client: &AsyncClient) {
        self.leaving.store(true, Ordering::Release);
        if client.try_disconnect().is_ok() {
            while self.events.recv().await.is_some() {}
        }
    }
}

/// Why a broker cannot even be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// No address.
    #[error("`{url}` is no broker address: mqtt://HOST[:PORT] or mqtts://HOST[:PORT] is expected")]
    Url {
        /// The text.
        url: String,
    },
    /// TLS without anything to check the broker with.
    #[error("mqtts needs a file of certificate authorities")]
    NoAuthorities,
    /// A PEM file is unreadable or empty.
    #[error("failed to read certificates or a key from {}: {reason}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The key does not fit the certificate, or is of an unknown type.
    #[error("the certificate and key cannot be used")]
    Tls(#[source] rustls::Error),
}

/// The parts of a broker's address.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Address {
    host: String,
    port: u16,
    tls: bool,
}

fn parse_url(url: &str) -> Result<Address, LinkError> {
    let fault = || LinkError::Url { url: url.to_owned() };
    let (scheme, rest) = url.split_once("://").ok_or_else(fault)?;
    let (tls, port) = match scheme {
        "mqtt" | "tcp" => (false, 1883),
        "mqtts" | "ssl" => (true, 8883),
        _ => return Err(fault()),
    };
    let rest = rest.trim_end_matches('/');
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, port),
        Some((host, rest)) => {
            let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
            (host, port.ok_or_else(fault)?)
        }
        None => match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| fault())?),
            None => (rest, port),
        },
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
    if host.is_empty() || !host.chars().all(plain) || port == 0 {
        return Err(fault());
    }
    Ok(Address { host: host.to_owned(), port, tls })
}

impl LinkOptions {
    /// The client's options. Reads the certificate files.
    fn mqtt(&self) -> Result<MqttOptions, LinkError> {
        let Address { host, port, tls } = parse_url(&self.url)?;
        let mut options = MqttOptions::new(&self.client_id, host, port);
        let mut properties = ConnectProperties::new();
        properties.session_expiry_interval = Some(SESSION_EXPIRY_S);
        properties.max_packet_size = u32::try_from(PACKET_BYTES_MAX).ok();
        options.set_connect_properties(properties);
        options.set_clean_start(false);
        options.set_keep_alive(self.keep_alive);
        options.set_outgoing_inflight_upper_limit(INFLIGHT_MAX);
        if let Some((user, password)) = &self.credentials {
            options.set_credentials(user, password);
        }
        if tls {
            let config = TlsConfiguration::Rustls(Arc::new(self.tls()?));
            options.set_transport(Transport::tls_with_config(config));
        }
        Ok(options)
    }

    fn tls(&self) -> Result<rustls::ClientConfig, LinkError> {
        let ca_file = self.ca_file.as_ref().ok_or(LinkError::NoAuthorities)?;
        let mut roots = rustls::RootCertStore::empty();
        for certificate in certificates(ca_file)? {
            roots.add(certificate).map_err(LinkError::Tls)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(LinkError::Tls)?
            .with_root_certificates(roots);
        match &self.client_certificate {
            None => Ok(builder.with_no_client_auth()),
            Some((certificate_file, key_file)) => {
                let key = PrivateKeyDer::from_pem_file(key_file).map_err(|fault| {
                    LinkError::Pem { path: key_file.clone(), reason: fault.to_string() }
                })?;
                let chain = certificates(certificate_file)?;
                builder.with_client_auth_cert(chain, key).map_err(LinkError::Tls)
            }
        }
    }
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, LinkError> {
    let fault = |reason: String| LinkError::Pem { path: path.clone(), reason };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| fault(error.to_string()))?;
    let found: Vec<_> =
        found.collect::<Result<_, _>>().map_err(|error| fault(error.to_string()))?;
    if found.is_empty() { Err(fault("it holds no certificate".to_owned())) } else { Ok(found) }
}

/// Keeps a connection up until the link is gone or left. Fails only on what a retry cannot mend.
pub(crate) fn connect(
    link: &LinkOptions,
    topics: Vec<String>,
    queue_max: usize,
) -> Result<Link, LinkError> {
    let options = link.mqtt()?;
    let (events, receiver) = mpsc::channel(256);
    let leaving = Arc::new(AtomicBool::new(false));
    let receiver = Link { events: receiver, leaving: Arc::clone(&leaving) };
    let retry_wait_max = link.retry_wait_max;
    tokio::spawn(async move {
        let mut wait = RETRY_WAIT_MIN;
        loop {
            let (client, mut session) = AsyncClient::new(options.clone(), queue_max);
            let reason = match drive(&mut session, client, &topics, &events).await {
                // Dropping the sender tells whoever said goodbye that it is out.
                End::Unheard => return,
                _ if leaving.load(Ordering::Acquire) => return,
                End::Lost(fault) => {
                    wait = RETRY_WAIT_MIN;
                    warn!(reason = %fault, "lost the broker");
                    fault.to_string()
                }
                End::Unreached(fault) => {
                    wait = (wait * 2).min(retry_wait_max);
                    let wait_ms = wait.as_millis();
                    debug!(reason = %fault, wait_ms, "the broker is not reachable");
                    fault.to_string()
                }
            };
            if events.send(LinkEvent::Down(reason)).await.is_err() {
                return;
            }
            tokio::time::sleep(jittered(wait)).await;
        }
    });
    Ok(receiver)
}

/// How one connection ended.
#[derive(Debug)]
enum End {
    /// Nobody listens any more.
    Unheard,
    /// It stood and broke.
    Lost(ConnectionError),
    /// It never stood.
    Unreached(ConnectionError),
}

/// Runs one connection to its end.
async fn drive(
    session: &mut EventLoop,
    client: AsyncClient,
    topics: &[String],
    events: &mpsc::Sender<LinkEvent>,
) -> End {
    let mut was_up = false;
    loop {
        let event = tokio::select! {
            event = session.poll() => event,
            () = events.closed() => return End::Unheard,
        };
        let told = match event {
            Err(fault) if was_up => return End::Lost(fault),
            Err(fault) => return End::Unreached(fault),
            // It is written before it is told, and nothing may follow it.
            Ok(Event::Outgoing(Outgoing::Disconnect)) => {
                return End::Lost(ConnectionError::RequestsDone);
            }
            Ok(Event::Incoming(Packet::ConnAck(answer))) => {
                info!(session_present = answer.session_present, "connected to the broker");
                was_up = true;
                let filters = topics.iter().map(|topic| Filter::new(topic, QoS::AtLeastOnce));
                // The queue is new and longer than this, so it has room.
                if client.try_subscribe_many(filters).is_err() {
                    return End::Lost(ConnectionError::RequestsDone);
                }
                LinkEvent::Up(client.clone())
            }
            Ok(Event::Incoming(Packet::Publish(message))) => LinkEvent::Message {
                topic: String::from_utf8_lossy(&message.topic).into_owned(),
                payload: message.payload.to_vec(),
            },
            Ok(_) => continue,
        };
        if events.send(told).await.is_err() {
            return End::Unheard;
        }
    }
}

/// Half to all of `wait`, so that many agents do not return at once.
fn jittered(wait: Duration) -> Duration {
    let mut byte = [0; 1];
    // Without random bytes the wait is merely whole.
    let share = getrandom::fill(&mut byte).map_or(255, |()| u32::from(byte[0]));
    wait / 2 + wait * share / 510
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_addresses_are_read_and_others_refused() {
        let address = |url| parse_url(url).map(|found| (found.host, found.port, found.tls)).ok();
        let is = |host: &str, port, tls| Some((host.to_owned(), port, tls));
        assert_eq!(address("mqtt://127.0.0.1:1884"), is("127.0.0.1", 1884, false));
        assert_eq!(address("mqtt://broker.example"), is("broker.example", 1883, false));
        assert_eq!(address("mqtts://broker.example/"), is("broker.example", 8883, true));
        assert_eq!(address("mqtts://[::1]:9"), is("::1", 9, true));
        assert_eq!(address("mqtt://[::1]"), is("::1", 1883, false));
        for bad in [
            "",
            "broker",
            "http://a",
            "mqtt://",
            "mqtt://a:b",
            "mqtt://a:0",
            "mqtt://a/b",
            "mqtt://[::1]x",
            "mqtt://a b",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn tls_needs_authorities_and_readable_files() {
        let mut link = LinkOptions {
            url: "mqtts://broker.example".to_owned(),
            client_id: "agent".to_owned(),
            credentials: None,
            ca_file: None,
            client_certificate: None,
            keep_alive: Duration::from_secs(30),
            retry_wait_max: Duration::from_secs(1),
        };
        assert!(matches!(link.mqtt(), Err(LinkError::NoAuthorities)));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        link.ca_file = Some(file.clone());
        assert!(matches!(link.mqtt(), Err(LinkError::Pem { .. })));
        std::fs::write(&file, "no certificate").unwrap();
        assert!(matches!(link.mqtt(), Err(LinkError::Pem { .. })));
    }
}
