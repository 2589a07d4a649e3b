//! Scores from models and word lists.

use std::error::Error;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::error::DatasetError;

/// Gives each text a score: the hook for a model of any kind, here or behind HTTP.
///
/// Scores mean what the classifier says they mean; the pipeline's step compares them with bounds.
pub trait Classifier: Send + Sync {
    /// The name in reports and errors.
    fn name(&self) -> &str;

    /// One score per text, in the order of the texts.
    ///
    /// # Errors
    ///
    /// Whatever keeps the classifier from answering.
    fn score(&self, texts: &[&str]) -> Result<Vec<f32>, Box<dyn Error + Send + Sync>>;
}

/// Words and domains that mark unwanted text, as the WanJuan-CC safety step has them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeywordOptions {
    /// The name in reports; `keywords` if empty.
    pub name: String,
    /// Words. Those in Latin letters count only as whole words; case does not matter.
    pub words: Vec<String>,
    /// Domains without scheme: `example.com` also means its subdomains. Looked for in the text's
    /// addresses.
    pub domains: Vec<String>,
}

/// Scores a text by the words and domains of a list: hits per 1000 characters, capped at 1.
///
/// ```
/// use puyu_dataset::clean::{Classifier, KeywordClassifier, KeywordOptions};
///
/// let list = KeywordOptions {
///     words: vec!["博彩".into(), "casino".into()],
///     domains: vec!["bad.example".into()],
///     ..KeywordOptions::default()
/// };
/// let classifier = KeywordClassifier::new(&list)?;
/// let scores = classifier.score(&["澳门博彩", "Occasional text", "http://www.bad.example/x"]);
/// assert_eq!(scores.unwrap(), [1.0, 0.0, 1.0]);
/// # Ok::<(), puyu_dataset::DatasetError>(())
/// ```
#[derive(Debug)]
pub struct KeywordClassifier {
    name: String,
    pattern: Option<Regex>,
}

impl KeywordClassifier {
    /// Compiles the lists.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] if the lists are too large to compile (beyond 64 MiB of automaton).
    pub fn new(options: &KeywordOptions) -> Result<Self, DatasetError> {
        let name = if options.name.is_empty() { "keywords" } else { &options.name };
        let words = options.words.iter().filter(|word| !word.trim().is_empty()).map(|w| word(w));
        let domains = options.domains.iter().filter(|domain| !domain.trim().is_empty());
        let domains = domains.map(|domain| {
            format!(r"(?:^|[/@.\s]){}(?:$|[^\w.-]|\.\s|\.$)", regex::escape(domain.trim()))
        });
        let all: Vec<String> = words.chain(domains).collect();
        let pattern = if all.is_empty() {
            None
        } else {
            let built = RegexBuilder::new(&all.join("|"))
                .case_insensitive(true)
                .size_limit(64 << 20)
                .build();
            Some(built.map_err(|error| DatasetError::Option {
                option: "words",
                expected: "lists that compile to at most 64 MiB".to_owned(),
                found: error.to_string(),
            })?)
        };
        Ok(Self { name: name.to_owned(), pattern })
    }

    /// How often the lists occur in the text.
    pub fn hits(&self, text: &str) -> usize {
        self.pattern.as_ref().map_or(0, |pattern| pattern.find_iter(text).count())
    }
}

/// Latin words end at word boundaries; `art` is not in `party`, but `博彩` is in `博彩业`.
fn word(word: &str) -> String {
    let word = word.trim();
    let edge =
        |c: Option<char>| if c.is_some_and(|c| c.is_ascii_alphanumeric()) { r"\b" } else { "" };
    format!("{}{}{}", edge(word.chars().next()), regex::escape(word), edge(word.chars().last()))
}

impl Classifier for KeywordClassifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, texts: &[&str]) -> Result<Vec<f32>, Box<dyn Error + Send + Sync>> {
        let score = |text: &&str| {
            let thousands = text.chars().count() as f32 / 1000.0;
            match self.hits(text) {
                0 => 0.0,
                hits => (hits as f32 / thousands).min(1.0),
            }
        };
        Ok(texts.iter().map(score).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_domains_count_where_they_stand_alone() {
        let options = KeywordOptions {
            words: vec!["Casino".into(), "博彩".into(), "c++".into()],
            domains: vec!["bad.example".into()],
            ..KeywordOptions::default()
        };
        let list = KeywordClassifier::new(&options).unwrap();
        for (text, hits) in [
            ("the CASINO, a casino", 2),
            ("casinos 与 博彩业", 1),
            ("learn C++ now", 1),
            ("http://bad.example/a https://m.bad.example", 2),
            ("notbad.example bad.example.org", 0),
        ] {
            assert_eq!(list.hits(text), hits, "{text}");
        }
    }

    #[test]
    fn an_empty_list_gives_zero() {
        let list = KeywordClassifier::new(&KeywordOptions::default()).unwrap();
        assert_eq!(list.score(&["", "任何"]).unwrap(), [0.0, 0.0]);
    }
}
