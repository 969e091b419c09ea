//! One `[[source]]` table each: what an instrument is, and how its data is read.

use std::time::Duration;

use hallmark_schemas::kind::readings::{ClockQuality, INTERVAL_S_MAX, Statistic};
use hallmark_schemas::quantity::Quantity;
use serde::Deserialize;

use super::ConfigFault;

/// A configured source.
#[derive(Clone, Debug)]
pub enum SourceConfig {
    /// Lines of a barcode reader on standard input.
    Stdin(StdinConfig),
    /// Rows of a CSV file of readings.
    Replay(Box<ReplayConfig>),
}

impl SourceConfig {
    /// The name by which commands pick it.
    pub fn name(&self) -> &str {
        match self {
            SourceConfig::Stdin(config) => &config.name,
            SourceConfig::Replay(config) => &config.name,
        }
    }
}

/// A bench with a barcode reader.
#[derive(Clone, Debug)]
pub struct StdinConfig {
    /// The name by which commands pick it.
    pub name: String,
    /// The work flow at the start, until a control code picks another.
    pub mode: Option<String>,
    /// What control codes begin with.
    pub control_prefix: String,
    /// Where the reader is, a URI: each event's readPoint.
    pub read_point: String,
    /// Where goods are after the event, a URI: each event's bizLocation.
    pub biz_location: Option<String>,
    /// Local time, minutes ahead of UTC: each event's eventTimeZoneOffset.
    pub utc_offset_min: i32,
    /// How long a repeated scan counts as the same one.
    pub duplicate_window: Duration,
}

/// How a CSV file of readings is read.
#[derive(Clone, Debug)]
pub struct ReplayConfig {
    /// The name by which commands pick it.
    pub name: String,
    /// What is measured.
    pub quantity: Quantity,
    /// The unit of the value and register columns.
    pub unit: String,
    /// Header of the column of instants.
    pub time_column: String,
    /// Header of the column of values.
    pub value_column: String,
    /// Header of the column of register standings.
    pub register_column: Option<String>,
    /// Header of the column of quality flags.
    pub quality_column: Option<String>,
    /// Pattern of instants, in strftime's letters. Without: ISO 8601.
    pub time_format: Option<String>,
    /// Local time, minutes ahead of UTC, of instants without offset.
    pub utc_offset_min: Option<i32>,
    /// Whether instants are the start of their interval.
    pub time_is_start: bool,
    /// Seconds that a row covers.
    pub interval_s: u32,
    /// How a row sums up its interval.
    pub statistic: Option<Statistic>,
    /// What is known about the clock.
    pub clock_quality: ClockQuality,
    /// What separates cells.
    pub delimiter: u8,
}

/// One table as written; which keys belong to which protocol is checked after.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    name: Option<String>,
    protocol: Protocol,
    mode: Option<String>,
    control_prefix: Option<String>,
    read_point: Option<String>,
    biz_location: Option<String>,
    time_zone: Option<String>,
    #[serde(default, with = "humantime_serde::option")]
    duplicate_window: Option<Duration>,
    quantity: Option<Quantity>,
    unit: Option<String>,
    time_column: Option<String>,
    value_column: Option<String>,
    register_column: Option<String>,
    quality_column: Option<String>,
    time_format: Option<String>,
    time_is: Option<Edge>,
    #[serde(default, with = "humantime_serde::option")]
    interval: Option<Duration>,
    statistic: Option<Statistic>,
    clock_quality: Option<ClockQuality>,
    delimiter: Option<char>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    Stdin,
    Replay,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Edge {
    Start,
    End,
}

pub(super) fn parse_all(raw: Vec<RawSource>) -> Result<Vec<SourceConfig>, ConfigFault> {
    let mut sources: Vec<SourceConfig> = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let source = parse(raw, index + 1)?;
        if sources.iter().any(|other| other.name() == source.name()) {
            return Err(ConfigFault {
                reason: format!("two sources are called {:?}", source.name()),
                help: "give each [[source]] its own name".to_owned(),
            });
        }
        sources.push(source);
    }
    Ok(sources)
}

