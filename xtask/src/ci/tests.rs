use super::*;

const SCRIPT: &str = "#!/usr/bin/env bash
set -euo pipefail
step() { \"$@\"; }
step fmt cargo fmt --all --check
step 文档 env A=\"b c\" cargo doc
  step indented is not a step
";

fn step(name: &str, command: &str) -> Step {
    Step { name: name.to_owned(), command: command.to_owned() }
}

#[test]
fn steps_are_the_lines_that_begin_with_step_and_a_name() {
    let expected =
        [step("fmt", "cargo fmt --all --check"), step("文档", "env A=\"b c\" cargo doc")];
    assert_eq!(parse_steps(SCRIPT), expected);
}

#[test]
fn choosing_nothing_keeps_all_and_choosing_keeps_the_order_of_the_script() {
    assert_eq!(choose(parse_steps(SCRIPT), &[]).unwrap().len(), 2);
    let both = choose(parse_steps(SCRIPT), &["文档".to_owned(), "fmt".to_owned()]).unwrap();
    assert_eq!(both[0].name, "fmt");
    assert_eq!(choose(parse_steps(SCRIPT), &["文档".to_owned()]).unwrap().len(), 1);
}

#[test]
fn an_unknown_step_is_refused_with_the_known_ones() {
    let error = choose(parse_steps(SCRIPT), &["lint".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("`lint`") && error.contains("fmt, 文档"), "{error}");
}

#[test]
fn a_failing_command_is_reported_as_failed() {
    let here = std::env::current_dir().unwrap();
    assert_eq!(run_step(&here, &step("good", "true")).unwrap().verdict, "ok");
    assert_eq!(run_step(&here, &step("bad", "false | cat")).unwrap().verdict, FAILED);
}
