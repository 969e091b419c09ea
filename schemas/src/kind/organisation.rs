//! `organisation`: a registrar admits a member, with its first key.
//!
//! Invariants: the subject is the organisation; roles and regions are sorted sets; the first key
//! commits to the next one by its key id; the keys of its node are distinct from it and from one
//! another.

use super::check::{self, FieldError};
use super::{Kind, KindName, SignerRule};
use crate::attestation::{Claims, ContentId};
use crate::audience::Region;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::key::{KeyId, PublicKey};
use crate::note::{NoteKeyKind, VerifierKey};
use crate::role::Role;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

/// Most regions of one organisation: ISO 3166 has 249 codes.
pub const REGIONS_MAX: usize = 249;

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its name in law.
    pub legal_name: String,
    /// What it may do in the network, sorted.
    pub roles: Vec<Role>,
    /// Where it is established, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    /// Its first organisation key.
    pub key: PublicKey,
    /// The key id of the key that will follow: only its holder can rotate.
    pub next_key_commitment: KeyId,
    /// The log and keys of its node, if it runs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<LogKeys>,
    /// The attestation that this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it corrects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A log's origin and the keys of the node that keeps it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogKeys {
    /// The log's origin, `<network>/<scheme>-<value>/<n>`.
    pub origin: String,
    /// Signs checkpoints of this log: a verifier key of `signed-note`, named as the origin.
    pub log: VerifierKey,
    /// Cosigns checkpoints of other logs: a verifier key of `tlog-cosignature`.
    pub witness: VerifierKey,
    /// Cosigns what the node mirrors: a verifier key of `tlog-cosignature`.
    pub mirror: VerifierKey,
    /// Names the node among its peers and signs its tokens for replication.
    pub peer: PublicKey,
}

impl LogKeys {
    /// Refuses an origin or key of the wrong form, and a key in two roles.
    pub fn check(&self) -> Result<(), FieldError> {
        check::text("/origin", &self.origin, check::NAME_BYTES_MAX)?;
        let LogKeys { origin, log, witness, mirror, peer } = self;
        check::consistent("/log", log.name() == origin, "is not named as the origin")?;
        for (pointer, key, kind) in [
            ("/log", log, NoteKeyKind::Ed25519),
            ("/witness", witness, NoteKeyKind::CosignatureV1),
            ("/mirror", mirror, NoteKeyKind::CosignatureV1),
        ] {
            check::consistent(pointer, key.kind() == kind, "is a key of another type")?;
        }
        let mut keys = [log.key(), witness.key(), mirror.key(), peer];
        keys.sort_unstable();
        let distinct = keys.windows(2).all(|pair| pair[0] != pair[1]);
        check::consistent("/peer", distinct, "repeats a key of another role")
    }
}

/// Table `organisations`.
pub static ORGANISATIONS: Table = Table {
    name: "organisations",
    columns: &[
        Column::text("organisation", "The member").required(),
        Column::text("legal_name", "Its name in law"),
        Column::list("roles", "Its roles in the network"),
        Column::list("regions", "ISO 3166 codes of where it is established"),
        Column::text("log_origin", "Origin of its log, if it runs a node"),
    ],
    bucket: Bucket::Whole,
    meaning: "A member of the network, as its registrar admitted it",
};

impl Kind for Organisation {
    const NAME: KindName = KindName::Organisation;
    const ISSUERS: &'static [Role] = &[Role::Registrar];
    const SIGNER: SignerRule = SignerRule::Organisation;
    const TABLES: &'static [&'static Table] = &[&ORGANISATIONS, &super::key::KEYS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/legal_name", &self.legal_name, check::NAME_BYTES_MAX)?;
        check::count("/roles", self.roles.len(), 1..=Role::ALL.len())?;
        check::sorted_set("/roles", &self.roles)?;
        check::count("/regions", self.regions.len(), 0..=REGIONS_MAX)?;
        check::sorted_set("/regions", &self.regions)?;
        let other = self.next_key_commitment != self.key.id();
        check::consistent("/next_key_commitment", other, "is the key itself")?;
        if let Some(node) = &self.node {
            node.check().map_err(|error| error.under("/node"))?;
            let peer = node.peer != self.key;
            check::consistent("/node/peer", peer, "is the organisation's own key")?;
        }
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        check::form("/sub", matches!(claims.sub, Subject::Org(_)), "an organisation")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&claims.sub, self.replaces))
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(&context.claims.sub),
            Cell::text(&self.legal_name),
            Cell::List(self.roles.iter().map(ToString::to_string).collect()),
            Cell::List(self.regions.iter().map(ToString::to_string).collect()),
            Cell::optional(self.node.as_ref(), |node| Cell::text(&node.origin)),
        ];
        rows.push(&ORGANISATIONS, context, cells);
        super::key::push_key(
            rows,
            context,
            "organisation",
            &self.key,
            context.claims.sub.to_string(),
        );
    }
}
