//! The network file: what a user is given to start from; everything else is proved from it.
//!
//! Invariants: a [`NetworkFile`] is signed by the threshold of its own registrars, over exactly the
//! bytes that were parsed; a later version counts only if the threshold of the earlier version's
//! registrars signed it too, each with the key named there or with the next key committed to there,
//! and it tells all registrars that were before. No key stands in two roles.

mod draft;
mod message;

pub use draft::NetworkDraft;

use crate::cbor::CborError;
use crate::id::OrgId;
use crate::key::{KeyId, PublicKey, SignError, Signer};
use crate::kind::check::{self, FieldError};
use crate::kind::node::check_addresses;
use crate::kind::organisation::LogKeys;
use crate::kind::value::Digest;
use crate::note::VerifierKey;
use crate::policy::Policy;
use crate::role::Role;
use crate::time::Timestamp;
use message::{Signatures, encode, read, signed_bytes};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// Largest network file: 1,000 members of 800 bytes fit.
pub const NETWORK_FILE_BYTES_MAX: usize = 900 * 1024;
/// Most registrars.
pub const REGISTRARS_MAX: usize = 16;
/// Most nodes whose keys and addresses a network file holds.
pub const MEMBERS_MAX: usize = 1024;
/// Most rule packs.
pub const PACKS_MAX: usize = 64;
/// Most changes of registrars or threshold that a network file tells, the newest of them: 16
/// registrars, one of which takes another key each month, for eight years.
pub const FORMER_MAX: usize = 96;

/// What a network file says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Version of the format; 1.
    pub v: u64,
    /// Name of the network.
    pub name: String,
    /// Rises with every change.
    pub version: u64,
    /// From when on a member looks for a newer one before it trusts this.
    pub expires_at: Timestamp,
    /// Who admits members.
    pub registrars: Vec<Registrar>,
    /// How many registrars must sign.
    pub threshold: u32,
    /// The nodes one can start from, the registrars' first.
    pub members: Vec<Member>,
    /// Which witnesses must cosign a checkpoint, as `tlog-policy` text.
    pub policy: Policy,
    /// Rule packs that the network has agreed on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packs: Vec<PackDigest>,
    /// Logs that have ended, oldest first. One that is sealed stays sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sealed: Vec<Sealed>,
    /// What the version before says, as [`NetworkFile::digest`]; the first one has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// Registrars and threshold of before, oldest first: one for each change of either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<Epoch>,
}

/// Versions of a network file that have the same registrars and threshold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Who admitted members.
    pub registrars: Vec<Registrar>,
    /// How many of them had to sign.
    pub threshold: u32,
}

impl Epoch {
    fn check(&self) -> Result<(), FieldError> {
        check::count("/registrars", self.registrars.len(), 1..=REGISTRARS_MAX)?;
        let most = i64::try_from(self.registrars.len()).unwrap_or(1);
        check::range("/threshold", self.threshold, 1..=most)?;
        let mut orgs: Vec<&OrgId> = self.registrars.iter().map(|one| &one.org).collect();
        orgs.sort_unstable();
        let distinct = orgs.windows(2).all(|pair| pair[0] != pair[1]);
        check::consistent("/registrars", distinct, "names an organisation twice")
    }
}

/// A log that has ended at this head: it was lost for good and another one follows it, or its
/// organisation has left.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Whose log it was.
    pub org: OrgId,
    /// Its origin.
    pub origin: String,
    /// What its checkpoints are checked with.
    pub log_key: VerifierKey,
    /// Entries of the last head known of it.
    pub size: u64,
    /// Root of that head.
    pub root: Digest,
    /// Origin of the log that follows; none if the organisation has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
}

/// An organisation that admits members.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Registrar {
    /// Who.
    pub org: OrgId,
    /// Its organisation key.
    pub key: PublicKey,
    /// The key id of the key that will follow.
    pub next_key_commitment: KeyId,
}

/// A node one can start from.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Whose node.
    pub org: OrgId,
    /// Its roles, sorted; for people, the `organisation` attestation counts.
    pub roles: Vec<Role>,
    /// Origin of its log.
    pub origin: String,
    /// Signs its checkpoints.
    pub log_key: VerifierKey,
    /// Cosigns checkpoints of others.
    pub witness_key: VerifierKey,
    /// Cosigns what it mirrors.
    pub mirror_key: VerifierKey,
    /// Names it among its peers.
    pub peer_key: PublicKey,
    /// Base URLs, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// libp2p multiaddresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multiaddrs: Vec<String>,
}

