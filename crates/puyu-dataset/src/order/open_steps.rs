//! The steps that nobody has taken yet.

use serde::{Deserialize, Serialize};

use super::consumers::Consumers;
use crate::error::DatasetError;

/// The most gaps that are kept: 24 MiB of them. Only consumers that are a million runs apart, or
/// thousands that stop over and over before the last gaps are closed, could need more.
const MAX_GAPS: u64 = 1 << 20;

/// Open steps at equal distances: `start`, `start + stride`, … `count` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The first step.
    pub start: u64,
    /// The distance of the steps. At least 1.
    pub stride: u64,
    /// How many there are. At least 1.
    pub count: u64,
}

impl Gap {
    /// The last step; `None` if it is no `u64` or there is none.
    fn last(&self) -> Option<u64> {
        self.start.checked_add(self.stride.checked_mul(self.count.checked_sub(1)?)?)
    }

    fn before(self, end: u64) -> Option<Self> {
        let room = end.checked_sub(self.start)?.div_ceil(self.stride);
        let count = self.count.min(room);
        (count > 0).then_some(Self {
            count,
            stride: if count == 1 { 1 } else { self.stride },
            ..self
        })
    }
}

/// The steps that nobody has taken yet: all from the frontier on, and those in gaps before it.
///
/// # Size
///
/// No gaps after a run whose consumers all stopped after equally many rows, or that one consumer
/// read. Otherwise at most one gap for each consumer that lags behind the furthest; gaps that were
/// there before are given first, so they are gone once the next run has passed them. Stopping
/// again before that may split every old gap among the consumers; there are never more gaps than
/// open steps before the frontier. With `run_rows > 1` a lagging consumer leaves one gap for each
/// run it lags.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenSteps {
    frontier: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<Gap>,
}

impl OpenSteps {
    /// All steps.
    pub fn all() -> Self {
        Self::default()
    }

    /// The step from which on all are open.
    pub fn frontier(&self) -> u64 {
        self.frontier
    }

    /// The open steps before the frontier.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// How many steps are open before the frontier.
    pub fn n_missing(&self) -> u64 {
        self.gaps.iter().fold(0, |sum, gap| sum.saturating_add(gap.count))
    }

    /// The lowest open step: all before it are taken.
    pub fn lowest(&self) -> u64 {
        self.gaps.iter().map(|gap| gap.start).min().unwrap_or(self.frontier)
    }

    /// How many steps the gaps before each gap hold, and at the end all of them.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if the gaps cannot have come from a run.
    pub(crate) fn checked_offsets(&self) -> Result<Vec<u64>, DatasetError> {
        let mut offsets = vec![0];
        let mut total = 0_u64;
        for gap in &self.gaps {
            let fits = gap.stride > 0 && gap.last().is_some_and(|last| last < self.frontier);
            total = total.saturating_add(gap.count);
            if !fits || total > self.frontier {
                return Err(DatasetError::State {
                    what: "gaps",
                    expected: format!("open steps before step {}", self.frontier),
                    found: format!("{gap:?}"),
                });
            }
            offsets.push(total);
        }
        Ok(offsets)
    }

    /// The open step at `place`, counted over the gaps and then from the frontier, and whether it
    /// is in a gap. `None` past the largest `u64`.
    pub(crate) fn step(&self, place: u64, offsets: &[u64]) -> (Option<u64>, bool) {
        let missing = offsets.last().copied().unwrap_or(0);
        if place >= missing {
            return (self.frontier.checked_add(place - missing), false);
        }
        let index = offsets.partition_point(|&offset| offset <= place) - 1;
        let gap = self.gaps[index];
        (Some(gap.start + (place - offsets[index]) * gap.stride), true)
    }

