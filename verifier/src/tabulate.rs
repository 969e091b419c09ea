//! The third stage: what proven attestations say, as rows of the evidence tables.
//!
//! Invariants: the rows of an attestation depend on it, its place and the devices enrolled before
//! it alone; a correction hides what it replaces only if both have one issuer; an event
//! that a log refused because it contradicts an earlier one tells of that and of nothing else;
//! `<table>_all` shows all; the same attestations give the same rows in the same order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use hallmark_schemas::hex;
use hallmark_schemas::id::{DeviceId, FacilityId, Subject};
use hallmark_schemas::key::KeyId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::device::Device;
use hallmark_schemas::table::derived::{COVERAGE, DEFECTS, MISSING_BODIES};
use hallmark_schemas::table::{Cell, RowContext, Rows};
use hallmark_schemas::time::{EntryTime, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::evidence::{Coverage, Defect, DefectKind, Proven, ProvenAttestation, Refused};
use crate::table::{self, TableSet};

/// The helper table of the lake that says which attestation replaces which.
pub const REPLACEMENTS: &str = "replacements";
/// The one that says what logs refused, in the same columns: `replaced` is what it contradicts.
pub const REFUSALS: &str = "refusals";

/// The tables of everything that was proved, and of the plain tables beside it.
pub fn tabulate(proven: &Proven) -> Result<TableSet, ArrowError> {
    let devices = Devices::of(&proven.attestations);
    let mut set = attested(&proven.attestations, &devices)?;
    set.append(derived(proven)?);
    set.append(proven.tables.clone());
    hide_replaced(set.sorted()?)
}

/// The rows of these attestations and their replacements, nothing hidden: what the lake keeps.
pub fn attested<'a>(
    attestations: impl IntoIterator<Item = &'a ProvenAttestation>,
    devices: &Devices,
) -> Result<TableSet, ArrowError> {
    let (mut rows, mut replacements, mut set) = (Rows::new(), Vec::new(), TableSet::new());
    for proven in attestations {
        let attestation = &proven.attestation;
        let context = RowContext {
            content_id: attestation.id(),
            log: &proven.origin,
            entry: proven.entry,
            claims: attestation.claims(),
            from: proven.time,
            facility: devices.facility(&attestation.claims().sub, proven.time),
            device: devices.signer(&attestation.envelope().signer()),
        };
        attestation.body().rows(&context, &mut rows);
        replacements.extend(replacement(proven));
        if table::BATCH_ROWS_MAX < rows.len() {
            set.add_rows(std::mem::take(&mut rows))?;
        }
    }
    set.add_rows(rows)?;
    if !replacements.is_empty() {
        set.push(REPLACEMENTS, replacement_batch(&replacements)?);
    }
    Ok(set)
}

/// The tables `defects`, `coverage`, `missing_bodies` and [`REFUSALS`], which all logs give together.
pub fn derived(proven: &Proven) -> Result<TableSet, ArrowError> {
    let mut rows = Rows::new();
    for defect in &proven.defects {
        let own = [
            Cell::text(defect.kind.as_str()),
            Cell::text(&defect.subject),
            Cell::optional(defect.at, Cell::Instant),
            Cell::List(defect.cites.iter().map(ToString::to_string).collect()),
        ];
        rows.push_whole(&DEFECTS, [common_of_defect(defect).as_slice(), &own].concat());
    }
    for coverage in &proven.coverage {
        rows.push_whole(&COVERAGE, cells_of_coverage(coverage));
    }
    for missing in &proven.missing {
        let own = [
            Cell::text(missing.demand),
            Cell::text(missing.body),
            Cell::text(&missing.log),
            Cell::integer(missing.entry),
            Cell::text(missing.audience()),
            Cell::Instant(missing.seen_to),
        ];
        let common = common(format!("missing:{}", missing.demand), None, None);
        rows.push_whole(&MISSING_BODIES, [common.as_slice(), &own].concat());
    }
    let mut set = TableSet::from_rows(rows)?;
    if !proven.refused.is_empty() {
        let line = |one: &Refused| Replacement {
            content_id: one.id.to_string(),
            log: one.log.clone(),
            entry: one.entry,
            issuer: one.issuer.to_string(),
            replaced: one.standing.to_string(),
        };
        let lines: Vec<Replacement> = proven.refused.iter().map(line).collect();
        set.push(REFUSALS, replacement_batch(&lines)?);
    }
    Ok(set)
}

