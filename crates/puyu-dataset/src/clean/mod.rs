//! Cleaning: the per-document steps of the WanJuan-CC pipeline.
//!
//! Web pages become Markdown ([`HtmlOptions`]), the language is told ([`detect_language`]),
//! heuristics judge ([`RuleOptions`]), repeated lines go ([`LineDeduper`]), personal data is found
//! ([`PiiOptions`]), classifiers score ([`Classifier`]), and a [`Pipeline`] runs them in order and
//! reports what each kept. Deduplication across documents beyond lines is in
//! [`dedup`](crate::dedup).

mod classifier;
mod html;
mod language;
mod lines;
mod pii;
mod pipeline;
mod rules;

pub use classifier::{Classifier, KeywordClassifier, KeywordOptions};
pub use html::{Extraction, HtmlOptions, Page};
pub use language::{Language, LanguageFilter, detect_language};
pub use lines::{
    Boilerplate, CutLines, Deduplicated, LineDeduper, LineOptions, LineStatistics, Scope, TextUnit,
};
pub use pii::{PiiAction, PiiKind, PiiOptions, PiiSpan};
pub use pipeline::{
    ClassifierBounds, ClassifierStep, CleanDocument, Outcome, Pipeline, PipelineOptions, Retention,
    Step, StepOptions, StepRetention,
};
pub use rules::{
    Analyzer, C4Rules, ChineseRules, FineWebRules, GopherRepetition, GopherRules, RuleOptions,
    Statistics, Verdict,
};
