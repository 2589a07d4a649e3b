//! Which row is at which position of which epoch.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::permutation::{Domain, Permutation, RoundKeys, scramble};
use crate::error::DatasetError;
use crate::row::Fingerprint;

/// Rows that are read together where the order is sequential.
const SEQUENTIAL_BLOCK_ROWS: u64 = 1024;

/// How rows are ordered in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// As they lie in the data, in every epoch.
    Sequential,
    /// Blocks of consecutive rows are permuted over all data, then rows inside windows of blocks.
    ///
    /// Reads stay sequential in a block and memory is one window. With at least as many
    /// `window_blocks` as there are blocks, every order of the rows is possible.
    Shuffled {
        /// Consecutive rows in a block; the last block may be shorter. At least 1.
        block_rows: u64,
        /// Blocks whose rows are shuffled with each other. At least 1.
        window_blocks: u64,
    },
}

impl Default for Order {
    /// Blocks of 1024 rows, which is about what a Parquet page or a few MB of text hold, in
    /// windows of 64 blocks: 65 536 rows in memory, several global batches of any usual training.
    fn default() -> Self {
        Self::Shuffled { block_rows: 1024, window_blocks: 64 }
    }
}

/// The order of all epochs over some data.
///
/// A pure function of what it is made from: every machine computes the same.
///
/// # Examples
///
/// ```
/// use puyu_dataset::Fingerprint;
/// use puyu_dataset::order::{Order, RowOrder};
///
/// # fn main() -> Result<(), puyu_dataset::DatasetError> {
/// let order = Order::Shuffled { block_rows: 4, window_blocks: 2 };
/// let epoch = RowOrder::new(Fingerprint([1; 32]), 10, order, 42)?.epoch(0);
/// let mut rows: Vec<u64> = (0..10).map(|position| epoch.row_at(position)).collect();
/// rows.sort();
/// assert_eq!(rows, (0..10).collect::<Vec<_>>());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowOrder {
    data: Fingerprint,
    n_rows: u64,
    order: Order,
    seed: u64,
}

impl RowOrder {
    /// The order of `n_rows` rows of the data that `data` identifies.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if `block_rows` or `window_blocks` is 0.
    pub fn new(
        data: Fingerprint,
        n_rows: u64,
        order: Order,
        seed: u64,
    ) -> Result<Self, DatasetError> {
        if let Order::Shuffled { block_rows, window_blocks } = order {
            for (option, value) in [("block_rows", block_rows), ("window_blocks", window_blocks)] {
                if value == 0 {
                    let (expected, found) = ("at least 1".to_owned(), value.to_string());
                    return Err(DatasetError::Option { option, expected, found });
                }
            }
        }
        Ok(Self { data, n_rows, order, seed })
    }

    /// How many rows an epoch has.
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// The order of one epoch. Takes about a microsecond; keep it for the epoch.
    pub fn epoch(&self, epoch: u64) -> EpochOrder {
        let n = self.n_rows;
        let (block_rows, kind) = match self.order {
            Order::Sequential => (SEQUENTIAL_BLOCK_ROWS, Kind::Sequential),
            Order::Shuffled { block_rows, window_blocks } => {
                let block_rows = block_rows.min(n.max(1));
                let kind = if window_blocks >= n.div_ceil(block_rows) {
                    Kind::Full(Permutation::new(n, &self.key(epoch, "rows")))
                } else {
                    let blocks =
                        Permutation::new(n.div_ceil(block_rows), &self.key(epoch, "blocks"));
                    let keys = RoundKeys::new(&self.key(epoch, "windows"));
                    Kind::Windowed(Box::new(Windowed::new(
                        n,
                        block_rows,
                        window_blocks,
                        (blocks, keys),
                    )))
                };
                (block_rows, kind)
            }
        };
        EpochOrder { n_rows: n, block_rows, kind }
    }

    /// The most rows that a window has.
    pub(crate) fn window_rows(&self) -> u64 {
        match self.order {
            Order::Sequential => SEQUENTIAL_BLOCK_ROWS.min(self.n_rows),
            Order::Shuffled { block_rows, window_blocks } => {
                block_rows.saturating_mul(window_blocks).min(self.n_rows)
            }
        }
    }

