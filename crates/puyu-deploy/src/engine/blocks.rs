//! The pool of blocks: who holds which, down to the last one.

/// The number of a block of the cache, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u32);

impl BlockId {
    /// The number as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Blocks with counts of their holders. A block without holders is free, or idle: kept for its
/// content until somebody needs the place.
#[derive(Debug)]
pub(crate) struct BlockPool {
    free: Vec<BlockId>,
    holders: Vec<u32>,
}

impl BlockPool {
    pub(crate) fn new(n_blocks: u32) -> Self {
        // Taken from the end, so that low numbers go out first.
        let free = (0..n_blocks).rev().map(BlockId).collect();
        Self { free, holders: vec![0; n_blocks as usize] }
    }

    pub(crate) fn n_blocks(&self) -> usize {
        self.holders.len()
    }

    pub(crate) fn n_free(&self) -> usize {
        self.free.len()
    }

    pub(crate) fn holders(&self, block: BlockId) -> u32 {
        self.holders[block.index()]
    }

    /// Takes a free block. It has one holder then.
    pub(crate) fn take(&mut self) -> Option<BlockId> {
        let block = self.free.pop()?;
        debug_assert_eq!(self.holders(block), 0, "a free block has no holder");
        self.holders[block.index()] = 1;
        Some(block)
    }

    /// Adds a holder to a block that is not free.
    pub(crate) fn hold(&mut self, block: BlockId) {
        self.holders[block.index()] += 1;
    }

    /// Takes a holder away and returns how many are left. Without any the block is idle until
    /// [`free`](Self::free) is called.
    ///
    /// # Panics
    ///
    /// If the block has no holder.
    pub(crate) fn let_go(&mut self, block: BlockId) -> u32 {
        let holders = &mut self.holders[block.index()];
        *holders = holders.checked_sub(1).expect("only a holder lets go of a block");
        *holders
    }

    /// Makes an idle block free.
    pub(crate) fn free(&mut self, block: BlockId) {
        debug_assert_eq!(self.holders(block), 0, "a block with holders cannot become free");
        self.free.push(block);
    }
}