impl Member {
    /// The origin and keys in the form of `genesis` and `organisation`.
    pub fn log_keys(&self) -> LogKeys {
        LogKeys {
            origin: self.origin.clone(),
            log: self.log_key.clone(),
            witness: self.witness_key.clone(),
            mirror: self.mirror_key.clone(),
            peer: self.peer_key.clone(),
        }
    }

    /// A member from the parts of its `organisation` attestation.
    pub fn new(org: OrgId, roles: Vec<Role>, keys: LogKeys) -> Member {
        Member {
            org,
            roles,
            origin: keys.origin,
            log_key: keys.log,
            witness_key: keys.witness,
            mirror_key: keys.mirror,
            peer_key: keys.peer,
            urls: Vec::new(),
            multiaddrs: Vec::new(),
        }
    }
}

/// A rule pack by its digest.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PackDigest {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
}

impl Network {
    /// The member that keeps the log of this origin.
    pub fn member_of_origin(&self, origin: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.origin == origin)
    }

    /// The log of this origin, if it has ended.
    pub fn sealed(&self, origin: &str) -> Option<&Sealed> {
        self.sealed.iter().find(|sealed| sealed.origin == origin)
    }

    /// What checks the checkpoints of this log, sealed or not.
    pub fn log_key(&self, origin: &str) -> Option<&VerifierKey> {
        let member = self.member_of_origin(origin).map(|member| &member.log_key);
        member.or_else(|| self.sealed(origin).map(|sealed| &sealed.log_key))
    }

    /// The member that keeps this log, or the one that followed it; `None` if it has left.
    pub fn keeper_of(&self, origin: &str) -> Option<&Member> {
        let mut origin = origin;
        // Each step leads to a later one: no more steps than there are.
        for _ in 0..=self.sealed.len() {
            match self.sealed(origin) {
                Some(sealed) => origin = sealed.successor.as_deref()?,
                None => return self.member_of_origin(origin),
            }
        }
        None
    }

    /// The first node of this organisation.
    pub fn member(&self, org: &OrgId) -> Option<&Member> {
        self.members.iter().find(|member| member.org == *org)
    }

    /// Whether this organisation was a member and has left.
    pub fn has_left(&self, org: &OrgId) -> bool {
        let ended = |sealed: &Sealed| sealed.org == *org && sealed.successor.is_none();
        self.member(org).is_none() && self.sealed.iter().any(ended)
    }

    /// The registrars and threshold of this version.
    pub fn epoch(&self) -> Epoch {
        Epoch { registrars: self.registrars.clone(), threshold: self.threshold }
    }

    /// All registrars and thresholds that this version tells, its own last.
    pub fn epochs(&self) -> Vec<Epoch> {
        self.former.iter().cloned().chain([self.epoch()]).collect()
    }

    /// Whether an earlier version may be one that led to this one: it tells no other registrars
    /// than this one tells of then.
    ///
    /// Its signatures prove nothing about this: a stranger may name a registrar of now beside
    /// himself. That this one names those who signed it does.
    pub fn is_after(&self, earlier: &Network) -> bool {
        let (ours, theirs) = (self.epochs(), earlier.epochs());
        // Of very many changes each tells the newest only.
        let is_cut = self.former.len() == FORMER_MAX;
        let may_end = |end: &usize| is_cut || *end == theirs.len();
        let agrees = |end: usize| {
            ours[..end].iter().rev().zip(theirs.iter().rev()).all(|(own, told)| own == told)
        };
        self.name == earlier.name
            && earlier.version < self.version
            && (1..=ours.len()).filter(may_end).any(agrees)
    }

    /// True from the instant at which a newer version is due.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }

    fn check(&self) -> Result<(), FieldError> {
        check::range("/v", self.v, 1..=1)?;
        check::network_name("/name", &self.name)?;
        check::range("/version", self.version, 1..=i64::MAX)?;
        self.epoch().check()?;
        let follows = self.previous.is_some() == (1 < self.version);
        check::consistent("/previous", follows, "stands in every version but the first")?;
        check::count("/former", self.former.len(), 0..=FORMER_MAX)?;
        for (index, epoch) in self.former.iter().enumerate() {
            epoch.check().map_err(|error| error.under(&format!("/former/{index}")))?;
        }
        check::count("/members", self.members.len(), 0..=MEMBERS_MAX)?;
        for (index, member) in self.members.iter().enumerate() {
            let under = |error: FieldError| error.under(&format!("/members/{index}"));
            check::sorted_set("/roles", &member.roles).map_err(under)?;
            member.log_keys().check().map_err(under)?;
            check_addresses(&member.urls, &member.multiaddrs).map_err(under)?;
        }
        check::count("/packs", self.packs.len(), 0..=PACKS_MAX)?;
        for (index, pack) in self.packs.iter().enumerate() {
            check::text(&format!("/packs/{index}/name"), &pack.name, check::CODE_BYTES_MAX)?;
        }
        check::count("/sealed", self.sealed.len(), 0..=MEMBERS_MAX)?;
        for (index, sealed) in self.sealed.iter().enumerate() {
            let at = |field: &str| format!("/sealed/{index}{field}");
            check::text(&at("/origin"), &sealed.origin, check::NAME_BYTES_MAX)?;
            check::range(&at("/size"), sealed.size, 0..=i64::MAX)?;
            let named = sealed.log_key.name() == sealed.origin;
            check::consistent(&at("/log_key"), named, "is not named as the origin")?;
            let keeper = self.keeper_of(&sealed.origin);
            let followed =
                sealed.successor.is_none() || keeper.is_some_and(|one| one.org == sealed.org);
            check::consistent(&at("/successor"), followed, "leads to no log of that member")?;
        }
        self.check_distinct()
    }

    fn check_distinct(&self) -> Result<(), FieldError> {
        let mut holders: BTreeMap<&PublicKey, &OrgId> = BTreeMap::new();
        let before = self.former.iter().flat_map(|epoch| &epoch.registrars);
        for registrar in before.chain(&self.registrars) {
            let holder = holders.entry(&registrar.key).or_insert(&registrar.org);
            let same = **holder == registrar.org;
            check::consistent("/registrars", same, "one key stands for two registrars")?;
        }
        let mut keys: Vec<&PublicKey> = holders.into_keys().collect();
        for member in &self.members {
            let own = [member.log_key.key(), member.witness_key.key(), member.mirror_key.key()];
            keys.extend(own);
            keys.push(&member.peer_key);
        }
        keys.extend(self.sealed.iter().map(|sealed| sealed.log_key.key()));
        keys.sort_unstable();
        let distinct = keys.windows(2).all(|pair| pair[0] != pair[1]);
        check::consistent("", distinct, "one key stands in two roles")?;
        let mut origins: Vec<&str> = self.members.iter().map(|one| one.origin.as_str()).collect();
        origins.extend(self.sealed.iter().map(|one| one.origin.as_str()));
        origins.sort_unstable();
        let distinct = origins.windows(2).all(|pair| pair[0] != pair[1]);
        check::consistent("/members", distinct, "names a log twice")
    }
}

