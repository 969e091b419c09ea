//! MQTT ingest: batches in, acknowledgements out.
//!
//! Invariants: nothing is acknowledged before it is true: *stored* when the body is durable,
//! *recorded* with the receipt when its checkpoint is published; the broker keeps a batch until the
//! node has answered it (manual acknowledgement, in order); everything in work is bounded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use hallmark_schemas::ack::{self, Ack, Status};
use hallmark_schemas::attestation::{ContentId, Envelope};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::admission::{AdmitError, Admitted};
use crate::api::problem::with_causes;
use crate::config::{Config, Mqtt};
use crate::failure::Failure;
use crate::service::Service;

#[cfg(feature = "broker")]
pub mod broker;
mod config;

/// Largest packet: an attestation and its topic.
const PACKET_BYTES_MAX: u32 = (1 << 20) + 1024;
/// Most batches whose *recorded* is still to be told; beyond, devices send again and are told then.
const AWAITED_MAX: usize = 100_000;
/// How long the broker keeps our session while this node is away: 30 days.
const SESSION_S: u32 = 30 * 86_400;
/// Longest wait before the next try to connect.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(5);

/// What the ingest tasks share.
struct Ingest {
    service: Arc<Service>,
    client: AsyncClient,
    awaited: mpsc::Sender<(ContentId, String)>,
}

/// Connects and ingests until `stop`. `url` is `mqtt://host:port` or `mqtts://…`.
pub async fn run(
    service: Arc<Service>,
    url: String,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let options = options(&service, &url)?;
    let inflight = usize::from(service.config.mqtt.inflight_max);
    let (client, events) = AsyncClient::new(options, inflight * 4);
    let (awaited, recorder) = mpsc::channel(inflight * 4);
    let (arrived, arrivals) = mpsc::channel(inflight);
    let ingest = Arc::new(Ingest { service: Arc::clone(&service), client, awaited });
    let Config { mqtt, network, org, .. } = &service.config;
    let filter = ack::attest_filter(&mqtt.group, network, org);
    let (connections, connected) = watch::channel(0);
    let tasks = [
        tokio::spawn(answer(Arc::clone(&ingest), arrivals, inflight)),
        tokio::spawn(tell_recorded(Arc::clone(&ingest), recorder)),
        tokio::spawn(config::run(Arc::clone(&ingest), connected)),
    ];
    let heard = Heard { arrived, connections };
    attend(&ingest, events, heard, filter, stop).await;
    for task in tasks {
        task.abort();
    }
    Ok(())
}

fn options(service: &Service, url: &str) -> Result<MqttOptions, Failure> {
    let config = &service.config.mqtt;
    let wrong = |reason: &str| {
        Failure::usage(format!("`mqtt.broker` is {url}: {reason}")).help("mqtt://host:1883")
    };
    let (is_tls, rest) = match (url.strip_prefix("mqtts://"), url.strip_prefix("mqtt://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err(wrong("no MQTT URL")),
    };
    let rest = rest.trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong("its port is no number"))?),
        None => (rest, if is_tls { 8883 } else { 1883 }),
    };
    let id = format!("hallmark-node-{}", service.config.org.slug());
    let mut options = MqttOptions::new(id, host, port);
    options
        .set_keep_alive(Duration::from_secs(30))
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_S))
        .set_receive_maximum(Some(config.inflight_max))
        .set_max_packet_size(Some(PACKET_BYTES_MAX))
        .set_manual_acks(true)
        .set_request_channel_capacity(usize::from(config.inflight_max) * 4);
    if let Some(username) = &config.username {
        options.set_credentials(username, password(service)?);
    }
    if is_tls {
        options.set_transport(rumqttc::Transport::tls_with_config(tls(service)?.into()));
    }
    Ok(options)
}

