//! The order of rows as a pure function, and reading in that order.
//!
//! (fingerprint, seed, epoch, position) decides the row, through a keyed [`Permutation`] that
//! needs no memory: [`RowOrder`]. The positions of all epochs, one after the other, are the
//! *steps* of a run; [`Consumers`] (ranks × workers) take them in turns. What a run still has to
//! give is [`OpenSteps`]: one number and a short list of gaps. So a [`Progress`] joined from all
//! consumers can be taken up by any other number of them, and nothing is lost or given twice.
//! [`ShuffledRows`] reads a [`RowSource`](crate::RowSource) this way.

mod consumers;
mod open_steps;
mod permutation;
mod progress;
mod row_order;
mod shuffled_rows;
mod windows;

#[cfg(test)]
pub(crate) mod tests;

pub use consumers::{Consumer, Consumers, Turn};
pub use open_steps::{Gap, OpenSteps};
pub use permutation::Permutation;
pub use progress::{ConsumerState, OrderIdentity, Progress};
pub use row_order::{EpochOrder, Order, RowOrder};
pub use shuffled_rows::{Given, RowsOptions, ShuffledRows};
pub use windows::Fetch;

pub(crate) use consumers::{Slot, Turns};
pub(crate) use progress::{expect_same, joined_turns};
pub(crate) use row_order::Epochs;
pub(crate) use windows::{Positions, Request, WindowReader};
