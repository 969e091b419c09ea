//! Who and where: organisations, places and goods of the market.

use hallmark_schemas::id::check;

/// A city, its position in 10^-7 degrees, and its region.
struct City(i64, i64, &'static str);

const CITIES: [City; 30] = [
    City(312_300_000, 1_214_700_000, "CN-SH"),
    City(399_000_000, 1_164_000_000, "CN-BJ"),
    City(231_300_000, 1_132_600_000, "CN-GD"),
    City(306_600_000, 1_040_600_000, "CN-SC"),
    City(305_900_000, 1_143_000_000, "CN-HB"),
    City(343_400_000, 1_089_400_000, "CN-SN"),
    City(457_500_000, 1_266_500_000, "CN-HL"),
    City(438_300_000, 876_200_000, "CN-XJ"),
    City(250_400_000, 1_027_100_000, "CN-YN"),
    City(296_500_000, 911_000_000, "CN-XZ"),
    City(320_600_000, 1_187_800_000, "CN-JS"),
    City(302_500_000, 1_201_700_000, "CN-ZJ"),
    City(260_800_000, 1_193_000_000, "CN-FJ"),
    City(366_700_000, 1_170_000_000, "CN-SD"),
    City(347_600_000, 1_136_500_000, "CN-HA"),
    City(282_000_000, 1_129_700_000, "CN-HN"),
    City(286_800_000, 1_158_900_000, "CN-JX"),
    City(318_600_000, 1_172_800_000, "CN-AH"),
    City(418_000_000, 1_234_300_000, "CN-LN"),
    City(438_900_000, 1_253_300_000, "CN-JL"),
    City(408_200_000, 1_116_600_000, "CN-NM"),
    City(384_700_000, 1_062_700_000, "CN-NX"),
    City(360_600_000, 1_038_400_000, "CN-GS"),
    City(366_200_000, 1_017_700_000, "CN-QH"),
    City(265_800_000, 1_067_200_000, "CN-GZ"),
    City(228_200_000, 1_083_200_000, "CN-GX"),
    City(200_300_000, 1_103_200_000, "CN-HI"),
    City(378_700_000, 1_125_500_000, "CN-SX"),
    City(391_000_000, 1_172_000_000, "CN-TJ"),
    City(432_400_000, 769_500_000, "KZ"),
];

/// Producers.
pub const PRODUCERS: usize = 5;
/// Who makes under their orders.
pub const MAKERS: usize = 2;
/// Distributors.
pub const DISTRIBUTORS: usize = 3;
/// Shops; the last one lies abroad.
pub const SHOPS: usize = 20;
/// Products of a producer.
pub const PRODUCTS: usize = 2;

/// An organisation with its one place, by number: producers, makers, distributors, shops.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Party(pub usize);

impl Party {
    /// A producer.
    pub fn producer(number: usize) -> Party {
        Party(number)
    }

    /// A contract maker.
    pub fn maker(number: usize) -> Party {
        Party(PRODUCERS + number)
    }

    /// A distributor.
    pub fn distributor(number: usize) -> Party {
        Party(PRODUCERS + MAKERS + number)
    }

    /// A shop.
    pub fn shop(number: usize) -> Party {
        Party(PRODUCERS + MAKERS + DISTRIBUTORS + number)
    }

    /// The shop abroad.
    pub fn abroad() -> Party {
        Party::shop(SHOPS - 1)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Party> {
        (0..PRODUCERS + MAKERS + DISTRIBUTORS + SHOPS).map(Party)
    }

    fn city(self) -> &'static City {
        &CITIES[self.0]
    }

    fn gln(self) -> String {
        with_check_digit(&format!("95212340{:04}", self.0))
    }

    /// Its identifier.
    pub fn org(self) -> String {
        format!("urn:hallmark:org:gln:{}", self.gln())
    }

    /// Its log.
    pub fn log(self) -> String {
        format!("market/gln-{}/1", self.gln())
    }

    /// Its place.
    pub fn place(self) -> String {
        format!("https://id.gs1.org/414/{}", self.gln())
    }

    /// A row of table `locations`.
    pub fn location(self) -> String {
        let City(lat, lon, region) = self.city();
        format!("{},{lat},{lon},{},{region},500", self.place(), self.org())
    }

    /// Kilometres to another, on a flat map: good enough for lorries.
    pub fn km_to(self, other: Party) -> u64 {
        let (a, b) = (self.city(), other.city());
        let north = (a.0 - b.0).unsigned_abs() / 89_983;
        let east = (a.1 - b.1).unsigned_abs() / 110_000;
        (north * north + east * east).isqrt()
    }
}

/// The certifier.
pub fn certifier() -> String {
    format!("urn:hallmark:org:gln:{}", with_check_digit("952123409001"))
}

/// The inspection body; number 1 is the one whose accreditation is suspended.
pub fn inspector(number: usize) -> String {
    format!("urn:hallmark:org:gln:{}", with_check_digit(&format!("95212340901{number}")))
}

/// A product of a producer.
pub fn class(producer: usize, product: usize) -> String {
    let gtin = with_check_digit(&format!("09521234{:05}", producer * 10 + product));
    format!("https://id.gs1.org/01/{gtin}")
}

/// Oil, and the olives that it is pressed from.
pub fn pressed() -> [String; 2] {
    [class(PRODUCERS - 1, 8), class(PRODUCERS - 1, 9)]
}

/// An item.
pub fn item(class: &str, serial: u64) -> String {
    format!("{class}/21/{serial}")
}

/// A case or pallet.
pub fn unit(number: u64) -> String {
    format!("https://id.gs1.org/00/{}", with_check_digit(&format!("09521234{number:09}")))
}

fn with_check_digit(body: &str) -> String {
    let digit = check::mod10_check(body).expect("digits of a GS1 key");
    format!("{body}{digit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_city_and_distances_are_those_of_a_map() {
        assert_eq!(Party::all().count(), CITIES.len());
        assert!(Party::abroad().location().ends_with(",KZ,500"));
        let km = Party(0).km_to(Party(1));
        assert!((950..=1_200).contains(&km), "Shanghai to Beijing: {km} km");
    }
}
