//! Why answers end, and what they end with.

use puyu_core::FinishReason;

use super::*;

/// Every token of an answer as a stop token: the answer ends where it comes first.
#[track_caller]
fn check_stop_tokens(prompt: &str, words: &[&str]) {
    let whole = ask(prompt, only(words)).completions.remove(0);
    for (at, &stop) in whole.tokens.iter().enumerate() {
        if whole.tokens[..at].contains(&stop) {
            continue;
        }
        let cut = ask(prompt, only(words).with_stop_token_ids(vec![stop])).completions.remove(0);
        assert_eq!(cut.tokens, whole.tokens[..=at]);
        assert_eq!(cut.text, text_of(&whole.tokens[..at]), "the stop token has no text");
        assert_eq!(cut.reason, FinishReason::StopToken(stop));
    }
}

#[test]
fn a_stop_token_ends_the_answer_where_it_comes_first() {
    check_stop_tokens("你好", &ZH);
    check_stop_tokens("hello", &EN);
}

/// Every pair of neighbours as a stop string that begins in one token and ends in the next.
#[track_caller]
fn check_stop_strings(prompt: &str, words: &[&str]) {
    let whole = ask(prompt, only(words)).completions.remove(0);
    for pair in whole.tokens.windows(2) {
        let (left, right) = (text_of(&pair[..1]), text_of(&pair[1..]));
        let stop: String = left.chars().last().into_iter().chain(right.chars().next()).collect();
        let start = whole.text.find(&stop).unwrap();
        // By definition: the fewest tokens whose text has it.
        let n_tokens = (1..=whole.tokens.len())
            .find(|&n_tokens| text_of(&whole.tokens[..n_tokens]).contains(&stop))
            .unwrap();

        let options = only(words).with_stop_strings([stop.as_str(), "从不", "never"]);
        let cut = ask(prompt, options).completions.remove(0);
        assert_eq!(cut.text, whole.text[..start], "{stop}");
        assert_eq!(cut.tokens, whole.tokens[..n_tokens], "{stop}");
        assert_eq!(cut.reason, FinishReason::StopString(stop));
    }
}

#[test]
fn a_stop_string_across_tokens_ends_the_answer_and_is_not_shown() {
    check_stop_strings("你好", &ZH);
    check_stop_strings("hello", &EN);
}

#[test]
fn a_stop_string_in_bytes_is_found_when_their_run_is_over() {
    for letter in [b'z', b'?'] {
        let stop = String::from_utf8(vec![letter; 2]).unwrap();
        let options = GenerateOptions {
            allowed_token_ids: vec![3 + u32::from(letter)],
            ..GenerateOptions::greedy().with_max_new_tokens(4).with_stop_strings([&*stop])
        };
        let completion = ask("你好 hello", options).completions.remove(0);
        assert_eq!((completion.text.as_str(), completion.tokens.len()), ("", 4));
        assert_eq!(completion.reason, FinishReason::StopString(stop));
    }
}

