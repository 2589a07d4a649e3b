use super::RustSource;

fn lex(text: &str) -> RustSource {
    RustSource::lex(text).unwrap()
}

fn lines_of(source: &RustSource, pattern: &[&str]) -> Vec<usize> {
    source.places(pattern).map(|at| source.line(at)).collect()
}

#[test]
fn comments_and_strings_are_not_code() {
    let text = "// unsafe\n/* unsafe */\n/// unsafe\nfn a() { \"unsafe 不安全\"; r#\"unsafe\"#; 'u'; }\nunsafe fn b() {}\n";
    assert_eq!(lines_of(&lex(text), &["unsafe"]), [5]);
}

#[test]
fn code_inside_macro_calls_is_code() {
    let source = lex("proptest! {\n #[test]\n #[ignore]\n fn a(x in 0..9) { todo!() }\n}\n");
    assert_eq!(lines_of(&source, &["#", "[", "ignore"]), [3]);
    assert_eq!(lines_of(&source, &["todo", "!"]), [4]);
}

#[test]
fn a_file_that_does_not_lex_is_refused_with_its_line() {
    let error = RustSource::lex("fn a() {}\nfn 乙( {\n").err().unwrap();
    assert!(error.starts_with("line "), "{error}");
}

#[track_caller]
fn check_functions(text: &str, expected: &[(&str, usize, usize)]) {
    let functions = lex(text).functions();
    let found: Vec<_> =
        functions.iter().map(|f| (f.name.as_str(), f.first_line, f.last_line)).collect();
    assert_eq!(found, expected);
}

#[test]
fn functions_are_measured_from_their_word_to_their_brace() {
    check_functions(
        "/// Doc.\n#[inline]\npub fn 求和(\n a: u8,\n) -> u8 {\n a\n}\n",
        &[("求和", 3, 7)],
    );
    check_functions("fn a() {\n fn b() {\n }\n}\n", &[("a", 1, 4), ("b", 2, 3)]);
    check_functions("trait T { fn a(); fn b() {} }", &[("b", 1, 1)]);
    check_functions("struct S { f: fn(u8) -> u8 }\nfn a() {}", &[("a", 2, 2)]);
    check_functions(
        "fn a() -> Foo<{ N }> {\n}\nfn b(x: [u8; { 1 }]) {\n}",
        &[("a", 1, 2), ("b", 3, 4)],
    );
}

#[track_caller]
fn check_test_lines(text: &str, expected: &[usize]) {
    let source = lex(text);
    let lines: Vec<usize> =
        (1..=text.lines().count()).filter(|&line| source.is_test_line(line)).collect();
    assert_eq!(lines, expected);
}

#[test]
fn items_for_tests_only_are_known_by_their_lines() {
    check_test_lines(
        "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n",
        &[2, 3, 4, 5],
    );
    check_test_lines("#[test]\n#[should_panic]\nfn a() {\n}\nfn b() {}", &[1, 2, 3, 4]);
    check_test_lines("#[cfg(all(test, unix))]\nuse x;\nfn b() {}", &[1, 2]);
    check_test_lines("#![cfg(test)]\nfn a() {}\n", &[1, 2]);
    check_test_lines("#[cfg(not(test))]\nfn a() {}\n#[cfg(any(test, unix))]\nfn b() {}\n", &[]);
}

#[test]
fn modules_for_tests_only_are_known_by_their_names() {
    let source = lex("mod a;\n#[cfg(test)]\npub(crate) mod 测试;\n#[cfg(test)]\nmod b { }\n");
    assert_eq!(source.test_modules(), ["测试"]);
}

#[test]
fn lints_are_found_in_lists_and_by_their_level() {
    let source = lex("#![forbid(missing_docs, unsafe_code)]\n#[allow(unsafe_code)]\nmod a;\n");
    assert!(source.has_inner_lint("forbid", "unsafe_code"));
    assert!(!source.has_inner_lint("deny", "unsafe_code"));
    assert!(!source.has_inner_lint("forbid", "dead_code"));
    assert_eq!(source.lint_lines("allow", "unsafe_code"), [2]);
}
