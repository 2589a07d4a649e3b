//! Spans that an earlier place has, wherever they begin.
//!
//! A rolling hash passes over every window of `n` characters of every document; of each `stride`
//! neighbouring windows the one with the smallest hash is kept (*winnowing*: Schleimer, Wilkerson,
//! Aiken, SIGMOD 2003), so that equal text keeps equal windows wherever it stands. Kept windows
//! are sorted by hash on disk; each that an earlier place has is compared character by character
//! and extended to both sides.
//!
//! - Everything reported is truly there at an earlier place, and is at least `n` characters long.
//! - Every repeated span of `n + stride − 1` characters is at least partly reported; with
//!   `stride = 1`, exactly those characters are that lie in a window of `n` characters which
//!   occurs earlier.
//!
//! Within one document the earlier place must not overlap the span. Of a chain of copies all but
//! the first are reported, so dropping every span loses no text of the corpus.
//!
//! **Against a suffix array** (Lee et al., *Deduplicating Training Data Makes Language Models
//! Better*, 2022): that needs five to nine bytes of memory per byte of text and the whole corpus on
//! one machine, and it finds all occurrences of every length. This needs `32 / (stride + 1)` bytes
//! of temporary disk per character plus the text itself, sequential except for comparing what does
//! repeat, within a fixed memory limit plus 8 bytes per document; it finds for each span one
//! earlier place.

use std::collections::VecDeque;
use std::io::{BufWriter, Write};
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::fold::mix;
use super::repeat::{DocumentRepeats, Repeat};
use super::spill::{Sorted, Sorter};
use super::{DEFAULT_MEMORY_BYTES, option_error};
use crate::error::DatasetError;

/// How repeated spans are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubstringOptions {
    /// The shortest span, in characters, 2 to 65 536. 100: about the 50 tokens of Lee et al.
    pub min_chars: usize,
    /// One in about `(stride + 1) / 2` windows is kept, 1 to 65 536. 16 keeps one in eight.
    pub stride: usize,
    /// The memory for sorting, in bytes; held twice for a moment while results are ordered.
    pub memory_bytes: u64,
    /// Seed of the hash.
    pub seed: u64,
}

impl Default for SubstringOptions {
    fn default() -> Self {
        Self { min_chars: 100, stride: 16, memory_bytes: DEFAULT_MEMORY_BYTES, seed: 0 }
    }
}

/// Finds spans that an earlier place has.
///
/// ```
/// use puyu_dataset::dedup::{SubstringDedup, SubstringOptions};
///
/// let folder = tempfile::tempdir()?;
/// let options = SubstringOptions { min_chars: 6, stride: 1, ..Default::default() };
/// let mut dedup = SubstringDedup::new(&options, folder.path())?;
/// dedup.push("甲：滚滚长江东逝水，浪花淘尽英雄。")?;
/// dedup.push("乙曰滚滚长江东逝水也")?;
/// let repeats = dedup.finish()?.collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(repeats[0].remove_from("乙曰滚滚长江东逝水也"), "乙曰也");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SubstringDedup {
    options: SubstringOptions,
    folder: PathBuf,
    texts: BufWriter<NamedTempFile>,
    /// Where each document begins among all texts, and where the last ends.
    starts: Vec<u64>,
    sorter: Sorter<2>,
}

impl SubstringDedup {
    /// An empty set that keeps the texts and spills into `folder`.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] for options out of range, [`DatasetError::Io`] if the folder cannot
    /// be written.
    pub fn new(options: &SubstringOptions, folder: impl AsRef<Path>) -> Result<Self, DatasetError> {
        if !(2..=65_536).contains(&options.min_chars) {
            return Err(option_error("min_chars", "2 to 65536", options.min_chars));
        }
        if !(1..=65_536).contains(&options.stride) {
            return Err(option_error("stride", "1 to 65536", options.stride));
        }
        let folder = folder.as_ref().to_owned();
        let sorter = Sorter::new(&folder, options.memory_bytes)?;
        let texts = NamedTempFile::new_in(&folder).map_err(DatasetError::io("write", &folder))?;
        let (options, texts) = (options.clone(), BufWriter::with_capacity(1 << 16, texts));
        Ok(Self { options, folder, texts, starts: vec![0], sorter })
    }

