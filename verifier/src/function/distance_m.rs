//! `distance_m(lat1_e7, lon1_e7, lat2_e7, lon2_e7)`: great-circle distance in whole metres.
//!
//! Formula: haversine, d = 2 R asin(sqrt(sin²(Δφ/2) + cos φ1 cos φ2 sin²(Δλ/2))), on a sphere of
//! R = 6,371,008.8 m (mean radius R1 of the WGS 84 ellipsoid, IUGG, Moritz 2000). The sphere errs
//! by at most 0.56 % against the ellipsoid. Input: degrees times 10^7 (WGS 84); null when one is
//! null or outside ±90° and ±180°. `libm` gives the same bits on every machine.

use std::sync::Arc;

use datafusion::arrow::array::{Array, Int64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_int64_array;
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::scalar;

/// Mean radius of the earth, in metres.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// Distance in whole metres; `None` for coordinates that no place on earth has.
pub fn distance_m(from: (i64, i64), to: (i64, i64)) -> Option<i64> {
    let radians = |(lat_e7, lon_e7): (i64, i64)| {
        let fits = (-900_000_000..=900_000_000).contains(&lat_e7)
            && (-1_800_000_000..=1_800_000_000).contains(&lon_e7);
        let radians = |e7: i64| (e7 as f64) / 1e7 * std::f64::consts::PI / 180.0;
        fits.then(|| (radians(lat_e7), radians(lon_e7)))
    };
    let ((lat1, lon1), (lat2, lon2)) = (radians(from)?, radians(to)?);
    let (half_lat, half_lon) = (libm::sin((lat2 - lat1) / 2.0), libm::sin((lon2 - lon1) / 2.0));
    let square = half_lat * half_lat + libm::cos(lat1) * libm::cos(lat2) * half_lon * half_lon;
    let angle = 2.0 * libm::asin(libm::sqrt(square.clamp(0.0, 1.0)));
    Some(libm::round(EARTH_RADIUS_M * angle) as i64)
}

/// As rules call it.
pub(super) fn function() -> ScalarUDF {
    scalar("distance_m", vec![DataType::Int64; 4], DataType::Int64, |columns| {
        let columns = columns.iter().map(|column| as_int64_array(column));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let at = |column: usize, row: usize| {
            let column = columns[column];
            column.is_valid(row).then(|| column.value(row))
        };
        let distance = |row| distance_m((at(0, row)?, at(1, row)?), (at(2, row)?, at(3, row)?));
        Ok(Arc::new((0..columns[0].len()).map(distance).collect::<Int64Array>()))
    })
}

#[cfg(test)]
mod tests {
    use super::distance_m;

    #[test]
    fn known_distances_hold_to_the_metre() {
        let cases = [
            ((0, 0), (0, 0), 0),
            // A quarter of the sphere's circumference: π/2 R.
            ((0, 0), (900_000_000, 0), 10_007_557),
            ((0, 0), (0, 1_800_000_000), 20_015_114),
            ((0, 1_790_000_000), (0, -1_790_000_000), 222_390),
        ];
        for (from, to, metres) in cases {
            assert_eq!(distance_m(from, to), Some(metres), "{from:?} {to:?}");
            assert_eq!(distance_m(to, from), Some(metres), "{to:?} {from:?}");
        }
    }

    #[test]
    fn shanghai_and_chengdu_lie_1660_km_apart() {
        let metres = distance_m((312_304_000, 1_214_737_000), (305_728_000, 1_040_668_000));
        assert!(
            metres.is_some_and(|metres| (1_655_000..1_665_000).contains(&metres)),
            "{metres:?}"
        );
    }

    #[test]
    fn coordinates_outside_the_globe_have_no_distance() {
        assert_eq!(distance_m((900_000_001, 0), (0, 0)), None);
        assert_eq!(distance_m((0, 0), (0, i64::MIN)), None);
    }
}
