//! Models made on the spot, so that these tests need neither golden data nor the bundled model.

use std::path::Path;

use puyu::core::DeviceSpec;
use puyu::model::{Decoder, Preset, SaveOptions, open_device};
use puyu_testkit::TempDir;
use serde_json::{Value, json};

/// A folder with random weights of the tiny shape and nothing to read or write text with.
pub(crate) fn silent_model() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let device = open_device(DeviceSpec::Cpu).unwrap();
    let model = Decoder::init(&Preset::Tiny.config(), 7, &device).unwrap();
    model.save(folder.path(), &SaveOptions::default()).unwrap();
    folder
}

/// The same with a tokenizer: it answers, but not in any language.
pub(crate) fn speaking_model() -> TempDir {
    let folder = silent_model();
    write_tokenizer(folder.path());
    folder
}

/// Writes the tokenizer of [`tokenizer_json`] as a model folder has it.
pub(crate) fn write_tokenizer(folder: &Path) {
    let config = json!({ "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>" });
    std::fs::write(folder.join("tokenizer.json"), tokenizer_json().to_string()).unwrap();
    std::fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
}

/// A `tokenizer.json` in InternLM2's style: every byte has a piece, some characters and words too.
///
/// Fewer than the 384 ids of the tiny shape.
pub(crate) fn tokenizer_json() -> Value {
    let mut pieces: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
    pieces.extend((0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")));
    pieces.extend(["▁", "\n", "h", "i", "你", "好", "hi", "你好"].map(String::from));
    let n_pieces = pieces.len();
    let vocabulary: serde_json::Map<String, Value> =
        pieces.into_iter().enumerate().map(|(id, piece)| (piece, id.into())).collect();
    let special = [
        (0, "<unk>"),
        (1, "<s>"),
        (2, "</s>"),
        (n_pieces, "<|im_start|>"),
        (n_pieces + 1, "<|im_end|>"),
    ];
    let special = special.map(|(id, content)| {
        json!({
            "id": id, "content": content, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true
        })
    });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": special,
        "normalizer": { "type": "Replace", "pattern": { "String": " " }, "content": "▁" },
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                { "type": "Replace", "pattern": { "String": "▁" }, "content": " " },
                { "type": "ByteFallback" },
                { "type": "Fuse" }
            ]
        },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>",
            "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary, "merges": ["h i", "你 好"]
        }
    })
}
