//! One consumer's rows of a mixture, read in order.

use std::sync::Arc;

use super::cursor::Cursor;
use super::mixture::{Draw, Mixture};
use super::options::{MixOptions, MixSource, Shares, invalid};
use super::progress::{MixConsumerState, MixIdentity, MixProgress};
use crate::error::DatasetError;
use crate::order::{
    Consumer, Epochs, Fetch, Given, OpenSteps, Order, Positions, Request, RowOrder, Slot, Turn,
    Turns, WindowReader,
};
use crate::row::RowSource;

/// Rows after which a consumer moves its base: re-walking so many steps takes well under a second.
const BASE_ROWS: u64 = 4096;

/// One source of a mixture, with its rows.
pub struct MixInput<R> {
    /// Its name, unique in the mixture.
    pub name: String,
    /// Its rows.
    pub rows: Arc<dyn RowSource<Row = R>>,
    /// As in [`MixSource::weight`].
    pub weight: Option<f64>,
    /// As in [`MixSource::max_epochs`].
    pub max_epochs: Option<f64>,
    /// How its rows are ordered in an epoch.
    pub order: Order,
    /// How its rows are fetched.
    pub fetch: Fetch,
}

impl<R> Clone for MixInput<R> {
    fn clone(&self) -> Self {
        let Self { name, rows, weight, max_epochs, order, fetch } = self;
        let (name, rows) = (name.clone(), rows.clone());
        Self { name, rows, weight: *weight, max_epochs: *max_epochs, order: *order, fetch: *fetch }
    }
}

impl<R> MixInput<R> {
    /// A source with its rows, in the default order, by number of rows and without a cap.
    pub fn new(name: impl Into<String>, rows: Arc<dyn RowSource<Row = R>>) -> Self {
        let (order, fetch) = (Order::default(), Fetch::default());
        Self { name: name.into(), rows, weight: None, max_epochs: None, order, fetch }
    }
}

/// A row with its source and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MixedRow<R> {
    /// The index of the source.
    pub source: usize,
    /// The row; `step` is that of the mixture, the rest is that of the source.
    pub given: Given<R>,
}

struct Reader<R: Send + 'static> {
    epochs: Epochs,
    windows: WindowReader<R>,
    max_rows: u64,
}

/// The rows of one consumer of a mixture, in order.
///
/// # Reads and memory
///
/// Every source has a window in memory and, if consumers take rows one by one, the next one loaded
/// on a thread. Which rows of a window a consumer will need depends on the whole mixture, so it
/// holds all of them; choose windows accordingly. Walking the mixture costs a consumer some tens
/// of nanoseconds for each step of each other consumer.
///
/// After an error the iterator ends; [`state`](Self::state) is then that before the row.
///
/// # Examples
///
/// ```
/// use puyu_dataset::mix::{MixInput, MixOptions, MixedRows};
/// use puyu_dataset::order::Consumer;
/// # use std::{ops::Range, sync::Arc};
/// # use puyu_dataset::{DatasetError, Fingerprint, RowSource};
/// # struct Lines(u64);
/// # impl RowSource for Lines {
/// #     type Row = u64;
/// #     fn n_rows(&self) -> u64 { self.0 }
/// #     fn fingerprint(&self) -> Fingerprint { Fingerprint([self.0 as u8; 32]) }
/// #     fn read(&self, rows: Range<u64>) -> Result<Vec<u64>, DatasetError> { Ok(rows.collect()) }
/// # }
///
/// # fn main() -> Result<(), DatasetError> {
/// let mut poems = MixInput::new("唐诗", Arc::new(Lines(40)));
/// let mut code = MixInput::new("code", Arc::new(Lines(100)));
/// (poems.weight, code.weight) = (Some(3.0), Some(1.0));
/// (poems.max_epochs, code.max_epochs) = (Some(1.5), Some(1.0));
/// let inputs = vec![poems, code];
/// let mut rows = MixedRows::start(inputs.clone(), MixOptions::default(), Consumer::ONE)?;
/// let before = rows.by_ref().take(50).count();
/// let rows = MixedRows::resume(inputs, MixOptions::default(), &rows.state())?;
/// assert_eq!(before + rows.count(), 60 + 100);
/// # Ok(())
/// # }
/// ```
pub struct MixedRows<R: Send + 'static> {
    identity: MixIdentity,
    mixture: Mixture,
    turns: Turns,
    end: Option<u64>,
    base: Cursor,
    readers: Vec<Reader<R>>,
    failed: bool,
}

