//! What is saved of a mixed run, and how the parts of all consumers are joined.

use serde::{Deserialize, Serialize};

use super::cursor::Cursor;
use super::options::{Batching, Shares, SourceIdentity};
use crate::error::DatasetError;
use crate::order::{OpenSteps, Order, Turn, expect_same, joined_turns};
use crate::row::Fingerprint;

/// What a saved state of a mixed run belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixIdentity {
    /// The sources.
    pub sources: Vec<SourceIdentity>,
    /// Their data.
    pub data: Vec<Fingerprint>,
    /// How their rows are ordered.
    pub orders: Vec<Order>,
    /// The seed of the orders.
    pub seed: u64,
    /// How sources follow each other.
    pub batching: Batching,
}

impl MixIdentity {
    pub(super) fn expect(&self, found: &Self) -> Result<(), DatasetError> {
        let hashes = |identity: &Self| -> Vec<String> {
            identity.data.iter().map(Fingerprint::to_string).collect()
        };
        expect_same("sources of the mixture", &self.sources, &found.sources)?;
        expect_same("fingerprints of the data", &hashes(self), &hashes(found))?;
        expect_same("orders", &self.orders, &found.orders)?;
        expect_same("seed", &self.seed, &found.seed)?;
        expect_same("batching", &self.batching, &found.batching)
    }
}

/// Where one consumer of a mixed run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixConsumerState {
    /// What the state belongs to.
    pub identity: MixIdentity,
    /// The weights in force, by step.
    pub schedule: Vec<Shares>,
    /// What was open when this segment of the run began.
    pub open: OpenSteps,
    /// How much of it this consumer has taken.
    pub turn: Turn,
    /// The step at which the mixture ends, once this consumer has come there.
    pub end: Option<u64>,
    /// A place of the mixture at or before all that this consumer has still to take.
    pub base: Cursor,
    /// The place where this consumer's mixture is.
    pub at: Cursor,
}

/// What a whole mixed run has still to give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixProgress {
    /// What the state belongs to.
    pub identity: MixIdentity,
    /// The weights in force, by step.
    pub schedule: Vec<Shares>,
    /// What nobody has taken yet.
    pub open: OpenSteps,
    /// The step at which the mixture ends, if it is known.
    pub end: Option<u64>,
    /// A place of the mixture at or before all open steps.
    pub base: Cursor,
}

impl MixProgress {
    /// Joins the states of all consumers of a segment, in any order.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if they are not from one segment of one run, not all are there, or
    /// not all had the same changes of weights; [`DatasetError::Limit`] if the consumers are
    /// absurdly far apart (see [`OpenSteps`]).
    pub fn merge(parts: &[MixConsumerState]) -> Result<Self, DatasetError> {
        let Some(first) = parts.first() else {
            return Err(DatasetError::State {
                what: "consumers",
                expected: "the states of all consumers".to_owned(),
                found: "none".to_owned(),
            });
        };
        let end = parts.iter().find_map(|part| part.end);
        for part in parts {
            first.identity.expect(&part.identity)?;
            expect_same("schedule", &first.schedule, &part.schedule)?;
            if part.end.is_some() {
                expect_same("end of the mixture", &end, &part.end)?;
            }
        }
        let open = joined_turns(
            parts.iter().map(|part| (&part.open, part.turn)),
            end.unwrap_or(u64::MAX),
        )?;
        let base = parts
            .iter()
            .flat_map(|part| [&part.base, &part.at])
            .filter(|cursor| cursor.step <= open.lowest())
            .max_by_key(|cursor| cursor.step);
        let Some(base) = base.cloned() else {
            return Err(DatasetError::State {
                what: "place of the mixture",
                expected: format!("one at or before step {}", open.lowest()),
                found: "later ones only".to_owned(),
            });
        };
        let (identity, schedule) = (first.identity.clone(), first.schedule.clone());
        Ok(Self { identity, schedule, open, end, base })
    }

    /// How many rows have been given of all sources together.
    pub fn n_given(&self) -> u64 {
        self.open.frontier().saturating_sub(self.open.n_missing())
    }
}
