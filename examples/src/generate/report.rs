//! The works' emissions report: electricity as activity, and the emissions that follow from it.

use hallmark_schemas::id::FacilityId;
use hallmark_schemas::time::Timestamp;

use super::meter::Series;

/// Grams of CO2 for one kWh from the grid: the national average factor for 2022 that the Ministry
/// of Ecology and Environment published in December 2024, 0.5366 kg/kWh.
const GRID_MG_PER_WH: i64 = 5366;

/// One report on one period.
#[derive(Clone, Debug)]
pub struct Report {
    /// The works.
    pub facility: FacilityId,
    /// Begin and end of the period.
    pub period: (Timestamp, Timestamp),
    /// Electricity used, in Wh.
    pub activity_wh: i64,
}

impl Report {
    /// Says what the meter says.
    pub fn honest(facility: &FacilityId, series: &Series) -> Report {
        Report {
            facility: facility.clone(),
            period: series.period(),
            activity_wh: series.total_wh(),
        }
    }

    /// An `emissions` statement, as `hallmark-node submit` reads it.
    pub fn to_json(&self) -> String {
        let grams = self.activity_wh * GRID_MG_PER_WH / 10_000;
        let line = |parameter: &str, amount: i64, unit: &str, method: &str| {
            serde_json::json!({
                "source_stream": "electricity", "parameter": parameter, "amount": amount,
                "unit": unit, "method": method, "state": "measured",
            })
        };
        let statement = serde_json::json!({
            "kind": "emissions",
            "sub": self.facility.to_string(),
            "payload": {
                "report": "2026-march", "version": 1,
                "period_start": self.period.0.to_string(),
                "period_end": self.period.1.to_string(),
                "lines": [
                    line("activity", self.activity_wh, "Wh", "sum of the works' meter"),
                    line("emissions", grams, "g", "activity times the national grid factor"),
                ],
            },
        });
        format!("{statement:#}\n")
    }
}
