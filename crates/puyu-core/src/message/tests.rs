use serde_json::json;

use super::*;

/// The value is read from `wire`, and is written as `wire`.
#[track_caller]
fn check_round_trip(wire: Value, message: &Message) {
    assert_eq!(&serde_json::from_value::<Message>(wire.clone()).unwrap(), message);
    assert_eq!(serde_json::to_value(message).unwrap(), wire);
}

#[test]
fn text_messages_of_every_role_round_trip() {
    for text in ["你好，浦语", "Hello, Puyu", ""] {
        check_round_trip(json!({"role": "system", "content": text}), &Message::system(text));
        check_round_trip(json!({"role": "user", "content": text}), &Message::user(text));
        check_round_trip(json!({"role": "assistant", "content": text}), &Message::assistant(text));
        check_round_trip(
            json!({"role": "environment", "content": text, "name": "plugin"}),
            &Message::environment("plugin", text),
        );
        check_round_trip(
            json!({"role": "tool", "content": text, "tool_call_id": "call_0"}),
            &Message::tool("call_0", text),
        );
    }
}

#[test]
fn parts_of_every_kind_round_trip() {
    let message = Message::from_parts(
        Role::User,
        vec![
            ContentPart::text("图里是什么？"),
            ContentPart::image_url("data:image/png;base64,AAAA"),
            ContentPart::VideoUrl { video_url: VideoUrl { url: "file:///a.mp4".into() } },
            ContentPart::InputAudio {
                input_audio: InputAudio { data: "AAAA".into(), format: "wav".into() },
            },
            ContentPart::text(" What is in the picture?"),
        ],
    );
    check_round_trip(
        json!({"role": "user", "content": [
            {"type": "text", "text": "图里是什么？"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "video_url", "video_url": {"url": "file:///a.mp4"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "text", "text": " What is in the picture?"},
        ]}),
        &message,
    );
    assert_eq!(message.text(), "图里是什么？ What is in the picture?");
    assert!(!message.is_text_only());
}

#[test]
fn tool_calls_round_trip() {
    let call = ToolCall::new("call_0", "天气", r#"{"城市": "上海"}"#);
    let mut message = Message::assistant("").with_tool_calls(vec![call]);
    message.content.clear();
    check_round_trip(
        json!({"role": "assistant", "content": null, "tool_calls": [
            {"type": "function", "id": "call_0",
             "function": {"name": "天气", "arguments": "{\"城市\": \"上海\"}"}},
        ]}),
        &message,
    );
    let arguments = message.tool_calls[0].function.parse_arguments().unwrap();
    assert_eq!(arguments["城市"], "上海");
}

#[test]
fn lenient_forms_of_other_programs_are_read() {
    let read = |wire: Value| serde_json::from_value::<Message>(wire).unwrap();
    // A list of one text is the same message as the text.
    let listed = json!({"role": "user", "content": [{"type": "text", "text": "你好"}]});
    assert_eq!(read(listed), Message::user("你好"));
    assert_eq!(read(json!({"role": "developer", "content": "x"})), Message::system("x"));
    // Explicit nulls, unknown fields, no `type`, arguments as an object.
    let message = read(json!({
        "role": "assistant", "refusal": null, "name": null, "tool_call_id": null,
        "tool_calls": [{"id": null, "function": {"name": "f", "arguments": {"x": 1}}}],
    }));
    assert_eq!(message.tool_calls, [ToolCall::new("", "f", r#"{"x":1}"#)]);
    assert!(message.content.is_empty());
    let no_calls = read(json!({"role": "assistant", "content": "x", "tool_calls": null}));
    assert_eq!(no_calls, Message::assistant("x"));
}

#[test]
fn wrong_wire_forms_are_refused_with_the_reason() {
    let cases = [
        (json!({"role": "robot", "content": "x"}), "robot"),
        (json!({"role": "user", "content": 3}), "found a number"),
        (json!({"role": "user", "content": [{"type": "smell"}]}), "smell"),
        (json!({"role": "user", "content": [{"type": "text"}]}), "missing field `text`"),
        (
            json!({"role": "assistant", "tool_calls": [
                {"type": "retrieval", "function": {"name": "f"}}]}),
            "must be `function`, found `retrieval`",
        ),
        (
            json!({"role": "assistant", "tool_calls": [
                {"function": {"name": "f", "arguments": [1]}}]}),
            "found a list",
        ),
    ];
    for (wire, reason) in cases {
        let message = serde_json::from_value::<Message>(wire).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn tool_definitions_round_trip_and_are_checked() {
    let schema = json!({"type": "object", "properties": {"城市": {"type": "string"}}});
    let tool = ToolDefinition::new("查天气", "查询城市的天气", schema.clone());
    let wire = json!({"type": "function", "function": {
        "name": "查天气", "description": "查询城市的天气", "parameters": schema}});
    assert_eq!(serde_json::to_value(&tool).unwrap(), wire);
    assert_eq!(serde_json::from_value::<ToolDefinition>(wire).unwrap(), tool);
    tool.validate().unwrap();

    let bare = json!({"type": "function", "function": {"name": "now"}});
    let bare: ToolDefinition = serde_json::from_value(bare).unwrap();
    assert_eq!(bare.function.parameters, json!({}));
    bare.validate().unwrap();

    for name in ["", "two words", "a\"b", "a\nb", &"长".repeat(65)] {
        let error = ToolDefinition::new(name, "", json!({})).validate().unwrap_err();
        assert!(matches!(error, MessageError::FunctionName { .. }), "{error}");
    }
    ToolDefinition::new("长".repeat(64), "", json!({})).validate().unwrap();
    let error = ToolDefinition::new("f", "", json!([])).validate().unwrap_err();
    assert!(matches!(error, MessageError::ParametersNotObject { found: "a list", .. }));
}

#[test]
fn arguments_that_are_not_an_object_are_refused() {
    let parse = |text: &str| ToolCall::new("", "f", text).function.parse_arguments();
    assert!(matches!(parse("{"), Err(MessageError::DamagedArguments { .. })));
    assert!(matches!(parse(""), Err(MessageError::DamagedArguments { .. })));
    assert!(matches!(parse("3"), Err(MessageError::ArgumentsNotObject { found: "a number", .. })));
    assert!(parse("{}").unwrap().is_empty());
}

#[test]
fn conversations_are_checked_message_by_message() {
    let call = || vec![ToolCall::new("call_0", "f", "{}")];
    let mut silent = Message::user("");
    silent.content.clear();
    let mut stray = Message::user("x");
    stray.tool_call_id = Some("call_0".into());
    let mut lost = Message::tool("x", "晴");
    lost.tool_call_id = None;

    let good = [
        Message::system("你是浦语"),
        Message::user("天气?"),
        Message::assistant("").with_tool_calls(call()),
        Message::tool("call_0", "晴"),
        Message::assistant("晴天 / sunny"),
    ];
    validate_conversation(&good).unwrap();

    let fault = |messages: Vec<Message>| validate_conversation(&messages).unwrap_err();
    assert!(matches!(fault(vec![]), MessageError::EmptyConversation));
    assert!(matches!(
        fault(vec![Message::user("x"), silent]),
        MessageError::EmptyMessage { index: 1, role: Role::User }
    ));
    assert!(matches!(
        fault(vec![Message::user("x").with_tool_calls(call())]),
        MessageError::ToolCallsFromRole { index: 0, role: Role::User }
    ));
    assert!(matches!(fault(vec![lost]), MessageError::MissingToolCallId { index: 0 }));
    assert!(matches!(fault(vec![stray]), MessageError::ToolCallIdOnRole { index: 0, .. }));
    let early = fault(vec![
        Message::user("x"),
        Message::tool("call_0", "晴"),
        Message::assistant("").with_tool_calls(call()),
    ]);
    assert!(matches!(early, MessageError::UnknownToolCall { index: 1, .. }));
}
