//! An engine that serves many requests at a time on one model.
//!
//! [`Engine`] is a state machine: requests go in, [`Engine::step`] computes one batch through a
//! [`Runner`], events come out. It knows token ids and blocks; text, tensors, threads and clocks
//! are outside.
//!
//! - **Continuous batching.** Each step computes one token of every running sequence and, with what
//!   is left of its budget of tokens, chunks of prompts.
//! - **Blocks.** Keys and values lie in blocks of a fixed number of slots. Sequences hold blocks;
//!   each block is free, held or cached, and the counts are exact.
//! - **Prefixes.** Full blocks are kept by what they hold, so a start that comes again is not
//!   computed again. Samples of one request share their prompt in any case.
//! - **Order.** Requests are admitted in the order in which they came and never overtaken. Where
//!   decoding needs a block and none is left, the youngest sequence gives up its blocks and is
//!   computed again later, up to where it was: its tokens stay.
//! - **Speculation.** A [`Draft`] may guess tokens ahead; see [`PromptLookup`].
//!
//! None of this changes what comes out for a request.

mod blocks;
mod cache;
#[expect(clippy::module_inception, reason = "the file is about the type of this name")]
mod engine;
mod error;
mod event;
mod options;
mod plan;
mod prefix;
mod request;
mod runner;
mod sequence;
mod speculate;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use blocks::BlockId;
pub use cache::BlockCounts;
pub use engine::Engine;
pub use error::{EngineError, RequestError, SubmitError};
pub use event::{EngineEvent, EngineStatistics};
pub use options::EngineOptions;
pub use request::{LogitsProcessor, Request, RequestId, Watcher};
pub use runner::{Batch, Limits, Output, Rows, RunError, Runner, Segment};
pub use speculate::{Draft, PromptLookup};
