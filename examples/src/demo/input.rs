//! What the demo runs on: the generated data, or files of the caller.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use hallmark_schemas::quantity::Quantity;
use hallmark_schemas::time::Timestamp;

use super::cli::Options;
use crate::generate::{self, Data, PRODUCER};

/// Headers of the column of instants that are understood, each the end of its interval.
const TIMES: [&str; 3] = ["read_at", "period_end", "time"];
/// Headers of the column of values, with their unit.
const VALUES: [(&str, &str); 4] =
    [("amount", "Wh"), ("usage_wh", "Wh"), ("usage_kwh", "kWh"), ("kwh", "kWh")];
/// What instants without offset are taken for.
const TIME_ZONE: &str = "+08:00";

/// Files and the truth about them.
#[derive(Debug)]
pub struct Input {
    /// The generated data, its report replaced where the meter is the caller's.
    pub data: Data,
    /// Folder with the files of [`Data::write`].
    pub folder: PathBuf,
    /// Readings.
    pub meter: PathBuf,
    /// How the agent reads them: a `[[source]]` table.
    pub source: String,
    /// EPCIS document.
    pub events: PathBuf,
    /// Rule families that may find something in the caller's files.
    pub open_families: Vec<&'static str>,
    /// Whether the events are the generated journey.
    is_own_journey: bool,
}

/// A file of the caller that the demo cannot run on: their mistake, not a fault of the demo.
#[derive(Debug)]
pub struct Unusable {
    file: PathBuf,
    help: &'static str,
}

impl Unusable {
    /// What the caller does about it.
    pub fn help(&self) -> &'static str {
        self.help
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{} cannot be used", self.file.display())
    }
}

impl Input {
    /// Reads the caller's files, so that a wrong one is told before anything is built or started.
    pub fn check(options: &Options) -> anyhow::Result<()> {
        if let Some(file) = &options.meter {
            let help = "--meter needs a CSV file with a header, a column of instants (read_at, \
                        period_end or time) and one of values (amount, usage_wh, usage_kwh or \
                        kwh), and two rows or more";
            let unusable = || Unusable { file: file.clone(), help };
            Readings::read_header(file).with_context(unusable)?;
            Readings::read(file).with_context(unusable)?;
        }
        if let Some(file) = &options.events {
            let help = "--events needs an EPCIS 2.0 document in JSON";
            let unusable = || Unusable { file: file.clone(), help };
            let bytes = std::fs::read(file).context("cannot read it").with_context(unusable)?;
            let read: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
            let document = read.context("it is no JSON").with_context(unusable)?;
            let kind = document.get("type").and_then(serde_json::Value::as_str);
            ensure_events(kind).with_context(unusable)?;
        }
        Ok(())
    }

    /// Generates, and puts the caller's files in place of the generated ones.
    pub fn new(options: &Options, folder: &Path) -> anyhow::Result<Input> {
        let mut data = generate::all(options.seed);
        let mut open_families = Vec::new();
        let mut meter = folder.join("meter.csv");
        if let Some(file) = &options.meter {
            let read = Readings::read(file)?;
            data.report.period = read.period;
            data.report.activity_wh = read.total_wh;
            let _ = generate::fraud::understate(&mut data.report);
            data.frauds.retain(|fraud| fraud.code != "MTR-005");
            open_families.push("MTR");
            meter = file.clone();
        }
        data.write(folder)?;
        let source = Readings::read_header(&meter)?;
        let mut events = folder.join("journey.json");
        if let Some(file) = &options.events {
            open_families.push("TRC");
            events = file.clone();
        }
        let folder = folder.to_owned();
        let is_own_journey = options.events.is_none();
        Ok(Input { data, folder, meter, source, events, open_families, is_own_journey })
    }

    /// Takes the serials of printed labels, and writes the files again.
    pub fn relabel(&mut self, serials: &[String]) -> anyhow::Result<()> {
        self.data.relabel(serials);
        Ok(self.data.write(&self.folder)?)
    }

    /// The serial of a flask that nobody copied: with its way to the shop, where that is told.
    pub fn honest(&self) -> &str {
        let bench = &self.data.bench;
        let earlier = bench.earlier().first().filter(|_| self.is_own_journey);
        earlier.map_or_else(|| bench.uncopied(), String::as_str)
    }
}

fn ensure_events(kind: Option<&str>) -> anyhow::Result<()> {
    let is_document = matches!(kind, Some("EPCISDocument" | "EPCISQueryDocument"));
    ensure!(is_document, "its `type` is {}, not EPCISDocument", kind.unwrap_or("absent"));
    Ok(())
}

/// What a file of readings says.
struct Readings {
    period: (Timestamp, Timestamp),
    total_wh: i64,
}

