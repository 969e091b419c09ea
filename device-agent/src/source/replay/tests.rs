use hallmark_schemas::kind::readings::ClockQuality;

use super::*;

pub(super) fn instrument() -> Instrument {
    Instrument {
        device: "urn:hallmark:device:lei:529900T8BM49AURSDO55:m-7".parse().unwrap(),
        facility: "urn:hallmark:facility:lei:529900T8BM49AURSDO55:mill".parse().ok(),
    }
}

pub(super) fn config() -> ReplayConfig {
    ReplayConfig {
        name: "meter".to_owned(),
        quantity: "electricity".parse().unwrap(),
        unit: "kWh".to_owned(),
        time_column: "period_end".to_owned(),
        value_column: "usage_kwh".to_owned(),
        register_column: None,
        quality_column: None,
        time_format: None,
        utc_offset_min: Some(540),
        time_is_start: false,
        interval_s: 900,
        statistic: None,
        clock_quality: ClockQuality::Synchronised,
        delimiter: b',',
    }
}

fn lines(config: &ReplayConfig, text: &str) -> String {
    read(config, &instrument(), text.as_bytes()).unwrap_err().lines()
}

#[test]
fn a_row_becomes_a_sample_in_whole_base_units_at_its_instant() {
    let text = "\u{feff}period_end,load,usage_kwh\n2018-01-01T00:15,Light,3.17\n\
        2018-01-01 00:30:00,Light, 4.0 \n2018-01-01T00:45:00Z,\"L,i\",\n";
    let samples = read(&config(), &instrument(), text.as_bytes()).unwrap();
    assert_eq!(samples.len(), 2); // the third has no value: a gap
    assert_eq!(samples[0].read_at.to_string(), "2017-12-31T15:15:00Z");
    assert_eq!((samples[0].amount, samples[1].amount), (3170, 4000));
    assert_eq!(samples[0].source_amount.as_deref(), Some("3.17"));
    assert_eq!(samples[0].source_unit.as_deref(), Some("kWh"));
}

#[test]
fn other_columns_formats_and_edges_are_mapped() {
    let config = ReplayConfig {
        unit: "Wh".to_owned(),
        time_column: "when".to_owned(),
        value_column: "wh".to_owned(),
        register_column: Some("register".to_owned()),
        quality_column: Some("flag".to_owned()),
        time_format: Some("%d/%m/%Y %H:%M".to_owned()),
        time_is_start: true,
        delimiter: b';',
        ..config()
    };
    let text = "when;wh;register;flag\n01/02/2018 00:00;7;1007;ok\n01/02/2018 00:15;8;;\n";
    let samples = read(&config, &instrument(), text.as_bytes()).unwrap();
    assert_eq!(samples[0].read_at.to_string(), "2018-01-31T15:15:00Z");
    assert_eq!((samples[0].register, samples[0].quality.as_deref()), (Some(1007), Some("ok")));
    assert_eq!((samples[1].register, samples[1].source_unit.as_deref()), (None, None));
}

#[test]
fn every_faulty_row_is_told_with_line_and_column_and_nothing_is_taken() {
    let text = "period_end,usage_kwh\n2018-01-01T00:15,3.17\n2018-01-01T00:30,3,17\n\
        2018-13-01T00:45,1\nyesterday,1\n2018-01-01T01:00,1.2.3\n2018-01-01T01:15,1e3\n";
    let told = lines(&config(), text);
    for words in [
        "error: 5 rows are malformed, none was taken",
        "cause: line 3, 3 cells, the header has 2",
        "cause: line 4, column 1 (period_end): ",
        "cause: line 5, column 1 (period_end): \"yesterday\" is no instant",
        "cause: line 6, column 2 (usage_kwh): \"1.2.3\" is no decimal number",
        "cause: line 7, column 2 (usage_kwh): ",
        "help: ",
    ] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
}

#[test]
fn an_instant_without_offset_is_never_guessed() {
    let config = ReplayConfig { utc_offset_min: None, ..config() };
    let told = lines(&config, "period_end,usage_kwh\n2018-01-01T00:15,3.17\n");
    assert!(told.contains("time_zone"), "{told}");
    let text = "period_end,usage_kwh\n2018-01-01T00:15:00+09:00,3.17\n";
    assert_eq!(read(&config, &instrument(), text.as_bytes()).unwrap().len(), 1);
}

#[test]
fn a_column_that_is_missing_or_twice_there_is_named() {
    assert!(lines(&config(), "time,usage_kwh\n").contains("no column \"period_end\""));
    assert!(lines(&config(), "").contains("no column"));
    let told = lines(&config(), "period_end,usage_kwh,usage_kwh\n");
    assert!(told.contains("two columns are called \"usage_kwh\""), "{told}");
    let told = lines(&config(), "period_end,usage_kwh\n2018-01-01T00:15,\u{0}\u{0}\n");
    assert!(told.contains("line 2, column 2"), "{told}");
}

#[test]
fn rows_are_handed_over_in_order_and_then_flushed() {
    let (sender, mut receiver) = mpsc::channel(16);
    let text = "period_end,usage_kwh\n2018-01-01T00:15,1\n2018-01-01T00:30,2\n";
    let replayed =
        run(&config(), &instrument(), Box::new(text.as_bytes()), Speed::Max, sender, |_| 0)
            .unwrap();
    assert_eq!(replayed, Replayed { rows: 2, before: 0, refused: 0 });
    let mut amounts = Vec::new();
    while let Some(taken) = receiver.blocking_recv() {
        match taken {
            Taken::Sample { sample, .. } => amounts.push(sample.amount),
            Taken::Flush => amounts.push(-1),
            Taken::Event { .. } => unreachable!("a meter takes no events"),
        }
    }
    assert_eq!(amounts, [1000, 2000, -1]);
}

#[test]
fn rows_that_an_earlier_replay_has_spooled_are_not_taken_again() {
    let text = "period_end,usage_kwh\n2018-01-01T00:15,1\n2018-01-01T00:30,2\n";
    for (spooled, left) in [(1, vec![(2000, 2)]), (2, vec![]), (9, vec![])] {
        let (sender, mut receiver) = mpsc::channel(16);
        let of_file = |file: &ContentId| {
            assert_eq!(*file, ContentId::of(text.as_bytes()));
            spooled
        };
        let input = Box::new(text.as_bytes());
        let replayed = run(&config(), &instrument(), input, Speed::Max, sender, of_file).unwrap();
        let (rows, before) = (left.len() as u64, spooled.min(2));
        assert_eq!(replayed, Replayed { rows, before, refused: 0 });
        let mut taken = Vec::new();
        while let Some(Taken::Sample { sample, mark, .. }) = receiver.blocking_recv() {
            taken.push((sample.amount, mark.unwrap().rows));
        }
        assert_eq!(taken, left);
    }
}

/// The steel plant's series, where the folder of real data is there.
#[test]
fn the_steel_plants_quarter_hours_are_read_whole() {
    let root = std::env::var_os("HALLMARK_REAL_DATA").map(std::path::PathBuf::from);
    let root = root.unwrap_or_else(|| {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data")
    });
    let path = root.join("carbon/steel_plant_15min_2018_jan_sep.csv");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: {} is absent", path.display());
        return;
    };
    let samples = read(&config(), &instrument(), file).unwrap();
    assert_eq!(samples.len(), 26_208);
    assert_eq!(samples[0].amount, 3170);
    let quarter = samples[1].read_at.ms_since(samples[0].read_at);
    assert!(samples.windows(2).all(|pair| pair[1].read_at.ms_since(pair[0].read_at) == quarter));
}
