//! One consumer's rows, read in order.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::consumers::{Consumer, Slot, Turn, Turns};
use super::open_steps::OpenSteps;
use super::progress::{ConsumerState, OrderIdentity, Progress};
use super::row_order::{Epochs, Order, RowOrder};
use super::windows::{Fetch, Positions, Request, WindowReader};
use crate::error::DatasetError;
use crate::row::RowSource;

/// How rows are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RowsOptions {
    /// The order in an epoch.
    pub order: Order,
    /// Chooses one of the shuffled orders. 0 by default: runs repeat unless told otherwise.
    pub seed: u64,
    /// How often every row is given; absent for ever. Once by default, as in pretraining. May be
    /// raised when a run is taken up again.
    pub epochs: Option<u64>,
    /// How rows are fetched. By blocks by default, as files are read fastest.
    pub fetch: Fetch,
}

impl Default for RowsOptions {
    fn default() -> Self {
        Self { order: Order::default(), seed: 0, epochs: Some(1), fetch: Fetch::default() }
    }
}

/// A row with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<R> {
    /// Counted over all epochs and all consumers.
    pub step: u64,
    /// The epoch, from 0.
    pub epoch: u64,
    /// The position in the epoch.
    pub position: u64,
    /// The number of the row in the source.
    pub row: u64,
    /// The row.
    pub value: R,
}

/// The rows of one consumer, in order, over all epochs.
///
/// # Reads and memory
///
/// With [`Fetch::Blocks`] each block is read once for each window, from the first row that this
/// consumer needs to the last, and only its own rows are kept: two windows' worth in memory, one
/// of them loaded on a thread. How much of a block several consumers decode each is decided by
/// [`Consumers::run_rows`](super::Consumers::run_rows). Windows that hold gaps are read again for
/// the gaps.
///
/// After an error the iterator ends; [`state`](Self::state) is then that before the row, so a run
/// can be taken up once the storage answers again.
///
/// # Examples
///
/// See [`Progress`].
pub struct ShuffledRows<R: Send + 'static> {
    identity: OrderIdentity,
    epochs: Epochs,
    turns: Turns,
    end: Option<u64>,
    reader: WindowReader<R>,
    failed: bool,
}

impl<R: Send + 'static> ShuffledRows<R> {
    /// The rows of one consumer from the beginning.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if an option makes no sense, [`DatasetError::Limit`] if a window
    /// cannot be held in memory.
    pub fn start(
        source: Arc<dyn RowSource<Row = R>>,
        options: &RowsOptions,
        consumer: Consumer,
    ) -> Result<Self, DatasetError> {
        Self::new(source, options, OpenSteps::all(), Turn { consumer, taken: 0 })
    }

    /// What a run has still to give, on any number of consumers.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if the progress is of other data or another order, and those of
    /// [`start`](Self::start).
    pub fn proceed(
        source: Arc<dyn RowSource<Row = R>>,
        options: &RowsOptions,
        progress: &Progress,
        consumer: Consumer,
    ) -> Result<Self, DatasetError> {
        let rows = Self::new(source, options, progress.open.clone(), Turn { consumer, taken: 0 })?;
        rows.identity.expect(&progress.identity)?;
        Ok(rows)
    }

    /// The rows that this consumer would have given next: with unchanged ranks and workers.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if the state is of other data or another order, and those of
    /// [`start`](Self::start).
    pub fn resume(
        source: Arc<dyn RowSource<Row = R>>,
        options: &RowsOptions,
        state: &ConsumerState,
    ) -> Result<Self, DatasetError> {
        let rows = Self::new(source, options, state.open.clone(), state.turn)?;
        rows.identity.expect(&state.identity)?;
        Ok(rows)
    }

    fn new(
        source: Arc<dyn RowSource<Row = R>>,
        options: &RowsOptions,
        open: OpenSteps,
        turn: Turn,
    ) -> Result<Self, DatasetError> {
        let RowsOptions { order, seed, epochs, fetch } = *options;
        let (data, n_rows) = (source.fingerprint(), source.n_rows());
        let row_order = RowOrder::new(data, n_rows, order, seed)?;
        let end = match epochs {
            _ if n_rows == 0 => Some(0),
            Some(epochs) => Some(epochs.saturating_mul(n_rows)),
            None => None,
        };
        if let Some(end) = end
            && open.frontier() > end
        {
            return Err(DatasetError::State {
                what: "epochs",
                expected: format!("at most {end} rows given"),
                found: open.frontier().to_string(),
            });
        }
        Ok(Self {
            identity: OrderIdentity { data, n_rows, order, seed },
            epochs: Epochs::new(row_order.clone()),
            turns: Turns::new(open, turn)?,
            end,
            reader: WindowReader::new(source, row_order, fetch)?,
            failed: false,
        })
    }

    /// Where this consumer is. Valid after any row.
    pub fn state(&self) -> ConsumerState {
        ConsumerState {
            identity: self.identity.clone(),
            open: self.turns.open.clone(),
            turn: self.turns.turn,
            end: self.end,
        }
    }

    fn slot(&self, turn: u64) -> Slot {
        self.turns.slot(turn, self.end.unwrap_or(u64::MAX))
    }

    /// What this consumer takes of the window at `turn`, and the turn after that.
    fn window_at(&mut self, mut turn: u64) -> (Option<Request>, u64) {
        let n_rows = self.identity.n_rows;
        let mut found: Option<(u64, u64, Vec<u64>)> = None;
        loop {
            let step = match self.slot(turn) {
                Slot::Step(step) => step,
                Slot::Skip => {
                    turn += 1;
                    continue;
                }
                Slot::End => break,
            };
            let (epoch, position) = (step / n_rows, step % n_rows);
            let window = self.epochs.at(epoch).window_of(position);
            match &mut found {
                Some((e, w, positions)) if (*e, *w) == (epoch, window) => positions.push(position),
                Some(_) => break,
                None => found = Some((epoch, window, vec![position])),
            }
            turn += 1;
        }
        let request = found.map(|(epoch, window, positions)| Request {
            epoch,
            window,
            positions: Positions::These(positions),
        });
        (request, turn)
    }

    fn give(&mut self, step: u64) -> Result<Given<R>, DatasetError> {
        let (epoch, position) = (step / self.identity.n_rows, step % self.identity.n_rows);
        let window = self.epochs.at(epoch).window_of(position);
        if !self.reader.holds(epoch, window, position)
            && let (Some(request), next_turn) = self.window_at(self.turns.turn.taken)
        {
            let (next, _) = self.window_at(next_turn);
            self.reader.open(request, next)?;
        }
        let (row, value) = self.reader.take(self.epochs.at(epoch), position)?;
        Ok(Given { step, epoch, position, row, value })
    }
}

impl<R: Send + 'static> Iterator for ShuffledRows<R> {
    type Item = Result<Given<R>, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            match self.slot(self.turns.turn.taken) {
                Slot::End => return None,
                Slot::Skip => self.turns.turn.taken += 1,
                Slot::Step(step) => {
                    let given = self.give(step);
                    match &given {
                        Ok(_) => self.turns.turn.taken += 1,
                        Err(_) => self.failed = true,
                    }
                    return Some(given);
                }
            }
        }
        None
    }
}
