//! Which peers there are, how they are connected, and what they did wrong.
//!
//! Invariants: only a peer key of the network file makes a peer; whoever errs too often is kept out,
//! each time for longer until a good time has passed, also after a restart; what is remembered is bounded by the members and
//! [`STRANGERS_MAX`]. No clock is read here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hallmark_schemas::id::OrgId;
use hallmark_schemas::network::Network;
use hallmark_schemas::time::Timestamp;
use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::peer_id;

/// Points at which a peer is kept out.
const POINTS_MAX: u32 = 100;
/// A point is forgiven in so many milliseconds.
const FORGIVEN_MS: u64 = 1000;
/// First time that a peer is kept out; each further time is twice as long.
const KEPT_OUT_MS: i64 = 60_000;
/// Longest time: a day.
const KEPT_OUT_MS_MAX: i64 = 24 * 3600 * 1000;
/// So long after it was let in again, one time that a peer was kept out is forgotten.
const FORGOTTEN_MS: u64 = 24 * 3600 * 1000;
/// Most peers that are no members of which a refusal is remembered.
const STRANGERS_MAX: usize = 64;

/// What a peer does wrong.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// More questions, gossip or bytes than it may send.
    Flooded,
    /// A question, an answer or a message that is none.
    Malformed,
    /// Gossip that is not signed by whom it names.
    Forged,
    /// A question or an answer that it begins and does not go on with.
    Stalled,
    /// Far more bytes than what it brings takes: frames, pings, subscriptions, messages to nobody.
    Babbled,
    /// An answer that its own signatures or hashes refute.
    Lied,
    /// A message or a subscription to a topic that no node of this network has.
    Strayed,
    /// Its log signed two histories.
    Equivocated,
}

impl Fault {
    /// What one such act weighs: a node that is merely busy stays far below [`POINTS_MAX`].
    const fn points(self) -> u32 {
        match self {
            Fault::Flooded => 1,
            // A slow line also does that, but not with dozens at once.
            Fault::Stalled => 4,
            Fault::Malformed | Fault::Forged => 20,
            Fault::Lied | Fault::Babbled => 50,
            Fault::Strayed | Fault::Equivocated => POINTS_MAX,
        }
    }

    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Flooded => "flooded",
            Fault::Malformed => "malformed",
            Fault::Forged => "forged",
            Fault::Stalled => "stalled",
            Fault::Babbled => "babbled",
            Fault::Lied => "lied",
            Fault::Strayed => "strayed",
            Fault::Equivocated => "equivocated",
        }
    }
}

/// A member as a peer.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Whose node.
    pub org: OrgId,
    /// The origin of its log.
    pub origin: String,
}

/// What is remembered of a peer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Record {
    /// How often it did what.
    faults: BTreeMap<Fault, u64>,
    points: u32,
    /// When the points were counted last.
    counted_at: Option<Timestamp>,
    /// How often it was kept out, less those that were forgotten.
    times_kept_out: u32,
    kept_out_until: Option<Timestamp>,
    /// For what.
    #[serde(default)]
    kept_out_for: Option<String>,
    /// The last refusal, of either side, and when.
    refusal: Option<(Timestamp, String)>,
    #[serde(skip)]
    connected: Option<(Timestamp, String)>,
    /// Until when it keeps this node out, as it said, and why.
    #[serde(skip)]
    keeps_out: Option<(Timestamp, String)>,
    /// Its connections lead to more than one process.
    #[serde(skip)]
    is_doubled: bool,
}

/// Those who proved no name.
#[derive(Default)]
struct Unnamed {
    count: u64,
    last: Option<(Timestamp, String)>,
}

#[derive(Default)]
struct State {
    peers: BTreeMap<PeerId, Peer>,
    records: BTreeMap<PeerId, Record>,
    unnamed: Unnamed,
}

/// All peers. The loop of `net.rs` writes, anyone reads.
pub struct Roster {
    path: PathBuf,
    state: Mutex<State>,
    /// Held by whoever writes the file.
    saving: Mutex<()>,
}