    /// What is open after each consumer took as many steps as `taken` says.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Limit`] if there would be more than a million gaps.
    pub(crate) fn after(
        &self,
        consumers: Consumers,
        taken: &[u64],
        end: u64,
    ) -> Result<Self, DatasetError> {
        let offsets = self.checked_offsets()?;
        let rounds = taken.iter().map(|k| k.div_ceil(consumers.run_rows)).max().unwrap_or(0);
        let mut gaps = Vec::new();
        for (index, &taken) in taken.iter().enumerate() {
            for places in lag(consumers, index as u64, taken, rounds)? {
                self.select(&places, &offsets, &mut gaps);
                check_limit(gaps.len() as u64)?;
            }
        }
        let reached =
            u128::from(rounds) * u128::from(consumers.run_rows) * u128::from(consumers.count());
        let missing = u128::from(offsets.last().copied().unwrap_or(0));
        let frontier = if reached < missing {
            // Whole gaps, or their ends, that nobody has reached.
            let rest = Places { start: reached, stride: 1, count: missing - reached };
            self.select(&rest, &offsets, &mut gaps);
            self.frontier
        } else {
            let frontier = u128::from(self.frontier) + (reached - missing);
            u64::try_from(frontier).unwrap_or(u64::MAX)
        };
        check_limit(gaps.len() as u64)?;
        gaps = gaps.into_iter().filter_map(|gap| gap.before(end)).collect();
        Ok(Self { frontier: frontier.min(end), gaps }.tidied())
    }

    /// Adds the open steps at `places`.
    fn select(&self, places: &Places, offsets: &[u64], to: &mut Vec<Gap>) {
        let tail = (u128::from(offsets[self.gaps.len()]), u128::MAX, self.frontier, 1);
        let pieces = self.gaps.iter().zip(offsets).map(|(gap, &offset)| {
            let offset = u128::from(offset);
            (offset, offset + u128::from(gap.count), gap.start, gap.stride)
        });
        for (from, until, start, stride) in pieces.chain([tail]) {
            let first = from.saturating_sub(places.start).div_ceil(places.stride);
            let end = until.saturating_sub(places.start).div_ceil(places.stride).min(places.count);
            if first >= end {
                continue;
            }
            let place = places.start + first * places.stride;
            let step = u128::from(start) + (place - from) * u128::from(stride);
            // Steps past the largest `u64` do not exist; a single step needs no stride.
            let Ok(start) = u64::try_from(step) else { continue };
            let stride =
                u64::try_from(places.stride.saturating_mul(stride.into())).unwrap_or(u64::MAX);
            let room = u128::from((u64::MAX - start) / stride) + 1;
            let count = (end - first).min(room) as u64;
            to.push(Gap { start, stride: if count == 1 { 1 } else { stride }, count });
        }
    }

    /// Sorts the gaps, joins neighbours, and takes back the frontier over what touches it.
    fn tidied(mut self) -> Self {
        self.gaps.sort_unstable_by_key(|gap| gap.start);
        let mut joined: Vec<Gap> = Vec::with_capacity(self.gaps.len());
        for gap in self.gaps {
            match joined.last_mut() {
                Some(last)
                    if last.stride == gap.stride
                        && last.last().and_then(|step| step.checked_add(gap.stride))
                            == Some(gap.start) =>
                {
                    last.count += gap.count;
                }
                _ => joined.push(gap),
            }
        }
        while let Some(last) = joined.last()
            && last.stride == 1
            && last.start + last.count == self.frontier
        {
            self.frontier = last.start;
            joined.pop();
        }
        Self { frontier: self.frontier, gaps: joined }
    }
}

fn check_limit(needed: u64) -> Result<(), DatasetError> {
    if needed <= MAX_GAPS {
        return Ok(());
    }
    let what = "joining the consumers' states (in gaps)".to_owned();
    Err(DatasetError::Limit { what, needed, limit: MAX_GAPS })
}

/// Places among open steps at equal distances.
struct Places {
    start: u128,
    stride: u128,
    count: u128,
}

/// The places that consumer `index` has not taken in the first `rounds` rounds.
fn lag(
    consumers: Consumers,
    index: u64,
    taken: u64,
    rounds: u64,
) -> Result<Vec<Places>, DatasetError> {
    let run = u128::from(consumers.run_rows);
    let round_places = run * u128::from(consumers.count());
    let at = |round: u64, within: u128| {
        u128::from(round) * round_places + u128::from(index) * run + within
    };
    if run == 1 {
        let count = u128::from(rounds - taken);
        return Ok(vec![Places { start: at(taken, 0), stride: round_places, count }]);
    }
    let begun = u128::from(taken % consumers.run_rows);
    let round = taken / consumers.run_rows;
    check_limit(rounds - round)?;
    let places = (round..rounds).map(|r| {
        let within = if r == round { begun } else { 0 };
        Places { start: at(r, within), stride: 1, count: run - within }
    });
    Ok(places.collect())
}