fn parse(raw: RawSource, number: usize) -> Result<SourceConfig, ConfigFault> {
    let name = raw.name.clone().unwrap_or_else(|| format!("source-{number}"));
    raw.check_keys(&name)?;
    match raw.protocol {
        Protocol::Stdin => stdin(raw, name).map(SourceConfig::Stdin),
        Protocol::Replay => replay(raw, name).map(|replay| SourceConfig::Replay(Box::new(replay))),
    }
}

fn stdin(raw: RawSource, name: String) -> Result<StdinConfig, ConfigFault> {
    let utc_offset_min =
        required(&name, "time_zone", raw.time_zone).and_then(|text| parse_offset(&name, &text))?;
    Ok(StdinConfig {
        read_point: uri(&name, "read_point", required(&name, "read_point", raw.read_point)?)?,
        biz_location: raw.biz_location.map(|text| uri(&name, "biz_location", text)).transpose()?,
        mode: raw.mode,
        control_prefix: raw.control_prefix.unwrap_or_else(|| "mode:".to_owned()),
        utc_offset_min,
        duplicate_window: raw.duplicate_window.unwrap_or(Duration::from_secs(600)),
        name,
    })
}

fn replay(raw: RawSource, name: String) -> Result<ReplayConfig, ConfigFault> {
    let quantity = required(&name, "quantity", raw.quantity)?;
    let unit = raw.unit.unwrap_or_else(|| quantity.unit().to_owned());
    quantity.convert("0", &unit).map_err(|error| fault(&name, "unit", &error))?;
    let interval = required(&name, "interval", raw.interval)?;
    let interval_s = u32::try_from(interval.as_secs()).ok();
    let in_range = |s: &u32| i64::from(*s) <= INTERVAL_S_MAX && interval.subsec_nanos() == 0;
    let interval_s = interval_s
        .filter(in_range)
        .ok_or_else(|| fault(&name, "interval", &"expected whole seconds, at most 366 days"))?;
    let utc_offset_min = raw.time_zone.map(|text| parse_offset(&name, &text)).transpose()?;
    let delimiter = raw.delimiter.unwrap_or(',');
    let delimiter = u8::try_from(delimiter)
        .ok()
        .filter(|byte| matches!(byte, b',' | b';' | b'\t' | b'|'))
        .ok_or_else(|| fault(&name, "delimiter", &"expected one of , ; | or a tab"))?;
    Ok(ReplayConfig {
        quantity,
        unit,
        time_column: required(&name, "time_column", raw.time_column)?,
        value_column: required(&name, "value_column", raw.value_column)?,
        register_column: raw.register_column,
        quality_column: raw.quality_column,
        time_format: raw.time_format,
        utc_offset_min,
        time_is_start: raw.time_is == Some(Edge::Start),
        interval_s,
        statistic: raw.statistic,
        clock_quality: raw.clock_quality.unwrap_or(ClockQuality::Unsynchronised),
        delimiter,
        name,
    })
}

impl RawSource {
    /// Refuses keys that mean nothing to the protocol.
    fn check_keys(&self, name: &str) -> Result<(), ConfigFault> {
        let stdin = [
            ("mode", self.mode.is_some()),
            ("control_prefix", self.control_prefix.is_some()),
            ("read_point", self.read_point.is_some()),
            ("biz_location", self.biz_location.is_some()),
            ("duplicate_window", self.duplicate_window.is_some()),
        ];
        let replay = [
            ("quantity", self.quantity.is_some()),
            ("unit", self.unit.is_some()),
            ("time_column", self.time_column.is_some()),
            ("value_column", self.value_column.is_some()),
            ("register_column", self.register_column.is_some()),
            ("quality_column", self.quality_column.is_some()),
            ("time_format", self.time_format.is_some()),
            ("time_is", self.time_is.is_some()),
            ("interval", self.interval.is_some()),
            ("statistic", self.statistic.is_some()),
            ("clock_quality", self.clock_quality.is_some()),
            ("delimiter", self.delimiter.is_some()),
        ];
        let foreign: &[(&str, bool)] = match self.protocol {
            Protocol::Stdin => &replay,
            Protocol::Replay => &stdin,
        };
        match foreign.iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => Err(fault(name, key, &"means nothing to this protocol")),
            None => Ok(()),
        }
    }
}

