//! Examples as processes: started as a user starts them, looked at as a shell does.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs an example to its end, with `input` in its pipe.
#[track_caller]
pub(crate) fn run(name: &str, arguments: &[&str], input: &[u8]) -> Ended {
    let program = program(name);
    let mut child = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
    // A program that refuses its arguments does not read, and that is its right.
    let _ = child.stdin.take().expect("standard input is piped").write_all(input);
    let output = child.wait_with_output().expect("a child that was started can be waited for");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("examples write UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("examples write UTF-8"),
    }
}

/// Runs an example that must succeed and have nothing to complain of. Returns what it wrote.
#[track_caller]
pub(crate) fn succeed(name: &str, arguments: &[&str], input: &str) -> String {
    let ended = run(name, arguments, input.as_bytes());
    assert_eq!(ended.code, Some(0), "{name} {arguments:?}: {}", ended.stderr);
    assert_eq!(ended.stderr, "", "{name} {arguments:?}");
    ended.stdout
}

/// Runs an example that must write one JSON value on one line. Returns the value.
#[track_caller]
pub(crate) fn succeed_json(name: &str, arguments: &[&str]) -> Value {
    let stdout = succeed(name, arguments, "");
    assert_eq!(stdout.lines().count(), 1, "{name} {arguments:?}: {stdout}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

/// Runs an example that must refuse: an exit status of its own making, and one clear line that
/// says all of `words`. Only a wrong argument may be followed by how it should be.
#[track_caller]
pub(crate) fn refuse(name: &str, arguments: &[&str], input: &[u8], words: &[&str]) -> Ended {
    let ended = run(name, arguments, input);
    let stderr = &ended.stderr;
    let is_usage = ended.code == Some(2);
    // 101 would be a panic, no code a signal.
    assert!(ended.code == Some(1) || is_usage, "{name} {arguments:?}: {ended:?}");
    assert!(!stderr.contains("panicked"), "{name} {arguments:?}: {stderr}");
    assert!(stderr.starts_with("error: "), "{name} {arguments:?}: {stderr}");
    assert_eq!(stderr.matches("error: ").count(), 1, "{name} {arguments:?}: {stderr}");
    assert!(is_usage || stderr.lines().count() == 1, "{name} {arguments:?}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{name} {arguments:?}: no `{word}` in: {stderr}");
    }
    ended
}

/// A path as an argument.
#[track_caller]
pub(crate) fn argument(path: &Path) -> &str {
    path.to_str().expect("paths of these tests are UTF-8")
}

/// Ids as an argument: `1,2,3`.
pub(crate) fn comma_separated(ids: &[u32]) -> String {
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// Token ids of a JSON list.
#[track_caller]
pub(crate) fn ids_of(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

/// The program of an example: cargo puts it beside the folder of this test.
#[track_caller]
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    // `PROFILE/deps/it-HASH` leads to `PROFILE/examples/NAME`.
    let profile = test.parent().and_then(Path::parent).expect("tests lie in `PROFILE/deps`");
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = profile.join("examples").join(file);
    assert!(
        program.is_file(),
        "{} is not there; run `cargo test --workspace`, which builds the examples first",
        program.display()
    );
    program
}
