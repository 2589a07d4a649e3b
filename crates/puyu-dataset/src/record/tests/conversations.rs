use puyu_core::Role;

use super::*;

/// All rows of the file become conversations, which come back from their own form unchanged.
#[track_caller]
fn check_conversations(path: &str, form: Form, n_rows: usize) -> Vec<Conversation> {
    let convert = |row: AnyRecord| {
        let conversation = row.into_conversation().unwrap();
        let written = serde_json::to_string(&conversation).unwrap();
        let again = read::<Messages>(&written).unwrap();
        assert_eq!(Conversation::try_from(again).unwrap(), conversation, "{written}");
        conversation
    };
    check_file(path, form, n_rows).into_iter().map(convert).collect()
}

fn roles(conversation: &Conversation) -> Vec<&'static str> {
    conversation.messages().iter().map(|message| message.role.as_str()).collect()
}

#[test]
fn alpaca_becomes_question_and_answer() {
    check_conversations("sft/alpaca/alpaca_en.json", Form::Alpaca, 499);
    let zh = check_conversations("sft/alpaca/alpaca_zh.json", Form::Alpaca, 500);
    if let Some(second) = zh.get(1) {
        assert!(second.messages()[0].text().contains("适当的口号。\n输入：俄克拉荷马城"));
        assert_eq!(roles(second), ["user", "assistant"]);
    }
    let row = json!({"instruction": "三", "output": "3", "system": "数", "history": [["一", "1"]]});
    let conversation: Conversation = read::<Alpaca>(row).unwrap().try_into().unwrap();
    assert_eq!(roles(&conversation), ["system", "user", "assistant", "user", "assistant"]);
    let row = json!({"instruction": "三", "output": "3", "history": [["one"]]});
    let fault = Conversation::try_from(read::<Alpaca>(row).unwrap()).unwrap_err();
    assert_eq!(fault.field.as_deref(), Some("history[0]"));
}

#[test]
fn sharegpt_calls_are_answered() {
    check_conversations("sft/sharegpt/dummy_conversation.json", Form::ShareGpt, 120);
    for language in ["en", "zh"] {
        let path = format!("sft/sharegpt_tools/glaive_toolcall_{language}.json");
        let rows = check_conversations(&path, Form::ShareGpt, 150);
        for row in &rows {
            puyu_core::validate_conversation(row.messages()).unwrap();
        }
        if let (Some(row), "zh") = (rows.first(), language) {
            assert_eq!(roles(row), ["user", "assistant", "tool", "assistant"]);
            assert_eq!(row.messages()[1].tool_calls[0].function.name, "generate_invoice");
            assert_eq!(row.tools[0].function.description.as_deref(), Some("生成发票"));
        }
    }
}

#[track_caller]
fn check_turns(turns: &[(&str, &str)], field: &str, words: &str) {
    let turns: Vec<_> =
        turns.iter().map(|(from, value)| json!({"from": from, "value": value})).collect();
    let row: ShareGpt = read(json!({"conversations": turns})).unwrap();
    let fault = Conversation::try_from(row).unwrap_err();
    assert_eq!((fault.kind, fault.field.as_deref()), (FaultKind::Value, Some(field)), "{fault}");
    assert!(fault.to_string().contains(words), "{fault}");
}

#[test]
fn broken_alternation_is_a_fault_and_never_dropped() {
    check_turns(&[("gpt", "你好")], "conversations[0].from", "a turn of the user before");
    check_turns(&[("human", "a"), ("human", "b")], "conversations[1].from", "assistant before");
    check_turns(&[("human", "问")], "conversations", "a last turn of role user");
    check_turns(&[], "conversations", "no turn");
    check_turns(&[("human", "a"), ("observation", "{}")], "conversations[1].from", "a call");
    let call = r#"{"name": "f", "arguments": {}}"#;
    let calls = [("human", "a"), ("function_call", call), ("gpt", "b")];
    check_turns(&calls, "conversations[2].from", "assistant");
    check_turns(&[("human", "a"), ("function_call", "f(")], "conversations[1].value", "JSON");
    check_turns(&[("旁白", "a")], "conversations[0].from", "旁白");
}

