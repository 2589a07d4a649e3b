//! Byte-pair merging as SentencePiece does it: the best-scored pair of neighbours first.
//!
//! Pairs wait in a priority queue and symbols form a linked list, so a text of `n` characters takes
//! `O(n log n)`.
//!
//! Source: `bpe::Model::SampleEncode` of SentencePiece, without dropout.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use crate::sentencepiece::vocabulary::{Piece, PieceKind, Vocabulary};

/// No symbol, at the ends of the linked list, or no piece. Texts and vocabularies are bounded, so
/// nothing has this index.
const NONE: u32 = u32::MAX;

/// The pieces that one call may use: all of them, or all but some reserved ones.
#[derive(Clone, Copy)]
pub(crate) struct Lexicon<'a> {
    pub(crate) vocabulary: &'a Vocabulary,
    /// Ids that must not come out, in ascending order.
    pub(crate) reserved: &'a [u32],
}

impl<'a> Lexicon<'a> {
    pub(crate) fn accepts(&self, id: u32) -> bool {
        self.reserved.binary_search(&id).is_err()
    }

    fn mergeable(&self, text: &str) -> Option<(u32, &'a Piece)> {
        self.vocabulary.mergeable(text).filter(|&(id, _)| self.accepts(id))
    }

    /// The longest user-defined piece at the start of `text`: its length in bytes and its id.
    pub(crate) fn user_defined_prefix(&self, text: &str) -> Option<(usize, u32)> {
        self.vocabulary.user_defined_prefix(text, |id| self.accepts(id))
    }
}

/// Collects token ids and spells what the vocabulary lacks.
pub(crate) struct IdSink<'a> {
    vocabulary: &'a Vocabulary,
    ids: &'a mut Vec<u32>,
    after_unknown: bool,
}

impl<'a> IdSink<'a> {
    /// Appends to `ids`.
    pub(crate) fn new(vocabulary: &'a Vocabulary, ids: &'a mut Vec<u32>) -> Self {
        Self { vocabulary, ids, after_unknown: false }
    }

    #[inline]
    pub(crate) fn push(&mut self, id: u32) {
        self.ids.push(id);
        self.after_unknown = false;
    }

    pub(crate) fn push_unknown(&mut self, text: &str) {
        if let Some(byte_ids) = self.vocabulary.byte_ids() {
            self.ids.extend(text.bytes().map(|byte| byte_ids[usize::from(byte)]));
            return;
        }
        // Unknown characters in a row are one unknown token.
        if !self.after_unknown {
            self.ids.push(self.vocabulary.unknown());
            self.after_unknown = true;
        }
    }
}

/// A stretch of the text that is one symbol so far. An empty one was merged into its left neighbour.
#[derive(Clone, Copy)]
struct Symbol {
    start: u32,
    len: u32,
    prev: u32,
    next: u32,
    /// The piece that it is, or [`NONE`].
    id: u32,
}

/// Two neighbours that together are a piece.
#[derive(Clone, Copy)]
struct Candidate {
    score: f32,
    left: u32,
    right: u32,
    /// Length of both when the candidate was found; another length now means that it is outdated.
    len: u32,
    /// The piece.
    id: u32,
}

impl Ord for Candidate {
    /// The better score is greater; of equal scores the one further left.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

/// What two pieces side by side make, remembered: texts repeat themselves, and comparing two numbers
/// is several times faster than looking a string up.
struct Memo {
    /// Direct-mapped: each pair has one slot, in which a later pair replaces it.
    slots: Vec<MemoSlot>,
}

#[derive(Clone, Copy)]
struct MemoSlot {
    pair: (u32, u32),
    id: u32,
    score: f32,
}

impl Memo {
    /// 4096 slots of 16 bytes stay in the second cache and cost little to set up.
    const LOG2_SLOTS: u32 = 12;

    fn new() -> Self {
        // No character has this number and no two pieces are this pair.
        let empty = MemoSlot { pair: (NONE - 1, NONE), id: NONE, score: 0.0 };
        Self { slots: vec![empty; 1 << Self::LOG2_SLOTS] }
    }

    fn slot(&mut self, (left, right): (u32, u32)) -> &mut MemoSlot {
        let pair = (u64::from(left) << 32) | u64::from(right);
        // Multiplication by 2^64 over the golden ratio spreads neighbours over the top bits.
        let hash = pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - Self::LOG2_SLOTS);
        &mut self.slots[hash as usize]
    }
}

/// Merges runs of text, keeping its buffers between them.
pub(crate) struct Merger<'a> {
    lexicon: Lexicon<'a>,
    symbols: Vec<Symbol>,
    agenda: BinaryHeap<Candidate>,
    memo: Memo,
    /// For each unused piece found, the length in bytes of its left part.
    splits: HashMap<u32, u32>,
}

impl<'a> Merger<'a> {
    pub(crate) fn new(lexicon: Lexicon<'a>) -> Self {
        Self {
            lexicon,
            symbols: Vec::new(),
            agenda: BinaryHeap::new(),
            memo: Memo::new(),
            splits: HashMap::new(),
        }
    }

