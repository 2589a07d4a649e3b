use super::super::testing::{assert_clean, assert_found, house};
use super::{MARKS, check, has_word};

const SOURCE: &str = "tests/it/main.rs";

#[test]
fn marks_in_comments_and_manifests_are_found() {
    let text = format!("// {}: 以后再说\nfn a() {{}} // {}\n", MARKS[0], MARKS[1]);
    let toml = format!("# {}\n", MARKS[2]);
    let outcome = check(&house(&[(SOURCE, &text), ("Cargo.toml", &toml)]));
    let expected = [(SOURCE, 1, MARKS[0]), (SOURCE, 2, MARKS[1]), ("Cargo.toml", 1, MARKS[2])];
    assert_found(&outcome, &expected);
}

#[test]
fn marks_inside_words_and_in_prose_are_accepted() {
    let text = format!("// {}S_ME {}名\nfn a() {{}}\n", MARKS[0], MARKS[2]);
    let prose = format!("We write no {}.", MARKS[0]);
    assert_clean(&check(&house(&[(SOURCE, &text), ("docs/STYLE.md", &prose)])));
}

#[test]
fn macros_for_missing_code_are_found_and_their_names_in_strings_are_not() {
    let text = "fn a() { todo!() }\nfn b() { unimplemented!(\"后\") }\n/// todo!()\nfn c() { \"todo!()\"; }\n";
    let expected = [(SOURCE, 1, "`todo!`"), (SOURCE, 2, "`unimplemented!`")];
    assert_found(&check(&house(&[(SOURCE, text)])), &expected);
}

#[test]
fn ignored_tests_and_examples_that_are_not_compiled_are_found() {
    let fence = concat!("```", "ignore");
    let text = format!("/// {fence}\n/// x\n/// ```\n#[test]\n#[ignore = \"慢\"]\nfn a() {{}}\n");
    let expected = [(SOURCE, 1, "not compiled"), (SOURCE, 5, "ignored test")];
    assert_found(&check(&house(&[(SOURCE, &text)])), &expected);
}

#[test]
fn a_word_has_no_letter_beside_it() {
    assert!(has_word("a:AB!", "AB") && has_word("AB", "AB") && has_word("XAB AB", "AB"));
    assert!(!has_word("ABs", "AB") && !has_word("_AB", "AB") && !has_word("甲AB", "AB"));
}
