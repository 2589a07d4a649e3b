//! Why documents left, one by one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use puyu_dataset::DatasetError;
use puyu_dataset::clean::{
    CleanDocument, Outcome, Pipeline, PipelineOptions, Step, StepOptions, Verdict,
};
use puyu_dataset::dedup::Decontaminator;

/// Why a document left.
#[derive(Clone, Default)]
pub struct Loss {
    pub step: String,
    pub rule: String,
    /// The document's figure, where the rule compares one.
    pub value: Option<f64>,
    /// What the figure had to reach or not to exceed.
    pub threshold: Option<f64>,
}

/// Losses by the document's number, until they are written.
#[derive(Clone, Default)]
pub struct Losses(Arc<Mutex<HashMap<String, Loss>>>);

impl Losses {
    fn add(&self, id: String, loss: Loss) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, loss);
    }

    pub fn take(&self, id: &str) -> Loss {
        let loss = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        loss.unwrap_or_default()
    }
}

/// A step that remembers for each document why it left.
pub struct Watched {
    name: String,
    options: StepOptions,
    inner: Pipeline,
    losses: Losses,
}

impl Watched {
    pub fn new(options: StepOptions, losses: Losses) -> Result<Self, DatasetError> {
        let mut inner = alone(&options)?;
        let retention = inner.run([], |_| Ok(()))?;
        let name = retention.steps.into_iter().map(|step| step.step).collect();
        Ok(Self { name, options, inner, losses })
    }

    /// Asks once more about a document that left.
    fn loss(&self, document: CleanDocument) -> Result<Loss, DatasetError> {
        let step = self.name.clone();
        if let StepOptions::Rules(rules) = &self.options {
            let verdict = rules.judge(&rules.analyzer().analyze(&document.content));
            if let Verdict::Drop { rule, value, threshold } = verdict {
                let (value, threshold) = (Some(value), Some(threshold));
                return Ok(Loss { step, rule: rule.to_owned(), value, threshold });
            }
        }
        let retention = alone(&self.options)?.run([document], |_| Ok(()))?;
        let rule = retention.steps.into_iter().flat_map(|step| step.dropped.into_keys()).next();
        // A step that remembers earlier documents drops only those of which nothing is left.
        let rule = rule.unwrap_or_else(|| "empty".to_owned());
        Ok(Loss { step, rule, ..Loss::default() })
    }
}

fn alone(options: &StepOptions) -> Result<Pipeline, DatasetError> {
    Pipeline::new(&PipelineOptions { steps: vec![options.clone()] })
}

impl Step for Watched {
    fn name(&self) -> &str {
        &self.name
    }

    fn apply(&self, document: CleanDocument) -> Result<Outcome, DatasetError> {
        let mut kept = None;
        alone(&self.options)?.run([document.clone()], |document| {
            kept = Some(document);
            Ok(())
        })?;
        match kept {
            Some(document) => Ok(Outcome::Keep(document)),
            None => Ok(Outcome::drop(self.loss(document)?.rule)),
        }
    }

    fn apply_batch(&mut self, documents: Vec<CleanDocument>) -> Result<Vec<Outcome>, DatasetError> {
        let before = documents.clone();
        let mut kept = HashMap::new();
        self.inner.run(documents, |document| {
            kept.insert(document.id.clone(), document);
            Ok(())
        })?;
        let outcome = |document: CleanDocument| {
            if let Some(document) = kept.remove(&document.id) {
                return Ok(Outcome::Keep(document));
            }
            let id = document.id.clone();
            let loss = self.loss(document)?;
            self.losses.add(id, loss.clone());
            Ok(Outcome::drop(loss.rule))
        };
        before.into_iter().map(outcome).collect()
    }
}

/// Drops documents that have items of benchmarks in them.
pub struct Contaminated {
    benchmarks: Decontaminator,
    losses: Losses,
}

impl Contaminated {
    pub fn new(benchmarks: Decontaminator, losses: Losses) -> Self {
        Self { benchmarks, losses }
    }
}

impl Step for Contaminated {
    fn name(&self) -> &str {
        "contamination"
    }

    fn apply(&self, document: CleanDocument) -> Result<Outcome, DatasetError> {
        let overlaps = self.benchmarks.check(&document.content);
        let most = overlaps.iter().max_by(|a, b| a.share.total_cmp(&b.share));
        let Some(overlap) = most else {
            return Ok(Outcome::Keep(document));
        };
        let rule = format!("contamination.{}", overlap.set);
        let loss = Loss {
            step: self.name().to_owned(),
            rule: rule.clone(),
            value: Some(overlap.share),
            threshold: Some(puyu_dataset::dedup::DecontaminateOptions::default().min_share),
        };
        self.losses.add(document.id, loss);
        Ok(Outcome::Drop { rule })
    }
}