/// A network file with its registrars' signatures, checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkFile {
    network: Network,
    signatures: Signatures,
    bytes: Vec<u8>,
}

/// Why bytes are no network file, or not one that counts.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Over the limit.
    #[error("{bytes} bytes are more than the limit of {NETWORK_FILE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// No COSE_Sign of our profile.
    #[error("not a signed network file, from byte {at}")]
    NotSigned {
        /// Where it stops being one.
        at: usize,
    },
    /// A second encoding of the same content.
    #[error("not the one deterministic encoding of its content")]
    NotDeterministic,
    /// The payload is not what a network file says.
    #[error("the content is malformed")]
    Content(#[source] CborError),
    /// A field outside its limits.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Too few of its own registrars have signed.
    #[error("signed by {found} of its registrars, needed are {needed}")]
    Threshold {
        /// Valid signatures.
        found: usize,
        /// The threshold.
        needed: u32,
    },
    /// A file of another network.
    #[error("this is a file of network `{found}`, not of `{expected}`")]
    OtherNetwork {
        /// The known network.
        expected: String,
        /// The file's.
        found: String,
    },
    /// Not newer.
    #[error("version {found} is not newer than {known}")]
    NotNewer {
        /// The known version.
        known: u64,
        /// The file's.
        found: u64,
    },
    /// Too few registrars of the known version have signed.
    #[error("signed by {found} of the registrars known before, needed are {needed}")]
    NotSucceeding {
        /// Valid signatures.
        found: usize,
        /// The threshold known before.
        needed: u32,
    },
    /// It follows another version than the one that is known.
    #[error("version {found} follows another version {known} than the one known here")]
    Forked {
        /// The known version.
        known: u64,
        /// The file's.
        found: u64,
    },
    /// It does not tell who was registrar before.
    #[error("version {found} does not tell the registrars that were before")]
    Forgetful {
        /// The file's version.
        found: u64,
    },
    /// A sealed log is sealed no more, or otherwise.
    #[error("the log {origin}, which was sealed, is not sealed at the same head")]
    Unsealed {
        /// The log.
        origin: String,
    },
}