impl Roster {
    /// Reads what was remembered before the restart; a damaged file costs the memory only.
    pub fn open(path: PathBuf) -> Roster {
        let text = std::fs::read(&path).unwrap_or_default();
        let read: BTreeMap<String, Record> = serde_json::from_slice(&text).unwrap_or_default();
        let read = read.into_iter().filter_map(|(id, record)| Some((id.parse().ok()?, record)));
        let state = State { records: read.collect(), ..State::default() };
        Roster { path, state: Mutex::new(state), saving: Mutex::default() }
    }

    /// The members of this network file, but the own one, are the peers from now on.
    pub fn adopt(&self, network: &Network, own: &str) {
        let others = network.members.iter().filter(|member| member.origin != own);
        let peers = others.filter_map(|member| {
            let peer = Peer { org: member.org.clone(), origin: member.origin.clone() };
            Some((peer_id(&member.peer_key)?, peer))
        });
        self.lock().peers = peers.collect();
    }

    /// Whose node this is; `None` for a stranger.
    pub fn peer(&self, id: &PeerId) -> Option<Peer> {
        self.lock().peers.get(id).cloned()
    }

    /// The peer that keeps the log of this origin, connected or not.
    pub fn keeper(&self, origin: &str) -> Option<PeerId> {
        let state = self.lock();
        let mut of_origin = state.peers.iter().filter(|(_, peer)| peer.origin == origin);
        of_origin.next().map(|(id, _)| *id)
    }

    /// How many peers there are.
    pub fn count(&self) -> usize {
        self.lock().peers.len()
    }

    /// The peers that may connect now.
    pub fn admitted(&self, now: Timestamp) -> Vec<PeerId> {
        let state = self.lock();
        let is_out = |id: &PeerId| state.records.get(id).is_some_and(|r| r.is_kept_out(now));
        state.peers.keys().filter(|id| !is_out(id)).copied().collect()
    }

    /// The peer that keeps the log of this origin, if it is connected.
    pub fn connected(&self, origin: &str) -> Option<PeerId> {
        let state = self.lock();
        let is_here = |id: &PeerId| state.records.get(id).is_some_and(|r| r.connected.is_some());
        let mut of_origin = state.peers.iter().filter(|(_, peer)| peer.origin == origin);
        of_origin.find(|(id, _)| is_here(id)).map(|(id, _)| *id)
    }

    /// The origins of those who are connected.
    pub fn origins_connected(&self) -> Vec<String> {
        let connected = self.all_connected();
        connected.iter().filter_map(|id| Some(self.peer(id)?.origin)).collect()
    }

    /// Everyone who is connected.
    pub fn all_connected(&self) -> Vec<PeerId> {
        let state = self.lock();
        let is_here = |id: &PeerId| state.records.get(id).is_some_and(|r| r.connected.is_some());
        state.peers.keys().filter(|id| is_here(id)).copied().collect()
    }

    /// A connection was opened, over this address.
    pub fn opened(&self, id: PeerId, address: &Multiaddr, now: Timestamp) {
        let mut state = self.lock();
        let record = state.records.entry(id).or_default();
        record.connected = Some((now, address.to_string()));
    }

    /// Its last connection was closed.
    pub fn closed(&self, id: PeerId) {
        if let Some(record) = self.lock().records.get_mut(&id) {
            record.connected = None;
        }
    }

    /// Its connections lead to more than one process, or no longer.
    pub fn doubled(&self, id: PeerId, is_doubled: bool) {
        if let Some(record) = self.lock().records.get_mut(&id) {
            record.is_doubled = is_doubled;
        }
    }

    /// Whether what it answers may come from either of two processes.
    pub fn is_doubled(&self, id: &PeerId) -> bool {
        self.lock().records.get(id).is_some_and(|record| record.is_doubled)
    }

    /// It was refused, or refused us.
    pub fn refused(&self, id: PeerId, reason: String, now: Timestamp) {
        let mut state = self.lock();
        let strangers = state.records.len() - state.known();
        let is_new = !state.records.contains_key(&id) && !state.peers.contains_key(&id);
        if is_new && STRANGERS_MAX <= strangers {
            state.forget_oldest_stranger();
        }
        let record = state.records.entry(id).or_default();
        // That it does not answer while it keeps this node out explains nothing.
        let keeps_out = record.keeps_out.as_ref().filter(|(until, _)| now < *until);
        let reason = keeps_out.map_or(reason, |(_, because)| because.clone());
        record.refusal = Some((now, reason));
    }

