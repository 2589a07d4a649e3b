//! Byte-pair encoding: which pieces to join, learned from counted words.
//!
//! The `tokenizers` crate has a trainer, but the order of its merges depends on the order of a
//! hash map. The shipped vocabulary must come out the same on every machine, so this one breaks
//! ties by the text of the pieces.
//!
//! # Source
//!
//! Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units",
//! ACL 2016, section 3.2.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Two neighbouring pieces, by number.
type Pair = (usize, usize);

/// The longest piece of Chinese: a word or a set phrase, not a sentence learned as one piece.
const LONGEST_HAN: usize = 4;
/// The longest piece of anything else: nearly every word of the world.
const LONGEST_OTHER: usize = 16;

/// Learns merges until `n_pieces` new pieces exist or no pair occurs twice.
///
/// Returns the merges in the order in which they apply. Two merges may make the same piece.
pub(super) fn learn(words: &BTreeMap<String, u64>, n_pieces: usize) -> Vec<(String, String)> {
    let mut learner = Learner::new(words);
    let n_wanted = learner.pieces.len() + n_pieces;
    let mut merges = Vec::new();
    while learner.pieces.len() < n_wanted {
        let Some(pair) = learner.most_frequent() else { break };
        merges.push((learner.pieces[pair.0].clone(), learner.pieces[pair.1].clone()));
        learner.merge(pair);
    }
    merges
}

/// A word as it is cut so far, and how often it occurs.
struct Word {
    pieces: Vec<usize>,
    count: u64,
}

struct Learner {
    words: Vec<Word>,
    pieces: Vec<String>,
    numbers: HashMap<String, usize>,
    counts: HashMap<Pair, u64>,
    /// Words in which a pair occurs, or once did.
    places: HashMap<Pair, BTreeSet<usize>>,
}

impl Learner {
    fn new(words: &BTreeMap<String, u64>) -> Self {
        let characters: BTreeSet<char> = words.keys().flat_map(|word| word.chars()).collect();
        let pieces: Vec<String> = characters.iter().map(char::to_string).collect();
        let numbers = pieces.iter().cloned().zip(0..).collect::<HashMap<String, usize>>();
        let cut = |(word, &count): (&String, &u64)| Word {
            pieces: word.chars().map(|character| numbers[&character.to_string()]).collect(),
            count,
        };
        let words = words.iter().map(cut).collect();
        let mut learner =
            Self { words, pieces, numbers, counts: HashMap::new(), places: HashMap::new() };
        for index in 0..learner.words.len() {
            learner.count_pairs(index);
        }
        learner
    }

    /// The pair to join next; among equals the one whose pieces are oldest.
    fn most_frequent(&self) -> Option<Pair> {
        let best = self.counts.iter().max_by_key(|&(&pair, &count)| (count, Reverse(pair)));
        best.filter(|&(_, &count)| count > 1).map(|(&pair, _)| pair)
    }

    fn merge(&mut self, pair: Pair) {
        let text = format!("{}{}", self.pieces[pair.0], self.pieces[pair.1]);
        let joined = match self.numbers.get(&text) {
            Some(&number) => number,
            None => {
                self.pieces.push(text.clone());
                self.numbers.insert(text, self.pieces.len() - 1);
                self.pieces.len() - 1
            }
        };
        for index in self.places.remove(&pair).unwrap_or_default() {
            self.forget_pairs(index);
            join(&mut self.words[index].pieces, pair, joined);
            self.count_pairs(index);
        }
    }

    fn count_pairs(&mut self, index: usize) {
        let word = &self.words[index];
        for pair in word.pieces.windows(2).map(|pair| (pair[0], pair[1])) {
            if fits(&self.pieces[pair.0], &self.pieces[pair.1]) {
                *self.counts.entry(pair).or_default() += word.count;
                self.places.entry(pair).or_default().insert(index);
            }
        }
    }

    fn forget_pairs(&mut self, index: usize) {
        let word = &self.words[index];
        for pair in word.pieces.windows(2).map(|pair| (pair[0], pair[1])) {
            if let Some(count) = self.counts.get_mut(&pair) {
                *count -= word.count;
                if *count == 0 {
                    self.counts.remove(&pair);
                }
            }
        }
    }
}

/// Whether two pieces may become one.
fn fits(left: &str, right: &str) -> bool {
    let is_han = |character| ('\u{4e00}'..='\u{9fff}').contains(&character);
    let longest = if right.chars().any(is_han) { LONGEST_HAN } else { LONGEST_OTHER };
    left.chars().count() + right.chars().count() <= longest
}

/// Replaces the pair by one piece wherever it stands, from the left.
fn join(pieces: &mut Vec<usize>, pair: Pair, joined: usize) {
    let mut kept = 0;
    let mut read = 0;
    while read < pieces.len() {
        let is_pair = pieces[read] == pair.0 && pieces.get(read + 1) == Some(&pair.1);
        pieces[kept] = if is_pair { joined } else { pieces[read] };
        read += if is_pair { 2 } else { 1 };
        kept += 1;
    }
    pieces.truncate(kept);
}