#[test]
fn messages_keep_weights_reasoning_and_calls() {
    check_conversations("sft/openai_messages/openai_sft.jsonl", Form::Messages, 64);
    check_conversations("sft/xtuner/mllm_sft_text_example_data.jsonl", Form::Messages, 100);
    let weighted = check_conversations("sft/content_parts/v1_sft_demo.jsonl", Form::Messages, 250);
    if let Some(row) = weighted.first() {
        assert_eq!((row.loss_weight(0), row.loss_weight(1)), (0.0, 1.0));
    }
    let path = "sft/content_parts/reason_tool_use_demo_50.jsonl";
    let reasoning = check_conversations(path, Form::Messages, 25);
    if let Some(row) = reasoning.get(1) {
        let call = &row.messages()[2].tool_calls[0];
        assert_eq!(call.function.name, "get_movie_details");
        assert_eq!(row.messages()[3].tool_call_id.as_ref(), Some(&call.id));
        assert!(row.notes()[2].reasoning.as_ref().unwrap().starts_with("Alright"));
        assert_eq!(row.tools.len(), 2);
    }
}

#[test]
fn openai_calls_and_null_content_are_read() {
    let row = json!({"messages": [
        {"role": "user", "content": [{"type": "text", "text": "上海天气？"}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c9", "type": "function",
            "function": {"name": "weather", "arguments": "{\"城市\": \"上海\"}"}}]},
        {"role": "tool", "tool_call_id": "c9", "content": "晴"},
        {"role": "assistant", "content": "Sunny.", "loss": false}
    ], "tools": [{"type": "function", "function": {"name": "weather"}}]});
    let conversation: Conversation = read::<Messages>(&row).unwrap().try_into().unwrap();
    assert_eq!(conversation.messages()[2].tool_call_id.as_deref(), Some("c9"));
    assert_eq!(conversation.loss_weight(3), 0.0);
    puyu_core::validate_conversation(conversation.messages()).unwrap();
    let odd = json!({"messages": [{"role": "神", "content": "x"}]});
    let fault = Conversation::try_from(read::<Messages>(odd).unwrap()).unwrap_err();
    assert_eq!(fault.field.as_deref(), Some("messages[0].role"));
}

#[test]
fn xtuner_forms_are_read() {
    let rows = check_conversations("sft/xtuner/pretrain_example_data.jsonl", Form::Messages, 1);
    if let Some(row) = rows.first() {
        assert_eq!((roles(row), row.loss_weight(0)), (vec!["assistant"], 1.0));
    }
    let prompts = check_conversations_of_prompts("sft/xtuner/gsm8k_train_example_data.jsonl", 100);
    if let Some(prompt) = prompts.first() {
        assert_eq!(prompt.meta["reward_model"]["ground_truth"], "72");
        assert_eq!(roles(prompt), ["user"]);
    }
    let row = json!({"conversation": [{"system": "答", "input": "一加一？", "output": "2"},
        {"input": "And two?", "output": "4", "output_with_loss": false, "need_eos_token": true}]});
    let xtuner: XTuner = read(&row).unwrap();
    assert_eq!(serde_json::to_value(&xtuner).unwrap(), row);
    let conversation = Conversation::try_from(xtuner).unwrap();
    assert_eq!(roles(&conversation), ["system", "user", "assistant", "user", "assistant"]);
    assert_eq!((conversation.loss_weight(2), conversation.loss_weight(4)), (1.0, 0.0));
    let text = json!({"conversation": [{"input": "", "output": "长文 to pretrain on"}]});
    let conversation = Conversation::try_from(read::<XTuner>(text).unwrap()).unwrap();
    assert_eq!(roles(&conversation), ["assistant"]);
}

fn check_conversations_of_prompts(path: &str, n_rows: usize) -> Vec<Conversation> {
    let rows = check_file(path, Form::RewardPrompt, n_rows);
    rows.into_iter().map(|row| row.into_conversation().unwrap()).collect()
}

fn moss_files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => moss_files(&path, found),
            false => found.push(path),
        }
    }
    found.sort();
}

#[test]
fn moss_commands_become_calls_with_results_of_the_plugin() {
    let Some(folder) = shared("corpus/sft/moss_cc_by_nc") else { return };
    let mut files = Vec::new();
    moss_files(&folder, &mut files);
    assert_eq!(files.len(), 48);
    let mut n_calls = 0;
    for file in &files {
        for row in rows(file) {
            assert_eq!(detect_form(RawRow::Json(row.as_bytes())), Some(Form::Moss));
            let moss: Moss = read(&row).unwrap();
            let original: Value = serde_json::from_str(&row).unwrap();
            assert_eq!(serde_json::to_value(&moss).unwrap(), original);
            let conversation = Conversation::try_from(moss).unwrap();
            let messages = conversation.messages();
            n_calls += messages.iter().map(|message| message.tool_calls.len()).sum::<usize>();
            assert!(
                messages.iter().all(|m| !m.text().contains("<|")
                    || m.text().contains("<|1|>")
                    || m.text().contains("<|2|>")
                    || m.text().contains("<|3|>")),
                "{}",
                file.display()
            );
        }
    }
    assert!(n_calls > 37, "several turns have two or three calls, found {n_calls}");
}

