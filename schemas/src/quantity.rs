//! Physical quantities as whole numbers of one base unit for each quantity.
//!
//! Invariants: a quantity has one base unit for ever; amounts are integers; a conversion says
//! whether it was exact.

use std::fmt;
use std::str::FromStr;

/// What an instrument measures, by its registered name.
#[derive(Clone, Copy)]
pub struct Quantity(&'static Registered);

/// One line of the registry.
struct Registered {
    name: &'static str,
    unit: &'static str,
    meaning: &'static str,
    /// Whether samples of consecutive intervals add up.
    additive: bool,
}

macro_rules! registry {
    ($($name:literal $unit:literal $additive:literal $meaning:literal,)*) => {
        const REGISTRY: &[Registered] = &[
            $(Registered { name: $name, unit: $unit, meaning: $meaning, additive: $additive },)*
        ];
    };
}

registry! {
    "co2_share" "ppm" false "Volume share of carbon dioxide in stack gas",
    "co2_stack" "g" true "Carbon dioxide measured in the stack",
    "coal" "g" true "Coal burnt or moved, as received",
    "coke" "g" true "Coke burnt or moved",
    "current" "mA" false "Electric current",
    "diesel" "g" true "Diesel oil burnt or moved",
    "dust_stack" "mg" true "Dust measured in the stack",
    "electricity" "Wh" true "Active energy",
    "electricity_export" "Wh" true "Active energy given to the grid",
    "frequency" "mHz" false "Grid frequency",
    "fuel_oil" "g" true "Fuel oil burnt or moved",
    "gasoline" "g" true "Petrol burnt or moved",
    "heat" "kJ" true "Heat in hot water",
    "humidity" "ppm" false "Relative humidity",
    "limestone" "g" true "Limestone used",
    "load" "W" false "Active power",
    "lpg" "g" true "Liquefied petroleum gas burnt or moved",
    "natural_gas" "mL" true "Natural gas, volume at the stated reference conditions",
    "nox_stack" "mg" true "Nitrogen oxides measured in the stack, as NO2",
    "power_factor" "ppm" false "Power factor",
    "power_factor_lag" "ppm" false "Power factor, lagging current",
    "power_factor_lead" "ppm" false "Power factor, leading current",
    "pressure" "Pa" false "Absolute pressure",
    "production" "g" true "Mass of product made",
    "reactive_lag" "varh" true "Reactive energy, lagging current",
    "reactive_lead" "varh" true "Reactive energy, leading current",
    "so2_stack" "mg" true "Sulphur dioxide measured in the stack",
    "stack_flow" "mL" true "Stack gas, volume at the stated reference conditions",
    "steam" "kJ" true "Heat in steam",
    "steam_mass" "g" true "Mass of steam",
    "temperature" "mK" false "Thermodynamic temperature",
    "voltage" "mV" false "Voltage",
    "waste_gas" "mL" true "By-product gas (coke oven, blast furnace, converter)",
    "water" "mL" true "Water",
}

/// Units that a value may be written in, the base unit, and the factor to it as a fraction.
const UNITS: &[(&str, &str, i128, i128)] = &[
    ("kWh", "Wh", 1_000, 1),
    ("MWh", "Wh", 1_000_000, 1),
    ("GWh", "Wh", 1_000_000_000, 1),
    ("kJ", "Wh", 5, 18),
    ("MJ", "Wh", 5_000, 18),
    ("GJ", "Wh", 5_000_000, 18),
    ("kvarh", "varh", 1_000, 1),
    ("Mvarh", "varh", 1_000_000, 1),
    ("kVarh", "varh", 1_000, 1),
    ("mg", "g", 1, 1_000),
    ("kg", "g", 1_000, 1),
    ("t", "g", 1_000_000, 1),
    ("tCO2", "g", 1_000_000, 1),
    ("kt", "g", 1_000_000_000, 1),
    ("g", "mg", 1_000, 1),
    ("kg", "mg", 1_000_000, 1),
    ("L", "mL", 1_000, 1),
    ("m3", "mL", 1_000_000, 1),
    ("Nm3", "mL", 1_000_000, 1),
    ("km3", "mL", 1_000_000_000, 1),
    ("J", "kJ", 1, 1_000),
    ("MJ", "kJ", 1_000, 1),
    ("GJ", "kJ", 1_000_000, 1),
    ("TJ", "kJ", 1_000_000_000, 1),
    ("kWh", "kJ", 3_600, 1),
    ("MWh", "kJ", 3_600_000, 1),
    ("kW", "W", 1_000, 1),
    ("MW", "W", 1_000_000, 1),
    ("kPa", "Pa", 1_000, 1),
    ("MPa", "Pa", 1_000_000, 1),
    ("bar", "Pa", 100_000, 1),
    ("V", "mV", 1_000, 1),
    ("kV", "mV", 1_000_000, 1),
    ("A", "mA", 1_000, 1),
    ("Hz", "mHz", 1_000, 1),
    ("K", "mK", 1_000, 1),
    ("1", "ppm", 1_000_000, 1),
    ("%", "ppm", 10_000, 1),
];

/// A converted amount: whole base units, and whether nothing was rounded away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Converted {
    /// In the quantity's base unit.
    pub amount: i64,
    /// False when the amount was rounded to the nearest base unit, halves to even.
    pub exact: bool,
}

