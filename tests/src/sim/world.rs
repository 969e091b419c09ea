//! Virtual time, a network that loses, delays, doubles and cuts, and everything that happens in it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use fastrand::Rng;
use hallmark_node::admission::{AdmitError, Admitted};
use hallmark_node::sim::{Call, Effect, Event, Reply, Request, SimNode};
use hallmark_schemas::attestation::{ContentId, Refusal};

use super::byzantine::{Byzantine, COMMON};
use super::host::{End, Host};
use super::oracle::Oracle;
use super::stock::{HONEST, STOCK};
use super::weather::Weather;

/// How often a node is given the time, in milliseconds.
const TICK_MS: u64 = 50;
/// When a request counts as unanswered.
const TIMEOUT_MS: u64 = 700;
/// Most defect proofs that a node may keep of one log: 16 of each of the five sorts.
const DEFECTS_MAX: usize = 16 * 5;
/// Virtual time after healing by which all must have settled.
pub(super) const SETTLED_MS: u64 = 60_000;

/// What is going to happen.
#[derive(Debug)]
pub(super) enum What {
    Tick(usize),
    Client,
    Nemesis,
    Liar,
    Start(usize),
    Repair(usize),
    Request { from: usize, to: usize, epoch: u32, request: Request, call: Call, number: u64 },
    Reply { to: usize, from: usize, epoch: u32, call: Call, number: u64, reply: Option<Reply> },
}

/// Ordered by time, then by when it was planned.
struct Planned {
    at_ms: u64,
    number: u64,
    what: What,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Planned) -> bool {
        (self.at_ms, self.number) == (other.at_ms, other.number)
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Planned) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Planned) -> std::cmp::Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}

/// One world.
pub(super) struct World {
    pub(super) rng: Rng,
    pub(super) at_ms: u64,
    pub(super) weather: Weather,
    pub(super) hosts: Vec<Host>,
    pub(super) liar: Byzantine,
    pub(super) oracle: Oracle,
    planned: BinaryHeap<Reverse<Planned>>,
    count: u64,
    /// Submissions on their way, by ticket.
    tickets: BTreeMap<u64, (usize, u32, ContentId)>,
    ticket: u64,
    /// What each client hands in next.
    next: [usize; HONEST],
    /// FNV-1a of everything that happened.
    pub(super) hash: u64,
    /// The last things that happened, for people.
    pub(super) trace: Vec<String>,
    pub(super) keep_trace: bool,
    /// What the nodes held when the trace last told.
    held: BTreeMap<(usize, String), u64>,
    pub(super) is_healed: bool,
    /// A second process has signed one of the logs: what was promised of one process is not looked
    /// at any more.
    pub(super) is_twinned: bool,
}

impl World {
    pub(super) fn new(seed: u64, keep_trace: bool) -> Result<World, String> {
        let mut rng = Rng::with_seed(seed);
        let weather = Weather::draw(&mut rng);
        let network = if weather.is_witnessed { &STOCK.witnessed } else { &STOCK.unwitnessed };
        let hosts = (0..HONEST).map(|member| Host::new(member, network));
        let mut world = World {
            liar: Byzantine::new(weather.is_endless),
            weather,
            hosts: hosts.collect::<Result<_, _>>()?,
            oracle: Oracle::new(network.clone()),
            rng,
            at_ms: 0,
            planned: BinaryHeap::new(),
            count: 0,
            tickets: BTreeMap::new(),
            ticket: 0,
            next: [0; HONEST],
            hash: 0xcbf2_9ce4_8422_2325,
            trace: Vec::new(),
            keep_trace,
            held: BTreeMap::new(),
            is_healed: false,
            is_twinned: false,
        };
        for host in 0..HONEST {
            let delay = world.rng.u64(..TICK_MS);
            world.plan(delay, What::Start(host));
            world.plan(delay + 1, What::Tick(host));
        }
        world.plan(10, What::Client);
        world.plan(200, What::Nemesis);
        world.plan(30, What::Liar);
        Ok(world)
    }

    pub(super) fn plan(&mut self, in_ms: u64, what: What) {
        self.count += 1;
        let (at_ms, number) = (self.at_ms + in_ms, self.count);
        self.planned.push(Reverse(Planned { at_ms, number, what }));
    }

