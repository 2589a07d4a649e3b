//! The inner loop, written once over the few operations in which versions differ.

use super::format::{BLOCK_BYTES_4, BLOCK_BYTES_8, PANEL, QuantFormat, SCALE_BYTES};
use super::rows::Block;

/// Most rows of activations in a tile: on AVX2 their 12 sums, 2 weights, an activation and a
/// product fill the 16 registers.
pub(super) const TILE_ROWS: usize = 6;

/// Sums of a panel for a row.
pub(super) type Sums = [f32; PANEL];

/// The scales of a group, as they are stored.
pub(super) type Scales = [u8; SCALE_BYTES];

/// A version of the inner loop.
///
/// # Safety
///
/// The unsafe functions ask for the instruction set of the version.
pub(super) trait Kernel: Copy + Send + Sync {
    /// An integer for each output of a panel.
    type Ints: Copy;
    /// A float for each output of a panel.
    type Floats: Copy;
    /// A zero point for each output of a panel.
    type Zeros: Copy;

    /// Bytes of an unpacked block of 8-bit values; of 4-bit values it is always one byte each.
    const UNPACKED_8: usize;

    /// Calls [`add_groups`] with the instruction set of the version.
    fn add<S: Source<Self>, const R: usize>(
        self,
        span: Span<'_>,
        x: [&[Block]; R],
        sums: &mut [Sums; R],
    );

    /// Sums `(value - zero) * x` over a block of 4-bit values; without zero points these are 8.
    unsafe fn dots_4<const R: usize>(
        block: &[u8; BLOCK_BYTES_4],
        x: [&Block; R],
        zeros: Option<Self::Zeros>,
    ) -> [Self::Ints; R];

    /// The same for an unpacked block.
    unsafe fn unpacked_dots_4<const R: usize>(
        block: &[u8; BLOCK_BYTES_8],
        x: [&Block; R],
        zeros: Option<Self::Zeros>,
    ) -> [Self::Ints; R];

    /// Sums `(value - 128) * x` over a block of 8-bit values.
    unsafe fn dots_8<const R: usize>(
        block: &[u8; BLOCK_BYTES_8],
        x: [&Block; R],
    ) -> [Self::Ints; R];

    /// The same for an unpacked block of [`Self::UNPACKED_8`] bytes.
    unsafe fn unpacked_dots_8<const R: usize>(block: &[u8], x: [&Block; R]) -> [Self::Ints; R];

    /// Spreads 4-bit values over bytes, quad by quad.
    fn unpack_4(self, block: &[u8; BLOCK_BYTES_4], out: &mut [u8; BLOCK_BYTES_8]);

    /// Lays 8-bit values out for [`Self::unpacked_dots_8`].
    fn unpack_8(self, block: &[u8; BLOCK_BYTES_8], out: &mut [u8]);

    /// Widens scales.
    unsafe fn scales(scales: &Scales) -> Self::Floats;

    /// Reads zero points.
    unsafe fn zeros(zeros: &Scales) -> Self::Zeros;

    /// Reads sums.
    unsafe fn load(sums: &Sums) -> Self::Floats;

    /// Writes sums.
    unsafe fn store(sums: &mut Sums, values: Self::Floats);

    /// `ints * scale`, rounded.
    unsafe fn multiply(ints: Self::Ints, scale: f32) -> Self::Floats;

    /// `ints * scale + sums`, rounded once.
    unsafe fn multiply_add(ints: Self::Ints, scale: f32, sums: Self::Floats) -> Self::Floats;

    /// `values * scales + sums`, rounded once.
    unsafe fn scale_add(
        values: Self::Floats,
        scales: Self::Floats,
        sums: Self::Floats,
    ) -> Self::Floats;
}

/// Groups of a panel that follow each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'a> {
    pub(super) format: QuantFormat,
    /// The groups as they are stored.
    pub(super) groups: &'a [u8],
    /// Their blocks unpacked, for sources that are.
    pub(super) unpacked: &'a [u8],
}

/// Where a kernel takes its blocks from.
pub(super) trait Source<K: Kernel> {
    /// Whether the blocks are unpacked.
    const IS_UNPACKED: bool;
    /// Bytes of a block.
    const BLOCK_BYTES: usize;

    /// Sums a block.
    ///
    /// # Safety
    ///
    /// The processor must have the instruction set of the kernel.
    unsafe fn dots<const R: usize>(
        block: &[u8],
        x: [&Block; R],
        zeros: Option<K::Zeros>,
    ) -> [K::Ints; R];
}

/// The blocks of a source have the length of their type: [`add_groups`] cuts them so.
const CUT: &str = "blocks are cut to their length";

/// 4-bit values as they are stored.
pub(super) struct Packed4;

impl<K: Kernel> Source<K> for Packed4 {
    const IS_UNPACKED: bool = false;
    const BLOCK_BYTES: usize = BLOCK_BYTES_4;

    #[inline(always)]
    unsafe fn dots<const R: usize>(
        block: &[u8],
        x: [&Block; R],
        zeros: Option<K::Zeros>,
    ) -> [K::Ints; R] {
        // SAFETY: the caller promises the instruction set.
        unsafe { K::dots_4(block.try_into().expect(CUT), x, zeros) }
    }
}

