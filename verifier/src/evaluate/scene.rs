//! Scenes: a past, and what comes after it, clean or forged, as rows of evidence tables.

use hallmark_schemas::kind::readings::METER_READINGS;
use hallmark_schemas::table::measurement::METER_TOPOLOGY;
use hallmark_schemas::table::{COMMON, Cell, Rows};
use hallmark_schemas::time::Timestamp;

use super::attack::{Around, Attack, Chance, WEEK_DAYS};
use super::meters::{DAY_S, Day, Meter};
use crate::series::week::PAST;

/// Relative gain error of a meter beside its parent, one standard deviation: class 0.2.
const GAIN_DEVIATION: f64 = 0.002;
/// Relative noise of one interval, the same.
const NOISE_DEVIATION: f64 = 0.002;
/// A parent has so many children at least.
const CHILDREN_MIN: usize = 2;

/// One meter, and where its past ends.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    /// The meter that is forged.
    meter: usize,
    /// All children of its parent, it among them; none where it stands alone.
    children: Vec<usize>,
    /// Day on which the attack begins.
    begin: i64,
}

/// A scene that was written down.
#[derive(Clone, Debug)]
pub(super) struct Forged {
    /// Its name of the forged device.
    pub(super) device: String,
    /// Begin of the attack.
    pub(super) start: Timestamp,
    /// Its end.
    pub(super) end: Timestamp,
}

/// Every week of every meter that has a past of whole days before it.
pub(super) fn alone(meters: &[Meter]) -> Vec<Scene> {
    let mut scenes = Vec::new();
    for (meter, one) in meters.iter().enumerate() {
        for begin in begins(one) {
            scenes.push(Scene { meter, children: Vec::new(), begin });
        }
    }
    scenes
}

/// Every such week of the meters that could hang below one parent: sums of one quantity, unit and
/// interval. In each week another one of them is forged.
pub(super) fn with_parent(meters: &[Meter]) -> Vec<Scene> {
    let key = |meter: &Meter| {
        (meter.quantity.clone(), meter.unit.clone(), meter.scale_e10, meter.interval_s)
    };
    let mut scenes = Vec::new();
    let mut done = Vec::new();
    for (first, one) in meters.iter().enumerate() {
        let is_sum = one.statistic.as_deref().is_none_or(|name| name == "sum");
        if !is_sum || done.contains(&key(one)) {
            continue;
        }
        done.push(key(one));
        let children: Vec<usize> =
            (first..meters.len()).filter(|at| key(&meters[*at]) == key(one)).collect();
        for (number, begin) in begins(one).into_iter().enumerate() {
            let here: Vec<usize> = children
                .iter()
                .copied()
                .filter(|child| begins(&meters[*child]).contains(&begin))
                .collect();
            if CHILDREN_MIN <= here.len() {
                scenes.push(Scene { meter: here[number % here.len()], children: here, begin });
            }
        }
    }
    scenes
}

/// First days of weeks after a past without a gap, a week apart.
fn begins(meter: &Meter) -> Vec<i64> {
    let mut begins = Vec::new();
    let mut at = PAST;
    while at + WEEK_DAYS <= meter.days.len() {
        let (first, last) = (meter.days[at - PAST].number, meter.days[at + WEEK_DAYS - 1].number);
        if last - first == (PAST + WEEK_DAYS) as i64 - 1 {
            begins.push(meter.days[at].number);
            at += WEEK_DAYS;
        } else {
            at += 1;
        }
    }
    begins
}

impl Scene {
    /// Writes the scene down, with so many days after its past, forged or as they were; None where
    /// the attack cannot be put into it.
    pub(super) fn forge(
        &self,
        meters: &[Meter],
        (attack, length): (Option<Attack>, usize),
        seed: u64,
        number: usize,
        rows: &mut Rows,
    ) -> Option<Forged> {
        let mut chance = Chance::new(seed);
        let meter = &meters[self.meter];
        let first = self.begin - PAST as i64;
        let past = days(meter, first, PAST)?;
        let clean: Vec<Vec<f64>> = days(meter, self.begin, length)?.iter().map(floats).collect();
        let shown = match attack {
            None => clean.into_iter().map(whole).collect(),
            Some(attack) => {
                let before: Vec<Vec<f64>> = past.iter().map(floats).collect();
                let other = other(self, meters, length);
                let length = clean[0].len();
                let around = Around { past: &before, other: other.as_deref(), length };
                attack.forge(&clean, &around, &mut chance)?
            }
        };
        let device = format!("scene-{number}");
        let mut all: Vec<Vec<Option<f64>>> = past.iter().map(|day| whole(floats(day))).collect();
        all.extend(shown);
        write(rows, meter, &device, first, &all, attack == Some(Attack::R8));
        if !self.children.is_empty() {
            let bypassed = attack == Some(Attack::R9);
            let beside = Beside { device: &device, first, length, bypassed };
            self.write_parent(meters, &beside, &mut chance, rows)?;
        }
        let end = instant((self.begin + length as i64) * DAY_S)?;
        Some(Forged { device, start: instant(self.begin * DAY_S)?, end })
    }

