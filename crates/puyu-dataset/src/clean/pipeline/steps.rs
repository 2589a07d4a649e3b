//! The steps that come with the crate.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::StepOptions;
use super::step::{CleanDocument, Outcome, Step};
use crate::clean::{
    Analyzer, Classifier, CutLines, HtmlOptions, KeywordClassifier, LanguageFilter, LineDeduper,
    PiiOptions, RuleOptions, Verdict, detect_language,
};
use crate::error::DatasetError;

/// Makes the step that the options describe.
pub(super) fn build(options: &StepOptions) -> Result<Box<dyn Step>, DatasetError> {
    Ok(match options.clone() {
        StepOptions::Html(html) => Box::new(HtmlStep(html)),
        StepOptions::Language(filter) => Box::new(LanguageStep(filter)),
        StepOptions::CutLines(cut) => Box::new(CutLinesStep(cut)),
        StepOptions::Rules(rules) => {
            Box::new(RulesStep { analyzer: rules.analyzer(), rules: *rules })
        }
        StepOptions::Lines(lines) => Box::new(LinesStep(LineDeduper::new(lines))),
        StepOptions::Keywords { list, bounds } => {
            Box::new(ClassifierStep::new(KeywordClassifier::new(&list)?, bounds))
        }
        StepOptions::Pii(pii) => Box::new(PiiStep(pii)),
    })
}

/// Keeps what is not blank.
fn unless_blank(document: CleanDocument) -> Outcome {
    if document.content.trim().is_empty() {
        Outcome::drop("empty")
    } else {
        Outcome::Keep(document)
    }
}

struct HtmlStep(HtmlOptions);

impl Step for HtmlStep {
    fn name(&self) -> &str {
        "html"
    }

    fn apply(&self, mut document: CleanDocument) -> Result<Outcome, DatasetError> {
        Ok(match self.0.extract(&document.content) {
            Err(DatasetError::Limit { .. }) => Outcome::drop("html.max_bytes"),
            Err(other) => return Err(other),
            Ok(page) => {
                document.content = page.markdown;
                document.title = document.title.or(page.title);
                unless_blank(document)
            }
        })
    }
}

struct LanguageStep(LanguageFilter);

impl Step for LanguageStep {
    fn name(&self) -> &str {
        "language"
    }

    fn apply(&self, mut document: CleanDocument) -> Result<Outcome, DatasetError> {
        let language = detect_language(&document.content);
        document.language = Some(language);
        if self.0.keep.is_empty() {
            return Ok(Outcome::Keep(document));
        }
        Ok(if !self.0.keep.iter().any(|code| code == language.code) {
            Outcome::drop(format!("language.{}", language.code))
        } else if language.confidence < self.0.min_confidence {
            Outcome::drop("language.min_confidence")
        } else {
            Outcome::Keep(document)
        })
    }
}

struct CutLinesStep(CutLines);

impl Step for CutLinesStep {
    fn name(&self) -> &str {
        "cut_lines"
    }

    fn apply(&self, mut document: CleanDocument) -> Result<Outcome, DatasetError> {
        document.content = self.0.apply(&document.content);
        Ok(unless_blank(document))
    }
}

struct RulesStep {
    rules: RuleOptions,
    /// What each thread's own is cloned from.
    analyzer: Analyzer,
}

impl Step for RulesStep {
    fn name(&self) -> &str {
        "rules"
    }

    fn apply(&self, document: CleanDocument) -> Result<Outcome, DatasetError> {
        Ok(judge(&self.rules, &mut self.analyzer.clone(), document))
    }

    fn apply_batch(&mut self, documents: Vec<CleanDocument>) -> Result<Vec<Outcome>, DatasetError> {
        let judged = documents.into_par_iter().map_init(
            || self.analyzer.clone(),
            |analyzer, document| judge(&self.rules, analyzer, document),
        );
        Ok(judged.collect())
    }
}

fn judge(rules: &RuleOptions, analyzer: &mut Analyzer, document: CleanDocument) -> Outcome {
    match rules.judge(&analyzer.analyze(&document.content)) {
        Verdict::Keep => Outcome::Keep(document),
        Verdict::Drop { rule, .. } => Outcome::drop(rule),
    }
}

/// One after the other, because each document depends on those before it.
struct LinesStep(LineDeduper);

impl Step for LinesStep {
    fn name(&self) -> &str {
        "lines"
    }

    fn apply(&self, document: CleanDocument) -> Result<Outcome, DatasetError> {
        Ok(Outcome::Keep(document))
    }

    fn apply_batch(&mut self, documents: Vec<CleanDocument>) -> Result<Vec<Outcome>, DatasetError> {
        let mut clean = |mut document: CleanDocument| {
            document.content = self.0.push(&document.content).text;
            unless_blank(document)
        };
        Ok(documents.into_iter().map(&mut clean).collect())
    }
}

struct PiiStep(PiiOptions);

impl Step for PiiStep {
    fn name(&self) -> &str {
        "pii"
    }

    fn apply(&self, mut document: CleanDocument) -> Result<Outcome, DatasetError> {
        document.content = self.0.apply(&document.content).0;
        Ok(Outcome::Keep(document))
    }
}

/// What a score may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierBounds {
    /// Documents with a lower score leave; 0 keeps all.
    pub min: f32,
    /// Documents with a higher score leave (0.5). 1 keeps all of a score that means a probability.
    pub max: f32,
}

impl Default for ClassifierBounds {
    fn default() -> Self {
        Self { min: 0.0, max: 0.5 }
    }
}

/// Scores documents and keeps those within bounds. The score stays with the document.
pub struct ClassifierStep<C> {
    classifier: C,
    bounds: ClassifierBounds,
}

impl<C: Classifier> ClassifierStep<C> {
    /// A step around a classifier.
    pub fn new(classifier: C, bounds: ClassifierBounds) -> Self {
        Self { classifier, bounds }
    }

    fn scores(&self, texts: &[&str]) -> Result<Vec<f32>, DatasetError> {
        let failed = |source| DatasetError::Classifier {
            classifier: self.classifier.name().to_owned(),
            source,
        };
        let scores = self.classifier.score(texts).map_err(failed)?;
        if scores.len() != texts.len() {
            let found = format!("{} scores for {} texts", scores.len(), texts.len());
            return Err(failed(found.into()));
        }
        Ok(scores)
    }

    fn outcome(&self, mut document: CleanDocument, score: f32) -> Outcome {
        let name = self.classifier.name();
        // A score that is no number says nothing, and nothing said is no reason to stay.
        if score.is_nan() {
            return Outcome::drop(format!("{name}.nan"));
        }
        if score < self.bounds.min {
            return Outcome::drop(format!("{name}.min"));
        }
        if score > self.bounds.max {
            return Outcome::drop(format!("{name}.max"));
        }
        document.scores.push((name.to_owned(), score));
        Outcome::Keep(document)
    }
}

impl<C: Classifier> Step for ClassifierStep<C> {
    fn name(&self) -> &str {
        self.classifier.name()
    }

    fn apply(&self, document: CleanDocument) -> Result<Outcome, DatasetError> {
        let score = self.scores(&[&document.content])?.first().copied().unwrap_or(f32::NAN);
        Ok(self.outcome(document, score))
    }

    fn apply_batch(&mut self, documents: Vec<CleanDocument>) -> Result<Vec<Outcome>, DatasetError> {
        let texts: Vec<&str> = documents.iter().map(|one| one.content.as_str()).collect();
        let scores = self.scores(&texts)?;
        let scored = documents.into_iter().zip(scores);
        Ok(scored.map(|(document, score)| self.outcome(document, score)).collect())
    }
}