    /// Lets the next thing happen.
    pub(super) fn step(&mut self) -> Result<(), String> {
        let Some(Reverse(Planned { at_ms, what, .. })) = self.planned.pop() else {
            return Ok(());
        };
        self.at_ms = at_ms;
        match what {
            What::Tick(host) => {
                self.plan(TICK_MS, What::Tick(host));
                self.happen(host, Event::Tick)
            }
            What::Client => self.client(),
            What::Nemesis => {
                if !self.is_healed {
                    let wait = self.rng.u64(50..400);
                    self.plan(wait, What::Nemesis);
                    self.nemesis()?;
                }
                Ok(())
            }
            What::Liar => self.liar_acts(),
            What::Start(host) => self.start(host),
            What::Repair(host) => self.repair(host),
            What::Request { from, to, epoch, request, call, number } => {
                self.serve(from, to, &request, call, (epoch, number))
            }
            What::Reply { to, from, epoch, call, number, reply } => {
                if to == HONEST {
                    if let Some(reply) = reply {
                        let size = self.hosts[from].node.as_ref().and_then(|node| {
                            node.witnessed(&STOCK.origins[HONEST]).map(|head| head.size)
                        });
                        self.liar.hears(from, &reply, size);
                    }
                    return Ok(());
                }
                if self.hosts[to].epoch != epoch {
                    return Ok(());
                }
                let is_heard =
                    self.hosts[to].node.as_ref().is_some_and(|node| node.awaits(&call, number));
                let log = match &call {
                    Call::Recall { origin, .. } => Some(origin),
                    Call::Guard(_) => Some(&STOCK.origins[to]),
                    _ => None,
                };
                if let (true, Some(log), Some(Reply::Held(holds))) = (is_heard, log, &reply) {
                    self.oracle.told((to, from), log, holds);
                    let log = log.clone();
                    let sizes = holds.each_ref().map(|note| note.as_deref().map(stated_size));
                    self.note(|| {
                        format!("node {from} told node {to} that it holds {sizes:?} of {log}")
                    });
                }
                self.happen(to, Event::Replied { call, number, reply })
            }
        }
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.keep_trace {
            let at = self.at_ms;
            self.trace.push(format!("{at:>6} ms  {}", line()));
        }
    }

    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn start(&mut self, host: usize) -> Result<(), String> {
        let at_ms = self.at_ms;
        if self.hosts[host].node.is_some() {
            return Ok(());
        }
        match self.hosts[host].start(at_ms) {
            Ok(()) => {
                self.oracle.starts(host);
                self.note(|| format!("node {host} starts"));
                self.look(host)
            }
            Err(reason) => {
                self.note(|| format!("node {host} does not start: {reason}"));
                if self.hosts[host].old.is_none() && self.is_healed {
                    return Err(format!("node {host} does not start on a whole disk: {reason}"));
                }
                self.plan(500, What::Start(host));
                Ok(())
            }
        }
    }

    /// One event at one node, with all that follows at once.
    pub(super) fn happen(&mut self, host: usize, event: Event) -> Result<(), String> {
        let now = self.hosts[host].now(self.at_ms);
        let is_tick = matches!(event, Event::Tick);
        let Some(node) = &mut self.hosts[host].node else { return Ok(()) };
        let effects = node.step(now, event);
        let (epoch, at) = (self.hosts[host].epoch, self.at_ms);
        if !is_tick || !effects.is_empty() {
            self.mix(&at.to_le_bytes());
            self.mix(&[host as u8, effects.len() as u8]);
        }
        self.look(host)?;
        for effect in effects {
            match effect {
                Effect::Called { to, request, call, number } => {
                    self.mix(&[1]);
                    self.send(host, &to, request, call, (epoch, number));
                }
                Effect::Answered { ticket, answer } => self.answered(ticket, answer)?,
            }
        }
        self.bury(host)
    }

    /// Ends the process of a node that has stopped.
    fn bury(&mut self, host: usize) -> Result<(), String> {
        let Some(cause) = self.hosts[host].node.as_ref().and_then(|node| node.stopped()) else {
            return Ok(());
        };
        self.mix(&[3]);
        self.note(|| format!("node {host} stops: {cause}"));
        if !self.weather.may_stop(host) && self.hosts[host].old.is_none() {
            return Err(format!("node {host} stops without a fault: {cause}"));
        }
        let (end, wait) = self.an_end();
        self.note(|| format!("node {host}: {end:?}"));
        self.hosts[host].end(end, &mut self.rng);
        self.plan(wait, What::Start(host));
        Ok(())
    }

    pub(super) fn an_end(&mut self) -> (End, u64) {
        let end = if self.rng.bool() { End::Killed } else { End::PowerCut };
        (end, self.rng.u64(20..900))
    }