fn common_of_defect(defect: &Defect) -> Vec<Cell> {
    let named =
        format!("{} {:?} {:?} {}", defect.kind.as_str(), defect.log, defect.entry, defect.detail);
    let id = match (defect.cites.first(), defect.proof) {
        (Some(cited), _) => cited.to_string(),
        (None, Some(proof)) => format!("proof:{proof}"),
        (None, None) => format!("defect:{}", hex::encode(&Sha256::digest(named))),
    };
    let log = defect.log.as_ref();
    common(id, log, defect.entry)
}

fn common(id: String, log: Option<&String>, entry: Option<u64>) -> Vec<Cell> {
    let (log, entry) = (Cell::optional(log, Cell::text), Cell::optional(entry, Cell::integer));
    vec![Cell::Text(id), log, entry, Cell::Null, Cell::Null, Cell::Null, Cell::Null]
}

fn cells_of_coverage(coverage: &Coverage) -> Vec<Cell> {
    let Coverage { log, issuer, kind, .. } = coverage;
    let kind = kind.map(|kind| kind.as_str());
    let named = format!("{log} {issuer:?} {kind:?}");
    let id = format!("coverage:{}", hex::encode(&Sha256::digest(named)));
    let mut cells = common(id, Some(log), None);
    cells.extend([
        Cell::text(log),
        Cell::optional(issuer.as_ref(), Cell::text),
        Cell::optional(kind, Cell::text),
        Cell::integer(coverage.from_entry),
        Cell::integer(coverage.to_entry),
        Cell::Instant(coverage.from_at),
        Cell::Instant(coverage.to_at),
        Cell::integer(coverage.bodies_held),
        Cell::integer(coverage.bodies_missing),
    ]);
    cells
}

/// Where each device stood, by when it was enrolled there.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    places: BTreeMap<DeviceId, Vec<(Timestamp, Option<FacilityId>)>>,
    keys: BTreeMap<KeyId, DeviceId>,
}

impl Devices {
    /// What the `device` attestations among these say.
    pub fn of<'a>(attestations: impl IntoIterator<Item = &'a ProvenAttestation>) -> Devices {
        let mut devices = Devices::default();
        for proven in attestations {
            let attestation = &proven.attestation;
            if let (Body::Device(body), Subject::Device(id)) =
                (attestation.body(), &attestation.claims().sub)
            {
                devices.learn(id, body, proven.time);
            }
        }
        devices
    }

    /// Notes a device's key, and where it stands from now on.
    pub fn learn(&mut self, device: &DeviceId, body: &Device, from: EntryTime) {
        self.keys.insert(body.key.id(), device.clone());
        let places = self.places.entry(device.clone()).or_default();
        let at = places.partition_point(|(known, _)| *known <= from.hi);
        places.insert(at, (from.hi, body.facility.clone()));
    }

    /// The device that holds a key.
    pub fn signer(&self, key: &KeyId) -> Option<&DeviceId> {
        self.keys.get(key)
    }

    /// The facility of the device at that time; of the first enrolment for anything before it.
    pub fn facility(&self, subject: &Subject, at: EntryTime) -> Option<&FacilityId> {
        let Subject::Device(device) = subject else {
            return None;
        };
        let places = self.places.get(device)?;
        let next = places.partition_point(|(from, _)| *from <= at.hi);
        places.get(next.saturating_sub(1))?.1.as_ref()
    }
}

/// A row of [`REPLACEMENTS`] or [`REFUSALS`].
struct Replacement {
    content_id: String,
    log: String,
    entry: u64,
    issuer: String,
    replaced: String,
}

fn replacement(proven: &ProvenAttestation) -> Option<Replacement> {
    let attestation = &proven.attestation;
    Some(Replacement {
        content_id: attestation.id().to_string(),
        log: proven.origin.clone(),
        entry: proven.entry,
        issuer: attestation.claims().iss.to_string(),
        replaced: attestation.body().replaces()?.to_string(),
    })
}

/// The columns of [`REPLACEMENTS`] and [`REFUSALS`].
pub fn replacements_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("content_id", DataType::Utf8, false),
        Field::new("log", DataType::Utf8, true),
        Field::new("entry", DataType::Int64, true),
        Field::new("issuer", DataType::Utf8, false),
        Field::new("replaced", DataType::Utf8, false),
    ]))
}

fn replacement_batch(lines: &[Replacement]) -> Result<RecordBatch, ArrowError> {
    let text = |of: &dyn Fn(&Replacement) -> &String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(lines.iter().map(of)))
    };
    let entries = lines.iter().map(|line| i64::try_from(line.entry).ok());
    RecordBatch::try_new(
        replacements_schema(),
        vec![
            text(&|line| &line.content_id),
            text(&|line| &line.log),
            Arc::new(Int64Array::from_iter(entries)),
            text(&|line| &line.issuer),
            text(&|line| &line.replaced),
        ],
    )
}

