//! The README: what it shows is what happens.

use std::path::Path;

use crate::process::succeed;

#[track_caller]
fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fenced blocks of a language, without their fences.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<(bool, String)> = None;
    for line in markdown.lines() {
        match (line.strip_prefix("```"), block.take()) {
            (Some(info), None) => block = Some((info == language, String::new())),
            (Some(_), Some((is_wanted, text))) => blocks.extend(is_wanted.then_some(text)),
            (None, Some((is_wanted, text))) => block = Some((is_wanted, text + line + "\n")),
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn the_session_of_the_readme_is_what_happens() {
    let sessions = blocks(&read("README.md"), "text");
    let session = sessions.iter().find(|block| block.starts_with("> "));
    let session = session.expect("the README shows a session, with `> ` before what is typed");
    let (mut typed, mut expected) = (String::new(), String::new());
    for line in session.lines() {
        match line.strip_prefix("> ") {
            Some(line) => typed += &format!("{line}\n"),
            None => expected += &format!("{line}\n"),
        }
    }
    for mark in ["?\n", "？\n"] {
        assert!(typed.contains(mark), "both languages are shown: {typed}");
    }
    assert_eq!(succeed("chat", &[], &typed), expected);
}

#[test]
fn the_quick_start_of_the_readme_is_the_tested_one() {
    let tested = read("crates/puyu/src/lib.rs");
    let blocks = blocks(&read("README.md"), "rust");
    let quick_start = blocks.first().expect("the README has a quick start in Rust");
    assert!(quick_start.contains("Pipeline::open"), "{quick_start}");
    for line in quick_start.lines().filter(|line| !line.starts_with("let folder = ")) {
        let is_tested = tested.lines().any(|tested| tested == format!("//! {line}"));
        assert!(is_tested, "`{line}` is not in the documentation test of the facade");
    }
}

#[test]
fn both_quick_starts_have_the_same_commands() {
    let commands = |path: &str| blocks(&read(path), "sh").concat();
    let english = commands("docs/QUICKSTART.md");
    assert!(english.contains("cargo run --release --example chat\n"), "{english}");
    assert_eq!(commands("docs/QUICKSTART.zh.md"), english);
}
