//! Tiny tokenizers, made on the spot, and the shared golden cases.

use std::path::PathBuf;

use prost::Message as _;
use serde_json::{Value, json};

use crate::sentencepiece::proto::{ModelProto, NormalizerProto, PieceProto, TrainerProto};
use crate::tokenizer::Tokenizer;

pub(crate) const NORMAL: i32 = 1;
pub(crate) const UNKNOWN: i32 = 2;
pub(crate) const CONTROL: i32 = 3;
pub(crate) const USER_DEFINED: i32 = 4;
pub(crate) const UNUSED: i32 = 5;
pub(crate) const BYTE: i32 = 6;

pub(crate) fn piece(text: &str, score: f32, kind: i32) -> PieceProto {
    PieceProto { piece: Some(text.to_owned()), score: Some(score), kind: Some(kind) }
}

/// A model with `<unk>`, `<s>`, `</s>`, 256 bytes and then `pieces` from id 259.
pub(crate) fn model(pieces: &[PieceProto]) -> ModelProto {
    let mut all =
        vec![piece("<unk>", 0.0, UNKNOWN), piece("<s>", 0.0, CONTROL), piece("</s>", 0.0, CONTROL)];
    all.extend((0..=255).map(|byte| piece(&format!("<0x{byte:02X}>"), 0.0, BYTE)));
    all.extend_from_slice(pieces);
    ModelProto {
        pieces: all,
        trainer: Some(TrainerProto {
            model_type: Some(2),
            byte_fallback: Some(true),
            ..TrainerProto::default()
        }),
        normalizer: Some(NormalizerProto {
            name: Some("identity".to_owned()),
            add_dummy_prefix: Some(false),
            remove_extra_whitespaces: Some(false),
            ..NormalizerProto::default()
        }),
        denormalizer: None,
    }
}

pub(crate) fn bytes_of(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

/// First id after the bytes.
pub(crate) const FIRST: u32 = puyu_testkit::FIRST_PIECE;

/// Some English, some Chinese and InternLM2's chat tokens as added tokens over unused names.
pub(crate) fn tiny_model() -> ModelProto {
    model(&[
        piece("▁", -10.0, NORMAL),
        piece("h", -10.0, NORMAL),
        piece("e", -10.0, NORMAL),
        piece("l", -10.0, NORMAL),
        piece("o", -10.0, NORMAL),
        piece("ll", -1.0, NORMAL),
        piece("he", -2.0, NORMAL),
        piece("llo", -3.0, NORMAL),
        piece("hello", -4.0, NORMAL),
        piece("▁h", -5.0, NORMAL),
        piece("你", -10.0, NORMAL),
        piece("好", -10.0, NORMAL),
        piece("你好", -6.0, NORMAL),
        piece("\n", -10.0, NORMAL),
        piece("[UNUSED_TOKEN_145]", 0.0, USER_DEFINED),
        piece("[UNUSED_TOKEN_146]", 0.0, USER_DEFINED),
        piece("Ａ", 0.0, USER_DEFINED),
    ])
}

pub(crate) const IM_END: u32 = FIRST + 14;
pub(crate) const IM_START: u32 = FIRST + 15;

pub(crate) fn tiny_sentencepiece() -> Tokenizer {
    Tokenizer::from_sentencepiece_bytes(&bytes_of(&tiny_model())).unwrap()
}

/// [`tiny_model`] in a folder whose settings lay chat tokens over the unused ones.
pub(crate) fn tiny_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenizer.model"), bytes_of(&tiny_model())).unwrap();
    let token = |content: &str| json!({ "content": content, "special": true });
    let config = json!({
        "add_bos_token": true,
        "added_tokens_decoder": {
            "0": token("<unk>"), "1": token("<s>"), "2": token("</s>"),
            IM_END.to_string(): token("<|im_end|>"), IM_START.to_string(): token("<|im_start|>"),
        },
        "bos_token": "<s>", "eos_token": { "content": "</s>" }, "pad_token": "</s>",
        "chat_template": HF_TEMPLATE,
    });
    std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    folder
}

/// The template that Hugging Face's InternLM2 carries.
pub(crate) const HF_TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}{{'<|im_start|>' \
    + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// A `tokenizer.json` of the same words, whose own settings would cut every text after four ids.
pub(crate) fn tiny_json() -> Value {
    let pieces = ["▁", "h", "e", "l", "o", "你", "好", "\n", "ll", "he", "llo", "hello", "你好"];
    let merges = ["l l", "h e", "ll o", "he llo", "你 好"];
    let mut json = puyu_testkit::tokenizer_json(&pieces, &merges, &["<|im_start|>", "<|im_end|>"]);
    json["truncation"] = json!({
        "direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0,
    });
    json
}

pub(crate) fn tiny_hugging_face() -> Tokenizer {
    Tokenizer::from_hf_bytes(tiny_json().to_string().as_bytes()).unwrap()
}

pub(crate) fn fixtures() -> Option<PathBuf> {
    puyu_testkit::shared("fixtures/tokenizers")
}

/// The lines of a file of golden cases.
pub(crate) fn cases(name: &str) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(fixtures()?.join(name)).unwrap();
    let cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!cases.is_empty(), "{name} has no cases");
    Some(cases)
}

pub(crate) fn ids_of(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}
