use super::{Gate, Sample, search};

const GATE: Gate = Gate { samples_min: 24, distinct_min: 6, rich_ppm: 500_000, repeats_max: 2 };
const QUARTER_S: i64 = 900;

/// A meter's series without pattern: a small generator, so that a failure repeats.
fn noise(count: usize, seed: u64) -> Vec<i64> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(state >> 33).expect("31 bits") % 5_000
        })
        .collect()
}

fn samples(series: usize, amounts: &[i64]) -> Vec<Sample> {
    let at = |index: usize| (i64::try_from(index).expect("small") + 1) * QUARTER_S * 1000;
    let sample = |(index, &amount): (usize, &i64)| Sample {
        series,
        at_ms: at(index),
        interval_s: QUARTER_S,
        amount,
        row: index,
    };
    amounts.iter().enumerate().map(sample).collect()
}

#[test]
fn a_copied_stretch_of_any_place_and_length_is_one_window() {
    for (source, copy, length) in [(0, 700, 672), (100, 124, 24), (1900, 40, 96), (5, 1976, 24)] {
        let mut amounts = noise(2_000, 7);
        let stretch = amounts[source..source + length].to_vec();
        amounts[copy..copy + length].copy_from_slice(&stretch);
        let windows = search(&samples(0, &amounts), GATE);
        assert_eq!(windows.len(), 1, "{source} {copy} {length}");
        let (window, ms) = (&windows[0], QUARTER_S * 1000);
        let (first, second) = (source.min(copy), source.max(copy));
        assert_eq!(window.source_start_ms, i64::try_from(first).expect("small") * ms);
        assert_eq!(window.copy_start_ms, i64::try_from(second).expect("small") * ms);
        assert_eq!((window.samples, window.p_ppb), (i64::try_from(length).expect("small"), 0));
    }
}

#[test]
fn shorter_or_poorer_repeats_are_none() {
    let mut amounts = noise(2_000, 8);
    let stretch = amounts[10..33].to_vec();
    amounts[900..923].copy_from_slice(&stretch);
    assert!(search(&samples(0, &amounts), GATE).is_empty());
    let mut amounts = noise(2_000, 9);
    for start in [50, 1_000] {
        for (step, amount) in amounts[start..start + 60].iter_mut().enumerate() {
            *amount = i64::try_from(step % 5).expect("small");
        }
    }
    assert!(search(&samples(0, &amounts), GATE).is_empty());
}

#[test]
fn a_programmed_load_is_honest_however_often_it_repeats() {
    let day: Vec<i64> = (0..96).map(|quarter| 100 + (quarter / 12) * 25).collect();
    let amounts: Vec<i64> = day.iter().copied().cycle().take(96 * 60).collect();
    assert!(search(&samples(0, &amounts), GATE).is_empty());
}

#[test]
fn one_day_pasted_over_many_is_found_each_time() {
    let mut amounts = noise(3_000, 10);
    let day = amounts[..96].to_vec();
    for start in [500, 1_000, 1_500, 2_000, 2_500] {
        amounts[start..start + 96].copy_from_slice(&day);
    }
    assert_eq!(search(&samples(0, &amounts), GATE).len(), 5);
}

#[test]
fn a_touched_up_copy_and_two_registers_copied_together_are_one_window() {
    let mut active = noise(2_000, 11);
    let mut reactive = noise(2_000, 12);
    for amounts in [&mut active, &mut reactive] {
        let week = amounts[100..772].to_vec();
        amounts[1_000..1_672].copy_from_slice(&week);
        amounts[1_300] += 1;
    }
    let mut both = samples(0, &active);
    both.extend(samples(1, &reactive));
    let windows = search(&both, GATE);
    assert_eq!(windows.len(), 1);
    assert_eq!(windows[0].samples, 2 * 671);
    assert_eq!(windows[0].copy_end_ms, 1_672 * QUARTER_S * 1000);
}

#[test]
fn a_gap_ends_a_stretch_and_the_stretches_stay_one_incident() {
    let mut amounts = noise(2_000, 13);
    let week = amounts[100..400].to_vec();
    amounts[1_000..1_300].copy_from_slice(&week);
    let mut holed = samples(0, &amounts);
    holed.remove(1_150);
    assert_eq!(search(&holed, GATE).len(), 1);
}

#[test]
fn a_series_shorter_than_a_core_has_no_window() {
    for count in [0, 1, 23, 24] {
        assert!(search(&samples(0, &noise(count, 14)), GATE).is_empty());
    }
}