/// 8-bit values as they are stored.
pub(super) struct Packed8;

impl<K: Kernel> Source<K> for Packed8 {
    const IS_UNPACKED: bool = false;
    const BLOCK_BYTES: usize = BLOCK_BYTES_8;

    #[inline(always)]
    unsafe fn dots<const R: usize>(
        block: &[u8],
        x: [&Block; R],
        _zeros: Option<K::Zeros>,
    ) -> [K::Ints; R] {
        // SAFETY: the caller promises the instruction set.
        unsafe { K::dots_8(block.try_into().expect(CUT), x) }
    }
}

/// 4-bit values, unpacked.
pub(super) struct Unpacked4;

impl<K: Kernel> Source<K> for Unpacked4 {
    const IS_UNPACKED: bool = true;
    const BLOCK_BYTES: usize = BLOCK_BYTES_8;

    #[inline(always)]
    unsafe fn dots<const R: usize>(
        block: &[u8],
        x: [&Block; R],
        zeros: Option<K::Zeros>,
    ) -> [K::Ints; R] {
        // SAFETY: the caller promises the instruction set.
        unsafe { K::unpacked_dots_4(block.try_into().expect(CUT), x, zeros) }
    }
}

/// 8-bit values, unpacked.
pub(super) struct Unpacked8;

impl<K: Kernel> Source<K> for Unpacked8 {
    const IS_UNPACKED: bool = true;
    const BLOCK_BYTES: usize = K::UNPACKED_8;

    #[inline(always)]
    unsafe fn dots<const R: usize>(
        block: &[u8],
        x: [&Block; R],
        _zeros: Option<K::Zeros>,
    ) -> [K::Ints; R] {
        // SAFETY: the caller promises the instruction set.
        unsafe { K::unpacked_dots_8(block, x) }
    }
}

/// Adds the products of groups of a panel to the sums of `R` rows.
///
/// `x` holds the blocks of the rows from the first group on, as many for each row; the last group
/// may have more blocks than they.
///
/// # Safety
///
/// The processor must have the instruction set of the kernel. Inlined into a function that has it.
#[inline(always)]
pub(super) unsafe fn add_groups<K: Kernel, S: Source<K>, const R: usize>(
    span: Span<'_>,
    x: [&[Block]; R],
    sums: &mut [Sums; R],
) {
    let format = span.format;
    let group_blocks = format.group().n_blocks();
    let (group_bytes, head_bytes) = (format.group_bytes(), format.head_bytes());
    let unpacked_bytes = group_blocks * S::BLOCK_BYTES;
    let n_blocks = x.first().map_or(0, |row| row.len());
    let x = x.map(|row| &row[..n_blocks]);

    // SAFETY: the caller promises the instruction set, here and below.
    let mut totals = [unsafe { K::load(&[0.0; PANEL]) }; R];
    for (total, sums) in totals.iter_mut().zip(&*sums) {
        // SAFETY: as above.
        *total = unsafe { K::load(sums) };
    }
    // Indices rather than zipped iterators: a group of one block is short, and counting what these
    // have left took a tenth of its time.
    let mut i = 0;
    for (group, bytes) in span.groups.chunks_exact(group_bytes).enumerate() {
        if i == n_blocks {
            break;
        }
        let (head, packed) = bytes.split_at(head_bytes);
        let mut blocks =
            if S::IS_UNPACKED { &span.unpacked[group * unpacked_bytes..] } else { packed };
        let (heads, _) = head.as_chunks::<SCALE_BYTES>();
        let zeros = if format.has_zeros() {
            // SAFETY: as above.
            Some(unsafe { K::zeros(&heads[1]) })
        } else {
            None
        };

        let end = n_blocks.min(i + group_blocks);
        let block_x = x.map(|row| &row[i]);
        // SAFETY: as above.
        let ints = unsafe { S::dots(&blocks[..S::BLOCK_BYTES], block_x, zeros) };
        let mut values = totals;
        for (row, value) in values.iter_mut().enumerate() {
            // SAFETY: as above.
            *value = unsafe { K::multiply(ints[row], block_x[row].scale) };
        }
        i += 1;
        while i < end {
            blocks = &blocks[S::BLOCK_BYTES..];
            let block_x = x.map(|row| &row[i]);
            // SAFETY: as above.
            let ints = unsafe { S::dots(&blocks[..S::BLOCK_BYTES], block_x, zeros) };
            for (row, value) in values.iter_mut().enumerate() {
                // SAFETY: as above.
                *value = unsafe { K::multiply_add(ints[row], block_x[row].scale, *value) };
            }
            i += 1;
        }
        // SAFETY: as above.
        let scales = unsafe { K::scales(&heads[0]) };
        for (total, value) in totals.iter_mut().zip(values) {
            // SAFETY: as above.
            *total = unsafe { K::scale_add(value, scales, *total) };
        }
    }
    for (sums, total) in sums.iter_mut().zip(totals) {
        // SAFETY: as above.
        unsafe { K::store(sums, total) };
    }
}