    /// The parent, and the children that nobody touched. The parent shows the sum of what was used;
    /// each meter has a gain of its own near 1, and noise.
    fn write_parent(
        &self,
        meters: &[Meter],
        beside: &Beside<'_>,
        chance: &mut Chance,
        rows: &mut Rows,
    ) -> Option<()> {
        let parent = format!("{}-parent", beside.device);
        let mut sums: Vec<Vec<f64>> = Vec::new();
        for child in &self.children {
            let days = days(&meters[*child], beside.first, PAST + beside.length)?;
            let gain = 1.0 + chance.normal(GAIN_DEVIATION);
            sums.resize(days.len(), vec![0.0; days[0].amounts.len()]);
            for (number, (day, sums)) in days.iter().zip(&mut sums).enumerate() {
                // What the child shows is given; what was used differs by its gain and noise.
                let is_bypassed = beside.bypassed && *child == self.meter && PAST <= number;
                let part = if is_bypassed { 0.8 } else { 1.0 };
                for (sum, amount) in sums.iter_mut().zip(&day.amounts) {
                    *sum += part * *amount as f64 * gain * (1.0 + chance.normal(NOISE_DEVIATION));
                }
            }
            if *child == self.meter {
                topology(rows, &parent, beside.device);
            } else {
                let name = format!("{}-beside-{child}", beside.device);
                let shown: Vec<_> = days.iter().map(|day| whole(floats(day))).collect();
                write(rows, &meters[*child], &name, beside.first, &shown, false);
                topology(rows, &parent, &name);
            }
        }
        let gain = 1.0 + chance.normal(GAIN_DEVIATION);
        let mut noisy = |sum: f64| sum * gain * (1.0 + chance.normal(NOISE_DEVIATION));
        let shown: Vec<Vec<Option<f64>>> =
            sums.into_iter().map(|day| whole(day.into_iter().map(&mut noisy).collect())).collect();
        write(rows, &meters[self.meter], &parent, beside.first, &shown, false);
        Some(())
    }
}

/// What the meters beside a forged one are written with.
struct Beside<'a> {
    /// The forged device.
    device: &'a str,
    /// First day of the past.
    first: i64,
    /// Days after the past.
    length: usize,
    /// Whether the parent is cut as the child is.
    bypassed: bool,
}

fn whole(day: Vec<f64>) -> Vec<Option<f64>> {
    day.into_iter().map(Some).collect()
}

/// The same days of another meter of the same kind.
fn other(scene: &Scene, meters: &[Meter], length: usize) -> Option<Vec<Vec<f64>>> {
    let own = &meters[scene.meter];
    let alike = |meter: &&Meter| {
        meter.device != own.device
            && (&meter.quantity, &meter.unit, meter.interval_s)
                == (&own.quantity, &own.unit, own.interval_s)
    };
    // The one that uses least: what a swap needs, and a copy can do with.
    let weeks = meters.iter().filter(alike).filter_map(|meter| days(meter, scene.begin, length));
    let sum = |days: &[Day]| {
        days.iter().flat_map(|day| &day.amounts).map(|x| i128::from(*x)).sum::<i128>()
    };
    let least = weeks.filter(|days| 0 < sum(days)).min_by_key(|days| sum(days))?;
    Some(least.iter().map(floats).collect())
}

/// Days from `first` on, without a gap.
fn days(meter: &Meter, first: i64, count: usize) -> Option<&[Day]> {
    let at = meter.days.partition_point(|day| day.number < first);
    let days = meter.days.get(at..at + count)?;
    let whole = days[0].number == first && days[count - 1].number - first == count as i64 - 1;
    whole.then_some(days)
}

fn floats(day: &Day) -> Vec<f64> {
    day.amounts.iter().map(|amount| *amount as f64).collect()
}

fn write(
    rows: &mut Rows,
    meter: &Meter,
    device: &str,
    first: i64,
    days: &[Vec<Option<f64>>],
    register: bool,
) {
    let mut standing = 0;
    for (day, number) in days.iter().zip(first..) {
        for (amount, step) in day.iter().zip(1_i64..) {
            let at = instant(number * DAY_S + step * meter.interval_s);
            let (Some(at), Some(amount)) = (at, amount) else {
                continue;
            };
            let amount = libm::round(*amount) as i64;
            standing = i64::saturating_add(standing, amount);
            let id = format!("{device}/{}", at.unix_ms() / 1000);
            let mut cells = common(&id);
            let known = METER_READINGS.columns.iter().map(|column| match column.name {
                "device" => Cell::text(device),
                "quantity" => Cell::text(&meter.quantity),
                "unit" => Cell::text(&meter.unit),
                "read_at" => Cell::Instant(at),
                "interval_s" => Cell::Integer(meter.interval_s),
                "amount" => Cell::Integer(amount),
                "scale_e10" => Cell::optional(meter.scale_e10, Cell::Integer),
                "statistic" => Cell::optional(meter.statistic.as_ref(), Cell::text),
                "register" if register => Cell::Integer(standing),
                _ => Cell::Null,
            });
            cells.extend(known);
            rows.push_whole(&METER_READINGS, cells);
        }
    }
}

fn topology(rows: &mut Rows, parent: &str, child: &str) {
    let mut cells = common(&format!("{parent}/{child}"));
    let known = METER_TOPOLOGY.columns.iter().map(|column| match column.name {
        "parent" => Cell::text(parent),
        "child" => Cell::text(child),
        "sign" => Cell::Integer(1),
        "complete" => Cell::Bool(true),
        _ => Cell::Null,
    });
    cells.extend(known);
    rows.push_whole(&METER_TOPOLOGY, cells);
}

fn common(id: &str) -> Vec<Cell> {
    let mut cells = vec![Cell::text(id)];
    cells.resize(COMMON.len(), Cell::Null);
    cells
}

fn instant(seconds: i64) -> Option<Timestamp> {
    let ms = u64::try_from(seconds).ok()?.checked_mul(1000)?;
    Timestamp::try_from_unix_ms(ms)
}
