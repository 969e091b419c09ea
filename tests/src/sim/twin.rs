//! The end of some worlds: a copy of a running node's folder is started beside it.
//!
//! One that reaches the original signs nothing. One that does not may sign, and be cosigned: then the
//! original, once its next checkpoint is refused or its witnesses were asked, signs nothing more. Of
//! two that are started in the same instant one goes on, unless both have signed; if both have even
//! published, each with its own witness and one other, neither does.

use std::collections::VecDeque;

use hallmark_node::core::Signing;
use hallmark_node::sim::{Call, Effect, Event, Reply, SimNode};

use super::host::End;
use super::stock::{HONEST, STOCK};
use super::world::World;

/// Between two looks of the copy at its clock, and how many it takes.
const TICK_MS: u64 = 100;
const TICKS: u64 = 30;
/// The same for two that run at once: time for some looks.
const PAIR_TICKS: u64 = 120;
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
        if self.rng.u8(..3) == 0 {
            return self.both(host, [one, other], signed);
        }

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
        if self.rng.bool() {
            self.happen(host, Event::Submitted { stored: other, ticket: TICKET })?;
        }
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

    /// Two copies of a node that is no more, neither of which is met by the other at its start.
    fn both(&mut self, host: usize, pieces: [Vec<u8>; 2], signed: u64) -> Result<(), String> {
        let new = |number| self.hosts[host].twin(self.at_ms, number);
        let mut pair = [new(0)?, new(1)?];
        self.is_twinned = true;
        self.hosts[host].end(End::Killed, &mut self.rng);
        // The first knows where the second answers, perhaps also the other way round; each may be
        // written to, once it may sign.
        let knows = [true, self.rng.bool()];
        let mut writes = pieces.map(|piece| self.rng.bool().then_some(piece));
        let written_at: [u64; 2] = std::array::from_fn(|_| self.rng.u64(5..PAIR_TICKS / 2));
        for tick in 1..=PAIR_TICKS {
            let written = std::array::from_fn(|one| {
                let stored = if tick == written_at[one] { writes[one].take() } else { None };
                stored.map(|stored| Event::Submitted { stored, ticket: TICKET })
            });
            self.drive_both(&mut pair, host, knows, tick, written);
        }
        let ended = pair.each_ref().map(|one| matches!(one.signing(), Signing::ReadOnly { .. }));
        let grown = pair.each_ref().map(|one| signed < one.head().size);
        let published = pair
            .each_ref()
            .map(|one| signed < one.published().map_or(0, |published| published.head.size));
        // What was stored before may be logged by both alike.
        let common = pair[0].head().size.min(pair[1].head().size);
        let is_forked = pair[0].entries(0..common)? != pair[1].entries(0..common)?;
        let why = || pair.each_ref().map(SimNode::signing);
        match ended {
            [false, false] => Err(format!("two copies of node {host} go on: {:?}", why())),
            [true, true] if grown != [true, true] => {
                Err(format!("both copies of node {host} ended, {grown:?} signed: {:?}", why()))
            }
            ended if is_forked && published == [true, true] && ended != [true, true] => {
                Err(format!("node {host} forked its log, and a copy goes on: {:?}", why()))
            }
            _ => Ok(()),
        }
    }

    /// One tick of a pair, of which each `knows` where the other answers or does not. Both have asked
    /// before either hears: so it is where two start in one instant.
    fn drive_both(
        &self,
        pair: &mut [SimNode; 2],
        host: usize,
        knows: [bool; 2],
        tick: u64,
        written: [Option<Event>; 2],
    ) {
        let now = self.hosts[host].now(self.at_ms + tick * TICK_MS);
        let mut events: [Vec<Event>; 2] =
            written.map(|written| written.into_iter().chain([Event::Tick]).collect());
        while events.iter().any(|events| !events.is_empty()) {
            let mut called = Vec::new();
            for (one, events) in events.iter_mut().enumerate() {
                for event in std::mem::take(events) {
                    for effect in pair[one].step(now, event) {
                        if let Effect::Called { to, request, call, number } = effect {
                            called.push((one, to, request, call, number));
                        }
                    }
                }
            }
            for (one, to, request, call, number) in called {
                let to = STOCK.origins.iter().position(|origin| *origin == to);
                let reply = match to.filter(|to| *to < HONEST) {
                    Some(to) if to == host && call == Call::Twin => None,
                    Some(to) if to == host => {
                        let asked = if knows[one] { 1 - one } else { one };
                        Some(pair[asked].serve(now.clock, &request))
                    }
                    Some(to) => {
                        self.hosts[to].node.as_ref().map(|node| node.serve(now.clock, &request))
                    }
                    None => None,
                };
                events[one].push(Event::Replied { call, number, reply });
            }
        }
    }
}
