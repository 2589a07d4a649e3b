//! What a caller can get wrong: an error that says what, and never a panic.

use std::time::{Duration, Instant};

use puyu_core::{Capability, Constraint, MessageError, OptionsError, ScoreRequest, ToolDefinition};
use puyu_model::{CheckpointError, Family};

use super::*;
use crate::PipelineError;

/// Both ways to hand over a prompt refuse it.
#[track_caller]
fn refused(prompt: impl Into<Prompt>) -> ModelError {
    let prompt = prompt.into();
    let scored = tiny().score(&[ScoreRequest::new(prompt.clone(), "好")]).unwrap_err();
    let error = try_ask(prompt, only(&ZH)).unwrap_err();
    assert_eq!(scored.to_string(), error.to_string());
    error
}

#[test]
fn a_prompt_must_have_tokens() {
    assert!(matches!(refused(Vec::<u32>::new()), ModelError::EmptyPrompt));
    let empty = refused(Prompt::chat(Vec::<Message>::new()));
    let expected = MessageError::EmptyConversation;
    assert!(matches!(&empty, ModelError::InvalidMessages(found)
        if found.to_string() == expected.to_string()));
}

#[test]
fn tokens_beyond_the_vocabulary_are_named() {
    for found in [N_IDS as u32, u32::MAX] {
        let error = refused(vec![BOS, id("你好"), found, id("hello")]);
        let expected = ModelError::UnknownToken { index: 2, found, vocab_size: N_IDS };
        assert_eq!(error.to_string(), expected.to_string());
        let error = tiny().decode(&[id("上海"), found]).unwrap_err();
        assert!(matches!(error, ModelError::UnknownToken { index: 1, .. }), "{error:?}");
        let request = ScoreRequest::new("你好", vec![BOS, found]);
        let error = tiny().score(&[request]).unwrap_err();
        assert!(matches!(error, ModelError::UnknownToken { .. }), "{error:?}");
    }
}

