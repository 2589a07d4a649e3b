use puyu_core::{
    CancelToken, FinishReason, GenerateOptions, Message, ModelError, Score, ScoreRequest, ToolCall,
};

use super::*;

const REPLY: &str = "上海今天晴。Sunny in Shanghai.";

fn model() -> ScriptedModel {
    ScriptedModel::new().answer("天气", REPLY).answer("weather", REPLY)
}

/// Generates, and checks what the trait promises about events.
#[track_caller]
fn stream(model: &ScriptedModel, request: &GenerateRequest) -> Generation {
    let mut events = Vec::new();
    let generation = model
        .generate(request, &mut |event| {
            events.push(event);
            ControlFlow::Continue(())
        })
        .unwrap();
    let prompt_tokens = generation.usage.prompt_tokens;
    assert_eq!(events[0], Event::Started { prompt_tokens });
    for (sample, completion) in generation.completions.iter().enumerate() {
        let (mut ids, mut joined, mut reasons) = (Vec::new(), String::new(), Vec::new());
        for event in &events {
            match event {
                Event::Token { sample: s, id, text, .. } if *s == sample => {
                    ids.push(*id);
                    joined.push_str(text);
                }
                Event::Finished { sample: s, reason } if *s == sample => reasons.push(reason),
                _ => {}
            }
        }
        assert_eq!((&ids, &joined), (&completion.tokens, &completion.text));
        assert_eq!(reasons, [&completion.reason]);
    }
    generation
}

fn ask(text: &str, options: GenerateOptions) -> GenerateRequest {
    GenerateRequest::new(Prompt::chat([Message::user(text)]), options)
}

#[test]
fn replies_stream_in_whole_characters_and_end() {
    for question in ["天气如何？", "How is the weather?"] {
        let generation = stream(&model(), &ask(question, GenerateOptions::greedy()));
        let completion = &generation.completions[0];
        assert_eq!((completion.text.as_str(), &completion.reason), (REPLY, &FinishReason::Stop));
        assert_eq!(completion.tokens.len(), REPLY.len() + 1);
        assert_eq!(completion.tokens.last(), Some(&END));
        assert_eq!(generation.usage.completion_tokens, REPLY.len() + 1);
    }
}

#[test]
fn stops_and_limits_cut_the_reply() {
    let base = GenerateOptions::greedy;
    let cases = [
        (
            base().with_stop_strings(["。", "Sunny"]),
            "上海今天晴",
            FinishReason::StopString("。".into()),
        ),
        (
            base().with_stop_strings(["no such", "in "]),
            "上海今天晴。Sunny ",
            FinishReason::StopString("in ".into()),
        ),
        (
            base().with_stop_token_ids([u32::from(b'S')]),
            "上海今天晴。",
            FinishReason::StopToken(83),
        ),
        (base().with_stop_token_ids([END]), REPLY, FinishReason::Stop),
        // The seventh byte is the first of the third character.
        (base().with_max_new_tokens(7), "上海", FinishReason::Length),
        (base().with_max_new_tokens(0), "", FinishReason::Length),
    ];
    for (options, text, reason) in cases {
        let generation = stream(&model(), &ask("天气", options));
        let completion = &generation.completions[0];
        assert_eq!((completion.text.as_str(), &completion.reason), (text, &reason));
    }
    let small = model().with_context_tokens(20);
    let generation = stream(&small, &ask("天气", GenerateOptions::greedy()));
    assert_eq!(generation.completions[0].reason, FinishReason::ContextFull);
    assert_eq!(generation.usage.total_tokens(), 20);
}

#[test]
fn samples_take_one_reply_each_and_the_last_stays() {
    let model = ScriptedModel::new().answers("", ["一", "two"]);
    let generation = stream(&model, &ask("?", GenerateOptions::default().with_n_samples(3)));
    let texts: Vec<&str> = generation.completions.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(texts, ["一", "two", "two"]);
    assert_eq!(model.requests().len(), 1);
}

