//! The examples as a user runs them: `generate`, `logits`, `tokenize`, `random_model`, `bench`.

use std::path::Path;

use puyu::core::{GenerateOptions, GenerateRequest, LanguageModel as _};
use puyu::deploy::Pipeline;
use puyu::model::{KvCache, Preset, SequencePlan, read};
use puyu_testkit::{Golden, Tolerance, assert_close, golden_json, shared};
use serde_json::{Value, json};

use crate::process::{argument, comma_separated, ids_of, refuse, succeed, succeed_json};
use crate::tiny::{silent_model, speaking_model, write_tokenizer};

/// Ten times the error of `f32` arithmetic that came with the goldens, 5e-6 at most.
const LOGITS: Tolerance = Tolerance::within(5e-5);

/// Greedy tokens of `generate`, whatever the model takes for an end.
#[track_caller]
fn greedy(folder: &Path, prompt: &[u32], n_tokens: usize) -> Value {
    let (ids, n_tokens) = (comma_separated(prompt), n_tokens.to_string());
    let folder = argument(folder);
    let arguments = ["--model", folder, "--ids", &ids, "--max-new-tokens", &n_tokens];
    let arguments = [&arguments[..], &["--greedy", "--ignore-eos", "--json"]].concat();
    succeed_json("generate", &arguments)
}

#[test]
fn generate_reports_ids_reason_and_speed() {
    let folder = silent_model();
    let report = greedy(folder.path(), &[1, 5, 9], 8);

    let mut fields: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected = [
        "decode_tokens_per_s",
        "finish_reason",
        "output_ids",
        "prefill_tokens_per_s",
        "prompt_ids",
        "text",
    ];
    assert_eq!(fields, expected);
    assert_eq!(report["prompt_ids"], json!([1, 5, 9]));
    assert_eq!(report["text"], Value::Null, "a model without a tokenizer has no text");
    assert_eq!(report["finish_reason"], "length");
    for speed in ["prefill_tokens_per_s", "decode_tokens_per_s"] {
        assert!(report[speed].as_f64().is_some_and(|speed| speed > 0.0), "{report}");
    }
}

#[test]
fn generate_says_what_the_library_says() {
    let folder = silent_model();
    let report = greedy(folder.path(), &[1, 5, 9], 8);

    let options = GenerateOptions::greedy().with_max_new_tokens(8);
    let request = GenerateRequest::new(vec![1_u32, 5, 9], options);
    let generation = Pipeline::open(folder.path()).unwrap().complete(&request).unwrap();
    assert_eq!(ids_of(&report["output_ids"]), generation.completions[0].tokens);
    assert_eq!(generation.usage.completion_tokens, 8);
}

#[test]
fn generate_continues_with_the_greedy_tokens_of_the_original() {
    for name in ["internlm1-tiny", "internlm2-tiny", "internlm2-tiny-bf16", "llama-tiny"] {
        let Some(folder) = shared(format!("fixtures/tiny/{name}")) else { return };
        let golden = golden_json(folder.join("golden.json"));
        let (prompt, expected) =
            (ids_of(&golden["greedy"]["prompt"]), ids_of(&golden["greedy"]["new_tokens"]));
        assert_eq!(expected.len(), 32, "{name}");
        let report = greedy(&folder, &prompt, expected.len());
        assert_eq!(ids_of(&report["output_ids"]), expected, "{name}");
    }
}

#[test]
fn generate_continues_a_text_as_the_original_does() {
    let Some(folder) = shared("fixtures/stories260k") else { return };
    let golden = golden_json(folder.join("golden.json"));
    for prompt in ["Once upon a time", "The little bird said, \""] {
        let cases = golden["generation"].as_array().unwrap();
        let case = cases.iter().find(|case| case["prompt_text"] == prompt).unwrap();
        let n_tokens = ids_of(&case["new_ids"]).len().to_string();
        let folder = argument(&folder);
        let arguments = ["--model", folder, "--prompt", prompt, "--max-new-tokens", &n_tokens];
        let arguments = [&arguments[..], &["--greedy", "--ignore-eos"]].concat();

        let report = succeed_json("generate", &[&arguments[..], &["--json"]].concat());
        assert_eq!(report["prompt_ids"], case["prompt_ids"], "{prompt}");
        assert_eq!(report["output_ids"], case["new_ids"], "{prompt}");
        let story = format!("{prompt}{}", report["text"].as_str().unwrap());
        assert_eq!(story, case["text"], "{prompt}");

        // Without `--json` the text is streamed, and comes out the same.
        let streamed = succeed("generate", &arguments, "");
        assert_eq!(streamed, format!("{}\n", report["text"].as_str().unwrap()), "{prompt}");
    }
}

