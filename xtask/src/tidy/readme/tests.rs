use super::super::testing::{ROOT, assert_clean, assert_found, cargo_house, house, manifest};
use super::{README, cargo_commands, check};
use crate::ci::CI_SCRIPT;

const SCRIPT: &str = "set -e\nstep test cargo test --workspace\n";

#[test]
fn the_commands_that_are_tested_are_accepted() {
    let readme = "# 浦语\n\n```bash\n$ cargo run --release --example chat   # talk\n```\n\n\
                  ```sh\ncargo test --workspace   # 全部测试\n```\n";
    let files = [
        ("Cargo.toml", ROOT),
        ("crates/demo/Cargo.toml", &manifest("demo", "")),
        ("crates/demo/src/lib.rs", ""),
        ("crates/demo/examples/chat.rs", "fn main() {}"),
        (README, readme),
        (CI_SCRIPT, SCRIPT),
    ];
    assert_clean(&check(&cargo_house(&files)));
}

#[test]
fn a_test_command_that_the_script_does_not_run_is_found() {
    let readme = "```\ncargo run\ncargo test --all-features\n```\n";
    let outcome = check(&house(&[(README, readme), (CI_SCRIPT, SCRIPT)]));
    assert_found(&outcome, &[(README, 3, "is no step of .ci/run")]);
}

#[test]
fn an_example_that_does_not_exist_is_found() {
    let readme = "```\ncargo run --example 聊天\ncargo test --workspace\n```\n";
    let outcome = check(&house(&[(README, readme), (CI_SCRIPT, SCRIPT)]));
    assert_found(&outcome, &[(README, 2, "no example `聊天`")]);
}

#[test]
fn a_readme_without_its_two_commands_is_found() {
    let expected = [(README, 1, "cargo run"), (README, 1, "cargo test")];
    assert_found(&check(&house(&[])), &expected);
    assert_found(&check(&house(&[(README, "cargo run and cargo test, but in prose")])), &expected);
}

#[test]
fn commands_are_read_from_shell_blocks_only() {
    let text = "```rust\ncargo test\n```\n```console\n$ cargo fmt\noutput\n```\ncargo doc\n";
    assert_eq!(cargo_commands(text), [(5, "cargo fmt".to_owned())]);
}
