//! Plain loops over arrays, which compilers turn into whatever vectors the target always has.

use half::f16;

use super::format::{
    BLOCK, BLOCK_BYTES_4, BLOCK_BYTES_8, OFFSET_4, OFFSET_8, PANEL, QUAD, QUAD_BYTES,
};
use super::kernel::{Kernel, Scales, Source, Span, Sums, add_groups};
use super::rows::Block;

/// The version for every processor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Portable;

impl Kernel for Portable {
    type Ints = [i32; PANEL];
    type Floats = [f32; PANEL];
    type Zeros = [i32; PANEL];

    const UNPACKED_8: usize = BLOCK_BYTES_8;

    fn add<S: Source<Self>, const R: usize>(
        self,
        span: Span<'_>,
        x: [&[Block]; R],
        sums: &mut [Sums; R],
    ) {
        // SAFETY: this version asks for nothing.
        unsafe { add_groups::<Self, S, R>(span, x, sums) }
    }

    unsafe fn dots_4<const R: usize>(
        block: &[u8; BLOCK_BYTES_4],
        x: [&Block; R],
        zeros: Option<[i32; PANEL]>,
    ) -> [[i32; PANEL]; R] {
        let mut unpacked = [0; BLOCK_BYTES_8];
        Self.unpack_4(block, &mut unpacked);
        let zeros = zeros.unwrap_or([i32::from(OFFSET_4); PANEL]);
        x.map(|x| dots(&unpacked, x, zeros))
    }

    unsafe fn unpacked_dots_4<const R: usize>(
        block: &[u8; BLOCK_BYTES_8],
        x: [&Block; R],
        zeros: Option<[i32; PANEL]>,
    ) -> [[i32; PANEL]; R] {
        let zeros = zeros.unwrap_or([i32::from(OFFSET_4); PANEL]);
        x.map(|x| dots(block, x, zeros))
    }

    unsafe fn dots_8<const R: usize>(
        block: &[u8; BLOCK_BYTES_8],
        x: [&Block; R],
    ) -> [[i32; PANEL]; R] {
        x.map(|x| dots(block, x, [i32::from(OFFSET_8); PANEL]))
    }

    unsafe fn unpacked_dots_8<const R: usize>(block: &[u8], x: [&Block; R]) -> [[i32; PANEL]; R] {
        let block = block.try_into().expect("an unpacked block has the length of a packed one");
        x.map(|x| dots(block, x, [i32::from(OFFSET_8); PANEL]))
    }

    fn unpack_4(self, block: &[u8; BLOCK_BYTES_4], out: &mut [u8; BLOCK_BYTES_8]) {
        let out = out.as_chunks_mut::<{ 2 * QUAD_BYTES }>().0;
        for (bytes, out) in block.as_chunks::<QUAD_BYTES>().0.iter().zip(out) {
            let (even, odd) = out.split_at_mut(QUAD_BYTES);
            for (byte, (even, odd)) in bytes.iter().zip(even.iter_mut().zip(odd)) {
                (*even, *odd) = (byte & 15, byte >> 4);
            }
        }
    }

    fn unpack_8(self, block: &[u8; BLOCK_BYTES_8], out: &mut [u8]) {
        out.copy_from_slice(block);
    }

    unsafe fn scales(scales: &Scales) -> [f32; PANEL] {
        let mut out = [0.0; PANEL];
        for (out, &bytes) in out.iter_mut().zip(scales.as_chunks().0) {
            *out = f16::from_le_bytes(bytes).to_f32();
        }
        out
    }

    unsafe fn zeros(zeros: &Scales) -> [i32; PANEL] {
        let mut out = [0; PANEL];
        for (out, &bytes) in out.iter_mut().zip(zeros.as_chunks().0) {
            *out = i32::from(i16::from_le_bytes(bytes));
        }
        out
    }

    unsafe fn load(sums: &Sums) -> Sums {
        *sums
    }

    unsafe fn store(sums: &mut Sums, values: Sums) {
        *sums = values;
    }

    unsafe fn multiply(ints: [i32; PANEL], scale: f32) -> Sums {
        ints.map(|int| int as f32 * scale)
    }

    unsafe fn multiply_add(ints: [i32; PANEL], scale: f32, mut sums: Sums) -> Sums {
        for (sum, int) in sums.iter_mut().zip(ints) {
            *sum = (int as f32).mul_add(scale, *sum);
        }
        sums
    }

    unsafe fn scale_add(values: Sums, scales: Sums, mut sums: Sums) -> Sums {
        for (sum, (value, scale)) in sums.iter_mut().zip(values.into_iter().zip(scales)) {
            *sum = value.mul_add(scale, *sum);
        }
        sums
    }
}

/// Sums `(value - zero) * x` of a block with one value in a byte.
fn dots(block: &[u8; BLOCK_BYTES_8], x: &Block, zeros: [i32; PANEL]) -> [i32; PANEL] {
    let mut sums = zeros.map(|zero| zero * x.negated_sums.map(i32::from).iter().sum::<i32>());
    let quads = block.as_chunks::<QUAD_BYTES>().0.iter().zip(x.values.as_chunks::<QUAD>().0);
    for (weights, x) in quads {
        for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<QUAD>().0) {
            for (&weight, &x) in weights.iter().zip(x) {
                *sum += i32::from(weight) * i32::from(x);
            }
        }
    }
    sums
}

const _: () = assert!(BLOCK.is_multiple_of(2 * QUAD), "4-bit quads come in pairs");
