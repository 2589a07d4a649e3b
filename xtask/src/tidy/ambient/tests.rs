use super::super::testing::{assert_clean, assert_found, house};
use super::check;

const LIBRARY: &str = "crates/puyu-core/src/lib.rs";

#[test]
fn reading_the_environment_or_a_clock_is_found_in_a_library() {
    let text = "use std::env;
fn a() -> String { std::env::var(\"语言\").unwrap_or_default() }
fn b() { let _ = std::time::Instant::now(); }
fn c() { let _ = SystemTime::now(); }
use std::env::{vars};
";
    let expected = [
        (LIBRARY, 1, "environment"),
        (LIBRARY, 2, "environment"),
        (LIBRARY, 3, "Instant::now"),
        (LIBRARY, 4, "SystemTime::now"),
        (LIBRARY, 5, "environment"),
    ];
    assert_found(&check(&house(&[(LIBRARY, text)])), &expected);
}

#[test]
fn constants_of_the_build_and_modules_of_ours_are_no_ambient_state() {
    let text = "//! Never calls `std::env::var` or `Instant::now`.
const NAME: &str = env!(\"CARGO_PKG_NAME\");
fn a() -> &'static str { std::env::consts::ARCH }
fn b() { crate::env::step(\"Instant::now\", 环境); }
fn c(start: Instant, env: Env) -> Env { env }
";
    assert_clean(&check(&house(&[(LIBRARY, text)])));
}

#[test]
fn tests_the_test_kit_and_front_ends_may_read_both() {
    let text = "fn a() { std::env::var(\"A\"); Instant::now(); }";
    let in_tests = format!("pub fn b() {{}}\n#[cfg(test)]\nmod tests {{ {text} }}");
    let files = [
        (LIBRARY, in_tests.as_str()),
        ("crates/puyu-core/src/lib/tests.rs", text),
        ("crates/puyu-testkit/src/lib.rs", text),
        ("crates/puyu-core/benches/speed.rs", text),
        ("examples/chat.rs", text),
        ("xtask/src/main.rs", text),
    ];
    assert_clean(&check(&house(&files)));
}
