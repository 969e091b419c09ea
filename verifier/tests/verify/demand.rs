//! A body that is demanded and not given: a warning in time, gone on delivery.

use hallmark_schemas::attestation::{Claims, ContentId, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::bundle::Item;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::demand::{Demand, State};
use hallmark_schemas::kind::organisation::Organisation;
use hallmark_schemas::role::Role;
use hallmark_schemas::time::Timestamp;
use hallmark_verifier::evidence::Proven;
use hallmark_verifier::judge::{Judge, JudgeOptions, MEMORY_DEFAULT};
use hallmark_verifier::load::load;
use hallmark_verifier::prove::prove;
use hallmark_verifier::tabulate::tabulate;

use crate::world::{ORIGIN, World};

const HOLDER: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";
const ASKER: &str = "urn:hallmark:org:gln:9521234000013";
const DAY_MS: i64 = 86_400_000;

fn key() -> SecretKey {
    SecretKey::from_seed([21; 32])
}

/// A log with a batch of readings, which a second member demands in two weeks.
struct Case {
    world: World,
    wanted: ContentId,
    entry: u64,
    demand: ContentId,
}

impl Case {
    fn new() -> Case {
        let mut world = World::new(2);
        let organisation = Organisation {
            legal_name: "Asker Ltd".to_owned(),
            roles: vec![Role::Auditor],
            regions: Vec::new(),
            key: key().public().clone(),
            next_key_commitment: SecretKey::from_seed([22; 32]).public().id(),
            node: None,
            replaces: None,
            reason: None,
        };
        world.add(Subject::Org(ASKER.parse().unwrap()), organisation.into(), false);
        world.publish();
        let entry = world.entries.len() as u64;
        let wanted = world.readings(1, None, 41_003);
        world.publish();
        let mut case = Case { world, wanted, entry, demand: wanted };
        case.demand = case.say(Demand::opening(ORIGIN, entry, wanted, 14));
        case.world.publish();
        case
    }

    /// The second member states this, signed with its own key.
    fn say(&mut self, demand: Demand) -> ContentId {
        let claims = Claims {
            iss: ASKER.parse::<OrgId>().unwrap(),
            sub: Subject::Org(HOLDER.parse().unwrap()),
            aud: Audience::Members,
            iat: Timestamp::parse("2026-03-01T00:00:00Z").unwrap(),
            regions: Vec::new(),
        };
        let salt = [self.world.entries.len() as u8; 16];
        let envelope = sign(Draft { claims, body: demand.into() }, salt, &key()).unwrap();
        self.world.append(&envelope)
    }

    fn close(&mut self, state: State) {
        let reason = Some("it has come".to_owned());
        let opening = Demand::opening(ORIGIN, self.entry, self.wanted, 14);
        let replaces = Some(self.demand);
        self.say(Demand { state, term_days: None, replaces, reason, ..opening });
        self.world.publish();
    }

    /// A bundle of all but these bodies, after so many days more.
    fn proven(&mut self, days: i64, without: &[ContentId]) -> Proven {
        if 0 < days {
            self.world.renew(days * DAY_MS);
        }
        let is_kept = |item: &Item| match item {
            Item::Body(body) => !without.contains(&Envelope::parse(body).unwrap().id()),
            _ => true,
        };
        let mut items = self.world.items();
        items.retain(is_kept);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.hallmark");
        std::fs::write(&path, self.world.bundle(&items)).unwrap();
        prove(load(&[path], &[]).unwrap())
    }

    /// Severity and subject of what LOG-002 finds.
    fn found(&mut self, days: i64, without: &[ContentId]) -> Vec<(String, String)> {
        let proven = self.proven(days, without);
        let as_of = proven.as_of.unwrap();
        let options = JudgeOptions { as_of, memory_max: MEMORY_DEFAULT, only: None };
        let judged = Judge::with_core().unwrap().run(&tabulate(&proven).unwrap(), &options);
        let judged = judged.unwrap();
        assert!(judged.failed.is_empty(), "{:?}", judged.failed);
        let found = judged.findings.into_iter().filter(|finding| finding.code == "LOG-002");
        found.map(|finding| (finding.severity.to_string(), finding.subject)).collect()
    }
}

#[test]
fn a_demanded_body_is_found_missing_when_the_term_has_passed_and_not_once_it_is_there() {
    let mut case = Case::new();
    let wanted = case.wanted;
    assert_eq!(case.found(13, &[wanted]), []);
    let told = ("warning".to_owned(), HOLDER.to_owned());
    assert_eq!(case.found(2, &[wanted]), std::slice::from_ref(&told));
    assert_eq!(case.found(300, &[wanted]), [told]);
    assert_eq!(case.found(0, &[]), [], "it is at hand");
}

#[test]
fn a_demand_that_is_closed_finds_nothing_whoever_lacks_the_body() {
    for state in [State::Met, State::Withdrawn] {
        let mut case = Case::new();
        let wanted = case.wanted;
        case.close(state);
        assert_eq!(case.found(30, &[wanted]), []);
    }
}

#[test]
fn nothing_is_concluded_where_the_end_of_a_demand_may_be_among_what_is_not_at_hand() {
    let mut case = Case::new();
    let wanted = case.wanted;
    case.close(State::Met);
    let end = case.world.entries.last().unwrap().id;
    let proven = case.proven(30, &[wanted, end]);
    assert_eq!(proven.missing.len(), 1);
    let (missing, due) = (&proven.missing[0], case.world.entries.last().unwrap().admitted_at);
    assert_eq!((missing.body, missing.audience()), (wanted, "members"));
    assert!(missing.seen_to <= due, "{} is after {due}", missing.seen_to);
    assert_eq!(case.found(0, &[wanted, end]), []);
}

#[test]
fn a_demand_for_what_the_log_does_not_name_at_that_entry_finds_nothing() {
    let mut case = Case::new();
    let other = ContentId::of(b"never logged");
    case.say(Demand::opening(ORIGIN, case.entry, other, 7));
    case.say(Demand::opening(ORIGIN, 9_999, other, 7));
    case.world.publish();
    assert_eq!(case.found(30, &[]), []);
}
