//! What the chart of a finding shows: the readings around its period and what they are compared with.
//!
//! Invariants: a chart shows readings as they stand in the table `meter_readings`, nothing is filled
//! in or smoothed; where an interval is missing the line is broken. Which series it is follows from
//! columns of the finding: `series` (quantity and unit) or `quantity`; `copy_start` and
//! `source_start`, what a stretch is a copy of; `parent`, the meter above, of which is shown what it
//! leaves for this one, its other children taken off. Without any of them the series that the
//! finding cites most is shown beside the same hours of the week before.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use hallmark_schemas::time::Timestamp;
use serde_json::Value;

use crate::finding::Finding;
use crate::table::{TableSet, texts};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Most charts of one report; the report says how many findings have none for that reason.
pub const CHARTS_MAX: usize = 500;
/// Least and most that is shown before and after the period of a finding.
const MARGIN_MS: (i64, i64) = (DAY_MS, 14 * DAY_MS);
/// Longest time that one chart shows; of a longer period its beginning.
const SPAN_MAX_MS: i64 = 400 * DAY_MS;

/// One reading.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Point {
    /// End of its interval, Unix ms.
    pub at_ms: i64,
    /// The value, in the series' unit times ten to the power of `scale`.
    pub amount: i64,
    /// Power of ten of `amount`.
    pub scale: i64,
    /// Evidence id.
    pub id: String,
}

/// What a chart compares with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Compared {
    /// The stretch that the period is a copy of, moved by so many ms.
    Source {
        /// How far it was moved.
        shift_ms: i64,
    },
    /// The meter above, less its other children, whose readings are all there.
    Parent {
        /// Its id.
        device: String,
        /// How many other children it has.
        siblings: usize,
    },
    /// The same hours a week before.
    WeekBefore,
}

/// Readings around the period of one finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chart {
    /// Whose readings.
    pub device: String,
    /// What is measured.
    pub quantity: String,
    /// In which unit.
    pub unit: String,
    /// Length of the intervals.
    pub interval_s: i64,
    /// The finding's period, Unix ms.
    pub window: (i64, i64),
    /// From when to when the chart goes.
    pub view: (i64, i64),
    /// The readings, by instant.
    pub points: Vec<Point>,
    /// What they are compared with, at the instants at which it is drawn; empty where there is none.
    pub others: Vec<Point>,
    /// What `others` is.
    pub compared: Compared,
}

/// Quantity, unit, interval and statistic.
type SeriesKey = (String, String, i64, String);

/// What one finding asks of the readings.
struct Wish<'a> {
    finding: &'a Finding,
    device: String,
    window: (i64, i64),
    view: (i64, i64),
    compared: Compared,
    shift_ms: i64,
    own: BTreeMap<SeriesKey, Vec<Point>>,
    other: BTreeMap<SeriesKey, Vec<Point>>,
    /// Meters of one parent by their sign: this one and its siblings.
    children: BTreeMap<String, i64>,
    /// What the siblings show, by instant: how many, their sum, its power of ten.
    shares: BTreeMap<SeriesKey, BTreeMap<i64, Share>>,
}

/// What siblings show of one interval together.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    count: usize,
    amount: i64,
    scale: i64,
}

/// The charts of these findings, in their order; `None` for a finding that no series belongs to.
/// The readings are gone through once.
pub fn charts(findings: &[Finding], tables: &TableSet) -> Vec<Option<Chart>> {
    let readings = tables.get("meter_readings");
    let devices = devices(findings, readings);
    let families = families(tables.get("meter_topology"));
    let mut wishes: Vec<Option<Wish<'_>>> = findings
        .iter()
        .enumerate()
        .map(|(place, finding)| Wish::new(finding, devices.get(&place)?.clone(), &families))
        .collect();
    let mut asked: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, wish) in wishes.iter().enumerate() {
        let Some(wish) = wish else { continue };
        asked.entry(wish.device.clone()).or_default().push(place);
        if let Compared::Parent { device, .. } = &wish.compared {
            let siblings = wish.children.keys().filter(|child| **child != wish.device);
            for device in siblings.chain([device]) {
                asked.entry(device.clone()).or_default().push(place);
            }
        }
    }
    for batch in readings {
        take(batch, &asked, &mut wishes);
    }
    wishes.into_iter().map(|wish| wish?.chart()).collect()
}

