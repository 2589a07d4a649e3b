//! What the processor can do, found once at run time.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;

#[cfg(test)]
mod tests;

/// An instruction set for which the kernels have a version, from the plainest to the fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// What every processor of the target architecture has.
    Portable,
    /// AVX2, FMA and F16C of x86-64: vectors of 8 floats.
    Avx2,
    /// AVX-512F of x86-64: vectors of 16 floats.
    Avx512,
}

impl Isa {
    /// Finds the fastest instruction set of this processor.
    ///
    /// # Examples
    ///
    /// ```
    /// use puyu_kernels::Isa;
    ///
    /// assert!(Isa::available().contains(&Isa::detect()));
    /// ```
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            // The standard library caches the answers, so this is a load and a test each.
            let has_avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            if has_avx2 && is_x86_feature_detected!("avx512f") {
                return Self::Avx512;
            }
            if has_avx2 {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// Every instruction set of this processor, from the plainest to the fastest.
    pub fn available() -> Vec<Self> {
        let fastest = Self::detect();
        let all = [Self::Portable, Self::Avx2, Self::Avx512];
        all.into_iter().filter(|&isa| isa <= fastest).collect()
    }
}

/// Bytes of a cache line on every processor that the kernels are tuned for.
const CACHE_LINE_BYTES: usize = 64;

/// Asks the processor to bring what lies `ahead_bytes` behind `values`, as much as these take, into
/// its second-level cache. A hint: nothing is read, and nothing need be there.
///
/// The second level, because lines that come too early would drive others out of the first.
#[inline]
pub(crate) fn prefetch<T>(values: &[T], ahead_bytes: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

        let start = values.as_ptr().cast::<i8>().wrapping_add(ahead_bytes);
        for offset in (0..size_of_val(values)).step_by(CACHE_LINE_BYTES) {
            // SAFETY: the instruction is part of every x86-64 and never faults, whatever the
            // address; no reference is made of it.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(start.wrapping_add(offset)) };
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, ahead_bytes, CACHE_LINE_BYTES);
}