    fn key(&self, epoch: u64, purpose: &str) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("puyu-dataset 2026 order of rows v1");
        hasher.update(&self.data.0);
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&epoch.to_le_bytes());
        hasher.update(purpose.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// The order of one epoch.
#[derive(Debug, Clone)]
pub struct EpochOrder {
    n_rows: u64,
    block_rows: u64,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Sequential,
    Full(Permutation),
    Windowed(Box<Windowed>),
}

impl EpochOrder {
    /// The row at `position`.
    ///
    /// # Panics
    ///
    /// If `position` is not below the number of rows.
    pub fn row_at(&self, position: u64) -> u64 {
        assert!(position < self.n_rows, "position {position} of {} rows", self.n_rows);
        match &self.kind {
            Kind::Sequential => position,
            Kind::Full(rows) => rows.at(position),
            Kind::Windowed(windowed) => windowed.row_at(position),
        }
    }

    /// The position of `row`: the inverse of [`row_at`](Self::row_at).
    ///
    /// # Panics
    ///
    /// If `row` is not below the number of rows.
    pub fn position_of(&self, row: u64) -> u64 {
        assert!(row < self.n_rows, "row {row} of {} rows", self.n_rows);
        match &self.kind {
            Kind::Sequential => row,
            Kind::Full(rows) => rows.inverse(row),
            Kind::Windowed(windowed) => windowed.position_of(row),
        }
    }

    /// The window that `position` lies in.
    pub fn window_of(&self, position: u64) -> u64 {
        match &self.kind {
            Kind::Sequential => position / self.block_rows,
            Kind::Full(_) => 0,
            Kind::Windowed(windowed) => windowed.window_of(position),
        }
    }

    /// The positions of a window; empty past the last one.
    pub fn window(&self, window: u64) -> Range<u64> {
        match &self.kind {
            Kind::Sequential => {
                let start = window.saturating_mul(self.block_rows).min(self.n_rows);
                start..start.saturating_add(self.block_rows).min(self.n_rows)
            }
            Kind::Full(_) if window == 0 => 0..self.n_rows,
            Kind::Full(_) => self.n_rows..self.n_rows,
            Kind::Windowed(windowed) => windowed.window(window),
        }
    }

    /// The block of consecutive rows that `row` lies in.
    pub(crate) fn block_of(&self, row: u64) -> u64 {
        row / self.block_rows
    }
}

/// Several windows of several blocks.
#[derive(Debug, Clone)]
struct Windowed {
    n_rows: u64,
    block_rows: u64,
    window_blocks: u64,
    /// By how many rows the last block is shorter than the others.
    missing: u64,
    /// The place of the last block among the permuted blocks.
    short_slot: u64,
    blocks: Permutation,
    keys: RoundKeys,
    whole_window: Domain,
}

impl Windowed {
    /// Only for more blocks than a window has: then a window has fewer rows than there are, and
    /// no product below overflows.
    fn new(
        n_rows: u64,
        block_rows: u64,
        window_blocks: u64,
        (blocks, keys): (Permutation, RoundKeys),
    ) -> Self {
        let last = blocks.len() - 1;
        Self {
            n_rows,
            block_rows,
            window_blocks,
            missing: block_rows - (n_rows - last * block_rows),
            short_slot: blocks.inverse(last),
            whole_window: Domain::new(block_rows * window_blocks),
            blocks,
            keys,
        }
    }

    fn short_window(&self) -> u64 {
        self.short_slot / self.window_blocks
    }

    fn window(&self, window: u64) -> Range<u64> {
        let end = |window: u64| {
            let next_slot = window.saturating_add(1).saturating_mul(self.window_blocks);
            if next_slot >= self.blocks.len() {
                return self.n_rows;
            }
            let before = if window >= self.short_window() { self.missing } else { 0 };
            next_slot * self.block_rows - before
        };
        let start = if window == 0 { 0 } else { end(window - 1) };
        start..end(window)
    }

    fn window_of(&self, position: u64) -> u64 {
        let window_rows = self.block_rows * self.window_blocks;
        let short = self.short_window();
        let Range { start, end } = self.window(short);
        if position < start {
            position / window_rows
        } else if position < end {
            short
        } else {
            short + 1 + (position - end) / window_rows
        }
    }

    /// The offset, in rows of its window, of a window's last-block place and of what follows it.
    fn short_offsets(&self, window: u64) -> Option<Range<u64>> {
        (window == self.short_window()).then(|| {
            let start = self.short_slot % self.window_blocks * self.block_rows;
            start..start + (self.block_rows - self.missing)
        })
    }

    fn domain(&self, len: u64) -> Domain {
        if len == self.block_rows * self.window_blocks {
            self.whole_window
        } else {
            Domain::new(len)
        }
    }

    fn row_at(&self, position: u64) -> u64 {
        let window = self.window_of(position);
        let Range { start, end } = self.window(window);
        let domain = self.domain(end - start);
        let offset = domain.forward(&self.keys, tweak(window), position - start);
        let (slot, within) = match self.short_offsets(window) {
            Some(short) if offset >= short.end => {
                let rest = offset - short.end;
                let slot = self.short_slot % self.window_blocks + 1 + rest / self.block_rows;
                (slot, rest % self.block_rows)
            }
            _ => (offset / self.block_rows, offset % self.block_rows),
        };
        self.blocks.at(window * self.window_blocks + slot) * self.block_rows + within
    }

    fn position_of(&self, row: u64) -> u64 {
        let slot = self.blocks.inverse(row / self.block_rows);
        let window = slot / self.window_blocks;
        let Range { start, end } = self.window(window);
        let missing = match window == self.short_window() && slot > self.short_slot {
            true => self.missing,
            false => 0,
        };
        let offset = slot % self.window_blocks * self.block_rows - missing + row % self.block_rows;
        start + self.domain(end - start).backward(&self.keys, tweak(window), offset)
    }
}

/// What makes the permutation of one window differ from that of the next.
fn tweak(window: u64) -> u64 {
    scramble(window.wrapping_add(0x9e37_79b9_7f4a_7c15))
}

/// The orders of epochs, the last one kept.
#[derive(Debug)]
pub(crate) struct Epochs {
    order: RowOrder,
    epoch: u64,
    last: EpochOrder,
}

impl Epochs {
    pub(crate) fn new(order: RowOrder) -> Self {
        let last = order.epoch(0);
        Self { order, epoch: 0, last }
    }

    pub(crate) fn order(&self) -> &RowOrder {
        &self.order
    }

    pub(crate) fn at(&mut self, epoch: u64) -> &EpochOrder {
        if epoch != self.epoch {
            self.last = self.order.epoch(epoch);
            self.epoch = epoch;
        }
        &self.last
    }
}
