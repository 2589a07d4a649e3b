//! The tokenizer: text to token ids and back, whichever file it came from.

mod encode;
mod folder;
mod segments;
mod setup;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use crate::added::AddedTokens;
use crate::decode::{self, DecodeStream};
use crate::error::TextError;
use crate::hugging_face::{self, HuggingFace};
use crate::read;
use crate::sentencepiece::{self, SentencePiece};
use folder::Settings;

pub(crate) use segments::{Origin, Segments};

/// A special token and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialToken {
    /// Its text, such as `<|im_end|>`.
    pub content: String,
    /// Its id.
    pub id: u32,
}

/// What becomes of special tokens when ids are decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SpecialTokens {
    /// As the vocabulary file alone has it. A SentencePiece model leaves out its control tokens and
    /// spells everything else, `[UNUSED_TOKEN_145]` for InternLM2's `<|im_end|>` included; a
    /// tokenizer of Hugging Face leaves out all special tokens.
    #[default]
    AsModel,
    /// They are written out by name, `<s>` and `</s>` included.
    Write,
    /// They are left out.
    Skip,
}

/// Turns text into token ids and back.
///
/// Cheap to clone: clones share the vocabulary.
///
/// # Examples
///
/// ```no_run
/// use puyu_text::{SpecialTokens, Tokenizer};
///
/// let tokenizer = Tokenizer::open("models/internlm2-chat-7b")?;
/// let ids = tokenizer.encode("你好")?;
/// assert_eq!(tokenizer.decode(&ids)?, "你好");
///
/// // Special tokens are read only where that is asked for.
/// assert!(tokenizer.encode("<|im_end|>")?.len() > 1);
/// assert_eq!(tokenizer.encode_with_special("<|im_end|>")?, [92_542]);
/// # Ok::<(), puyu_text::TextError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    model: Model,
    added: AddedTokens,
    special: Vec<SpecialToken>,
    /// Ids of the special tokens, sorted.
    special_ids: Vec<u32>,
    roles: TokenRoles,
    vocab_size: usize,
}

/// The tokens with a part in every text, and whether texts start with one.
#[derive(Debug, Clone, Copy, Default)]
struct TokenRoles {
    bos: Option<u32>,
    eos: Option<u32>,
    unk: Option<u32>,
    pad: Option<u32>,
    adds_bos: bool,
}

#[derive(Debug)]
enum Model {
    SentencePiece(Box<SentencePiece>),
    HuggingFace(Box<HuggingFace>),
}

