//! The front door's verbs that look at data and convert it, run as a user would.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use puyu_testkit::{TempDir, shared};
use serde_json::{Value, json};

/// The example `dataset`, which Cargo builds beside these tests.
fn door() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples").join(format!("dataset{}", std::env::consts::EXE_SUFFIX))
}

fn run(arguments: &[&str]) -> Output {
    Command::new(door()).args(arguments).output().unwrap()
}

/// The JSON answer, and whether the verb succeeded.
#[track_caller]
fn answer(arguments: &[&str]) -> (Value, bool) {
    let output = run(&[arguments, &["--json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"));
    (answer, output.status.success())
}

const POEM: &str = r#"{"id": "a", "content": "床前明月光，疑是地上霜。"}"#;
const ENGLISH: &str = r#"{"id": "c", "content": "The moonlight before my bed is bright."}"#;
const BAD: &str = r#"{"id": "b", "content": 7}"#;

/// A folder with Chinese and English documents, one of them twice, and a bad row.
fn documents() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, lines) in [("CN", [POEM, BAD]), ("EN", [ENGLISH, POEM])] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("part.jsonl"), lines.join("\n")).unwrap();
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn part<'a>(answer: &'a Value, table: &str, name: &str) -> &'a Value {
    let parts = answer[table].as_array().unwrap();
    parts.iter().find(|part| part["name"] == name).unwrap()
}

#[test]
fn stats_counts_documents_languages_folders_duplicates_and_bad_rows() {
    let folder = documents();
    let (answer, is_ok) = answer(&["stats", text(folder.path())]);
    assert!(is_ok);
    assert_eq!(answer["documents"], 3);
    assert_eq!(answer["characters"], 12 + 38 + 12);
    assert_eq!(answer["bytes"], 36 + 38 + 36);
    assert_eq!(answer["duplicates"]["documents"], 1);
    assert_eq!(answer["rows_bad"], 1);
    assert_eq!(answer["bad_by_kind"], json!({"type": 1}));
    assert_eq!(part(&answer, "folders", "CN")["documents"], 1);
    assert_eq!(part(&answer, "folders", "EN")["documents"], 2);
    assert_eq!(part(&answer, "languages", "eng-Latn")["documents"], 1);
    assert_eq!(part(&answer, "forms", "wanjuan-text")["documents"], 3);
}

#[test]
fn stats_draws_the_lengths() {
    let folder = documents();
    let svg = folder.path().join("lengths.svg");
    let (answer, _) = answer(&["stats", text(folder.path()), "--svg", text(&svg)]);
    assert_eq!(answer["lengths"][0], json!({"from": 8, "to": 16, "documents": 2}));
    assert!(std::fs::read_to_string(svg).unwrap().contains("<svg"));
}

#[test]
fn inspect_tells_container_columns_rows_and_form_and_lists_bad_files() {
    let folder = documents();
    let bad = folder.path().join("bad.bin");
    std::fs::write(&bad, [0, 1, 2, 3]).unwrap();
    let source = folder.path().join("EN");
    let (good, is_ok) = answer(&["inspect", text(&source)]);
    assert!(is_ok);
    let file = &good["files"][0];
    assert_eq!((&file["container"], &file["rows"]), (&json!("json_lines"), &json!(2)));
    assert_eq!(file["columns"].as_array().unwrap().len(), 2);
    assert_eq!(file["form"], "wanjuan-text");
    let (both, is_ok) = answer(&["inspect", text(&source), text(&bad)]);
    assert!(!is_ok);
    assert_eq!(both["files"][0]["error"], Value::Null);
    assert!(both["files"][1]["error"].as_str().unwrap().contains("no known container"));
}

#[test]
fn lint_names_every_defect_and_repeated_id() {
    let folder = documents();
    let (answer, is_ok) = answer(&["lint", text(folder.path())]);
    assert!(!is_ok);
    let kinds: Vec<_> = answer["defects"].as_array().unwrap().iter().map(|d| &d["kind"]).collect();
    assert_eq!(kinds, ["type", "duplicate_id"]);
    let first = &answer["defects"][0];
    assert_eq!((&first["row"], &first["field"]), (&json!(2), &json!("content")));
    assert_eq!(first["offset"], POEM.len() + 1);
}

#[test]
fn lint_of_clean_data_succeeds_unless_strict_about_blank_lines() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.jsonl");
    std::fs::write(&file, "{\"text\": \"山高水长\"}\n\n{\"text\": \"far away\"}\n").unwrap();
    let (clean, is_ok) = answer(&["lint", text(&file)]);
    assert_eq!((is_ok, &clean["rows_good"]), (true, &json!(2)));
    let (strict, is_ok) = answer(&["lint", text(&file), "--strict"]);
    assert_eq!((is_ok, &strict["bad_by_kind"]), (false, &json!({"empty": 1})));
}

