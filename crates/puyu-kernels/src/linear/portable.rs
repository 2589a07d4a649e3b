//! 8 lanes in arrays, which compilers turn into whatever vectors the target always has.
//!
//! Products are rounded before they are added: without an instruction for it, a fused
//! multiply-add is a slow library call.

use super::element::pad;
use super::{Element, Kernel, PHASES, Rows, Slot, TILE, TILE_COLUMNS, TILE_ROWS};

const LANES: usize = 8;
const STRIDE: usize = PHASES * LANES;

/// The version for every processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Kernel for Portable {
    const LANES: usize = LANES;

    fn dots<T: Element, const R: usize>(
        self,
        x: [&[f32]; R],
        weight: Rows<'_, T>,
        sums: &mut [[f32; R]],
    ) {
        for (weight, sums) in weight.iter().zip(sums) {
            for (x, sum) in x.iter().zip(sums) {
                for accumulator in multiply_block(x, weight) {
                    *sum += sum_lanes(accumulator);
                }
            }
        }
    }

    fn pack<T: Element>(self, row: &[T], slot: Slot, packed: &mut [f32]) {
        let n_steps = row.len().div_ceil(STRIDE);
        let (packed, _) = packed.as_chunks_mut::<LANES>();
        for (step, values) in row.chunks(STRIDE).enumerate() {
            let values: [f32; STRIDE] = pad(values);
            for (phase, values) in values.as_chunks::<LANES>().0.iter().enumerate() {
                packed[(phase * n_steps + step) * slot.count + slot.index] = *values;
            }
        }
    }

    fn tile<const R: usize>(self, x: &[f32], weight: &[f32], sums: &mut [f32; TILE]) {
        let (x, weight) = (x.as_chunks::<LANES>().0, weight.as_chunks::<LANES>().0);
        let mut accumulators = [[[0.0; LANES]; R]; TILE_COLUMNS];
        let steps = x.as_chunks::<R>().0.iter().zip(weight.as_chunks::<TILE_COLUMNS>().0);
        for (x, weight) in steps {
            for (accumulators, weight) in accumulators.iter_mut().zip(weight) {
                for (accumulator, x) in accumulators.iter_mut().zip(x) {
                    multiply_add(x, weight, accumulator);
                }
            }
        }
        for (sums, accumulators) in sums.as_chunks_mut::<TILE_ROWS>().0.iter_mut().zip(accumulators)
        {
            for (sum, accumulator) in sums.iter_mut().zip(accumulators) {
                *sum += sum_lanes(accumulator);
            }
        }
    }
}

/// The lanes of all phases of a block.
fn multiply_block<T: Element>(x: &[f32], weight: &[T]) -> [[f32; LANES]; PHASES] {
    let mut accumulators = [[0.0; LANES]; PHASES];
    for (x, weight) in x.chunks(STRIDE).zip(weight.chunks(STRIDE)) {
        let (x, weight): ([f32; STRIDE], [f32; STRIDE]) = (pad(x), pad(weight));
        let (x, weight) = (x.as_chunks::<LANES>().0, weight.as_chunks::<LANES>().0);
        for (phase, accumulator) in accumulators.iter_mut().enumerate() {
            multiply_add(&x[phase], &weight[phase], accumulator);
        }
    }
    accumulators
}

#[inline]
fn multiply_add(x: &[f32; LANES], weight: &[f32; LANES], accumulator: &mut [f32; LANES]) {
    for (accumulator, (x, weight)) in accumulator.iter_mut().zip(x.iter().zip(weight)) {
        *accumulator += x * weight;
    }
}

#[inline]
fn sum_lanes([a, b, c, d, e, f, g, h]: [f32; LANES]) -> f32 {
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}
