//! The versions of the network file: one is in force, and leads to the next.

use std::sync::{Arc, PoisonError};

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::identity::NaturalIdentity;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::NetworkFile;

use super::Service;
use crate::api::problem::with_causes;
use crate::core::former;
use crate::files::write_durably;

impl Service {
    /// Takes over a newer version: checked against the one in force, durable, then effective. Where
    /// only versions between lead to it, those that registrars' logs hold are taken over first.
    pub fn adopt_network(&self, file: NetworkFile) -> Result<(), String> {
        let mut current = self.network.write().unwrap_or_else(PoisonError::into_inner);
        if file.bytes() == current.bytes() {
            return Ok(());
        }
        if NetworkFile::successor_valid(&current, &file).is_err() {
            for between in self.node.keys().versions_before(file.network().version) {
                if NetworkFile::successor_valid(&current, &between).is_ok() {
                    self.take_over(&mut current, between)?;
                }
            }
        }
        NetworkFile::successor_valid(&current, &file).map_err(|e| with_causes(&e))?;
        self.take_over(&mut current, file)?;
        drop(current);
        self.network_changed.notify_waiters();
        Ok(())
    }

    fn take_over(&self, current: &mut Arc<NetworkFile>, file: NetworkFile) -> Result<(), String> {
        former::keep(&self.dir, current)
            .map_err(|e| format!("cannot keep the version of the network file in force: {e}"))?;
        write_durably(&Dir::new(&self.dir).network(), file.bytes())
            .map_err(|e| format!("cannot write the network file: {e}"))?;
        self.node.adopt_network(&file);
        *current = Arc::new(file);
        Ok(())
    }

    /// Takes over versions that the own log holds already: a crash may have come between logging
    /// one and putting it into force.
    pub fn adopt_logged(&self) -> Result<(), String> {
        loop {
            let version = self.network().network().version + 1;
            let org = &self.config.org;
            let identity = NaturalIdentity::of(KindName::Network, org, &(version,));
            let log = self.node.log();
            let id = log.same_statement(&identity.key).map_err(|e| with_causes(&e))?;
            let Some(id) = id else { return Ok(()) };
            let stored = log.body(&id).map_err(|e| with_causes(&e))?;
            let envelope = stored.and_then(|stored| Envelope::parse(&stored).ok());
            let Some(Body::Network(logged)) = envelope.as_ref().map(Envelope::body) else {
                return Ok(());
            };
            let file = NetworkFile::parse(&logged.file.0).map_err(|e| with_causes(&e))?;
            self.adopt_network(file)?;
            tracing::info!(version, "took over a logged network file");
        }
    }
}