impl Readings {
    fn read_header(file: &Path) -> anyhow::Result<String> {
        let mut rows = reader(file)?;
        let columns = Columns::of(&rows.headers()?.clone(), file)?;
        let mut instants = Vec::new();
        for row in rows.records().take(2) {
            instants.push(columns.instant(&row?)?);
        }
        let &[first, second] = instants.as_slice() else {
            bail!("{} has fewer than two rows", file.display());
        };
        let interval_s = second.ms_since(first) / 1000;
        ensure!(0 < interval_s, "line 3: the second instant is not later than the first");
        let register = columns.register.as_ref();
        Ok(format!(
            "[[source]]\nprotocol = \"replay\"\nquantity = \"electricity\"\nunit = {:?}\n\
             time_column = {:?}\nvalue_column = {:?}\n{}interval = \"{interval_s}s\"\n\
             time_zone = \"{TIME_ZONE}\"\nclock_quality = \"synchronised\"\n",
            columns.value.2,
            columns.time.1,
            columns.value.1,
            register.map_or(String::new(), |name| format!("register_column = {name:?}\n")),
        ))
    }

    fn read(file: &Path) -> anyhow::Result<Readings> {
        let mut rows = reader(file)?;
        let header = rows.headers()?.clone();
        let (columns, stated) = (Columns::of(&header, file)?, Stated::of(&header));
        let mut total_wh = 0i64;
        let mut instants = Vec::new();
        for row in rows.records() {
            let row = row?;
            let line = row.position().map_or(0, csv::Position::line);
            let place = || format!("line {line}");
            stated.agree(&row).with_context(place)?;
            instants.push(columns.instant(&row).with_context(place)?);
            let amount = columns.watt_hours(&row).with_context(place)?;
            total_wh = total_wh.checked_add(amount).context("the sum is too large")?;
        }
        let (Some(&first), Some(&second), Some(&last)) =
            (instants.first(), instants.get(1), instants.last())
        else {
            bail!("{} has fewer than two rows", file.display());
        };
        let start = first.checked_add_ms(-second.ms_since(first)).context("before 1970")?;
        Ok(Readings { period: (start, last), total_wh })
    }
}

fn reader(file: &Path) -> anyhow::Result<csv::Reader<std::fs::File>> {
    csv::Reader::from_path(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Columns by which rows say whose they are; the demo's meter signs no other meter's readings.
struct Stated(Vec<(usize, &'static str, String)>);

impl Stated {
    fn of(header: &csv::StringRecord) -> Stated {
        let own = [
            ("device", generate::meter_device()),
            ("facility", format!("{}:works-1", PRODUCER.replacen(":org:", ":facility:", 1))),
            ("quantity", "electricity".to_owned()),
        ];
        let place = |name: &str| header.iter().position(|cell| cell == name);
        let found = own.into_iter().filter_map(|(name, own)| Some((place(name)?, name, own)));
        Stated(found.collect())
    }

    fn agree(&self, row: &csv::StringRecord) -> anyhow::Result<()> {
        for (at, name, own) in &self.0 {
            let cell = row.get(*at).unwrap_or_default();
            ensure!(
                cell == own,
                "column {name} says {cell:?}, the demo signs as {own:?}: leave that column out"
            );
        }
        Ok(())
    }
}

/// Where the columns are: index and name, the value's unit too.
struct Columns {
    time: (usize, &'static str),
    value: (usize, &'static str, &'static str),
    register: Option<String>,
    /// The column in which each row names its own unit.
    unit: Option<usize>,
}

impl Columns {
    fn of(header: &csv::StringRecord, file: &Path) -> anyhow::Result<Columns> {
        let place = |name: &str| header.iter().position(|cell| cell == name);
        let time = TIMES.iter().find_map(|name| Some((place(name)?, *name)));
        let value = VALUES.iter().find_map(|(name, unit)| Some((place(name)?, *name, *unit)));
        let (Some(time), Some(value)) = (time, value) else {
            bail!(
                "{}: needs a column {} and a column {}",
                file.display(),
                TIMES.join(" or "),
                VALUES.map(|(name, _)| name).join(" or ")
            );
        };
        // A register counts in the unit of the values.
        let register = place("register").map(|_| "register".to_owned());
        Ok(Columns { time, value, register, unit: place("unit") })
    }

    fn instant(&self, row: &csv::StringRecord) -> anyhow::Result<Timestamp> {
        let text = row.get(self.time.0).unwrap_or_default();
        let seconds = if text.len() == "2018-01-01T00:15".len() { ":00" } else { "" };
        Timestamp::parse(text)
            .or_else(|_| Timestamp::parse(&format!("{text}{seconds}{TIME_ZONE}")))
            .with_context(|| format!("no instant: {text}"))
    }

    fn watt_hours(&self, row: &csv::StringRecord) -> anyhow::Result<i64> {
        let text = row.get(self.value.0).unwrap_or_default();
        let quantity: Quantity = "electricity".parse().context("electricity is a quantity")?;
        // As the agent does: a unit that the row states goes before the one of the header.
        let unit = self.unit.and_then(|at| row.get(at)).map_or(self.value.2, str::trim);
        let amount = quantity.convert(text.trim(), unit).context("no amount")?;
        // Fractions of a watt-hour do not matter to a report that is 18 % off.
        Ok(amount.amount)
    }
}