    /// Adds the next document.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be written.
    pub fn push(&mut self, text: &str) -> Result<(), DatasetError> {
        self.texts.write_all(text.as_bytes()).map_err(DatasetError::io("write", &self.folder))?;
        let start = self.starts[self.starts.len() - 1];
        self.starts.push(start + text.len() as u64);
        let sorter = &mut self.sorter;
        winnow(text, &self.options, |hash, at| sorter.push([hash, start + at as u64]))
    }

    /// The repeated spans, document by document.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be read or written.
    pub fn finish(self) -> Result<SubstringRepeats, DatasetError> {
        let folder = &self.folder;
        let file = self.texts.into_inner().map_err(std::io::IntoInnerError::into_error);
        let file = file.map_err(DatasetError::io("write", folder))?;
        let texts =
            Texts { bytes: crate::mapped::map(file.path())?, _file: file, starts: self.starts };
        let mut seeds = Sorter::new(folder, self.options.memory_bytes)?;
        let mut first: Option<[u64; 2]> = None;
        for record in self.sorter.finish()? {
            let [hash, at] = record?;
            match first {
                Some([known, earlier]) if known == hash => {
                    if texts.same_window(earlier, at, self.options.min_chars) {
                        seeds.push([at, earlier])?;
                    }
                }
                _ => first = Some([hash, at]),
            }
        }
        let seeds = seeds.finish()?.peekable();
        Ok(SubstringRepeats { texts, seeds, min_chars: self.options.min_chars })
    }
}

/// The modulus of the rolling hash, a Mersenne prime: no text is known to collide for every base.
const PRIME: u64 = (1 << 61) - 1;

fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let sum = (product as u64 & PRIME) + (product >> 61) as u64;
    if sum >= PRIME { sum - PRIME } else { sum }
}

/// Calls `keep` with hash and first byte of each window that winnowing keeps.
fn winnow(
    text: &str,
    options: &SubstringOptions,
    mut keep: impl FnMut(u64, usize) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let (n, stride) = (options.min_chars, options.stride);
    let base = mix(options.seed ^ super::fold::ODD) % (PRIME - 0x0011_0000) + 0x0011_0000;
    let leaving_power = (1..n).fold(1, |power, _| multiply(power, base));
    let mut leaving = text.char_indices();
    // Candidates for the smallest hash of the last `stride` windows: hashes rise, ends as well.
    let mut candidates: VecDeque<(u64, usize, usize)> = VecDeque::new();
    let (mut rolling, mut kept) = (0_u64, None);
    let mut window = 0;
    for (i, character) in text.chars().enumerate() {
        rolling = (multiply(rolling, base) + u64::from(u32::from(character)) + 1) % PRIME;
        if i + 1 < n {
            continue;
        }
        let (start, first) = leaving.next().expect("the window is behind the reader");
        let hash = mix(rolling);
        rolling =
            (rolling + PRIME - multiply(u64::from(u32::from(first)) + 1, leaving_power)) % PRIME;
        while candidates.back().is_some_and(|candidate| candidate.0 >= hash) {
            candidates.pop_back();
        }
        candidates.push_back((hash, start, window));
        if candidates[0].2 + stride <= window {
            candidates.pop_front();
        }
        window += 1;
        if window >= stride && kept != Some(candidates[0].2) {
            kept = Some(candidates[0].2);
            keep(candidates[0].0, candidates[0].1)?;
        }
    }
    // A text of fewer windows keeps its smallest, so that equal short texts still meet.
    match candidates.front() {
        Some(&(hash, start, _)) if kept.is_none() => keep(hash, start),
        _ => Ok(()),
    }
}

/// All documents in one mapped file.
#[derive(Debug)]
struct Texts {
    bytes: Bytes,
    /// Removes the file when dropped.
    _file: NamedTempFile,
    starts: Vec<u64>,
}