    /// What is seen of a node now.
    fn look(&mut self, host: usize) -> Result<(), String> {
        let Some(node) = self.hosts[host].node.as_ref().filter(|_| !self.is_twinned) else {
            return Ok(());
        };
        if self.hosts[host].old.is_some() {
            return self.oracle.look_serving(host, node);
        }
        let held = if self.keep_trace { held_by(node) } else { Vec::new() };
        let looked = self.oracle.look(host, node, &self.liar);
        let size = node.head().size;
        for (what, size) in held {
            if self.held.insert((host, what.clone()), size) != Some(size) {
                self.note(|| format!("node {host}: {what}, {size} entries"));
            }
        }
        looked?;
        self.mix(&size.to_le_bytes());
        Ok(())
    }

    /// `once` tells the process that asks and this question.
    fn send(&mut self, from: usize, to: &str, request: Request, call: Call, once: (u32, u64)) {
        let (epoch, number) = once;
        let to = STOCK.origins.iter().position(|origin| origin == to).unwrap_or(HONEST);
        let timeout =
            What::Reply { to: from, from: to, epoch, call: call.clone(), number, reply: None };
        self.plan(TIMEOUT_MS, timeout);
        if !self.arrives(from, to) {
            return;
        }
        let copies = if self.weather.doubles(&mut self.rng) { 2 } else { 1 };
        for _ in 0..copies {
            let delay = self.weather.delay_ms(&mut self.rng);
            let (request, call) = (request.clone(), call.clone());
            self.plan(delay, What::Request { from, to, epoch, request, call, number });
        }
    }

    fn arrives(&mut self, from: usize, to: usize) -> bool {
        !self.weather.is_cut(from, to) && !self.weather.loses(&mut self.rng)
    }

    fn serve(
        &mut self,
        from: usize,
        to: usize,
        request: &Request,
        call: Call,
        (epoch, number): (u32, u64),
    ) -> Result<(), String> {
        let reply = if to == HONEST {
            self.liar.serve(&mut self.rng, from, request)
        } else {
            let now = self.hosts[to].now(self.at_ms);
            let Some(node) = &self.hosts[to].node else { return Ok(()) };
            node.serve(now.clock, request)
        };
        if to != HONEST {
            self.look(to)?;
            self.bury(to)?;
        }
        if self.arrives(to, from) {
            let delay = self.weather.delay_ms(&mut self.rng);
            let reply = Some(reply);
            self.plan(delay, What::Reply { to: from, from: to, epoch, call, number, reply });
        }
        Ok(())
    }

    /// Somebody hands something in: new, again, contradicting, of a key not known yet, of a
    /// stranger.
    fn client(&mut self) -> Result<(), String> {
        if !self.is_healed {
            let wait = self.rng.u64(10..120);
            self.plan(wait, What::Client);
        }
        let host = self.rng.usize(..HONEST);
        let piece = match self.rng.u8(..20) {
            0..=9 => {
                let next = self.next[host];
                self.next[host] = (next + 1) % STOCK.facilities.len();
                &STOCK.facilities[next]
            }
            10..=12 => &STOCK.facilities[self.rng.usize(..=self.next[host])],
            13 => &STOCK.contradictions[self.rng.usize(..=self.next[host])],
            14..=16 => &STOCK.readings[self.rng.usize(..STOCK.readings.len())],
            17 if 1500 < self.at_ms => &STOCK.device,
            17 => return Ok(()),
            _ => &STOCK.strange[self.rng.usize(..STOCK.strange.len())],
        };
        self.ticket += 1;
        let ticket = self.ticket;
        self.tickets.insert(ticket, (host, self.hosts[host].epoch, piece.id));
        self.happen(host, Event::Submitted { stored: piece.stored.clone(), ticket })
    }

    fn answered(
        &mut self,
        ticket: u64,
        answer: Result<Admitted, AdmitError>,
    ) -> Result<(), String> {
        let Some((host, epoch, id)) = self.tickets.remove(&ticket) else { return Ok(()) };
        self.mix(&[2, u8::from(answer.is_ok())]);
        // What a node promises whose files are not the newest, its operator breaks.
        if self.hosts[host].epoch != epoch || self.hosts[host].old.is_some() {
            return Ok(());
        }
        match answer {
            Ok(Admitted::Stored { id, known }) => {
                self.note(|| format!("node {host} stored {id}, known {known}"));
                self.oracle.stored(host, id, known)
            }
            Ok(Admitted::Deferred { id }) => {
                self.note(|| format!("node {host} defers {id}"));
                self.oracle.deferred(host, id);
                Ok(())
            }
            Err(AdmitError::Refused(Refusal::Contradicted { .. })) => Ok(()),
            Err(AdmitError::Refused(refusal)) => {
                Err(format!("node {host} refused {id}, which is good: {refusal}"))
            }
            Err(error) => {
                self.note(|| format!("node {host} does not take {id} now: {error}"));
                Ok(())
            }
        }
    }

