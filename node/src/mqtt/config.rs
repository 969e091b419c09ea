//! The newest network file, left on the `config` topic of each device of this organisation.
//!
//! Invariants: retained, so that a device that was away finds it; sent again on each connection,
//! for a broker may have lost it. A device takes it by the succession rule alone, so that neither
//! broker nor node need be trusted with it.

use std::sync::Arc;

use hallmark_schemas::ack;
use rumqttc::v5::mqttbytes::QoS;
use tokio::sync::watch;
use tracing::{debug, warn};

use super::Ingest;

/// Tells all devices on each connection, which `connections` counts, and on each new version.
pub(super) async fn run(ingest: Arc<Ingest>, mut connections: watch::Receiver<u64>) {
    loop {
        // Made before the version is read: a change in between is not missed.
        let changed = ingest.service.network_changed.notified();
        if 0 < *connections.borrow_and_update() {
            tell(&ingest).await;
        }
        tokio::select! {
            () = changed => {}
            connected = connections.changed() => {
                if connected.is_err() {
                    return;
                }
            }
        }
    }
}

async fn tell(ingest: &Ingest) {
    let service = &ingest.service;
    let (network, org) = (&service.config.network, &service.config.org);
    let file = service.network();
    let devices: Vec<_> = service.node.keys().read(|keys| keys.devices_of(org).cloned().collect());
    for device in &devices {
        let topic = ack::config_topic(network, device);
        let bytes = file.bytes().to_vec();
        if let Err(error) = ingest.client.publish(topic, QoS::AtLeastOnce, true, bytes).await {
            warn!(%error, "cannot tell the devices of the network file");
            return;
        }
    }
    debug!(version = file.network().version, devices = devices.len(), "told the network file");
}
