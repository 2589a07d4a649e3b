//! What the threads of this machine can do at most, measured now.

use std::time::Instant;

use puyu::deploy::roof;
use serde::Serialize;

/// Bytes read for the bandwidth: several times the caches, and little beside a model.
const READ_BYTES: usize = 256 << 20;

/// Each roof is the best of so many: what disturbs only ever slows down.
const TRIES: usize = 5;

/// What the threads can do at most.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Roofs {
    /// Bytes read per second, one linear stream for each thread.
    pub(crate) read_bytes_per_s: f64,
    /// Multiply-adds of `f32` per second.
    pub(crate) f32_per_s: f64,
    /// Multiply-adds of 8-bit integers per second.
    pub(crate) int8_per_s: f64,
}

/// Measures on the current pool.
pub(crate) fn measure() -> Roofs {
    let bytes: Vec<u8> = (0..READ_BYTES).map(|i| i as u8).collect();
    Roofs {
        read_bytes_per_s: best(|| roof::read(&bytes)),
        f32_per_s: best(roof::multiply_adds_f32),
        int8_per_s: best(roof::multiply_adds_int8),
    }
}

fn best(work: impl Fn() -> usize) -> f64 {
    let rate = || {
        let start = Instant::now();
        let n = work();
        n as f64 / start.elapsed().as_secs_f64()
    };
    (0..TRIES).map(|_| rate()).fold(0.0, f64::max)
}
