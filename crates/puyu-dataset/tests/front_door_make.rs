//! The front door's verbs that make data: clean, dedup, tokenize, pack.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that panics says where")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use puyu_dataset::pack::PackPlan;
use puyu_dataset::tokens::{Job, TokenCache};
use puyu_testkit::shared;
use serde_json::{Value, json};

/// The built example, which lies beside the folder of the tests.
fn program() -> Command {
    let tests = std::env::current_exe().unwrap();
    let example = tests.parent().unwrap().parent().unwrap().join("examples/dataset");
    let example = example.with_extension(std::env::consts::EXE_EXTENSION);
    assert!(example.is_file(), "{} is not built: use `cargo test` for all", example.display());
    Command::new(example)
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

#[track_caller]
fn answer(arguments: &[&str]) -> Value {
    let output = run(&[arguments, &["--json", "--threads", "2"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stderr, b"", "--json is quiet");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write(path: &Path, rows: &[Value]) {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(path, text).unwrap();
}

/// Good prose, one language per file; a short text and an address among it; the first row twice.
fn data(folder: &Path) -> [PathBuf; 2] {
    let (places, things) = (["河边", "山上", "城里", "村口"], ["读书", "种花", "写信", "划船"]);
    let chinese = |n: usize| -> String {
        let line = |i: usize| {
            let (place, thing) = (places[(n + i) % 4], things[(n / 4 + i) % 4]);
            format!(
                "第{}天清早，{n}号老师在{place}{thing}，他的学生和我们都在听，这是很有意思的，大家也不觉得累了。\n",
                i + 1
            )
        };
        (0..8).map(line).collect()
    };
    let english = |n: usize| -> String {
        let verbs = ["reads", "writes", "keeps", "finds", "likes", "sells", "shows"];
        let line = |i: usize| {
            let verb = verbs[(n + i) % 7];
            format!("On day {i} the teacher of town {n} {verb} the old letters with care.\n")
        };
        (0..12).map(line).collect()
    };
    let row = |id: String, text: String| json!({"id": id, "content": text});
    let mut zh: Vec<_> = (0..6).map(|n| row(format!("zh{n}"), chinese(n))).collect();
    zh.push(row("zh-again".to_owned(), chinese(0)));
    zh.push(row("zh-short".to_owned(), "太短。".to_owned()));
    let mut en: Vec<_> = (0..5).map(|n| row(format!("en{n}"), english(n))).collect();
    en[1]["content"] = format!("{}Write to li.wei@example.cn for more of it.\n", english(1)).into();
    en.push(json!({"id": "en-broken", "title": "no text here"}));
    let paths = ["zh.jsonl", "en.jsonl"].map(|name| folder.join(name));
    write(&paths[0], &zh);
    write(&paths[1], &en);
    paths
}

/// Cleaning without the rules on repetition: these documents are little else.
fn config(folder: &Path) -> PathBuf {
    let path = folder.join("steps.json");
    let steps = json!({"steps": [
        {"step": "language"}, {"step": "rules", "repetition": null, "fineweb": null},
        {"step": "lines"}, {"step": "pii"},
    ]});
    std::fs::write(&path, steps.to_string()).unwrap();
    path
}

fn tokenizer() -> Option<PathBuf> {
    shared("fixtures/tokenizers/mini")
}

#[test]
fn clean_dedup_tokenize_and_pack_are_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let [zh, en] = data(folder.path()).map(|path| path.display().to_string());
    let steps = config(folder.path()).display().to_string();
    let (clean, left, svg) = (at("clean.jsonl.zst"), at("left.jsonl"), at("kept.svg"));
    let report = answer(&[
        "clean",
        &zh,
        &en,
        "--out",
        &clean,
        "--config",
        &steps,
        "--dropped",
        &left,
        "--svg",
        &svg,
    ]);
    assert_eq!((&report["documents"], &report["rows_bad"]), (&json!(13), &json!(1)));
    assert_eq!(report["documents_out"], 12, "{report}");
    let left = lines(Path::new(&left));
    assert_eq!(left.len(), 1);
    assert_eq!(
        (&left[0]["rule"], &left[0]["threshold"], &left[0]["row"]["id"]),
        (&json!("gopher.min_words"), &json!(50.0), &json!("zh-short"))
    );
    assert!(std::fs::read_to_string(svg).unwrap().contains("<svg"));

    let (unique, clusters) = (at("unique.jsonl"), at("clusters.jsonl"));
    let report =
        answer(&["dedup", &clean, "--out", &unique, "--method", "exact", "--clusters", &clusters]);
    assert_eq!(report["documents_out"], 11, "{report}");
    assert_eq!(lines(Path::new(&clusters)), [json!({"kept": 0, "dropped": [6]})]);
    let rows = lines(Path::new(&unique));
    assert_eq!(rows[0]["id"], "zh0");
    assert!(rows[7]["content"].as_str().unwrap().contains("[EMAIL]"), "{}", rows[7]);

    let Some(tokenizer) = tokenizer() else { return };
    let (tokenizer, caches) = (tokenizer.display().to_string(), at("caches"));
    let tokenize = ["tokenize", &unique, "--tokenizer", &tokenizer, "--out", &caches];
    let report = answer(&tokenize);
    assert_eq!((&report["documents"], &report["shards"]), (&json!(11), &json!(1)));
    let tokens = report["tokens"].as_u64().unwrap();
    let again = answer(&tokenize);
    assert_eq!((&again["shards"], &again["tokens"]), (&json!(0), &json!(0)));
    assert_eq!(again["total"], json!({"documents": 11, "tokens": tokens}));

    for method in ["none", "concat", "best-fit"] {
        let plan = at(&format!("{method}.plan"));
        let report = answer(&[
            "pack",
            &caches,
            "--pack-tokens",
            "64",
            "--method",
            method,
            "--out",
            &plan,
            "--show",
            "0",
        ]);
        assert_eq!(report["tokens"], tokens, "{method}");
        assert_eq!(report["truncated_tokens"], 0, "{method}");
        let plan = PackPlan::open(&plan).unwrap();
        let in_rows = (0..plan.n_packs()).flat_map(|row| plan.pack(row));
        assert_eq!(in_rows.map(|piece| u64::from(piece.n_tokens)).sum::<u64>(), tokens);
        let shown = report["shown"].as_array().unwrap();
        assert_eq!(shown.len(), plan.pack(0).len(), "{method}");
    }
}

#[test]
fn two_processes_share_the_shards() {
    let Some(tokenizer) = tokenizer() else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("data");
    std::fs::create_dir(&source).unwrap();
    for n in 0..24 {
        let rows = [
            json!({"id": "一", "content": format!("{n}床前明月光，疑是地上霜。")}),
            json!({"id": "1", "content": format!("{n} Moonlight before my bed.")}),
        ];
        write(&source.join(format!("part-{n:02}.jsonl")), &rows);
    }
    let caches = folder.path().join("caches");
    let start = || {
        let mut program = program();
        program.arg("tokenize").arg(&source).arg("--tokenizer").arg(&tokenizer);
        program.arg("--out").arg(&caches).arg("--json").stdout(Stdio::piped());
        program.spawn().unwrap()
    };
    let both = [start(), start()];
    let reports = both.map(|child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    });
    let sum = |name: &str| reports.iter().map(|report| report[name].as_u64().unwrap()).sum::<u64>();
    let found = Job::open(&caches).unwrap().caches().unwrap();
    let tokens: u64 = found.iter().map(TokenCache::n_tokens).sum();
    assert_eq!((sum("shards"), sum("documents"), sum("tokens")), (24, 48, tokens));
}

#[test]
fn exports_hold_every_document() {
    let Some(tokenizer) = tokenizer() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let [zh, en] = data(folder.path()).map(|path| path.display().to_string());
    let report = answer(&[
        "tokenize",
        &zh,
        &en,
        "--tokenizer",
        &tokenizer.display().to_string(),
        "--out",
        &at("caches"),
        "--no-add-bos",
        "--megatron",
        &at("megatron"),
        "--internevo",
        &at("evo.bin"),
    ]);
    assert_eq!((&report["documents"], &report["rows_bad"]), (&json!(13), &json!(1)));
    let megatron = puyu_dataset::tokens::MegatronReader::open(at("megatron")).unwrap();
    let evo = puyu_dataset::tokens::InternEvoReader::open(at("evo.bin")).unwrap();
    assert_eq!((megatron.n_documents(), evo.n_documents()), (13, 13));
    assert_eq!(megatron.document(12).unwrap(), evo.document(12).unwrap().ids);
}

#[test]
fn contaminated_documents_leave_and_pages_become_text() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let question = "下列关于水稻分蘖期田间水分管理的说法，正确的是哪一项？";
    write(&folder.path().join("cmmlu.jsonl"), &[json!({"question": question})]);
    let page = |text: &str| json!({"url": "https://a.cn", "html": format!("<p>{text}</p>")});
    let rows = [page(&format!("网友问：{question}")), page("Moonlight before my bed.")];
    write(&folder.path().join("pages.jsonl"), &rows);
    std::fs::write(at("steps.json"), r#"{"steps": [{"step": "html"}]}"#).unwrap();
    answer(&[
        "clean",
        &at("pages.jsonl"),
        "--html-field",
        "html",
        "--config",
        &at("steps.json"),
        "--out",
        &at("clean.jsonl"),
        "--dropped",
        &at("left.jsonl"),
        "--contamination",
        &at("cmmlu.jsonl"),
        "--contamination-field",
        "question",
    ]);
    let kept = lines(Path::new(&at("clean.jsonl")));
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["content"].as_str().unwrap().trim(), "Moonlight before my bed.");
    assert_eq!(lines(Path::new(&at("left.jsonl")))[0]["rule"], "contamination.cmmlu");
}

#[test]
fn near_duplicates_of_both_languages_are_found() {
    let Some(corpus) = shared("corpus/dedup") else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out.jsonl");
    let corpus = corpus.display().to_string();
    let kept = |method: &str| {
        let report =
            answer(&["dedup", &corpus, "--out", &out.display().to_string(), "--method", method]);
        assert_eq!(lines(&out).len() as u64, report["documents_out"].as_u64().unwrap());
        (report["documents"].as_u64().unwrap(), report["documents_out"].as_u64().unwrap())
    };
    let (all, exact) = kept("exact");
    assert_eq!((all, all - exact), (960, 120), "one exact copy of each passage");
    let (_, near) = kept("near");
    assert!((120..=360).contains(&near), "{near} kept");
    let (_, cut) = kept("lines");
    assert!(cut < all, "{cut}");
}

#[track_caller]
fn refused(arguments: &[&str], reason: &str) {
    let output = run(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: ") && said.contains(reason), "{arguments:?}: {said}");
}

#[test]
fn wrong_arguments_are_one_line_and_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let [zh, _] = data(folder.path()).map(|path| path.display().to_string());
    let out = at("out.jsonl");
    refused(&["clean", &at("没有.jsonl"), "--out", &out], "没有.jsonl");
    refused(&["clean", &zh], "--out");
    std::fs::write(at("steps.json"), r#"{"steps": [{"step": "fly"}]}"#).unwrap();
    refused(&["clean", &zh, "--out", &out, "--config", &at("steps.json")], "fly");
    refused(&["dedup", &zh, "--out", &out, "--bands", "0"], "bands");
    let lines = ["dedup", &zh, "--out", &out, "--method", "lines", "--clusters", &out];
    refused(&lines, "--clusters goes with");
    refused(&["tokenize", &zh, "--tokenizer", &at("none"), "--out", &at("c")], "no tokenizer");
    refused(&["pack", &at("none"), "--out", &at("a.plan")], "holds no token cache");
    assert!(!Path::new(&out).exists(), "nothing half done is left");
}
