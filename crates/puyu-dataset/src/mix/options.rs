//! What a mixture is made from.

use serde::{Deserialize, Serialize};

use super::apportion::shares_of;
use crate::error::DatasetError;

/// One source of a mixture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixSource {
    /// Its name, unique in the mixture.
    pub name: String,
    /// How many rows it has. At least 1.
    pub n_rows: u64,
    /// Its weight; 0 to have it join later by a change. Absent in all sources: the number of rows
    /// is the weight.
    #[serde(default)]
    pub weight: Option<f64>,
    /// After how many epochs it leaves the mixture; fractions of an epoch are rounded down to rows.
    #[serde(default)]
    pub max_epochs: Option<f64>,
}

/// How sources follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Batching {
    /// After any number of steps every source is within one row of its share.
    #[default]
    Interleaved,
    /// Every batch has the same count of each source, up to rounding; exact in the long run.
    Stratified {
        /// Rows in a global batch. At least 1.
        batch: u64,
    },
}

/// Weights from a step on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightChange {
    /// The first step with these weights. At least 1; with stratified batches the first of one.
    pub from_step: u64,
    /// One for each source.
    pub weights: Vec<f64>,
}

/// How sources are mixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MixOptions {
    /// Sources are drawn in proportion to `weight^(1 / temperature)`. 1 by default: as the weights
    /// say. Larger values favour small sources.
    pub temperature: f64,
    /// Chooses the orders inside the sources. 0 by default: runs repeat unless told otherwise.
    pub seed: u64,
    /// How sources follow each other. Interleaved by default, which is the smoothest.
    pub batching: Batching,
    /// Planned changes of the weights, by step. None by default.
    pub schedule: Vec<WeightChange>,
}

impl Default for MixOptions {
    fn default() -> Self {
        Self { temperature: 1.0, seed: 0, batching: Batching::default(), schedule: Vec::new() }
    }
}

/// The weights in force from a step on, as they are computed with and recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// The first step.
    pub from_step: u64,
    /// One for each source, in parts of 2^52.
    pub shares: Vec<u64>,
}

/// What a saved mixture says about a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceIdentity {
    /// Its name.
    pub name: String,
    /// How many rows it has.
    pub n_rows: u64,
    /// After how many rows it leaves the mixture.
    pub max_rows: Option<u64>,
}

pub(super) fn invalid<T>(
    option: &'static str,
    expected: impl Into<String>,
    found: impl ToString,
) -> Result<T, DatasetError> {
    Err(DatasetError::Option { option, expected: expected.into(), found: found.to_string() })
}

pub(super) fn identities(sources: &[MixSource]) -> Result<Vec<SourceIdentity>, DatasetError> {
    if sources.is_empty() {
        return invalid("sources", "at least one", 0);
    }
    let mut found: Vec<SourceIdentity> = Vec::with_capacity(sources.len());
    for MixSource { name, n_rows, max_epochs, .. } in sources {
        if found.iter().any(|other| other.name == *name) {
            return invalid("name", "a different one for each source", name);
        }
        if *n_rows == 0 {
            return invalid("n_rows", format!("at least 1 in `{name}`"), 0);
        }
        let max_rows = match *max_epochs {
            None => None,
            // A product beyond `u64` stays at its maximum, which no run reaches.
            Some(epochs) if epochs >= 0.0 && epochs.is_finite() => Some(rows_of(epochs, *n_rows)),
            Some(epochs) => return invalid("max_epochs", "0 or more, finite", epochs),
        };
        found.push(SourceIdentity { name: name.clone(), n_rows: *n_rows, max_rows });
    }
    Ok(found)
}

/// Whole epochs exactly, the fraction rounded down.
fn rows_of(epochs: f64, n_rows: u64) -> u64 {
    let whole = (epochs.trunc() as u64).saturating_mul(n_rows);
    whole.saturating_add((epochs.fract() * n_rows as f64) as u64)
}

/// The shares that the sources begin with.
pub(super) fn first_shares(
    sources: &[MixSource],
    temperature: f64,
) -> Result<Vec<u64>, DatasetError> {
    let n_given = sources.iter().filter(|source| source.weight.is_some()).count();
    if n_given != 0 && n_given != sources.len() {
        let found = format!("{n_given} of {}", sources.len());
        return invalid("weight", "given for all sources or for none", found);
    }
    let weights: Vec<f64> =
        sources.iter().map(|source| source.weight.unwrap_or(source.n_rows as f64)).collect();
    shares(&weights, sources.len(), temperature)
}

pub(super) fn shares(
    weights: &[f64],
    n_sources: usize,
    temperature: f64,
) -> Result<Vec<u64>, DatasetError> {
    if !(temperature.is_finite() && temperature > 0.0) {
        return invalid("temperature", "above 0, finite", temperature);
    }
    if weights.len() != n_sources {
        return invalid("weights", format!("{n_sources} values"), weights.len());
    }
    if let Some(weight) = weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
        return invalid("weight", "0 or more, finite", weight);
    }
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let flattened: Vec<f64> = weights
        .iter()
        .map(|&weight| match temperature {
            // No power, so that plain weights are the same on every machine to the last bit.
            1.0 => weight,
            _ if weight == 0.0 => 0.0,
            // The smallest positive number keeps a source that the power would lose.
            _ => (weight / largest).powf(1.0 / temperature).max(f64::MIN_POSITIVE),
        })
        .collect();
    match shares_of(&flattened) {
        Some(shares) => Ok(shares),
        None => invalid("weights", "at least one above 0", "0 everywhere"),
    }
}

/// The shares of all planned changes, by step.
pub(super) fn schedule(
    sources: &[MixSource],
    options: &MixOptions,
) -> Result<Vec<Shares>, DatasetError> {
    let temperature = options.temperature;
    let mut schedule = vec![Shares { from_step: 0, shares: first_shares(sources, temperature)? }];
    for WeightChange { from_step, weights } in &options.schedule {
        let shares = shares(weights, sources.len(), temperature)?;
        insert(&mut schedule, Shares { from_step: *from_step, shares }, options.batching)?;
    }
    Ok(schedule)
}

/// Adds a change, in the place of one of the same step.
pub(super) fn insert(
    schedule: &mut Vec<Shares>,
    change: Shares,
    batching: Batching,
) -> Result<(), DatasetError> {
    if change.from_step == 0 {
        return invalid("from_step", "at least 1, as step 0 has the sources' weights", 0);
    }
    if let Batching::Stratified { batch } = batching
        && !change.from_step.is_multiple_of(batch)
    {
        return invalid("from_step", format!("a multiple of {batch}"), change.from_step);
    }
    match schedule.binary_search_by_key(&change.from_step, |shares| shares.from_step) {
        Ok(index) => schedule[index] = change,
        Err(index) => schedule.insert(index, change),
    }
    Ok(())
}
