//! Steps of a level, found by adding up small departures.
//!
//! The two-sided tabular CUSUM of Page (Biometrika 41 (1954) 100): with z the standardised value,
//! up = max(0, up + z - slack), down = max(0, down - z - slack); an alarm where one is over
//! `limit`. The change is dated to where the sum last left 0 (Montgomery, Statistical Quality
//! Control, 9.1).

/// Where a level left its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// First sample of the new level.
    pub from: usize,
    /// Sample at which it was noticed.
    pub noticed: usize,
    /// Whether upwards.
    pub up: bool,
}

/// Slack and limit, in standard deviations.
#[derive(Clone, Copy, Debug)]
pub struct Chart {
    /// Half of the step that is to be found soonest.
    pub slack: f64,
    /// Sum at which an alarm is given.
    pub limit: f64,
}

/// All alarms over standardised values; after each the sums begin at 0.
pub fn cusum(standardised: &[f64], chart: Chart) -> Vec<Step> {
    let mut steps = Vec::new();
    let (mut up, mut down) = ((0.0, 0), (0.0, 0));
    for (at, z) in standardised.iter().enumerate() {
        for (sum, rise) in [(&mut up, *z), (&mut down, -z)] {
            let next = f64::max(0.0, sum.0 + rise - chart.slack);
            if sum.0 == 0.0 && 0.0 < next {
                sum.1 = at;
            }
            sum.0 = next;
        }
        let is_up = chart.limit < up.0;
        if is_up || chart.limit < down.0 {
            let from = if is_up { up.1 } else { down.1 };
            steps.push(Step { from, noticed: at, up: is_up });
            (up, down) = ((0.0, 0), (0.0, 0));
        }
    }
    steps
}
