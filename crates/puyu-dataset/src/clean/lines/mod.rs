//! Exact duplicate lines and paragraphs, inside a document and across documents.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::fault::excerpt;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextUnit {
    /// Lines.
    #[default]
    Line,
    /// Runs of lines between blank lines.
    Paragraph,
}

/// How far back a repetition is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Within each document.
    #[default]
    Document,
    /// In all documents so far.
    Corpus,
}

/// Which duplicates are removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LineOptions {
    /// What is compared: lines by default.
    pub unit: TextUnit,
    /// How far back: within each document by default.
    pub scope: Scope,
    /// Shorter units stay, in characters (10): `}` and `"是。"` repeat for good reason.
    pub min_chars: usize,
    /// The most units remembered (50 million, about 1.2 GB). When it is full, known units are
    /// still removed, and no new one is remembered.
    pub max_entries: usize,
}

impl Default for LineOptions {
    fn default() -> Self {
        Self {
            unit: TextUnit::Line,
            scope: Scope::Document,
            min_chars: 10,
            max_entries: 50_000_000,
        }
    }
}

/// A document without its duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deduplicated {
    /// What is left.
    pub text: String,
    /// Units removed.
    pub removed: usize,
    /// Bytes removed, line ends included.
    pub removed_bytes: usize,
}

/// Removes every unit that was seen before; the first occurrence stays.
///
/// Units are compared trimmed, by 128-bit hash. The result depends on nothing but the documents
/// and their order.
///
/// ```
/// use puyu_dataset::clean::{LineDeduper, LineOptions, Scope};
///
/// let options = LineOptions { scope: Scope::Corpus, min_chars: 4, ..LineOptions::default() };
/// let mut deduper = LineDeduper::new(options);
/// deduper.push("版权所有，侵权必究\n第一篇文章");
/// let second = deduper.push("第二篇文章\n版权所有，侵权必究\n");
/// assert_eq!((second.text.as_str(), second.removed), ("第二篇文章\n", 1));
/// ```
#[derive(Debug)]
pub struct LineDeduper {
    options: LineOptions,
    seen: HashSet<u128>,
}

impl LineDeduper {
    /// A deduper that has seen nothing.
    pub fn new(options: LineOptions) -> Self {
        Self { options, seen: HashSet::new() }
    }

    /// How many units are remembered.
    pub fn remembered(&self) -> usize {
        self.seen.len()
    }

    /// Removes the duplicates of the next document.
    pub fn push(&mut self, text: &str) -> Deduplicated {
        if self.options.scope == Scope::Document {
            // A set that a huge document has grown would take long to clear for every small one.
            if self.seen.capacity() > 1 << 16 {
                self.seen = HashSet::new();
            }
            self.seen.clear();
        }
        let mut out =
            Deduplicated { text: String::with_capacity(text.len()), removed: 0, removed_bytes: 0 };
        for unit in units(text, self.options.unit) {
            if self.is_new(unit) {
                out.text.push_str(unit);
            } else {
                out.removed += 1;
                out.removed_bytes += unit.len();
            }
        }
        out
    }

    fn is_new(&mut self, unit: &str) -> bool {
        let key = unit.trim();
        if key.is_empty()
            || key.chars().take(self.options.min_chars).count() < self.options.min_chars
        {
            return true;
        }
        let hash = xxh3_128(key.as_bytes());
        if self.seen.len() < self.options.max_entries {
            self.seen.insert(hash)
        } else {
            !self.seen.contains(&hash)
        }
    }
}

/// Cuts a text without losing a byte: each unit keeps its line ends.
fn units(text: &str, unit: TextUnit) -> Vec<&str> {
    match unit {
        TextUnit::Line => text.split_inclusive('\n').collect(),
        TextUnit::Paragraph => {
            let (mut all, mut start, mut at, mut blank) = (Vec::new(), 0, 0, false);
            for line in text.split_inclusive('\n') {
                let is_blank = line.trim().is_empty();
                if blank && !is_blank {
                    all.push(&text[start..at]);
                    start = at;
                }
                blank = is_blank;
                at += line.len();
            }
            if start < at {
                all.push(&text[start..at]);
            }
            all
        }
    }
}

