//! 8 lanes in a register.

use std::arch::x86_64::*;

use super::element::pad;
use super::{Element, Kernel, PHASES, PREFETCH_BYTES, Rows, Slot, TILE, TILE_COLUMNS, TILE_ROWS};
use crate::cpu::avx2::{load, store, sum_lanes};
use crate::cpu::prefetch;

const LANES: usize = 8;
const STRIDE: usize = PHASES * LANES;

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
    const LANES: usize = LANES;

    fn dots<T: Element, const R: usize>(
        self,
        x: [&[f32]; R],
        weight: Rows<'_, T>,
        sums: &mut [[f32; R]],
    ) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { dots(x, weight, sums) }
    }

    fn pack<T: Element>(self, row: &[T], slot: Slot, packed: &mut [f32]) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { pack(row, slot, packed) }
    }

    fn tile<const R: usize>(self, x: &[f32], weight: &[f32], sums: &mut [f32; TILE]) {
        // SAFETY: `self` proves that the processor has the features.
        unsafe { tile::<R>(x, weight, sums) }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn dots<T: Element, const R: usize>(x: [&[f32]; R], weight: Rows<'_, T>, sums: &mut [[f32; R]]) {
    let x_steps = x.map(|row| row.as_chunks::<STRIDE>());
    let rest: [[f32; STRIDE]; R] = x_steps.map(|(_, rest)| pad(rest));
    for (weight, sums) in weight.iter().zip(sums) {
        let (weight_steps, weight_rest) = weight.as_chunks::<STRIDE>();
        let mut accumulators = [[_mm256_setzero_ps(); PHASES]; R];
        let steps = x_steps.map(|(steps, _)| &steps[..weight_steps.len()]);
        for (i, weight) in weight_steps.iter().enumerate() {
            // One row keeps up with the memory by itself, and prefetching costs it a quarter.
            if R > 1 {
                prefetch(weight, PREFETCH_BYTES);
            }
            multiply_step(steps.map(|steps| &steps[i]), weight, &mut accumulators);
        }
        if !weight_rest.is_empty() {
            let weight: [f32; STRIDE] = pad(weight_rest);
            multiply_step(rest.each_ref(), &weight, &mut accumulators);
        }
        for (sum, accumulators) in sums.iter_mut().zip(accumulators) {
            for phase_sum in sum_lanes(accumulators) {
                *sum += phase_sum;
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_step<T: Element, const R: usize>(
    x: [&[f32; STRIDE]; R],
    weight: &[T; STRIDE],
    accumulators: &mut [[__m256; PHASES]; R],
) {
    for (phase, weight) in weight.as_chunks::<LANES>().0.iter().enumerate() {
        // SAFETY: this function has the features that `load8` asks for.
        let weight = unsafe { T::load8(weight) };
        for (x, accumulators) in x.iter().zip(accumulators.iter_mut()) {
            let x = load(&x.as_chunks::<LANES>().0[phase]);
            accumulators[phase] = _mm256_fmadd_ps(x, weight, accumulators[phase]);
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn pack<T: Element>(row: &[T], slot: Slot, packed: &mut [f32]) {
    let n_steps = row.len().div_ceil(STRIDE);
    let (packed, _) = packed.as_chunks_mut::<LANES>();
    let (steps, rest) = row.as_chunks::<STRIDE>();
    for (step, values) in steps.iter().enumerate() {
        let (values, _) = values.as_chunks::<LANES>();
        for (phase, values) in values.iter().enumerate() {
            let place = (phase * n_steps + step) * slot.count + slot.index;
            // SAFETY: this function has the features that `load8` asks for.
            store(&mut packed[place], unsafe { T::load8(values) });
        }
    }
    if !rest.is_empty() {
        let values: [f32; STRIDE] = pad(rest);
        for (phase, values) in values.as_chunks::<LANES>().0.iter().enumerate() {
            packed[(phase * n_steps + steps.len()) * slot.count + slot.index] = *values;
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn tile<const R: usize>(x: &[f32], weight: &[f32], sums: &mut [f32; TILE]) {
    let (x, weight) = (x.as_chunks::<LANES>().0, weight.as_chunks::<LANES>().0);
    let (x, weight) = (x.as_chunks::<R>().0, weight.as_chunks::<TILE_COLUMNS>().0);
    // Four rows even for fewer: what is not used stays zero and leaves no trace in the code.
    let mut accumulators = [[_mm256_setzero_ps(); TILE_ROWS]; TILE_COLUMNS];
    for (x, [weight_0, weight_1, weight_2]) in x.iter().zip(weight) {
        let weight = [load(weight_0), load(weight_1), load(weight_2)];
        for (row, x) in x.iter().enumerate() {
            let x = load(x);
            for column in 0..TILE_COLUMNS {
                let accumulator = &mut accumulators[column][row];
                *accumulator = _mm256_fmadd_ps(x, weight[column], *accumulator);
            }
        }
    }
    let (sums, _) = sums.as_chunks_mut::<TILE_ROWS>();
    for (sums, accumulators) in sums.iter_mut().zip(accumulators) {
        for (sum, phase_sum) in sums.iter_mut().zip(sum_lanes(accumulators)) {
            *sum += phase_sum;
        }
    }
}