#[test]
fn generate_draws_the_same_tokens_from_the_same_seed() {
    let folder = silent_model();
    let draw = |seed: &str| {
        let folder = argument(folder.path());
        let arguments = ["--model", folder, "--ids", "1,5,9", "--seed", seed, "--json"];
        let arguments =
            [&arguments[..], &["--temperature", "1", "--top-p", "1", "--max-new-tokens", "16"]];
        ids_of(&succeed_json("generate", &arguments.concat())["output_ids"])
    };
    assert_eq!(draw("7"), draw("7"));
    // Two draws of 16 among 50 nearly equal tokens agree once in 10^27.
    assert_ne!(draw("7"), draw("8"));
}

#[test]
fn generate_ends_at_a_stop_string_and_does_not_show_it() {
    let cases = [
        ("What is the capital of France?", "Paris", "The capital of France is "),
        ("日本的首都是哪里？", "东京", "日本的首都是"),
    ];
    for (message, stop, before) in cases {
        let report = succeed_json("generate", &["--message", message, "--stop", stop, "--json"]);
        assert_eq!(report["text"], before, "{report}");
        assert_eq!(report["finish_reason"], "stop", "{report}");
        let streamed = succeed("generate", &["--message", message, "--stop", stop], "");
        assert_eq!(streamed, format!("{before}\n"));
    }
}

/// Runs `logits` on a model and reads the file that it wrote.
#[track_caller]
fn logits(folder: &Path, ids: &[u32], more: &[&str]) -> Golden {
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("logits.safetensors");
    let ids = comma_separated(ids);
    let arguments = ["--model", argument(folder), "--ids", &ids, "--out", argument(&file)];
    succeed("logits", &[&arguments[..], more].concat(), "");
    let left: Vec<_> = std::fs::read_dir(out.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "beside the tensors nothing is left behind: {left:?}");
    Golden::open(file)
}

#[test]
fn logits_writes_what_the_library_computes() {
    let folder = silent_model();
    let ids = [1, 5, 9, 200];
    let written = logits(folder.path(), &ids, &[]);

    let pipeline = Pipeline::open(folder.path()).unwrap();
    let model = pipeline.model();
    let mut cache = KvCache::new(model.config(), SequencePlan::unpadded(vec![4]), 4);
    let computed = read(model.forward(&[ids.to_vec()], &mut cache).unwrap()).unwrap();
    assert_eq!(written.names(), ["logits"]);
    assert_eq!(written.shape("logits"), [4, 384]);
    assert_close(&written.f32("logits"), &computed, Tolerance::EXACT);
}

#[test]
fn logits_equal_those_of_the_original() {
    for name in ["internlm1-tiny", "internlm2-tiny", "internlm3-tiny", "llama-tiny"] {
        let Some(folder) = shared(format!("fixtures/tiny/{name}")) else { return };
        let golden = Golden::open(folder.join("golden.safetensors"));
        // The lengths differ from model to model; every one has a short one.
        let case = ["len7", "len9", "len20"]
            .into_iter()
            .find(|case| golden.contains(&format!("{case}.ids")));
        let case = case.expect("a golden file has a short length");
        let written = logits(&folder, &golden.u32(&format!("{case}.ids")), &[]);
        let expected = format!("{case}.logits");
        assert_eq!(written.shape("logits"), &golden.shape(&expected)[1..], "{name}");
        assert_close(&written.f32("logits"), &golden.f32(&expected), LOGITS);
    }
}