    /// It says that it keeps this node out.
    pub fn kept_out_there(&self, id: PeerId, until: Timestamp, because: &str, now: Timestamp) {
        let shown: String = because.chars().filter(|c| !c.is_control()).collect();
        let reason = format!("it keeps this node out until {until} because of: {shown}");
        let mut state = self.lock();
        let record = state.records.entry(id).or_default();
        record.keeps_out = Some((until, reason.clone()));
        record.refusal = Some((now, reason));
    }

    /// Until when a peer is kept out here, and for what.
    pub fn kept_out(&self, id: &PeerId, now: Timestamp) -> Option<(Timestamp, String)> {
        let state = self.lock();
        let record = state.records.get(id).filter(|record| record.is_kept_out(now))?;
        Some((record.kept_out_until?, record.kept_out_for.clone().unwrap_or_default()))
    }

    /// The members that are kept out.
    pub fn all_kept_out(&self, now: Timestamp) -> Vec<PeerId> {
        let state = self.lock();
        let is_out = |id: &PeerId| state.records.get(id).is_some_and(|r| r.is_kept_out(now));
        state.peers.keys().filter(|id| is_out(id)).copied().collect()
    }

    /// Where a peer is connected.
    pub fn address(&self, id: &PeerId) -> Option<String> {
        let state = self.lock();
        state.records.get(id)?.connected.as_ref().map(|(_, address)| address.clone())
    }

    /// Counts what a peer did wrong; true if it is to be kept out from now on.
    pub fn fault(&self, id: PeerId, fault: Fault, what: &str, now: Timestamp) -> bool {
        metrics::counter!("hallmark_peer_faults_total", "fault" => fault.as_str()).increment(1);
        let mut state = self.lock();
        let record = state.records.entry(id).or_default();
        *record.faults.entry(fault).or_default() += 1;
        let did = format!("{}: {what}", fault.as_str());
        record.refusal = Some((now, did.clone()));
        if !record.adds_up(fault.points(), now) {
            return false;
        }
        record.kept_out_for = Some(did);
        tracing::warn!(%id, fault = fault.as_str(), what, "a peer is kept out");
        true
    }

    /// Somebody who proved no name was refused.
    pub fn refused_unnamed(&self, from: &Multiaddr, reason: String, now: Timestamp) {
        metrics::counter!("hallmark_peer_unnamed_refused_total").increment(1);
        let mut state = self.lock();
        state.unnamed.count += 1;
        state.unnamed.last = Some((now, format!("{from}: {reason}")));
    }

    /// What there is to say of those who proved no name.
    pub fn unnamed(&self) -> Value {
        let state = self.lock();
        let last = state.unnamed.last.as_ref();
        json!({
            "refused": state.unnamed.count,
            "last_refusal": last.map(|(_, reason)| reason),
            "last_refusal_at": last.map(|(at, _)| at),
        })
    }

    /// What there is to say of each peer.
    pub fn view(&self, now: Timestamp) -> Value {
        let state = self.lock();
        let strangers = state.records.keys().filter(|id| !state.peers.contains_key(id));
        let ids = state.peers.keys().chain(strangers);
        ids.map(|id| state.view(id, now)).collect()
    }

