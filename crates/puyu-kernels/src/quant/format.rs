//! How a quantised weight lies in memory.
//!
//! The outputs are cut into panels of [`PANEL`], the inputs into groups that share a scale, and the
//! groups into blocks of [`BLOCK`] inputs, the unit of the quantised activations. A panel is one
//! stream of bytes: group by group, its scales (`f16`), with zero points also these (`i16`), and
//! then its blocks. A block is a row of quads, and a quad is 4 inputs of each output:
//!
//! ```text
//! 8 bits: 8 × [output 0: inputs 0 1 2 3 | output 1: inputs 0 1 2 3 | ... | output 15]
//! 4 bits: 4 × the same, with one quad in the low and the next in the high halves of the bytes
//! ```
//!
//! So the 4 activations of a quad, repeated, meet 16 outputs at once and no sum runs across a
//! vector. Everything is little-endian, and as long as the bytes begin at a multiple of 32, no
//! vector of 32 bytes crosses a cache line.
//!
//! Missing outputs have the scale 0 and missing inputs the value that means 0.

use half::f16;

/// Outputs of a panel: two vectors of 8 `i32`, or one of 16.
pub(super) const PANEL: usize = 16;

/// Inputs of a block.
pub(super) const BLOCK: usize = 32;

/// Inputs of an output that stand beside each other.
pub(super) const QUAD: usize = 4;

/// Bytes of a quad of 8-bit values.
pub(super) const QUAD_BYTES: usize = PANEL * QUAD;

/// Bytes of a block of 4-bit values.
pub(super) const BLOCK_BYTES_4: usize = BLOCK * PANEL / 2;

/// Bytes of a block of 8-bit values.
pub(super) const BLOCK_BYTES_8: usize = BLOCK * PANEL;

/// Bytes of the scales of a group, and as many of its zero points.
pub(super) const SCALE_BYTES: usize = PANEL * size_of::<f16>();

/// What symmetric 4-bit values are stored with in addition.
pub(super) const OFFSET_4: u8 = 8;

/// What 8-bit values are stored with in addition.
pub(super) const OFFSET_8: u8 = 128;

/// Number of this layout, for files that hold quantised weights: another one whenever the same
/// weight would be stored as other bytes.
pub const QUANT_LAYOUT: u32 = 1;

/// Inputs that share a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Group {
    /// 32 inputs: closest to the weight; half a bit for each value.
    Of32,
    /// 64 inputs.
    Of64,
    /// 128 inputs, usual in AWQ and GPTQ: an eighth of a bit for each value.
    Of128,
}

impl Group {
    /// Number of inputs.
    pub fn len(self) -> usize {
        self.n_blocks() * BLOCK
    }

    /// Never: every group has inputs.
    pub fn is_empty(self) -> bool {
        false
    }

    pub(super) fn n_blocks(self) -> usize {
        match self {
            Self::Of32 => 1,
            Self::Of64 => 2,
            Self::Of128 => 4,
        }
    }
}

/// The values of a quantised weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuantFormat {
    /// -8 to 7, times a scale. `Q4_0` of GGUF is this in groups of 32.
    Int4 {
        /// Inputs that share a scale.
        group: Group,
    },
    /// 0 to 15 less a zero point from 0 to 16, times a scale, as AWQ and GPTQ have it.
    Int4Asymmetric {
        /// Inputs that share a scale and a zero point.
        group: Group,
    },
    /// -128 to 127, times a scale. `Q8_0` of GGUF is this in groups of 32.
    Int8 {
        /// Inputs that share a scale.
        group: Group,
    },
}

impl QuantFormat {
    /// Inputs that share a scale.
    pub fn group(self) -> Group {
        match self {
            Self::Int4 { group } | Self::Int4Asymmetric { group } | Self::Int8 { group } => group,
        }
    }

    pub(super) fn has_zeros(self) -> bool {
        matches!(self, Self::Int4Asymmetric { .. })
    }

    pub(super) fn block_bytes(self) -> usize {
        match self {
            Self::Int4 { .. } | Self::Int4Asymmetric { .. } => BLOCK_BYTES_4,
            Self::Int8 { .. } => BLOCK_BYTES_8,
        }
    }