fn password(service: &Service) -> Result<String, Failure> {
    let Some(file) = &service.config.mqtt.password_file else {
        return Ok(String::new());
    };
    let path = service.dir.join(file);
    std::fs::read_to_string(&path).map(|text| text.trim_end().to_owned()).map_err(|e| {
        Failure::usage(format!("cannot read the MQTT password {}", path.display()))
            .because(&e)
            .help("correct mqtt.password_file in config.toml")
    })
}

fn tls(service: &Service) -> Result<rustls::ClientConfig, Failure> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    crate::client::install_tls_provider();
    let Mqtt { ca_file: Some(file), .. } = &service.config.mqtt else {
        return Err(Failure::usage("`mqtts://` needs `mqtt.ca_file`")
            .help("name the PEM file of the broker's authority in config.toml"));
    };
    let path = service.dir.join(file);
    let wrong = |e: &(dyn std::error::Error + 'static)| {
        Failure::usage(format!("cannot use {} for TLS", path.display()))
            .because(e)
            .help("mqtt.ca_file is the PEM file of the broker's authority")
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&path).map_err(|e| wrong(&e))? {
        roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
    }
    Ok(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// What the connection tells the other tasks.
struct Heard {
    /// Batches, in order.
    arrived: mpsc::Sender<Publish>,
    /// How often the broker was reached.
    connections: watch::Sender<u64>,
}

/// Drives the connection; arrivals go on in order, and wait when too many are in work.
async fn attend(
    ingest: &Ingest,
    mut events: EventLoop,
    heard: Heard,
    filter: String,
    mut stop: watch::Receiver<bool>,
) {
    let mut wait = Duration::from_millis(50);
    loop {
        let event = tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            event = events.poll() => event,
        };
        match event {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                wait = Duration::from_millis(50);
                // Also on a kept session: the broker may have lost it.
                if ingest.client.try_subscribe(filter.clone(), QoS::AtLeastOnce).is_err() {
                    warn!("cannot subscribe, trying again");
                    continue;
                }
                info!(%filter, "connected to the broker");
                ingest.service.health.broker(true);
                heard.connections.send_modify(|count| *count += 1);
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                // The receive maximum keeps this channel from filling; should it fill, wait.
                if heard.arrived.send(publish).await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => {
                ingest.service.health.broker(false);
                warn!(error = %with_causes(&error), "the broker is away");
                tokio::select! {
                    () = crate::peers::stopped(&mut stop) => return,
                    () = tokio::time::sleep(wait) => {}
                }
                wait = (wait * 2).min(RECONNECT_WAIT_MAX);
            }
        }
    }
}

/// Admits many at once, answers each device, then lets the broker forget them, in order.
async fn answer(ingest: Arc<Ingest>, mut arrivals: mpsc::Receiver<Publish>, inflight: usize) {
    let mut working = FuturesOrdered::new();
    loop {
        tokio::select! {
            Some(publish) = arrivals.recv(), if working.len() < inflight => {
                let ingest = Arc::clone(&ingest);
                working.push_back(tokio::spawn(async move {
                    let answered = admit(&ingest, &publish).await;
                    (publish, answered)
                }));
            }
            Some(done) = working.next() => {
                let Ok((publish, answered)) = done else { continue };
                if answered && let Err(error) = ingest.client.ack(&publish).await {
                    warn!(%error, "cannot acknowledge to the broker");
                }
            }
            else => return,
        }
    }
}

