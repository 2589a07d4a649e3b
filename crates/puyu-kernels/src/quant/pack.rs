//! Weights into the layout of [`super::format`], and back.

use half::f16;

use super::format::{
    BLOCK, PANEL, QuantFormat, QuantShape, QuantWeight, SCALE_BYTES, place_4, place_8,
};
use super::round::{Codes, MAX_GROUP, Weights, round_group};
use crate::shared::SharedSlice;
use crate::{Isa, Weight, bf16_to_f32, f16_to_f32, pool};

/// Bytes of a `Q4_0` block of GGUF: a scale and 32 values of 4 bits.
const Q4_0_BYTES: usize = 18;

/// Bytes of a `Q8_0` block of GGUF: a scale and 32 values of 8 bits.
const Q8_0_BYTES: usize = 34;

/// Rounds a weight to the nearest values of a format.
///
/// With the scale `d` of its group, a weight of [`QuantFormat::Int8`] and
/// [`QuantFormat::Int4Asymmetric`] is kept with an error of at most `d / 2`, plus the rounding of a
/// few `f32`. For [`QuantFormat::Int4`] the scale with the least sum of squared errors is searched;
/// it is never worse than what `Q4_0` of llama.cpp or the largest magnitude over 7 give.
///
/// Scales are half floats: they end at 65504, and groups below 2^-25 vanish. The scale of a group
/// with an infinity or NaN is NaN, and so is every output of its row.
///
/// # Shapes
///
/// - `weight`: `[m, k]`
/// - `out`: `shape.n_bytes()`
///
/// # Panics
///
/// If an axis is 0, or the lengths are not those of `shape`.
///
/// # Examples
///
/// ```
/// use puyu_kernels::{Group, QuantFormat, QuantShape, QuantWeight, Weight, dequantize, quantize};
///
/// let shape = QuantShape { m: 2, k: 3, format: QuantFormat::Int8 { group: Group::Of32 } };
/// let mut bytes = vec![0; shape.n_bytes().expect("a small weight fits in memory")];
/// quantize(Weight::F32(&[127.0, 1.0, -3.0, 0.0, 254.0, 2.0]), shape, &mut bytes);
///
/// let mut values = [0.0; 6];
/// dequantize(QuantWeight::new(&bytes, shape), &mut values);
/// assert_eq!(values, [127.0, 1.0, -3.0, 0.0, 254.0, 2.0]);
/// ```
pub fn quantize(weight: Weight<'_>, shape: QuantShape, out: &mut [u8]) {
    quantize_on(Isa::detect(), weight, shape, out);
}

/// `isa` comes from `Isa::detect` or `Isa::available`.
pub(super) fn quantize_on(isa: Isa, weight: Weight<'_>, shape: QuantShape, out: &mut [u8]) {
    let QuantShape { m, k, format } = shape;
    assert_eq!(m.checked_mul(k), Some(weight.len()), "{m} rows of {k} weights expected");
    let len = format.group().len();
    pack(shape, out, |output, group, codes| {
        let first = output * k + group * len;
        let last = (first + len).min((output + 1) * k);
        let mut weights = [0.0; MAX_GROUP];
        let wide = &mut weights[..last - first];
        match weight {
            Weight::F32(values) => wide.copy_from_slice(&values[first..last]),
            Weight::Bf16(values) => bf16_to_f32(&values[first..last], wide),
            Weight::F16(values) => f16_to_f32(&values[first..last], wide),
        }
        match isa {
            // SAFETY: the processor has this instruction set, see above. One with AVX-512 has
            // AVX2.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::Avx512 => unsafe { round_avx2(&weights, format, codes) },
            _ => round_group(&weights, format, codes),
        }
    });
}

/// The same, compiled for vectors of 8.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn round_avx2(weights: &Weights, format: QuantFormat, codes: &mut Codes) {
    round_group(weights, format, codes);
}

/// 4-bit values of a weight, as AWQ and GPTQ have them after unpacking.
///
/// # Shapes
///
/// - `values`: `[m, k]`, from 0 to 15
/// - `scales`, `zeros`: `[m, n]`, with `n` groups in `k`; zero points from 0 to 16
#[derive(Debug, Clone, Copy)]
pub struct Int4Values<'a> {
    /// One value in a byte.
    pub values: &'a [u8],
    /// What a step is worth.
    pub scales: &'a [f16],
    /// The values that mean 0; 8 for all if absent. Only [`QuantFormat::Int4Asymmetric`] can keep
    /// others.
    pub zeros: Option<&'a [u8]>,
}