#[test]
fn taps_equal_the_hidden_states_of_the_original() {
    let Some(folder) = shared("fixtures/tiny/internlm2-tiny") else { return };
    let golden = Golden::open(folder.join("golden.safetensors"));
    let written = logits(&folder, &golden.u32("hidden.ids"), &["--taps"]);

    let mut expected: Vec<String> = ["embedding", "final_norm", "logits"].map(String::from).into();
    for layer in 0..3 {
        let parts = ["attention.input", "attention.output", "mlp.input", "mlp.output", "output"];
        expected.extend(parts.map(|part| format!("layers.{layer}.{part}")));
    }
    expected.sort_unstable();
    assert_eq!(written.names(), expected);

    let states = golden.f32("hidden.states");
    let states: Vec<&[f32]> = states.chunks_exact(33 * 96).collect();
    let last = golden.f32("hidden.last_layer_prenorm");
    let cases = [
        ("embedding", states[0]),
        ("layers.0.output", states[1]),
        ("layers.1.output", states[2]),
        ("layers.2.output", last.as_slice()),
        ("final_norm", states[3]),
    ];
    for (tap, expected) in cases {
        assert_eq!(written.shape(tap), [33, 96], "{tap}");
        assert_close(&written.f32(tap), expected, LOGITS);
    }
}

#[test]
fn logits_tells_in_json_what_it_wrote() {
    let folder = silent_model();
    let file = folder.path().join("written.safetensors");
    let (model, out) = (argument(folder.path()), argument(&file));
    let report =
        succeed_json("logits", &["--model", model, "--ids", "1,2", "--out", out, "--json"]);
    assert_eq!(report, json!({ "out": out, "tensors": { "logits": [2, 384] } }));
}

/// Lines of a file with golden cases of a tokenizer, without those about streams.
#[track_caller]
fn tokenizer_cases(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let cases = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    cases.filter(|case| case["op"] != "prefix_decode").collect()
}

#[test]
fn tokenize_answers_a_file_of_requests_as_the_original_does() {
    for model in ["internlm", "internlm2"] {
        let Some(folder) = shared("fixtures/tokenizers") else { return };
        let cases = tokenizer_cases(&folder.join(format!("cases_{model}.jsonl")));
        assert!(cases.len() > 100, "{} cases", cases.len());
        let requests: String = cases
            .iter()
            .map(|case| match case["op"].as_str().unwrap() {
                "encode" => format!("{}\n", json!({ "op": "encode", "text": case["text"] })),
                _ => format!("{}\n", json!({ "op": "decode", "ids": case["ids"] })),
            })
            .collect();
        let work = tempfile::tempdir().unwrap();
        let file = work.path().join("requests.jsonl");
        std::fs::write(&file, &requests).unwrap();
        let folder = folder.join(model);
        let (folder, file) = (argument(&folder), argument(&file));

        let stdout = succeed("tokenize", &["--model", folder, "--jsonl", file], "");
        let answers: Vec<&str> = stdout.lines().collect();
        assert_eq!(answers.len(), cases.len(), "{model}");
        for (answer, case) in answers.into_iter().zip(&cases) {
            check_answer(&serde_json::from_str(answer).unwrap(), case);
        }
        // The same lines in a pipe give the same answers.
        assert_eq!(succeed("tokenize", &["--model", folder, "--jsonl", "-"], &requests), stdout);
    }
}

#[track_caller]
fn check_answer(answer: &Value, case: &Value) {
    let name = &case["id"];
    if case["op"] == "decode" {
        assert_eq!(*answer, json!({ "text": case["decoded"] }), "case {name}");
        return;
    }
    assert_eq!(answer["ids"], case["ids"], "case {name}");
    // Three long cases come without pieces.
    if let Some(pieces) = case.get("pieces") {
        assert_eq!(answer["pieces"], *pieces, "case {name}");
    }
}

#[test]
fn tokenize_reads_back_what_it_wrote() {
    let folder = speaking_model();
    let folder = argument(folder.path());
    for text in ["你好，浦语", "Hello, Puyu", "<|im_end|>", "- 一\n- two"] {
        let answer = succeed_json("tokenize", &["--model", folder, "--text", text, "--json"]);
        let ids = ids_of(&answer["ids"]);
        assert_eq!(answer["pieces"].as_array().map(Vec::len), Some(ids.len()), "{text}");
        let ids = comma_separated(&ids);
        let back = succeed("tokenize", &["--model", folder, "--ids", &ids], "");
        assert_eq!(back, format!("{text}\n"));
        // For people: ids above their pieces.
        let shown = succeed("tokenize", &["--model", folder, "--text", text], "");
        assert_eq!(shown.lines().next(), Some(ids.as_str()), "{text}");
    }
}

