//! The cache: memory for blocks of keys and values, and how tokens get in.

use super::encode::write_row;
use super::error::KvError;
use super::layout::{KvLayout, Places};
use super::memory::Memory;
use super::segment::Segment;

/// Blocks of keys and values of many sequences.
///
/// Which sequence owns which block is the caller's knowledge: it comes with every call as a table
/// of block numbers. A block that was never written costs no memory, only addresses.
///
/// # Examples
///
/// ```
/// use puyu_kernels::{KvLayout, KvPool, KvType, Segment, paged_attention};
///
/// let layout = KvLayout {
///     n_layers: 1,
///     n_kv_heads: 1,
///     head_dim: 16,
///     block_tokens: 16,
///     kv_type: KvType::F32,
/// };
/// let mut cache = KvPool::new(layout, 8)?;
///
/// // Two tokens of one sequence, whose first block is number 5.
/// let segments = [Segment { n_queries: 2, context: 2, block_table: &[5] }];
/// let (queries, keys) = ([0.0; 32], [1.0; 32]);
/// let values: Vec<f32> = (0..32).map(|i| if i < 16 { 1.0 } else { 3.0 }).collect();
/// cache.append(0, &segments, &keys, &values);
///
/// // All keys are alike: the first token sees its own value, the second the mean of both.
/// let mut out = [0.0; 32];
/// paged_attention(cache.layer(0), &queries, &segments, 0.25, &mut out);
/// assert_eq!((out[0], out[16]), (1.0, 2.0));
/// # Ok::<(), puyu_kernels::KvError>(())
/// ```
#[derive(Debug)]
pub struct KvPool {
    layout: KvLayout,
    n_blocks: usize,
    block_bytes: usize,
    memory: Memory,
}

impl KvPool {
    /// Reserves `n_blocks` zeroed blocks.
    ///
    /// # Errors
    ///
    /// Those of [`KvLayout::block_bytes`]; [`KvError::TooLarge`] if the bytes of all blocks cannot
    /// be counted; [`KvError::Allocation`] if the system refuses them.
    pub fn new(layout: KvLayout, n_blocks: usize) -> Result<Self, KvError> {
        let block_bytes = layout.block_bytes()?;
        let bytes = block_bytes.checked_mul(n_blocks).ok_or(KvError::TooLarge { n_blocks })?;
        let memory = Memory::zeroed(bytes).ok_or(KvError::Allocation { bytes, n_blocks })?;
        Ok(Self { layout, n_blocks, block_bytes, memory })
    }

    /// The shape of its blocks.
    pub fn layout(&self) -> KvLayout {
        self.layout
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.n_blocks
    }

    /// Stores the keys and values of the new tokens of some sequences: the last `n_queries` of the
    /// `context` of each segment.
    ///
    /// What is stored for a token depends on its key and value alone. Later segments overwrite
    /// earlier ones if their tables send them to the same slots.
    ///
    /// # Shapes
    ///
    /// With `T` new tokens of all segments together, one segment after the other:
    ///
    /// - `keys`, `values`: `[T, n_kv_heads, head_dim]`
    ///
    /// # Panics
    ///
    /// If there is no such layer, the slices do not have these shapes, a segment has more queries
    /// than context, its table is too short for its context, or names a block that does not exist.
    pub fn append(&mut self, layer: usize, segments: &[Segment<'_>], keys: &[f32], values: &[f32]) {
        let layout = self.layout;
        assert!(layer < layout.n_layers, "layer {layer} of {} does not exist", layout.n_layers);
        let n_tokens = Segment::check_all(segments, self.layer(layer));
        let row_len = layout.n_kv_heads * layout.head_dim;
        let expected = n_tokens.checked_mul(row_len);
        assert_eq!(Some(keys.len()), expected, "{n_tokens} tokens of {row_len} keys expected");
        assert_eq!(Some(values.len()), expected, "{n_tokens} tokens of {row_len} values expected");

        let positions = segments.iter().flat_map(|segment| {
            { segment.first_position()..segment.context }
                .map(move |position| segment.slot(position, layout.block_tokens))
        });
        let rows = keys.chunks_exact(row_len).zip(values.chunks_exact(row_len));
        for ((block, slot), (keys, values)) in positions.zip(rows) {
            self.write_token(layer, (block, slot), keys, values);
        }
    }

    /// Copies a block, for all layers.
    ///
    /// # Panics
    ///
    /// If one of the blocks does not exist.
    pub fn copy_block(&mut self, from: u32, to: u32) {
        for block in [from, to] {
            assert!((block as usize) < self.n_blocks, "{}", no_such_block(block, self.n_blocks));
        }
        let start = from as usize * self.block_bytes;
        let source = start..start + self.block_bytes;
        self.memory.as_mut_slice().copy_within(source, to as usize * self.block_bytes);
    }

    /// Looks at one layer, to attend to it.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn layer(&self, layer: usize) -> KvLayer<'_> {
        let n_layers = self.layout.n_layers;
        assert!(layer < n_layers, "layer {layer} of {n_layers} does not exist");
        KvLayer { pool: self, layer }
    }

    /// The block exists: `append` has checked the segments.
    fn write_token(
        &mut self,
        layer: usize,
        (block, slot): (u32, usize),
        keys: &[f32],
        values: &[f32],
    ) {
        let KvLayout { head_dim, kv_type, .. } = self.layout;
        let side_bytes = self.layout.side_bytes();
        let start = block as usize * self.block_bytes + self.layout.head_start(layer, 0);
        let heads = self.memory.as_mut_slice()[start..].chunks_exact_mut(2 * side_bytes);
        let rows = keys.chunks_exact(head_dim).zip(values.chunks_exact(head_dim));
        for (head, (key, value)) in heads.zip(rows) {
            let (keys, values) = head.split_at_mut(side_bytes);
            let keys = self.layout.split_mut(keys);
            write_row(keys, kv_type, slot, Places::key(slot, head_dim), key);
            let values = self.layout.split_mut(values);
            write_row(values, kv_type, slot, Places::value(slot, head_dim), value);
        }
    }
}

/// One layer of a [`KvPool`].
#[derive(Debug, Clone, Copy)]
pub struct KvLayer<'a> {
    pool: &'a KvPool,
    layer: usize,
}

impl<'a> KvLayer<'a> {
    /// The shape of the blocks.
    pub fn layout(&self) -> KvLayout {
        self.pool.layout
    }

    /// Number of blocks.
    pub fn n_blocks(&self) -> usize {
        self.pool.n_blocks
    }

    /// The keys and the values of a head in a block that exists.
    pub(super) fn sides(&self, block: u32, kv_head: usize) -> [&'a [u8]; 2] {
        let side_bytes = self.pool.layout.side_bytes();
        let start = block as usize * self.pool.block_bytes
            + self.pool.layout.head_start(self.layer, kv_head);
        let (keys, values) =
            self.pool.memory.as_slice()[start..][..2 * side_bytes].split_at(side_bytes);
        [keys, values]
    }
}

/// What the message of a panic says about a block.
pub(super) fn no_such_block(block: u32, n_blocks: usize) -> String {
    format!("block {block} does not exist, there are {n_blocks}")
}
