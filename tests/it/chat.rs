//! The chat example in a pipe, with the small model of the repository.

use puyu_examples::mini_world;
use serde_json::Value;

use crate::process::succeed;

/// What `chat` writes for these lines.
#[track_caller]
fn talk(lines: &[&str], arguments: &[&str]) -> String {
    succeed("chat", arguments, &lines.iter().map(|line| format!("{line}\n")).collect::<String>())
}

#[test]
fn every_question_of_the_showcase_gets_its_answer() {
    let showcase = mini_world::showcase();
    let has_chinese = |text: &str| text.contains(|letter: char| letter > '\u{3000}');
    let n_chinese = showcase.iter().filter(|&&(question, _)| has_chinese(question)).count();
    assert!(n_chinese >= 4 && showcase.len() - n_chinese >= 4, "both languages: {showcase:?}");

    // Each starts anew, so that none leans on the one before.
    let lines: Vec<&str> =
        showcase.iter().flat_map(|&(question, _)| [question, "/clear"]).collect();
    let stdout = talk(&lines, &[]);
    let answers: Vec<&str> = stdout.lines().collect();
    let expected: Vec<&str> = showcase.iter().map(|&(_, answer)| answer).collect();
    assert_eq!(answers, expected);
}

#[test]
fn the_same_question_gets_the_same_answer() {
    for question in ["Tell me a joke.", "你是谁？"] {
        let sampled = ["--temperature", "1", "--seed", "7"];
        assert_eq!(talk(&[question], &sampled), talk(&[question], &sampled), "{question}");
        let answers = talk(&[question, "/clear", question], &[]);
        let answers: Vec<&str> = answers.lines().collect();
        assert_eq!(answers[0], answers[1], "{question}");
    }
}

#[test]
fn help_lists_the_commands_in_both_languages() {
    let help = talk(&["/help"], &[]);
    for word in ["/system", "/history", "/clear", "/quit", "message", "帮助", "退出"] {
        assert!(help.contains(word), "no {word} in: {help}");
    }
    // A mistyped command is not sent to the model.
    let unknown = talk(&["/hlep 你好"], &[]);
    assert_eq!(unknown, format!("unknown command /hlep\n{help}"));
}

#[test]
fn history_shows_who_said_what_until_it_is_cleared() {
    for (system, question) in
        [("请用中文回答。", "你是谁？"), ("Answer in English.", "Who are you?")]
    {
        let command = format!("/system {system}");
        let stdout = talk(&[&command, question, "/history", "/clear", "/history"], &[]);
        let lines: Vec<&str> = stdout.lines().collect();
        let answer = lines[0];
        assert!(!answer.is_empty(), "{stdout}");
        let shown = [("system", system), ("user", question), ("assistant", answer)]
            .map(|(role, text)| format!("{role}: {text}"));
        assert_eq!(lines[1..4], shown, "{stdout}");
        assert_eq!(lines[4..], shown[..1], "only the system message is left: {stdout}");
        // Given as an argument, the system message is the same.
        assert_eq!(talk(&[question], &["--system", system]), format!("{answer}\n"));
    }
}

#[test]
fn empty_lines_are_no_messages_and_quit_ends_the_conversation() {
    assert_eq!(talk(&["", "   ", "/quit", "你是谁？"], &[]), "");
    assert_eq!(talk(&[], &[]), "");
}

#[test]
fn the_last_line_needs_no_line_break() {
    for question in ["What do pandas eat?", "星期一之后是什么？"] {
        assert_eq!(succeed("chat", &[], question), talk(&[question], &[]), "{question}");
    }
}

#[test]
fn json_gives_one_object_for_each_answer_and_later_turns_reuse_earlier_ones() {
    let questions = ["你是谁？", "What is 12 plus 7?"];
    let stdout = talk(&questions, &["--json"]);
    let answers: Vec<Value> =
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len(), "{stdout}");
    for answer in &answers {
        let completion = &answer["completions"][0];
        assert_eq!(completion["reason"], "stop", "{answer}");
        assert!(completion["text"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
    }
    let usage = |answer: &Value, field: &str| answer["usage"][field].as_u64().unwrap();
    let first_prompt = usage(&answers[0], "prompt_tokens");
    assert_eq!(usage(&answers[0], "cached_tokens"), 0);
    // The second prompt begins with the first one, which is not computed again.
    assert!(usage(&answers[1], "cached_tokens") >= first_prompt, "{stdout}");
    assert!(usage(&answers[1], "prompt_tokens") > usage(&answers[1], "cached_tokens"), "{stdout}");
}
