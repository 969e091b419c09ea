//! Buckets: which rows a rule must see together, and how tables are divided so that it does.
//!
//! Invariants: a row's bucket depends on its key and the number of buckets only; every row that a
//! rule's scope binds together lies in one bucket, so findings are the same for any number of them.
//! Facilities and devices that name one another are one key; an event lies in the bucket of each of
//! its items (or places), small tables in every bucket. So that half a view accuses nobody, a
//! finding counts only from the bucket where its subject is at home.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datafusion::arrow::array::{Array, RecordBatch, UInt64Array};
use datafusion::arrow::compute::take_record_batch;
use datafusion::arrow::error::ArrowError;
use hallmark_schemas::table::Bucket;
use serde::Deserialize;

use crate::table::{TableSet, declared, texts};

/// Rows of one bucket that its number aims at: planning then costs little beside running.
pub const BUCKET_ROWS: usize = 1_000_000;

/// What a rule looks at together.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// One instrument.
    Device,
    /// One site.
    Facility,
    /// One item or lot.
    Item,
    /// One place.
    Location,
    /// One account of units.
    Account,
    /// One organisation: small and summary tables only.
    Organisation,
    /// Everything: small and summary tables only.
    Network,
}

impl Scope {
    /// As the header spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Device => "device",
            Scope::Facility => "facility",
            Scope::Item => "item",
            Scope::Location => "location",
            Scope::Account => "account",
            Scope::Organisation => "organisation",
            Scope::Network => "network",
        }
    }

    /// How tables are divided for it; `None` if they are not.
    pub(crate) const fn family(self) -> Option<Family> {
        match self {
            Scope::Device | Scope::Facility => Some(Family::Facility),
            Scope::Item => Some(Family::Item),
            Scope::Location => Some(Family::Location),
            Scope::Account => Some(Family::Account),
            Scope::Organisation | Scope::Network => None,
        }
    }
}

/// A way to divide tables.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Family {
    Facility,
    Item,
    Location,
    Account,
}

impl Family {
    /// True if the table is divided this way.
    fn divides(self, bucket: Bucket) -> bool {
        match bucket {
            Bucket::Whole => false,
            Bucket::Facility(_) | Bucket::Device(_) => self == Family::Facility,
            Bucket::Item(_) => self == Family::Item,
            Bucket::Location(_) => self == Family::Location,
            Bucket::Account(_) => self == Family::Account,
            Bucket::Event(_) => self == Family::Item || self == Family::Location,
        }
    }
}

/// Says which table a rule of this scope must not read.
pub(crate) fn check_scope(scope: Scope, tables: &BTreeSet<String>) -> Result<(), String> {
    for name in tables {
        let bucket = declared(name).map_or(Bucket::Whole, |table| table.bucket);
        let fits = match (bucket, scope.family()) {
            (Bucket::Whole, _) => true,
            (_, None) => false,
            (bucket, Some(family)) => family.divides(bucket),
        };
        if !fits {
            return Err(format!("scope {} cannot see the whole of {name}", scope.as_str()));
        }
    }
    Ok(())
}

/// Evidence divided for rules of one family.
pub(crate) struct Divided {
    pub(crate) buckets: Vec<TableSet>,
    /// The bucket of each key. Empty where there is one bucket.
    homes: BTreeMap<String, usize>,
}

impl Divided {
    /// True if a finding on `subject` counts from this bucket.
    pub(crate) fn counts(&self, subject: &str, bucket: usize) -> bool {
        self.homes.get(subject).is_none_or(|home| *home == bucket)
    }
}

/// Divides what `family` divides; small tables go whole into every bucket.
pub(crate) fn divide(
    tables: &TableSet,
    family: Option<Family>,
    count: Option<usize>,
) -> Result<Divided, ArrowError> {
    let bucket_of = |name: &str| declared(name).map_or(Bucket::Whole, |table| table.bucket);
    let mut whole = TableSet::new();
    let mut divided = Vec::new();
    for (name, batches) in tables.iter() {
        let bucket = bucket_of(name);
        if bucket == Bucket::Whole {
            whole.insert(name, batches.to_vec());
        } else if family.is_some_and(|family| family.divides(bucket)) {
            divided.push((name, bucket, batches));
        }
    }
    let Some(family) = family else {
        return Ok(Divided { buckets: vec![whole], homes: BTreeMap::new() });
    };
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    let most = divided.iter().map(|(_, _, batches)| rows(batches)).max().unwrap_or(0);
    let count = count.unwrap_or_else(|| most.div_ceil(BUCKET_ROWS)).max(1);
    let mut buckets = vec![whole; count];
    if count == 1 {
        for (name, _, batches) in divided {
            buckets[0].insert(name, batches.to_vec());
        }
        return Ok(Divided { buckets, homes: BTreeMap::new() });
    }
    let keys = Keys::new(tables, family, count);
    for (name, bucket, batches) in divided {
        for batch in batches {
            for (index, rows) in keys.rows(batch, bucket).into_iter().enumerate() {
                if !rows.is_empty() {
                    let part = take_record_batch(batch, &UInt64Array::from(rows))?;
                    buckets[index].push(name, part);
                }
            }
        }
    }
    Ok(Divided { buckets, homes: keys.homes })
}

