//! Text to token ids.

use super::{Model, Tokenizer};
use crate::added::{Part, Wanted};
use crate::error::TextError;
use crate::hugging_face::HuggingFace;
use crate::sentencepiece::SentencePiece;

impl Tokenizer {
    /// Encodes a text as the vocabulary file alone does. No `<s>` is added.
    ///
    /// Special tokens in the text stay text, with one exception that keeps the ids those of
    /// SentencePiece: user-defined pieces of a `tokenizer.model`, such as InternLM's `<eoa>` and
    /// InternLM2's `[UNUSED_TOKEN_145]`, are found. For a stranger's text inside of a prompt use
    /// [`encode_as_text`](Self::encode_as_text).
    ///
    /// # Errors
    ///
    /// [`TextError::TextTooLong`] above 64 MiB, [`TextError::HuggingFaceRun`].
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        match &self.inner.model {
            Model::SentencePiece(model) => self.encode_parts(model, text, Wanted::Ordinary, &[]),
            Model::HuggingFace(library) => library.encode_plain(text),
        }
    }

    /// Appends to `ids` what [`encode`](Self::encode) returns, so that one buffer serves many texts.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode); `ids` then is as it was.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use puyu_text::Tokenizer;
    ///
    /// let tokenizer = Tokenizer::open("models/internlm2-chat-7b")?;
    /// let mut ids = Vec::new();
    /// for document in ["从前有座山。", "Once upon a time."] {
    ///     tokenizer.encode_into(document, &mut ids)?;
    ///     ids.extend(tokenizer.eos_id());
    /// }
    /// # Ok::<(), puyu_text::TextError>(())
    /// ```
    pub fn encode_into(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TextError> {
        match &self.inner.model {
            Model::SentencePiece(model) => {
                self.encode_parts_into(model, text, (Wanted::Ordinary, &[]), ids)
            }
            Model::HuggingFace(library) => {
                ids.extend(library.encode_plain(text)?);
                Ok(())
            }
        }
    }

    /// Encodes a text and reads the special tokens in it. No `<s>` is added.
    ///
    /// For texts of one's own only: whoever wrote the text decides where turns end.
    ///
    /// # Errors
    ///
    /// [`TextError::TextTooLong`] above 64 MiB, [`TextError::HuggingFaceRun`].
    pub fn encode_with_special(&self, text: &str) -> Result<Vec<u32>, TextError> {
        match &self.inner.model {
            Model::SentencePiece(model) => self.encode_parts(model, text, Wanted::All, &[]),
            Model::HuggingFace(library) => library.encode_parsing(text),
        }
    }

    /// Encodes a text so that no special token comes out, whatever the text says.
    ///
    /// The unknown token is excepted: a vocabulary without byte fallback needs it.
    ///
    /// # Errors
    ///
    /// [`TextError::TextTooLong`] above 64 MiB, [`TextError::HuggingFaceRun`].
    pub fn encode_as_text(&self, text: &str) -> Result<Vec<u32>, TextError> {
        match &self.inner.model {
            Model::SentencePiece(model) => {
                self.encode_parts(model, text, Wanted::Ordinary, &self.inner.special_ids)
            }
            Model::HuggingFace(library) => self.encode_library_as_text(library, text),
        }
    }

    fn encode_parts(
        &self,
        model: &SentencePiece,
        text: &str,
        wanted: Wanted,
        reserved: &[u32],
    ) -> Result<Vec<u32>, TextError> {
        let mut ids = Vec::new();
        self.encode_parts_into(model, text, (wanted, reserved), &mut ids)?;
        Ok(ids)
    }

    /// Appends the tokens of a text, or nothing if that fails.
    fn encode_parts_into(
        &self,
        model: &SentencePiece,
        text: &str,
        (wanted, reserved): (Wanted, &[u32]),
        ids: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        let n_before = ids.len();
        for part in self.inner.added.split(text, wanted) {
            match part {
                Part::Token(id) => ids.push(id),
                Part::Text(text) => {
                    if let Err(error) = model.encode_into(text, reserved, ids) {
                        ids.truncate(n_before);
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    fn encode_library_as_text(
        &self,
        library: &HuggingFace,
        text: &str,
    ) -> Result<Vec<u32>, TextError> {
        let ids = library.encode_plain(text)?;
        let is_text = |id: &u32| !self.is_special(*id) || Some(*id) == self.unk_id();
        if ids.iter().all(is_text) {
            return Ok(ids);
        }
        // Some models look up whole words first and so make a special token of its name even when
        // told not to. Spelt one character at a time the name cannot be met.
        let mut spelt = Vec::with_capacity(text.len());
        for character in text.chars() {
            spelt.extend(library.encode_plain(character.encode_utf8(&mut [0; 4]))?);
        }
        spelt.retain(is_text);
        Ok(spelt)
    }
}
