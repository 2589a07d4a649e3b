//! What a user can get wrong, in every example: one clear line, a status other than zero, no panic.

use puyu::core::DeviceSpec;
use puyu::model::{DeviceError, open_device};

use crate::process::{argument, refuse};
use crate::tiny::{silent_model, speaking_model};

#[track_caller]
fn check(name: &str, arguments: &[&str], words: &[&str]) {
    let ended = refuse(name, arguments, b"", words);
    assert_eq!(ended.stdout, "", "{name} {arguments:?}");
}

#[test]
fn a_missing_model_folder_is_named() {
    let work = tempfile::tempdir().unwrap();
    for missing in ["没有这个模型", "no such model"] {
        let folder = work.path().join(missing);
        let folder = argument(&folder);
        check("chat", &["--model", folder], &[missing]);
        check("generate", &["--model", folder, "--ids", "1"], &[missing]);
        check("tokenize", &["--model", folder, "--text", "hi"], &[missing]);
        let out = work.path().join("out.safetensors");
        let out = argument(&out);
        check("logits", &["--model", folder, "--ids", "1", "--out", out], &[missing]);
    }
    let left = std::fs::read_dir(work.path()).unwrap().count();
    assert_eq!(left, 0, "a refused run writes nothing");
}

#[test]
fn bad_ids_are_shown() {
    let folder = speaking_model();
    let out = folder.path().join("out.safetensors");
    let (folder, out) = (argument(folder.path()), argument(&out));
    let cases = [
        ("1,two,3", "found `two`"),
        ("1,二", "found `二`"),
        ("1,-2", "found `-2`"),
        ("1.5", "found `1.5`"),
        ("4294967296", "found `4294967296`"),
        ("1,,2", "found ``"),
        ("", "found ``"),
        ("1,999999", "999999"),
    ];
    for (ids, words) in cases {
        check("generate", &["--model", folder, "--ids", ids], &[words]);
        check("logits", &["--model", folder, "--ids", ids, "--out", out], &[words]);
        check("tokenize", &["--model", folder, "--ids", ids], &[words]);
    }
}

#[test]
fn an_unknown_device_is_refused_with_the_known_ones() {
    let folder = silent_model();
    let folder = argument(folder.path());
    for device in ["tpu", "cuda:first", "cpu:1", "显卡"] {
        let arguments = ["--model", folder, "--ids", "1", "--device", device];
        check("generate", &arguments, &[device, "--device"]);
        check("chat", &["--model", folder, "--device", device], &[device, "--device"]);
    }
    check("generate", &["--ids", "1", "--device", "tpu"], &["`cpu`", "`cuda`", "`wgpu`"]);
}

#[test]
fn a_device_that_was_not_built_in_is_refused_with_the_feature_that_it_needs() {
    let folder = silent_model();
    let out = folder.path().join("out.safetensors");
    let (folder, out) = (argument(folder.path()), argument(&out));
    for (device, feature) in [("cuda", "`cuda`"), ("cuda:1", "`cuda`"), ("wgpu", "`wgpu`")] {
        // The examples and this test are built with the same features.
        let spec: DeviceSpec = device.parse().unwrap();
        if !matches!(open_device(spec), Err(DeviceError::NotBuilt { .. })) {
            continue;
        }
        let words = ["needs feature", feature];
        check("chat", &["--model", folder, "--device", device], &words);
        check("generate", &["--model", folder, "--ids", "1", "--device", device], &words);
        let arguments = ["--model", folder, "--ids", "1", "--out", out, "--device", device];
        check("logits", &arguments, &words);
    }
}

#[test]
fn wrong_arguments_are_refused_before_anything_is_opened() {
    check("generate", &[], &["--prompt"]);
    check("generate", &["--prompt", "你好", "--ids", "1"], &["--prompt", "--ids"]);
    check("generate", &["--ids", "1", "--compute", "f64"], &["f64", "bf16"]);
    check("generate", &["--ids", "1", "--max-new-tokens", "many"], &["many"]);
    check("logits", &["--ids", "1"], &["--out"]);
    check(
        "random_model",
        &["--shape", "internlm9", "--out", "x"],
        &["internlm9", "internlm2-1.8b"],
    );
    check("chat", &["--shape", "tiny"], &["--shape"]);
    check("bench", &["--shape", "tiny", "--model", "x"], &["--shape", "--model"]);
    check("bench", &["--weights", "int3"], &["int3", "int4-g128"]);
    check("bench", &["--kv", "int2"], &["int2", "int8"]);
    check("bench", &["--batch", "4,0"], &["--batch", "found 0"]);
    check("bench", &["--repeat", "0"], &["--repeat", "found 0"]);
    check("train_default", &["--steps", "many"], &["many"]);
    let ended = refuse("tokenize", &[], b"", &["--text", "--ids", "--jsonl"]);
    assert!(ended.stdout.contains("Usage:"), "{}", ended.stdout);
}

#[test]
fn options_out_of_range_are_named_with_their_range() {
    let folder = silent_model();
    let folder = argument(folder.path());
    let cases = [("--top-p", "top_p"), ("--min-p", "min_p")];
    for (option, field) in cases {
        let arguments = ["--model", folder, "--ids", "1", option, "2"];
        check("generate", &arguments, &[field, "found 2"]);
    }
}

#[test]
fn text_is_refused_by_a_model_without_a_tokenizer() {
    let folder = silent_model();
    let folder = argument(folder.path());
    check("generate", &["--model", folder, "--prompt", "你好"], &["does not support"]);
    check("generate", &["--model", folder, "--message", "Hello"], &["does not support"]);
    check("generate", &["--model", folder, "--ids", "1", "--stop", "。"], &["does not support"]);
    check("tokenize", &["--model", folder, "--text", "hi"], &["tokenizer.model", "tokenizer.json"]);
}

#[test]
fn pickled_weights_are_refused_unread() {
    let folder = silent_model();
    let weights = folder.path().join("model.safetensors");
    std::fs::rename(weights, folder.path().join("pytorch_model.bin")).unwrap();
    let words = ["pytorch_model.bin", "pickle", "safetensors"];
    check("generate", &["--model", argument(folder.path()), "--ids", "1"], &words);
}

#[test]
fn damaged_files_are_named() {
    let cases: [(&str, &[u8]); 4] = [
        ("config.json", b"{ \"model_type\": "),
        ("config.json", br#"{ "model_type": "parrot" }"#),
        ("model.safetensors", b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F{}"),
        ("tokenizer.json", b"[]"),
    ];
    for (file, bytes) in cases {
        let folder = speaking_model();
        std::fs::write(folder.path().join(file), bytes).unwrap();
        let folder = argument(folder.path());
        check("generate", &["--model", folder, "--ids", "1"], &[file]);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = silent_model();
    let missing = folder.path().join("no folder").join("out.safetensors");
    let arguments = ["--ids", "1", "--out", argument(&missing)];
    let arguments = [&["--model", argument(folder.path())][..], &arguments].concat();
    check("logits", &arguments, &["no folder"]);

    let file = folder.path().join("config.json");
    check("random_model", &["--shape", "tiny", "--out", argument(&file)], &["config.json"]);
}

#[test]
fn chat_names_the_line_that_is_no_text() {
    let folder = speaking_model();
    let arguments = ["--model", argument(folder.path())];
    let words = ["standard input, line 2", "UTF-8"];
    let ended = refuse("chat", &arguments, b"/help\n\xE4\xBD\xA0\xFF\n", &words);
    assert!(ended.stdout.contains("/quit"), "the line before was answered: {}", ended.stdout);
}
