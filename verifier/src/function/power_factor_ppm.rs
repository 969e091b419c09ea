//! `power_factor_ppm(active, reactive)`: power factor of an interval from its energies, in ppm.
//!
//! Formula: 10^6 P / sqrt(P² + Q²), rounded; P in Wh, Q in varh (or any two units of one size). Null
//! when one is null or both are 0. Source: IEC 60050-131, 131-11-46. `libm` and exact squares give
//! the same bits on every machine.

use std::sync::Arc;

use datafusion::arrow::array::{Array, Int64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_int64_array;
use datafusion::logical_expr::ScalarUDF;

use super::scalar;

/// Power factor in ppm; `None` where there is no energy.
pub fn power_factor_ppm(active: i64, reactive: i64) -> Option<i64> {
    let (p, q) = (active as f64, reactive as f64);
    let apparent = libm::sqrt(p * p + q * q);
    (0.0 < apparent).then(|| libm::round(1e6 * p / apparent) as i64)
}

/// As rules call it.
pub(super) fn function() -> ScalarUDF {
    let arguments = vec![DataType::Int64; 2];
    scalar("power_factor_ppm", arguments, DataType::Int64, |columns| {
        let (active, reactive) = (as_int64_array(&columns[0])?, as_int64_array(&columns[1])?);
        let factor = |row| {
            let known = active.is_valid(row) && reactive.is_valid(row);
            known.then(|| power_factor_ppm(active.value(row), reactive.value(row))).flatten()
        };
        Ok(Arc::new((0..active.len()).map(factor).collect::<Int64Array>()))
    })
}

#[cfg(test)]
mod tests {
    use super::power_factor_ppm;

    #[test]
    fn the_factor_is_that_of_the_triangle() {
        assert_eq!(power_factor_ppm(3_000, 4_000), Some(600_000));
        // The first row of the steel works of UCI 851: 3.17 kWh, 2.95 kvarh, shown as 73.21 %.
        assert_eq!(power_factor_ppm(3_170, 2_950), Some(732_053));
        assert_eq!(power_factor_ppm(1, 0), Some(1_000_000));
        assert_eq!(power_factor_ppm(0, 5), Some(0));
        assert_eq!(power_factor_ppm(0, 0), None);
        assert!(power_factor_ppm(i64::MAX, i64::MIN).is_some());
    }
}
