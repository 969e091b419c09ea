//! The outbox of a running node: what commands signed while it was down is stored first.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hallmark_schemas::attestation::{ContentId, Envelope, Refusal};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::admission::{AdmitError, Admitted};
use crate::outbox::{self, Fate, Parcel};
use crate::service::Service;

/// How often the outbox is looked at again while something waits in it.
const RETRY_WAIT: Duration = Duration::from_millis(200);

/// Stores everything that waits, in order. The genesis waits until the organisation is admitted.
pub(crate) async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut told = false;
    loop {
        match round(&service, &mut told).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(reason) => warn!(reason, "the outbox cannot be emptied"),
        }
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            () = tokio::time::sleep(RETRY_WAIT) => {}
        }
    }
}

/// True when nothing waits any more.
async fn round(service: &Arc<Service>, told: &mut bool) -> Result<bool, String> {
    let dir = service.dir.clone();
    let waiting = tokio::task::spawn_blocking(move || outbox::waiting(&dir)).await;
    let parcels = waiting.map_err(|e| e.to_string())?.map_err(|e| e.lines())?;
    for parcel in parcels {
        if parcel.is_genesis() && !service.is_admitted() {
            if !std::mem::replace(told, true) {
                info!("waiting for the registrar to admit this organisation");
            }
            return Ok(false);
        }
        let fates = send(service, &parcel).await;
        parcel.settle(&service.dir, &fates).map_err(|e| e.lines())?;
        for (id, fate) in &fates {
            if let Fate::Refused { reason } = fate {
                warn!(%id, reason, "refused from the outbox, kept in outbox/refused");
            }
        }
        if fates.iter().any(|(_, fate)| matches!(fate, Fate::Later { .. })) {
            return Ok(false);
        }
        if parcel.is_genesis() {
            service.founded.store(true, Ordering::Release);
        }
    }
    service.founded.store(true, Ordering::Release);
    Ok(true)
}

async fn send(service: &Service, parcel: &Parcel) -> Vec<(ContentId, Fate)> {
    let bodies = parcel.items.iter().map(|(_, stored)| stored.clone()).collect::<Vec<_>>();
    let mut admitted = Vec::new();
    if parcel.is_ordered() {
        for body in bodies {
            admitted.push(match Envelope::parse(&body) {
                Ok(envelope) => service.admit_own(envelope).await,
                Err(malformed) => Err(Refusal::from(malformed).into()),
            });
        }
    } else {
        admitted = service.node.admit_many(bodies).await;
    }
    let fates = admitted.into_iter().map(|admitted| match admitted {
        Ok(Admitted::Stored { id, .. }) => Fate::Stored { id, recorded: false },
        Ok(Admitted::Deferred { .. }) => Fate::Deferred,
        Err(AdmitError::Refused(refusal)) => {
            Fate::Refused { reason: crate::remedy::told(&refusal) }
        }
        Err(error) => Fate::Later { reason: error.to_string() },
    });
    parcel.items.iter().map(|(id, _)| *id).zip(fates).collect()
}
