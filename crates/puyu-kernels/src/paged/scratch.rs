//! What a thread keeps between its tasks.

use super::kernel::{Row, Scales, Share};
use super::layout::UNIT;
use super::state::State;

/// Buffers, grown when they are first needed.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Scaled queries: groups of [`TILE_ROWS`] rows, the last one may have fewer, each
    /// `[head_dim, rows]`.
    pub(super) queries: Vec<f32>,
    /// Sum of each query.
    pub(super) query_sums: Vec<f32>,
    /// Scores, then weights of each row in a span.
    pub(super) weights: Vec<Row>,
    pub(super) shares: Vec<Share>,
    pub(super) scales: Option<Box<Scales>>,
    /// Sums of values of few rows.
    pub(super) sums: Vec<[f32; UNIT]>,
    /// Widened keys of a span: `[GROUPS, head_dim]`.
    pub(super) keys: Vec<[f32; UNIT]>,
    /// Widened values of a span: `[units, SPAN]`.
    pub(super) values: Vec<[f32; UNIT]>,
    pub(super) state: State,
}