/// Packs 4-bit values as they are.
///
/// # Panics
///
/// If the format has 8 bits, or has no zero points where they are given, if the lengths do not fit,
/// or if a value exceeds 15 or a zero point 16.
pub fn pack_int4(source: Int4Values<'_>, shape: QuantShape, out: &mut [u8]) {
    let Int4Values { values, scales, zeros } = source;
    let QuantShape { m, k, format } = shape;
    assert!(!matches!(format, QuantFormat::Int8 { .. }), "{format:?} does not have 4 bits");
    assert!(zeros.is_none() || format.has_zeros(), "{format:?} keeps no zero points");
    assert_eq!(m.checked_mul(k), Some(values.len()), "{m} rows of {k} values expected");
    let n_groups = shape.n_groups();
    assert_eq!(scales.len(), m * n_groups, "{m} rows of {n_groups} scales expected");
    if let Some(zeros) = zeros {
        assert_eq!(zeros.len(), scales.len(), "there must be as many zero points as scales");
        assert!(zeros.iter().all(|&zero| zero <= 16), "a zero point lies between 0 and 16");
    }
    assert!(values.iter().all(|&value| value < 16), "a value of 4 bits lies between 0 and 15");

    let len = format.group().len();
    pack(shape, out, |output, group, codes| {
        let first = output * k + group * len;
        let values = &values[first..(first + len).min((output + 1) * k)];
        codes.scale = scales[output * n_groups + group];
        if let Some(zeros) = zeros {
            codes.zero = zeros[output * n_groups + group];
            codes.values.fill(codes.zero.min(15));
        }
        codes.values[..values.len()].copy_from_slice(values);
    });
}

/// Packs the `Q4_0` blocks of a GGUF file, row by row, as they are.
///
/// # Panics
///
/// If the format is not [`QuantFormat::Int4`] in groups of 32, or `blocks` are not the `m` rows of
/// `k / 32` blocks.
pub fn pack_q4_0(blocks: &[u8], shape: QuantShape, out: &mut [u8]) {
    assert!(matches!(shape.format, QuantFormat::Int4 { .. }), "Q4_0 is not {:?}", shape.format);
    pack_gguf::<Q4_0_BYTES>(blocks, shape, out, |bytes, values| {
        // The lower halves hold the first 16 values, the upper halves the others.
        for (i, byte) in bytes.iter().enumerate() {
            values[i] = byte & 15;
            values[BLOCK / 2 + i] = byte >> 4;
        }
    });
}

/// Packs the `Q8_0` blocks of a GGUF file, row by row, as they are.
///
/// # Panics
///
/// If the format is not [`QuantFormat::Int8`] in groups of 32, or `blocks` are not the `m` rows of
/// `k / 32` blocks.
pub fn pack_q8_0(blocks: &[u8], shape: QuantShape, out: &mut [u8]) {
    assert!(matches!(shape.format, QuantFormat::Int8 { .. }), "Q8_0 is not {:?}", shape.format);
    pack_gguf::<Q8_0_BYTES>(blocks, shape, out, |bytes, values| {
        for (value, byte) in values.iter_mut().zip(bytes) {
            *value = byte ^ 0x80;
        }
    });
}

/// Packs blocks of `BYTES` bytes with a scale and 32 values.
fn pack_gguf<const BYTES: usize>(
    blocks: &[u8],
    shape: QuantShape,
    out: &mut [u8],
    values: impl Fn(&[u8], &mut [u8]) + Sync,
) {
    let QuantShape { m, k, format } = shape;
    assert_eq!(format.group().len(), BLOCK, "blocks of GGUF have 32 values");
    assert!(k.is_multiple_of(BLOCK), "{k} inputs are not whole blocks of 32");
    let row_len = k / BLOCK;
    let (blocks, rest) = blocks.as_chunks::<BYTES>();
    assert!(
        m.checked_mul(row_len) == Some(blocks.len()) && rest.is_empty(),
        "{m} rows of {row_len} blocks expected"
    );
    pack(shape, out, |output, group, codes| {
        let block = &blocks[output * row_len + group];
        codes.scale = f16::from_le_bytes([block[0], block[1]]);
        values(&block[2..], &mut codes.values[..BLOCK]);
    });
}

