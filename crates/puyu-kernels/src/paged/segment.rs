//! One sequence's part of a call.

use super::cache::{KvLayer, no_such_block};

/// The new tokens of one sequence, and where the whole of it lies in the cache.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// New tokens, which are the last ones of the context: 1 when decoding, many in a prefill.
    pub n_queries: usize,
    /// Tokens of the sequence in the cache, the new ones among them.
    pub context: usize,
    /// The blocks of the sequence: token `i` lies in block `block_table[i / block_tokens]`. Blocks
    /// beyond the context may follow.
    pub block_table: &'a [u32],
}

impl Segment<'_> {
    /// Position of the first new token.
    pub(super) fn first_position(&self) -> usize {
        self.context - self.n_queries
    }

    /// Block and slot of a token of the context.
    pub(super) fn slot(&self, position: usize, block_tokens: usize) -> (u32, usize) {
        (self.block_table[position / block_tokens], position % block_tokens)
    }

    /// Checks all segments of a call against a cache and counts their new tokens.
    ///
    /// # Panics
    ///
    /// If one of them does not fit the cache, as [`KvPool::append`](super::KvPool::append) says.
    pub(super) fn check_all(segments: &[Self], cache: KvLayer<'_>) -> usize {
        segments.iter().map(|segment| segment.check(cache)).fold(0, usize::saturating_add)
    }

    fn check(&self, cache: KvLayer<'_>) -> usize {
        let Self { n_queries, context, block_table } = *self;
        assert!(n_queries <= context, "{n_queries} queries do not fit a context of {context}");
        let n_used = context.div_ceil(cache.layout().block_tokens);
        assert!(
            n_used <= block_table.len(),
            "a context of {context} needs {n_used} blocks, the table has {}",
            block_table.len()
        );
        for &block in &block_table[..n_used] {
            let n_blocks = cache.n_blocks();
            assert!((block as usize) < n_blocks, "{}", no_such_block(block, n_blocks));
        }
        n_queries
    }
}
