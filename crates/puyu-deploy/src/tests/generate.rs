//! Events, samples, seeds, and a real model's stories.

use puyu_core::{FinishReason, Usage};
use puyu_testkit::{golden_json, shared};

use super::*;

/// The events say exactly what the generation says, in order.
#[track_caller]
fn check_events(prompt: Prompt, options: GenerateOptions) {
    let request = GenerateRequest::new(prompt, options);
    let (events, generation) = listen(tiny(), &request);
    let Usage { prompt_tokens, completion_tokens, .. } = generation.usage;
    assert_eq!(events[0], Event::Started { prompt_tokens });
    assert_eq!(prompt_tokens, tiny().count_tokens(&request.prompt).unwrap());
    assert_eq!(generation.completions.len(), request.options.n_samples);
    let n_tokens: usize = generation.completions.iter().map(|c| c.tokens.len()).sum();
    assert_eq!(completion_tokens, n_tokens);

    let mut rest = events[1..].iter();
    for (sample, completion) in generation.completions.iter().enumerate() {
        let (mut told, mut logprobs, mut ids) = (String::new(), Vec::new(), Vec::new());
        let reason = loop {
            match rest.next().unwrap() {
                Event::Token { sample: of, id, text, logprob } => {
                    assert_eq!(*of, sample);
                    told += text;
                    ids.push(*id);
                    logprobs.extend(logprob.clone());
                }
                Event::Finished { sample: of, reason } => {
                    assert_eq!(*of, sample);
                    break reason;
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(told, completion.text, "{:?}", request.prompt);
        assert_eq!((&ids, &logprobs), (&completion.tokens, &completion.logprobs));
        assert_eq!(*reason, completion.reason);
    }
    assert_eq!(rest.next(), None);
}

#[test]
fn events_joined_are_the_answer() {
    for prompt in prompts() {
        let any = GenerateOptions {
            // What follows it is a call, which is not text.
            forbidden_token_ids: vec![id("<|action_start|>")],
            ..GenerateOptions::plain_sampling().with_max_new_tokens(40)
        };
        let stop = GenerateOptions { ignore_eos: true, ..any.clone() };
        let written = GenerateOptions { skip_special_tokens: false, ..any.clone() };
        check_events(prompt.clone(), any.clone());
        check_events(prompt.clone(), any.with_n_samples(3).with_logprobs(2));
        check_events(prompt.clone(), stop.with_stop_strings(["你好", "hello", "\n"]));
        check_events(prompt.clone(), written);
        check_events(prompt.clone(), only(&ZH).with_stop_strings(["好你", "海。"]));
        check_events(
            prompt.clone(),
            only(&EN).with_stop_strings(["o!", "llohe"]).with_n_samples(2),
        );
        check_events(prompt, GenerateOptions::greedy().with_max_new_tokens(0));
    }
}

#[test]
fn the_text_is_that_of_the_tokens() {
    let cases: [(Prompt, &[&str]); 2] = [("你好".into(), &ZH), ("hello".into(), &EN)];
    for (prompt, words) in cases {
        let completion = ask(prompt, only(words)).completions.remove(0);
        assert_eq!(completion.tokens.len(), 24);
        assert_eq!(completion.text, text_of(&completion.tokens));
        assert_eq!(completion.reason, FinishReason::Length);
        assert!(completion.logprobs.is_empty() && completion.tool_calls.is_empty());
    }
}

#[test]
fn a_real_model_tells_its_published_stories_word_for_word() {
    let Some(folder) = shared("fixtures/stories260k") else { return };
    let model = Pipeline::open(&folder).unwrap();
    let json = golden_json(folder.join("golden.json"));
    let cases = json["generation"].as_array().unwrap();
    assert!(cases.len() >= 5, "{} stories", cases.len());
    for case in cases {
        let ids = |field: &str| serde_json::from_value::<Vec<u32>>(case[field].clone()).unwrap();
        let (prompt_ids, new_ids) = (ids("prompt_ids"), ids("new_ids"));
        let beginning = case["prompt_text"].as_str();
        let prompt = beginning.map_or(Prompt::Tokens(prompt_ids.clone()), Prompt::text);
        assert_eq!(model.encode(&prompt).unwrap(), prompt_ids);

        let options = GenerateOptions {
            ignore_eos: true,
            ..GenerateOptions::greedy().with_max_new_tokens(new_ids.len())
        };
        let generation = model.complete(&GenerateRequest::new(prompt, options)).unwrap();
        assert_eq!(generation.completions[0].tokens, new_ids);
        let story = beginning.unwrap_or_default().to_owned() + generation.text();
        assert_eq!(story, case["text"].as_str().unwrap());
    }
}

/// A folder whose decoder drops the space before a text, as those of Llama do.
fn folder_without_first_spaces() -> TempDir {
    let folder = folder_of(&tiny_config());
    let mut tokenizer = tokenizer_json();
    let strip = json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 });
    tokenizer["decoder"]["decoders"].as_array_mut().unwrap().push(strip);
    write_tokenizer(folder.path(), &tokenizer);
    folder
}

#[test]
fn a_continuation_keeps_the_space_before_it_and_a_new_answer_has_none() {
    let folder = folder_without_first_spaces();
    let model = Pipeline::open(folder.path()).unwrap();
    let user = |text: &str| Message::user(text);
    let cases = [
        (Prompt::text("hello"), " hello hello"),
        (Prompt::text("你好"), " hello hello"),
        // Three bytes of a character that has no piece.
        (Prompt::text("hello 龙"), " hello hello"),
        (Prompt::Tokens(vec![BOS, id("天气"), EOS]), " hello hello"),
        (Prompt::Tokens(vec![BOS]), "hello hello"),
        (Prompt::chat([user("你好")]), "hello hello"),
        (Prompt::chat([user("hello")]), "hello hello"),
        (Prompt::chat([user("你好"), Message::assistant("上海")]), " hello hello"),
    ];
    for (prompt, expected) in cases {
        let options = only(&["▁hello"]).with_max_new_tokens(2);
        let (_, generation) = listen(&model, &GenerateRequest::new(prompt.clone(), options));
        assert_eq!(generation.text(), expected, "{prompt:?}");
    }
}

#[test]
fn bytes_of_the_prompt_are_no_part_of_the_answer() {
    for text in ["龙", "ß", "hello 😀", "你好 ß"] {
        let completion = ask(text, only(&["!"]).with_max_new_tokens(2)).completions.remove(0);
        assert_eq!(completion.text, "!!", "{text}");
    }
}

#[test]
fn the_same_seed_draws_the_same_and_another_seed_another_answer() {
    for (prompt, words) in [("上海天气", ZH), ("hello", EN)] {
        let draw = |seed: u64| ask(prompt, only(&words).with_seed(seed)).completions;
        assert_eq!(draw(7), draw(7));
        // Two draws of 24 among 6 nearly equal words agree once in 10^18.
        assert_ne!(draw(7), draw(8));
        let unseeded = GenerateOptions { seed: None, ..only(&words) };
        assert_eq!(ask(prompt, unseeded).completions, draw(0), "without a seed it is 0");
    }
}

#[test]
fn a_sample_does_not_depend_on_the_others() {
    for (prompt, words) in [("你好", ZH), ("hello ", EN)] {
        let draw = |n_samples| ask(prompt, only(&words).with_n_samples(n_samples)).completions;
        let (one, two, three) = (draw(1), draw(2), draw(3));
        assert_eq!(one, three[..1]);
        assert_eq!(two, three[..2]);
        assert_eq!(three, draw(3));
        let texts: Vec<&str> = three.iter().map(|c| c.text.as_str()).collect();
        assert!(texts[0] != texts[1] && texts[1] != texts[2], "{texts:?}");
    }
}

#[test]
fn samples_of_greedy_requests_are_equal() {
    let options = GenerateOptions { ignore_eos: true, ..GenerateOptions::greedy() };
    for prompt in ["你好", "hello"] {
        let options = options.clone().with_max_new_tokens(12).with_n_samples(3);
        let samples = ask(prompt, options).completions;
        assert_eq!(samples[0], samples[1]);
        assert_eq!(samples[1], samples[2]);
    }
}

#[test]
fn a_repetition_penalty_counts_the_prompt_and_not_the_other_samples() {
    // So strong a penalty that no word comes twice before all have come.
    let options = GenerateOptions {
        presence_penalty: 2.0,
        frequency_penalty: 2.0,
        temperature: 0.0,
        ..only(&ZH).with_n_samples(2)
    };
    let samples = ask("hello", options.clone().with_max_new_tokens(ZH.len())).completions;
    let mut words = samples[0].tokens.clone();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), ZH.len(), "{:?}", samples[0].text);
    assert_eq!(samples[0], samples[1]);

    let penalised = GenerateOptions { presence_penalty: 0.0, frequency_penalty: 0.0, ..options };
    let once = penalised.with_max_new_tokens(1).with_n_samples(1).with_logprobs(0);
    let biased = GenerateOptions { logit_bias: [(id("好"), 50.0)].into(), ..once };
    assert_eq!(ask("上海", biased.clone()).text(), "好");
    // 50 divided by 100 is less than 20.
    let other = [(id("好"), 50.0), (id("天气"), 20.0)];
    let divided =
        GenerateOptions { logit_bias: other.into(), ..biased }.with_repetition_penalty(100.0);
    assert_eq!(ask("上海", divided.clone()).text(), "好");
    assert_eq!(ask("上海好", divided).text(), "天气");
}

#[test]
fn ids_beyond_the_tokenizer_have_no_text() {
    let folder = folder_of(&Preset::Tiny.config());
    let model = Pipeline::open(folder.path()).unwrap();
    assert_eq!(model.info().vocab_size, 384);
    let padding = N_IDS as u32 + 5;
    for word in ["你好", "hello"] {
        let mut options = only(&[word]);
        options.allowed_token_ids.push(padding);
        let prompt = Prompt::Tokens(vec![BOS, padding, id(word)]);
        let generation = model.complete(&GenerateRequest::new(prompt, options)).unwrap();
        let tokens = &generation.completions[0].tokens;
        let n_words = tokens.iter().filter(|&&token| token != padding).count();
        assert!((1..tokens.len()).contains(&n_words), "both are drawn: {tokens:?}");
        assert_eq!(generation.text(), word.repeat(n_words));
    }
    assert_eq!(model.decode(&[id("上海"), padding, id("hello")]).unwrap(), "上海hello");
}