fn fault(name: &str, key: &str, error: &dyn std::fmt::Display) -> ConfigFault {
    ConfigFault {
        reason: format!("source {name:?}, {key}: {error}"),
        help: format!("correct `{key}` in that [[source]]"),
    }
}

fn required<T>(name: &str, key: &str, value: Option<T>) -> Result<T, ConfigFault> {
    value.ok_or_else(|| ConfigFault {
        reason: format!("source {name:?} has no `{key}`"),
        help: format!("add `{key}` to that [[source]]"),
    })
}

/// A URI of EPCIS: a scheme, a colon, and something after it.
fn uri(name: &str, key: &str, text: String) -> Result<String, ConfigFault> {
    let scheme = text.split(':').next().unwrap_or_default();
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let is_whole = scheme.len() + 1 < text.len() && text.chars().all(|c| c.is_ascii_graphic());
    if is_scheme && is_whole {
        Ok(text)
    } else {
        Err(fault(name, key, &"expected a URI, such as https://id.gs1.org/414/9506000134352"))
    }
}

/// `Z`, `UTC` or `±hh:mm`, as minutes ahead of UTC.
fn parse_offset(name: &str, text: &str) -> Result<i32, ConfigFault> {
    let wrong = || fault(name, "time_zone", &"expected Z, UTC or an offset such as +08:00");
    if matches!(text, "Z" | "UTC") {
        return Ok(0);
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wrong()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
    let number =
        |digits: &str| match digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit()) {
            true => digits.parse::<i32>().ok(),
            false => None,
        };
    match (number(hours), number(minutes)) {
        (Some(hours), Some(minutes)) if minutes < 60 && hours * 60 + minutes <= 14 * 60 => {
            Ok(sign * (hours * 60 + minutes))
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn parse_source(text: &str) -> Result<SourceConfig, ConfigFault> {
        let device = "device = \"urn:hallmark:device:lei:529900T8BM49AURSDO55:m-7\"\n[[source]]\n";
        Config::parse(&format!("{device}{text}")).map(|mut config| config.sources.remove(0))
    }

    const REPLAY: &str = "protocol = \"replay\"\nquantity = \"electricity\"\nunit = \"kWh\"\n\
        time_column = \"t\"\nvalue_column = \"v\"\ninterval = \"15min\"\n";

    #[test]
    fn a_source_is_read_with_its_units_and_offset() {
        let Ok(SourceConfig::Replay(replay)) =
            parse_source(&format!("{REPLAY}time_zone = \"+09:00\"\n"))
        else {
            panic!("no replay");
        };
        assert_eq!((replay.interval_s, replay.utc_offset_min), (900, Some(540)));
        let text = "protocol = \"stdin\"\nread_point = \"urn:x:y\"\ntime_zone = \"-03:30\"\n";
        let Ok(SourceConfig::Stdin(stdin)) = parse_source(text) else { panic!("no stdin") };
        assert_eq!((stdin.utc_offset_min, stdin.control_prefix.as_str()), (-210, "mode:"));
    }

    #[test]
    fn what_a_source_lacks_or_cannot_use_is_named() {
        for (text, words) in [
            ("protocol = \"stdin\"\ntime_zone = \"Z\"\n", "no `read_point`"),
            ("protocol = \"stdin\"\nread_point = \"urn:x:y\"\n", "no `time_zone`"),
            ("protocol = \"stdin\"\nread_point = \"here\"\ntime_zone = \"Z\"\n", "read_point"),
            ("protocol = \"modbus\"\n", "unknown variant"),
            (&format!("{REPLAY}time_zone = \"CST\"\n"), "time_zone"),
            (&format!("{REPLAY}time_zone = \"+14:30\"\n"), "time_zone"),
            (&format!("{REPLAY}read_point = \"urn:x:y\"\n"), "means nothing"),
            (&REPLAY.replace("kWh", "kg"), "not measured in"),
            (&REPLAY.replace("electricity", "electric"), "electricity"),
            (&REPLAY.replace("15min", "400days"), "interval"),
        ] {
            let fault = parse_source(text).unwrap_err();
            assert!(fault.reason.contains(words), "{fault:?}");
        }
    }
}
