//! What runs the model: a batch of segments in, rows of logits out.

use std::error::Error;
use std::sync::Arc;

use super::blocks::BlockId;

/// What a runner can hold and what comes out of it. Does not change while an engine uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Blocks of the cache, at least 1.
    pub n_blocks: u32,
    /// Slots of a block, at least 1.
    pub block_tokens: usize,
    /// Number of logits in a row, at least 1.
    pub vocab_size: usize,
    /// Numbers in a hidden state, at least 1.
    pub hidden_size: usize,
    /// Most tokens of a sequence, at least 1.
    pub context_tokens: usize,
}

impl Limits {
    /// Most tokens that one sequence can have: those of the context, or of all blocks if they hold
    /// fewer.
    pub fn sequence_tokens(&self) -> usize {
        self.context_tokens.min((self.n_blocks as usize).saturating_mul(self.block_tokens))
    }
}

/// Runs the model over blocks of keys and values that it owns.
///
/// An implementation keeps nothing of a sequence but the slots: all that a segment depends on is
/// in the segment and in the blocks of its table.
pub trait Runner {
    /// What this runner can hold.
    fn limits(&self) -> Limits;

    /// Computes a batch: writes the keys and values of each segment's tokens into their slots and
    /// returns the rows that the segments want.
    ///
    /// Segments of one batch never write to a block that another one reads or writes. After an
    /// error the slots of the batch may hold anything; nobody reads them before they are written
    /// again.
    ///
    /// # Errors
    ///
    /// [`RunError`] if the batch cannot be computed. The requests in it fail, others go on.
    fn run(&mut self, batch: &Batch) -> Result<Output, RunError>;

    /// Makes the slots of one block equal to those of another.
    ///
    /// # Errors
    ///
    /// [`RunError`] if they cannot be copied. The request fails, others go on.
    fn copy_block(&mut self, from: BlockId, to: BlockId) -> Result<(), RunError>;
}

/// Segments of different sequences that are computed together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The segments. No two are of one sequence.
    pub segments: Vec<Segment>,
}

impl Batch {
    /// Tokens to compute.
    pub fn n_tokens(&self) -> usize {
        self.segments.iter().map(|segment| segment.tokens.len()).sum()
    }

    /// Rows of logits wanted, in the order in which they are returned.
    pub fn n_logit_rows(&self) -> usize {
        self.segments.iter().map(Segment::n_logit_rows).sum()
    }

    /// Hidden states wanted, in the order in which they are returned.
    pub fn n_hidden_rows(&self) -> usize {
        self.segments.iter().map(Segment::n_hidden_rows).sum()
    }
}

/// Consecutive tokens of one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The tokens to compute, at least one.
    pub tokens: Vec<u32>,
    /// Position of the first of them, which is also the number of slots before it that are filled.
    pub start: usize,
    /// The blocks of the sequence. Position `p` lies in slot `p % block_tokens` of block
    /// `p / block_tokens`. There is room for all tokens, possibly for more.
    pub blocks: Vec<BlockId>,
    /// What is wanted of the tokens.
    pub rows: Rows,
    /// Tokens with which the sequence was started, for rotary positions whose base depends on it.
    /// The same whenever a position is computed again.
    pub prompt_tokens: usize,
}

impl Segment {
    /// Rows of logits wanted.
    pub fn n_logit_rows(&self) -> usize {
        match self.rows {
            Rows::LogitsFrom(first) => self.tokens.len() - first,
            Rows::None | Rows::HiddenFrom(_) => 0,
        }
    }

    /// Hidden states wanted.
    pub fn n_hidden_rows(&self) -> usize {
        match self.rows {
            Rows::HiddenFrom(first) => self.tokens.len() - first,
            Rows::None | Rows::LogitsFrom(_) => 0,
        }
    }
}

/// What is wanted of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Nothing but the slots.
    None,
    /// A row of logits after each token from this one on, counted from the segment's first.
    LogitsFrom(usize),
    /// The state that the head would read, of each token from this one on.
    HiddenFrom(usize),
}

/// What a batch gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    /// The rows of logits that were wanted, in the order of the segments: `[n_logit_rows, V]`.
    pub logits: Vec<f32>,
    /// The hidden states that were wanted, in the order of the segments: `[n_hidden_rows, D]`.
    pub hidden: Vec<f32>,
}

/// Why a runner could not compute a batch. Clones share the cause.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the batch could not be computed")]
pub struct RunError {
    source: Arc<dyn Error + Send + Sync>,
}

impl RunError {
    /// Wraps what the runner says.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: source.into().into() }
    }
}