/// Takes replaced and refused rows out of every table, and adds `<table>_all` with them and
/// `replaced_by`, of a refused one the statement that stands.
pub fn hide_replaced(set: TableSet) -> Result<TableSet, ArrowError> {
    let replaced = replaced_ids(&set);
    let mut out = TableSet::new();
    for (name, batches) in set.iter() {
        let Some(declared) = table::declared(name) else {
            continue;
        };
        let (mut current, mut all) = (Vec::new(), Vec::new());
        for batch in batches {
            let by = replaced_by(batch, &replaced);
            current.push(match by.null_count() < by.len() {
                true => filter_record_batch(
                    batch,
                    &BooleanArray::from_iter(by.iter().map(|by| Some(by.is_none()))),
                )?,
                false => batch.clone(),
            });
            let mut columns = batch.columns().to_vec();
            columns.push(Arc::new(by));
            all.push(RecordBatch::try_new(table::schema_all(declared), columns)?);
        }
        out.insert(name, current);
        out.insert(format!("{name}_all"), all);
    }
    Ok(out)
}

/// (replaced, issuer) -> replacing; of several, the first in the order of the rows. What contradicted the
/// replaced one is replaced with it.
fn replaced_ids(set: &TableSet) -> BTreeMap<(String, String), String> {
    let mut replaced = BTreeMap::new();
    let forks = corrected_forks(set);
    let mut forks_of: BTreeMap<&str, Vec<&BTreeSet<String>>> = BTreeMap::new();
    for fork in &forks {
        fork.iter().for_each(|id| forks_of.entry(id).or_default().push(fork));
    }
    for batch in set.get(REPLACEMENTS) {
        let column = |name| table::texts(batch, name);
        let columns = (column("replaced"), column("issuer"), column("content_id"));
        if let (Some(old), Some(issuer), Some(new)) = columns {
            for row in 0..batch.num_rows() {
                let (old, issuer, new) = (old.value(row), issuer.value(row), new.value(row));
                let forks = forks_of.get(old).into_iter().flatten().filter(|it| it.contains(new));
                let also = forks.copied().flatten().map(String::as_str).filter(|id| *id != new);
                for old in [old].into_iter().chain(also) {
                    let key = (old.to_owned(), issuer.to_owned());
                    replaced.entry(key).or_insert_with(|| new.to_owned());
                }
            }
        }
    }
    for batch in set.get(REFUSALS) {
        let column = |name| table::texts(batch, name);
        let columns = (column("content_id"), column("issuer"), column("replaced"));
        if let (Some(refused), Some(issuer), Some(standing)) = columns {
            for row in 0..batch.num_rows() {
                let key = (refused.value(row).to_owned(), issuer.value(row).to_owned());
                replaced.entry(key).or_insert_with(|| standing.value(row).to_owned());
            }
        }
    }
    replaced
}

/// What each contradiction cites that its issuer has corrected.
fn corrected_forks(set: &TableSet) -> Vec<BTreeSet<String>> {
    let mut forks = Vec::new();
    for batch in set.get(DEFECTS.name) {
        let cites = batch.column_by_name("cites").and_then(|cites| cites.as_list_opt::<i32>());
        let (Some(kinds), Some(cites)) = (table::texts(batch, "kind"), cites) else { continue };
        for row in 0..batch.num_rows() {
            let cited = cites.value(row);
            if kinds.value(row) == DefectKind::ForkCorrected.as_str()
                && let Some(cited) = cited.as_string_opt::<i32>()
            {
                forks.push(cited.iter().flatten().map(str::to_owned).collect());
            }
        }
    }
    forks
}

fn replaced_by(batch: &RecordBatch, replaced: &BTreeMap<(String, String), String>) -> StringArray {
    let (ids, issuers) = (table::texts(batch, "content_id"), table::texts(batch, "issuer"));
    let (Some(ids), Some(issuers), false) = (ids, issuers, replaced.is_empty()) else {
        return StringArray::new_null(batch.num_rows());
    };
    let by = |row| {
        let issuer = (!issuers.is_null(row)).then(|| issuers.value(row))?;
        replaced.get(&(ids.value(row).to_owned(), issuer.to_owned())).map(String::as_str)
    };
    (0..batch.num_rows()).map(by).collect()
}
