//! Token ids back to text, whole or as a stream.

#[cfg(test)]
mod tests;

use crate::error::TextError;
use crate::hugging_face::HuggingFace;
use crate::sentencepiece::SentencePiece;
use crate::sentencepiece::piece_decoder::PieceDecoder;
use crate::sentencepiece::vocabulary::byte_named;
use crate::tokenizer::{SpecialTokens, Tokenizer};

/// Decodes a stream of token ids.
///
/// Gives out text as soon as it is certain and never splits a character. All that it gives out,
/// joined, is what [`Tokenizer::decode_as`] makes of the same ids.
///
/// # Examples
///
/// ```no_run
/// use puyu_text::{SpecialTokens, Tokenizer};
///
/// let tokenizer = Tokenizer::open("models/internlm2-chat-7b")?;
/// let mut stream = tokenizer.decode_stream(SpecialTokens::Skip);
/// let mut answer = String::new();
/// for id in [243, 162, 155, 131] {
///     answer += &stream.push(id)?;
/// }
/// answer += &stream.flush()?;
/// assert_eq!(answer, "😀");
/// # Ok::<(), puyu_text::TextError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DecodeStream {
    tokenizer: Tokenizer,
    special: SpecialTokens,
    pieces: PieceDecoder,
    window: Window,
}

/// The last ids of a stream for a library that can only decode whole texts.
#[derive(Debug, Clone, Default)]
struct Window {
    ids: Vec<u32>,
    /// How many of `ids` are there for context only: their text was given out before.
    n_context: usize,
    /// Text of the context.
    context: String,
}

impl DecodeStream {
    pub(crate) fn new(tokenizer: Tokenizer, special: SpecialTokens) -> Self {
        let (pieces, window) = (PieceDecoder::default(), Window::default());
        Self { tokenizer, special, pieces, window }
    }

    /// Takes the next id and returns the text that is certain now, which may be none.
    ///
    /// # Errors
    ///
    /// [`TextError::UnknownId`], [`TextError::HuggingFaceRun`], [`TextError::UnstableDecode`].
    pub fn push(&mut self, id: u32) -> Result<String, TextError> {
        check_id(&self.tokenizer, id)?;
        let mut text = String::new();
        if let Some(model) = self.tokenizer.sentencepiece() {
            push_piece(&self.tokenizer, model, id, self.special, (&mut self.pieces, &mut text));
        } else if let Some(library) = self.tokenizer.hugging_face() {
            let is_skipped = self.special != SpecialTokens::Write && self.tokenizer.is_special(id);
            if !is_skipped {
                text = self.window.push(library, id, self.special)?;
            }
        }
        Ok(text)
    }

    /// Ends the stream and returns the rest of its text. The next id starts a new text.
    ///
    /// # Errors
    ///
    /// [`TextError::HuggingFaceRun`], [`TextError::UnstableDecode`].
    pub fn flush(&mut self) -> Result<String, TextError> {
        let mut text = String::new();
        self.pieces.flush(&mut text);
        self.pieces = PieceDecoder::default();
        if let Some(library) = self.tokenizer.hugging_face() {
            text = self.window.take(library, self.special)?;
        }
        Ok(text)
    }
}

impl Window {
    fn push(
        &mut self,
        library: &HuggingFace,
        id: u32,
        special: SpecialTokens,
    ) -> Result<String, TextError> {
        self.ids.push(id);
        // The bytes of a run stand or fall together, so a run of byte pieces is kept to its end.
        if library.id_to_piece(id).is_some_and(|piece| byte_named(&piece).is_some()) {
            return Ok(String::new());
        }
        let text = decode_library(library, &self.ids, special)?;
        // The mark may be the start of a character whose other bytes are still to come.
        if text.ends_with(char::REPLACEMENT_CHARACTER) {
            return Ok(String::new());
        }
        let new = self.new_part(&text, id)?;
        self.ids.drain(..self.n_context);
        self.n_context = self.ids.len();
        self.context = decode_library(library, &self.ids, special)?;
        Ok(new)
    }

    fn take(&mut self, library: &HuggingFace, special: SpecialTokens) -> Result<String, TextError> {
        let Some(&last) = self.ids.last() else { return Ok(String::new()) };
        let text = decode_library(library, &self.ids, special)?;
        let new = self.new_part(&text, last)?;
        *self = Self::default();
        Ok(new)
    }

    fn new_part(&self, text: &str, id: u32) -> Result<String, TextError> {
        let new = text.strip_prefix(&self.context).ok_or(TextError::UnstableDecode { id })?;
        Ok(new.to_owned())
    }
}

/// Decodes all of `ids`.
pub(crate) fn decode(
    tokenizer: &Tokenizer,
    ids: &[u32],
    special: SpecialTokens,
) -> Result<String, TextError> {
    for &id in ids {
        check_id(tokenizer, id)?;
    }
    if let Some(library) = tokenizer.hugging_face() {
        return decode_library(library, ids, special);
    }
    let mut text = String::new();
    let mut pieces = PieceDecoder::default();
    if let Some(model) = tokenizer.sentencepiece() {
        for &id in ids {
            push_piece(tokenizer, model, id, special, (&mut pieces, &mut text));
        }
        pieces.flush(&mut text);
    }
    Ok(text)
}

fn check_id(tokenizer: &Tokenizer, id: u32) -> Result<(), TextError> {
    let vocab_size = tokenizer.vocab_size();
    let exists = tokenizer.added().by_id(id).is_some()
        || match (tokenizer.sentencepiece(), tokenizer.hugging_face()) {
            (Some(model), _) => model.vocabulary().piece(id).is_some(),
            (None, Some(library)) => library.id_to_piece(id).is_some(),
            (None, None) => false,
        };
    if exists { Ok(()) } else { Err(TextError::UnknownId { id, vocab_size }) }
}

fn decode_library(
    library: &HuggingFace,
    ids: &[u32],
    special: SpecialTokens,
) -> Result<String, TextError> {
    match special {
        SpecialTokens::Write => library.decode_writing(ids),
        SpecialTokens::AsModel | SpecialTokens::Skip => library.decode_skipping(ids),
    }
}

/// Feeds one id, which exists, to the decoder of a SentencePiece model.
fn push_piece(
    tokenizer: &Tokenizer,
    model: &SentencePiece,
    id: u32,
    special: SpecialTokens,
    (pieces, text): (&mut PieceDecoder, &mut String),
) {
    let piece = model.vocabulary().piece(id);
    if let Some(piece) = piece
        && special == SpecialTokens::AsModel
    {
        return pieces.push(model, piece, text);
    }
    match (tokenizer.added().by_id(id), piece) {
        // A special token that is left out still ends a run of bytes.
        (Some(token), _) if token.is_special && special != SpecialTokens::Write => {
            pieces.flush(text);
        }
        (Some(token), _) => pieces.push_literal(&token.content, text),
        (None, Some(piece)) => pieces.push(model, piece, text),
        (None, None) => {}
    }
}