    /// Appends the tokens of `run`, which holds no user-defined piece.
    pub(crate) fn merge(&mut self, run: &str, sink: &mut IdSink<'_>) {
        self.read_characters(run);
        for right in 1..self.symbols.len() {
            self.propose(run, right as u32 - 1, right as u32);
        }
        while let Some(best) = self.agenda.pop() {
            self.apply(run, best);
        }
        let mut index = if self.symbols.is_empty() { NONE } else { 0 };
        while index != NONE {
            let symbol = self.symbols[index as usize];
            self.emit(run, symbol, sink);
            index = symbol.next;
        }
    }

    fn read_characters(&mut self, run: &str) {
        self.symbols.clear();
        for (start, character) in run.char_indices() {
            let index = self.symbols.len() as u32;
            let prev = index.checked_sub(1).unwrap_or(NONE);
            let len = character.len_utf8();
            let id = self.character_id(&run[start..start + len], character);
            let (start, len) = (start as u32, len as u32);
            self.symbols.push(Symbol { start, len, prev, next: index + 1, id });
        }
        if let Some(last) = self.symbols.last_mut() {
            last.next = NONE;
        }
    }

    fn character_id(&mut self, text: &str, character: char) -> u32 {
        // No piece has the id `NONE`, so characters have slots of their own.
        let pair = (NONE, u32::from(character));
        let slot = self.memo.slot(pair);
        if slot.pair != pair {
            let id = self.lexicon.mergeable(text).map_or(NONE, |(id, _)| id);
            *slot = MemoSlot { pair, id, score: 0.0 };
        }
        slot.id
    }

    /// Queues two neighbours if together they are a piece.
    fn propose(&mut self, run: &str, left: u32, right: u32) {
        if left == NONE || right == NONE {
            return;
        }
        let (left_symbol, right_symbol) =
            (self.symbols[left as usize], self.symbols[right as usize]);
        let len = left_symbol.len + right_symbol.len;
        let (id, score) = self.joined_piece(run, left_symbol, right_symbol);
        if id != NONE {
            self.agenda.push(Candidate { score, left, right, len, id });
        }
    }

    /// The piece that two neighbours are together, or [`NONE`], and its score.
    fn joined_piece(&mut self, run: &str, left: Symbol, right: Symbol) -> (u32, f32) {
        // Characters without a piece have no id by which they could be told apart.
        let has_ids = left.id != NONE && right.id != NONE;
        let pair = (left.id, right.id);
        let slot = self.memo.slot(pair);
        if has_ids && slot.pair == pair {
            return (slot.id, slot.score);
        }
        let joined = text_of(run, Symbol { len: left.len + right.len, ..left });
        let found = self.lexicon.mergeable(joined);
        if let Some((id, piece)) = found
            && piece.kind == PieceKind::Unused
        {
            // Not remembered: which parts an unused piece was last made of must stay up to date.
            self.splits.insert(id, left.len);
            return (id, piece.score);
        }
        let (id, score) = found.map_or((NONE, 0.0), |(id, piece)| (id, piece.score));
        if has_ids {
            *slot = MemoSlot { pair, id, score };
        }
        (id, score)
    }

    fn apply(&mut self, run: &str, candidate: Candidate) {
        let left = self.symbols[candidate.left as usize];
        let right = self.symbols[candidate.right as usize];
        if left.len == 0 || right.len == 0 || left.len + right.len != candidate.len {
            return;
        }
        let merged = &mut self.symbols[candidate.left as usize];
        (merged.len, merged.next, merged.id) = (candidate.len, right.next, candidate.id);
        self.symbols[candidate.right as usize].len = 0;
        if right.next != NONE {
            self.symbols[right.next as usize].prev = candidate.left;
        }
        self.propose(run, left.prev, candidate.left);
        self.propose(run, candidate.left, right.next);
    }

    /// Appends one merged symbol.
    fn emit(&self, run: &str, symbol: Symbol, sink: &mut IdSink<'_>) {
        if symbol.id == NONE {
            sink.push_unknown(text_of(run, symbol));
        } else if self.splits.contains_key(&symbol.id) {
            self.emit_parts(text_of(run, symbol), sink);
        } else {
            sink.push(symbol.id);
        }
    }

    /// Takes an unused piece apart again, and its parts if need be.
    fn emit_parts(&self, symbol: &str, sink: &mut IdSink<'_>) {
        // A stack instead of recursion: a piece may be as long as the file allows.
        let mut parts = vec![symbol];
        while let Some(part) = parts.pop() {
            let found = self.lexicon.mergeable(part);
            match found.map(|(id, _)| (id, self.splits.get(&id))) {
                Some((_, Some(&left_len))) => {
                    let (left, right) = part.split_at(left_len as usize);
                    parts.extend([right, left]);
                }
                // A single character that is unused stays as it is.
                Some((id, None)) => sink.push(id),
                None => sink.push_unknown(part),
            }
        }
    }
}

fn text_of(run: &str, symbol: Symbol) -> &str {
    let start = symbol.start as usize;
    &run[start..start + symbol.len as usize]
}