impl NetworkFile {
    /// Reads a file and checks it against its own registrars.
    pub fn parse(bytes: &[u8]) -> Result<NetworkFile, NetworkError> {
        NetworkDraft::parse(bytes)?.complete()
    }

    /// Signs a network file. Signers beyond the registrars, such as a registrar's key before its
    /// rotation, are allowed.
    pub fn sign(network: Network, signers: &[&dyn Signer]) -> Result<NetworkFile, SignError> {
        let mut draft = NetworkDraft::new(network)?;
        for signer in signers {
            draft.sign(*signer)?;
        }
        draft.complete().map_err(|error| SignError::Malformed { reason: error.to_string() })
    }

    /// The version that comes after this one, with these changes: what it says of the versions
    /// before follows from them.
    pub fn next(&self, change: impl FnOnce(&mut Network)) -> Network {
        let mut next = self.network.clone();
        change(&mut next);
        next.version = self.network.version + 1;
        next.previous = Some(self.digest());
        next.former.clone_from(&self.network.former);
        if next.epoch() != self.network.epoch() {
            next.former.push(self.network.epoch());
            let told = next.former.len().saturating_sub(FORMER_MAX);
            next.former.drain(..told);
        }
        next
    }

    /// SHA-256 of what the file says, whoever signed it.
    pub fn digest(&self) -> Digest {
        let payload = read(&self.bytes).expect("parsed before").0;
        Digest(Sha256::digest(payload).into())
    }

    /// What it says.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Refuses `new` unless it may follow `old`: same name, higher version, signed by the
    /// threshold of `old`'s registrars, and no other than the next version after `old` if it is the
    /// next.
    pub fn successor_valid(old: &NetworkFile, new: &NetworkFile) -> Result<(), NetworkError> {
        old.is_before(new)?;
        let signed = old.network.registrars.iter().filter(|one| new.continues(one));
        let (found, needed) = (signed.count(), old.network.threshold);
        if found < needed as usize {
            return Err(NetworkError::NotSucceeding { found, needed });
        }
        old.leads_to(new)
    }

    /// The same name, and a higher version.
    fn is_before(&self, new: &NetworkFile) -> Result<(), NetworkError> {
        let (expected, found) = (&self.network.name, &new.network.name);
        if expected != found {
            let (expected, found) = (expected.clone(), found.clone());
            return Err(NetworkError::OtherNetwork { expected, found });
        }
        let (known, found) = (self.network.version, new.network.version);
        match found <= known {
            true => Err(NetworkError::NotNewer { known, found }),
            false => Ok(()),
        }
    }

    /// What a later version says of this one, whoever signed it.
    fn leads_to(&self, new: &NetworkFile) -> Result<(), NetworkError> {
        let (known, found) = (self.network.version, new.network.version);
        if found == known + 1 && new.network.previous != Some(self.digest()) {
            return Err(NetworkError::Forked { known, found });
        }
        if !new.network.is_after(&self.network) {
            return Err(NetworkError::Forgetful { found });
        }
        let kept = |sealed: &&Sealed| new.network.sealed(&sealed.origin) == Some(*sealed);
        match self.network.sealed.iter().find(|sealed| !kept(sealed)) {
            Some(sealed) => Err(NetworkError::Unsealed { origin: sealed.origin.clone() }),
            None => Ok(()),
        }
    }

    /// True if this registrar signed with its key, or with the next key it had committed to.
    fn continues(&self, registrar: &Registrar) -> bool {
        let committed =
            self.network.registrars.iter().find(|one| {
                one.org == registrar.org && one.key.id() == registrar.next_key_commitment
            });
        self.signed_by(&registrar.key) || committed.is_some_and(|one| self.signed_by(&one.key))
    }

    fn signed_by(&self, key: &PublicKey) -> bool {
        let Some(signature) = self.signatures.get(&key.id()) else {
            return false;
        };
        let payload = read(&self.bytes).expect("parsed before").0;
        key.verify_strict(&signed_bytes(&key.id(), payload), signature).is_ok()
    }
}

#[cfg(test)]
mod tests;