    /// The stored value that means 0 where there are no zero points.
    pub(super) fn offset(self) -> u8 {
        match self {
            Self::Int4 { .. } | Self::Int4Asymmetric { .. } => OFFSET_4,
            Self::Int8 { .. } => OFFSET_8,
        }
    }

    /// Bytes of a group before its blocks.
    pub(super) fn head_bytes(self) -> usize {
        if self.has_zeros() { 2 * SCALE_BYTES } else { SCALE_BYTES }
    }

    /// Bytes of a group of a panel.
    pub(super) fn group_bytes(self) -> usize {
        self.head_bytes() + self.group().n_blocks() * self.block_bytes()
    }
}

/// The axes and the format of a quantised weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QuantShape {
    /// Outputs.
    pub m: usize,
    /// Inputs.
    pub k: usize,
    /// The format of the values.
    pub format: QuantFormat,
}

impl QuantShape {
    /// Bytes of the weight, or `None` if no memory could hold them.
    ///
    /// # Examples
    ///
    /// ```
    /// use puyu_kernels::{Group, QuantFormat, QuantShape};
    ///
    /// let format = QuantFormat::Int4 { group: Group::Of32 };
    /// let shape = QuantShape { m: 2048, k: 8192, format };
    /// // 4.5 bits for each value.
    /// assert_eq!(shape.n_bytes(), Some(2048 * 8192 / 2 / 8 * 9));
    /// ```
    pub fn n_bytes(self) -> Option<usize> {
        let panel = self.n_groups().checked_mul(self.format.group_bytes())?;
        panel.checked_mul(self.n_panels()).filter(|&bytes| isize::try_from(bytes).is_ok())
    }

    pub(super) fn n_panels(self) -> usize {
        self.m.div_ceil(PANEL)
    }

    pub(super) fn n_groups(self) -> usize {
        self.k.div_ceil(self.format.group().len())
    }

    /// Blocks that hold inputs; the last group may have more.
    pub(super) fn n_blocks(self) -> usize {
        self.k.div_ceil(BLOCK)
    }

    /// Bytes of a panel; only for shapes whose bytes were counted.
    pub(super) fn panel_bytes(self) -> usize {
        self.n_groups() * self.format.group_bytes()
    }

    /// Outputs of panel `panel`: all but the last have [`PANEL`].
    pub(super) fn panel_outputs(self, panel: usize) -> usize {
        PANEL.min(self.m - panel * PANEL)
    }

    /// # Panics
    ///
    /// If an axis is 0 or `n_bytes` is not what the shape takes.
    #[track_caller]
    pub(super) fn check(self, n_bytes: usize) {
        let Self { m, k, format } = self;
        assert!(m > 0 && k > 0, "a weight must have outputs and inputs, not {m} and {k}");
        assert_eq!(
            self.n_bytes(),
            Some(n_bytes),
            "{m} outputs of {k} inputs as {format:?} take another number of bytes"
        );
    }
}

/// A quantised weight: the bytes that [`quantize`](super::quantize) or one of the packing functions
/// wrote.
#[derive(Debug, Clone, Copy)]
pub struct QuantWeight<'a> {
    bytes: &'a [u8],
    shape: QuantShape,
}

impl<'a> QuantWeight<'a> {
    /// Takes the bytes of a weight. Whatever they are, no operation fails on them.
    ///
    /// # Panics
    ///
    /// If an axis of `shape` is 0, or it takes another number of bytes.
    #[track_caller]
    pub fn new(bytes: &'a [u8], shape: QuantShape) -> Self {
        shape.check(bytes.len());
        Self { bytes, shape }
    }

    /// The axes and the format.
    pub fn shape(&self) -> QuantShape {
        self.shape
    }

    /// The bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn panel(&self, panel: usize) -> &'a [u8] {
        let len = self.shape.panel_bytes();
        &self.bytes[panel * len..][..len]
    }
}

/// Where the value of an input of an output lies in a block of 8-bit values.
pub(super) fn place_8(output: usize, input: usize) -> usize {
    input / QUAD * QUAD_BYTES + output * QUAD + input % QUAD
}

/// Where it lies in a block of 4-bit values: the byte, and the bits from which it begins.
pub(super) fn place_4(output: usize, input: usize) -> (usize, u32) {
    let pair = input / (2 * QUAD);
    let shift = 4 * (input / QUAD % 2) as u32;
    (pair * QUAD_BYTES + output * QUAD + input % QUAD, shift)
}
