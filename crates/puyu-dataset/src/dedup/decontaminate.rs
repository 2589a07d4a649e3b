//! Benchmark items inside training text.
//!
//! Items and documents are [folded](super::fold) into words and single ideographs. An item is the
//! set of its windows of 13 words (GPT-3, Brown et al. 2020, appendix C) or 20 ideographs, or of a
//! mixture that weighs as much; a shorter item is one window, down to half of that, below which it
//! cannot be told from common language and is not searched. Thirteen English words carry about
//! 20 characters of Chinese translation.
//!
//! Windows are known by 64-bit hashes: with 10⁷ windows of benchmarks, one in 10¹² windows of
//! training text is taken for one by chance.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::fold::{Token, fold_tokens, mix};
use super::option_error;
use crate::error::DatasetError;

#[cfg(test)]
mod tests;

/// How benchmark items are recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecontaminateOptions {
    /// Words in a window, 2 to 64.
    pub words: u32,
    /// Ideographs in a window, 2 to 128.
    pub ideographs: u32,
    /// The least share of an item's windows that a document must have, 0 to 1. 0: one window is
    /// enough, the rule of GPT-3.
    pub min_share: f64,
}

impl Default for DecontaminateOptions {
    fn default() -> Self {
        Self { words: 13, ideographs: 20, min_share: 0.0 }
    }
}

/// An index of benchmark items.
///
/// ```
/// use puyu_dataset::dedup::{DecontaminateOptions, Decontaminator};
///
/// let question = "下列关于水稻分蘖期田间水分管理的说法，正确的是哪一项？";
/// let index = Decontaminator::new(
///     [("cmmlu", "agronomy-7", question)],
///     &DecontaminateOptions::default(),
/// )?;
/// let web = format!("网友问：{question} 答案见下。");
/// let found = index.check(&web);
/// assert_eq!((found[0].set, found[0].id), ("cmmlu", "agronomy-7"));
/// assert_eq!(found[0].share, 1.0);
/// assert!(index.check("满纸荒唐言，一把辛酸泪。都云作者痴，谁解其中味？").is_empty());
/// # Ok::<(), puyu_dataset::DatasetError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Decontaminator {
    options: DecontaminateOptions,
    items: Vec<Item>,
    /// Items by the hash of a full window.
    windows: HashMap<u64, Vec<u32>>,
    /// Items shorter than a window, by length in tokens and hash.
    short: BTreeMap<usize, HashMap<u64, Vec<u32>>>,
    skipped: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
struct Item {
    set: String,
    id: String,
    n_windows: u32,
}

/// A benchmark item inside a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overlap<'a> {
    /// The benchmark.
    pub set: &'a str,
    /// The item.
    pub id: &'a str,
    /// The share of the item's different windows that the document has, above 0 to 1.
    pub share: f64,
    /// Where they are, in bytes of the document, in order, merged where they touch.
    pub spans: Vec<Range<usize>>,
}

/// A document's overlaps, without borrowing the index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contamination {
    /// The benchmark.
    pub set: String,
    /// The item.
    pub id: String,
    /// The share of the item's different windows that the document has, above 0 to 1.
    pub share: f64,
    /// Where they are, in bytes of the document.
    pub spans: Vec<Range<usize>>,
}

impl From<Overlap<'_>> for Contamination {
    fn from(overlap: Overlap<'_>) -> Self {
        let Overlap { set, id, share, spans } = overlap;
        Self { set: set.into(), id: id.into(), share, spans }
    }
}

