use serde_json::json;

use super::*;
use crate::{GenerateOptions, Message, ModelError, ToolCall};

/// Answers each prompt with its own length; refuses empty ones.
struct Counter(ModelInfo);

impl LanguageModel for Counter {
    fn info(&self) -> &ModelInfo {
        &self.0
    }

    fn generate(
        &self,
        request: &GenerateRequest,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Generation, ModelError> {
        let Prompt::Text(text) = &request.prompt else { return Err(ModelError::Cancelled) };
        if text.is_empty() {
            return Err(ModelError::EmptyPrompt);
        }
        let reason = match on_event(Event::Started { prompt_tokens: text.len() }) {
            ControlFlow::Break(()) => FinishReason::Cancelled,
            ControlFlow::Continue(()) => FinishReason::Stop,
        };
        let text = text.chars().count().to_string();
        let completion =
            Completion { text, tokens: vec![], logprobs: vec![], tool_calls: vec![], reason };
        let usage = Usage::default();
        Ok(Generation { completions: vec![completion], prompt_logprobs: vec![], usage })
    }
}

fn counter() -> Box<dyn LanguageModel> {
    Box::new(Counter(ModelInfo::new("counter", "0", 8, 10)))
}

fn ask(text: &str) -> GenerateRequest {
    GenerateRequest::new(text, GenerateOptions::default())
}

#[test]
fn a_failing_request_does_not_spoil_its_batch() {
    let answers = counter().generate_batch(&[ask("你好"), ask(""), ask("hello")]);
    assert_eq!(answers[0].as_ref().unwrap().text(), "2");
    assert!(matches!(answers[1], Err(ModelError::EmptyPrompt)));
    assert_eq!(answers[2].as_ref().unwrap().text(), "5");
}

#[test]
fn what_is_not_written_is_refused_by_name() {
    let model = counter();
    let refused = |error: ModelError| match error {
        ModelError::Unsupported { capability } => capability,
        other => panic!("expected a refusal, found {other}"),
    };
    assert_eq!(refused(model.encode(&"你好".into()).unwrap_err()), Capability::Encode);
    assert_eq!(refused(model.count_tokens(&"hi".into()).unwrap_err()), Capability::Encode);
    assert_eq!(refused(model.decode(&[1]).unwrap_err()), Capability::Decode);
    assert_eq!(refused(model.score(&[]).unwrap_err()), Capability::Score);
    let error = model.embed(&[]).unwrap_err();
    assert_eq!(error.to_string(), "this model does not support embedding texts");
}

#[test]
fn breaking_off_is_seen_by_the_model() {
    let generation = counter().generate(&ask("你好"), &mut |_| ControlFlow::Break(())).unwrap();
    assert_eq!(generation.completions[0].reason, FinishReason::Cancelled);
}

#[test]
fn clones_of_a_cancel_token_share_their_state() {
    let token = CancelToken::new();
    let request = ask("x").with_cancel(token.clone());
    assert!(!request.cancel.is_cancelled());
    std::thread::spawn(move || token.cancel()).join().unwrap();
    assert!(request.cancel.is_cancelled());
    assert!(!CancelToken::new().is_cancelled());
}

#[test]
fn finish_reasons_have_the_words_of_openai() {
    let cases = [
        (FinishReason::Stop, "stop"),
        (FinishReason::StopToken(2), "stop"),
        (FinishReason::StopString("。".into()), "stop"),
        (FinishReason::Cancelled, "stop"),
        (FinishReason::Length, "length"),
        (FinishReason::ContextFull, "length"),
        (FinishReason::ToolCalls, "tool_calls"),
    ];
    for (reason, word) in cases {
        assert_eq!(reason.wire_name(), word);
        let text = serde_json::to_string(&reason).unwrap();
        assert_eq!(serde_json::from_str::<FinishReason>(&text).unwrap(), reason);
    }
}

#[test]
fn a_generation_round_trips_for_journals() {
    let token = TokenLogprob { id: 3, logprob: -0.5, top: vec![(3, -0.5), (1, -2.0)] };
    let completion = Completion {
        text: "晴 / sunny".into(),
        tokens: vec![3],
        logprobs: vec![token.clone()],
        tool_calls: vec![ToolCall::new("call_0", "天气", "{}")],
        reason: FinishReason::ToolCalls,
    };
    let generation = Generation {
        completions: vec![completion],
        prompt_logprobs: vec![None, Some(token)],
        usage: Usage { prompt_tokens: 2, cached_tokens: 1, completion_tokens: 1 },
    };
    let text = serde_json::to_string(&generation).unwrap();
    assert_eq!(serde_json::from_str::<Generation>(&text).unwrap(), generation);
    assert_eq!(generation.usage.total_tokens(), 3);
}

#[test]
fn a_completion_becomes_the_next_message() {
    let mut completion = Completion {
        text: "你好".into(),
        tokens: vec![],
        logprobs: vec![],
        tool_calls: vec![],
        reason: FinishReason::Stop,
    };
    assert_eq!(completion.to_message(), Message::assistant("你好"));
    completion.text.clear();
    assert_eq!(completion.to_message(), Message::assistant(""));
    completion.tool_calls.push(ToolCall::new("call_0", "f", "{}"));
    let message = completion.to_message();
    assert!(message.content.is_empty() && message.tool_calls.len() == 1);
}

#[test]
fn prompts_round_trip_and_convert() {
    let prompts = [
        Prompt::from("从前"),
        Prompt::from(vec![1, 2]),
        Prompt::from(vec![Message::user("hello")]),
    ];
    let wires = [
        json!({"text": "从前"}),
        json!({"tokens": [1, 2]}),
        json!({"chat": {"messages": [{"role": "user", "content": "hello"}]}}),
    ];
    for (prompt, wire) in prompts.into_iter().zip(wires) {
        assert_eq!(serde_json::to_value(&prompt).unwrap(), wire);
        assert_eq!(serde_json::from_value::<Prompt>(wire).unwrap(), prompt);
    }
}

#[test]
fn a_score_adds_up_its_tokens() {
    let token = |logprob| TokenLogprob { id: 0, logprob, top: vec![] };
    let tokens = vec![token(-0.5), token(-1.25)];
    let score = Score { tokens, is_greedy: false, context_tokens: 1 };
    assert_eq!(score.logprob(), -1.75);
}