impl Tokenizer {
    /// Opens the tokenizer of a model folder, or a single tokenizer file.
    ///
    /// A folder's `tokenizer.model` is preferred to its `tokenizer.json`: the former is what the
    /// model was trained with, the latter a conversion that differs in details. If the model file
    /// is of a kind that is not supported here (unigram, character map) and `tokenizer.json` is
    /// there, that is used. `tokenizer_config.json`, `special_tokens_map.json` and
    /// `added_tokens.json` are read beside either.
    ///
    /// # Errors
    ///
    /// [`TextError::NoTokenizer`] if there is neither file, [`TextError::InFile`] naming the file
    /// at fault, [`TextError::Read`], [`TextError::Json`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, TextError> {
        let path = path.as_ref();
        if path.is_file() {
            let is_json = path.extension().is_some_and(|extension| extension == "json");
            return if is_json {
                Self::from_hf_file(path)
            } else {
                Self::from_sentencepiece_file(path)
            };
        }
        let settings = Settings::read(path)?;
        let (model, json) = (path.join("tokenizer.model"), path.join("tokenizer.json"));
        if model.is_file() {
            let bytes = read::read(&model, sentencepiece::MAX_FILE_BYTES)?;
            match SentencePiece::from_bytes(&bytes) {
                Ok(sentencepiece) => return Self::with_sentencepiece(sentencepiece, &settings),
                Err(error @ TextError::Unsupported { .. }) if json.is_file() => {
                    tracing::info!(%error, "using tokenizer.json instead of tokenizer.model");
                }
                Err(source) => return Err(in_file(&model, source)),
            }
        }
        if !json.is_file() {
            return Err(TextError::NoTokenizer { path: path.to_owned() });
        }
        let bytes = read::read(&json, hugging_face::MAX_FILE_BYTES)?;
        let library = HuggingFace::from_bytes(&bytes).map_err(|source| in_file(&json, source))?;
        Self::with_hugging_face(library, &settings)
    }

    /// Opens a SentencePiece model without looking at the files beside it.
    ///
    /// # Errors
    ///
    /// [`TextError::Read`], [`TextError::InFile`].
    pub fn from_sentencepiece_file(path: impl AsRef<Path>) -> Result<Self, TextError> {
        let path = path.as_ref();
        let bytes = read::read(path, sentencepiece::MAX_FILE_BYTES)?;
        Self::from_sentencepiece_bytes(&bytes).map_err(|source| in_file(path, source))
    }

    /// Opens a `tokenizer.json` without looking at the files beside it.
    ///
    /// # Errors
    ///
    /// [`TextError::Read`], [`TextError::InFile`].
    pub fn from_hf_file(path: impl AsRef<Path>) -> Result<Self, TextError> {
        let path = path.as_ref();
        let bytes = read::read(path, hugging_face::MAX_FILE_BYTES)?;
        Self::from_hf_bytes(&bytes).map_err(|source| in_file(path, source))
    }

    /// Reads a SentencePiece model from memory.
    ///
    /// # Errors
    ///
    /// [`TextError::DamagedModel`], [`TextError::Unsupported`], [`TextError::BadPiece`],
    /// [`TextError::MissingPiece`], [`TextError::ModelTooLarge`], [`TextError::FileTooLarge`].
    pub fn from_sentencepiece_bytes(bytes: &[u8]) -> Result<Self, TextError> {
        Self::with_sentencepiece(SentencePiece::from_bytes(bytes)?, &Settings::default())
    }

    /// Reads a `tokenizer.json` from memory.
    ///
    /// # Errors
    ///
    /// [`TextError::HuggingFace`], [`TextError::FileTooLarge`].
    pub fn from_hf_bytes(bytes: &[u8]) -> Result<Self, TextError> {
        Self::with_hugging_face(HuggingFace::from_bytes(bytes)?, &Settings::default())
    }

    /// Decodes ids as the vocabulary file alone does, see [`SpecialTokens::AsModel`].
    ///
    /// Bytes that form no character become one U+FFFD each, after the longest valid start.
    ///
    /// # Errors
    ///
    /// [`TextError::UnknownId`], [`TextError::HuggingFaceRun`].
    pub fn decode(&self, ids: &[u32]) -> Result<String, TextError> {
        self.decode_as(ids, SpecialTokens::AsModel)
    }

    /// Decodes ids and writes special tokens out by name.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_with_special(&self, ids: &[u32]) -> Result<String, TextError> {
        self.decode_as(ids, SpecialTokens::Write)
    }

    /// Decodes ids and leaves special tokens out.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_skip_special(&self, ids: &[u32]) -> Result<String, TextError> {
        self.decode_as(ids, SpecialTokens::Skip)
    }

    /// Decodes ids and treats special tokens as told.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_as(&self, ids: &[u32], special: SpecialTokens) -> Result<String, TextError> {
        decode::decode(self, ids, special)
    }

    /// Starts decoding a stream of ids.
    pub fn decode_stream(&self, special: SpecialTokens) -> DecodeStream {
        DecodeStream::new(self.clone(), special)
    }

    /// The piece of an id as the vocabulary file spells it, or the text of an added token that the
    /// file does not have.
    pub fn id_to_piece(&self, id: u32) -> Option<String> {
        let piece = match &self.inner.model {
            Model::SentencePiece(model) => {
                model.vocabulary().piece(id).map(|piece| piece.text.to_string())
            }
            Model::HuggingFace(library) => library.id_to_piece(id),
        };
        piece.or_else(|| self.inner.added.by_id(id).map(|token| token.content.clone()))
    }

    /// The id of an added token or of a piece.
    pub fn piece_to_id(&self, piece: &str) -> Option<u32> {
        if let Some(token) = self.inner.added.by_content(piece) {
            return Some(token.id);
        }
        match &self.inner.model {
            Model::SentencePiece(model) => model.vocabulary().id_of(piece),
            Model::HuggingFace(library) => library.piece_to_id(piece),
        }
    }

    /// One more than the largest token id. The output of a model may be wider: it is often padded.
    pub fn vocab_size(&self) -> usize {
        self.inner.vocab_size
    }

    /// Token that starts a text.
    pub fn bos_id(&self) -> Option<u32> {
        self.inner.roles.bos
    }

    /// Token that ends a text.
    pub fn eos_id(&self) -> Option<u32> {
        self.inner.roles.eos
    }

    /// Token of what the vocabulary lacks.
    pub fn unk_id(&self) -> Option<u32> {
        self.inner.roles.unk
    }

    /// Token that fills up short rows of a batch.
    pub fn pad_id(&self) -> Option<u32> {
        self.inner.roles.pad
    }

    /// Whether the model expects [`bos_id`](Self::bos_id) before every text. No `encode` adds it.
    pub fn adds_bos(&self) -> bool {
        self.inner.roles.adds_bos
    }

    /// All special tokens, by ascending id.
    pub fn special_tokens(&self) -> &[SpecialToken] {
        &self.inner.special
    }

    /// Whether an id is that of a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.inner.special_ids.binary_search(&id).is_ok()
    }

    /// The name of a special token, such as `<|im_end|>`.
    pub fn special_name(&self, id: u32) -> Option<&str> {
        let index = self.inner.special_ids.binary_search(&id).ok()?;
        Some(&self.inner.special[index].content)
    }

    pub(crate) fn added(&self) -> &AddedTokens {
        &self.inner.added
    }

    pub(crate) fn sentencepiece(&self) -> Option<&SentencePiece> {
        match &self.inner.model {
            Model::SentencePiece(model) => Some(model),
            Model::HuggingFace(_) => None,
        }
    }

    pub(crate) fn hugging_face(&self) -> Option<&HuggingFace> {
        match &self.inner.model {
            Model::SentencePiece(_) => None,
            Model::HuggingFace(library) => Some(library),
        }
    }
}

fn in_file(path: &Path, source: TextError) -> TextError {
    TextError::InFile { path: path.to_owned(), source: Box::new(source) }
}
