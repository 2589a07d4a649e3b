use super::super::testing::{ROOT, assert_clean, assert_found, cargo_house, manifest};
use super::check;

const FORBID: &str = "#![forbid(unsafe_code)]\n";
const UNSAFE: &str = "pub fn a() { unsafe {} }\n";

/// Checks one package with these files in `crates/x`.
fn check_package(name: &str, files: &[(&str, &str)]) -> super::Outcome {
    let manifest = manifest(name, "");
    let paths: Vec<String> = files.iter().map(|(path, _)| format!("crates/x/{path}")).collect();
    let mut all = vec![("Cargo.toml", ROOT), ("crates/x/Cargo.toml", manifest.as_str())];
    all.extend(paths.iter().map(String::as_str).zip(files.iter().map(|(_, text)| *text)));
    check(&cargo_house(&all))
}

#[test]
fn a_package_whose_every_root_forbids_unsafe_code_is_accepted() {
    let prose = format!("{FORBID}//! 不用 unsafe.\nconst A: &str = \"unsafe\";\n");
    let program = format!("{FORBID}fn main() {{}}\n");
    let files = [("src/lib.rs", prose.as_str()), ("examples/聊天.rs", &program)];
    assert_clean(&check_package("puyu-core", &files));
}

#[test]
fn every_kind_of_root_must_forbid_it() {
    let main = "fn main() {}";
    let files = [
        ("src/lib.rs", "#![deny(unsafe_code)]"),
        ("src/main.rs", main),
        ("examples/chat.rs", main),
        ("tests/it.rs", ""),
        ("build.rs", main),
    ];
    let expected = files.map(|(path, _)| (format!("crates/x/{path}"), 1, "forbid"));
    let expected: Vec<_> =
        expected.iter().map(|(path, l, part)| (path.as_str(), *l, *part)).collect();
    assert_found(&check_package("puyu-core", &files), &expected);
}

#[test]
fn the_word_itself_is_found_even_in_a_file_that_no_root_reaches() {
    let files = [("src/lib.rs", FORBID), ("src/stray.rs", UNSAFE)];
    let outcome = check_package("puyu-text", &files);
    assert_found(&outcome, &[("crates/x/src/stray.rs", 1, "`unsafe` outside")]);
}

#[test]
fn kernels_may_be_unsafe_anywhere() {
    assert_clean(&check_package("puyu-kernels", &[("src/lib.rs", UNSAFE)]));
}

#[test]
fn the_model_may_be_unsafe_in_its_mapping_only() {
    let root = "#![deny(unsafe_code)]\n#[allow(unsafe_code)]\nmod checkpoint;\nmod load;\n";
    let clean = "#![deny(unsafe_code)]\nmod checkpoint;\n";
    let mapping = format!("#![allow(unsafe_code)]\n{UNSAFE}");

    let good = [("src/lib.rs", clean), ("src/checkpoint/mmap.rs", mapping.as_str())];
    assert_clean(&check_package("puyu-model", &good));

    let bad = [("src/lib.rs", root), ("src/checkpoint/mmap.rs", &mapping), ("src/load.rs", UNSAFE)];
    let expected = [
        ("crates/x/src/lib.rs", 2, "`allow(unsafe_code)`"),
        ("crates/x/src/load.rs", 1, "`unsafe` outside"),
    ];
    assert_found(&check_package("puyu-model", &bad), &expected);
    assert_found(
        &check_package("puyu-model", &[("src/lib.rs", "")]),
        &[("crates/x/src/lib.rs", 1, "`#![deny(unsafe_code)]`")],
    );
}
