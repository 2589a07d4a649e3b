//! The dice of fresh weights: the same on every device and machine.

/// SplitMix64: a small deterministic generator. Not for secrets.
///
/// # Source
///
/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
pub(crate) struct Rng {
    state: u64,
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform on [-1, 1), in steps of 2^-23.
    pub(crate) fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    }

    /// Normal with mean 0 and deviation 1, by the polar method.
    pub(crate) fn normal(&mut self) -> f32 {
        loop {
            let (x, y) = (self.uniform(), self.uniform());
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and deviation of `n` draws.
    fn moments(mut draw: impl FnMut() -> f32) -> (f64, f64) {
        const N: usize = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..N {
            let value = f64::from(draw());
            sum += value;
            squares += value * value;
        }
        let mean = sum / N as f64;
        (mean, (squares / N as f64 - mean * mean).sqrt())
    }

    #[test]
    fn draws_have_the_moments_of_their_distribution() {
        // Means of 1e5 draws deviate by 3e-3, deviations by 2e-3; five times that is allowed.
        let mut rng = Rng::new(7);
        let (mean, deviation) = moments(|| rng.normal());
        assert!(mean.abs() < 0.016 && (deviation - 1.0).abs() < 0.012, "{mean} {deviation}");
        let (mean, deviation) = moments(|| rng.uniform());
        assert!(mean.abs() < 0.016 && (deviation - 3_f64.sqrt().recip()).abs() < 0.012);
    }

    #[test]
    fn the_same_seed_gives_the_same_draws_and_another_seed_others() {
        let draws = |seed| -> Vec<f32> {
            let mut rng = Rng::new(seed);
            (0..8).map(|_| rng.normal()).collect()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }
}
