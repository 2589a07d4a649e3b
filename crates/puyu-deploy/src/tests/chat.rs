//! Conversations: what is kept between turns changes no answer.

use puyu_core::{Completion, ContentPart, FinishReason, MessageError, Role, ToolDefinition};
use puyu_model::RopeScaling;
use puyu_testkit::{Tolerance, assert_close};

use super::*;
use crate::Chat;

fn silently(_event: Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Says something, and compares with a fresh request that has the whole history.
#[track_caller]
fn say((model, chat): (&Pipeline, &mut Chat), text: &str, options: &GenerateOptions) -> Generation {
    let mut history = chat.messages().to_vec();
    history.push(Message::user(text));
    let request = GenerateRequest::new(Prompt::chat(history.clone()), options.clone());
    let fresh = model.complete(&request).unwrap();
    let answered = chat.send(Message::user(text), &mut silently).unwrap();
    assert_eq!(answered.completions, fresh.completions, "{text}");
    assert_eq!(answered.usage.prompt_tokens, fresh.usage.prompt_tokens);
    assert_eq!(fresh.usage.cached_tokens, 0);

    history.push(fresh.completions[0].to_message());
    assert_eq!(chat.messages(), history);
    answered
}

const TURNS: [&str; 4] = ["你好", "hello, 上海天气如何？", "Tell me more.", "再说一次。"];

#[test]
fn turn_by_turn_the_answers_are_those_of_fresh_requests() {
    let any = GenerateOptions {
        forbidden_token_ids: vec![id("<|action_start|>")],
        ..GenerateOptions::plain_sampling().with_max_new_tokens(20)
    };
    let penalised = GenerateOptions { frequency_penalty: 0.5, ..any.clone() };
    let options = [
        any.clone(),
        any.with_n_samples(2).with_seed(9),
        penalised.with_repetition_penalty(1.3),
        only(&ZH),
        only(&EN).with_max_new_tokens(1),
        only(&ZH).with_stop_strings(["好你", "。"]),
        GenerateOptions::greedy().with_max_new_tokens(0),
    ];
    for options in options {
        let mut chat = tiny().chat().with_options(options.clone());
        chat.set_system("请用中文回答。");
        let mut n_before = 0;
        for text in TURNS {
            let usage = say((tiny(), &mut chat), text, &options).usage;
            assert!(usage.cached_tokens >= n_before, "{usage:?}, {n_before} were computed before");
            assert!(usage.cached_tokens < usage.prompt_tokens);
            n_before = usage.prompt_tokens;
        }
        assert_eq!(chat.messages().len(), 1 + 2 * TURNS.len());
    }
}

#[test]
fn what_a_turn_drew_need_not_be_computed_again() {
    // 天 is one token in the answer and in the history alike, so only the last one drawn is new.
    for word in ["天", "!"] {
        let options = only(&[word]).with_max_new_tokens(10);
        let mut chat = tiny().chat().with_options(options.clone());
        let first = say((tiny(), &mut chat), "hello 你好", &options).usage;
        let second = say((tiny(), &mut chat), "天气", &options).usage;
        assert_eq!(second.cached_tokens, first.prompt_tokens + 9);
    }
}

#[test]
fn asking_gives_the_text_of_the_answer() {
    for (question, words) in [("你好吗？", ZH), ("How are you?", EN)] {
        let mut chat = tiny().chat().with_options(only(&words));
        let answer = chat.ask(question).unwrap();
        let prompt = Prompt::chat([Message::user(question)]);
        assert_eq!(answer, ask(prompt, only(&words)).text());
        assert_eq!(chat.messages(), [Message::user(question), Message::assistant(answer)]);
    }
}

#[test]
fn clearing_forgets_all_but_the_system_message() {
    let mut chat = tiny().chat().with_options(only(&ZH));
    for system in ["Answer briefly.", "请用中文回答。"] {
        chat.set_system(system);
        say((tiny(), &mut chat), "hello", &only(&ZH));
        chat.clear();
        assert_eq!(chat.messages(), [Message::system(system)]);
        say((tiny(), &mut chat), "上海天气如何？", &only(&ZH));
    }
    chat.set_system("");
    assert!(chat.messages().iter().all(|message| message.role != Role::System));
    say((tiny(), &mut chat), "还在吗？", &only(&ZH));
    chat.clear();
    assert!(chat.messages().is_empty());
    say((tiny(), &mut chat), "你好", &only(&ZH));
}

#[test]
fn a_turn_that_fails_leaves_the_conversation_as_it_was() {
    let model = open(PipelineOptions::default().with_context_tokens(200));
    let options = only(&EN).with_max_new_tokens(4);
    let mut chat = model.chat().with_options(options.clone());
    say((&model, &mut chat), "你好", &options);
    let before = chat.messages().to_vec();

    for long in ["天气 ".repeat(200), "hello ".repeat(200)] {
        let error = chat.send(Message::user(long), &mut silently).unwrap_err();
        let too_long = matches!(error, ModelError::PromptTooLong { context_tokens: 200, .. });
        assert!(too_long, "{error:?}");
        assert_eq!(chat.messages(), before);
    }
    let picture = Message::from_parts(Role::User, vec![ContentPart::image_url("file:cat.png")]);
    let error = chat.send(picture, &mut silently).unwrap_err();
    assert!(matches!(error, ModelError::InvalidPrompt { .. }), "{error:?}");
    let error = chat.send(Message::tool("call_9", "晴"), &mut silently).unwrap_err();
    let unknown = MessageError::UnknownToolCall { index: 2, tool_call_id: "call_9".to_owned() };
    let ModelError::InvalidMessages(found) = &error else { panic!("{error:?}") };
    assert_eq!(found.to_string(), unknown.to_string());
    assert_eq!(chat.messages(), before);

    let mut chat = chat.with_options(options.clone().with_temperature(f32::NAN));
    assert!(chat.ask("hello").is_err());
    assert_eq!(chat.messages(), before);
    let mut chat = chat.with_options(options.clone());
    say((&model, &mut chat), "hello", &options);
}

#[test]
fn an_answer_broken_off_is_part_of_the_conversation() {
    for (text, words) in [("你好", ZH), ("hello", EN)] {
        let mut chat = tiny().chat().with_options(only(&words));
        let mut n_tokens = 0;
        let broken_off = chat.send(Message::user(text), &mut |event| {
            n_tokens += usize::from(matches!(event, Event::Token { .. }));
            if n_tokens == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let Completion { text: said, tokens, reason, .. } =
            broken_off.unwrap().completions.remove(0);
        assert_eq!((tokens.len(), reason), (3, FinishReason::Cancelled));
        assert_eq!(chat.messages(), [Message::user(text), Message::assistant(said)]);
        say((tiny(), &mut chat), "Go on. 继续。", &only(&words));
    }
}

#[test]
fn a_turn_broken_off_before_a_word_is_forgotten() {
    for (text, words) in [("你好", ZH), ("hello", EN)] {
        let mut chat = tiny().chat().with_options(only(&words));
        say((tiny(), &mut chat), text, &only(&words));
        let before = chat.messages().to_vec();
        let silenced =
            chat.send(Message::user(text), &mut |_event| ControlFlow::Break(())).unwrap();
        assert_eq!(silenced.completions[0].reason, FinishReason::Cancelled);
        assert_eq!(chat.messages(), before);
        say((tiny(), &mut chat), "hello 上海", &only(&words));
    }
}

#[test]
fn tools_are_told_to_the_model() {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let tool = ToolDefinition::new("weather", "查询天气 of a city", schema);
    for (text, words) in [("上海天气？", ZH), ("hello", EN)] {
        let mut chat = tiny().chat().with_tools(vec![tool.clone()]).with_options(only(&words));
        let answered = chat.send(Message::user(text), &mut silently).unwrap();
        let prompt = Prompt::chat_with_tools([Message::user(text)], [tool.clone()]);
        assert_eq!(answered.usage.prompt_tokens, tiny().count_tokens(&prompt).unwrap());
        assert_eq!(answered.completions, ask(prompt.clone(), only(&words)).completions);
        let rendered = tiny().decode(&tiny().encode(&prompt).unwrap()).unwrap();
        assert!(rendered.contains("<|im_start|>system name=<|plugin|>\n[{\"name\": \"weather\""));
    }
}

#[test]
fn nothing_is_reused_where_the_rotation_depends_on_the_length() {
    let mut config = tiny_config();
    config.max_position_embeddings = 64;
    config.rope.max_position_embeddings = 64;
    config.rope.scaling = RopeScaling::DynamicNtk { factor: 2.0 };
    let folder = folder_of(&config);
    let options = PipelineOptions::default().with_context_tokens(512);
    let model = Pipeline::open_with(folder.path(), &options).unwrap();

    let options = only(&ZH).with_max_new_tokens(4).with_logprobs(0);
    let mut chat = model.chat().with_options(options.clone());
    chat.set_system("hello 上海天气");
    let long = chat.send(Message::user("hello 天气 ".repeat(40)), &mut silently).unwrap();
    assert!(long.usage.prompt_tokens > 100, "{:?}", long.usage);
    // The system message is shared, but its keys were rotated for the long prompt.
    chat.clear();
    let mut history = chat.messages().to_vec();
    history.push(Message::user("你好"));
    let short = chat.send(Message::user("你好"), &mut silently).unwrap();
    assert!(short.usage.total_tokens() < 64 && short.usage.cached_tokens == 0, "{:?}", short.usage);

    let fresh = model.complete(&GenerateRequest::new(Prompt::chat(history), options)).unwrap();
    let logprobs = |generation: &Generation| -> Vec<f32> {
        generation.completions[0].logprobs.iter().map(|token| token.logprob).collect()
    };
    assert_eq!(short.completions[0].tokens, fresh.completions[0].tokens);
    assert_close(&logprobs(&short), &logprobs(&fresh), Tolerance::within(1e-5));
    // Within the trained length both times, it is reused.
    chat.clear();
    let again = chat.send(Message::user("好"), &mut silently).unwrap();
    assert!(again.usage.cached_tokens > 10, "{:?}", again.usage);
}
