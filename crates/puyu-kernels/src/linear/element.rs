//! The formats of weights.

use half::{bf16, f16};

#[cfg(target_arch = "x86_64")]
use crate::cpu::{avx2::Load8, avx512::Load16};

/// A float format that every version can widen.
#[cfg(target_arch = "x86_64")]
pub(super) trait Element: Widen + Load8 + Load16 + Send + Sync {}

#[cfg(target_arch = "x86_64")]
impl<T: Widen + Load8 + Load16 + Send + Sync> Element for T {}

/// A float format that every version can widen.
#[cfg(not(target_arch = "x86_64"))]
pub(super) trait Element: Widen + Send + Sync {}

#[cfg(not(target_arch = "x86_64"))]
impl<T: Widen + Send + Sync> Element for T {}

/// A float format whose values are also values of `f32`.
pub(super) trait Widen: Copy {
    /// The same value.
    fn widen(self) -> f32;
}

impl Widen for f32 {
    #[inline]
    fn widen(self) -> f32 {
        self
    }
}

impl Widen for bf16 {
    #[inline]
    fn widen(self) -> f32 {
        self.to_f32()
    }
}

impl Widen for f16 {
    #[inline]
    fn widen(self) -> f32 {
        self.to_f32()
    }
}

/// Widens the rest of a row into an array that is otherwise zero.
///
/// # Panics
///
/// If the rest does not fit.
#[inline]
pub(super) fn pad<T: Widen, const LEN: usize>(rest: &[T]) -> [f32; LEN] {
    let mut padded = [0.0; LEN];
    for (padded, value) in padded[..rest.len()].iter_mut().zip(rest) {
        *padded = value.widen();
    }
    padded
}
