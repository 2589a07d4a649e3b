use super::super::testing::{assert_clean, assert_found, folder, house, write};
use super::super::{House, Tree};
use super::check;

const LIBRARY: &str = "crates/puyu-core/src/lib.rs";

/// `n` lines of code that are no function.
fn lines(n: usize) -> String {
    "const 甲: u8 = 1;\n".repeat(n)
}

/// A function of `n` lines.
fn function(n: usize) -> String {
    format!("fn long() {{\n{}}}\n", "    step();\n".repeat(n - 2))
}

#[test]
fn a_file_may_have_400_lines_without_its_tests() {
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", lines(300));
    assert_clean(&check(&house(&[(LIBRARY, &(lines(400) + &tests))])));
    let outcome = check(&house(&[(LIBRARY, &(lines(401) + &tests))]));
    assert_found(&outcome, &[(LIBRARY, 400, "has 401 lines")]);
}

#[test]
fn a_file_of_tests_may_have_800_lines() {
    let path = "crates/puyu-core/src/lib/tests.rs";
    assert_clean(&check(&house(&[(path, &lines(800))])));
    assert_found(&check(&house(&[(path, &lines(801))])), &[(path, 800, "has 801 lines")]);
}

#[test]
fn a_function_may_have_70_lines() {
    assert_clean(&check(&house(&[(LIBRARY, &function(70))])));
    let text = format!("\n/// Doc.\n{}", function(71));
    assert_found(&check(&house(&[(LIBRARY, &text)])), &[(LIBRARY, 3, "`long` has 71 lines")]);
    assert_clean(&check(&house(&[(LIBRARY, &format!("#[test]\n{}", function(71)))])));
}

#[test]
fn a_large_file_is_found_unless_it_is_a_bundled_asset() {
    let folder = folder(&[]);
    write(folder.path(), "docs/video.bin", &vec![0; 3_000_001]);
    write(folder.path(), "docs/small.bin", &vec![0; 3_000_000]);
    write(folder.path(), "examples/assets/model.bin", &vec![0; 3_000_001]);
    let tree = Tree::load(folder.path()).unwrap();
    let outcome = check(&House { tree, workspace: Default::default() });
    assert_found(&outcome, &[("docs/video.bin", 1, "3000001 bytes")]);
}

#[test]
fn a_file_that_is_not_rust_is_found() {
    let path = "examples/坏.rs";
    assert_found(&check(&house(&[(path, "fn main( {")])), &[(path, 1, "is not Rust")]);
}