#[test]
fn tokenize_names_file_and_line_of_a_bad_request() {
    let folder = tempfile::tempdir().unwrap();
    write_tokenizer(folder.path());
    let file = folder.path().join("requests.jsonl");
    let good = r#"{"op": "encode", "text": "你好 hi"}"#;
    let cases: [(&[u8], &str); 7] = [
        (b"not JSON", "not valid JSON"),
        (b"{\"op\": \"encode\", \"text\": \"\xFF\"}", "not valid UTF-8"),
        (br#"{"op": "translate", "text": "hi"}"#, "`op` must be"),
        (br#"{"op": "encode", "ids": [1]}"#, "`text` must be"),
        (br#"{"op": "decode", "ids": [1, -2]}"#, "`ids` must be"),
        (br#"{"op": "decode", "ids": [999999]}"#, "999999"),
        (b"", "not valid JSON"),
    ];
    for (bad, reason) in cases {
        let lines = [good.as_bytes(), bad, good.as_bytes(), b""].join(&b'\n');
        std::fs::write(&file, lines).unwrap();
        let arguments = ["--model", argument(folder.path()), "--jsonl", argument(&file)];
        let ended = refuse("tokenize", &arguments, b"", &["requests.jsonl, line 2", reason]);
        // The answers before the bad line are good, and there are none after it.
        assert_eq!(ended.stdout.lines().count(), 1, "{reason}: {}", ended.stdout);
        assert!(ended.stdout.starts_with("{\"ids\":"), "{reason}: {}", ended.stdout);
    }
}

#[test]
fn a_random_model_is_one_that_generates() {
    let work = tempfile::tempdir().unwrap();
    let [first, again, other] =
        [("first", "7"), ("again", "7"), ("other", "8")].map(|(name, seed)| {
            let folder = work.path().join(name);
            let arguments = ["--shape", "tiny", "--out", argument(&folder), "--seed", seed];
            let stdout = succeed("random_model", &arguments, "");
            let n_parameters = Preset::Tiny.config().n_parameters().to_string();
            assert!(stdout.contains(&n_parameters), "{n_parameters} parameters: {stdout}");
            folder
        });
    let weights = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(weights(&first), weights(&again), "the same seed gives the same bytes");
    assert_ne!(weights(&first), weights(&other), "another seed gives other weights");

    let report = greedy(&first, &[1, 5, 9], 4);
    assert_eq!(ids_of(&report["output_ids"]).len(), 4, "{report}");
    assert_eq!(report, {
        // Only the speed may differ between two runs.
        let mut second = greedy(&again, &[1, 5, 9], 4);
        for speed in ["prefill_tokens_per_s", "decode_tokens_per_s"] {
            second[speed] = report[speed].clone();
        }
        second
    });
}

#[test]
fn bench_measures_every_case_that_is_asked_for() {
    let sizes = ["--pp", "8", "--tg", "2", "--repeat", "1", "--threads", "2", "--json"];
    let cases = ["--shape", "tiny", "--depth", "0,20", "--batch", "1,3"];
    for (weights, kv) in [("bf16", "f16"), ("int8", "int8"), ("int4", "int4"), ("int4-g128", "f32")]
    {
        let types = ["--weights", weights, "--kv", kv];
        let stdout = succeed("bench", &[&sizes[..], &cases, &types].concat(), "");
        let report: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(report["threads"], 2);
        let found: Vec<_> = report["rates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rate| {
                assert!(rate["tokens_per_s"].as_f64().unwrap() > 0.0, "{rate}");
                assert!(rate["share_of_roof"].as_f64().unwrap() > 0.0, "{rate}");
                let number = |field: &str| rate[field].as_u64().unwrap();
                (rate["what"].as_str().unwrap().to_owned(), number("depth"), number("batch"))
            })
            .collect();
        let decode = |depth, batch| ("decode".to_owned(), depth, batch);
        let prefill = ("prefill".to_owned(), 0, 1);
        let expected = [prefill, decode(0, 1), decode(20, 1), decode(0, 3), decode(20, 3)];
        assert_eq!(found, expected, "{weights}, {kv}");
    }
}
