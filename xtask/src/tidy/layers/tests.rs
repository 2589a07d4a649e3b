use super::super::testing::{ROOT, assert_clean, assert_found, cargo_house, manifest};
use super::check;

/// Checks a workspace of packages (name, tables), each in `crates/NAME`.
fn check_packages(packages: &[(&str, &str)]) -> super::Outcome {
    let mut files = vec![("Cargo.toml".to_owned(), ROOT.to_owned())];
    for (name, rest) in packages {
        files.push((format!("crates/{name}/Cargo.toml"), manifest(name, rest)));
        files.push((format!("crates/{name}/src/lib.rs"), String::new()));
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    check(&cargo_house(&files))
}

#[test]
fn arrows_that_go_down_are_accepted() {
    let packages = [
        ("puyu-core", "[dev-dependencies]\npuyu-testkit = { path = \"../puyu-testkit\" }\n"),
        ("puyu-testkit", "[dependencies]\npuyu-core = { path = \"../puyu-core\" }\n"),
        ("puyu-kernels", ""),
        (
            "puyu-model",
            "[dependencies]\npuyu-core = { path = \"../puyu-core\" }\n\
             puyu-kernels = { path = \"../puyu-kernels\" }\nburn = { path = \"../burn\" }\n",
        ),
        ("puyu", "[dependencies]\npuyu-model = { path = \"../puyu-model\" }\n"),
    ];
    let outcome = check_packages(&[&packages[..], &[("burn", "")]].concat());
    // The stand-in for burn is a member here, which a member without a row may not be.
    assert_found(&outcome, &[("crates/burn/Cargo.toml", 1, "no row")]);
    assert_clean(&check_packages(&packages[..2]));
}

#[test]
fn an_arrow_that_goes_up_is_found() {
    let packages = [
        ("puyu-core", "[dependencies]\npuyu-text = { path = \"../puyu-text\" }\n"),
        ("puyu-text", ""),
    ];
    let expected = [("crates/puyu-core/Cargo.toml", 6, "depends on `puyu-text`")];
    assert_found(&check_packages(&packages), &expected);
}

#[test]
fn an_optional_arrow_and_one_of_a_build_script_are_arrows_too() {
    let packages = [
        (
            "puyu-agent",
            "[dependencies]\npuyu-text = { path = \"../puyu-text\", optional = true }\n",
        ),
        ("puyu-core", "[build-dependencies]\npuyu-kernels = { path = \"../puyu-kernels\" }\n"),
        ("puyu-kernels", ""),
        ("puyu-text", ""),
    ];
    let expected = [
        ("crates/puyu-agent/Cargo.toml", 6, "puyu-text"),
        ("crates/puyu-core/Cargo.toml", 6, "puyu-kernels"),
    ];
    assert_found(&check_packages(&packages), &expected);
}

#[test]
fn the_test_kit_is_for_tests_only() {
    let packages = [
        ("puyu", "[dependencies]\npuyu-testkit = { path = \"../puyu-testkit\" }\n"),
        ("puyu-examples", "[dependencies]\npuyu-testkit = { path = \"../puyu-testkit\" }\n"),
        ("puyu-testkit", ""),
    ];
    let expected = [("crates/puyu/Cargo.toml", 6, "make it a dev-dependency")];
    assert_found(&check_packages(&packages), &expected);
}

#[test]
fn nobody_builds_on_examples() {
    let packages = [
        ("puyu-core", "[dev-dependencies]\npuyu-examples = { path = \"../puyu-examples\" }\n"),
        ("puyu-examples", ""),
    ];
    let expected = [("crates/puyu-core/Cargo.toml", 6, "puyu-examples")];
    assert_found(&check_packages(&packages), &expected);
}

#[test]
fn burn_below_a_free_crate_is_found_with_the_chain_that_leads_there() {
    let packages = [
        ("puyu-text", "[dependencies]\nmiddle = { path = \"../middle\" }\n"),
        ("middle", "[dependencies]\nburn-tensor = { path = \"../burn-tensor\" }\n"),
        ("burn-tensor", ""),
    ];
    let outcome = check_packages(&packages);
    let chain = "puyu-text -> middle -> burn-tensor";
    let found = outcome.findings.iter().find(|finding| finding.message.contains(chain));
    assert!(found.is_some_and(|finding| finding.path == "crates/puyu-text/Cargo.toml"));
}

#[test]
fn burn_for_tests_only_does_not_count_and_declared_burn_counts_even_if_optional() {
    let packages = [
        ("puyu-kernels", "[dev-dependencies]\nburn = { path = \"../burn\" }\n"),
        ("puyu-agent", "[dependencies]\nburn = { path = \"../burn\", optional = true }\n"),
        ("burn", ""),
    ];
    let expected = [
        ("crates/puyu-agent/Cargo.toml", 6, "puyu-agent -> burn"),
        ("crates/burn/Cargo.toml", 1, "no row"),
    ];
    assert_found(&check_packages(&packages), &expected);
}

#[test]
fn only_the_tests_may_know_the_examples_and_only_for_testing() {
    let arrow = "puyu-examples = { path = \"../puyu-examples\" }\n";
    let check = |name: &str, section: &str| {
        check_packages(&[(name, &format!("[{section}]\n{arrow}")), ("puyu-examples", "")])
    };
    assert_clean(&check("puyu-tests", "dev-dependencies"));
    let manifest = |name| format!("crates/{name}/Cargo.toml");
    for (name, section) in [("puyu-tests", "dependencies"), ("puyu-core", "dev-dependencies")] {
        assert_found(&check(name, section), &[(&manifest(name), 6, "puyu-examples")]);
    }
}
