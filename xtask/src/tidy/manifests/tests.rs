use super::super::testing::{
    ROOT as WORKSPACE, assert_clean, assert_found, cargo_house, house, manifest,
};
use super::{ROOT, check};

const LINTS: &str = "[lints]\nworkspace = true\n";

/// A workspace of two crates, the second with the tables `rest`.
fn check_crates(root_rest: &str, first_rest: &str, second_rest: &str) -> super::Outcome {
    let root = format!("{WORKSPACE}[workspace.lints.rust]\n{root_rest}");
    check(&cargo_house(&[
        (ROOT, &root),
        ("crates/甲/Cargo.toml", &manifest("first", &format!("{first_rest}{LINTS}"))),
        ("crates/甲/src/lib.rs", ""),
        ("crates/b/Cargo.toml", &manifest("second", second_rest)),
        ("crates/b/src/lib.rs", ""),
    ]))
}

#[test]
fn an_external_dependency_says_that_it_takes_no_default_features() {
    let good = "[workspace.dependencies]\nserde = { version = \"1\", default-features = false }\n";
    assert_clean(&check(&house(&[(ROOT, good)])));

    let bad = "[workspace.dependencies]\n# 注释\nserde = \"1\"\nhalf = { version = \"2\" }\n";
    let expected =
        [(ROOT, 3, "`serde` brings its default"), (ROOT, 4, "`half` brings its default")];
    assert_found(&check(&house(&[(ROOT, bad)])), &expected);
}

#[test]
fn a_crate_of_ours_says_so_if_it_has_default_features() {
    let root = "[workspace.dependencies]\nfirst = { path = \"crates/甲\" }\n";
    let second = format!("[dependencies]\nfirst.workspace = true\n{LINTS}");
    assert_clean(&check_crates(root, "", &second));

    let features = "[features]\ndefault = [\"cpu\"]\ncpu = []\n";
    let outcome = check_crates(root, features, &second);
    assert_found(&outcome, &[(ROOT, 6, "`first` brings its default")]);
}

#[test]
fn a_member_takes_versions_from_the_root_in_every_table() {
    let root = "[workspace.dependencies]\n";
    let second = format!(
        "[dev-dependencies]\nfirst = {{ path = \"../甲\" }}\n\
         [target.'cfg(unix)'.dependencies]\nfirst = {{ path = \"../甲\" }}\n{LINTS}"
    );
    let path = "crates/b/Cargo.toml";
    let expected = [(path, 6, "`first` is declared here"), (path, 8, "`first` is declared here")];
    assert_found(&check_crates(root, "", &second), &expected);
}

#[test]
fn a_member_takes_the_lints_of_the_workspace() {
    let outcome = check_crates("", "", "");
    assert_found(&outcome, &[("crates/b/Cargo.toml", 1, "lints of the workspace")]);
}

#[test]
fn a_manifest_that_is_not_toml_is_found() {
    let outcome = check(&house(&[(ROOT, "[workspace]\nmembers = [\n")]));
    assert_eq!(outcome.findings.len(), 1);
    assert!(outcome.findings[0].message.contains("is not TOML"), "{}", outcome.findings[0]);
}