/// A line that many documents share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Boilerplate {
    /// The line, shortened to 60 characters.
    pub line: String,
    /// In how many documents it is.
    pub documents: u64,
}

/// Counts in how many documents each line is.
///
/// Memory is bounded: beyond `max_entries` lines, those seen in the fewest documents are
/// forgotten, so figures of rare lines are lower bounds then, and frequent lines stay.
#[derive(Debug)]
pub struct LineStatistics {
    max_entries: usize,
    lines: HashMap<u128, (u64, String)>,
    documents: u64,
}

impl LineStatistics {
    /// Statistics over at most this many different lines.
    pub fn new(max_entries: usize) -> Self {
        Self { max_entries: max_entries.max(16), lines: HashMap::new(), documents: 0 }
    }

    /// Counts the lines of the next document, each once.
    pub fn push(&mut self, text: &str) {
        self.documents += 1;
        let mut seen = HashSet::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let hash = xxh3_128(line.as_bytes());
            if seen.insert(hash) {
                self.lines.entry(hash).or_insert_with(|| (0, excerpt(line))).0 += 1;
            }
        }
        let mut floor = 1;
        while self.lines.len() > self.max_entries {
            self.lines.retain(|_, (documents, _)| *documents > floor);
            floor *= 2;
        }
    }

    /// How many documents were counted.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// The lines in at least `min_documents` documents, most frequent first, then by text.
    pub fn boilerplate(&self, min_documents: u64) -> Vec<Boilerplate> {
        let frequent = self.lines.values().filter(|(documents, _)| *documents >= min_documents);
        let mut all: Vec<Boilerplate> = frequent
            .map(|(documents, line)| Boilerplate { line: line.clone(), documents: *documents })
            .collect();
        all.sort_unstable_by(|a, b| (b.documents, &a.line).cmp(&(a.documents, &b.line)));
        all
    }
}

/// The lines that C4 cuts out of a page before it judges it.
///
/// ```
/// use puyu_dataset::clean::CutLines;
///
/// let page = "Home | 首页\nThis line has five words.\n请启用 JavaScript 以继续浏览。\n正文在这里。";
/// assert_eq!(CutLines::default().apply(page), "This line has five words.\n正文在这里。\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CutLines {
    /// Fewest words of a line (3); each Chinese character is one.
    pub min_words: usize,
    /// A line that says one of these goes, in whatever case.
    pub phrases: Vec<String>,
    /// What a line must end with, perhaps before a quote; an empty string asks for nothing.
    pub terminal: String,
}

impl Default for CutLines {
    fn default() -> Self {
        let phrases =
            ["javascript", "terms of use", "cookie policy", "uses cookies", "use of cookies"];
        Self {
            min_words: 3,
            phrases: phrases.map(str::to_owned).to_vec(),
            terminal: ".!?。！？…".to_owned(),
        }
    }
}

impl CutLines {
    /// The text without those lines. Markdown code blocks stay whole.
    pub fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut in_code = false;
        for line in text.lines() {
            let fence = line.trim_start().starts_with("```");
            if fence || in_code || self.stays(line.trim()) {
                out.push_str(line);
                out.push('\n');
            }
            in_code ^= fence;
        }
        out
    }

    fn stays(&self, line: &str) -> bool {
        let unquoted = line.trim_end_matches(['"', '\'', '”', '’', '」', '』', ')', '）']);
        let terminal =
            self.terminal.is_empty() || unquoted.ends_with(|c| self.terminal.contains(c));
        if !terminal {
            return false;
        }
        let han = line.chars().filter(|c| matches!(c, '\u{3400}'..='\u{9FFF}')).count();
        let words = line.split_whitespace().count().max(han);
        let lower = line.to_lowercase();
        words >= self.min_words && !self.phrases.iter().any(|phrase| lower.contains(phrase))
    }
}

#[cfg(test)]
mod tests;
