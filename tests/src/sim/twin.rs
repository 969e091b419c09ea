//! The end of some worlds: a copy of a running node's folder is started beside it.
//!
//! One that reaches the original signs nothing. One that does not may sign, and be cosigned: then the
//! original, once its next checkpoint is refused, signs nothing more.

use std::collections::VecDeque;

use hallmark_node::core::Signing;
use hallmark_node::sim::{Effect, Event, Reply, SimNode};

use super::stock::{HONEST, STOCK};
use super::world::World;

/// Between two looks of the copy at its clock, and how many it takes.
const TICK_MS: u64 = 100;
const TICKS: u64 = 30;
/// Virtual time in which the original must have noticed.
const NOTICED_MS: u64 = 10_000;
/// Names the submissions; those of clients have small numbers.
const TICKET: u64 = 1 << 60;

impl World {
    /// Starts the copies; in a world without witnesses nobody could tell them apart.
    pub(super) fn twin(&mut self) -> Result<(), String> {
        if !self.weather.is_witnessed || self.rng.u8(..3) != 0 {
            return Ok(());
        }
        let host = self.rng.usize(..HONEST);
        let Some(original) = &self.hosts[host].node else { return Ok(()) };
        let is_new = |id| matches!(original.body(id), Ok(None));
        let mut fresh = STOCK.facilities.iter().filter(|piece| is_new(&piece.id));
        let (Some(one), Some(other)) = (fresh.next(), fresh.next()) else { return Ok(()) };
        let (one, other) = (one.stored.clone(), other.stored.clone());
        let signed = original.head().size;

        let mut near = self.hosts[host].twin(self.at_ms, 0)?;
        self.drive(&mut near, host, true, None);
        if !matches!(near.signing(), Signing::ReadOnly { .. }) {
            return Err(format!("a copy of node {host} beside it is {:?}", near.signing()));
        }
        let mut far = self.hosts[host].twin(self.at_ms, 1)?;
        self.drive(&mut far, host, false, Some(one));
        let published = far.published().map_or(0, |published| published.head.size);
        if published <= signed {
            // Its witnesses were busy with something else: nothing was signed twice.
            return Ok(());
        }
        self.is_twinned = true;
        self.happen(host, Event::Submitted { stored: other, ticket: TICKET })?;
        let end_ms = self.at_ms + NOTICED_MS;
        while self.at_ms < end_ms {
            self.step()?;
        }
        match self.hosts[host].node.as_ref().map(SimNode::signing) {
            Some(Signing::ReadOnly { .. }) => Ok(()),
            signing => {
                Err(format!("log {host} was signed elsewhere too, and its node is {signing:?}"))
            }
        }
    }

    /// Lets a copy live for a while; what it asks of others is answered at once.
    fn drive(&self, copy: &mut SimNode, of: usize, reaches: bool, submits: Option<Vec<u8>>) {
        let mut submits = submits.map(|stored| Event::Submitted { stored, ticket: TICKET });
        for tick in 1..=TICKS {
            let now = self.hosts[of].now(self.at_ms + tick * TICK_MS);
            // Once it may sign.
            let submitted = if tick == TICKS / 3 { submits.take() } else { None };
            let mut events: VecDeque<Event> = submitted.into_iter().chain([Event::Tick]).collect();
            while let Some(event) = events.pop_front() {
                for effect in copy.step(now, event) {
                    let Effect::Called { to, request, call, number } = effect else { continue };
                    let to = STOCK.origins.iter().position(|origin| *origin == to);
                    let to = to.filter(|to| *to < HONEST && (reaches || *to != of));
                    let node = to.and_then(|to| self.hosts[to].node.as_ref());
                    let reply: Option<Reply> = node.map(|node| node.serve(now.clock, &request));
                    events.push_back(Event::Replied { call, number, reply });
                }
            }
        }
    }
}
