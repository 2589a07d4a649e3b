//! `tokenizer.json`: tokenizers of Hugging Face, run by their own library.

use tokenizers::Tokenizer as Library;

use crate::added::{AddedToken, Edges};
use crate::error::TextError;

/// The largest released files, of vocabularies of 256 thousand pieces, take 35 MB.
pub(crate) const MAX_FILE_BYTES: u64 = 256 << 20;

/// A tokenizer of Hugging Face.
#[derive(Debug)]
pub(crate) struct HuggingFace {
    /// Finds special tokens in a text. The library keeps this as a state of the tokenizer, so there
    /// are two of them.
    parsing: Library,
    /// Leaves special tokens in a text as text.
    plain: Library,
}

impl HuggingFace {
    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// [`TextError::HuggingFace`], [`TextError::FileTooLarge`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, TextError> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            let what = "the tokenizer file of Hugging Face".to_owned();
            return Err(TextError::FileTooLarge { what, limit: MAX_FILE_BYTES });
        }
        let mut parsing = Library::from_bytes(bytes).map_err(TextError::HuggingFace)?;
        // Files carry the settings of the training that made them; a text must not lose its end.
        parsing.with_truncation(None).map_err(TextError::HuggingFace)?;
        parsing.with_padding(None);
        Ok(Self::from_library(parsing))
    }

    fn from_library(mut parsing: Library) -> Self {
        let mut plain = parsing.clone();
        parsing.set_encode_special_tokens(false);
        plain.set_encode_special_tokens(true);
        Self { parsing, plain }
    }

    /// Adds tokens that the file lacks, or makes known ones special.
    ///
    /// # Errors
    ///
    /// [`TextError::AddedTokenConflict`] if the library gives a token another id than expected.
    pub(crate) fn add(&mut self, tokens: &[AddedToken]) -> Result<(), TextError> {
        for token in tokens {
            let added = tokenizers::AddedToken::from(token.content.clone(), token.is_special)
                .lstrip(token.edges.strips_left)
                .rstrip(token.edges.strips_right)
                .single_word(token.edges.is_single_word)
                .normalized(!token.is_special);
            self.parsing.add_tokens([added]).map_err(TextError::HuggingFace)?;
            let found = self.parsing.token_to_id(&token.content);
            if found != Some(token.id) {
                return Err(TextError::AddedTokenConflict {
                    content: token.content.clone(),
                    found: token.id,
                    id: found.unwrap_or(token.id),
                    text: self.parsing.id_to_token(token.id).unwrap_or_default(),
                });
            }
        }
        self.plain = self.parsing.clone();
        self.plain.set_encode_special_tokens(true);
        Ok(())
    }

    /// The added tokens that the file names.
    pub(crate) fn added(&self) -> Vec<AddedToken> {
        let mut tokens: Vec<AddedToken> = self
            .parsing
            .get_added_tokens_decoder()
            .iter()
            .map(|(&id, token)| AddedToken {
                content: token.content.clone(),
                id,
                is_special: token.special,
                edges: Edges {
                    strips_left: token.lstrip,
                    strips_right: token.rstrip,
                    is_single_word: token.single_word,
                },
            })
            .collect();
        tokens.sort_by_key(|token| token.id);
        tokens
    }

    /// Encodes a text and leaves special tokens in it as text.
    pub(crate) fn encode_plain(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let encoding = self.plain.encode_fast(text, false).map_err(TextError::HuggingFaceRun)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Encodes a text and reads special tokens in it.
    pub(crate) fn encode_parsing(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let encoding = self.parsing.encode_fast(text, false).map_err(TextError::HuggingFaceRun)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Whether the file's own rules put `id` before every text.
    pub(crate) fn starts_texts_with(&self, id: u32) -> bool {
        let encoding = self.parsing.encode_fast("", true);
        encoding.is_ok_and(|encoding| encoding.get_ids().first() == Some(&id))
    }

    pub(crate) fn decode_skipping(&self, ids: &[u32]) -> Result<String, TextError> {
        self.parsing.decode(ids, true).map_err(TextError::HuggingFaceRun)
    }

    pub(crate) fn decode_writing(&self, ids: &[u32]) -> Result<String, TextError> {
        self.parsing.decode(ids, false).map_err(TextError::HuggingFaceRun)
    }

    pub(crate) fn id_to_piece(&self, id: u32) -> Option<String> {
        self.parsing.id_to_token(id)
    }

    pub(crate) fn piece_to_id(&self, piece: &str) -> Option<u32> {
        self.parsing.token_to_id(piece)
    }

    /// One more than the largest id.
    pub(crate) fn vocab_size(&self) -> usize {
        let largest = self.parsing.get_vocab(true).into_values().max();
        largest.map_or(0, |id| id as usize + 1)
    }
}
