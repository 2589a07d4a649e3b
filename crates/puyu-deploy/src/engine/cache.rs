//! The cache as the engine sees it: the pool of blocks and the trie of those worth keeping.
//!
//! Each block is in exactly one state: *free*; *held* by one or more sequences, published or not;
//! or *cached*, published and held by nobody. `free + held + cached` is the number of blocks.

use super::blocks::{BlockId, BlockPool};
use super::prefix::{NodeId, Parent, PrefixTrie};

/// Numbers of blocks by state. They add up to all blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockCounts {
    /// Blocks with nothing in them that anybody wants.
    pub free: usize,
    /// Blocks that sequences hold.
    pub held: usize,
    /// Blocks that nobody holds, kept because their content may be asked for again.
    pub cached: usize,
}

impl BlockCounts {
    /// All blocks.
    pub fn total(self) -> usize {
        self.free + self.held + self.cached
    }
}

/// A start of a sequence that is in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) blocks: Vec<BlockId>,
    /// Where the next block would hang.
    pub(crate) parent: Parent,
}

/// Blocks, some of them shared.
#[derive(Debug)]
pub(crate) struct BlockCache {
    pool: BlockPool,
    trie: PrefixTrie,
    /// By block: its node, if it is published.
    nodes: Vec<Option<NodeId>>,
    block_tokens: usize,
}

impl BlockCache {
    pub(crate) fn new(n_blocks: u32, block_tokens: usize) -> Self {
        Self::with_trie(n_blocks, block_tokens, PrefixTrie::new())
    }

    pub(crate) fn with_trie(n_blocks: u32, block_tokens: usize, trie: PrefixTrie) -> Self {
        let nodes = vec![None; n_blocks as usize];
        Self { pool: BlockPool::new(n_blocks), trie, nodes, block_tokens }
    }

    pub(crate) fn block_tokens(&self) -> usize {
        self.block_tokens
    }

    /// Blocks that hold this many tokens.
    pub(crate) fn blocks_for(&self, n_tokens: usize) -> usize {
        n_tokens.div_ceil(self.block_tokens)
    }

    pub(crate) fn counts(&self) -> BlockCounts {
        let (free, cached) = (self.pool.n_free(), self.trie.n_unheld());
        BlockCounts { free, held: self.pool.n_blocks() - free - cached, cached }
    }

    /// Blocks that [`allocate`](Self::allocate) can give.
    pub(crate) fn n_available(&self) -> usize {
        self.pool.n_free() + self.trie.n_unheld()
    }

    pub(crate) fn holders(&self, block: BlockId) -> u32 {
        self.pool.holders(block)
    }

    /// Whether a block may be written to: one sequence holds it and its content is promised to
    /// nobody.
    pub(crate) fn is_private(&self, block: BlockId) -> bool {
        self.pool.holders(block) == 1 && self.nodes[block.index()].is_none()
    }

    /// Finds the longest start of `tokens` that is cached, in whole blocks. Changes nothing.
    pub(crate) fn find(&self, salt: u64, tokens: &[u32]) -> Match {
        let mut found = Match { blocks: Vec::new(), parent: Parent::Root { salt } };
        for block_tokens in tokens.chunks_exact(self.block_tokens) {
            let Some(node) = self.trie.find(found.parent, block_tokens) else { break };
            found.blocks.push(self.trie.block(node));
            found.parent = Parent::Node(node);
        }
        found
    }

    /// Takes a free block, or the cached one that has been of no use for longest.
    pub(crate) fn allocate(&mut self) -> Option<BlockId> {
        if self.pool.n_free() == 0 {
            let block = self.trie.evict()?;
            self.nodes[block.index()] = None;
            self.pool.free(block);
        }
        self.pool.take()
    }

    /// Adds a holder to a block that is held or cached.
    pub(crate) fn hold(&mut self, block: BlockId) {
        self.pool.hold(block);
        if let Some(node) = self.nodes[block.index()] {
            self.trie.hold(node);
        }
    }

    /// Takes a holder away. Without any the block is cached if it is published, else free.
    pub(crate) fn let_go(&mut self, block: BlockId) {
        if self.pool.let_go(block) > 0 {
            return;
        }
        match self.nodes[block.index()] {
            Some(node) => self.trie.let_go(node),
            None => self.pool.free(block),
        }
    }

    /// Lets go of the blocks of a sequence. The last ones first, so that they are evicted first.
    pub(crate) fn let_go_all(&mut self, table: &[BlockId]) {
        for &block in table.iter().rev() {
            self.let_go(block);
        }
    }

    /// Offers a block that is fully computed to other sequences.
    ///
    /// Where another sequence has published the same start before, its block is taken over and
    /// this one let go: the content is the same, so one copy is enough. Returns the block that the
    /// sequence holds now, and the parent of its next one.
    pub(crate) fn publish(
        &mut self,
        parent: Parent,
        tokens: &[u32],
        block: BlockId,
    ) -> (BlockId, Parent) {
        debug_assert_eq!(tokens.len(), self.block_tokens, "only full blocks are published");
        debug_assert!(self.nodes[block.index()].is_none(), "a block is published once");
        if let Some(node) = self.trie.find(parent, tokens) {
            let published = self.trie.block(node);
            self.hold(published);
            self.let_go(block);
            return (published, Parent::Node(node));
        }
        let node = self.trie.insert(parent, tokens, block);
        self.nodes[block.index()] = Some(node);
        (block, Parent::Node(node))
    }
}
