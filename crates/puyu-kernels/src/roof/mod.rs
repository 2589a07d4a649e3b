//! What this machine can do at most, to compare the operations with.
//!
//! These functions do work and tell how much; whoever calls them holds the watch. All threads of
//! the current pool take part, see [`Pool`](crate::Pool).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(test)]
mod tests;

use std::hint::black_box;

use crate::{Isa, pool};

/// Rounds of a loop of multiply-adds between two looks at the clock.
const ROUNDS: usize = 1 << 20;

/// Reads all bytes, one linear stream for each thread, and returns how many.
///
/// # Examples
///
/// ```
/// assert_eq!(puyu_kernels::roof::read(&[1; 1000]), 1000);
/// ```
pub fn read(bytes: &[u8]) -> usize {
    let n_threads = pool::n_threads();
    let part = bytes.len().div_ceil(n_threads).max(1);
    let n_parts = bytes.len().div_ceil(part);
    pool::for_each(n_parts, |i| {
        let end = bytes.len().min((i + 1) * part);
        black_box(fold(&bytes[i * part..end]));
    });
    bytes.len()
}

/// Does multiply-adds of `f32` in registers on every thread, and returns how many.
pub fn multiply_adds_f32() -> usize {
    on_every_thread(|| match Isa::detect() {
        // SAFETY: the processor has AVX2 and FMA, as `detect` has found; AVX-512 is only reported
        // together with them.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx512 => unsafe { avx2::multiply_adds_f32(ROUNDS) },
        _ => portable_f32(ROUNDS),
    })
}

/// Does multiply-adds of 8-bit integers in registers on every thread, and returns how many.
pub fn multiply_adds_int8() -> usize {
    on_every_thread(|| match Isa::detect() {
        // SAFETY: as in `multiply_adds_f32`.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx512 => unsafe { avx2::multiply_adds_int8(ROUNDS) },
        _ => portable_int8(ROUNDS),
    })
}

fn on_every_thread(work: impl Fn() -> usize + Sync) -> usize {
    let n_threads = pool::n_threads();
    let done = std::sync::atomic::AtomicUsize::new(0);
    pool::for_each(n_threads, |_| {
        done.fetch_add(work(), std::sync::atomic::Ordering::Relaxed);
    });
    done.into_inner()
}

/// Something that depends on every byte.
fn fold(bytes: &[u8]) -> u64 {
    match Isa::detect() {
        // SAFETY: as in `multiply_adds_f32`.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 | Isa::Avx512 => unsafe { avx2::fold(bytes) },
        _ => portable_fold(bytes),
    }
}

fn portable_fold(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let folded = words.iter().fold(0, |all, word| all ^ u64::from_le_bytes(*word));
    rest.iter().fold(folded, |all, &byte| all ^ u64::from(byte))
}

const LANES: usize = 64;

fn portable_f32(rounds: usize) -> usize {
    let mut sums = [0.0_f32; LANES];
    let (a, b) = (black_box(0.5), black_box(1.0));
    for _ in 0..rounds {
        sums.iter_mut().for_each(|sum| *sum = *sum * a + b);
    }
    black_box(sums);
    rounds * LANES
}

fn portable_int8(rounds: usize) -> usize {
    let mut sums = [0_i32; LANES];
    let (a, b) = (black_box([3_i8; LANES]), black_box([5_i8; LANES]));
    for _ in 0..rounds {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = sum.wrapping_add(i32::from(a) * i32::from(b));
        }
        black_box(&mut sums);
    }
    rounds * LANES
}
