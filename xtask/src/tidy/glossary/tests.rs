use super::super::testing::{assert_clean, assert_found, house};
use super::{GLOSSARY, check};

const HEAD: &str = "# Glossary\n\n| English | 中文 | meaning |\n| --- | --- | --- |\n";

#[track_caller]
fn check_rows(rows: &str, expected: &[(usize, &str)]) {
    let outcome = check(&house(&[(GLOSSARY, &format!("{HEAD}{rows}"))]));
    let expected: Vec<_> = expected.iter().map(|&(line, part)| (GLOSSARY, line, part)).collect();
    assert_found(&outcome, &expected);
}

#[test]
fn complete_rows_of_several_tables_are_accepted() {
    let text = format!(
        "{HEAD}| token | 词元 | A piece. |\n\nWords.\n\n{}| page | 页 | Some. |\n",
        &HEAD[12..]
    );
    let outcome = check(&house(&[(GLOSSARY, &text)]));
    assert_clean(&outcome);
    assert_eq!(outcome.n_items, 2);
}

#[test]
fn a_row_without_one_of_the_languages_or_the_meaning_is_found() {
    check_rows("| token | token | A piece. |\n", &[(5, "no Chinese"), (5, "also on line 5")]);
    check_rows("| token |  | A piece. |\n", &[(5, "no Chinese")]);
    check_rows("| 词元 | 字 | A piece. |\n", &[(5, "not an English term")]);
    check_rows("| token | 词元 | |\n", &[(5, "no meaning")]);
}

#[test]
fn a_term_with_two_meanings_is_found() {
    let rows =
        "| page | 页 | Of the cache. |\n| Page | 页面 | Of a document. |\n| leaf | 页 | A. |\n";
    check_rows(rows, &[(6, "`Page` is also on line 5"), (7, "`页` is also on line 5")]);
}

#[test]
fn a_missing_glossary_is_found() {
    assert_found(&check(&house(&[])), &[(GLOSSARY, 1, "no terms")]);
}
