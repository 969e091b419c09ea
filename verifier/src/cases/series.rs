//! Blocks `series <table>` of a page of cases: many readings in a few lines.
//!
//! The block is a CSV whose `amount` holds all amounts of a meter, separated by spaces (in quotes,
//! over as many lines as one likes): the first is read at `read_at`, each other one `interval_s`
//! after the one before. `60( 5 7 )` stands for 5 and 7 sixty times.

use hallmark_schemas::time::Timestamp;

/// Most amounts of a meter: eleven years of hours.
const AMOUNTS_MAX: usize = 100_000;

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
        for (step, value) in amounts(&record[amount])?.into_iter().enumerate() {
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

/// The amounts, what is to be repeated written out.
fn amounts(text: &str) -> Result<Vec<&str>, String> {
    let mut all: Vec<&str> = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    for word in text.split_whitespace() {
        match (word.strip_suffix('('), open) {
            (Some(times), None) => {
                let times = times.parse().map_err(|_| format!("{word:?} repeats nothing"))?;
                open = Some((all.len(), times));
            }
            (None, Some((from, times))) if word == ")" => {
                let part = all.split_off(from);
                if AMOUNTS_MAX < all.len() + part.len().saturating_mul(times) {
                    return Err(format!("a meter has at most {AMOUNTS_MAX} amounts"));
                }
                (0..times).for_each(|_| all.extend(&part));
                open = None;
            }
            (Some(_), Some(_)) => return Err("a repetition within a repetition".to_owned()),
            (None, _) => all.push(word),
        }
    }
    if open.is_some() { Err("a repetition has no end".to_owned()) } else { Ok(all) }
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
        let repeated = "device,read_at,interval_s,amount\n\
            m,2026-02-28T16:15:00Z,900,1( 5 ) 1( 7 -1 )\n";
        assert_eq!(expand(repeated).as_deref(), Ok(rows));
        for wrong in ["2( 5", "x( 5 )", "1( 2( 5 ) )", "999999( 5 )"] {
            let text = format!("read_at,interval_s,amount\n2026-02-28T16:15:00Z,900,{wrong}\n");
            assert!(expand(&text).is_err(), "{wrong}");
        }
        assert!(expand("device,amount\nm,5\n").unwrap_err().contains("read_at"));
        assert!(expand("read_at,interval_s,amount\nnow,900,5\n").is_err());
    }
}
