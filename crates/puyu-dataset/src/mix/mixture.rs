//! Which source every step takes its row from.

use serde::{Deserialize, Serialize};

use super::apportion::{BatchPlan, WHOLE, next_source};
use super::cursor::{Batch, Cursor, Departure, check_schedule};
use super::options::{
    Batching, MixOptions, MixSource, Shares, SourceIdentity, identities, insert, invalid, schedule,
    shares,
};
use crate::error::DatasetError;
use crate::order::expect_same;

/// One step of a mixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// The step.
    pub step: u64,
    /// The index of the source.
    pub source: usize,
    /// The epoch of the source.
    pub epoch: u64,
    /// The position in that epoch.
    pub position: u64,
}

/// What is saved of a mixture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixState {
    /// The sources.
    pub sources: Vec<SourceIdentity>,
    /// How they follow each other.
    pub batching: Batching,
    /// The weights in force, by step: planned, and changed since.
    pub schedule: Vec<Shares>,
    /// Where the mixture is.
    pub cursor: Cursor,
}

/// The sequence of sources: endless, unless all sources that have a weight have a cap.
///
/// Between two changes (of weights, or a source leaving at its cap) every source is, after any
/// number of steps, less than one row away from its share; with
/// [`Batching::Stratified`](super::Batching::Stratified) that is so of its count in each batch.
/// A source at its cap leaves, the shares of the others grow in proportion, and the departure is
/// recorded.
///
/// # Examples
///
/// ```
/// use puyu_dataset::mix::{MixOptions, MixSource, Mixture};
///
/// # fn main() -> Result<(), puyu_dataset::DatasetError> {
/// let source = |name: &str, weight| MixSource {
///     name: name.into(),
///     n_rows: 1000,
///     weight: Some(weight),
///     max_epochs: None,
/// };
/// let sources = vec![source("百科", 0.5), source("code", 0.3), source("书籍", 0.2)];
/// let mut mixture = Mixture::new(sources, MixOptions::default())?;
/// let first: Vec<usize> = mixture.by_ref().take(10).map(|draw| draw.source).collect();
/// assert_eq!(first, [0, 1, 0, 2, 0, 1, 0, 1, 0, 2]);
/// assert_eq!(mixture.counts(), [5, 3, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Mixture {
    sources: Vec<SourceIdentity>,
    temperature: f64,
    batching: Batching,
    schedule: Vec<Shares>,
    cursor: Cursor,
    /// Derived from the cursor: the shares now, and what was drawn with them.
    shares: Vec<u64>,
    phase: Vec<u64>,
}

impl Mixture {
    /// A mixture from its first step.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if there is no source, a source is empty or has the name of
    /// another, or a weight, a cap, the temperature or a change makes no sense.
    pub fn new(sources: Vec<MixSource>, options: MixOptions) -> Result<Self, DatasetError> {
        if let Batching::Stratified { batch: 0 } = options.batching {
            return invalid("batch", "at least 1", 0);
        }
        let identities = identities(&sources)?;
        let mut mixture = Self {
            schedule: schedule(&sources, &options)?,
            temperature: options.temperature,
            batching: options.batching,
            cursor: Cursor::start(sources.len()),
            shares: Vec::new(),
            phase: Vec::new(),
            sources: identities,
        };
        for source in 0..mixture.sources.len() {
            mixture.leave_at_cap(source);
        }
        mixture.enter_phase();
        Ok(mixture)
    }

    /// A mixture from where it was saved, with the schedule that was saved.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if sources, caps, weights or batching were others, and those of
    /// [`new`](Self::new).
    pub fn resume(
        sources: Vec<MixSource>,
        options: MixOptions,
        state: &MixState,
    ) -> Result<Self, DatasetError> {
        let mut mixture = Self::new(sources, options)?;
        let MixState { sources, batching, schedule, cursor } = state;
        expect_same("sources of the mixture", &mixture.sources, sources)?;
        expect_same("batching", &mixture.batching, batching)?;
        mixture.take_schedule(schedule)?;
        mixture.go_to(cursor)?;
        Ok(mixture)
    }

    /// Takes over a recorded schedule that began with the same weights.
    pub(super) fn take_schedule(&mut self, schedule: &[Shares]) -> Result<(), DatasetError> {
        check_schedule(schedule, self.sources.len())?;
        // Powers may differ in their last bits between machines; weights that people set do not.
        let near = |(a, b): (&u64, &u64)| a.abs_diff(*b) <= WHOLE >> 32;
        let (first, found) = (&self.schedule[0].shares, &schedule[0].shares);
        if !first.iter().zip(found).all(near) {
            return Err(DatasetError::State {
                what: "weights",
                expected: format!("{:?}", fractions(first)),
                found: format!("{:?}", fractions(found)),
            });
        }
        self.schedule = schedule.to_vec();
        Ok(())
    }