#[test]
fn tool_calls_come_with_the_end() {
    let calls = vec![ToolCall::new("call_0", "天气", r#"{"城市": "上海"}"#)];
    let model = ScriptedModel::new().answer("", Reply::tool_calls(calls.clone()));
    let generation = stream(&model, &ask("?", GenerateOptions::default()));
    let completion = &generation.completions[0];
    assert_eq!(completion.reason, FinishReason::ToolCalls);
    assert_eq!(completion.tool_calls, calls);
}

#[test]
fn breaking_off_and_cancelling_keep_what_is_there() {
    let request = ask("天气", GenerateOptions::greedy().with_n_samples(2));
    let mut n_tokens = 0;
    let generation = model()
        .generate(&request, &mut |event| {
            n_tokens += usize::from(matches!(event, Event::Token { .. }));
            if n_tokens == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    let found: Vec<_> =
        generation.completions.iter().map(|c| (c.text.as_str(), c.tokens.len())).collect();
    assert_eq!(found, [("上", 4), ("", 0)]);
    assert!(generation.completions.iter().all(|c| c.reason == FinishReason::Cancelled));

    let cancel = CancelToken::new();
    cancel.cancel();
    let generation = stream(&model(), &request.with_cancel(cancel));
    assert_eq!(generation.completions[0].reason, FinishReason::Cancelled);
    assert_eq!(generation.usage.completion_tokens, 0);
}

#[test]
fn log_probabilities_of_prompt_answer_and_score_agree() {
    let options =
        GenerateOptions { prompt_logprobs: Some(1), ..GenerateOptions::greedy().with_logprobs(2) };
    let generation = stream(&model(), &ask("天气", options));
    let prompt = model().encode(&Prompt::chat([Message::user("天气")])).unwrap();
    assert_eq!(generation.prompt_logprobs.len(), prompt.len());
    assert_eq!(generation.prompt_logprobs[0], None);

    let completion = &generation.completions[0];
    let request = ScoreRequest::new(prompt, completion.tokens.clone()).with_top(2);
    let score: Score = model().score(&[request]).unwrap().remove(0);
    assert_eq!(score.tokens, completion.logprobs);
    assert!(!score.is_greedy && score.logprob() < 0.0);
}

#[test]
fn probabilities_add_up_to_one() {
    for previous in [0, 65, BEGIN, END] {
        let top = bytes::logprob(previous, 0, VOCAB_SIZE).top;
        let total: f64 = top.iter().map(|&(_, logprob)| f64::from(logprob).exp()).sum();
        assert!((total - 1.0).abs() < 1e-5, "{total}");
        let greedy = ScoreRequest::new(vec![previous], vec![top[0].0]);
        assert!(model().score(&[greedy]).unwrap()[0].is_greedy);
    }
}

#[test]
fn text_scores_as_its_tokens() {
    for (context, continuation) in [("中国的首都是", "北京"), ("The capital is", " Beijing")]
    {
        let by_text = ScoreRequest::new(context, continuation);
        let tokens: Vec<u32> = continuation.bytes().map(u32::from).collect();
        let by_tokens = ScoreRequest::new(context, tokens);
        let scores = model().score(&[by_text, by_tokens]).unwrap();
        assert_eq!(scores[0], scores[1]);
        assert_eq!(scores[0].tokens.len(), continuation.len());
    }
}

#[test]
fn encoding_and_decoding_are_inverse() {
    let model = model();
    let tokens = model.encode(&"你好 hello".into()).unwrap();
    assert_eq!(model.decode(&tokens).unwrap(), "<s>你好 hello");
    let chat = model.encode(&Prompt::chat([Message::user("你好")])).unwrap();
    assert_eq!(model.decode(&chat).unwrap(), "<s><user>你好</s><assistant>");
    assert_eq!(model.count_tokens(&"你好".into()).unwrap(), 7);
}

#[test]
fn what_cannot_be_done_is_refused() {
    let model = model();
    let refuse = |request: GenerateRequest| model.complete(&request).unwrap_err();
    let base = GenerateOptions::default;
    let constraint = puyu_core::Constraint::Regex { pattern: "是|否".into() };
    assert!(matches!(
        refuse(ask("天气", base().with_constraint(constraint))),
        ModelError::Unsupported { capability: Capability::Constraints }
    ));
    assert!(matches!(refuse(ask("天气", base().with_top_p(2.0))), ModelError::InvalidOptions(_)));
    assert!(matches!(
        refuse(ask("天气", base()).with_adapter("甲".to_owned())),
        ModelError::UnknownAdapter { .. }
    ));
    assert!(matches!(refuse(ask(&"长".repeat(2_000), base())), ModelError::PromptTooLong { .. }));
    assert!(matches!(
        refuse(GenerateRequest::new(Vec::<Message>::new(), base())),
        ModelError::InvalidMessages(_)
    ));
    assert!(matches!(
        refuse(GenerateRequest::new(vec![1, 999], base())),
        ModelError::UnknownToken { index: 1, found: 999, .. }
    ));
    assert!(matches!(
        refuse(GenerateRequest::new(Vec::<u32>::new(), base())),
        ModelError::EmptyPrompt
    ));
    assert!(matches!(refuse(ask("无", base())), ModelError::Backend { .. }));
}

#[test]
fn embeddings_have_length_one_and_reflect_the_text() {
    let vectors = model().embed(&["你好".into(), "你好".into(), "hello".into()]).unwrap();
    assert_eq!(vectors[0], vectors[1]);
    assert_ne!(vectors[0], vectors[2]);
    let length: f32 = vectors[2].iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-6);
}