    /// Writes down what peers did wrong. Blocks.
    pub fn save(&self) {
        let text = {
            let state = self.lock();
            let faulty = state.records.iter().filter(|(_, record)| !record.faults.is_empty());
            let records: BTreeMap<String, &Record> =
                faulty.map(|(id, record)| (id.to_string(), record)).collect();
            serde_json::to_vec(&records).expect("a map of records is JSON")
        };
        let _turn = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = self.path.with_extension("new");
        let kept = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &self.path));
        if let Err(error) = kept {
            tracing::warn!(%error, "cannot keep what is known of peers");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn is_kept_out(&self, now: Timestamp) -> bool {
        self.kept_out_until.is_some_and(|until| now < until)
    }

    /// Adds points; true if they are too many now, which also begins the time outside.
    fn adds_up(&mut self, points: u32, now: Timestamp) -> bool {
        let since = self.counted_at.map_or(0, |at| now.unix_ms().saturating_sub(at.unix_ms()));
        let forgiven = u32::try_from(since / FORGIVEN_MS).unwrap_or(u32::MAX);
        if 0 < forgiven || self.counted_at.is_none() {
            self.counted_at = Some(now);
        }
        self.points = self.points.saturating_sub(forgiven).saturating_add(points);
        if self.points < POINTS_MAX || self.is_kept_out(now) {
            return false;
        }
        let good = self.kept_out_until.map_or(0, |at| now.unix_ms().saturating_sub(at.unix_ms()));
        let forgotten = u32::try_from(good / FORGOTTEN_MS).unwrap_or(u32::MAX);
        self.times_kept_out = self.times_kept_out.saturating_sub(forgotten);
        let doubled = KEPT_OUT_MS.saturating_mul(1 << self.times_kept_out.min(16));
        self.kept_out_until = now.checked_add_ms(doubled.min(KEPT_OUT_MS_MAX));
        self.times_kept_out += 1;
        self.points = 0;
        true
    }
}

impl State {
    fn known(&self) -> usize {
        self.records.keys().filter(|id| self.peers.contains_key(id)).count()
    }

    fn forget_oldest_stranger(&mut self) {
        let strangers = self.records.iter().filter(|(id, _)| !self.peers.contains_key(id));
        let at = |record: &Record| record.refusal.as_ref().map(|(at, _)| at.unix_ms());
        let oldest = strangers.min_by_key(|(_, record)| at(record)).map(|(id, _)| *id);
        if let Some(oldest) = oldest {
            self.records.remove(&oldest);
        }
    }

