//! What a step is.

use rayon::prelude::*;
use serde::Serialize;

use crate::clean::Language;
use crate::error::DatasetError;

/// A document on its way through a pipeline.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct CleanDocument {
    /// What identifies it; steps leave it alone.
    pub id: String,
    /// HTML before the HTML step, text or Markdown after it.
    pub content: String,
    /// The page's title, once it is known.
    pub title: Option<String>,
    /// The language, once it is known.
    pub language: Option<Language>,
    /// Scores of classifiers, by name, in the order of the steps.
    pub scores: Vec<(String, f32)>,
}

impl CleanDocument {
    /// A document of which nothing else is known.
    pub fn new(id: impl Into<String>, content: impl Into<String>) -> Self {
        Self { id: id.into(), content: content.into(), ..Self::default() }
    }
}

/// What a step makes of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It stays, perhaps changed.
    Keep(CleanDocument),
    /// It leaves, by this rule.
    Drop {
        /// The rule's name, for the report.
        rule: String,
    },
}

impl Outcome {
    /// It leaves, by this rule.
    pub fn drop(rule: impl Into<String>) -> Self {
        Self::Drop { rule: rule.into() }
    }
}

/// One step of a pipeline. A closure `Fn(CleanDocument) -> Result<Outcome, DatasetError>` with a
/// name is one too: `("name", closure)`.
pub trait Step: Send + Sync {
    /// The name in reports.
    fn name(&self) -> &str;

    /// Judges or changes one document.
    ///
    /// # Errors
    ///
    /// What keeps the whole run from going on; a document that is merely bad is dropped instead.
    fn apply(&self, document: CleanDocument) -> Result<Outcome, DatasetError>;

    /// Judges or changes documents, one outcome each, in order. On all cores unless overridden.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply): that of the first document that has one.
    fn apply_batch(&mut self, documents: Vec<CleanDocument>) -> Result<Vec<Outcome>, DatasetError> {
        let step = &*self;
        let outcomes: Vec<_> = documents.into_par_iter().map(|one| step.apply(one)).collect();
        outcomes.into_iter().collect()
    }
}

impl<F> Step for (&str, F)
where
    F: Fn(CleanDocument) -> Result<Outcome, DatasetError> + Send + Sync,
{
    fn name(&self) -> &str {
        self.0
    }

    fn apply(&self, document: CleanDocument) -> Result<Outcome, DatasetError> {
        self.1(document)
    }
}