#[test]
fn text_that_only_begins_a_stop_string_is_told_in_the_end() {
    for (word, stop) in [("你好", "你好你好你好你"), ("hello", "hellohellohelloo")] {
        let options = only(&[word]).with_max_new_tokens(3).with_stop_strings([stop]);
        let request = GenerateRequest::new("上海 hello", options);
        let (events, generation) = listen(tiny(), &request);
        assert_eq!(generation.text(), word.repeat(3));
        assert_eq!(generation.completions[0].reason, FinishReason::Length);
        let told: Vec<&str> = events
            .iter()
            .filter_map(|event| match event {
                Event::Token { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(told, ["", "", word.repeat(3).as_str()]);
    }
}

#[test]
fn an_end_token_ends_the_answer_and_has_no_text() {
    for end in ["<|im_end|>", "<|action_end|>"] {
        for prompt in prompts() {
            let completion = ask(prompt, only(&[end])).completions.remove(0);
            assert_eq!((completion.text.as_str(), completion.tokens), ("", vec![id(end)]));
            assert_eq!(completion.reason, FinishReason::Stop);
        }
    }
    let end = GenerateOptions { allowed_token_ids: vec![EOS], ..only(&[]) };
    assert_eq!(ask("你好", end).completions[0].reason, FinishReason::Stop);
}

#[test]
fn an_end_token_that_is_ignored_is_a_token_without_text() {
    for word in ["天气", "hello"] {
        let options = GenerateOptions { ignore_eos: true, ..only(&["<|im_end|>", word]) };
        let completion = ask("你好", options).completions.remove(0);
        assert_eq!(completion.tokens.len(), 24);
        assert_eq!(completion.reason, FinishReason::Length);
        let n_words = completion.tokens.iter().filter(|&&token| token == id(word)).count();
        assert!((1..24).contains(&n_words), "both are drawn: {:?}", completion.tokens);
        assert_eq!(completion.text, word.repeat(n_words));
    }
}

#[test]
fn no_end_comes_before_the_least_number_of_tokens() {
    let end = id("<|im_end|>");
    for word in ["上海", "hello"] {
        let wants_to_end = GenerateOptions {
            min_new_tokens: 3,
            logit_bias: [(end, 100.0)].into(),
            ..only(&[word, "<|im_end|>"])
        };
        let mut expected = vec![id(word); 3];
        expected.push(end);
        let completion = ask("你好", wants_to_end.clone()).completions.remove(0);
        assert_eq!((&completion.tokens, completion.text), (&expected, word.repeat(3)));
        assert_eq!(completion.reason, FinishReason::Stop);

        // The same for a stop token that is no end token.
        let wants_to_stop = GenerateOptions {
            allowed_token_ids: vec![id(word), id("!")],
            logit_bias: [(id("!"), 100.0)].into(),
            stop_token_ids: vec![id("!")],
            ..wants_to_end
        };
        let completion = ask("你好", wants_to_stop).completions.remove(0);
        assert_eq!(completion.tokens, [id(word), id(word), id(word), id("!")]);
        assert_eq!(completion.reason, FinishReason::StopToken(id("!")));
    }
}

#[test]
fn the_most_tokens_are_never_exceeded_and_none_are_possible() {
    for prompt in prompts() {
        for max_new_tokens in [0, 1, 2, 24] {
            let options = only(&ZH).with_max_new_tokens(max_new_tokens).with_n_samples(2);
            let request = GenerateRequest::new(prompt.clone(), options);
            let (events, generation) = listen(tiny(), &request);
            assert_eq!(generation.usage.completion_tokens, 2 * max_new_tokens);
            assert_eq!(events.len(), 3 + 2 * max_new_tokens);
            for completion in &generation.completions {
                assert_eq!(completion.tokens.len(), max_new_tokens);
                assert_eq!(completion.reason, FinishReason::Length);
            }
        }
    }
}

#[test]
fn prompt_and_answer_together_fill_the_context_and_no_more() {
    let context_tokens = 16;
    let model = open(PipelineOptions::default().with_context_tokens(context_tokens));
    assert_eq!(model.info().context_tokens, context_tokens);
    // The answer wanted, what comes of it, and why it ends.
    let cases = [
        (10, 100, 6, FinishReason::ContextFull),
        (10, 7, 6, FinishReason::ContextFull),
        (10, 6, 6, FinishReason::Length),
        (15, 100, 1, FinishReason::ContextFull),
        (16, 100, 0, FinishReason::ContextFull),
        (16, 0, 0, FinishReason::Length),
        (1, usize::MAX, 15, FinishReason::ContextFull),
    ];
    for (n_prompt, max_new_tokens, n_generated, reason) in cases {
        for words in [ZH, EN] {
            let prompt = vec![id(words[2]); n_prompt];
            let options = only(&words).with_max_new_tokens(max_new_tokens).with_n_samples(2);
            let generation = model.complete(&GenerateRequest::new(prompt, options)).unwrap();
            for completion in generation.completions {
                assert_eq!(completion.tokens.len(), n_generated, "{n_prompt} {max_new_tokens}");
                assert_eq!(completion.reason, reason, "{n_prompt} {max_new_tokens}");
                assert_eq!(completion.text, text_of(&completion.tokens));
            }
        }
    }
}
