//! What is saved of a run, and how the parts of all consumers are joined.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::consumers::Turn;
use super::open_steps::OpenSteps;
use super::row_order::Order;
use crate::error::DatasetError;
use crate::row::Fingerprint;

/// What a saved state belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderIdentity {
    /// The data.
    pub data: Fingerprint,
    /// How many rows it has.
    pub n_rows: u64,
    /// How they are ordered.
    pub order: Order,
    /// The seed of the order.
    pub seed: u64,
}

impl OrderIdentity {
    pub(crate) fn expect(&self, found: &Self) -> Result<(), DatasetError> {
        expect_same("fingerprint of the data", &self.data.to_string(), &found.data.to_string())?;
        expect_same("number of rows", &self.n_rows, &found.n_rows)?;
        expect_same("order", &self.order, &found.order)?;
        expect_same("seed", &self.seed, &found.seed)
    }
}

pub(crate) fn expect_same<T: PartialEq + Debug>(
    what: &'static str,
    expected: &T,
    found: &T,
) -> Result<(), DatasetError> {
    if expected == found {
        return Ok(());
    }
    let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
    Err(DatasetError::State { what, expected, found })
}

/// Where one consumer is: saved by each consumer, taken up again by the same one in an unchanged
/// world, or joined with all others into a [`Progress`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsumerState {
    /// What the state belongs to.
    pub identity: OrderIdentity,
    /// What was open when this segment of the run began.
    pub open: OpenSteps,
    /// How much of it this consumer has taken.
    pub turn: Turn,
    /// The step at which the run ends; absent in an endless run.
    pub end: Option<u64>,
}

/// What a whole run has still to give. A few integers, however many rows there are.
///
/// # Examples
///
/// Three ranks stop after unequal counts; two others go on:
///
/// ```
/// use puyu_dataset::order::{Consumers, Progress, RowsOptions, ShuffledRows};
/// # use std::{ops::Range, sync::Arc};
/// # use puyu_dataset::{DatasetError, Fingerprint, RowSource};
/// # struct Poems;
/// # impl RowSource for Poems {
/// #     type Row = u64;
/// #     fn n_rows(&self) -> u64 { 300 }
/// #     fn fingerprint(&self) -> Fingerprint { Fingerprint([3; 32]) }
/// #     fn read(&self, rows: Range<u64>) -> Result<Vec<u64>, DatasetError> { Ok(rows.collect()) }
/// # }
///
/// # fn main() -> Result<(), DatasetError> {
/// let (poems, options) = (Arc::new(Poems), RowsOptions::default());
/// let mut seen = Vec::new();
/// let mut states = Vec::new();
/// for (rank, count) in [(0, 40), (1, 37), (2, 41)] {
///     let consumer = Consumers::new(3, 1).consumer(rank, 0)?;
///     let mut rows = ShuffledRows::start(poems.clone(), &options, consumer)?;
///     for row in rows.by_ref().take(count) {
///         seen.push(row?.value);
///     }
///     states.push(rows.state());
/// }
/// let progress = Progress::merge(&states)?;
/// for rank in 0..2 {
///     let consumer = Consumers::new(2, 1).consumer(rank, 0)?;
///     for row in ShuffledRows::proceed(poems.clone(), &options, &progress, consumer)? {
///         seen.push(row?.value);
///     }
/// }
/// seen.sort();
/// assert_eq!(seen, (0..300).collect::<Vec<_>>());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// What the state belongs to.
    pub identity: OrderIdentity,
    /// What nobody has taken yet.
    pub open: OpenSteps,
}

impl Progress {
    /// Joins the states of all consumers of a segment, in any order.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if they are not from one segment of one run, or not all are there;
    /// [`DatasetError::Limit`] if the consumers are absurdly far apart (see [`OpenSteps`]).
    pub fn merge(parts: &[ConsumerState]) -> Result<Self, DatasetError> {
        let Some(first) = parts.first() else { return Err(no_parts()) };
        for part in parts {
            first.identity.expect(&part.identity)?;
            expect_same("end of the run", &first.end, &part.end)?;
        }
        let open = joined_turns(
            parts.iter().map(|part| (&part.open, part.turn)),
            first.end.unwrap_or(u64::MAX),
        )?;
        Ok(Self { identity: first.identity.clone(), open })
    }

    /// The epoch of the lowest row that is still open.
    pub fn epoch(&self) -> u64 {
        self.open.lowest() / self.identity.n_rows.max(1)
    }

    /// The position in that epoch before which everything is taken.
    pub fn position(&self) -> u64 {
        self.open.lowest() % self.identity.n_rows.max(1)
    }

    /// How many rows have been given, over all epochs.
    pub fn n_given(&self) -> u64 {
        self.open.frontier().saturating_sub(self.open.n_missing())
    }
}

fn no_parts() -> DatasetError {
    DatasetError::State {
        what: "consumers",
        expected: "the states of all consumers".to_owned(),
        found: "none".to_owned(),
    }
}

/// Joins the turns of all consumers of one segment.
pub(crate) fn joined_turns<'a>(
    parts: impl Iterator<Item = (&'a OpenSteps, Turn)> + Clone,
    end: u64,
) -> Result<OpenSteps, DatasetError> {
    let Some((open, Turn { consumer, .. })) = parts.clone().next() else {
        return Err(no_parts());
    };
    let consumers = consumer.checked()?.consumers;
    expect_same(
        "number of consumers' states",
        &consumers.count(),
        &(parts.clone().count() as u64),
    )?;
    let mut taken = vec![None; parts.clone().count()];
    for (part_open, turn) in parts {
        expect_same("ranks and workers", &consumers, &turn.consumer.consumers)?;
        expect_same("start of the segment", open, part_open)?;
        turn.consumer.checked()?;
        // Below `count()`, as was just checked, and that is the length.
        let taken = &mut taken[turn.consumer.index as usize];
        if taken.replace(turn.taken).is_some() {
            return Err(DatasetError::State {
                what: "consumers",
                expected: "one state of each".to_owned(),
                found: format!("two of consumer {}", turn.consumer.index),
            });
        }
    }
    // As many as there are consumers, and none twice: all are there.
    let taken: Vec<u64> = taken.into_iter().flatten().collect();
    open.after(consumers, &taken, end)
}
