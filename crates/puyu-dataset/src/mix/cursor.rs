//! Where a mixture is.

use serde::{Deserialize, Serialize};

use super::apportion::{WHOLE, apportion};
use super::options::{Shares, SourceIdentity};
use crate::error::DatasetError;

/// A source that has left the mixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Departure {
    /// The first step without it.
    pub step: u64,
    /// Its index.
    pub source: usize,
}

/// A stratified batch that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// Its first step.
    pub start: u64,
    /// How many rows it has of each source.
    pub quotas: Vec<u64>,
    /// How many of them it had.
    pub counts: Vec<u64>,
}

/// Where a mixture is: what was drawn before a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The next step.
    pub step: u64,
    /// How many rows of each source were drawn before it.
    pub counts: Vec<u64>,
    /// The entry of the schedule in force.
    pub entry: usize,
    /// Since when the shares are as they are: the last change of weights or departure.
    pub phase_step: u64,
    /// The counts of that step. Proportions are exact from there on.
    pub phase_counts: Vec<u64>,
    /// Sources that have reached their caps.
    pub departed: Vec<Departure>,
    /// The current batch, if batches are stratified.
    pub batch: Option<Batch>,
}

impl Cursor {
    pub(super) fn start(n_sources: usize) -> Self {
        Self {
            step: 0,
            counts: vec![0; n_sources],
            entry: 0,
            phase_step: 0,
            phase_counts: vec![0; n_sources],
            departed: Vec::new(),
            batch: None,
        }
    }

    /// The shares of the sources that are still there; all 0 if none is.
    pub(super) fn shares(&self, schedule: &[Shares]) -> Vec<u64> {
        let mut shares = schedule[self.entry].shares.clone();
        for departure in &self.departed {
            shares[departure.source] = 0;
        }
        if self.departed.is_empty() {
            return shares;
        }
        apportion(WHOLE, &shares).unwrap_or(shares)
    }

    /// How many rows of each source were drawn since the last change of shares.
    pub(super) fn phase(&self) -> Vec<u64> {
        self.counts.iter().zip(&self.phase_counts).map(|(count, before)| count - before).collect()
    }

    /// Whether this is a cursor that a mixture of these sources can be at.
    pub(super) fn check(
        &self,
        sources: &[SourceIdentity],
        schedule: &[Shares],
    ) -> Result<(), DatasetError> {
        let n = sources.len();
        let sum = |counts: &[u64]| counts.iter().try_fold(0_u64, |sum, &n| sum.checked_add(n));
        let below = |low: &[u64], high: &[u64]| {
            low.len() == n && high.len() == n && low.iter().zip(high).all(|(low, high)| low <= high)
        };
        let lengths = below(&self.phase_counts, &self.counts);
        let sums = sum(&self.counts) == Some(self.step)
            && sum(&self.phase_counts) == Some(self.phase_step);
        let entry = self.entry < schedule.len();
        let departed = self.departed.iter().all(|departure| {
            departure.step <= self.step && departure.source < n && self.departed.len() <= n
        });
        let batch = self.batch.as_ref().is_none_or(|batch| {
            below(&batch.counts, &batch.quotas)
                && sum(&batch.quotas).is_some()
                && sum(&batch.counts)
                    .is_some_and(|given| batch.start.checked_add(given) == Some(self.step))
        });
        if lengths && sums && entry && departed && batch {
            return Ok(());
        }
        Err(DatasetError::State {
            what: "cursor of the mixture",
            expected: format!("counts of {n} sources that add up to the step"),
            found: format!("{} counts at step {}", self.counts.len(), self.step),
        })
    }
}

/// Whether this is a schedule for `n_sources` sources.
pub(super) fn check_schedule(schedule: &[Shares], n_sources: usize) -> Result<(), DatasetError> {
    let ordered = schedule.first().is_some_and(|first| first.from_step == 0)
        && schedule.is_sorted_by(|a, b| a.from_step < b.from_step);
    let whole = schedule.iter().all(|entry| {
        let sum: u128 = entry.shares.iter().map(|&share| u128::from(share)).sum();
        entry.shares.len() == n_sources && sum == u128::from(WHOLE)
    });
    if ordered && whole {
        return Ok(());
    }
    Err(DatasetError::State {
        what: "schedule",
        expected: format!("shares of {n_sources} sources in parts of 2^52, by step from 0"),
        found: format!("{} entries", schedule.len()),
    })
}
