//! How far a check came: one line for each step, in the words that the passport's script uses too.
//!
//! Invariants: a step holds only where nothing of it failed, nothing of it is missing and every step
//! that it rests on holds; what the input does not hold and does not claim to hold, such as the log
//! in which a key would be given up, is *not checked*, never *holds*.

use std::collections::BTreeSet;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::kind::Body;
use hallmark_schemas::network::{Member, Network};
use hallmark_schemas::role::Role;
use hallmark_schemas::time::Timestamp;

use crate::evidence::{DefectKind, Proven, ProvenAttestation, ProvenLog, UncheckedWhat};

/// A step of a check, in the order in which one rests on another.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// The network file that trust starts from.
    Network,
    /// Every record is here, and its bytes are those of its id.
    Bytes,
    /// A log holds it.
    Receipt,
    /// The log signed the checkpoint that shows it.
    Checkpoint,
    /// Witnesses vouch for that checkpoint.
    Witnesses,
    /// The key is its issuer's, who may say this, as far as what is here tells.
    Key,
    /// The signature is of that key over these bytes.
    Signature,
    /// What it cites is here.
    Cited,
    /// Whether a key was given up: what is public of the logs of registrars and of those who signed.
    Revocations,
}

impl Step {
    /// All, in their order.
    pub const ALL: [Step; 9] = [
        Step::Network,
        Step::Bytes,
        Step::Receipt,
        Step::Checkpoint,
        Step::Witnesses,
        Step::Key,
        Step::Signature,
        Step::Cited,
        Step::Revocations,
    ];

    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Step::Network => "network",
            Step::Bytes => "bytes",
            Step::Receipt => "receipt",
            Step::Checkpoint => "checkpoint",
            Step::Witnesses => "witnesses",
            Step::Key => "key",
            Step::Signature => "signature",
            Step::Cited => "cited",
            Step::Revocations => "revocations",
        }
    }

    /// What people read.
    pub const fn title(self) -> &'static str {
        match self {
            Step::Network => "Start of trust: network file",
            Step::Bytes => "Records whole",
            Step::Receipt => "Recorded in a log",
            Step::Checkpoint => "Log checkpoint",
            Step::Witnesses => "Witnesses",
            Step::Key => "Keys of their signers",
            Step::Signature => "Signatures",
            Step::Cited => "Records they rest on",
            Step::Revocations => "Keys given up since",
        }
    }

    /// Whether this step needs the other. That a log has recorded an id shows without its bytes.
    fn rests_on(self, other: Step) -> bool {
        let is_of_log = matches!(self, Step::Receipt | Step::Checkpoint | Step::Witnesses);
        match self {
            Step::Revocations => other == Step::Network,
            _ => other < self && !(is_of_log && other == Step::Bytes),
        }
    }
}

/// How a step came out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// It holds.
    Holds,
    /// Something is wrong.
    Failed,
    /// Something that the input claims or cites is not here.
    Missing,
    /// A step that it rests on did not hold.
    Skipped,
    /// What it takes is not in the input.
    Unchecked,
}

impl Standing {
    /// Its word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Standing::Holds => "ok",
            Standing::Failed => "failed",
            Standing::Missing => "missing",
            Standing::Skipped => "skipped",
            Standing::Unchecked => "unchecked",
        }
    }

    /// What people read.
    pub const fn title(self) -> &'static str {
        match self {
            Standing::Holds => "holds",
            Standing::Failed => "failed",
            Standing::Missing => "not all is here",
            Standing::Skipped => "not reached",
            Standing::Unchecked => "not checked",
        }
    }
}

/// A step and how it came out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepState {
    /// The step.
    pub step: Step,
    /// How it came out.
    pub standing: Standing,
    /// Why it does not hold, or what of it does not go without saying.
    pub reason: Option<String>,
}

impl DefectKind {
    /// The step that fails with it, where nothing more is known; none for what is wrong between
    /// statements that hold.
    pub const fn step(self) -> Option<Step> {
        Some(match self {
            DefectKind::Fork | DefectKind::ForkCorrected | DefectKind::BadChain => return None,
            DefectKind::BadBody | DefectKind::Withheld => Step::Bytes,
            DefectKind::Split
            | DefectKind::Shrink
            | DefectKind::Unlogged
            | DefectKind::BadProof
            | DefectKind::Damaged
            | DefectKind::BadAudience
            | DefectKind::BadTile => Step::Receipt,
            DefectKind::NoQuorum | DefectKind::BadCosignature => Step::Witnesses,
            DefectKind::KeyNotInForce | DefectKind::RoleMissing => Step::Key,
            DefectKind::BadSignature | DefectKind::Unchecked => Step::Signature,
        })
    }
}

/// Every step; none where nothing signed was given.
pub fn states(proven: &Proven) -> Vec<StepState> {
    if proven.network.is_none() && proven.defects.is_empty() {
        return Vec::new();
    }
    let mut states: Vec<StepState> = Vec::new();
    for step in Step::ALL {
        let is_stopped = states.iter().any(|before| {
            let stops = !matches!(before.standing, Standing::Holds | Standing::Unchecked);
            stops && step.rests_on(before.step)
        });
        let state = match own(proven, step) {
            // Without a start nothing else is traced to a signature, whatever is wrong with it.
            _ if states.first().is_some_and(|first| first.standing != Standing::Holds) => None,
            Some(found) => Some(found),
            None if is_stopped => None,
            None => Some(held(proven, step)),
        };
        let (standing, reason) = state.unwrap_or((Standing::Skipped, None));
        states.push(StepState { step, standing, reason });
    }
    states
}

