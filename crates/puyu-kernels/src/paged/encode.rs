//! Writing one row of a head into its places.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::layout::{KvType, Places, SideMut, UNIT};

/// Stores the row of the token in `slot`. Its bytes depend on the row alone.
pub(super) fn write_row(
    side: SideMut<'_>,
    kv_type: KvType,
    slot: usize,
    places: Places,
    row: &[f32],
) {
    let SideMut { codes, scales, minimums } = side;
    match kv_type {
        KvType::F32 => put(codes, places, row.iter().map(|value| value.to_le_bytes())),
        KvType::F16 => {
            let rounded = row.as_chunks::<UNIT>().0.iter().flat_map(round_to_f16);
            put(codes, places, rounded.map(f16::to_le_bytes));
        }
        KvType::Bf16 => {
            put(codes, places, row.iter().map(|&value| bf16::from_f32(value).to_le_bytes()));
        }
        KvType::Int8 => {
            let range = write_range(scales, minimums, slot, Range::of(row, 255));
            put(codes, places, row.iter().map(|&value| [range.code(value)]));
        }
        KvType::Int4 => {
            let range = write_range(scales, minimums, slot, Range::of(row, 15));
            for (place, &value) in places.iter().zip(row) {
                put_nibble(codes, place, range.code(value));
            }
        }
    }
}

/// The conversion of a slice finds out once what the processor has.
fn round_to_f16(values: &[f32; UNIT]) -> [f16; UNIT] {
    let mut rounded = [f16::ZERO; UNIT];
    rounded.convert_from_f32_slice(values);
    rounded
}

fn put<const N: usize>(codes: &mut [u8], places: Places, row: impl Iterator<Item = [u8; N]>) {
    let (codes, _) = codes[places.first * N..].as_chunks_mut::<N>();
    for (place, code) in codes.iter_mut().step_by(places.stride).zip(row) {
        *place = code;
    }
}

/// Leaves the other half of the byte as it is: it belongs to another token or element.
fn put_nibble(codes: &mut [u8], place: usize, code: u8) {
    const HALF: usize = UNIT / 2;
    let (unit, element) = (place / UNIT, place % UNIT);
    let byte = &mut codes[unit * HALF + element % HALF];
    *byte = if element < HALF { *byte & 0xf0 | code } else { *byte & 0x0f | code << 4 };
}

fn write_range(scales: &mut [u8], minimums: &mut [u8], slot: usize, range: Range) -> Range {
    scales.as_chunks_mut().0[slot] = range.scale.to_le_bytes();
    minimums.as_chunks_mut().0[slot] = range.minimum.to_le_bytes();
    range
}

/// What the codes of a row of integers mean: `x = code * scale + minimum`.
#[derive(Debug, Clone, Copy)]
struct Range {
    scale: f32,
    minimum: f32,
    max_code: f32,
}

impl Range {
    /// A constant row has scale 0, so that its minimum is all there is. A row with a value that is
    /// not finite has scale NaN: better a clear failure than silent nonsense.
    fn of(row: &[f32], max_code: u8) -> Self {
        let minimum = row.iter().copied().fold(f32::INFINITY, f32::min);
        let maximum = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let max_code = f32::from(max_code);
        // Each divided by itself, so that their difference does not overflow.
        let scale = maximum / max_code - minimum / max_code;
        let is_finite = row.iter().all(|value| value.is_finite());
        Self { scale: if is_finite { scale.max(0.0) } else { f32::NAN }, minimum, max_code }
    }

    fn code(self, value: f32) -> u8 {
        if self.scale > 0.0 {
            // Not negative, so adding a half and cutting off rounds to nearest; the conversion
            // saturates, and `min` keeps the rounding of `scale` from leaving the range.
            ((value - self.minimum) / self.scale + 0.5).min(self.max_code) as u8
        } else {
            0
        }
    }
}
