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

/// Every byte has a piece, some characters and words too. Fewer than the 384 ids of the tiny shape.
pub(crate) fn tokenizer_json() -> Value {
    let pieces = ["▁", "\n", "h", "i", "你", "好", "hi", "你好"];
    puyu_testkit::tokenizer_json(&pieces, &["h i", "你 好"], &["<|im_start|>", "<|im_end|>"])
}
