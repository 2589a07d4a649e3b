//! How much each step lets through.

use std::collections::BTreeMap;

use serde::Serialize;

use super::step::{CleanDocument, Outcome};
use crate::report::{Align, Table, bars};

/// What went into a step and what came out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct StepRetention {
    /// The step's name.
    pub step: String,
    /// Documents that came in.
    pub documents_in: u64,
    /// Documents that stayed.
    pub documents_out: u64,
    /// UTF-8 bytes of content that came in.
    pub bytes_in: u64,
    /// UTF-8 bytes of content that stayed.
    pub bytes_out: u64,
    /// Documents that left, by rule.
    pub dropped: BTreeMap<String, u64>,
}

impl StepRetention {
    pub(super) fn enter(&mut self, batch: &[CleanDocument]) {
        self.documents_in += batch.len() as u64;
        self.bytes_in += batch.iter().map(|one| one.content.len() as u64).sum::<u64>();
    }

    pub(super) fn leave(&mut self, outcome: Outcome) -> Option<CleanDocument> {
        match outcome {
            Outcome::Keep(document) => {
                self.documents_out += 1;
                self.bytes_out += document.content.len() as u64;
                Some(document)
            }
            Outcome::Drop { rule } => {
                *self.dropped.entry(rule).or_default() += 1;
                None
            }
        }
    }
}

/// The retention of a whole pipeline, as the WanJuan-CC paper reports it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Retention {
    /// In the order of the steps.
    pub steps: Vec<StepRetention>,
}

impl Retention {
    pub(super) fn of(names: impl Iterator<Item = String>) -> Self {
        let step = |step| StepRetention { step, ..StepRetention::default() };
        Self { steps: names.map(step).collect() }
    }

    /// Adds the counts of a run over other documents with the same steps: another worker's.
    ///
    /// # Panics
    ///
    /// If the steps differ.
    pub fn merge(&mut self, other: &Self) {
        let names = |retention: &Self| -> Vec<String> {
            retention.steps.iter().map(|step| step.step.clone()).collect()
        };
        assert_eq!(names(self), names(other), "retention of different steps cannot be added");
        for (mine, theirs) in self.steps.iter_mut().zip(&other.steps) {
            mine.documents_in += theirs.documents_in;
            mine.documents_out += theirs.documents_out;
            mine.bytes_in += theirs.bytes_in;
            mine.bytes_out += theirs.bytes_out;
            for (rule, count) in &theirs.dropped {
                *mine.dropped.entry(rule.clone()).or_default() += count;
            }
        }
    }

    /// One line per step, then one per rule.
    pub fn table(&self) -> Table {
        let mut table =
            Table::new(["step", "documents", "kept", "of step", "of all", "bytes kept"])
                .with_alignment([
                    Align::Left,
                    Align::Right,
                    Align::Right,
                    Align::Right,
                    Align::Right,
                    Align::Right,
                ]);
        let all = self.steps.first().map_or(0, |step| step.documents_in);
        for step in &self.steps {
            table.push([
                step.step.clone(),
                step.documents_in.to_string(),
                step.documents_out.to_string(),
                percent(step.documents_out, step.documents_in),
                percent(step.documents_out, all),
                percent(step.bytes_out, step.bytes_in),
            ]);
            for (rule, count) in &step.dropped {
                let share = percent(*count, step.documents_in);
                table.push([format!("  − {rule}"), String::new(), format!("−{count}"), share]);
            }
        }
        table
    }

    /// Horizontal bars: the share of all documents left after each step, as SVG.
    pub fn svg(&self, title: &str) -> String {
        let all = self.steps.first().map_or(0, |step| step.documents_in);
        let share = |out: u64| if all == 0 { 0.0 } else { 100.0 * out as f64 / all as f64 };
        let rows = self.steps.iter().map(|step| (step.step.clone(), share(step.documents_out)));
        bars(title, "%", &rows.collect::<Vec<_>>())
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        "–".to_owned()
    } else {
        format!("{:.2} %", 100.0 * part as f64 / whole as f64)
    }
}
