//! Seeded chance, for the jitter of retries only.

/// SplitMix64: one word of state, never stuck, good enough to spread retries.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `most`, both included.
    pub(crate) const fn up_to(&mut self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(n) => self.next() % n,
            None => self.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_numbers_within_the_bound() {
        let (mut a, mut b) = (Rng::new(7), Rng::new(7));
        let mut seen = [0u32; 4];
        for _ in 0..1000 {
            let n = a.up_to(3);
            assert_eq!(n, b.up_to(3));
            seen[usize::try_from(n).unwrap()] += 1;
        }
        assert!(
            seen.iter().all(|&n| n > 150),
            "every value comes up: {seen:?}"
        );
        assert_eq!(Rng::new(1).up_to(0), 0);
        let _ = Rng::new(1).up_to(u64::MAX);
    }
}
