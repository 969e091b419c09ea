//! Blocks `series <table>` of a page of cases: many readings in a few lines.
//!
//! The block is a CSV whose `amount` holds all amounts of a meter, separated by spaces (in quotes,
//! over as many lines as one likes): the first is read at `read_at`, each other one `interval_s`
//! after the one before.

use hallmark_schemas::time::Timestamp;

/// The same rows, one amount each, as the text of a block `csv <table>`.
pub(super) fn expand(text: &str) -> Result<String, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| error.to_string())?.clone();
    let place = |name: &str| {
        let found = headers.iter().position(|header| header == name);
        found.ok_or_else(|| format!("a block `series` has a column {name}"))
    };
    let (read_at, interval_s, amount) = (place("read_at")?, place("interval_s")?, place("amount")?);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&headers).map_err(|error| error.to_string())?;
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let first = Timestamp::parse(&record[read_at]).map_err(|error| error.to_string())?;
        let interval_s: i64 = record[interval_s]
            .parse()
            .map_err(|_| format!("{:?} is no number of seconds", &record[interval_s]))?;
        for (step, value) in record[amount].split_whitespace().enumerate() {
            let ms = i64::try_from(step).ok().and_then(|step| step.checked_mul(interval_s * 1000));
            let at =
                ms.and_then(|ms| first.checked_add_ms(ms)).ok_or("an instant after time's end")?;
            let at = at.to_string();
            let fields = record.iter().enumerate().map(|(place, field)| match place {
                _ if place == read_at => at.as_str(),
                _ if place == amount => value,
                _ => field,
            });
            writer.write_record(fields).map_err(|error| error.to_string())?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn amounts_become_rows_an_interval_apart() {
        let block =
            "device,read_at,interval_s,amount\nm,2026-03-01T00:15:00+08:00,900,\"5 7\n-1\"\n";
        let rows = "device,read_at,interval_s,amount\n\
            m,2026-02-28T16:15:00Z,900,5\nm,2026-02-28T16:30:00Z,900,7\nm,2026-02-28T16:45:00Z,900,-1\n";
        assert_eq!(expand(block).as_deref(), Ok(rows));
        assert!(expand("device,amount\nm,5\n").unwrap_err().contains("read_at"));
        assert!(expand("read_at,interval_s,amount\nnow,900,5\n").is_err());
    }
}