/// The children of each parent meter, with their signs.
fn families(topology: &[RecordBatch]) -> BTreeMap<String, BTreeMap<String, i64>> {
    let mut families: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for batch in topology {
        let (Some(parents), Some(children)) = (texts(batch, "parent"), texts(batch, "child"))
        else {
            continue;
        };
        let signs = batch.column_by_name("sign").and_then(|sign| cast(sign, &DataType::Int64).ok());
        let signs = signs.as_ref().map(|signs| signs.as_primitive::<Int64Type>());
        for (row, (parent, child)) in parents.iter().zip(children).enumerate() {
            let (Some(parent), Some(child)) = (parent, child) else { continue };
            let sign =
                signs.filter(|signs| signs.is_valid(row)).map_or(1, |signs| signs.value(row));
            families.entry(parent.to_owned()).or_default().insert(child.to_owned(), sign.signum());
        }
    }
    families
}

/// The meter that each finding is about: its subject, or else the one that its evidence names first.
fn devices(findings: &[Finding], readings: &[RecordBatch]) -> BTreeMap<usize, String> {
    let subjects: BTreeSet<&str> = findings.iter().map(|one| one.subject.as_str()).collect();
    let cited: BTreeSet<&str> =
        findings.iter().flat_map(|one| &one.evidence).map(String::as_str).collect();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut of_evidence: BTreeMap<String, String> = BTreeMap::new();
    for batch in readings {
        let (Some(ids), Some(devices)) = (texts(batch, "content_id"), texts(batch, "device"))
        else {
            continue;
        };
        for (id, device) in ids.iter().zip(devices) {
            let (Some(id), Some(device)) = (id, device) else { continue };
            if subjects.contains(device) && !known.contains(device) {
                known.insert(device.to_owned());
            }
            if cited.contains(id) {
                of_evidence.insert(id.to_owned(), device.to_owned());
            }
        }
    }
    let device = |finding: &Finding| match known.get(&finding.subject) {
        Some(device) => Some(device.clone()),
        None => finding.evidence.iter().find_map(|id| of_evidence.get(id)).cloned(),
    };
    let each = findings.iter().take(CHARTS_MAX).enumerate();
    each.filter_map(|(place, finding)| Some((place, device(finding)?))).collect()
}

fn ms(at: Timestamp) -> i64 {
    i64::try_from(at.unix_ms()).expect("years end at 9999")
}

/// An instant among the columns of a rule.
fn instant(finding: &Finding, name: &str) -> Option<i64> {
    let text = finding.columns.get(name).and_then(Value::as_str)?;
    Timestamp::parse(text).ok().map(ms)
}

