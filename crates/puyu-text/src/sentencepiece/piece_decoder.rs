//! Pieces back to text, one at a time, so that a stream and a whole decode are the same code.
//!
//! Source: `SentencePieceProcessor::Decode` of SentencePiece.

use crate::sentencepiece::vocabulary::{Piece, PieceKind};
use crate::sentencepiece::{SPACE, SentencePiece};

/// Turns pieces into text as they come.
#[derive(Debug, Clone, Default)]
pub(crate) struct PieceDecoder {
    /// Bytes that may still become a character.
    pending: Vec<u8>,
    has_text: bool,
    has_dropped_prefix: bool,
}

impl PieceDecoder {
    /// Appends the text that `piece` makes certain.
    pub(crate) fn push(&mut self, model: &SentencePiece, piece: &Piece, out: &mut String) {
        if let PieceKind::Byte(byte) = piece.kind {
            return self.push_byte(byte, out);
        }
        self.flush(out);
        match piece.kind {
            PieceKind::Control => {}
            PieceKind::Unknown => self.push_text(&model.unknown_surface, out),
            _ => self.push_piece(model, &piece.text, out),
        }
    }

    /// Appends the text of a token that is no piece of the model.
    pub(crate) fn push_literal(&mut self, text: &str, out: &mut String) {
        self.flush(out);
        self.push_text(text, out);
    }

    /// Gives up on a character that is still incomplete: each of its bytes is invalid.
    pub(crate) fn flush(&mut self, out: &mut String) {
        for _ in self.pending.drain(..) {
            out.push(char::REPLACEMENT_CHARACTER);
            self.has_text = true;
        }
    }

    fn push_byte(&mut self, byte: u8, out: &mut String) {
        self.pending.push(byte);
        while !self.pending.is_empty() {
            match std::str::from_utf8(&self.pending) {
                Ok(text) => {
                    out.push_str(text);
                    self.pending.clear();
                }
                // The bytes may be the start of a character.
                Err(error) if error.error_len().is_none() => return,
                // One mark for one byte: the bytes after it may start a character of their own.
                Err(_) => {
                    out.push(char::REPLACEMENT_CHARACTER);
                    self.pending.remove(0);
                }
            }
            self.has_text = true;
        }
    }

    fn push_piece(&mut self, model: &SentencePiece, piece: &str, out: &mut String) {
        let rules = model.normalizer;
        let mut piece = piece;
        let at_start = !self.has_text && !self.has_dropped_prefix;
        if at_start
            && (rules.adds_dummy_prefix || rules.removes_extra_spaces)
            && let Some(rest) = piece.strip_prefix(SPACE)
        {
            piece = rest;
            // Where extra spaces are removed, further leading spaces go too.
            self.has_dropped_prefix = !rules.removes_extra_spaces;
        }
        self.push_text(&piece.replace(SPACE, " "), out);
    }

    fn push_text(&mut self, text: &str, out: &mut String) {
        out.push_str(text);
        self.has_text |= !text.is_empty();
    }
}