impl<R: Send + 'static> MixedRows<R> {
    /// The rows of one consumer from the beginning.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if an option makes no sense, [`DatasetError::Limit`] if a window
    /// cannot be held in memory.
    pub fn start(
        inputs: Vec<MixInput<R>>,
        options: MixOptions,
        consumer: Consumer,
    ) -> Result<Self, DatasetError> {
        Self::new(inputs, options, OpenSteps::all(), Turn { consumer, taken: 0 })
    }

    /// What a run has still to give, on any number of consumers.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if the progress is of other data or another mixture, and those of
    /// [`start`](Self::start).
    pub fn proceed(
        inputs: Vec<MixInput<R>>,
        options: MixOptions,
        progress: &MixProgress,
        consumer: Consumer,
    ) -> Result<Self, DatasetError> {
        let MixProgress { identity, schedule, open, end, base } = progress;
        let mut rows = Self::new(inputs, options, open.clone(), Turn { consumer, taken: 0 })?;
        rows.restore(identity, schedule, *end, [base, base])?;
        Ok(rows)
    }

    /// The rows that this consumer would have given next: with unchanged ranks and workers.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if the state is of other data or another mixture, and those of
    /// [`start`](Self::start).
    pub fn resume(
        inputs: Vec<MixInput<R>>,
        options: MixOptions,
        state: &MixConsumerState,
    ) -> Result<Self, DatasetError> {
        let MixConsumerState { identity, schedule, open, turn, end, base, at } = state;
        let mut rows = Self::new(inputs, options, open.clone(), *turn)?;
        rows.restore(identity, schedule, *end, [base, at])?;
        Ok(rows)
    }

    fn new(
        inputs: Vec<MixInput<R>>,
        options: MixOptions,
        open: OpenSteps,
        turn: Turn,
    ) -> Result<Self, DatasetError> {
        let (seed, batching) = (options.seed, options.batching);
        let sources = inputs
            .iter()
            .map(|input| MixSource {
                name: input.name.clone(),
                n_rows: input.rows.n_rows(),
                weight: input.weight,
                max_epochs: input.max_epochs,
            })
            .collect();
        let mixture = Mixture::new(sources, options)?;
        let sources = mixture.state().sources;
        let identity = MixIdentity {
            data: inputs.iter().map(|input| input.rows.fingerprint()).collect(),
            orders: inputs.iter().map(|input| input.order).collect(),
            sources,
            seed,
            batching,
        };
        let mut readers = Vec::with_capacity(inputs.len());
        for (input, source) in inputs.into_iter().zip(&identity.sources) {
            let data = input.rows.fingerprint();
            let seed = source_seed(seed, &source.name);
            let order = RowOrder::new(data, source.n_rows, input.order, seed)?;
            let windows = WindowReader::new(input.rows, order.clone(), input.fetch)?;
            let max_rows = source.max_rows.unwrap_or(u64::MAX);
            readers.push(Reader { epochs: Epochs::new(order), windows, max_rows });
        }
        Ok(Self {
            identity,
            base: mixture.cursor().clone(),
            mixture,
            turns: Turns::new(open, turn)?,
            end: None,
            readers,
            failed: false,
        })
    }

    fn restore(
        &mut self,
        identity: &MixIdentity,
        schedule: &[Shares],
        end: Option<u64>,
        [base, at]: [&Cursor; 2],
    ) -> Result<(), DatasetError> {
        self.identity.expect(identity)?;
        self.mixture.take_schedule(schedule)?;
        self.mixture.go_to(base)?;
        self.mixture.go_to(at)?;
        let frontier = self.turns.open.frontier();
        if let Some(end) = end
            && end < frontier
        {
            return Err(DatasetError::State {
                what: "end of the mixture",
                expected: format!("at least {frontier}"),
                found: end.to_string(),
            });
        }
        if self.turns.turn.taken == 0 && base.step > self.turns.open.lowest() {
            return Err(DatasetError::State {
                what: "place of the mixture",
                expected: format!("at or before step {}", self.turns.open.lowest()),
                found: base.step.to_string(),
            });
        }
        (self.base, self.end) = (base.clone(), end);
        Ok(())
    }

    /// Where this consumer is. Valid after any row.
    pub fn state(&self) -> MixConsumerState {
        MixConsumerState {
            identity: self.identity.clone(),
            schedule: self.mixture.schedule().to_vec(),
            open: self.turns.open.clone(),
            turn: self.turns.turn,
            end: self.end,
            base: self.base.clone(),
            at: self.mixture.cursor().clone(),
        }
    }

    /// Changes the weights from a step on, counted over all consumers. All of them must be told
    /// the same; that they were is checked when their states are joined.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if this run may have given the step already, the mixture has
    /// ended, or the weights make no sense.
    pub fn set_weights(&mut self, from_step: u64, weights: &[f64]) -> Result<(), DatasetError> {
        if let Some(end) = self.end {
            return invalid("from_step", format!("none, the mixture ended at {end}"), from_step);
        }
        let frontier = self.turns.open.frontier();
        if from_step < frontier {
            return invalid("from_step", format!("at least {frontier}"), from_step);
        }
        self.mixture.set_weights(from_step, weights)
    }

    /// Walks to `step` and draws it; `None` if the mixture ends before.
    fn draw(&mut self, step: u64) -> Result<Option<Draw>, DatasetError> {
        if self.mixture.step() > step {
            // A gap before the last one's end, or the row of an error.
            self.mixture.go_to(&self.base)?;
        }
        if self.mixture.step() > step {
            return Err(DatasetError::State {
                what: "place of the mixture",
                expected: format!("at or before step {step}"),
                found: self.mixture.step().to_string(),
            });
        }
        while self.mixture.step() < step {
            if self.mixture.next().is_none() {
                return Ok(None);
            }
        }
        let in_tail = step >= self.turns.open.frontier();
        if in_tail && self.turns.turn.taken.is_multiple_of(BASE_ROWS) {
            self.base = self.mixture.cursor().clone();
        }
        Ok(self.mixture.next())
    }

    fn give(&mut self, draw: Draw) -> Result<MixedRow<R>, DatasetError> {
        let Draw { step, source, epoch, position } = draw;
        let in_turns_of_one = self.turns.turn.consumer.consumers.run_rows == 1;
        let reader = &mut self.readers[source];
        let window = reader.epochs.at(epoch).window_of(position);
        if !reader.windows.holds(epoch, window, position) {
            // After a long run of other consumers the next window would be one of theirs.
            let next = if in_turns_of_one { reader.after(epoch, window) } else { None };
            let request = Request { epoch, window, positions: Positions::All };
            reader.windows.open(request, next)?;
        }
        let (row, value) = reader.windows.take(reader.epochs.at(epoch), position)?;
        Ok(MixedRow { source, given: Given { step, epoch, position, row, value } })
    }
}

