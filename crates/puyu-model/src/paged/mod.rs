//! Keys and values in blocks, for many sequences at once.
//!
//! A [`PagedCache`] owns blocks and knows nothing of sequences: who calls
//! [`Decoder::hidden_paged`](crate::Decoder::hidden_paged) says, for each sequence, which blocks
//! hold it. So sequences of any length share one memory, grow block by block, and may share the
//! blocks of a common start.
//!
//! The blocks lie in the memory of the host, in the form that the kernels of `puyu-kernels` read,
//! whatever device the model is on.
//!
//! Axis letters: `N` new tokens of all sequences, `H` query heads, `K` key/value heads, `E` head
//! width.

mod heads;
#[cfg(test)]
mod tests;

use burn::tensor::{DType, Device, Tensor, TensorData};
use puyu_kernels::{KvError, KvLayout, KvPool, KvType, Segment, paged_attention};

use crate::config::{DecoderConfig, NtkRule};
use crate::decoder::read;
use crate::error::ForwardError;
use heads::{pad_with_last, pad_with_zeros, unpad};

/// Numbers of a head come in groups of this many in a block.
const HEAD_UNIT: usize = 16;

/// Blocks of keys and values.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use burn::tensor::Device;
/// use puyu_kernels::KvType;
/// use puyu_model::{Decoder, PagedCache, PagedSegment, Preset};
///
/// let model = Decoder::init(&Preset::Tiny.config(), 7, &Device::flex())?;
/// let mut cache = PagedCache::new(model.config(), 4, 16, KvType::F32)?;
///
/// // Two sequences in one call; the second lies in block 3.
/// let first = PagedSegment { tokens: &[1, 5, 9], start: 0, blocks: &[0], prompt_tokens: 3 };
/// let second = PagedSegment { tokens: &[1, 7], start: 0, blocks: &[3], prompt_tokens: 2 };
/// let hidden = model.hidden_paged(&[first, second], &mut cache)?;
/// assert_eq!(hidden.dims(), [1, 5, model.config().hidden_size]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PagedCache {
    pool: KvPool,
    head_dim: usize,
    ntk_rule: NtkRule,
}

impl PagedCache {
    /// Reserves `n_blocks` blocks of `block_tokens` tokens each. Memory is taken as blocks are
    /// written.
    ///
    /// The rule for dynamic NTK scaling is the one of the model's own published code, except that
    /// blocks hold rotated keys: [`NtkRule::RotateAllKeys`] becomes [`NtkRule::PerStep`]. They
    /// differ for sequences beyond the trained length only.
    ///
    /// # Errors
    ///
    /// [`KvError`] if `block_tokens` is not a positive multiple of 16 or the memory is not there.
    pub fn new(
        config: &DecoderConfig,
        n_blocks: usize,
        block_tokens: usize,
        kv_type: KvType,
    ) -> Result<Self, KvError> {
        let layout = layout(config, block_tokens, kv_type);
        Ok(Self {
            pool: KvPool::new(layout, n_blocks)?,
            head_dim: config.head_dim,
            ntk_rule: config.family.ntk_rule(),
        })
    }

    /// Bytes of one block of such a cache.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn block_bytes(
        config: &DecoderConfig,
        block_tokens: usize,
        kv_type: KvType,
    ) -> Result<usize, KvError> {
        layout(config, block_tokens, kv_type).block_bytes()
    }

    /// Chooses another rule for dynamic NTK scaling, for sequences that begin after this.
    #[must_use]
    pub fn with_ntk_rule(mut self, rule: NtkRule) -> Self {
        self.ntk_rule = rule;
        self
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.pool.n_blocks()
    }

    /// Tokens of a block.
    pub fn block_tokens(&self) -> usize {
        self.pool.layout().block_tokens
    }

    /// Makes the content of one block equal to that of another.
    ///
    /// # Panics
    ///
    /// If one of the blocks does not exist.
    pub fn copy_block(&mut self, from: u32, to: u32) {
        self.pool.copy_block(from, to);
    }

    /// The rule for dynamic NTK scaling that the blocks can follow: a key is rotated once, when it
    /// is written.
    pub(crate) fn ntk_rule(&self) -> NtkRule {
        match self.ntk_rule {
            NtkRule::RotateAllKeys => NtkRule::PerStep,
            rule => rule,
        }
    }

    /// Checks that segments fit the blocks.
    pub(crate) fn check(&self, segments: &[PagedSegment<'_>]) -> Result<(), ForwardError> {
        for (row, segment) in segments.iter().enumerate() {
            let capacity = segment.blocks.len().saturating_mul(self.block_tokens());
            let needed = segment.start.saturating_add(segment.tokens.len());
            if needed > capacity {
                return Err(ForwardError::CacheFull { needed, capacity });
            }
            let n_blocks = self.n_blocks();
            if let Some(&block) = segment.blocks.iter().find(|&&block| block as usize >= n_blocks) {
                return Err(ForwardError::NoSuchBlock { row, block, n_blocks });
            }
        }
        Ok(())
    }
}

