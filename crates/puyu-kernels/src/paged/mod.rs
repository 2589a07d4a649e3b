//! Keys and values of many sequences in blocks, and grouped attention over them.
//!
//! # The order of one output
//!
//! The context of a query is cut into spans of [`SPAN`] tokens, counted from position 0. Each span
//! gives the largest score, the sum of the exponentials and the weighted sum of the values; the
//! spans are combined one after the other, oldest first. Within a span the order of every sum is
//! fixed too, see [`kernel`]. So it does not matter how large the blocks are and where they lie,
//! whether a query comes alone or among others, or who computes which span.
//!
//! # Two ways through the cache
//!
//! Few rows (queries times the heads that share keys) read the codes as they stream by, each once,
//! and widen them in registers. Many rows widen a span of keys and values once into a buffer that
//! stays in the caches, and compute in register tiles.

mod attention;
mod cache;
mod encode;
mod error;
mod format;
mod kernel;
mod layout;
mod memory;
mod plan;
mod portable;
mod scratch;
mod segment;
mod span;
mod state;
mod worker;

#[cfg(target_arch = "x86_64")]
mod avx2;

#[cfg(test)]
mod cache_tests;
#[cfg(test)]
mod scalar;
#[cfg(test)]
mod tests;

pub use attention::paged_attention;
pub use cache::{KvLayer, KvPool};
pub use error::KvError;
pub use layout::{KvLayout, KvType};
pub use segment::Segment;

use attention::Call;

/// Tokens of a span.
const SPAN: usize = 64;

/// Rows of a register tile: 6 × 2 accumulators, 2 keys and a query of AVX2.
const TILE_ROWS: usize = 6;

/// Rows that read the codes as they stream by. With more, widening them once costs less than
/// widening them again for every few rows.
const STREAM_ROWS: usize = 4;

/// Rows of a task. Their queries, weights and sums, with a span of keys and values, take a quarter
/// of a second-level cache of 1 MiB at 128 numbers of a head.
const TASK_ROWS: usize = 96;

/// Calls what takes `R` rows, a constant. `$n` is from 1 to [`TILE_ROWS`].
macro_rules! with_rows {
    ($n:expr, $R:ident => $call:expr) => {
        match $n {
            1 => {
                const $R: usize = 1;
                $call
            }
            2 => {
                const $R: usize = 2;
                $call
            }
            3 => {
                const $R: usize = 3;
                $call
            }
            4 => {
                const $R: usize = 4;
                $call
            }
            5 => {
                const $R: usize = 5;
                $call
            }
            _ => {
                const $R: usize = $crate::paged::TILE_ROWS;
                $call
            }
        }
    };
}
use with_rows;