/// What is wrong at a step, or missing.
fn own(proven: &Proven, step: Step) -> Option<(Standing, Option<String>)> {
    let of = |exit: Exit| {
        let mut found = proven.defects.iter().filter(|one| one.step == Some(step));
        found.find(|one| one.exit() == exit).map(|one| one.detail.clone())
    };
    let failed = of(Exit::Broken).map(|why| (Standing::Failed, Some(why)));
    failed.or_else(|| of(Exit::Incomplete).map(|why| (Standing::Missing, Some(why))))
}

/// A step at which nothing is wrong.
fn held(proven: &Proven, step: Step) -> (Standing, Option<String>) {
    let network = proven.network.as_ref();
    match step {
        Step::Network if network.is_none() => {
            (Standing::Missing, Some("there is no usable network file".to_owned()))
        }
        Step::Witnesses if network.is_some_and(|network| network.policy.is_none()) => {
            (Standing::Holds, Some("this network has none".to_owned()))
        }
        Step::Revocations => match unchecked(proven) {
            Some(why) => (Standing::Unchecked, Some(why)),
            None => (Standing::Holds, None),
        },
        _ => (Standing::Holds, None),
    }
}

/// Why nobody can tell which keys were given up. A revocation is public: of what only some may read,
/// nothing needs to be at hand.
fn unchecked(proven: &Proven) -> Option<String> {
    let network = proven.network.as_ref()?;
    let logs = revoking_logs(network, &proven.attestations);
    let absent_registrars = "the log of a registrar is not here as a whole".to_owned();
    if logs.iter().any(|one| one.is_registrars && one.proven(&proven.logs).is_none()) {
        return Some(absent_registrars);
    }
    let mut unseen = logs.iter().filter_map(|one| one.proven(&proven.logs)?.unseen.as_ref());
    let mut absent = proven.unchecked.iter().filter(|one| one.what == UncheckedWhat::Log);
    let detail = unseen.next().map(|one| &one.detail);
    match detail.or_else(|| absent.next().map(|one| &one.detail)) {
        Some(detail) => Some(format!("a key may be given up there: {detail}")),
        // A registrar that is no member has a log that nothing names.
        None => revocations_as_of(proven).is_none().then_some(absent_registrars),
    }
}

/// A log in which keys that signed the evidence are given up.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Revoking<'a> {
    /// Its origin; none where nothing at hand names the log of that organisation.
    pub(crate) origin: Option<&'a str>,
    /// Whose it is.
    pub(crate) org: &'a OrgId,
    /// Whether registrars give up keys of everybody in it.
    pub(crate) is_registrars: bool,
}

impl Revoking<'_> {
    /// What is proved of it.
    fn proven<'a>(&self, logs: &'a [ProvenLog]) -> Option<&'a ProvenLog> {
        let origin = self.origin?;
        logs.iter().find(|log| log.origin == origin)
    }
}

/// The logs of registrars, and of those whose keys signed the evidence: an organisation gives its own
/// keys up in its own log.
pub(crate) fn revoking_logs<'a>(
    network: &'a Network,
    attestations: &'a [ProvenAttestation],
) -> BTreeSet<Revoking<'a>> {
    let is_registrar = |member: &Member| {
        let named = network.registrars.iter().any(|registrar| registrar.org == member.org);
        named || member.roles.contains(&Role::Registrar)
    };
    let registrars = network.members.iter().filter(|member| is_registrar(member));
    let registrars: BTreeSet<_> = registrars.map(|member| &member.org).collect();
    let issuers = attestations.iter().map(|one| &one.attestation.claims().iss);
    let orgs: BTreeSet<_> = registrars.iter().copied().chain(issuers).collect();
    let named = orgs.into_iter().map(|org| Revoking {
        origin: log_of(network, attestations, org),
        org,
        is_registrars: registrars.contains(org),
    });
    named.collect()
}

/// The log of an organisation: as the network file names it, or the last one that it closed, or as
/// its admission says.
fn log_of<'a>(
    network: &'a Network,
    attestations: &'a [ProvenAttestation],
    org: &OrgId,
) -> Option<&'a str> {
    let member = network.members.iter().find(|member| member.org == *org);
    let sealed = || network.sealed.iter().rfind(|sealed| sealed.org == *org);
    let stated = |one: &'a ProvenAttestation| match (
        one.attestation.body(),
        &one.attestation.claims().sub,
    ) {
        (Body::Organisation(body), Subject::Org(of)) if of == org => {
            body.node.as_ref().map(|node| node.origin.as_str())
        }
        _ => None,
    };
    let member = member.map(|member| member.origin.as_str());
    member
        .or_else(|| sealed().map(|sealed| sealed.origin.as_str()))
        .or_else(|| attestations.iter().find_map(stated))
}

/// Until when it is known which keys that signed the evidence were given up: the oldest word at hand
/// of the logs that tell it, each only as far as all its public records are here. Logs that are not
/// at hand are among what is unchecked; `None` if one of them is a registrar's, or if of one not even
/// the first records are here.
pub(crate) fn revocations_as_of(proven: &Proven) -> Option<Timestamp> {
    let network = proven.network.as_ref()?;
    let mut oldest = None;
    for one in revoking_logs(network, &proven.attestations) {
        let known = match one.proven(&proven.logs) {
            Some(ProvenLog { at, unseen: None, .. }) => *at,
            Some(ProvenLog { at, unseen: Some(unseen), .. }) => unseen.since?.min(*at),
            None if one.is_registrars => return None,
            None => continue,
        };
        oldest = Some(oldest.map_or(known, |oldest| known.min(oldest)));
    }
    oldest
}
