//! 8 lanes in a register, two of them for a unit.

mod load;
mod soften;
mod stream;
mod tile;

pub(super) use load::Load;

use super::format::Stored;
use super::kernel::{Codes, Group, Kernel, Row, Scales, Share, Softened};
use super::layout::UNIT;

const LANES: usize = 8;

/// Rows up to which all chains of a group of tokens fit in the registers.
const WHOLE_ROWS: usize = 3;

/// Proof that the processor has AVX2, FMA and F16C.
#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// # Safety
    ///
    /// The processor must have AVX2, FMA and F16C.
    pub(super) unsafe fn new() -> Self {
        Self(())
    }
}

impl Kernel for Avx2 {
    fn stream_scores<F: Stored, const R: usize>(
        self,
        queries: &[[f32; R]],
        keys: Codes<'_, F>,
        group: usize,
        rows: &mut [Row; R],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe {
            if R <= WHOLE_ROWS {
                stream::stream_scores::<F, R>(queries, keys, group, rows);
            } else {
                stream::stream_many_scores::<F, R>(queries, keys, group, rows);
            }
        }
    }

    fn stream_values<F: Stored, const R: usize>(
        self,
        weights: &[Row; R],
        group: Group<R>,
        values: Codes<'_, F>,
        sums: &mut [[f32; UNIT]],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { stream::stream_values::<F, R>(weights, group, values, sums) }
    }

    fn widen<F: Stored>(self, units: &[F::Unit], out: &mut [[f32; UNIT]]) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { load::widen::<F>(units, out) }
    }

    fn tile_scores<const R: usize>(
        self,
        queries: &[[f32; R]],
        keys: &[[f32; UNIT]],
        group: usize,
        rows: &mut [Row; R],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { tile::tile_scores::<R>(queries, keys, group, rows) }
    }

    fn tile_values<const R: usize>(
        self,
        weights: &[Row; R],
        values: &[[f32; UNIT]],
        shares: &[Share; R],
        out: &mut [[f32; UNIT]; R],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { tile::tile_values::<R>(weights, values, shares, out) }
    }

    fn soften(
        self,
        row: &mut Row,
        visible: usize,
        scales: Option<&Scales>,
        query_sum: f32,
    ) -> Softened {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { soften::soften(row, visible, scales, query_sum) }
    }

    fn combine<const R: usize>(
        self,
        sums: &[[f32; UNIT]],
        shares: &[Share; R],
        out: &mut [[f32; UNIT]],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { soften::combine::<R>(sums, shares, out) }
    }

    fn exp(self, x: f32) -> f32 {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { soften::exp(x) }
    }
}
