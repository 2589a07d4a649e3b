//! What can go wrong in an engine.

use puyu_core::{OptionsError, SampleError};

use super::runner::RunError;

/// Why there is no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A number of the options or of the runner's limits is too small.
    #[error("`{field}` must be at least {least}, found {found}")]
    TooSmall {
        /// The field's name.
        field: &'static str,
        /// Least value allowed.
        least: usize,
        /// The value given.
        found: usize,
    },
}

/// Why a request is refused. Nothing of it is left in the engine.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// There is nothing to compute.
    #[error("the prompt has no tokens, expected at least one")]
    EmptyPrompt,
    /// The request could never fit, not even alone.
    #[error("the request needs room for {tokens} tokens, but a sequence can have {limit}")]
    TooLong {
        /// Tokens given, and one more if any are to be generated.
        tokens: usize,
        /// Most tokens of a sequence, by context and blocks.
        limit: usize,
    },
    /// A token is outside the vocabulary.
    #[error("token {index} is {found}, but the vocabulary has {vocab_size} tokens")]
    UnknownToken {
        /// Which token, from 0.
        index: usize,
        /// Number of tokens, so the greatest id is one less.
        vocab_size: usize,
        /// The id given.
        found: u32,
    },
    /// The options are wrong.
    #[error("the options are not valid")]
    InvalidOptions(#[from] OptionsError),
    /// A constraint without anything that enforces it would be ignored in silence.
    #[error("the options have a constraint, but the request has no logits processor for it")]
    UnenforcedConstraint,
    /// Too many requests wait; a later try may succeed.
    #[error("{waiting} requests wait already, at most {limit} may")]
    Overloaded {
        /// Requests in the queue.
        waiting: usize,
        /// Most requests allowed there.
        limit: usize,
    },
}

/// Why a request ended without a result. Its blocks are free again.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The runner failed in a step that computed the request.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The runner returned another number of values than it was asked for.
    #[error("the runner gave {found} values of {what}, expected {expected}")]
    WrongOutput {
        /// Which part of the output.
        what: &'static str,
        /// Values asked for.
        expected: usize,
        /// Values returned.
        found: usize,
    },
    /// No token can be drawn, as when a processor forbids all.
    #[error("no token could be sampled")]
    Sample(#[from] SampleError),
    /// The request is the first in line, nothing runs, and still there is no room for it.
    #[error("{needed} blocks are needed, but only {available} can be had while nothing runs")]
    OutOfBlocks {
        /// Blocks that the request needs.
        needed: usize,
        /// Blocks that are free or cached.
        available: usize,
    },
}