/// Writes every group of every output that `encode` fills, panel by panel in several threads.
fn pack(shape: QuantShape, out: &mut [u8], encode: impl Fn(usize, usize, &mut Codes) + Sync) {
    shape.check(out.len());
    let format = shape.format;
    let panel_bytes = shape.panel_bytes();
    let shared = SharedSlice::new(out);
    pool::for_each(shape.n_panels(), |panel| {
        // SAFETY: the panels are disjoint, and each is written by one task.
        let bytes = unsafe { shared.part(panel * panel_bytes, panel_bytes) };
        for (group, bytes) in bytes.chunks_exact_mut(format.group_bytes()).enumerate() {
            bytes.fill(0);
            for output in 0..PANEL {
                let mut codes = Codes::zeros(format);
                if output < shape.panel_outputs(panel) {
                    encode(panel * PANEL + output, group, &mut codes);
                }
                write_codes(format, output, &codes, bytes);
            }
        }
    });
}

/// Writes a group of an output; the bits of the values must be zero before.
fn write_codes(format: QuantFormat, output: usize, codes: &Codes, bytes: &mut [u8]) {
    let (head, blocks) = bytes.split_at_mut(format.head_bytes());
    head[2 * output..][..2].copy_from_slice(&codes.scale.to_le_bytes());
    if format.has_zeros() {
        let zero = u16::from(codes.zero).to_le_bytes();
        head[SCALE_BYTES + 2 * output..][..2].copy_from_slice(&zero);
    }
    let values = codes.values.as_chunks::<BLOCK>().0;
    for (values, block) in values.iter().zip(blocks.chunks_exact_mut(format.block_bytes())) {
        for (input, &value) in values.iter().enumerate() {
            if let QuantFormat::Int8 { .. } = format {
                block[place_8(output, input)] = value;
            } else {
                let (place, shift) = place_4(output, input);
                block[place] |= value << shift;
            }
        }
    }
}

/// Computes the values that a quantised weight stands for.
///
/// # Shapes
///
/// - `out`: `[m, k]`
///
/// # Panics
///
/// If `out` has another length.
pub fn dequantize(weight: QuantWeight<'_>, out: &mut [f32]) {
    let shape = weight.shape();
    let QuantShape { m, k, format } = shape;
    assert_eq!(m.checked_mul(k), Some(out.len()), "{m} rows of {k} values expected");
    let len = format.group().len();
    let shared = SharedSlice::new(out);
    pool::for_each(shape.n_panels(), |panel| {
        let first = panel * PANEL;
        let n_outputs = shape.panel_outputs(panel);
        // SAFETY: the rows of the panels are disjoint, and each panel is one task.
        let rows = unsafe { shared.part(first * k, n_outputs * k) };
        for (output, row) in rows.chunks_exact_mut(k).enumerate() {
            let groups = weight.panel(panel).chunks_exact(format.group_bytes());
            for (bytes, values) in groups.zip(row.chunks_mut(len)) {
                let group = read_group(format, output, bytes);
                for (input, value) in values.iter_mut().enumerate() {
                    *value = f32::from(group.value(input)) * group.scale;
                }
            }
        }
    });
}

/// A group of an output, read value by value.
pub(super) struct GroupRef<'a> {
    format: QuantFormat,
    output: usize,
    blocks: &'a [u8],
    zero: i16,
    /// What a step is worth.
    pub(super) scale: f32,
}

/// Reads a group of a panel for one of its outputs.
pub(super) fn read_group(format: QuantFormat, output: usize, bytes: &[u8]) -> GroupRef<'_> {
    let (head, blocks) = bytes.split_at(format.head_bytes());
    let pair = |start: usize| [head[start + 2 * output], head[start + 2 * output + 1]];
    let zero = if format.has_zeros() {
        i16::from_le_bytes(pair(SCALE_BYTES))
    } else {
        i16::from(format.offset())
    };
    GroupRef { format, output, blocks, zero, scale: f16::from_le_bytes(pair(0)).to_f32() }
}

impl GroupRef<'_> {
    /// The value of an input, less its zero point.
    pub(super) fn value(&self, input: usize) -> i16 {
        let bytes = self.format.block_bytes();
        let block = &self.blocks[input / BLOCK * bytes..][..bytes];
        let input = input % BLOCK;
        let value = if let QuantFormat::Int8 { .. } = self.format {
            block[place_8(self.output, input)]
        } else {
            let (place, shift) = place_4(self.output, input);
            block[place] >> shift & 15
        };
        i16::from(value).wrapping_sub(self.zero)
    }
}
