use std::process::Command;

use super::super::testing::{folder, write};
use super::Tree;

#[test]
fn without_git_every_file_but_build_outputs_is_listed() {
    let folder =
        folder(&[("a.rs", ""), ("目录/b.md", ""), ("target/debug/c.rs", ""), (".ci/run", "")]);
    let tree = Tree::load(folder.path()).unwrap();
    let paths: Vec<&str> = tree.files().iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, [".ci/run", "a.rs", "目录/b.md"]);
}

#[test]
fn with_git_new_files_are_listed_and_ignored_and_deleted_ones_are_not() {
    let folder =
        folder(&[(".gitignore", "/out\n"), ("old.rs", ""), ("out/x.rs", ""), ("新.rs", "")]);
    let git = |arguments: &[&str]| {
        let status = Command::new("git").args(arguments).current_dir(folder.path()).status();
        assert!(status.unwrap().success(), "{arguments:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "old.rs"]);
    std::fs::remove_file(folder.path().join("old.rs")).unwrap();

    let tree = Tree::load(folder.path()).unwrap();
    let paths: Vec<&str> = tree.files().iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, [".gitignore", "新.rs"]);
}

#[test]
fn bytes_that_are_not_utf8_are_measured_and_not_read() {
    let folder = folder(&[]);
    write(folder.path(), "weights.bin", &[0xC3, 0x28, 0xFF]);
    let tree = Tree::load(folder.path()).unwrap();
    let file = tree.file("weights.bin").unwrap();
    assert_eq!((file.n_bytes, file.text.as_deref()), (3, None));
}

#[test]
fn files_of_tests_are_known_by_name_folder_or_declaration() {
    let files = [
        ("crates/a/src/lib.rs", "#[cfg(test)]\nmod fixtures;\nmod real;"),
        ("crates/a/src/fixtures.rs", ""),
        ("crates/a/src/fixtures/tiny.rs", ""),
        ("crates/a/src/real.rs", "#[cfg(test)] mod cases;"),
        ("crates/a/src/real/cases.rs", ""),
        ("crates/a/src/real/tests.rs", ""),
        ("crates/a/tests/it.rs", ""),
        ("tests/it/main.rs", ""),
    ];
    let folder = folder(&files);
    let tree = Tree::load(folder.path()).unwrap();
    let real: Vec<&str> =
        tree.files().iter().filter(|file| !file.is_test).map(|file| file.path.as_str()).collect();
    assert_eq!(real, ["crates/a/src/lib.rs", "crates/a/src/real.rs"]);
}

#[test]
fn a_folder_is_held_if_it_holds_a_file() {
    let folder = folder(&[("docs/adr/0001.md", "")]);
    let tree = Tree::load(folder.path()).unwrap();
    assert!(tree.holds("docs/adr") && tree.holds("docs/adr/0001.md") && tree.holds(""));
    assert!(!tree.holds("docs/ad") && !tree.holds("docs/adr/0002.md"));
}