    /// Goes to a place of this mixture.
    pub(super) fn go_to(&mut self, cursor: &Cursor) -> Result<(), DatasetError> {
        cursor.check(&self.sources, &self.schedule)?;
        self.cursor = cursor.clone();
        self.shares = cursor.shares(&self.schedule);
        self.phase = cursor.phase();
        Ok(())
    }

    /// What to save. Valid after any step.
    pub fn state(&self) -> MixState {
        MixState {
            sources: self.sources.clone(),
            batching: self.batching,
            schedule: self.schedule.clone(),
            cursor: self.cursor.clone(),
        }
    }

    /// The next step.
    pub fn step(&self) -> u64 {
        self.cursor.step
    }

    /// How many rows of each source were drawn.
    pub fn counts(&self) -> &[u64] {
        &self.cursor.counts
    }

    /// The shares in force, which add up to 1 unless all sources have left.
    pub fn shares(&self) -> Vec<f64> {
        fractions(&self.shares)
    }

    /// The sources that have reached their caps, in that order.
    pub fn departures(&self) -> &[Departure] {
        &self.cursor.departed
    }

    /// The recorded weights, by step.
    pub fn schedule(&self) -> &[Shares] {
        &self.schedule
    }

    pub(super) fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Changes the weights from a step on that was not yet drawn. The temperature applies.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if the step was drawn already or is 0, or (with stratified batches)
    /// is not the first of a batch, or a weight makes no sense.
    pub fn set_weights(&mut self, from_step: u64, weights: &[f64]) -> Result<(), DatasetError> {
        if from_step < self.cursor.step {
            return invalid("from_step", format!("at least {}", self.cursor.step), from_step);
        }
        let shares = shares(weights, self.sources.len(), self.temperature)?;
        insert(&mut self.schedule, Shares { from_step, shares }, self.batching)
    }

    fn enter_phase(&mut self) {
        self.cursor.phase_step = self.cursor.step;
        self.cursor.phase_counts = self.cursor.counts.clone();
        self.shares = self.cursor.shares(&self.schedule);
        self.phase = vec![0; self.sources.len()];
    }

    fn leave_at_cap(&mut self, source: usize) -> bool {
        let full = self.sources[source].max_rows == Some(self.cursor.counts[source]);
        if full {
            self.cursor.departed.push(Departure { step: self.cursor.step, source });
        }
        full
    }

    /// Puts changes into force that begin at this step.
    fn follow_schedule(&mut self) {
        let mut changed = false;
        while self
            .schedule
            .get(self.cursor.entry + 1)
            .is_some_and(|next| next.from_step <= self.cursor.step)
        {
            self.cursor.entry += 1;
            changed = true;
        }
        if changed {
            self.enter_phase();
        }
    }

    fn pick(&mut self) -> Option<usize> {
        let steps = self.cursor.step - self.cursor.phase_step;
        let Batching::Stratified { batch } = self.batching else {
            return next_source(&self.shares, WHOLE, &self.phase, steps);
        };
        let done = self.cursor.batch.as_ref().is_none_or(|batch| batch.counts == batch.quotas);
        if done {
            let left: Vec<u64> = self
                .sources
                .iter()
                .zip(&self.cursor.counts)
                .map(|(source, &count)| {
                    source.max_rows.map_or(u64::MAX, |max| max - count.min(max))
                })
                .collect();
            let (shares, counts, left) = (&self.shares[..], &self.phase[..], &left[..]);
            let quotas = BatchPlan { shares, counts, steps, batch, left }.quotas();
            let counts = vec![0; quotas.len()];
            self.cursor.batch = Some(Batch { start: self.cursor.step, quotas, counts });
        }
        let batch = self.cursor.batch.as_mut()?;
        let size = batch.quotas.iter().sum();
        let source =
            next_source(&batch.quotas, size, &batch.counts, self.cursor.step - batch.start)?;
        batch.counts[source] += 1;
        Some(source)
    }
}

impl Iterator for Mixture {
    type Item = Draw;

    fn next(&mut self) -> Option<Draw> {
        let step = self.cursor.step;
        let next_step = step.checked_add(1)?;
        self.follow_schedule();
        let source = self.pick()?;
        let count = self.cursor.counts[source];
        let n_rows = self.sources[source].n_rows;
        self.cursor.step = next_step;
        self.cursor.counts[source] += 1;
        self.phase[source] += 1;
        if self.leave_at_cap(source) {
            self.enter_phase();
        }
        Some(Draw { step, source, epoch: count / n_rows, position: count % n_rows })
    }
}

fn fractions(shares: &[u64]) -> Vec<f64> {
    shares.iter().map(|&share| share as f64 / WHOLE as f64).collect()
}
