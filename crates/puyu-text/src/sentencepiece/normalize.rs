//! What SentencePiece does to a text before it looks for pieces.
//!
//! Source: `Normalizer::Normalize` of SentencePiece, for models without a character map.

use std::borrow::Cow;

use crate::error::TextError;
use crate::sentencepiece::SPACE;
use crate::sentencepiece::proto::NormalizerProto;

/// How white space is treated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Normalizer {
    pub(crate) adds_dummy_prefix: bool,
    pub(crate) removes_extra_spaces: bool,
    pub(crate) escapes_spaces: bool,
}

impl Normalizer {
    /// Reads the rules of a model.
    ///
    /// # Errors
    ///
    /// [`TextError::Unsupported`] if the model rewrites characters, as `nmt_nfkc` does.
    pub(crate) fn new(proto: &NormalizerProto) -> Result<Self, TextError> {
        refuse_character_map(proto, "normalizer")?;
        Ok(Self {
            adds_dummy_prefix: proto.add_dummy_prefix.unwrap_or(true),
            removes_extra_spaces: proto.remove_extra_whitespaces.unwrap_or(true),
            escapes_spaces: proto.escape_whitespaces.unwrap_or(true),
        })
    }

    /// Rewrites `text` in the alphabet of the pieces.
    pub(crate) fn normalize(&self, text: &str) -> String {
        let text = if self.removes_extra_spaces { text.trim_matches(' ') } else { text };
        if text.is_empty() {
            return String::new();
        }
        let space = if self.escapes_spaces { SPACE } else { ' ' };
        let mut normalized = String::with_capacity(text.len() + text.len() / 4);
        if self.adds_dummy_prefix {
            normalized.push(space);
        }
        let mut after_space = false;
        for character in text.chars() {
            let is_space = character == ' ';
            if !(self.removes_extra_spaces && is_space && after_space) {
                normalized.push(if is_space { space } else { character });
            }
            after_space = is_space;
        }
        // A mark that stood in the text itself counts as a trailing space too.
        while self.removes_extra_spaces && normalized.ends_with(space) {
            normalized.pop();
        }
        normalized
    }

    /// [`normalize`](Self::normalize) with a blank for each mark, if spaces become marks.
    ///
    /// One byte instead of three, and nothing to rewrite in most texts. Blanks and marks of a text
    /// are the same thing to such a model, so nothing is lost.
    pub(crate) fn compact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if !self.escapes_spaces {
            return self.normalize(text).into();
        }
        if self.removes_extra_spaces {
            return self.normalize(text).replace(SPACE, " ").into();
        }
        let text = compact_marks(text);
        if self.adds_dummy_prefix && !text.is_empty() {
            return format!(" {text}").into();
        }
        text
    }

    /// A piece in the alphabet of [`compact`](Self::compact), or nothing if no text can hold it.
    pub(crate) fn compact_piece<'p>(&self, piece: &'p str) -> Option<Cow<'p, str>> {
        if !self.escapes_spaces {
            return Some(piece.into());
        }
        (!piece.contains(' ')).then(|| compact_marks(piece))
    }

    /// What a blank of a compact text is in the alphabet of the pieces.
    pub(crate) fn blank(&self) -> char {
        if self.escapes_spaces { SPACE } else { ' ' }
    }
}

fn compact_marks(text: &str) -> Cow<'_, str> {
    // A search for a string of several bytes is vectorized, one for a character is not.
    if text.contains("\u{2581}") { text.replace(SPACE, " ").into() } else { text.into() }
}

/// Checks that a normalizer or denormalizer leaves characters alone.
///
/// # Errors
///
/// [`TextError::Unsupported`].
pub(crate) fn refuse_character_map(
    proto: &NormalizerProto,
    what: &'static str,
) -> Result<(), TextError> {
    if proto.precompiled_charsmap.as_deref().unwrap_or_default().is_empty() {
        return Ok(());
    }
    let found = proto.name.clone().unwrap_or_default();
    Err(TextError::Unsupported { what, found, expected: "`identity`, without a character map," })
}