/// Why a text is no amount of a quantity.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum QuantityError {
    /// The name is in no registry.
    #[error("{name:?} is no registered quantity{}", hint(*nearest))]
    Unknown {
        /// The name.
        name: String,
        /// A registered name that looks like it.
        nearest: Option<&'static str>,
    },
    /// The unit does not measure the quantity.
    #[error("{quantity} is not measured in {unit:?}, use one of {known}")]
    Unit {
        /// The quantity.
        quantity: &'static str,
        /// The unit.
        unit: String,
        /// Units that do.
        known: String,
    },
    /// Not a decimal number such as `-12.50`.
    #[error("{text:?} is no decimal number: {reason} at character {position}")]
    Number {
        /// The text.
        text: String,
        /// What is wrong.
        reason: &'static str,
        /// Where, from 1.
        position: usize,
    },
    /// More base units than 64 bits hold.
    #[error("{text:?} is too large for a 64-bit amount of {unit}")]
    TooLarge {
        /// The text.
        text: String,
        /// The base unit.
        unit: &'static str,
    },
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map_or(String::new(), |name| format!(", nearest is {name:?}"))
}

impl Quantity {
    /// Every quantity, by name.
    pub fn all() -> impl Iterator<Item = Quantity> {
        REGISTRY.iter().map(Quantity)
    }

    /// The name, as in the column `quantity`.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The base unit of its amounts.
    pub const fn unit(self) -> &'static str {
        self.0.unit
    }

    /// What it is.
    pub const fn meaning(self) -> &'static str {
        self.0.meaning
    }

    /// Whether samples of consecutive intervals add up to the sample of the whole.
    pub const fn is_additive(self) -> bool {
        self.0.additive
    }

    /// The units that [`Quantity::convert`] reads, base unit first.
    pub fn units(self) -> impl Iterator<Item = &'static str> {
        let others = UNITS.iter().filter(move |unit| unit.1 == self.0.unit).map(|unit| unit.0);
        std::iter::once(self.0.unit).chain(others)
    }

    /// Converts a decimal number in `unit` to whole base units.
    pub fn convert(self, text: &str, unit: &str) -> Result<Converted, QuantityError> {
        let (numerator, denominator) = self.factor(unit)?;
        let (digits, decimals) = parse_decimal(text)?;
        let too_large = || QuantityError::TooLarge { text: text.to_owned(), unit: self.0.unit };
        let numerator = digits.checked_mul(numerator).ok_or_else(too_large)?;
        let denominator = denominator * 10_i128.pow(decimals);
        let (rounded, exact) = divide_to_even(numerator, denominator);
        let amount = i64::try_from(rounded).map_err(|_| too_large())?;
        Ok(Converted { amount, exact })
    }

    fn factor(self, unit: &str) -> Result<(i128, i128), QuantityError> {
        if unit == self.0.unit {
            return Ok((1, 1));
        }
        let found = UNITS.iter().find(|known| known.0 == unit && known.1 == self.0.unit);
        found.map(|known| (known.2, known.3)).ok_or_else(|| QuantityError::Unit {
            quantity: self.0.name,
            unit: unit.chars().take(20).collect(),
            known: self.units().collect::<Vec<_>>().join(", "),
        })
    }
}

/// Most digits of a number that is read: with a factor of 10^9 it still fits 128 bits.
const DIGITS_MAX: usize = 28;

