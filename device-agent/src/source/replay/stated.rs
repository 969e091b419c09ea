//! Columns in which a file says itself what it holds: the names of the table `meter_readings`.
//!
//! Invariants: what a row states is what is signed, or the row is refused; a unit that the quantity
//! knows is converted, never taken for another; a cell that is empty states nothing only where the
//! table allows it, which is the facility.

use csv::ByteRecord;
use hallmark_schemas::id::{DeviceId, FacilityId};

use crate::config::source::ReplayConfig;
use crate::failure::Failure;

/// Longest cell that is compared: a device URI has at most 130 bytes.
const CELL_BYTES_MAX: usize = 160;

/// Who signs what a file holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Instrument {
    /// The device of config.toml.
    pub device: DeviceId,
    /// Where it stands, by its enrolment; a column `facility` is ignored where that is not known.
    pub facility: Option<FacilityId>,
}

/// Where these columns stand in a file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stated {
    device: Option<usize>,
    facility: Option<usize>,
    quantity: Option<usize>,
    unit: Option<usize>,
    interval_s: Option<usize>,
}

impl Stated {
    /// Columns that config.toml maps to something else are left to it.
    pub(super) fn find(
        header: &ByteRecord,
        instrument: &Instrument,
        is_mapped: impl Fn(usize) -> bool,
    ) -> Result<Stated, Failure> {
        let column = |name: &str| {
            let is_named = |cell: &[u8]| text(cell).is_some_and(|t| t.eq_ignore_ascii_case(name));
            let found =
                header.iter().enumerate().filter(|(at, cell)| !is_mapped(*at) && is_named(cell));
            let mut found = found.map(|(at, _)| at);
            match (found.next(), found.next()) {
                (at, None) => Ok(at),
                (_, Some(_)) => {
                    Err(Failure::input(format!("line 1: two columns are called {name:?}"))
                        .help("rename one of them"))
                }
            }
        };
        Ok(Stated {
            device: column("device")?,
            facility: column("facility")?.filter(|_| instrument.facility.is_some()),
            quantity: column("quantity")?,
            unit: column("unit")?,
            interval_s: column("interval_s")?,
        })
    }

    pub(super) fn is_compared(&self, at: usize) -> bool {
        [self.device, self.facility, self.quantity, self.unit, self.interval_s].contains(&Some(at))
    }

    /// The unit of the row's values, once all that it states agrees with the source.
    pub(super) fn check<'a>(
        &self,
        config: &'a ReplayConfig,
        instrument: &Instrument,
        header: &ByteRecord,
        row: &'a ByteRecord,
    ) -> Result<&'a str, String> {
        let cell = |at: usize| {
            let name = header.get(at).and_then(text).unwrap_or_default();
            let place = format!("column {} ({name})", at + 1);
            match text(row.get(at).unwrap_or_default()) {
                Some(text) => Ok((text, place)),
                None => Err(format!("{place}: not UTF-8, or longer than {CELL_BYTES_MAX} bytes")),
            }
        };
        let agree = |at: Option<usize>, own: &str, source: &str| {
            let Some((stated, place)) = at.map(cell).transpose()? else { return Ok(()) };
            if stated == own {
                return Ok(());
            }
            Err(format!("{place}: the row says {stated:?}, {source} {own:?}"))
        };
        agree(self.device, &instrument.device.to_string(), "the device that signs is")?;
        agree(self.quantity, config.quantity.name(), "the source measures")?;
        agree(self.interval_s, &config.interval_s.to_string(), "the source's `interval` in s is")?;
        let facility = self.facility.zip(instrument.facility.as_ref());
        if let Some((at, own)) = facility
            && !cell(at)?.0.is_empty()
        {
            agree(Some(at), &own.to_string(), "the device is enrolled at")?;
        }
        let Some((unit, place)) = self.unit.map(cell).transpose()? else {
            return Ok(&config.unit);
        };
        // The source's own unit goes in and out of the check like any other.
        config.quantity.convert("0", unit).map_err(|error| {
            format!("{place}: the row says {unit:?}, the source {:?}: {error}", config.unit)
        })?;
        Ok(unit)
    }
}

fn text(cell: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(cell).ok()?.trim_start_matches('\u{feff}').trim();
    (text.len() <= CELL_BYTES_MAX).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{config, instrument};
    use super::super::{Sample, read};

    const DEVICE: &str = "urn:hallmark:device:lei:529900T8BM49AURSDO55:m-7";
    const FACILITY: &str = "urn:hallmark:facility:lei:529900T8BM49AURSDO55:mill";

    fn rows(rows: &str) -> Result<Vec<Sample>, String> {
        let head = "device,facility,quantity,unit,period_end,interval_s,usage_kwh,other";
        let text = format!("{head}\n{rows}\n");
        read(&config(), &instrument(), text.as_bytes()).map_err(|failure| failure.lines())
    }

    #[test]
    fn a_row_that_states_what_the_source_is_is_taken_in_the_unit_that_it_states() {
        for (unit, source_amount, amount) in [("kWh", "3", 3_000), ("MWh", "3", 3_000_000)] {
            let row = format!(
                "{DEVICE},{FACILITY},electricity,{unit},2018-01-01T00:15,900,{source_amount},x"
            );
            let samples = rows(&row).unwrap();
            assert_eq!(samples[0].amount, amount);
            assert_eq!(samples[0].source_amount.as_deref(), Some(source_amount));
            assert_eq!(samples[0].source_unit.as_deref(), Some(unit));
        }
        let samples = rows(&format!("{DEVICE},,electricity,Wh,2018-01-01T00:15,900,3,")).unwrap();
        assert_eq!((samples[0].amount, samples[0].source_unit.as_deref()), (3, None));
    }

    #[test]
    fn a_row_of_another_meter_place_quantity_unit_or_interval_is_never_taken() {
        let good = [DEVICE, FACILITY, "electricity", "kWh", "2018-01-01T00:15", "900", "3", "x"];
        for (at, wrong, words) in [
            (0, "urn:hallmark:device:lei:529900T8BM49AURSDO55:m-8", "line 3, column 1 (device): "),
            (0, "", "column 1 (device): the row says \"\""),
            (1, "urn:hallmark:facility:lei:529900T8BM49AURSDO55:hall", "column 2 (facility): "),
            (2, "water", "the row says \"water\", the source measures \"electricity\""),
            (3, "m3", "the row says \"m3\", the source \"kWh\": "),
            (3, "", "column 4 (unit): "),
            (5, "3600", "the row says \"3600\", the source's `interval` in s is \"900\""),
        ] {
            let mut row = good;
            row[at] = wrong;
            let told = rows(&format!("{}\n{}", good.join(","), row.join(","))).unwrap_err();
            assert!(told.contains("none was taken") && told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn a_column_that_is_stated_twice_is_refused() {
        let text = "unit,period_end,usage_kwh,Unit\nkWh,2018-01-01T00:15,3,MWh\n";
        let told = read(&config(), &instrument(), text.as_bytes()).unwrap_err().lines();
        assert!(told.contains("two columns are called \"unit\""), "{told}");
    }
}
