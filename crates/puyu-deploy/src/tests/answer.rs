//! What an answer makes of given tokens: text, tool calls, the reason to end.

use puyu_core::{FinishReason, ToolCall};

use super::*;
use crate::answer::Answer;

/// Follows tokens up to the end that the model chose, or else up to a limit.
#[track_caller]
fn follow(options: &GenerateOptions, ids: &[u32]) -> (String, Vec<ToolCall>, FinishReason) {
    let mut answer = Answer::new(tiny().inner(), options, &[]);
    let (mut shown, mut end) = (String::new(), FinishReason::Length);
    for (at, &id) in ids.iter().enumerate() {
        let (text, said) = answer.push(id).unwrap();
        shown += &text;
        if let Some(reason) = said {
            assert_eq!(at + 1, ids.len(), "it ended early: {shown}");
            end = reason;
        }
    }
    let (rest, calls, reason) = answer.finish(end).unwrap();
    (shown + &rest, calls, reason)
}

/// The tokens of a text that was written with special tokens.
fn ids_of(text: &str) -> Vec<u32> {
    tiny().tokenizer().unwrap().encode_with_special(text).unwrap()
}

#[track_caller]
fn check_call(before: &str, call: &str, name: &str, arguments: &str) {
    let action = format!("<|action_start|><|plugin|>\n{call}");
    let expected = vec![ToolCall::new("call_0", name, arguments)];
    for end in ["<|action_end|>", "<|im_end|>", "</s>", ""] {
        let ids = ids_of(&format!("{before}{action}{end}"));
        let (text, calls, reason) = follow(&GenerateOptions::default(), &ids);
        assert_eq!((text.as_str(), &calls), (before, &expected), "{end}");
        assert_eq!(reason, FinishReason::ToolCalls, "{end}");
    }
}