impl<'a> Wish<'a> {
    fn new(
        finding: &'a Finding,
        device: String,
        families: &BTreeMap<String, BTreeMap<String, i64>>,
    ) -> Option<Wish<'a>> {
        let start = ms(finding.period_start.or(finding.period_end)?);
        let end = ms(finding.period_end.or(finding.period_start)?).min(start + SPAN_MAX_MS);
        let margin = ((end - start) / 2).clamp(MARGIN_MS.0, MARGIN_MS.1);
        let parent = finding.columns.get("parent").and_then(Value::as_str);
        let copied = instant(finding, "copy_start").zip(instant(finding, "source_start"));
        let (compared, shift_ms) = match (copied, parent) {
            (Some((copy, source)), _) => {
                (Compared::Source { shift_ms: copy - source }, copy - source)
            }
            (None, Some(parent)) => {
                (Compared::Parent { device: parent.to_owned(), siblings: 0 }, 0)
            }
            (None, None) => (Compared::WeekBefore, 7 * DAY_MS),
        };
        let family = parent.and_then(|parent| families.get(parent));
        let children = family.filter(|all| all.contains_key(&device)).cloned().unwrap_or_default();
        Some(Wish {
            finding,
            device,
            window: (start, end),
            view: (start - margin, end + margin),
            compared,
            shift_ms,
            own: BTreeMap::new(),
            other: BTreeMap::new(),
            children,
            shares: BTreeMap::new(),
        })
    }

    fn is_within(&self, at_ms: i64) -> bool {
        self.view.0 <= at_ms && at_ms <= self.view.1
    }

    /// Takes a reading of a device into what is shown and what it is compared with.
    fn take(&mut self, device: &str, key: &SeriesKey, point: &Point) {
        if device == self.device && self.is_within(point.at_ms) {
            self.own.entry(key.clone()).or_default().push(point.clone());
        }
        let is_other = match &self.compared {
            Compared::Parent { device: parent, .. } => device == parent,
            Compared::Source { .. } | Compared::WeekBefore => device == self.device,
        };
        if is_other && self.is_within(point.at_ms.saturating_add(self.shift_ms)) {
            let moved = Point { at_ms: point.at_ms + self.shift_ms, ..point.clone() };
            self.other.entry(key.clone()).or_default().push(moved);
        }
        if let Some(sign) = self.children.get(device).filter(|_| device != self.device) {
            let of_key = self.shares.entry(key.clone()).or_default();
            let share = of_key.entry(point.at_ms).or_default();
            // A sibling in another power of ten, or read twice, leaves the interval out.
            let fits = share.count == 0 || share.scale == point.scale;
            let sum = point.amount.checked_mul(*sign).and_then(|one| share.amount.checked_add(one));
            match sum.filter(|_| fits) {
                Some(amount) => {
                    *share = Share { count: share.count + 1, amount, scale: point.scale };
                }
                None => share.count = usize::MAX / 2,
            }
        }
    }

    /// Takes the siblings off the parent; an interval in which one is missing is left out.
    fn leave(&mut self, key: &SeriesKey, parent: &mut Vec<Point>) {
        let siblings = self.children.len().saturating_sub(1);
        if siblings == 0 {
            return;
        }
        let sign = self.children.get(&self.device).copied().unwrap_or(1);
        let shares = self.shares.remove(key).unwrap_or_default();
        parent.retain_mut(|point| {
            let share = shares.get(&point.at_ms);
            let share = share.filter(|one| one.count == siblings && one.scale == point.scale);
            let left = share.and_then(|one| point.amount.checked_sub(one.amount));
            point.amount = left.map_or(0, |left| left.saturating_mul(sign));
            left.is_some()
        });
        if let Compared::Parent { siblings: told, .. } = &mut self.compared {
            *told = siblings;
        }
    }

    /// The series that the finding names, else the one that it cites most.
    fn chart(mut self) -> Option<Chart> {
        let text = |name: &str| self.finding.columns.get(name).and_then(Value::as_str);
        let is_named = |key: &SeriesKey| match (text("series"), text("quantity")) {
            (Some(series), _) => format!("{} {}", key.0, key.1) == series,
            (None, Some(quantity)) => key.0 == quantity,
            (None, None) => false,
        };
        let cited: BTreeSet<&str> = self.finding.evidence.iter().map(String::as_str).collect();
        let weight = |points: &[Point]| {
            let hits = points.iter().filter(|point| cited.contains(point.id.as_str())).count();
            (hits, points.len())
        };
        let best = self
            .own
            .iter()
            .max_by_key(|(key, points)| (is_named(key), weight(points), std::cmp::Reverse(*key)))?;
        let key = best.0.clone();
        let mut points = self.own.remove(&key)?;
        // A parent may give its readings in another unit: then nothing is compared.
        let mut others = self.other.remove(&key).unwrap_or_default();
        for line in [&mut points, &mut others] {
            line.sort_unstable();
            line.dedup_by_key(|point| point.at_ms);
        }
        self.leave(&key, &mut others);
        let (quantity, unit, interval_s, _) = key;
        Some(Chart {
            device: self.device,
            quantity,
            unit,
            interval_s,
            window: self.window,
            view: self.view,
            points,
            others,
            compared: self.compared,
        })
    }
}

/// Gives every reading of a batch to the findings that ask for its meter.
fn take(
    batch: &RecordBatch,
    asked: &BTreeMap<String, Vec<usize>>,
    wishes: &mut [Option<Wish<'_>>],
) -> Option<()> {
    let [ids, devices, quantities] =
        ["content_id", "device", "quantity"].map(|name| texts(batch, name));
    let (ids, devices, quantities) = (ids?, devices?, quantities?);
    let (units, statistics) = (texts(batch, "unit"), texts(batch, "statistic"));
    let integers = |name: &str| cast(batch.column_by_name(name)?, &DataType::Int64).ok();
    let (at, interval, amount) =
        (integers("read_at")?, integers("interval_s")?, integers("amount")?);
    let scale = integers("scale_e10");
    let number = |column: &dyn Array, row: usize| {
        let column = column.as_primitive::<Int64Type>();
        column.is_valid(row).then(|| column.value(row))
    };
    for row in 0..batch.num_rows() {
        let Some(places) = asked.get(devices.value(row)) else { continue };
        let (Some(at_ms), Some(amount)) = (number(&at, row), number(&amount, row)) else {
            continue;
        };
        let text = |column: Option<&datafusion::arrow::array::StringArray>, other: &str| {
            let column = column.filter(|column| column.is_valid(row));
            column.map_or(other, |column| column.value(row)).to_owned()
        };
        let key = (
            quantities.value(row).to_owned(),
            text(units, ""),
            number(&interval, row).unwrap_or(0),
            text(statistics, "sum"),
        );
        let scale = scale.as_ref().and_then(|scale| number(scale, row)).unwrap_or(0);
        let point = Point { at_ms, amount, scale, id: ids.value(row).to_owned() };
        for place in places {
            if let Some(wish) = &mut wishes[*place] {
                wish.take(devices.value(row), &key, &point);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
