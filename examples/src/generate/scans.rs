//! One day at the packing bench, line by line as a barcode reader types it.
//!
//! Invariants: the lines are what the agent's stdin source reads: control codes select the mode,
//! GS1 codes come with their symbology identifier.

use super::goods;
use crate::random::Random;

/// Flasks in one carton.
const CARTON_ITEMS: usize = 6;
/// Cartons of the day.
const CARTONS: u32 = 2;

/// What is made, packed and shipped.
#[derive(Clone, Debug)]
pub struct Bench {
    cartons: Vec<(String, Vec<String>)>,
    earlier: Vec<String>,
}

impl Bench {
    /// A day without any copy.
    pub fn honest(random: &mut Random) -> Bench {
        let carton = |number| (goods::sscc(number), goods::serials(random, CARTON_ITEMS));
        let cartons = (1..=CARTONS).map(carton).collect();
        Bench { cartons, earlier: goods::serials(random, CARTON_ITEMS) }
    }

    /// The serials of an earlier carton.
    pub fn earlier(&self) -> &[String] {
        &self.earlier
    }

    /// How many labels the flasks need.
    pub fn labels(&self) -> usize {
        self.serials().count()
    }

    /// The serials of all flasks, those of the earlier carton last.
    pub fn serials(&self) -> impl Iterator<Item = &String> {
        self.cartons.iter().flat_map(|(_, flasks)| flasks).chain(&self.earlier)
    }

    /// Gives the flasks other serials, in the order of [`Bench::serials`].
    pub(super) fn relabel(&mut self, serials: &[String]) {
        let flasks = self.cartons.iter_mut().flat_map(|(_, flasks)| flasks);
        for (flask, serial) in flasks.chain(&mut self.earlier).zip(serials) {
            flask.clone_from(serial);
        }
    }

    /// A flask of the day that nobody copies: the first of the second carton.
    pub fn uncopied(&self) -> &str {
        &self.cartons[1].1[0]
    }

    /// The flask whose record is changed behind the node's back: the last of the second carton.
    pub fn tampered(&self) -> &str {
        &self.cartons[1].1[CARTON_ITEMS - 1]
    }

    /// The flask whose code is copied: the third of the first carton.
    pub fn cloned(&self) -> String {
        goods::item(self.copied())
    }

    /// Its serial.
    pub fn copied(&self) -> &str {
        &self.cartons[0].1[2]
    }

    /// How many events the agent makes of the lines.
    pub fn events(&self) -> usize {
        // A carton: its flasks commissioned and packed one by one, one shipping.
        self.cartons.iter().map(|(_, flasks)| 2 * flasks.len() + 1).sum()
    }

    /// What the reader types.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (sscc, flasks) in &self.cartons {
            lines.push(control("commission"));
            lines.extend(flasks.iter().map(|serial| data_matrix(serial)));
            lines.push(control("pack"));
            lines.push(gs1_128(sscc));
            lines.extend(flasks.iter().map(|serial| data_matrix(serial)));
            lines.push(control("ship"));
            lines.push(gs1_128(sscc));
        }
        lines
    }
}

/// The code that selects a mode of the bench.
fn control(mode: &str) -> String {
    format!("mode:{mode}")
}

fn data_matrix(serial: &str) -> String {
    format!("]d201{}21{serial}", goods::gtin())
}

fn gs1_128(sscc: &str) -> String {
    format!("]C100{sscc}")
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::gs1::scan;

    use super::*;

    #[test]
    fn every_line_but_the_control_codes_is_a_valid_gs1_scan() {
        let bench = Bench::honest(&mut Random::new(11));
        let codes = bench.lines().into_iter().filter(|line| line.starts_with(']'));
        let mut count = 0;
        for line in codes {
            assert!(
                scan::decode(&line).is_ok_and(|scan| scan.content.canonical().is_some()),
                "{line}"
            );
            count += 1;
        }
        assert_eq!(count, 2 * (2 * CARTON_ITEMS + 2));
    }
}
