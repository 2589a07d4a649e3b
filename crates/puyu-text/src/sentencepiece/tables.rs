//! What encoding looks up, worked out once when the model is read.
//!
//! # Why the ids are those of plain merging
//!
//! Plain merging starts from single characters and again and again joins the best pair of
//! neighbours that together are a piece: best score first, leftmost of equals. Three facts let most
//! of that work be done ahead.
//!
//! 1. *A text may be cut wherever no piece holds the two characters at the cut side by side.* What
//!    crosses such a cut is no piece, so no step joins across it. Steps on one side neither change
//!    the other side nor the order of its steps, as they only ever are compared by score and
//!    position; each side thus goes through the very steps it would go through alone.
//! 2. *A symbol that comes up while merging is a piece that merges to itself.* No step has crossed
//!    the ends of a symbol, so by the same argument the steps within it are those of merging its
//!    text alone, and those end with it. A part of a text that has no cut inside and spells such a
//!    piece therefore is that one token. Pieces that do not merge to themselves never come up.
//! 3. *Such a piece has one pair to be made of.* If two symbols side by side spell the piece,
//!    merging its text alone has come to these two; as that goes one way only, they are the same
//!    two wherever the piece comes up. So one table entry a piece is enough, found by two ids.
//!
//! The last pair of a piece is found by merging it with the shorter pieces alone: they are all that
//! can come up before it. Two symbols left over are the pair; more mean that it never comes up.
//!
//! All this needs pieces whose characters are pieces themselves and none that is unused. Models
//! without these properties are left to [`bpe`](super::bpe).

pub(crate) mod characters;
pub(crate) mod pairs;
pub(crate) mod words;

use std::borrow::Cow;

use crate::sentencepiece::merge::Merge;
use crate::sentencepiece::normalize::Normalizer;
use crate::sentencepiece::vocabulary::{Piece, PieceKind, Vocabulary};
use crate::trie::Trie;
use characters::{Characters, Joints};
use pairs::{Joined, Pairs};
use words::Words;

/// No piece: vocabularies are bounded by the size of their file, so none has this id.
pub(crate) const NONE: u32 = u32::MAX;

/// The tables of a vocabulary. Texts are spelt in them as [`Normalizer::compact`] does.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) characters: Characters,
    pub(crate) joints: Joints,
    pub(crate) words: Words,
    pub(crate) pairs: Pairs,
    pub(crate) user_defined: Trie,
}

/// A piece that merging may make.
struct Learned<'v> {
    id: u32,
    score: f32,
    text: Cow<'v, str>,
}

impl Tables {
    /// Works the tables out, or nothing if the model has not the properties that they need.
    pub(crate) fn new(vocabulary: &Vocabulary, normalizer: &Normalizer) -> Option<Self> {
        let (mut characters, mut user_defined) = (Characters::new(), Trie::new());
        let mut longer = Vec::new();
        for (id, piece) in vocabulary.pieces() {
            let Some(text) = normalizer.compact_piece(&piece.text) else { continue };
            match piece.kind {
                PieceKind::Unused => return None,
                PieceKind::UserDefined => {
                    user_defined.insert(text.as_bytes(), id);
                    characters.mark_user_defined(first_character(&text));
                }
                PieceKind::Normal if text.chars().nth(1).is_none() => {
                    characters.insert(first_character(&text), id);
                }
                PieceKind::Normal => longer.push(Learned { id, score: piece.score, text }),
                PieceKind::Unknown | PieceKind::Control | PieceKind::Byte(_) => {}
            }
        }
        let (joints, words) = (Joints::new(), Words::with_capacity(longer.len()));
        let pairs = Pairs::with_capacity(longer.len());
        let mut tables = Self { characters, joints, words, pairs, user_defined };
        tables.learn(&longer)?;
        Some(tables)
    }

    /// Whether leaving out some ids leaves all learned pieces in.
    pub(crate) fn serve_without(vocabulary: &Vocabulary, reserved: &[u32]) -> bool {
        let is_learned = |piece: &Piece| piece.kind == PieceKind::Normal;
        !reserved.iter().any(|&id| vocabulary.piece(id).is_some_and(is_learned))
    }

    /// Enters the pieces of more than one character.
    fn learn(&mut self, pieces: &[Learned<'_>]) -> Option<()> {
        let ranks = ranks(pieces);
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|&index| pieces[index].text.len());
        let mut met = Vec::with_capacity(pieces.len());
        let mut merge = Merge::new();
        for index in order {
            let Learned { id, text, .. } = &pieces[index];
            let known =
                |character| Some(self.characters.find(character).id()).filter(|&id| id != NONE);
            if !text.chars().all(|character| known(character).is_some()) {
                return None;
            }
            let symbols = text.chars().map(|character| self.characters.find(character).id());
            let &[left, right] = merge.run(symbols, &self.pairs) else { continue };
            self.pairs.insert(left, right, Joined { id: *id, rank: ranks[index] });
            met.push(index);
            for (left, right) in text.chars().zip(text.chars().skip(1)) {
                self.joints.insert(left, right);
            }
        }
        // The better its score the more often a piece is looked for, and who comes first is found
        // first.
        met.sort_by_key(|&index| ranks[index]);
        for index in met {
            self.words.insert(pieces[index].text.as_bytes(), pieces[index].id);
        }
        Some(())
    }
}

/// For each piece the number of different better scores: equal scores, equal ranks.
fn ranks(pieces: &[Learned<'_>]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.sort_by(|&left, &right| pieces[right].score.total_cmp(&pieces[left].score));
    let mut ranks = vec![0; pieces.len()];
    let (mut rank, mut previous) = (0, None);
    for index in order {
        let score = pieces[index].score;
        rank += u32::from(previous.is_some_and(|previous| previous != score));
        previous = Some(score);
        ranks[index] = rank;
    }
    ranks
}

fn first_character(text: &str) -> char {
    text.chars().next().expect("empty pieces are refused when the model is read")
}