#[test]
fn a_tool_call_is_read_and_not_shown() {
    check_call(
        "我查一下上海天气。",
        r#"{"name": "weather", "parameters": {"city": "上海"}}"#,
        "weather",
        r#"{"city": "上海"}"#,
    );
    check_call(
        "hello, let me see ",
        r#"{"name": "add", "arguments": {"a": 1, "b": [2.5, null]}}"#,
        "add",
        r#"{"a": 1, "b": [2.5, null]}"#,
    );
    check_call("", r#"{"name": "天气"}"#, "天气", "{}");
    check_call("你好", "```json\n{\"name\": \"now\", \"parameters\": {}}\n```", "now", "{}");
}

/// What is no call is shown as the model wrote it.
#[track_caller]
fn check_shown(written: &str, end: &str, reason: &FinishReason) {
    let ids = ids_of(&format!("{written}{end}"));
    let (text, calls, found) = follow(&GenerateOptions::default(), &ids);
    assert_eq!((text.as_str(), calls), (written, Vec::new()));
    assert_eq!(found, *reason, "{written}");
}

#[test]
fn a_damaged_call_or_a_program_is_shown_as_text() {
    let damaged = [
        "我查<|action_start|><|plugin|>\n{\"name\": \"天气\", ",
        "hello <|action_start|><|plugin|>\n{\"parameters\": {}}",
        "<|action_start|><|plugin|>",
        "你好<|action_start|>",
        "hello<|action_start|> {\"name\": \"add\"}",
        "算一下<|action_start|><|interpreter|>\n```python\nprint(1 + 1)\n```",
        "<|action_start|><|plugin|>{\"name\": \"a\"}<|action_start|>你好",
    ];
    for written in damaged {
        check_shown(written, "<|action_end|>", &FinishReason::Stop);
        check_shown(written, "<|im_end|>", &FinishReason::Stop);
        check_shown(written, "", &FinishReason::Length);
    }
}

#[test]
fn several_calls_are_numbered() {
    let call = |name: &str| format!("<|action_start|><|plugin|>\n{{\"name\": \"{name}\"}}");
    let ids = ids_of(&format!("{}{}<|im_end|>", call("天气"), call("add")));
    let (text, calls, reason) = follow(&GenerateOptions::default(), &ids);
    let expected = [ToolCall::new("call_0", "天气", "{}"), ToolCall::new("call_1", "add", "{}")];
    assert_eq!((text.as_str(), calls), ("", expected.to_vec()));
    assert_eq!(reason, FinishReason::ToolCalls);
}

#[test]
fn a_call_taken_back_is_no_reason_to_call() {
    for name in ["天气", "add"] {
        let ids = ids_of(&format!("你好<|action_start|><|plugin|>\n{{\"name\": \"{name}\"}}"));
        let options = GenerateOptions::default();
        let mut answer = Answer::new(tiny().inner(), &options, &[]);
        for id in ids {
            answer.push(id).unwrap();
        }
        let (_, _, reason) = answer.finish(FinishReason::Cancelled).unwrap();
        assert_eq!(reason, FinishReason::Cancelled);
    }
}

#[test]
fn with_special_tokens_shown_a_call_is_text() {
    let written = "我查<|action_start|><|plugin|>\n{\"name\": \"hello\"}";
    let options = GenerateOptions { skip_special_tokens: false, ..GenerateOptions::default() };
    let (text, calls, reason) = follow(&options, &ids_of(&format!("{written}<|action_end|>")));
    assert_eq!((text.as_str(), calls, reason), (written, Vec::new(), FinishReason::Stop));
}

#[test]
fn where_ends_are_ignored_nothing_is_hidden() {
    let options = GenerateOptions { ignore_eos: true, ..GenerateOptions::default() };
    let call = "<|action_start|><|plugin|>{\"name\": \"hello\"}<|action_end|>";
    let (text, calls, reason) =
        follow(&options, &ids_of(&format!("你好{call}天气<|im_end|>hello")));
    assert_eq!((text.as_str(), calls), ("你好{\"name\": \"hello\"}天气hello", Vec::new()));
    assert_eq!(reason, FinishReason::Length);
}

#[test]
fn a_stop_token_ends_a_call_too() {
    for name in ["天气", "add"] {
        let call = format!("<|action_start|><|plugin|>\n{{\"name\": \"{name}\"}}");
        let ids = ids_of(&format!("{call}!"));
        let options = GenerateOptions::default().with_stop_token_ids(vec![id("!")]);
        let (text, calls, reason) = follow(&options, &ids);
        assert_eq!((text.as_str(), calls), ("", vec![ToolCall::new("call_0", name, "{}")]));
        assert_eq!(reason, FinishReason::ToolCalls);
        // A damaged one keeps the reason.
        let (text, _, reason) = follow(&options, &ids_of("<|action_start|><|plugin|>你好!"));
        assert_eq!(text, "<|action_start|><|plugin|>你好");
        assert_eq!(reason, FinishReason::StopToken(id("!")));
    }
}

#[test]
fn a_stop_string_in_a_damaged_call_is_not_shown() {
    for stop in ["天气", "hello"] {
        let options = GenerateOptions::default().with_stop_strings([stop]);
        let ids = ids_of(&format!("上海<|action_start|><|plugin|>{{{stop}<|action_end|>"));
        let (text, calls, reason) = follow(&options, &ids);
        assert_eq!((text.as_str(), calls), ("上海<|action_start|><|plugin|>{", Vec::new()));
        assert_eq!(reason, FinishReason::StopString(stop.to_owned()));
    }
}

#[test]
fn a_character_in_bytes_is_told_whole_and_stops_like_any_other() {
    // None of these has a piece.
    for text in ["龙", "é", "😀", "z"] {
        let ids = ids_of(text);
        assert_eq!(ids.len(), text.len(), "one token for each byte");
        let told = follow(&GenerateOptions::default(), &ids);
        assert_eq!(told, (text.to_owned(), Vec::new(), FinishReason::Length));
        let options = GenerateOptions::default().with_stop_strings([text]);
        let stopped = follow(&options, &ids);
        assert_eq!(stopped, (String::new(), Vec::new(), FinishReason::StopString(text.to_owned())));
    }
}

#[test]
fn a_model_without_a_tokenizer_answers_in_tokens_only() {
    let folder = silent_folder(&tiny_config());
    let model = Pipeline::open(folder.path()).unwrap();
    let options = GenerateOptions::default();
    let mut answer = Answer::new(model.inner(), &options, &[5]);
    assert_eq!(answer.push(7).unwrap(), (String::new(), None));
    let finished = answer.finish(FinishReason::Length).unwrap();
    assert_eq!(finished, (String::new(), Vec::new(), FinishReason::Length));
}