impl<R: Send + 'static> Reader<R> {
    /// The window after this one, unless the source leaves the mixture before it.
    fn after(&mut self, epoch: u64, window: u64) -> Option<Request> {
        let n_rows = self.epochs.order().n_rows();
        let end = self.epochs.at(epoch).window(window).end;
        let next = epoch.checked_mul(n_rows)?.checked_add(end)?;
        let (epoch, window) = match end < n_rows {
            true => (epoch, window + 1),
            false => (epoch + 1, 0),
        };
        (next < self.max_rows).then_some(Request { epoch, window, positions: Positions::All })
    }
}

impl<R: Send + 'static> Iterator for MixedRows<R> {
    type Item = Result<MixedRow<R>, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let step = match self.turns.slot(self.turns.turn.taken, self.end.unwrap_or(u64::MAX)) {
                Slot::End => return None,
                Slot::Skip => {
                    self.turns.turn.taken += 1;
                    continue;
                }
                Slot::Step(step) => step,
            };
            let given = match self.draw(step) {
                Ok(Some(draw)) => self.give(draw),
                Ok(None) => {
                    self.end = Some(self.mixture.step());
                    continue;
                }
                Err(error) => Err(error),
            };
            match &given {
                Ok(_) => self.turns.turn.taken += 1,
                Err(_) => self.failed = true,
            }
            return Some(given);
        }
        None
    }
}

/// Sources with equal rows still have orders of their own.
fn source_seed(seed: u64, name: &str) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key("puyu-dataset 2026 seed of a source v1");
    hasher.update(&seed.to_le_bytes());
    hasher.update(name.as_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
