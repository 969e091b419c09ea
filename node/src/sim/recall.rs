//! What the witness of a simulated node may have forgotten, asked of those who may know it.

use std::sync::Arc;

use hallmark_schemas::layout::peer_name;

use super::{ASK_AGAIN, Call, Effect, Reply, Request, SimNode, serve};
use crate::sequencer::writing::Now;
use crate::witness::memory::{Held, others};

impl SimNode {
    /// Asks everybody about every log in doubt, again and again until none is.
    pub(super) fn recall(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if now.monotonic < self.recall_at {
            return;
        }
        self.recall_at = now.monotonic + ASK_AGAIN;
        let setup = Arc::clone(&self.setup);
        let network = setup.network.network();
        let origins = network.members.iter().map(|member| member.origin.as_str());
        for origin in self.witness.in_doubt(origins) {
            for (witness, key) in others(network, self.witness.vkey()) {
                let its = network.members.iter().find(|member| member.witness_key == key);
                let call = Call::Recall { origin: origin.clone(), witness };
                if let Some(its) = its
                    && !self.calls.contains_key(&call)
                {
                    let request = Request::Held(origin.clone());
                    self.call(its.origin.clone(), request, call, effects);
                }
            }
        }
    }

    /// What one of them answers, or nothing.
    pub(super) fn recalled(&mut self, origin: &str, witness: &str, reply: Option<Reply>) {
        let Some(holds) = serve::holds(reply) else { return };
        let network = &self.setup.network;
        self.witness.told(network, origin, witness, &holds);
        let held = Held::of(&self.log, &self.mirror, &peer_name(origin));
        let settled = self.witness.settle(network, origin, held.as_ref());
        if let Err(error) = self.heeded(settled) {
            tracing::warn!(%error, origin, "a log stays in doubt");
        }
    }
}
