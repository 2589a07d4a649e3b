//! Who takes which of the open steps.

use serde::{Deserialize, Serialize};

use super::open_steps::OpenSteps;
use crate::error::DatasetError;

/// All consumers of a run: ranks, and workers in each rank.
///
/// They take the open steps in turns of `run_rows`: by default one each, so that open step `p`,
/// counted from where the segment starts, goes to consumer `p mod (ranks × workers)`.
///
/// # Reads
///
/// With turns of one, every consumer has rows in every block, so each decodes all blocks and keeps
/// its own rows. With `run_rows` at least the rows of a window (`block_rows × window_blocks`) a
/// window belongs to one consumer, or to two where a run begins inside it, and nearly nothing is
/// decoded twice; both are exact to the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumers {
    /// Processes that train together. At least 1.
    pub ranks: u32,
    /// Readers in each of them. At least 1.
    pub workers: u32,
    /// Steps that a consumer takes before it is the next one's turn. At least 1.
    #[serde(default = "one")]
    pub run_rows: u64,
}

fn one() -> u64 {
    1
}

impl Consumers {
    /// A single consumer.
    pub const ONE: Self = Self { ranks: 1, workers: 1, run_rows: 1 };

    /// `ranks × workers` consumers that take one row each in turn.
    pub fn new(ranks: u32, workers: u32) -> Self {
        Self { ranks, workers, run_rows: 1 }
    }

    /// The same consumers, taking `run_rows` rows each in turn.
    pub fn with_run_rows(self, run_rows: u64) -> Self {
        Self { run_rows, ..self }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        u64::from(self.ranks) * u64::from(self.workers)
    }

    /// One of them.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if there is no such rank or worker, or `run_rows` is 0.
    pub fn consumer(self, rank: u32, worker: u32) -> Result<Consumer, DatasetError> {
        for (option, value, n) in [("rank", rank, self.ranks), ("worker", worker, self.workers)] {
            if value >= n {
                let (expected, found) = (format!("below {n}"), value.to_string());
                return Err(DatasetError::Option { option, expected, found });
            }
        }
        let index = u64::from(rank) * u64::from(self.workers) + u64::from(worker);
        Consumer { consumers: self, index }.checked()
    }
}

/// One of several consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consumer {
    /// All of them.
    pub consumers: Consumers,
    /// `rank × workers + worker`.
    pub index: u64,
}

impl Consumer {
    /// The only one.
    pub const ONE: Self = Self { consumers: Consumers::ONE, index: 0 };

    pub(crate) fn checked(self) -> Result<Self, DatasetError> {
        let invalid = |option, expected: String, found: u64| {
            Err(DatasetError::Option { option, expected, found: found.to_string() })
        };
        if self.index >= self.consumers.count() {
            return invalid("consumer", format!("below {}", self.consumers.count()), self.index);
        }
        if self.consumers.run_rows == 0 {
            return invalid("run_rows", "at least 1".to_owned(), 0);
        }
        Ok(self)
    }

    /// The place, among all open steps, of the `turn`-th one this consumer takes.
    fn place(&self, turn: u64) -> Option<u64> {
        let Consumers { run_rows, .. } = self.consumers;
        let round = (turn / run_rows).checked_mul(run_rows)?.checked_mul(self.consumers.count())?;
        round.checked_add(self.index.checked_mul(run_rows)?)?.checked_add(turn % run_rows)
    }
}

/// How far one consumer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Which consumer.
    pub consumer: Consumer,
    /// How many open steps it has taken since the segment began.
    pub taken: u64,
}

/// What a consumer finds at one of its turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A step to give.
    Step(u64),
    /// A step past the end of the run, with others before the end still to come.
    Skip,
    /// Nothing any more.
    End,
}

/// The turns of one consumer over a segment.
#[derive(Debug)]
pub(crate) struct Turns {
    pub(crate) open: OpenSteps,
    pub(crate) turn: Turn,
    /// How many steps the gaps before each gap hold.
    offsets: Vec<u64>,
}

impl Turns {
    pub(crate) fn new(open: OpenSteps, turn: Turn) -> Result<Self, DatasetError> {
        turn.consumer.checked()?;
        let offsets = open.checked_offsets()?;
        Ok(Self { open, turn, offsets })
    }

    /// What there is at turn `turn` if the run ends before step `end`.
    pub(crate) fn slot(&self, turn: u64, end: u64) -> Slot {
        let Some(place) = self.turn.consumer.place(turn) else { return Slot::End };
        let (step, in_gap) = self.open.step(place, &self.offsets);
        match step {
            Some(step) if step < end => Slot::Step(step),
            Some(_) if in_gap => Slot::Skip,
            _ => Slot::End,
        }
    }
}