#[test]
fn converting_to_parquet_and_back_keeps_the_good_rows() {
    let folder = documents();
    let (parquet, lines) = (folder.path().join("a.parquet"), folder.path().join("b.jsonl.zst"));
    let source = folder.path().join("CN");
    let (there, is_ok) =
        answer(&["convert", text(&source), "--to", text(&parquet), "--bad", "skip"]);
    assert_eq!((is_ok, &there["rows"], &there["rows_bad"]), (true, &json!(1), &json!(1)));
    let (back, is_ok) = answer(&["convert", text(&parquet), "--to", text(&lines)]);
    assert_eq!((is_ok, &back["rows"]), (true, &json!(1)));
    assert_eq!(answer(&["stats", text(&lines)]).0["characters"], 12);
}

#[test]
fn conversations_become_openai_messages() {
    let folder = TempDir::new().unwrap();
    let (source, to) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
    let turns = [json!({"from": "human", "value": "Hi"}), json!({"from": "gpt", "value": "你好"})];
    let rows = [
        json!({"instruction": "翻译成英语", "input": "你好", "output": "Hello"}),
        json!({"conversations": turns}),
    ];
    std::fs::write(&source, rows.map(|row| row.to_string()).join("\n")).unwrap();
    assert!(answer(&["convert", text(&source), "--to", text(&to), "--as", "conversation"]).1);
    let written = std::fs::read_to_string(&to).unwrap();
    let rows: Vec<Value> =
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0]["messages"][0]["content"], "翻译成英语\n你好");
    assert_eq!(rows[1]["messages"][1]["role"], "assistant");
}

#[test]
fn a_failed_conversion_is_one_line_and_leaves_no_file() {
    let folder = documents();
    let to = folder.path().join("out.jsonl");
    let output = run(&["convert", text(&folder.path().join("CN")), "--to", text(&to)]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && !to.exists());
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("error: ") && error.contains("row 2") && error.contains("`content`"));
}

#[test]
fn an_absent_path_is_one_line_of_error() {
    for verb in ["inspect", "stats", "preview", "lint"] {
        let output = run(&[verb, "no-such-folder/诗.jsonl"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(error.lines().count() == 1 && error.contains("诗.jsonl"), "{verb}: {error}");
    }
}

#[test]
fn preview_shows_rows_in_order_and_shuffled() {
    let folder = documents();
    let source = folder.path().join("EN");
    let (rows, _) = answer(&["preview", text(&source), "--rows", "1", "--from", "1"]);
    assert_eq!(rows["rows"][0]["lines"], json!(["床前明月光，疑是地上霜。"]));
    let shuffled = ["preview", text(&source), "--shuffled", "7"];
    let (first, is_ok) = answer(&shuffled);
    assert!(is_ok);
    assert_eq!(first["rows"].as_array().unwrap().len(), 2);
    assert_eq!(first, answer(&shuffled).0);
}

#[test]
fn wanjuan_is_counted_as_its_lines_are() {
    let Some(corpus) = shared("corpus/wanjuan") else { return };
    let poems = corpus.join("shaped/nlp/CN/Poetry-cn/part-000000.jsonl");
    let lines = std::fs::read_to_string(&poems).unwrap();
    assert_eq!(answer(&["stats", text(&poems)]).0["documents"], lines.lines().count());

    let (all, is_ok) = answer(&["stats", text(&corpus)]);
    assert!(is_ok);
    let of_folders = all["folders"].as_array().unwrap().iter();
    let sum: u64 = of_folders.map(|folder| folder["documents"].as_u64().unwrap()).sum();
    assert_eq!(all["documents"], sum);
    assert!(all["rows_bad"].as_u64().unwrap() > 0);
}

#[test]
fn the_known_defects_are_found() {
    let Some(folder) = shared("corpus/wanjuan/malformed") else { return };
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let mut lines: Vec<_> = expected["defects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["line"].as_u64().unwrap())
        .collect();
    lines.sort_unstable();
    lines.dedup();
    let file = folder.join("part-000000.jsonl");
    let (found, is_ok) = answer(&["lint", text(&file), "--strict", "--max-row-bytes", "1048576"]);
    assert!(!is_ok);
    let found = found["defects"].as_array().unwrap().iter();
    assert_eq!(found.map(|defect| defect["row"].as_u64().unwrap()).collect::<Vec<_>>(), lines);
}