fn layout(config: &DecoderConfig, block_tokens: usize, kv_type: KvType) -> KvLayout {
    KvLayout {
        n_layers: config.n_layers,
        n_kv_heads: config.n_kv_heads,
        head_dim: config.head_dim.next_multiple_of(HEAD_UNIT),
        block_tokens,
        kv_type,
    }
}

/// New tokens of one sequence.
#[derive(Debug, Clone, Copy)]
pub struct PagedSegment<'a> {
    /// The new tokens, at least one.
    pub tokens: &'a [u32],
    /// Position of the first of them: as many tokens of the sequence are in its blocks.
    pub start: usize,
    /// The blocks of the sequence: token `i` lies in block `blocks[i / block_tokens]`. Blocks for
    /// later tokens may follow.
    pub blocks: &'a [u32],
    /// Tokens of the sequence's whole prompt, for positions whose rotation depends on it.
    pub prompt_tokens: usize,
}

/// A layer's part of a pass over a [`PagedCache`].
pub(crate) struct PagedLayer<'a> {
    pub(crate) cache: &'a mut PagedCache,
    pub(crate) layer: usize,
    pub(crate) segments: &'a [Segment<'a>],
}

/// What the kernels need to know of segments.
pub(crate) fn kernel_segments<'a>(segments: &[PagedSegment<'a>]) -> Vec<Segment<'a>> {
    let of = |segment: &PagedSegment<'a>| Segment {
        n_queries: segment.tokens.len(),
        context: segment.start + segment.tokens.len(),
        block_table: segment.blocks,
    };
    segments.iter().map(of).collect()
}

impl PagedLayer<'_> {
    /// Stores keys and values, rotated, and lets the queries attend to their sequences.
    ///
    /// # Shapes
    ///
    /// - `q_bnhe`: `[1, N, H, E]`
    /// - `k_bnke`, `v_bnke`: `[1, N, K, E]`
    /// - returns: `[1, N, H, E]`
    ///
    /// # Errors
    ///
    /// [`ForwardError::Device`] if the device fails.
    pub(crate) fn attend(
        &mut self,
        q_bnhe: Tensor<4>,
        k_bnke: Tensor<4>,
        v_bnke: Tensor<4>,
    ) -> Result<Tensor<4>, ForwardError> {
        let (shape, dtype, device) = (q_bnhe.shape(), q_bnhe.dtype(), q_bnhe.device());
        let head_dim = self.cache.head_dim;
        let keys = pad_with_last(read(k_bnke)?, head_dim, HEAD_UNIT);
        let values = pad_with_last(read(v_bnke)?, head_dim, HEAD_UNIT);
        self.cache.pool.append(self.layer, self.segments, &keys, &values);

        let queries = pad_with_zeros(read(q_bnhe)?, head_dim, HEAD_UNIT);
        let mut out = vec![0.0; queries.len()];
        let scale = (1.0 / (head_dim as f64).sqrt()) as f32;
        let layer = self.cache.pool.layer(self.layer);
        paged_attention(layer, &queries, self.segments, scale, &mut out);
        let data = TensorData::new(unpad(out, head_dim, HEAD_UNIT), shape);
        Ok(from_host(data, dtype, &device))
    }
}

fn from_host(data: TensorData, dtype: DType, device: &Device) -> Tensor<4> {
    Tensor::<4>::from_data(data, (device, DType::F32)).cast(dtype)
}