    fn liar_acts(&mut self) -> Result<(), String> {
        if self.is_healed {
            return Ok(());
        }
        let wait = self.rng.u64(30..200);
        self.plan(wait, What::Liar);
        self.liar.grow(&mut self.rng);
        let to = self.rng.usize(..HONEST);
        if self.weather.is_flooded {
            let piece = &STOCK.strange[self.rng.usize(..STOCK.strange.len())];
            self.ticket += 1;
            let (ticket, stored) = (self.ticket, piece.stored.clone());
            self.tickets.insert(ticket, (to, self.hosts[to].epoch, piece.id));
            self.happen(to, Event::Submitted { stored, ticket })?;
        }
        if let Some(request) = self.liar.push(&mut self.rng, to) {
            let call = Call::Ask(String::new());
            let delay = self.weather.delay_ms(&mut self.rng);
            self.plan(
                delay,
                What::Request { from: HONEST, to, epoch: 0, request, call, number: 0 },
            );
        }
        Ok(())
    }

    /// Everything works from now on; the liar shows each node its other history.
    pub(super) fn heal(&mut self) {
        self.is_healed = true;
        self.weather.clear();
        for host in 0..HONEST {
            self.hosts[host].put_back(&mut self.rng);
            let one = &mut self.hosts[host];
            one.is_read_only = false;
            one.skew_ms = 0;
            one.disk.set_read_only(false);
            one.disk.set_capacity(None);
            if one.is_ill() || one.disk.stopped() {
                one.end(End::Killed, &mut self.rng);
                self.plan(10, What::Start(host));
            }
            // A fault that waited for its moment is gone with the process.
            self.hosts[host].disk.killed();
        }
    }

    /// Runs until all is as it must be, or the time for that is over.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        let end_ms = self.at_ms + SETTLED_MS;
        let mut look_ms = self.at_ms;
        loop {
            self.step()?;
            if self.at_ms < look_ms {
                continue;
            }
            look_ms = self.at_ms + 200;
            let nodes: Vec<_> = self.hosts.iter().filter_map(|host| host.node.as_ref()).collect();
            let left = if nodes.len() < HONEST {
                Some("a node is down".to_owned())
            } else {
                self.oracle.unsettled(&nodes)
            };
            match left {
                None => return self.oracle.end(&nodes),
                Some(left) if end_ms < self.at_ms => {
                    return Err(format!("not settled {SETTLED_MS} ms after healing: {left}"));
                }
                Some(_) => {}
            }
        }
    }

    /// The liar shows every node a history that contradicts what it showed before.
    pub(super) fn expose(&mut self) -> Result<(), String> {
        self.liar.turned = true;
        let end_ms = self.at_ms + 3_000;
        while self.at_ms < end_ms {
            self.step()?;
        }
        for (number, host) in self.hosts.iter().enumerate() {
            let Some(node) = &host.node else { continue };
            let copies = node.copies();
            let copy = copies.iter().find(|copy| copy.origin == STOCK.origins[HONEST]);
            let shown = self.liar.shown_head(number);
            if let Some(copy) = copy
                && COMMON < copy.head.size
                && COMMON < shown.size
                && shown.size <= copy.head.size
                && !self.liar.has_both(copy.head, shown)
                && node.defects(&copy.origin) == 0
            {
                return Err(format!("node {number} saw two histories and kept no proof of it"));
            }
            let kept = node.defects(&STOCK.origins[HONEST]);
            if DEFECTS_MAX < kept {
                return Err(format!("node {number} keeps {kept} proofs against one log"));
            }
        }
        Ok(())
    }
}

/// The sizes of what a node has signed, published and cosigned, for people.
fn held_by(node: &SimNode) -> Vec<(String, u64)> {
    let of = |what: &str, size| (what.to_owned(), size);
    let mut held = vec![of("its head", node.head().size)];
    held.extend(node.unsigned().map(|note| of("signed", stated_size(note.text()))));
    held.extend(node.published().map(|one| of("published", one.head.size)));
    let seen = STOCK.origins.iter().filter_map(|origin| Some((origin, node.witnessed(origin)?)));
    held.extend(seen.map(|(origin, seen)| of(&format!("witness of {origin}"), seen.head().size)));
    held
}

/// The size in the text of a note.
fn stated_size(note: &str) -> u64 {
    note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0)
}
