//! Named steps over documents, with the retention of each.

mod retention;
mod step;
mod steps;

pub use retention::{Retention, StepRetention};
pub use step::{CleanDocument, Outcome, Step};
pub use steps::{ClassifierBounds, ClassifierStep};

use serde::{Deserialize, Serialize};

use super::{
    CutLines, HtmlOptions, KeywordOptions, LanguageFilter, LineOptions, PiiOptions, RuleOptions,
};
use crate::error::DatasetError;

/// Documents that are worked on at a time: enough for all cores, little memory.
const BATCH: usize = 512;

/// One step as a configuration file names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepOptions {
    /// Main content of a web page.
    Html(HtmlOptions),
    /// Language identification and choice.
    Language(LanguageFilter),
    /// C4's cutting of lines.
    CutLines(CutLines),
    /// Heuristic rules.
    Rules(Box<RuleOptions>),
    /// Duplicate lines or paragraphs.
    Lines(LineOptions),
    /// A word and domain list; documents it scores above the bound leave.
    Keywords {
        /// The lists.
        #[serde(default)]
        list: KeywordOptions,
        /// What scores may be.
        #[serde(default)]
        bounds: ClassifierBounds,
    },
    /// Personal data.
    Pii(PiiOptions),
}

/// The steps of a pipeline, for JSON or TOML.
///
/// The default is the order of WanJuan-CC for text that is already extracted: language, rules,
/// duplicate lines, personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineOptions {
    /// The steps, in the order in which documents pass them.
    pub steps: Vec<StepOptions>,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            steps: vec![
                StepOptions::Language(LanguageFilter::default()),
                StepOptions::Rules(Box::default()),
                StepOptions::Lines(LineOptions::default()),
                StepOptions::Pii(PiiOptions::default()),
            ],
        }
    }
}

/// Steps that documents go through, in order.
///
/// Documents keep their order, and the result does not depend on the number of threads.
///
/// ```
/// use puyu_dataset::clean::{CleanDocument, Pipeline, PipelineOptions};
///
/// let options: PipelineOptions = serde_json::from_str(
///     r#"{"steps": [{"step": "language", "keep": ["cmn"]}, {"step": "pii"}]}"#,
/// )
/// .unwrap();
/// let mut pipeline = Pipeline::new(&options)?;
/// let documents = ["写信给 wei@example.cn 就好。", "Not wanted here."];
/// let documents = documents.iter().map(|text| CleanDocument::new("1", *text));
/// let mut kept = Vec::new();
/// let retention = pipeline.run(documents, |document| {
///     kept.push(document.content);
///     Ok(())
/// })?;
/// assert_eq!(kept, ["写信给 [EMAIL] 就好。"]);
/// assert_eq!(retention.steps[0].documents_out, 1);
/// # Ok::<(), puyu_dataset::DatasetError>(())
/// ```
pub struct Pipeline {
    steps: Vec<Box<dyn Step>>,
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| step.name())).finish()
    }
}

impl Pipeline {
    /// The steps of a configuration.
    ///
    /// # Errors
    ///
    /// If a step refuses its options.
    pub fn new(options: &PipelineOptions) -> Result<Self, DatasetError> {
        let steps = options.steps.iter().map(steps::build).collect::<Result<_, _>>()?;
        Ok(Self { steps })
    }

    /// Appends a step: a [`ClassifierStep`] around a model, or anything else.
    #[must_use]
    pub fn with_step(mut self, step: impl Step + 'static) -> Self {
        self.steps.push(Box::new(step));
        self
    }

    /// Sends documents through all steps and hands over those that stay, in order.
    ///
    /// # Errors
    ///
    /// The first error of a step or of `keep`.
    pub fn run(
        &mut self,
        documents: impl IntoIterator<Item = CleanDocument>,
        mut keep: impl FnMut(CleanDocument) -> Result<(), DatasetError>,
    ) -> Result<Retention, DatasetError> {
        let mut retention = Retention::of(self.steps.iter().map(|step| step.name().to_owned()));
        let mut documents = documents.into_iter();
        loop {
            let mut batch: Vec<_> = documents.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                tracing::debug!(steps = self.steps.len(), "pipeline is done");
                return Ok(retention);
            }
            for (step, counts) in self.steps.iter_mut().zip(&mut retention.steps) {
                counts.enter(&batch);
                let outcomes = step.apply_batch(batch)?;
                batch = outcomes.into_iter().filter_map(|outcome| counts.leave(outcome)).collect();
            }
            for document in batch {
                keep(document)?;
            }
        }
    }
}

#[cfg(test)]
mod tests;
