//! `--map FILE`: how tables of one's own become evidence tables.
//!
//! Invariants: a map says everything that is not in the file (columns, units, zone, encoding), the
//! program guesses none of it; an unknown key, table or column is refused by its name; zones are
//! those of the time zone database that the program carries, so that a machine's own does not matter.

use std::collections::BTreeMap;
use std::fmt;

use encoding_rs::Encoding;
use hallmark_schemas::table::{Column, ColumnType, Table};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::table_named;

/// Why a map cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MapError {
    /// Not TOML, or a key that no map has.
    #[error("{0}")]
    Toml(String),
    /// A table that does not exist.
    #[error("there is no table `{name}`{}", .near.map_or(String::new(), |near| format!("; the nearest is `{near}`")))]
    Table {
        /// As written.
        name: String,
        /// The nearest.
        near: Option<&'static str>,
    },
    /// A key of a table that cannot be so.
    #[error("[{table}] {key}: {problem}")]
    Key {
        /// The table.
        table: &'static str,
        /// The key.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// The maps of a file, by table.
#[derive(Clone, Debug, Default)]
pub struct Map(BTreeMap<&'static str, TableMap>);

/// How one table is read.
#[derive(Clone, Debug)]
pub struct TableMap {
    /// Of instants without an offset.
    pub zone: Option<TimeZone>,
    /// Of a text file that is not UTF-8.
    pub encoding: Option<&'static Encoding>,
    /// What separates the cells of a text file.
    pub separator: u8,
    /// Of a workbook; the first one without it.
    pub sheet: Option<String>,
    /// The line with the names of the columns, from 1.
    pub header_line: u64,
    /// Where the columns of the table come from; the others from their own names.
    pub columns: BTreeMap<&'static str, From>,
}

impl Default for TableMap {
    fn default() -> TableMap {
        TableMap {
            zone: None,
            encoding: None,
            separator: b',',
            sheet: None,
            header_line: 1,
            columns: BTreeMap::new(),
        }
    }
}

/// Where a column comes from.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// The column of the file.
    pub column: Option<String>,
    /// The same text in every row.
    pub value: Option<String>,
    /// Of an instant: how it is written, in the signs of strftime.
    pub format: Option<String>,
    /// Of `read_at`: the file names the beginning of the interval.
    #[serde(default)]
    pub begins: bool,
    /// Of an amount: the unit that it is in.
    pub unit: Option<String>,
    /// Of an amount: the column that names the unit.
    pub unit_column: Option<String>,
    /// Of an amount: what is smaller than the base unit is rounded; the text is kept.
    #[serde(default)]
    pub round: bool,
}

impl From {
    /// Whether amounts are converted to the base unit.
    pub fn is_converted(&self) -> bool {
        self.unit.is_some() || self.unit_column.is_some()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    zone: Option<String>,
    encoding: Option<String>,
    separator: Option<String>,
    sheet: Option<String>,
    header_line: Option<u64>,
    #[serde(default)]
    columns: BTreeMap<String, NameOrFrom>,
}

/// `device = "Meter no"` for `device = { column = "Meter no" }`.
struct NameOrFrom(From);

impl<'de> Deserialize<'de> for NameOrFrom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NameOrFrom, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = NameOrFrom;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a column, or { column = …, unit = … }")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<NameOrFrom, E> {
                Ok(NameOrFrom(From { column: Some(name.to_owned()), ..From::default() }))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<NameOrFrom, M::Error> {
                From::deserialize(MapAccessDeserializer::new(map)).map(NameOrFrom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Map {
    /// Reads a map.
    pub fn parse(text: &str) -> Result<Map, MapError> {
        let written: BTreeMap<String, Written> =
            toml::from_str(text).map_err(|error| MapError::Toml(error.to_string()))?;
        let mut tables = BTreeMap::new();
        for (name, written) in written {
            let table = table_named(&name).map_err(|near| MapError::Table { name, near })?;
            tables.insert(table.name, TableMap::new(table, written)?);
        }
        Ok(Map(tables))
    }

    /// How this table is read; as it stands where the map does not name it.
    pub fn of(&self, table: &Table) -> TableMap {
        self.0.get(table.name).cloned().unwrap_or_default()
    }
}

impl TableMap {
    fn new(table: &'static Table, written: Written) -> Result<TableMap, MapError> {
        let fail = |key: &str, problem: String| {
            Err(MapError::Key { table: table.name, key: key.to_owned(), problem })
        };
        let mut map = TableMap { sheet: written.sheet, ..TableMap::default() };
        if let Some(name) = written.zone {
            map.zone = match zone(&name) {
                Some(zone) => Some(zone),
                None => {
                    return fail(
                        "zone",
                        format!(
                            "`{name}` is neither an offset such as +08:00 nor a zone such as Asia/Shanghai"
                        ),
                    );
                }
            };
        }
        if let Some(name) = written.encoding {
            map.encoding = match Encoding::for_label(name.as_bytes()) {
                Some(encoding) => Some(encoding),
                None => {
                    return fail(
                        "encoding",
                        format!("`{name}` is no encoding such as gb18030 or utf-8"),
                    );
                }
            };
        }
        if let Some(text) = written.separator {
            map.separator = match text.as_bytes() {
                [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'"' => {
                    *byte
                }
                _ => {
                    return fail("separator", format!("{text:?} is not one sign such as ; or \\t"));
                }
            };
        }
        match written.header_line {
            Some(0) => return fail("header_line", "lines are counted from 1".to_owned()),
            Some(line) => map.header_line = line,
            None => {}
        }
        for (name, NameOrFrom(from)) in written.columns {
            let key = format!("columns.{name}");
            let Some(column) = table.all_columns().find(|column| column.name == name) else {
                return fail(
                    &key,
                    format!(
                        "the table has no such column; `hallmark-verify tables {}` lists them",
                        table.name
                    ),
                );
            };
            if let Some(problem) = problem(column, &from) {
                return fail(&key, problem.to_owned());
            }
            map.columns.insert(column.name, from);
        }
        Ok(map)
    }
}

/// Why a column cannot come from there.
fn problem(column: &Column, from: &From) -> Option<&'static str> {
    let (is_instant, is_integer) =
        (column.kind == ColumnType::Instant, column.kind == ColumnType::Integer);
    match from {
        From { column: Some(_), value: Some(_), .. } => Some("give `column` or `value`, not both"),
        From { column: None, value: None, .. } => Some("give `column` or `value`"),
        From { format: Some(_), .. } if !is_instant => Some("`format` is of instants"),
        From { begins: true, .. } if column.name != "read_at" => Some("`begins` is of read_at"),
        From { unit: Some(_), unit_column: Some(_), .. } => {
            Some("give `unit` or `unit_column`, not both")
        }
        one if one.is_converted() && !(is_integer && column.name == "amount") => {
            Some("units are of the column amount")
        }
        one if one.round && !one.is_converted() => Some("`round` needs a unit to convert from"),
        _ => None,
    }
}

/// `+08:00`, `UTC` or a name of the time zone database.
fn zone(name: &str) -> Option<TimeZone> {
    if let [sign @ (b'+' | b'-'), ..] = name.as_bytes() {
        let (hours, minutes) = name[1..].split_once(':')?;
        let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(hours) || !digits(minutes) {
            return None;
        }
        let seconds = hours.parse::<i32>().ok()? * 3_600 + minutes.parse::<i32>().ok()? * 60;
        let seconds = if *sign == b'-' { -seconds } else { seconds };
        return Offset::from_seconds(seconds).ok().map(TimeZone::fixed);
    }
    TimeZoneDatabase::bundled().get(name).ok()
}

/// A local time that its zone has not once and only once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotOnce {
    /// The clocks were put forward over it.
    Never,
    /// The clocks were put back over it.
    Twice,
}

/// The Unix time of a local time, ms.
pub fn unix_ms(local: DateTime, zone: &TimeZone) -> Result<i64, NotOnce> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } => {}
        AmbiguousOffset::Gap { .. } => return Err(NotOnce::Never),
        AmbiguousOffset::Fold { .. } => return Err(NotOnce::Twice),
    }
    ambiguous.compatible().map(|at| at.as_millisecond()).map_err(|_| NotOnce::Never)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Map::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn a_map_that_cannot_be_meant_is_refused_by_its_key() {
        for (text, wanted) in [
            ("[meter_reading]", "the nearest is `meter_readings`"),
            ("[meter_readings]\nzome = \"+08:00\"", "zome"),
            ("[meter_readings]\nzone = \"+8\"", "zone: `+8`"),
            ("[meter_readings]\nzone = \"Mars/Base\"", "Asia/Shanghai"),
            ("[meter_readings]\nencoding = \"morse\"", "gb18030"),
            ("[meter_readings]\nseparator = \"ab\"", "not one sign"),
            ("[meter_readings]\nheader_line = 0", "counted from 1"),
            ("[meter_readings.columns]\nspeed = \"v\"", "no such column"),
            ("[meter_readings.columns]\ndevice = 3", "the name of a column"),
            ("[meter_readings.columns]\ndevice = { colum = \"v\" }", "colum"),
            ("[meter_readings.columns]\ndevice = {}", "give `column` or `value`"),
            (
                "[meter_readings.columns]\ndevice = { column = \"v\", unit = \"kWh\" }",
                "of the column amount",
            ),
            ("[meter_readings.columns]\namount = { column = \"v\", round = true }", "needs a unit"),
            (
                "[meter_readings.columns]\namount = { column = \"v\", format = \"%Y\" }",
                "of instants",
            ),
        ] {
            let said = refused(text);
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }

    #[test]
    fn local_times_are_taken_where_their_zone_has_them_once() {
        let at = |text: &str, name: &str| {
            unix_ms(text.parse().expect("a local time"), &zone(name).expect(name))
        };
        assert_eq!(at("2026-03-01T08:00:00", "+08:00"), Ok(1_772_323_200_000));
        assert_eq!(at("2026-03-01T08:00:00", "Asia/Shanghai"), Ok(1_772_323_200_000));
        assert_eq!(at("2026-03-01T00:00:00", "UTC"), Ok(1_772_323_200_000));
        assert_eq!(at("2026-02-28T18:30:00", "-05:30"), Ok(1_772_323_200_000));
        assert_eq!(at("2026-03-29T02:30:00", "Europe/Berlin"), Err(NotOnce::Never));
        assert_eq!(at("2026-10-25T02:30:00", "Europe/Berlin"), Err(NotOnce::Twice));
    }
}