/// Where rows go.
struct Keys {
    count: usize,
    family: Family,
    /// Facilities and devices: the name that stands for all they are joined with.
    roots: Roots,
    /// Events: the buckets of their items or places.
    events: HashMap<String, BTreeSet<usize>>,
    homes: BTreeMap<String, usize>,
}

impl Keys {
    fn new(tables: &TableSet, family: Family, count: usize) -> Keys {
        let (roots, events) = (Roots::default(), HashMap::new());
        let mut keys = Keys { count, family, roots, events, homes: BTreeMap::new() };
        match family {
            Family::Facility => {
                keys.roots = Roots::of(tables);
                keys.learn_roots(tables);
            }
            Family::Item => keys.learn_events(tables, "event_items", &["item"]),
            Family::Location => {
                keys.learn_events(tables, "events", &["read_point", "biz_location"])
            }
            Family::Account => {}
        }
        keys
    }

    fn learn_roots(&mut self, tables: &TableSet) {
        let batches = tables.iter().flat_map(|(_, batches)| batches);
        for column in batches.flat_map(|batch| {
            ["device", "facility"].into_iter().filter_map(|name| texts(batch, name))
        }) {
            let mut last = None;
            for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
                let name = column.value(row);
                if last != Some(name) && !self.homes.contains_key(name) {
                    let home = hash(self.roots.root(name), self.count);
                    self.homes.insert(name.to_owned(), home);
                }
                last = Some(name);
            }
        }
    }

    fn learn_events(&mut self, tables: &TableSet, table: &str, columns: &[&str]) {
        for batch in tables.get(table) {
            let Some(events) = texts(batch, "event_id") else {
                continue;
            };
            for column in columns.iter().filter_map(|column| texts(batch, column)) {
                for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
                    let home = hash(column.value(row), self.count);
                    self.homes.entry(column.value(row).to_owned()).or_insert(home);
                    self.events.entry(events.value(row).to_owned()).or_default().insert(home);
                }
            }
        }
    }

    /// For each bucket, the rows of the batch that go there.
    fn rows(&self, batch: &RecordBatch, bucket: Bucket) -> Vec<Vec<u64>> {
        let mut rows = vec![Vec::new(); self.count];
        let none = BTreeSet::from([0]);
        let (column, second) = match bucket {
            Bucket::Facility(name) => (name, Some("device")),
            Bucket::Whole => ("", None),
            Bucket::Device(name)
            | Bucket::Item(name)
            | Bucket::Location(name)
            | Bucket::Account(name)
            | Bucket::Event(name) => (name, None),
        };
        let key = texts(batch, column);
        let second = second.and_then(|name| texts(batch, name));
        for (row, number) in (0..batch.num_rows()).zip(0_u64..) {
            let first = key.filter(|key| key.is_valid(row)).map(|key| key.value(row));
            let text = first
                .or_else(|| second.filter(|key| key.is_valid(row)).map(|key| key.value(row)))
                .unwrap_or("");
            if let Bucket::Event(_) = bucket {
                for to in self.events.get(text).unwrap_or(&none) {
                    rows[*to].push(number);
                }
                continue;
            }
            let text = if self.family == Family::Facility { self.roots.root(text) } else { text };
            rows[hash(text, self.count)].push(number);
        }
        rows
    }
}

/// Facilities and devices joined by any table that names both.
#[derive(Default)]
struct Roots {
    parents: BTreeMap<String, String>,
}

impl Roots {
    fn of(tables: &TableSet) -> Roots {
        let mut roots = Roots::default();
        for (_, batches) in tables.iter() {
            for batch in batches {
                for (a, b) in [("device", "facility"), ("parent", "child")] {
                    roots.learn(batch, a, b);
                }
            }
        }
        roots
    }

    fn learn(&mut self, batch: &RecordBatch, a: &str, b: &str) {
        let (Some(a), Some(b)) = (texts(batch, a), texts(batch, b)) else {
            return;
        };
        let mut last = None;
        for row in (0..batch.num_rows()).filter(|row| a.is_valid(*row) && b.is_valid(*row)) {
            let pair = (a.value(row), b.value(row));
            if last != Some(pair) {
                self.join(pair.0, pair.1);
                last = Some(pair);
            }
        }
    }

    fn join(&mut self, a: &str, b: &str) {
        let (a, b) = (self.root(a).to_owned(), self.root(b).to_owned());
        // The smaller name stands for both, so that the order of joining does not matter.
        match a.cmp(&b) {
            std::cmp::Ordering::Less => self.parents.insert(b, a),
            std::cmp::Ordering::Greater => self.parents.insert(a, b),
            std::cmp::Ordering::Equal => None,
        };
    }

    fn root<'a>(&'a self, mut name: &'a str) -> &'a str {
        while let Some(parent) = self.parents.get(name) {
            name = parent;
        }
        name
    }
}

/// FNV-1a: the same on every machine and in every release.
fn hash(text: &str, count: usize) -> usize {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let count = u64::try_from(count).unwrap_or(1).max(1);
    usize::try_from(hash % count).unwrap_or(0)
}