#[test]
fn a_moss_turn_with_two_commands_reads_in_order() {
    let turn = json!({"Human": "<|Human|>: 算一下<eoh>\n",
        "Inner Thoughts": "<|Inner Thoughts|>: think<eot>\n",
        "Commands": "<|Commands|>: Search(\"北京 (2017)\"), Calculate(\"(1+1)*2\")<eoc>\n",
        "Tool Responses": "<|Results|>:\n=> '4'\n<eor>\n", "MOSS": "<|MOSS|>: 是 4。<eom>\n"});
    let row = json!({"conversation_id": "7", "num_turns": 1, "chat": {"turn_1": turn},
        "meta_instruction": "You are MOSS.\n- Calculator: enabled. API: Calculate(expression)\n"});
    let conversation = Conversation::try_from(read::<Moss>(&row).unwrap()).unwrap();
    assert_eq!(roles(&conversation), ["system", "user", "assistant", "environment", "assistant"]);
    let calls = &conversation.messages()[2].tool_calls;
    assert_eq!(calls[0].function.arguments, r#"{"input":"北京 (2017)"}"#);
    assert_eq!(calls[1].function.arguments, r#"{"expression":"(1+1)*2"}"#);
    assert_eq!(conversation.notes()[2].reasoning.as_deref(), Some("think"));
    assert_eq!(conversation.tools[0].function.name, "Calculate");
    let mut broken = row.clone();
    broken["chat"]["turn_1"]["MOSS"] = json!("no markers");
    let fault = read::<Moss>(broken).unwrap_err();
    assert_eq!(fault.field.as_deref(), Some("chat.turn_1.MOSS"));
}

#[test]
fn preference_pairs_share_their_prompt() {
    let rows = check_file("sft/preference/dpo_zh.json", Form::Preference, 150);
    for row in &rows {
        let AnyRecord::Preference(row) = row else { unreachable!("checked above") };
        let pair = PreferencePair::try_from(row.clone()).unwrap();
        assert!(pair.chosen != pair.rejected && pair.chosen[0].role == Role::Assistant);
        assert_eq!(pair.prompt.last().unwrap().role, Role::User);
    }
    let strings = json!({"prompt": "谁？", "chosen": "我。", "rejected": "Nobody."});
    let lists = json!({
        "chosen": [{"role": "user", "content": "谁？"}, {"role": "assistant", "content": "我。"}],
        "rejected": [{"role": "user", "content": "谁？"}, {"role": "assistant", "content": "Nobody."}]});
    let pairs = [strings, lists]
        .map(|row| PreferencePair::try_from(read::<Preference>(row).unwrap()).unwrap());
    assert_eq!(pairs[0], pairs[1]);
    assert_eq!(pairs[0].rejected[0].text(), "Nobody.");
    let bare = json!({"chosen": "a", "rejected": "b"});
    let fault = PreferencePair::try_from(read::<Preference>(bare).unwrap()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Missing);
}

#[test]
fn any_form_is_read_as_a_conversation() {
    let alpaca = json!({"instruction": "你好", "output": "Hello"});
    assert_eq!(roles(&read::<Conversation>(alpaca).unwrap()), ["user", "assistant"]);
    let document = json!({"id": "a", "content": "b"});
    assert_eq!(read::<Conversation>(document).unwrap_err().kind, FaultKind::Type);
}

/// The corpus has no file in XTuner's own form, so its tasks are put into it.
#[test]
fn shared_tasks_are_the_same_conversation_in_xtuners_form() {
    for file in ["alpaca_en.json", "alpaca_zh.json"] {
        let Some(path) = shared(format!("corpus/sft/alpaca/{file}")) else { return };
        let mut n_tasks = 0;
        for row in rows(&path) {
            let row: Value = serde_json::from_str(&row).unwrap();
            // Other tasks have a text of their own between question and answer.
            if row["input"] != "" {
                continue;
            }
            let (input, output) = (&row["instruction"], &row["output"]);
            let turns = json!({ "conversation": [{ "input": input, "output": output }] });
            let xtuner = Conversation::try_from(read::<XTuner>(turns).unwrap()).unwrap();
            let alpaca = Conversation::try_from(read::<Alpaca>(&row).unwrap()).unwrap();
            assert_eq!(xtuner.messages(), alpaca.messages(), "{row}");
            n_tasks += 1;
        }
        assert!(n_tasks > 100, "{file} has {n_tasks} plain tasks");
    }
}
