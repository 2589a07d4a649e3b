//! Vectors of 32 bytes.

use std::arch::x86_64::*;
use std::hint::black_box;

/// Independent chains: enough to hide a latency of 4 to 6 cycles at two operations a cycle.
const CHAINS: usize = 12;

/// Bytes of a vector.
const VECTOR: usize = 32;

/// Lines of 64 bytes read at once.
const STRIDE: usize = 8 * VECTOR;

#[target_feature(enable = "avx2")]
pub(super) fn fold(bytes: &[u8]) -> u64 {
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    let mut sums = [_mm256_setzero_si256(); 8];
    for stride in strides {
        for (sum, vector) in sums.iter_mut().zip(stride.as_chunks::<VECTOR>().0) {
            // SAFETY: the array holds 32 bytes and `loadu` accepts any alignment.
            let vector = unsafe { _mm256_loadu_si256(vector.as_ptr().cast()) };
            *sum = _mm256_xor_si256(*sum, vector);
        }
    }
    let all = sums.into_iter().reduce(|a, b| _mm256_xor_si256(a, b));
    let all = all.unwrap_or(_mm256_setzero_si256());
    let halves = _mm_xor_si128(_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all));
    let folded = _mm_cvtsi128_si64(halves) ^ _mm_extract_epi64::<1>(halves);
    super::portable_fold(rest) ^ folded as u64
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn multiply_adds_f32(rounds: usize) -> usize {
    let mut sums = [_mm256_setzero_ps(); CHAINS];
    let (a, b) = (_mm256_set1_ps(black_box(0.5)), _mm256_set1_ps(black_box(1.0)));
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm256_fmadd_ps(*sum, a, b);
        }
    }
    black_box(sums);
    rounds * CHAINS * 8
}

/// Products of pairs, added in 16 bits: the unit that all dot products of bytes share. What widens
/// their sums to 32 bits comes on top and can be done once for several.
///
/// The inputs differ between the chains and change with every round, so that no product can be
/// computed once.
#[target_feature(enable = "avx2")]
pub(super) fn multiply_adds_int8(rounds: usize) -> usize {
    let mut weight = _mm256_set1_epi8(black_box(3));
    let mut sums = [weight; CHAINS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(weight, *sum));
        }
        weight = _mm256_xor_si256(weight, _mm256_set1_epi8(1));
    }
    black_box(sums);
    rounds * CHAINS * VECTOR
}
