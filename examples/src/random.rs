//! SplitMix64: the generator's only randomness.
//!
//! Invariants: the numbers depend on the seed alone, on any machine and in any release; not for
//! keys.

/// A stream of numbers; see Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators" (2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is at least 1. The bias is below `end` / 2^64.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number from -`spread` to `spread`, small ones more often: the sum of two dice.
    pub fn about_zero(&mut self, spread: i64) -> i64 {
        let sides = spread.unsigned_abs() + 1;
        let dice = self.below(sides) + self.below(sides);
        i64::try_from(dice).expect("two dice of a small spread") - spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_of_a_seed_are_those_of_the_paper() {
        let mut random = Random::new(1_234_567);
        let first = [random.next(), random.next(), random.next()];
        assert_eq!(
            first,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn dice_stay_within_their_spread() {
        let mut random = Random::new(7);
        assert!((0..1000).all(|_| random.about_zero(5).abs() <= 5));
    }
}
