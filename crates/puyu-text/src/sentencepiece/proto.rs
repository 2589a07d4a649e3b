//! The wire format of `tokenizer.model`: the fields that matter for encoding and decoding.
//!
//! Source: `sentencepiece_model.proto` of SentencePiece. The messages are proto2, so that an absent
//! field means the default written there, which is not always zero.

use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::error::TextError;

/// Largest known vocabularies have 256 thousand pieces; four times that is no honest file.
pub(crate) const MAX_PIECES: usize = 1 << 20;

/// `ModelProto.SentencePiece`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PieceProto {
    #[prost(string, optional, tag = "1")]
    pub(crate) piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    pub(crate) score: Option<f32>,
    /// 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Absent means normal.
    #[prost(int32, optional, tag = "3")]
    pub(crate) kind: Option<i32>,
}

/// `TrainerSpec`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TrainerProto {
    /// 1 unigram, 2 BPE, 3 word, 4 character. Absent means unigram.
    #[prost(int32, optional, tag = "3")]
    pub(crate) model_type: Option<i32>,
    #[prost(bool, optional, tag = "24")]
    pub(crate) treat_whitespace_as_suffix: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    pub(crate) byte_fallback: Option<bool>,
    #[prost(string, optional, tag = "44")]
    pub(crate) unk_surface: Option<String>,
    #[prost(string, optional, tag = "46")]
    pub(crate) bos_piece: Option<String>,
    #[prost(string, optional, tag = "47")]
    pub(crate) eos_piece: Option<String>,
    #[prost(string, optional, tag = "48")]
    pub(crate) pad_piece: Option<String>,
}

/// `NormalizerSpec`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NormalizerProto {
    #[prost(string, optional, tag = "1")]
    pub(crate) name: Option<String>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(crate) precompiled_charsmap: Option<Vec<u8>>,
    /// Absent means true, as for the next two.
    #[prost(bool, optional, tag = "3")]
    pub(crate) add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    pub(crate) remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    pub(crate) escape_whitespaces: Option<bool>,
}

/// `ModelProto`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pub(crate) pieces: Vec<PieceProto>,
    #[prost(message, optional, tag = "2")]
    pub(crate) trainer: Option<TrainerProto>,
    #[prost(message, optional, tag = "3")]
    pub(crate) normalizer: Option<NormalizerProto>,
    #[prost(message, optional, tag = "5")]
    pub(crate) denormalizer: Option<NormalizerProto>,
}

impl ModelProto {
    /// Parses a model with a bounded number of pieces.
    ///
    /// # Errors
    ///
    /// [`TextError::DamagedModel`], [`TextError::ModelTooLarge`].
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        // An empty piece takes two bytes in the file and sixty in memory, so they are counted
        // before they are unpacked.
        if count_pieces(bytes).map_err(TextError::DamagedModel)? > MAX_PIECES {
            return Err(TextError::ModelTooLarge { what: "pieces", limit: MAX_PIECES });
        }
        Self::decode(bytes).map_err(TextError::DamagedModel)
    }
}

fn count_pieces(mut bytes: &[u8]) -> Result<usize, prost::DecodeError> {
    const PIECES: u32 = 1;
    let mut n_pieces = 0;
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        if (tag, wire_type) != (PIECES, WireType::LengthDelimited) {
            skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?;
            continue;
        }
        n_pieces += 1;
        let len = usize::try_from(decode_varint(&mut bytes)?).unwrap_or(usize::MAX);
        // A length past the end is left for the real parser to report.
        bytes = bytes.get(len..).unwrap_or_default();
    }
    Ok(n_pieces)
}
