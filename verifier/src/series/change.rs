//! Bayesian online change points.
//!
//! Adams and MacKay, arXiv:0710.3742: the run length since the last change has a distribution that
//! every value updates; within a run values are normal with unknown mean and variance (normal-gamma
//! prior, so the next value is Student's). `hazard` is the chance of a change at each sample.
//! A change is told where the run that began at it is the most likely one for the last time.

/// Run lengths that are followed: older ones are put together, which costs nothing once a run is
/// that long.
const RUNS_MAX: usize = 2_000;

/// Prior of a run and the chance of its end.
#[derive(Clone, Copy, Debug)]
pub struct Prior {
    /// Mean of the values.
    pub mean: f64,
    /// How many values the prior's mean is worth.
    pub weight: f64,
    /// Shape of the gamma prior of the precision.
    pub shape: f64,
    /// Rate of the gamma prior of the precision.
    pub rate: f64,
    /// Chance of a change at each sample.
    pub hazard: f64,
}

#[derive(Clone, Copy)]
struct Run {
    began: usize,
    log_weight: f64,
    mean: f64,
    weight: f64,
    shape: f64,
    rate: f64,
}

impl Run {
    fn log_predictive(&self, value: f64) -> f64 {
        let freedom = 2.0 * self.shape;
        let scale2 = self.rate * (self.weight + 1.0) / (self.shape * self.weight);
        let d = value - self.mean;
        libm::lgamma((freedom + 1.0) / 2.0)
            - libm::lgamma(freedom / 2.0)
            - 0.5 * libm::log(freedom * core::f64::consts::PI * scale2)
            - (freedom + 1.0) / 2.0 * libm::log1p(d * d / (freedom * scale2))
    }

    fn take(&mut self, value: f64) {
        let d = value - self.mean;
        self.rate += self.weight * d * d / (2.0 * (self.weight + 1.0));
        self.mean += d / (self.weight + 1.0);
        self.weight += 1.0;
        self.shape += 0.5;
    }
}

/// For each sample the begin of the run that is most likely after it, and its chance.
pub fn runs(values: &[f64], prior: Prior) -> Vec<(usize, f64)> {
    let fresh = |began| Run {
        began,
        log_weight: 0.0,
        mean: prior.mean,
        weight: prior.weight,
        shape: prior.shape,
        rate: prior.rate,
    };
    let (stay, change) = (libm::log1p(-prior.hazard), libm::log(prior.hazard));
    let mut runs = vec![fresh(0)];
    let mut likely = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        if 0 < at {
            // A change before this value: from all runs that were.
            let total = log_sum(runs.iter().map(|run| run.log_weight));
            runs.iter_mut().for_each(|run| run.log_weight += stay);
            runs.push(Run { log_weight: total + change, ..fresh(at) });
        }
        for run in &mut runs {
            run.log_weight += run.log_predictive(*value);
            run.take(*value);
        }
        let total = log_sum(runs.iter().map(|run| run.log_weight));
        runs.iter_mut().for_each(|run| run.log_weight -= total);
        if RUNS_MAX < runs.len() {
            let (oldest, second) = (runs[0].log_weight, runs[1].log_weight);
            runs[1].log_weight = log_sum([oldest, second].into_iter());
            runs.remove(0);
        }
        let best = runs.iter().max_by(|a, b| a.log_weight.total_cmp(&b.log_weight));
        likely.extend(best.map(|best| (best.began, libm::exp(best.log_weight))));
    }
    likely
}

/// Begins of the runs that the last sample's most likely history is made of, oldest first; the
/// first sample is none.
pub fn changes(values: &[f64], prior: Prior) -> Vec<usize> {
    let likely = runs(values, prior);
    let mut found = Vec::new();
    let mut end = likely.len();
    while let Some((began, _)) = end.checked_sub(1).map(|last| likely[last]) {
        if began == 0 {
            break;
        }
        found.push(began);
        end = began;
    }
    found.reverse();
    found
}

fn log_sum(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        return most;
    }
    most + libm::log(logs.map(|log| libm::exp(log - most)).sum())
}
