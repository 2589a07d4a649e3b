//! AWQ checkpoints, turned into plain weights while they are read.

use std::path::Path;

use half::f16;

use crate::config::HfQuantization;
use crate::error::CheckpointError;

/// Column of a group of eight that nibble `k`, from the lowest, holds.
const COLUMN_OF_NIBBLE: [usize; 8] = [0, 2, 4, 6, 1, 3, 5, 7];

/// The layout of an AWQ checkpoint: 4 bits, version `gemm`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awq {
    group_size: usize,
}

impl Awq {
    pub(super) fn new(found: &HfQuantization, config: &Path) -> Result<Self, CheckpointError> {
        let method = found.quant_method.as_deref().unwrap_or("of unknown method");
        let version = found.version.as_deref().unwrap_or("gemm");
        let bits = found.bits.unwrap_or(4);
        let group_size = found.group_size.unwrap_or(128);
        let has_zero_point = found.zero_point.unwrap_or(true);
        let is_awq = method == "awq" && version.eq_ignore_ascii_case("gemm") && has_zero_point;
        if let (true, 4, Ok(group_size @ 1..)) = (is_awq, bits, usize::try_from(group_size)) {
            return Ok(Self { group_size });
        }
        let version = found.version.as_deref().map(|v| format!(" {v}")).unwrap_or_default();
        let zero_point = if has_zero_point { "with" } else { "without" };
        Err(CheckpointError::Quantization {
            path: config.to_owned(),
            found: format!(
                "{method}{version} of {bits} bits, groups of {group_size}, {zero_point} zero points"
            ),
        })
    }

    /// Shapes of `qweight`, `qzeros` and `scales` of an `[out, input]` weight.
    pub(super) fn shapes(
        self,
        (path, name): (&Path, &str),
        [out, input]: [usize; 2],
    ) -> Result<[Vec<usize>; 3], CheckpointError> {
        if !out.is_multiple_of(8) || !input.is_multiple_of(self.group_size) {
            return Err(CheckpointError::Quantization {
                path: path.to_owned(),
                found: format!(
                    "of `{name}`, a [{out}, {input}] weight, in groups of {} by 8",
                    self.group_size
                ),
            });
        }
        let groups = input / self.group_size;
        Ok([vec![input, out / 8], vec![groups, out / 8], vec![groups, out]])
    }

    /// `(q - zero) * scale` of every weight, `[out, input]` row-major.
    ///
    /// # Source
    ///
    /// `dequantize_gemm` in AutoAWQ's `awq/utils/packing_utils.py`.
    pub(super) fn dequantize(self, packed: [&[u8]; 3], [out, input]: [usize; 2]) -> Vec<f32> {
        let [qweight, qzeros, scales] = packed;
        let mut values = vec![0.0; out * input];
        for i in 0..input {
            let group = i / self.group_size;
            for word in 0..out / 8 {
                let weights = word_at(qweight, i * (out / 8) + word);
                let zeros = word_at(qzeros, group * (out / 8) + word);
                for (nibble, column) in COLUMN_OF_NIBBLE.into_iter().enumerate() {
                    let o = 8 * word + column;
                    let q = (weights >> (4 * nibble)) & 15;
                    let zero = (zeros >> (4 * nibble)) & 15;
                    let scale = half_at(scales, group * out + o);
                    values[o * input + i] = (q as f32 - zero as f32) * scale;
                }
            }
        }
        values
    }
}

fn word_at(bytes: &[u8], index: usize) -> u32 {
    let (words, _) = bytes.as_chunks::<4>();
    u32::from_le_bytes(words[index])
}

fn half_at(bytes: &[u8], index: usize) -> f32 {
    let (halves, _) = bytes.as_chunks::<2>();
    f16::from_le_bytes(halves[index]).to_f32()
}