/// Reads `[-+]digits[.digits]` as an integer and the number of its decimals.
fn parse_decimal(text: &str) -> Result<(i128, u32), QuantityError> {
    let fail = |offset: usize, reason| {
        let position = text.get(..offset).map_or(0, |before| before.chars().count()) + 1;
        Err(QuantityError::Number { text: text.chars().take(40).collect(), reason, position })
    };
    let (sign, start) = match text.as_bytes().first() {
        Some(b'-') => (-1, 1),
        Some(b'+') => (1, 1),
        _ => (1, 0),
    };
    let (mut value, mut digits, mut point_at) = (0_i128, 0, None);
    for (offset, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            b'0'..=b'9' if digits == DIGITS_MAX => return fail(offset, "too many digits"),
            b'0'..=b'9' => {
                value = value * 10 + i128::from(byte - b'0');
                digits += 1;
            }
            b'.' if point_at.is_none() && 0 < digits => point_at = Some(digits),
            _ => return fail(offset, "expected a digit"),
        }
    }
    match point_at {
        _ if digits == 0 => fail(text.len(), "expected a digit"),
        Some(at) if at == digits => fail(text.len(), "expected a digit after the point"),
        Some(at) => Ok((sign * value, (digits - at) as u32)),
        None => Ok((sign * value, 0)),
    }
}

/// Quotient rounded to the nearest integer, halves to even, and whether it was exact.
fn divide_to_even(numerator: i128, denominator: i128) -> (i128, bool) {
    let (floor, rest) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    let up = match (rest * 2).cmp(&denominator) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => floor % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    (floor + i128::from(up), rest == 0)
}

impl FromStr for Quantity {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Quantity, QuantityError> {
        let found = REGISTRY.iter().find(|registered| registered.name == text);
        found.map(Quantity).ok_or_else(|| QuantityError::Unknown {
            name: text.chars().take(40).collect(),
            nearest: REGISTRY
                .iter()
                .map(|r| r.name)
                .find(|name| name.starts_with(text) && !text.is_empty()),
        })
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.0.name == other.0.name
    }
}
impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> std::cmp::Ordering {
        self.0.name.cmp(other.0.name)
    }
}

impl std::hash::Hash for Quantity {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl fmt::Debug for Quantity {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Quantity({})", self.0.name)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.0.name)
    }
}

crate::text::serde_as_text!(Quantity, "the name of a registered quantity");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_every_quantity_returns_from_its_name() {
        assert!(REGISTRY.windows(2).all(|pair| pair[0].name < pair[1].name));
        for quantity in Quantity::all() {
            assert_eq!(quantity.name().parse(), Ok(quantity));
        }
        let error = "electric".parse::<Quantity>().unwrap_err();
        assert!(error.to_string().contains("nearest is \"electricity\""), "{error}");
    }

    #[test]
    fn decimals_become_whole_base_units_and_say_when_rounded() {
        for (quantity, text, unit, amount, exact) in [
            ("electricity", "3.17", "kWh", 3_170, true),
            ("electricity", "-0.0005", "kWh", 0, false),
            ("electricity", "0.0015", "kWh", 2, false),
            ("electricity", "0.0025", "kWh", 2, false),
            ("electricity", "3.6", "GJ", 1_000_000, true),
            ("natural_gas", "1.000001", "m3", 1_000_001, true),
            ("co2_stack", "0.02", "tCO2", 20_000, true),
            ("coal", "7", "g", 7, true),
            ("steam", "+2.5", "GJ", 2_500_000, true),
            ("power_factor", "73.21", "%", 732_100, true),
        ] {
            let quantity: Quantity = quantity.parse().unwrap();
            assert_eq!(
                quantity.convert(text, unit),
                Ok(Converted { amount, exact }),
                "{text} {unit}"
            );
        }
    }

    #[test]
    fn what_is_no_decimal_number_of_the_quantity_is_refused() {
        let electricity: Quantity = "electricity".parse().unwrap();
        for text in ["", "-", ".", "1.", ".5", "1,5", "1e3", "NaN", "0x1", "１", "1.2.3"] {
            let error = electricity.convert(text, "kWh").unwrap_err();
            assert!(matches!(error, QuantityError::Number { .. }), "{text}");
        }
        let error = electricity.convert("9999999999999999999", "kWh").unwrap_err();
        assert!(matches!(error, QuantityError::TooLarge { .. }));
        assert!(matches!(electricity.convert("1", "kg"), Err(QuantityError::Unit { .. })));
    }
}
