//! Instants of a CSV file: RFC 3339, local times with the configured offset, or a named pattern.

use hallmark_schemas::time::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;

use super::end_of;
use crate::config::source::ReplayConfig;

/// The end of the interval that a cell names.
pub fn parse(config: &ReplayConfig, text: &str) -> Result<Timestamp, String> {
    let at = match &config.time_format {
        Some(format) => parse_format(config, format, text)?,
        None => parse_iso(config, text)?,
    };
    if config.time_is_start {
        end_of(at, config.interval_s).ok_or_else(|| format!("{text:?} is after the year 9999"))
    } else {
        Ok(at)
    }
}

/// ISO 8601 in its plain form, with or without seconds and offset.
fn parse_iso(config: &ReplayConfig, text: &str) -> Result<Timestamp, String> {
    let time = text.get(11..).unwrap_or_default();
    if time.contains(['Z', 'z', '+', '-']) {
        return Timestamp::parse(text).map_err(|error| error.to_string());
    }
    let is_shaped = text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 => matches!(byte, b'T' | b' '),
        13 | 16 => byte == b':',
        19 => byte == b'.',
        _ => byte.is_ascii_digit(),
    });
    if !is_shaped || text.len() < 16 {
        return Err(format!("{text:?} is no instant such as 2026-03-01T08:15 or …08:15:00+08:00"));
    }
    let civil = text.parse::<DateTime>().map_err(|error| format!("{text:?}: {error}"))?;
    local(config, civil, text)
}

fn parse_format(config: &ReplayConfig, format: &str, text: &str) -> Result<Timestamp, String> {
    let parts = strtime::parse(format, text)
        .map_err(|error| format!("{text:?} is not of the form {format:?}: {error}"))?;
    let civil = parts.to_datetime().map_err(|error| format!("{text:?}: {error}"))?;
    match parts.offset() {
        Some(offset) => instant(civil, i64::from(offset.seconds()), text),
        None => local(config, civil, text),
    }
}

fn local(config: &ReplayConfig, civil: DateTime, text: &str) -> Result<Timestamp, String> {
    let offset_min = config.utc_offset_min.ok_or_else(|| {
        format!("{text:?} has no offset: add `time_zone = \"+08:00\"` to the [[source]]")
    })?;
    instant(civil, i64::from(offset_min) * 60, text)
}

fn instant(civil: DateTime, offset_s: i64, text: &str) -> Result<Timestamp, String> {
    let since = civil.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    let ms = since.as_millis() - i128::from(offset_s) * 1000;
    u64::try_from(ms)
        .ok()
        .and_then(Timestamp::try_from_unix_ms)
        .ok_or_else(|| format!("{text:?} is outside 1970 to 9999"))
}
