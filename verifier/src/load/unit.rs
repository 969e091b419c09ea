//! Units of plain tables: a unit that does not measure its quantity would silence rules unseen.
//!
//! Invariants: only a registered quantity limits the units of a row; what is refused here is what
//! `base_amount` could not convert; a unit is never guessed, its case included.

use hallmark_schemas::quantity::Quantity;
use hallmark_schemas::table::Table;

/// The column that says in what unit an amount is.
pub const UNIT: &str = "unit";

/// Parameters of emission lines that name no quantity: their source stream does.
const ACTIVITY: [&str; 3] = ["activity", "activity_data", "consumption"];

/// Whether the quantities of a table's rows decide which units its column `unit` takes.
pub fn is_checked(table: &Table) -> bool {
    quantity_column(table.name).is_some()
}

/// The column of a table that names the quantity of its amounts.
pub(super) fn quantity_column(table: &str) -> Option<&'static str> {
    match table {
        "meter_readings" => Some("quantity"),
        "emission_lines" | "external_statements" => Some("parameter"),
        "fuel_movements" => Some("fuel"),
        _ => None,
    }
}

/// What is wrong with the unit of a row, and what to do; `cell` gives the row's texts by column.
pub fn fault<'a>(
    table: &Table,
    cell: impl Fn(&str) -> Option<&'a str>,
) -> Option<(String, String)> {
    let mut quantity = cell(quantity_column(table.name)?)?;
    if ACTIVITY.contains(&quantity) && table.name == "emission_lines" {
        quantity = cell("source_stream")?;
    }
    let (quantity, unit): (Quantity, _) = (quantity.parse().ok()?, cell(UNIT)?);
    if quantity.units().any(|known| known == unit) {
        return None;
    }
    let shown: String = unit.chars().take(40).collect();
    let distance = |known: &&str| {
        let folded = strsim::damerau_levenshtein(&known.to_lowercase(), &shown.to_lowercase());
        (folded, strsim::damerau_levenshtein(known, &shown))
    };
    let nearest = quantity.units().min_by_key(distance).unwrap_or(quantity.unit());
    let all = quantity.units().collect::<Vec<_>>().join(", ");
    Some((
        format!("`{shown}` is no unit of {quantity}; the nearest is `{nearest}`"),
        format!("write one of {all}, upper and lower case as here, and the amount in it"),
    ))
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::table;

    use super::fault;

    fn found(table: &str, cells: &[(&str, &'static str)]) -> Option<String> {
        let table = table::table(table).expect("declared");
        let cell =
            |name: &str| cells.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
        fault(table, cell).map(|(reason, _)| reason)
    }

    #[test]
    fn a_unit_that_does_not_measure_its_quantity_is_refused_with_the_nearest() {
        for (quantity, unit, nearest) in [
            ("electricity", "banana", None),
            ("electricity", "KWH", Some("`kWh`")),
            ("electricity", "m3", None),
            ("natural_gas", "Nm^3", Some("`Nm3`")),
            ("coal", "tonnes", None),
            ("electricity", "", None),
        ] {
            let reason = found("meter_readings", &[("quantity", quantity), ("unit", unit)]);
            let reason = reason.unwrap_or_else(|| panic!("{quantity} in {unit} was taken"));
            assert!(reason.contains(nearest.unwrap_or("the nearest is")), "{reason}");
        }
        for (quantity, unit) in [("electricity", "kWh"), ("electricity", "Wh"), ("own", "banana")] {
            assert_eq!(found("meter_readings", &[("quantity", quantity), ("unit", unit)]), None);
        }
    }

    #[test]
    fn each_table_names_its_quantity_in_its_own_column() {
        let line = |parameter, stream, unit| {
            let cells = [("parameter", parameter), ("source_stream", stream), ("unit", unit)];
            found("emission_lines", &cells)
        };
        assert!(line("electricity", "grid", "KWH").is_some());
        assert!(line("activity", "electricity", "KWH").is_some());
        assert_eq!(line("activity", "electricity", "MWh"), None);
        assert_eq!(line("emissions", "electricity", "tCO2e"), None);
        assert!(found("fuel_movements", &[("fuel", "coal"), ("unit", "tons")]).is_some());
        assert!(found("external_statements", &[("parameter", "water"), ("unit", "t")]).is_some());
        assert_eq!(found("factors", &[("key", "coal"), ("unit", "kgCO2/GJ")]), None);
    }
}