/// Admits one batch and tells its device. False: no answer yet, the broker keeps it.
async fn admit(ingest: &Ingest, publish: &Publish) -> bool {
    let Ok(topic) = std::str::from_utf8(&publish.topic) else {
        return true;
    };
    let network = &ingest.service.config.network;
    let Some(device) = ack::device_of_topic(network, topic) else {
        return true;
    };
    let topic = ack::ack_topic(network, &device);
    let parsed = Envelope::parse_transit(&publish.payload);
    let ack = match parsed {
        Err(error) => {
            let id = ContentId::of(&publish.payload);
            Ack { id, status: Status::Refused, receipt: None, reason: Some(with_causes(&error)) }
        }
        Ok((envelope, _)) => loop {
            match ingest.service.admit_parsed(envelope.clone()).await {
                Ok(admitted) => break after(ingest, admitted, &envelope, &topic).await,
                Err(AdmitError::Refused(refusal)) => {
                    let reason = Some(crate::remedy::told(&refusal));
                    break Ack {
                        id: envelope.id(),
                        status: Status::Refused,
                        receipt: None,
                        reason,
                    };
                }
                Err(AdmitError::Busy { retry_after, .. } | AdmitError::Full { retry_after }) => {
                    tokio::time::sleep(retry_after).await;
                }
                Err(AdmitError::ReadOnly { .. }) => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(_) => return false,
            }
        },
    };
    send(ingest, &topic, &ack).await;
    true
}

/// The acknowledgement of an admission, about the id that the device sent.
async fn after(ingest: &Ingest, admitted: Admitted, sent: &Envelope, topic: &str) -> Ack {
    let plain = |status| Ack { id: sent.id(), status, receipt: None, reason: None };
    let (id, known) = match admitted {
        Admitted::Deferred { id } => {
            // It is stored and recorded without another word from the device.
            let _ = ingest.awaited.try_send((id, topic.to_owned()));
            return plain(Status::Deferred);
        }
        Admitted::Stored { id, known } => (id, known),
    };
    if known {
        let node = ingest.service.node.clone();
        let receipt = tokio::task::spawn_blocking(move || node.log().receipt(&id)).await;
        if let Ok(Ok(Some(receipt))) = receipt {
            return Ack { receipt: Some(receipt), ..plain(Status::Recorded) };
        }
    }
    // A full queue is no loss: the device sends again and is told then.
    let _ = ingest.awaited.try_send((id, topic.to_owned()));
    plain(Status::Stored)
}

async fn send(ingest: &Ingest, topic: &str, ack: &Ack) {
    metrics::counter!("hallmark_mqtt_acks_total", "status" => ack.status.as_str()).increment(1);
    let sent = ingest.client.publish(topic, QoS::AtLeastOnce, false, ack.encode()).await;
    if let Err(error) = sent {
        warn!(%error, topic, "cannot publish an acknowledgement");
    }
}

/// After each published checkpoint, tells the devices whose batches it covers.
async fn tell_recorded(ingest: Arc<Ingest>, mut awaited: mpsc::Receiver<(ContentId, String)>) {
    let mut published = ingest.service.node.log().subscribe_published();
    let mut waiting: HashMap<ContentId, String> = HashMap::new();
    loop {
        tokio::select! {
            arrived = awaited.recv() => {
                let Some((id, topic)) = arrived else { return };
                if waiting.len() < AWAITED_MAX {
                    waiting.insert(id, topic);
                }
                // It may have been published before it came here.
                if !published.has_changed().unwrap_or(true) {
                    continue;
                }
            }
            changed = published.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(Duration::from_secs(1)), if !waiting.is_empty() => {}
        }
        while let Ok((id, topic)) = awaited.try_recv() {
            waiting.insert(id, topic);
        }
        published.borrow_and_update();
        let (node, ids) =
            (ingest.service.node.clone(), waiting.keys().copied().collect::<Vec<_>>());
        let receipts = tokio::task::spawn_blocking(move || {
            let receipt = |id: &ContentId| Some((*id, node.log().receipt(id).ok()??));
            ids.iter().filter_map(receipt).collect::<Vec<_>>()
        });
        for (id, receipt) in receipts.await.unwrap_or_default() {
            let Some(topic) = waiting.remove(&id) else {
                continue;
            };
            let status = Status::Recorded;
            send(&ingest, &topic, &Ack { id, status, receipt: Some(receipt), reason: None }).await;
        }
    }
}
