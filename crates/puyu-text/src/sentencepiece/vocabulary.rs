//! The pieces of a SentencePiece model, checked, with what encoding needs to find them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::{PieceProblem, TextError};
use crate::sentencepiece::proto::PieceProto;
use crate::trie::Trie;

/// User-defined pieces are names of a few dozen bytes; their prefix tree takes about fifty times
/// their size in memory.
const MAX_USER_DEFINED_BYTES: usize = 1 << 20;

/// What a piece is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceKind {
    /// Learned from text.
    Normal,
    /// Stands for characters that the vocabulary lacks.
    Unknown,
    /// Has no text, such as `<s>`.
    Control,
    /// Is found in a text before everything else.
    UserDefined,
    /// May appear while merging but not in the result.
    Unused,
    /// One byte of a character that the vocabulary lacks.
    Byte(u8),
}

/// One piece.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) text: Box<str>,
    pub(crate) score: f32,
    pub(crate) kind: PieceKind,
}

/// All pieces of a model.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    pieces: Vec<Piece>,
    by_text: HashMap<Box<str>, u32>,
    user_defined: Trie,
    joints: Joints,
    byte_ids: Option<Box<[u32; 256]>>,
    unknown: u32,
    max_piece_bytes: usize,
}

impl Vocabulary {
    /// Checks the pieces and builds the look-up tables.
    ///
    /// # Errors
    ///
    /// [`TextError::BadPiece`], [`TextError::MissingPiece`], [`TextError::ModelTooLarge`].
    pub(crate) fn new(protos: Vec<PieceProto>, byte_fallback: bool) -> Result<Self, TextError> {
        let mut pieces = Vec::with_capacity(protos.len());
        let mut by_text = HashMap::with_capacity(protos.len());
        let mut unknown = None;
        for (id, proto) in (0u32..).zip(protos) {
            let piece = check_piece(id, proto)?;
            match by_text.entry(piece.text.clone()) {
                Entry::Occupied(first) => {
                    return Err(bad(
                        id,
                        &piece.text,
                        PieceProblem::Duplicate { first: *first.get() },
                    ));
                }
                Entry::Vacant(slot) => slot.insert(id),
            };
            if piece.kind == PieceKind::Unknown
                && let Some(first) = unknown.replace(id)
            {
                return Err(bad(id, &piece.text, PieceProblem::SecondUnknown { first }));
            }
            pieces.push(piece);
        }
        let unknown =
            unknown.ok_or_else(|| TextError::MissingPiece { what: "unknown piece".to_owned() })?;
        let byte_ids = if byte_fallback { Some(collect_byte_ids(&pieces)?) } else { None };
        Ok(Self {
            user_defined: user_defined_trie(&pieces)?,
            joints: Joints::new(&pieces),
            max_piece_bytes: pieces.iter().map(|piece| piece.text.len()).max().unwrap_or(0),
            byte_ids,
            unknown,
            pieces,
            by_text,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.pieces.len()
    }

    pub(crate) fn piece(&self, id: u32) -> Option<&Piece> {
        self.pieces.get(id as usize)
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = (u32, &Piece)> {
        (0u32..).zip(&self.pieces)
    }

    pub(crate) fn id_of(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    pub(crate) fn unknown(&self) -> u32 {
        self.unknown
    }

    /// The ids of the byte pieces, if unknown characters are spelt in bytes.
    pub(crate) fn byte_ids(&self) -> Option<&[u32; 256]> {
        self.byte_ids.as_deref()
    }

    /// The piece that merging may make of `text`.
    ///
    /// Control, unknown and byte pieces are never found: their names in a text are just text.
    pub(crate) fn mergeable(&self, text: &str) -> Option<(u32, &Piece)> {
        if text.len() > self.max_piece_bytes {
            return None;
        }
        let id = self.id_of(text)?;
        let piece = &self.pieces[id as usize];
        let is_mergeable =
            matches!(piece.kind, PieceKind::Normal | PieceKind::UserDefined | PieceKind::Unused);
        is_mergeable.then_some((id, piece))
    }

    /// The longest user-defined piece at the start of `text`: its length in bytes and its id.
    pub(crate) fn user_defined_prefix(
        &self,
        text: &str,
        accept: impl Fn(u32) -> bool,
    ) -> Option<(usize, u32)> {
        self.user_defined.walk(text.as_bytes(), accept).longest
    }

    /// Whether some piece may hold `left` just before `right`.
    pub(crate) fn may_join(&self, left: char, right: char) -> bool {
        self.joints.contains(left, right)
    }
}

fn bad(id: u32, piece: &str, problem: PieceProblem) -> TextError {
    TextError::BadPiece { id, piece: piece.to_owned(), problem }
}

fn check_piece(id: u32, proto: PieceProto) -> Result<Piece, TextError> {
    let text = proto.piece.unwrap_or_default().into_boxed_str();
    if text.is_empty() {
        return Err(bad(id, &text, PieceProblem::Empty));
    }
    let score = proto.score.unwrap_or(0.0);
    if !score.is_finite() {
        return Err(bad(id, &text, PieceProblem::Score { found: score }));
    }
    let kind = match proto.kind.unwrap_or(1) {
        1 => PieceKind::Normal,
        2 => PieceKind::Unknown,
        3 => PieceKind::Control,
        4 => PieceKind::UserDefined,
        5 => PieceKind::Unused,
        6 => PieceKind::Byte(
            byte_named(&text).ok_or_else(|| bad(id, &text, PieceProblem::ByteName))?,
        ),
        found => return Err(bad(id, &text, PieceProblem::Type { found })),
    };
    // Adding zero turns -0 into 0, which would otherwise be ordered before it.
    Ok(Piece { text, score: score + 0.0, kind })
}

/// The byte that `<0xE4>` names, with upper-case digits as SentencePiece writes them.
pub(crate) fn byte_named(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    let is_upper_hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'A'..=b'F');
    if digits.len() != 2 || !digits.bytes().all(is_upper_hex) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

fn collect_byte_ids(pieces: &[Piece]) -> Result<Box<[u32; 256]>, TextError> {
    let mut ids = [None; 256];
    for (id, piece) in (0u32..).zip(pieces) {
        if let PieceKind::Byte(byte) = piece.kind {
            ids[usize::from(byte)] = Some(id);
        }
    }
    let mut complete = Box::new([0; 256]);
    for (byte, id) in ids.into_iter().enumerate() {
        complete[byte] = id.ok_or_else(|| TextError::MissingPiece {
            what: format!("byte piece <0x{byte:02X}>"),
        })?;
    }
    Ok(complete)
}

fn user_defined_trie(pieces: &[Piece]) -> Result<Trie, TextError> {
    let mut trie = Trie::new();
    let mut n_bytes = 0;
    for (id, piece) in (0u32..).zip(pieces) {
        if piece.kind != PieceKind::UserDefined {
            continue;
        }
        n_bytes += piece.text.len();
        if n_bytes > MAX_USER_DEFINED_BYTES {
            let what = "bytes of user-defined pieces";
            return Err(TextError::ModelTooLarge { what, limit: MAX_USER_DEFINED_BYTES });
        }
        trie.insert(piece.text.as_bytes(), id);
    }
    Ok(trie)
}

/// The pairs of neighbouring characters inside of pieces.
///
/// Two characters that are neighbours in no piece never end up in one token, so a text can be cut
/// between them and its parts merged one by one: less memory and a queue that stays in the cache.
/// Kept as a bit per hash: a false positive only means a cut less.
#[derive(Debug)]
struct Joints {
    bits: Vec<u64>,
}

impl Joints {
    /// 4 Mi bits, half a megabyte: the 93 thousand pieces of InternLM2 set fewer than one in ten.
    const LOG2_BITS: u32 = 22;

    fn new(pieces: &[Piece]) -> Self {
        // How an unused piece is taken apart may depend on the whole text, so nothing is cut then.
        if pieces.iter().any(|piece| piece.kind == PieceKind::Unused) {
            return Self { bits: Vec::new() };
        }
        let mut joints = Self { bits: vec![0; 1 << (Self::LOG2_BITS - 6)] };
        for piece in pieces {
            for (left, right) in piece.text.chars().zip(piece.text.chars().skip(1)) {
                let (word, bit) = Self::slot(left, right);
                joints.bits[word] |= bit;
            }
        }
        joints
    }

    fn contains(&self, left: char, right: char) -> bool {
        let (word, bit) = Self::slot(left, right);
        self.bits.get(word).is_none_or(|bits| bits & bit != 0)
    }

    fn slot(left: char, right: char) -> (usize, u64) {
        let pair = (u64::from(u32::from(left)) << 32) | u64::from(u32::from(right));
        // Multiplication by 2^64 over the golden ratio spreads neighbouring values over the top bits.
        let hash = pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - Self::LOG2_BITS);
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}
