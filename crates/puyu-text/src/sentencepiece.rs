//! `tokenizer.model`: byte-pair models of SentencePiece, encoded and decoded as SentencePiece does.
//!
//! Supported is what the InternLM and Llama families use: BPE, no character map, with or without
//! dummy prefix, byte fallback and user-defined pieces. Everything else is refused when the file is
//! read, never approximated.
//!
//! Source: SentencePiece 0.2.0, `sentencepiece_processor.cc`, `bpe_model.cc`, `normalizer.cc`.

pub(crate) mod bpe;
mod merge;
pub(crate) mod normalize;
pub(crate) mod piece_decoder;
pub(crate) mod proto;
mod scan;
mod tables;
pub(crate) mod vocabulary;

#[cfg(test)]
pub(crate) mod tests;

use crate::error::TextError;
use bpe::{IdSink, Lexicon, Merger};
use normalize::{Normalizer, refuse_character_map};
use proto::{ModelProto, TrainerProto};
use scan::Scan;
use tables::Tables;
use vocabulary::{PieceKind, Vocabulary};

/// Stands for a space in pieces: U+2581, lower one eighth block.
pub(crate) const SPACE: char = '\u{2581}';

/// What an unknown piece decodes to unless the model says otherwise.
const UNKNOWN_SURFACE: &str = " \u{2047} ";

/// The released files are 1.7 MB at most; 256 thousand pieces of other families take 4 MB.
pub(crate) const MAX_FILE_BYTES: u64 = 64 << 20;

/// Longest text for one call. The working memory is some forty times the text in the worst case.
pub(crate) const MAX_TEXT_BYTES: usize = 64 << 20;

/// A SentencePiece model.
#[derive(Debug)]
pub(crate) struct SentencePiece {
    vocabulary: Vocabulary,
    normalizer: Normalizer,
    /// Nothing if the model has not the properties that the tables need.
    tables: Option<Tables>,
    unknown_surface: String,
    bos: Option<u32>,
    eos: Option<u32>,
    pad: Option<u32>,
}

impl SentencePiece {
    /// Reads the bytes of a `tokenizer.model`.
    ///
    /// # Errors
    ///
    /// [`TextError::DamagedModel`], [`TextError::Unsupported`], [`TextError::BadPiece`] and their
    /// neighbours.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, TextError> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            let what = "the SentencePiece model".to_owned();
            return Err(TextError::FileTooLarge { what, limit: MAX_FILE_BYTES });
        }
        let model = ModelProto::parse(bytes)?;
        let trainer = model.trainer.unwrap_or_default();
        refuse_other_models(&trainer)?;
        if let Some(denormalizer) = &model.denormalizer {
            refuse_character_map(denormalizer, "denormalizer")?;
        }
        let normalizer = Normalizer::new(&model.normalizer.unwrap_or_default())?;
        let vocabulary = Vocabulary::new(model.pieces, trainer.byte_fallback.unwrap_or(false))?;
        let control = |name: Option<&str>, default: &str| {
            let id = vocabulary.id_of(name.unwrap_or(default))?;
            let piece = vocabulary.piece(id)?;
            (piece.kind == PieceKind::Control).then_some(id)
        };
        Ok(Self {
            bos: control(trainer.bos_piece.as_deref(), "<s>"),
            eos: control(trainer.eos_piece.as_deref(), "</s>"),
            pad: control(trainer.pad_piece.as_deref(), "<pad>"),
            unknown_surface: trainer.unk_surface.unwrap_or_else(|| UNKNOWN_SURFACE.to_owned()),
            tables: Tables::new(&vocabulary, &normalizer),
            normalizer,
            vocabulary,
        })
    }

    pub(crate) fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    pub(crate) fn bos(&self) -> Option<u32> {
        self.bos
    }

    pub(crate) fn eos(&self) -> Option<u32> {
        self.eos
    }

    pub(crate) fn pad(&self) -> Option<u32> {
        self.pad
    }

    /// Appends the tokens of a text to `ids`, so that none of those in `reserved`, which is sorted,
    /// comes out.
    ///
    /// # Errors
    ///
    /// [`TextError::TextTooLong`].
    pub(crate) fn encode_into(
        &self,
        text: &str,
        reserved: &[u32],
        ids: &mut Vec<u32>,
    ) -> Result<(), TextError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TextError::TextTooLong { bytes: text.len(), limit: MAX_TEXT_BYTES });
        }
        // Three to four bytes a token are usual.
        ids.reserve(text.len() / 3 + 1);
        match &self.tables {
            Some(tables) if Tables::serve_without(&self.vocabulary, reserved) => {
                let lexicon = Lexicon { vocabulary: &self.vocabulary, reserved };
                let text = self.normalizer.compact(text);
                let mut sink = IdSink::new(&self.vocabulary, ids);
                Scan::new(tables, lexicon, &text, &mut sink).run(self.normalizer.blank());
            }
            _ => self.merge_into(text, reserved, ids),
        }
        Ok(())
    }

    /// As [`encode_into`](Self::encode_into), for every model, by plain merging.
    pub(crate) fn merge_into(&self, text: &str, reserved: &[u32], ids: &mut Vec<u32>) {
        let text = self.normalizer.normalize(text);
        let lexicon = Lexicon { vocabulary: &self.vocabulary, reserved };
        let mut sink = IdSink::new(&self.vocabulary, ids);
        let mut merger = Merger::new(lexicon);

        let (mut run_start, mut position, mut previous) = (0, 0, None);
        while let Some(character) = text[position..].chars().next() {
            if let Some((len, id)) = lexicon.user_defined_prefix(&text[position..]) {
                merger.merge(&text[run_start..position], &mut sink);
                sink.push(id);
                position += len;
                (run_start, previous) = (position, None);
                continue;
            }
            if previous.is_some_and(|left| !self.vocabulary.may_join(left, character)) {
                merger.merge(&text[run_start..position], &mut sink);
                run_start = position;
            }
            previous = Some(character);
            position += character.len_utf8();
        }
        merger.merge(&text[run_start..], &mut sink);
    }
}

fn refuse_other_models(trainer: &TrainerProto) -> Result<(), TextError> {
    const BPE: i32 = 2;
    let unsupported = |what, found, expected| Err(TextError::Unsupported { what, found, expected });
    match trainer.model_type.unwrap_or(1) {
        BPE => {}
        1 => return unsupported("model type", "unigram".to_owned(), "`bpe`"),
        3 => return unsupported("model type", "word".to_owned(), "`bpe`"),
        4 => return unsupported("model type", "char".to_owned(), "`bpe`"),
        other => return unsupported("model type", other.to_string(), "`bpe`"),
    }
    if trainer.treat_whitespace_as_suffix.unwrap_or(false) {
        return unsupported("treat_whitespace_as_suffix", "true".to_owned(), "`false`");
    }
    Ok(())
}
