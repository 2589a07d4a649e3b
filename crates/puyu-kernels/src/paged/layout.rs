//! How keys and values lie in a block.
//!
//! Axis letters: `L` layers, `K` key/value heads, `B` tokens of a block, `E` head width.
//!
//! A block is `[L, K, 2]` sides: the keys of a head, then its values. A side is its codes, and for
//! integers then the scales `[B]` and the minimums `[B]` in `f32`, one for each token.
//!
//! Codes come in units of [`UNIT`]. A unit of values is 16 neighbours of one token: `[B, E]` in
//! order. A unit of keys is one element of 16 neighbouring tokens: `[B / 16, E, 16]`. So a score is
//! a chain of multiply-adds in its own lane, without a sum over lanes, both when a single query
//! streams by and in the tiles of many. In a unit of int4, byte `i` holds element `i` in its lower
//! and element `i + 8` in its upper half, which one mask and one shift take apart.
//!
//! Every number is little-endian; every side starts at a multiple of 64 bytes.

use super::error::KvError;

/// Codes that are read at once: tokens for keys, elements for values.
pub(super) const UNIT: usize = 16;

/// Bytes of the scale and of the minimum of one row.
const SCALE_BYTES: usize = 2 * size_of::<f32>();

/// How a number of the cache is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvType {
    /// 32-bit floats.
    F32,
    /// Half floats. Beyond 65 519 they are infinite.
    F16,
    /// Brain floats.
    Bf16,
    /// 8-bit integers with a scale and a minimum for each token and head.
    ///
    /// `x` is stored as `q = round((x - min) / scale)` with `scale = (max - min) / 255` over the
    /// head, and read as `q * scale + min`: within half a scale. A constant row is exact.
    ///
    /// # Source
    ///
    /// The cache of TurboMind in LMDeploy, which divides by zero on a constant row.
    Int8,
    /// As [`Int8`](Self::Int8), with 4 bits and 15 steps.
    Int4,
}

impl KvType {
    /// Bits of one number, without scale and minimum.
    pub const fn bits(self) -> usize {
        match self {
            Self::F32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::Int8 => 8,
            Self::Int4 => 4,
        }
    }

    /// The largest code of an integer type; `None` for floats.
    pub(super) const fn max_code(self) -> Option<u8> {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => None,
            Self::Int8 => Some(255),
            Self::Int4 => Some(15),
        }
    }
}

/// The shape of a block of the cache: the keys and values of some tokens, for all layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KvLayout {
    /// Layers of the model.
    pub n_layers: usize,
    /// Heads of keys and values in a layer.
    pub n_kv_heads: usize,
    /// Numbers of a head; a multiple of 16.
    pub head_dim: usize,
    /// Tokens of a block; a multiple of 16. With 64, what a head reads in one piece is 16 KiB in
    /// `f16` at 128 numbers, long enough for the memory to run at full speed.
    pub block_tokens: usize,
    /// How numbers are stored.
    pub kv_type: KvType,
}

impl KvLayout {
    /// Bytes of one block, exactly.
    ///
    /// # Errors
    ///
    /// [`KvError::Axis`] if an axis is zero or `head_dim` or `block_tokens` not a multiple of 16;
    /// [`KvError::TooLarge`] if the bytes cannot be counted.
    ///
    /// # Examples
    ///
    /// ```
    /// use puyu_kernels::{KvLayout, KvType};
    ///
    /// let layout = KvLayout {
    ///     n_layers: 24,
    ///     n_kv_heads: 8,
    ///     head_dim: 128,
    ///     block_tokens: 64,
    ///     kv_type: KvType::F16,
    /// };
    /// assert_eq!(layout.block_bytes()?, 24 * 2 * 8 * 128 * 64 * 2);
    ///
    /// let layout = KvLayout { kv_type: KvType::Int8, ..layout };
    /// assert_eq!(layout.block_bytes()?, 24 * 2 * 8 * (128 + 8) * 64);
    /// # Ok::<(), puyu_kernels::KvError>(())
    /// ```
    pub fn block_bytes(&self) -> Result<usize, KvError> {
        let axes = [
            ("n_layers", 1, self.n_layers),
            ("n_kv_heads", 1, self.n_kv_heads),
            ("head_dim", UNIT, self.head_dim),
            ("block_tokens", UNIT, self.block_tokens),
        ];
        for (axis, multiple, found) in axes {
            if found == 0 || !found.is_multiple_of(multiple) {
                return Err(KvError::Axis { axis, multiple, found });
            }
        }
        self.count_bytes().ok_or(KvError::TooLarge { n_blocks: 1 })
    }

    fn count_bytes(&self) -> Option<usize> {
        let row = self.head_dim.checked_mul(self.kv_type.bits())? / 8;
        let scales = if self.kv_type.max_code().is_some() { SCALE_BYTES } else { 0 };
        let side = row.checked_add(scales)?.checked_mul(self.block_tokens)?;
        side.checked_mul(2)?.checked_mul(self.n_kv_heads)?.checked_mul(self.n_layers)
    }

    // What follows is for layouts that `block_bytes` has accepted: nothing overflows.

    /// Bytes of the codes of one side of a head.
    fn codes_bytes(&self) -> usize {
        self.block_tokens * self.head_dim * self.kv_type.bits() / 8
    }

    /// Bytes of the keys, or of the values, of one head in a block.
    pub(super) fn side_bytes(&self) -> usize {
        let scales = if self.kv_type.max_code().is_some() { SCALE_BYTES } else { 0 };
        self.codes_bytes() + self.block_tokens * scales
    }

    /// Where the keys of a head begin within a block; its values follow.
    pub(super) fn head_start(&self, layer: usize, kv_head: usize) -> usize {
        (layer * self.n_kv_heads + kv_head) * 2 * self.side_bytes()
    }

    /// Cuts one side of a head into codes, scales and minimums; floats have none of the latter.
    pub(super) fn split<'a>(&self, side: &'a [u8]) -> Side<'a> {
        let (codes, scales) = side.split_at(self.codes_bytes());
        let (scales, minimums) = scales.split_at(scales.len() / 2);
        Side { codes, scales, minimums }
    }

    /// As [`split`](Self::split), to write.
    pub(super) fn split_mut<'a>(&self, side: &'a mut [u8]) -> SideMut<'a> {
        let (codes, scales) = side.split_at_mut(self.codes_bytes());
        let (scales, minimums) = scales.split_at_mut(scales.len() / 2);
        SideMut { codes, scales, minimums }
    }
}

/// The keys, or the values, of one head in a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) codes: &'a [u8],
    pub(super) scales: &'a [u8],
    pub(super) minimums: &'a [u8],
}

/// As [`Side`], to write.
#[derive(Debug)]
pub(super) struct SideMut<'a> {
    pub(super) codes: &'a mut [u8],
    pub(super) scales: &'a mut [u8],
    pub(super) minimums: &'a mut [u8],
}

/// Where the codes of one row lie: the first, and how far apart they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) first: usize,
    pub(super) stride: usize,
}

impl Places {
    /// The key of the token in `slot`: a lane of its group of tokens.
    pub(super) fn key(slot: usize, head_dim: usize) -> Self {
        Self { first: slot / UNIT * head_dim * UNIT + slot % UNIT, stride: UNIT }
    }

    /// The value of the token in `slot`: in one piece.
    pub(super) fn value(slot: usize, head_dim: usize) -> Self {
        Self { first: slot * head_dim, stride: 1 }
    }

    /// Places of all codes of the row.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        (self.first..).step_by(self.stride)
    }
}
