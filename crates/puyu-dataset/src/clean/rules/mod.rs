//! Heuristics on whole documents: Gopher, C4, FineWeb and a Chinese set.
//!
//! One pass ([`Analyzer`]) counts; every rule compares one figure with one threshold. The rule's
//! name, the figure and the threshold come back, so that a report can say why a document left.
//! Where the published rules say *words*, Chinese text is judged by characters.

mod analyzer;
mod ngrams;
mod sets;
mod statistics;

pub use analyzer::Analyzer;
pub use sets::{C4Rules, ChineseRules, FineWebRules, GopherRepetition, GopherRules};
pub use statistics::Statistics;

use serde::{Deserialize, Serialize};

/// Whether a document stays.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No rule objects.
    Keep,
    /// The first rule that objects.
    Drop {
        /// Its name: `gopher.min_words`, `chinese.max_mojibake_share`, …
        rule: &'static str,
        /// The document's figure.
        value: f64,
        /// What the figure had to reach or not to exceed.
        threshold: f64,
    },
}

impl Verdict {
    /// Whether the document stays.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

/// The rule sets in the order in which they are asked. `None` (`null`) turns a set off.
///
/// ```
/// use puyu_dataset::clean::{Analyzer, RuleOptions, Verdict};
///
/// let rules = RuleOptions::default();
/// let mut analyzer = rules.analyzer();
/// let statistics = analyzer.analyze("太短。Too short.");
/// let Verdict::Drop { rule, value, threshold } = rules.judge(&statistics) else { panic!() };
/// assert_eq!((rule, value, threshold), ("gopher.min_words", 4.0, 50.0));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleOptions {
    /// Gopher's quality rules, for all languages.
    pub gopher: Option<GopherRules>,
    /// Gopher's repetition rules, for all languages.
    pub repetition: Option<GopherRepetition>,
    /// C4's rules, for documents that are not Chinese.
    pub c4: Option<C4Rules>,
    /// FineWeb's rules, for documents that are not Chinese.
    pub fineweb: Option<FineWebRules>,
    /// The Chinese rules, for documents that are Chinese.
    pub chinese: Option<ChineseRules>,
}

impl Default for RuleOptions {
    fn default() -> Self {
        Self {
            gopher: Some(GopherRules::default()),
            repetition: Some(GopherRepetition::default()),
            c4: Some(C4Rules::default()),
            fineweb: Some(FineWebRules::default()),
            chinese: Some(ChineseRules::default()),
        }
    }
}

impl RuleOptions {
    /// An analyzer that counts what these rules need. One per thread.
    pub fn analyzer(&self) -> Analyzer {
        let words = self.chinese.as_ref().map_or(&[][..], |rules| &rules.ad_words);
        Analyzer::with_ad_words(words)
    }

    /// The verdict of all sets: the first objection.
    pub fn judge(&self, statistics: &Statistics) -> Verdict {
        let mut first = Verdict::Keep;
        self.ask(statistics, &mut |verdict| {
            first = verdict;
            false
        });
        first
    }

    /// All objections, in the order of the rules.
    pub fn objections(&self, statistics: &Statistics) -> Vec<Verdict> {
        let mut all = Vec::new();
        self.ask(statistics, &mut |verdict| {
            all.push(verdict);
            true
        });
        all
    }

    fn ask(&self, statistics: &Statistics, visit: &mut dyn FnMut(Verdict) -> bool) {
        let chinese = statistics.is_chinese();
        let gopher = self.gopher.iter().flat_map(|set| set.bounds(statistics));
        let repetition = self.repetition.iter().flat_map(|set| set.bounds(statistics));
        let c4 = self.c4.iter().filter(|_| !chinese).flat_map(|set| set.bounds(statistics));
        let fineweb = self.fineweb.iter().filter(|_| !chinese);
        let fineweb = fineweb.flat_map(|set| set.bounds(statistics));
        let zh = self.chinese.iter().filter(|_| chinese).flat_map(|set| set.bounds(statistics));
        for bound in gopher.chain(repetition).chain(c4).chain(fineweb).chain(zh) {
            if let Some(verdict) = bound.objection()
                && !visit(verdict)
            {
                return;
            }
        }
    }
}

/// One figure and what it may be.
#[derive(Debug, Clone, Copy)]
struct Bound {
    rule: &'static str,
    value: f64,
    limit: Limit,
}

#[derive(Debug, Clone, Copy)]
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

fn at_least(rule: &'static str, value: f64, threshold: f64) -> Bound {
    Bound { rule, value, limit: Limit::AtLeast(threshold) }
}

fn at_most(rule: &'static str, value: f64, threshold: f64) -> Bound {
    Bound { rule, value, limit: Limit::AtMost(threshold) }
}

impl Bound {
    fn objection(self) -> Option<Verdict> {
        let Self { rule, value, limit } = self;
        let (objects, threshold) = match limit {
            Limit::AtLeast(threshold) => (value < threshold, threshold),
            Limit::AtMost(threshold) => (value > threshold, threshold),
        };
        objects.then_some(Verdict::Drop { rule, value, threshold })
    }
}

#[cfg(test)]
mod tests;