impl Decontaminator {
    /// Indexes items given as (benchmark, id, text).
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] for options out of range, [`DatasetError::Limit`] above 2³² − 1
    /// items.
    pub fn new<S: AsRef<str>>(
        items: impl IntoIterator<Item = (S, S, S)>,
        options: &DecontaminateOptions,
    ) -> Result<Self, DatasetError> {
        validate(options)?;
        let mut index = Self {
            options: options.clone(),
            items: Vec::new(),
            windows: HashMap::new(),
            short: BTreeMap::new(),
            skipped: Vec::new(),
        };
        for (set, id, text) in items {
            index.add(set.as_ref(), id.as_ref(), text.as_ref())?;
        }
        Ok(index)
    }

    fn add(&mut self, set: &str, id: &str, text: &str) -> Result<(), DatasetError> {
        let tokens = tokens(text);
        let number = u32::try_from(self.items.len()).map_err(|_| DatasetError::Limit {
            what: "an index of benchmark items".into(),
            needed: self.items.len() as u64 + 1,
            limit: u64::from(u32::MAX),
        })?;
        let full = self.options.words * self.options.ideographs;
        let mut hashes = HashSet::new();
        self.weighted_windows(&tokens, |hash, _| {
            hashes.insert(hash);
        });
        for &hash in &hashes {
            self.windows.entry(hash).or_default().push(number);
        }
        let mut n_windows = hashes.len() as u32;
        if hashes.is_empty() {
            let weight: u64 = tokens.iter().map(|token| u64::from(self.weight(token))).sum();
            if weight * 2 < u64::from(full) {
                self.skipped.push((set.to_owned(), id.to_owned()));
                return Ok(());
            }
            let prefixes = Prefixes::new(&tokens);
            let hash = prefixes.window(0..tokens.len());
            let by_hash = self.short.entry(tokens.len()).or_default();
            by_hash.entry(hash).or_default().push(number);
            n_windows = 1;
        }
        self.items.push(Item { set: set.to_owned(), id: id.to_owned(), n_windows });
        Ok(())
    }

    /// How many items are searched for.
    pub fn n_items(&self) -> usize {
        self.items.len()
    }

    /// The (benchmark, id) of items too short to be searched for.
    pub fn skipped(&self) -> &[(String, String)] {
        &self.skipped
    }

    /// The items of which a document has enough, in the order they were given.
    pub fn check(&self, text: &str) -> Vec<Overlap<'_>> {
        let tokens = tokens(text);
        let mut found: BTreeMap<u32, (HashSet<u64>, Vec<Range<usize>>)> = BTreeMap::new();
        let mut meet = |items: Option<&Vec<u32>>, hash: u64, window: Range<usize>| {
            let span = tokens[window.start].start..tokens[window.end - 1].end;
            for &item in items.into_iter().flatten() {
                let (hashes, spans) = found.entry(item).or_default();
                hashes.insert(hash);
                match spans.last_mut() {
                    Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                    _ => spans.push(span.clone()),
                }
            }
        };
        self.weighted_windows(&tokens, |hash, window| meet(self.windows.get(&hash), hash, window));
        let prefixes = Prefixes::new(&tokens);
        for (&length, by_hash) in &self.short {
            for start in 0..(tokens.len() + 1).saturating_sub(length) {
                let hash = prefixes.window(start..start + length);
                meet(by_hash.get(&hash), hash, start..start + length);
            }
        }
        let overlaps = found.into_iter().map(|(item, (hashes, spans))| {
            let Item { set, id, n_windows } = &self.items[item as usize];
            Overlap { set, id, share: hashes.len() as f64 / f64::from(*n_windows), spans }
        });
        overlaps.filter(|overlap| overlap.share >= self.options.min_share).collect()
    }

    /// A window is full at `words · ideographs`: so many words, or so many ideographs.
    fn weight(&self, token: &Token) -> u32 {
        if token.is_ideograph { self.options.words } else { self.options.ideographs }
    }

    fn weighted_windows(&self, tokens: &[Token], mut emit: impl FnMut(u64, Range<usize>)) {
        let full = self.options.words * self.options.ideographs;
        let prefixes = Prefixes::new(tokens);
        let (mut start, mut weight) = (0, 0);
        for (end, token) in tokens.iter().enumerate() {
            weight += self.weight(token);
            while weight >= full {
                emit(prefixes.window(start..end + 1), start..end + 1);
                weight -= self.weight(&tokens[start]);
                start += 1;
            }
        }
    }
}

fn validate(options: &DecontaminateOptions) -> Result<(), DatasetError> {
    if !(2..=64).contains(&options.words) {
        return Err(option_error("words", "2 to 64", options.words));
    }
    if !(2..=128).contains(&options.ideographs) {
        return Err(option_error("ideographs", "2 to 128", options.ideographs));
    }
    if !(0.0..=1.0).contains(&options.min_share) {
        return Err(option_error("min_share", "0 to 1", options.min_share));
    }
    Ok(())
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    fold_tokens(text, |token| tokens.push(token));
    tokens
}

/// The base of window hashes: odd, with well spread bits.
const BASE: u64 = 0xd6e8_feb8_6659_fd93;

/// Polynomial hashes of all prefixes, so that any window costs one step.
struct Prefixes {
    hashes: Vec<u64>,
    powers: Vec<u64>,
}

impl Prefixes {
    fn new(tokens: &[Token]) -> Self {
        let (mut hashes, mut powers) = (vec![0_u64], vec![1_u64]);
        for token in tokens {
            let last = hashes[hashes.len() - 1];
            hashes.push(last.wrapping_mul(BASE).wrapping_add(token.hash));
            powers.push(powers[powers.len() - 1].wrapping_mul(BASE));
        }
        Self { hashes, powers }
    }

    fn window(&self, range: Range<usize>) -> u64 {
        let before = self.hashes[range.start].wrapping_mul(self.powers[range.len()]);
        mix(self.hashes[range.end].wrapping_sub(before))
    }
}