#[test]
fn a_prompt_must_fit_the_context() {
    let model = open(PipelineOptions::default().with_context_tokens(16));
    for word in ["你好", "hello"] {
        let prompt = vec![id(word); 17];
        let request = GenerateRequest::new(prompt.clone(), only(&ZH));
        let expected = ModelError::PromptTooLong { tokens: 17, context_tokens: 16 };
        let mut n_events = 0;
        let refused = model.generate(&request, &mut |_event| {
            n_events += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(refused.unwrap_err().to_string(), expected.to_string());
        assert_eq!(n_events, 0, "nothing was started");
        let embedded = model.embed(&[prompt.into()]).unwrap_err();
        assert_eq!(embedded.to_string(), expected.to_string());
        // Context and continuation together.
        let fits = |n_tokens: usize| {
            model.score(&[ScoreRequest::new(vec![id(word); 10], vec![id(word); n_tokens])]).is_ok()
        };
        assert!(fits(6) && !fits(7));
    }
}

#[test]
fn a_message_of_a_million_characters_is_refused_quickly() {
    let messages = ["上海天气你好hello ".repeat(90_000), "!".repeat(1_000_000)];
    for message in messages {
        assert!(message.chars().count() >= 1_000_000);
        let start = Instant::now();
        let error = try_ask(Prompt::chat([Message::user(message)]), only(&ZH)).unwrap_err();
        let too_long = matches!(error, ModelError::PromptTooLong { context_tokens: 32_768, .. });
        assert!(too_long, "{error:?}");
        // A second or two; what is quadratic in the length would take hours.
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    }
}

#[test]
fn options_out_of_range_are_named() {
    let good = only(&ZH);
    let cases = [
        ("temperature", GenerateOptions { temperature: f32::NAN, ..good.clone() }),
        ("top_p", GenerateOptions { top_p: 1.5, ..good.clone() }),
        ("n_samples", GenerateOptions { n_samples: 0, ..good.clone() }),
        ("min_new_tokens", GenerateOptions { min_new_tokens: 25, ..good.clone() }),
        ("stop_token_ids", GenerateOptions { stop_token_ids: vec![9_999], ..good.clone() }),
        ("length of a stop string", good.clone().with_stop_strings([""])),
        ("repetition_penalty", good.with_repetition_penalty(0.0)),
    ];
    for (field, options) in cases {
        for prompt in ["你好", "hello"] {
            match try_ask(prompt, options.clone()) {
                Err(ModelError::InvalidOptions(error)) => {
                    assert!(error.to_string().contains(field), "{field}: {error}");
                }
                other => panic!("{field}: {other:?}"),
            }
        }
    }
    let request = ScoreRequest::new("你好", "hello").with_top(129);
    let error = tiny().score(&[request]).unwrap_err();
    let ModelError::InvalidOptions(found) = &error else { panic!("{error:?}") };
    assert_eq!(*found, OptionsError::Count { field: "n_top", from: 0, to: 128, found: 129 });
}

#[test]
fn nothing_left_to_draw_is_an_error() {
    for prompt in ["你好", "hello"] {
        let options =
            GenerateOptions { forbidden_token_ids: vec![id("上海")], ..only(&["上海"]) };
        let error = try_ask(prompt, options).unwrap_err();
        assert!(matches!(error, ModelError::Sample(_)), "{error:?}");
    }
}

#[test]
fn adapters_and_constraints_are_refused_and_not_ignored() {
    for name in ["适配器", "adapter"] {
        let request = GenerateRequest::new("你好", only(&ZH)).with_adapter(name.to_owned());
        let scored = ScoreRequest::new("你好", "hello").with_adapter(name.to_owned());
        let errors = [tiny().complete(&request).unwrap_err(), tiny().score(&[scored]).unwrap_err()];
        for error in errors {
            assert!(
                matches!(&error, ModelError::UnknownAdapter { name: found } if found == name),
                "{error:?}"
            );
        }
    }
    for pattern in ["[0-9]+", "[上海]+"] {
        let constraint = Constraint::Regex { pattern: pattern.to_owned() };
        let error = try_ask("hello", only(&ZH).with_constraint(constraint)).unwrap_err();
        let capability = Capability::Constraints;
        assert_eq!(error.to_string(), ModelError::Unsupported { capability }.to_string());
    }
}

#[test]
fn a_folder_without_a_tokenizer_speaks_in_tokens_only() {
    let folder = silent_folder(&tiny_config());
    let model = Pipeline::open(folder.path()).unwrap();
    let unsupported = |error: ModelError, expected: Capability| {
        let is_right = matches!(error,
            ModelError::Unsupported { capability } if capability == expected);
        assert!(is_right, "{error:?}");
    };
    for text in ["你好", "hello"] {
        for prompt in [Prompt::text(text), Prompt::chat([Message::user(text)])] {
            unsupported(model.encode(&prompt).unwrap_err(), Capability::Encode);
            let request = GenerateRequest::new(prompt, only(&ZH));
            unsupported(model.complete(&request).unwrap_err(), Capability::Encode);
        }
        unsupported(model.chat().ask(text).unwrap_err(), Capability::Encode);
        unsupported(model.ask(text).unwrap_err(), Capability::Encode);
        let stop = only(&ZH).with_stop_strings([text]);
        let request = GenerateRequest::new(vec![BOS, 5], stop);
        unsupported(model.complete(&request).unwrap_err(), Capability::Decode);
    }
    unsupported(model.decode(&[5]).unwrap_err(), Capability::Decode);

    let request = GenerateRequest::new(vec![BOS, 5], only(&ZH));
    let (events, generation) = listen(&model, &request);
    assert_eq!(generation.completions[0].tokens.len(), 24);
    assert_eq!((generation.text(), events.len()), ("", 26));
}

#[test]
fn a_folder_without_a_template_says_so() {
    let folder = folder_of(&DecoderConfig { family: Family::Llama, ..tiny_config() });
    let model = Pipeline::open(folder.path()).unwrap();
    for text in ["你好", "hello"] {
        let Err(ModelError::InvalidPrompt { source }) = model.ask(text) else {
            panic!("{text} was answered")
        };
        assert!(source.to_string().contains("llama"), "{source}");
        let request = GenerateRequest::new(text, only(&ZH));
        assert_eq!(listen(&model, &request).1.completions[0].tokens.len(), 24);
    }
}

#[test]
fn tools_with_bad_names_and_messages_out_of_order_are_refused() {
    for name in ["查 天气", ""] {
        let tool = ToolDefinition::new(name, "", json!({ "type": "object" }));
        let prompt = Prompt::chat_with_tools([Message::user("hello")], [tool]);
        assert!(matches!(refused(prompt), ModelError::InvalidMessages(_)), "{name}");
    }
    for text in ["晴", "sunny"] {
        let prompt = Prompt::chat([Message::user("天气？"), Message::tool("call_0", text)]);
        assert!(matches!(refused(prompt), ModelError::InvalidMessages(_)), "{text}");
    }
}

#[track_caller]
fn not_opened(folder: &Path) -> PipelineError {
    Pipeline::open(folder).unwrap_err()
}

#[test]
fn a_folder_that_is_no_model_names_the_file_at_fault() {
    let work = tempfile::tempdir().unwrap();
    for missing in ["没有这个模型", "no such model"] {
        let error = not_opened(&work.path().join(missing));
        let PipelineError::Checkpoint(CheckpointError::Io { path, .. }) = &error else {
            panic!("{error:?}")
        };
        assert!(path.to_string_lossy().contains(missing), "{error:?}");
    }
    assert!(matches!(not_opened(work.path()), PipelineError::Checkpoint(_)));

    let folder = folder_of(&tiny_config());
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let error = not_opened(folder.path());
    let no_weights = matches!(error, PipelineError::Checkpoint(CheckpointError::NoWeights { .. }));
    assert!(no_weights, "{error:?}");

    for damage in ["{", "不是 JSON", "[1, 2]"] {
        let folder = folder_of(&tiny_config());
        std::fs::write(folder.path().join("tokenizer.json"), damage).unwrap();
        let error = not_opened(folder.path());
        assert!(matches!(error, PipelineError::Tokenizer(_)), "{damage}: {error:?}");

        let folder = folder_of(&tiny_config());
        std::fs::write(folder.path().join("config.json"), damage).unwrap();
        let error = not_opened(folder.path());
        assert!(matches!(error, PipelineError::Checkpoint(_)), "{damage}: {error:?}");
    }
}

#[test]
fn a_tokenizer_must_not_have_more_ids_than_the_model() {
    for vocab_size in [3, 100, N_IDS - 1] {
        let folder = folder_of(&DecoderConfig { vocab_size, ..tiny_config() });
        let error = not_opened(folder.path());
        let PipelineError::Vocabulary { tokenizer, model, folder: named } = &error else {
            panic!("{error:?}")
        };
        assert_eq!((*tokenizer, *model, named.as_path()), (N_IDS, vocab_size, folder.path()));
    }
}