impl Texts {
    /// The document that holds a byte.
    fn document(&self, at: u64) -> usize {
        self.starts.partition_point(|&start| start <= at) - 1
    }

    fn end_of(&self, document: usize) -> usize {
        self.starts[document + 1] as usize
    }

    /// The byte after `chars` characters from `at`.
    fn window_end(&self, at: usize, chars: usize) -> usize {
        let mut left = chars;
        let length = self.bytes[at..].iter().position(|&byte| {
            let begins = byte & 0xc0 != 0x80;
            left -= usize::from(begins && left > 0);
            begins && left == 0
        });
        // `position` stops at the last character; its length follows from its first byte.
        let last = at + length.unwrap_or(self.bytes.len() - at);
        let rest = self.bytes[last..].iter().skip(1).take_while(|&&byte| byte & 0xc0 == 0x80);
        last + 1 + rest.count()
    }

    /// Whether the windows at two places are equal and do not overlap.
    fn same_window(&self, earlier: u64, later: u64, chars: usize) -> bool {
        let (earlier, later) = (earlier as usize, later as usize);
        let length = self.window_end(later, chars) - later;
        earlier + length <= later
            && self.bytes[earlier..earlier + length] == self.bytes[later..later + length]
    }

    /// Extends equal windows to both sides: not before `floor`, not into each other.
    fn extend(&self, earlier: usize, later: usize, chars: usize, floor: usize) -> (usize, usize) {
        let length = self.window_end(later, chars) - later;
        let (a, b) = (self.document(earlier as u64), self.document(later as u64));
        let gap = |start: usize| if a == b { start - (earlier + length) } else { usize::MAX };
        let left_most = (later - floor).min(earlier - self.starts[a] as usize).min(gap(later));
        let left = (1..=left_most)
            .take_while(|back| self.bytes[earlier - back] == self.bytes[later - back])
            .count();
        let mut start = later - left;
        while self.bytes[start] & 0xc0 == 0x80 {
            start += 1;
        }
        let (a_end, b_end) = (earlier + length, later + length);
        let right_most = (self.end_of(a) - a_end).min(self.end_of(b) - b_end).min(gap(start));
        let right = (0..right_most)
            .take_while(|on| self.bytes[a_end + on] == self.bytes[b_end + on])
            .count();
        let mut end = b_end + right;
        while end < self.end_of(b) && self.bytes[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        (start, end)
    }
}

/// The repeated spans, document by document. After an error there are no more.
#[derive(Debug)]
pub struct SubstringRepeats {
    texts: Texts,
    /// (place, earlier place) of equal windows, by place.
    seeds: Peekable<Sorted<2>>,
    min_chars: usize,
}

impl Iterator for SubstringRepeats {
    type Item = Result<DocumentRepeats, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let document = match self.seeds.peek()? {
            Ok([at, _]) => self.texts.document(*at),
            Err(_) => return self.seeds.next().and_then(Result::err).map(Err),
        };
        let (begin, end) = (self.texts.starts[document] as usize, self.texts.end_of(document));
        let mut spans: Vec<Repeat> = Vec::new();
        let mut covered = begin;
        let here = |seed: &Result<[u64; 2], _>| !matches!(seed, Ok([at, _]) if *at >= end as u64);
        while let Some(seed) = self.seeds.next_if(here) {
            let [later, earlier] = match seed {
                Ok(seed) => seed.map(|at| at as usize),
                Err(error) => return Some(Err(error)),
            };
            // Work stays proportional to the text: what is covered is not compared again.
            if self.texts.window_end(later, self.min_chars) <= covered {
                continue;
            }
            let floor = covered.min(later);
            let (start, end) = self.texts.extend(earlier, later, self.min_chars, floor);
            let source = self.texts.document(earlier as u64) as u64;
            let start = start.max(covered);
            spans.push(Repeat { bytes: start - begin..end - begin, source });
            covered = end;
        }
        Some(Ok(DocumentRepeats { document: document as u64, spans }))
    }
}
