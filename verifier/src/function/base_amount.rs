//! `base_amount(quantity, amount, scale_e10, unit)`: amount * 10^scale in the quantity's base unit,
//! a whole number; `base_unit(quantity, unit)`: that unit.
//!
//! Registered quantities convert by their registry (exact factors; a fraction of a base unit is
//! rounded, halves to even). Of any other quantity only whole multiples of the unit as written are
//! known. Null when the unit does not measure the quantity, or the amount fits no 64-bit integer.

use std::str::FromStr;
use std::sync::Arc;

use datafusion::arrow::array::{Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::{as_int64_array, as_string_array};
use datafusion::logical_expr::ScalarUDF;
use hallmark_schemas::quantity::Quantity;

use super::scalar;

/// The greatest power of ten, either way, that an amount may carry.
const SCALE_MAX: i64 = 18;

/// The amount in whole base units, where it has any.
pub fn base_amount(quantity: &str, amount: i64, scale_e10: i64, unit: &str) -> Option<i64> {
    if !(-SCALE_MAX..=SCALE_MAX).contains(&scale_e10) {
        return None;
    }
    let power = 10_i128.pow(u32::try_from(scale_e10.abs()).ok()?);
    let Ok(quantity) = Quantity::from_str(quantity) else {
        let amount = i128::from(amount);
        let whole = if 0 <= scale_e10 { amount * power } else { amount / power };
        let exact = 0 <= scale_e10 || whole * power == amount;
        return i64::try_from(whole).ok().filter(|_| exact);
    };
    let text = if 0 <= scale_e10 {
        (i128::from(amount) * power).to_string()
    } else {
        let (sign, digits) = (if amount < 0 { "-" } else { "" }, u128::from(amount.unsigned_abs()));
        let power = power.unsigned_abs();
        let decimals = usize::try_from(-scale_e10).ok()?;
        format!("{sign}{}.{:0decimals$}", digits / power, digits % power)
    };
    quantity.convert(&text, unit).ok().map(|converted| converted.amount)
}

/// The base unit of the quantity, if `unit` measures it; the unit itself for other quantities.
pub fn base_unit<'a>(quantity: &str, unit: &'a str) -> Option<&'a str> {
    match Quantity::from_str(quantity) {
        Ok(quantity) => quantity.units().any(|known| known == unit).then(|| quantity.unit()),
        Err(_) => Some(unit),
    }
}

/// `base_amount`, as rules call it.
pub(super) fn amount() -> ScalarUDF {
    let arguments = vec![DataType::Utf8, DataType::Int64, DataType::Int64, DataType::Utf8];
    scalar("base_amount", arguments, DataType::Int64, |columns| {
        let (quantity, unit) = (as_string_array(&columns[0])?, as_string_array(&columns[3])?);
        let (amount, scale) = (as_int64_array(&columns[1])?, as_int64_array(&columns[2])?);
        let convert = |row| {
            if quantity.is_null(row) || unit.is_null(row) || amount.is_null(row) {
                return None;
            }
            let scale = if scale.is_null(row) { 0 } else { scale.value(row) };
            base_amount(quantity.value(row), amount.value(row), scale, unit.value(row))
        };
        Ok(Arc::new((0..quantity.len()).map(convert).collect::<Int64Array>()))
    })
}

/// `base_unit`, as rules call it.
pub(super) fn unit() -> ScalarUDF {
    scalar("base_unit", vec![DataType::Utf8; 2], DataType::Utf8, |columns| {
        let (quantity, unit) = (as_string_array(&columns[0])?, as_string_array(&columns[1])?);
        let convert = |row| {
            let known = quantity.is_valid(row) && unit.is_valid(row);
            known.then(|| base_unit(quantity.value(row), unit.value(row))).flatten()
        };
        Ok(Arc::new((0..quantity.len()).map(convert).collect::<StringArray>()))
    })
}

#[cfg(test)]
mod tests {
    use super::{base_amount, base_unit};

    #[test]
    fn amounts_convert_exactly_and_never_wrap() {
        let cases = [
            ("electricity", 1_234, 0, "MWh", Some(1_234_000_000)),
            ("electricity", 1_234_567, -3, "MWh", Some(1_234_567_000)),
            ("electricity", -5, -1, "kWh", Some(-500)),
            ("electricity", 36, 0, "GJ", Some(10_000_000)),
            ("natural_gas", 7, 0, "m3", Some(7_000_000)),
            ("electricity", 7, 0, "m3", None),
            ("electricity", i64::MAX, 0, "MWh", None),
            ("electricity", i64::MIN, 18, "Wh", None),
            ("electricity", 1, 19, "Wh", None),
            ("sawdust", 12, 2, "bags", Some(1_200)),
            ("sawdust", 125, -1, "bags", None),
        ];
        for (quantity, amount, scale, unit, base) in cases {
            assert_eq!(base_amount(quantity, amount, scale, unit), base, "{amount}e{scale} {unit}");
        }
        assert_eq!(base_unit("electricity", "MWh"), Some("Wh"));
        assert_eq!(base_unit("electricity", "t"), None);
        assert_eq!(base_unit("sawdust", "bags"), Some("bags"));
    }
}