    fn view(&self, id: &PeerId, now: Timestamp) -> Value {
        let (peer, record) = (self.peers.get(id), self.records.get(id));
        let connected = record.and_then(|record| record.connected.as_ref());
        let refusal = record.and_then(|record| record.refusal.as_ref());
        let until = record.and_then(|record| record.kept_out_until).filter(|until| now < *until);
        let standing = match (peer, until, connected) {
            (None, ..) => "no member",
            (_, Some(_), _) => "kept out",
            (_, None, Some(_)) => "connected",
            (_, None, None) => "away",
        };
        json!({
            "peer": id.to_string(),
            "org": peer.map(|peer| peer.org.to_string()),
            "origin": peer.map(|peer| peer.origin.clone()),
            "standing": standing,
            "since": connected.map(|(since, _)| since),
            "address": connected.map(|(_, address)| address),
            "kept_out_until": until,
            "faults": record.map(|record| &record.faults),
            "last_refusal": refusal.map(|(_, reason)| reason),
            "last_refusal_at": refusal.map(|(at, _)| at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_700_000_000_000 + second * 1000)
    }

    fn roster(dir: &tempfile::TempDir) -> Roster {
        Roster::open(dir.path().join("peers.json"))
    }

    fn put(roster: &Roster, id: PeerId) {
        let org = "urn:hallmark:org:lei:529900T8BM49AURSDO55".parse().unwrap();
        let peer = Peer { org, origin: "net/lei-529900T8BM49AURSDO55/1".to_owned() };
        roster.lock().peers.insert(id, peer);
    }

    #[test]
    fn whoever_errs_too_often_is_kept_out_each_time_for_longer_and_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (roster, id) = (roster(&dir), PeerId::random());
        put(&roster, id);
        for _ in 0..4 {
            assert!(!roster.fault(id, Fault::Forged, "gossip", at(0)));
        }
        assert_eq!(roster.admitted(at(0)), [id]);
        assert!(roster.fault(id, Fault::Forged, "gossip", at(0)));
        assert!(roster.admitted(at(59)).is_empty());
        roster.save();
        let again = Roster::open(dir.path().join("peers.json"));
        put(&again, id);
        assert!(again.admitted(at(59)).is_empty(), "remembered");
        assert_eq!(again.admitted(at(60)), [id]);
        for _ in 0..2 {
            again.fault(id, Fault::Lied, "a tile", at(60));
        }
        assert!(again.admitted(at(60 + 119)).is_empty(), "twice as long");
        assert_eq!(again.admitted(at(60 + 120)), [id]);
    }

    #[test]
    fn a_long_good_time_makes_the_next_time_outside_shorter() {
        let dir = tempfile::tempdir().unwrap();
        let (roster, id) = (roster(&dir), PeerId::random());
        put(&roster, id);
        let day = 24 * 3600;
        let kept_out_s = |second: u64| {
            assert!(roster.fault(id, Fault::Strayed, "a topic", at(second)));
            (1..2 * day).find(|after| roster.admitted(at(second + after)) == [id]).unwrap()
        };
        assert_eq!([kept_out_s(0), kept_out_s(100), kept_out_s(300)], [60, 120, 240]);
        assert_eq!(kept_out_s(540 + 2 * day), 120, "two were forgotten");
        assert_eq!(kept_out_s(1000 + 90 * day), 60);
    }

    #[test]
    fn a_topic_that_is_none_is_enough_and_who_proved_no_name_is_only_counted() {
        let dir = tempfile::tempdir().unwrap();
        let (roster, id) = (roster(&dir), PeerId::random());
        put(&roster, id);
        assert!(roster.fault(id, Fault::Strayed, "a topic", at(0)));
        let from: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        roster.refused_unnamed(&from, "no handshake".to_owned(), at(1));
        roster.refused_unnamed(&from, "no handshake".to_owned(), at(2));
        assert_eq!(roster.unnamed()["refused"], 2);
        assert_eq!(roster.view(at(1)).as_array().unwrap().len(), 1);
    }

    #[test]
    fn what_is_rare_is_forgiven() {
        let dir = tempfile::tempdir().unwrap();
        let (roster, id) = (roster(&dir), PeerId::random());
        put(&roster, id);
        for second in 0..1000 {
            assert!(!roster.fault(id, Fault::Flooded, "questions", at(second)));
        }
        for times in 0..100 {
            assert!(!roster.fault(id, Fault::Malformed, "a question", at(2000 + 21 * times)));
        }
    }

    #[test]
    fn whoever_keeps_this_node_out_is_quoted_until_its_time_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let (roster, id) = (roster(&dir), PeerId::random());
        put(&roster, id);
        let last = |now| roster.view(now)[0]["last_refusal"].as_str().unwrap().to_owned();
        roster.kept_out_there(id, at(60), "flooded: \u{1b}[31mquestions", at(0));
        roster.refused(id, "not reached".to_owned(), at(59));
        let said = last(at(59));
        assert!(said.starts_with("it keeps this node out until 2023-"), "{said}");
        assert!(said.ends_with("because of: flooded: [31mquestions"), "{said}");
        roster.refused(id, "not reached".to_owned(), at(60));
        assert_eq!(last(at(60)), "not reached");
        assert_eq!(roster.kept_out(&id, at(60)), None, "it is not kept out here");
        roster.fault(id, Fault::Strayed, "a topic", at(60));
        roster.refused(id, "it is kept out".to_owned(), at(61));
        assert_eq!(roster.all_kept_out(at(61)), [id]);
        let (until, because) = roster.kept_out(&id, at(61)).unwrap();
        assert_eq!((until, because.as_str()), (at(120), "strayed: a topic"));
    }

    #[test]
    fn strangers_are_remembered_up_to_a_limit_and_say_why() {
        let dir = tempfile::tempdir().unwrap();
        let (roster, id) = (roster(&dir), PeerId::random());
        put(&roster, id);
        for second in 0..3 * STRANGERS_MAX as u64 {
            roster.refused(PeerId::random(), "no member".to_owned(), at(second));
        }
        roster.refused(id, "does not answer".to_owned(), at(0));
        let view = roster.view(at(0));
        assert_eq!(view.as_array().unwrap().len(), STRANGERS_MAX + 1);
        assert_eq!(view[0]["standing"], "away");
        assert_eq!(view[0]["last_refusal"], "does not answer");
        assert_eq!(view[1]["standing"], "no member");
    }
}
