//! Mixtures of several sources, step by step and exact.
//!
//! A [`Mixture`] decides which source every global step takes its row from, so that after any
//! number of steps each source is less than one row away from its share (or, if that is preferred,
//! every batch has the same counts: [`Batching`]). Temperature, epoch caps and a schedule of weights
//! are part of it, and its state is a few integers.
//! [`MixedRows`] reads the rows: every consumer walks the same global sequence and takes its own
//! turns, with the same progress and joining of states as in [`order`](crate::order).

mod apportion;
mod cursor;
mod mixed_rows;
mod mixture;
mod options;
mod progress;

#[cfg(test)]
mod tests;

pub use cursor::{Batch, Cursor, Departure};
pub use mixed_rows::{MixInput, MixedRow, MixedRows};
pub use mixture::{Draw, MixState, Mixture};
pub use options::{Batching, MixOptions, MixSource, Shares, SourceIdentity, WeightChange};
pub use progress::{MixConsumerState, MixIdentity, MixProgress};
