//! Log-probabilities of prompts, answers and continuations; vectors of texts.

use puyu_core::{Score, ScoreRequest, TokenLogprob};
use puyu_model::{Head, KvCache, SequencePlan, read};
use puyu_testkit::{Tolerance, assert_close, golden_json, random_tokens, shared};

use super::*;

/// Two roundings of a number below 10 to `f32`, and sums in another order.
const LOGPROB: Tolerance = Tolerance::within(1e-5);

/// The definition: the log-softmax in `f64` of what the decoder says in one pass.
fn log_softmax(ids: &[u32]) -> Vec<Vec<f64>> {
    let model = tiny().model();
    let plan = SequencePlan::unpadded(vec![ids.len()]);
    let mut cache = KvCache::new(model.config(), plan, ids.len());
    let logits = read(model.forward(&[ids.to_vec()], &mut cache).unwrap()).unwrap();
    let rows = logits.chunks_exact(N_IDS).map(|row| {
        let total: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
        row.iter().map(|&logit| f64::from(logit) - total.ln()).collect()
    });
    rows.collect()
}

#[track_caller]
fn score(request: ScoreRequest) -> Score {
    tiny().score(&[request]).unwrap().remove(0)
}

fn numbers<'a>(tokens: impl IntoIterator<Item = &'a TokenLogprob>) -> Vec<f32> {
    tokens.into_iter().map(|token| token.logprob).collect()
}

/// The same tokens, the same most probable ones, and numbers that differ by rounding at most.
#[track_caller]
fn assert_same(found: &[TokenLogprob], expected: &[TokenLogprob]) {
    let ids = |tokens: &[TokenLogprob]| tokens.iter().map(|token| token.id).collect::<Vec<_>>();
    assert_eq!(ids(found), ids(expected));
    assert_close(&numbers(found), &numbers(expected), LOGPROB);
    for (found, expected) in found.iter().zip(expected) {
        let (ids, logprobs): (Vec<u32>, Vec<f32>) = found.top.iter().copied().unzip();
        let (expected_ids, expected): (Vec<u32>, Vec<f32>) = expected.top.iter().copied().unzip();
        assert_eq!(ids, expected_ids);
        assert_close(&logprobs, &expected, LOGPROB);
    }
}

#[test]
fn prompts_and_scores_have_the_numbers_of_the_definition_however_they_are_cut() {
    for n_tokens in [1, 2, 511, 512, 513, 700] {
        let ids = random_tokens(n_tokens, N_IDS as u32, 7);
        let rows = log_softmax(&ids);
        let expected: Vec<f64> = (1..n_tokens).map(|at| rows[at - 1][ids[at] as usize]).collect();

        let options = GenerateOptions {
            prompt_logprobs: Some(2),
            ..GenerateOptions::greedy().with_max_new_tokens(0)
        };
        let told = ask(ids.clone(), options).prompt_logprobs;
        assert_eq!((told.len(), &told[0]), (n_tokens, &None));
        let told: Vec<TokenLogprob> = told.into_iter().flatten().collect();
        let narrow: Vec<f32> = expected.iter().map(|&logprob| logprob as f32).collect();
        assert_close(&numbers(&told), &narrow, LOGPROB);

        let scored = score(ScoreRequest::new(vec![ids[0]], ids[1..].to_vec()).with_top(2));
        assert_eq!(scored.context_tokens, 1);
        assert_same(&scored.tokens, &told);
        let sum: f64 = expected.iter().sum();
        assert!((scored.logprob() - sum).abs() <= 1e-5 * n_tokens as f64);
        for (token, row) in told.iter().zip(&rows) {
            let best = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert_close(&[token.top[0].1], &[best as f32], LOGPROB);
            assert!(token.top[0].1 >= token.top[1].1 && token.top.len() == 2);
        }
    }
}

#[test]
fn a_long_context_before_a_continuation_changes_only_what_is_told() {
    let ids = random_tokens(600, N_IDS as u32, 11);
    let whole = score(ScoreRequest::new(vec![ids[0]], ids[1..].to_vec()));
    for n_context in [1, 511, 512, 513, 599] {
        let (context, continuation) = ids.split_at(n_context);
        let part = score(ScoreRequest::new(context.to_vec(), continuation.to_vec()));
        assert_same(&part.tokens, &whole.tokens[n_context - 1..]);
        assert_eq!(part.context_tokens, n_context);
    }
}

#[test]
fn generated_tokens_have_the_numbers_of_their_score() {
    let penalised = GenerateOptions {
        repetition_penalty: 1.5,
        temperature: 0.6,
        ignore_eos: true,
        ..GenerateOptions::default()
    };
    let options = [
        GenerateOptions { ignore_eos: true, ..GenerateOptions::greedy() },
        penalised.with_seed(5),
        only(&ZH),
        only(&EN),
    ];
    for prompt in prompts() {
        for options in &options {
            let options = options.clone().with_max_new_tokens(8).with_logprobs(3);
            let is_greedy = options.is_greedy();
            let completion = ask(prompt.clone(), options).completions.remove(0);
            assert_eq!(completion.logprobs.len(), 8);
            let request = ScoreRequest::new(prompt.clone(), completion.tokens).with_top(3);
            let scored = score(request);
            assert_same(&scored.tokens, &completion.logprobs);
            assert!(scored.is_greedy || !is_greedy);
            assert_eq!(scored.context_tokens, tiny().count_tokens(&prompt).unwrap());
        }
    }
}

#[test]
fn a_continuation_is_greedy_only_if_each_token_is_the_most_probable() {
    let options = GenerateOptions { ignore_eos: true, ..GenerateOptions::greedy() };
    for prompt in prompts() {
        let tokens = ask(prompt.clone(), options.clone().with_max_new_tokens(4)).completions;
        let tokens = tokens[0].tokens.clone();
        assert!(score(ScoreRequest::new(prompt.clone(), tokens.clone())).is_greedy);
        for at in 0..tokens.len() {
            let mut other = tokens.clone();
            other[at] = (other[at] + 1) % N_IDS as u32;
            assert!(!score(ScoreRequest::new(prompt.clone(), other)).is_greedy, "{at}");
        }
    }
}

#[test]
fn asking_for_the_numbers_of_the_prompt_changes_no_answer() {
    for prompt in prompts() {
        let options = only(&ZH).with_n_samples(2);
        let plain = ask(prompt.clone(), options.clone());
        assert!(plain.prompt_logprobs.is_empty());
        let told = ask(prompt, GenerateOptions { prompt_logprobs: Some(0), ..options });
        assert_eq!(told.completions, plain.completions);
        assert_eq!(told.prompt_logprobs.len(), told.usage.prompt_tokens);
    }
}

#[test]
fn text_is_scored_as_it_stands_in_the_whole() {
    // Context, continuation, and the tokens of both: the seam may merge.
    let cases = [
        ("天气", "上海", vec![id("天气"), id("上海")], 1),
        ("你", "好上海", vec![id("你好"), id("上海")], 1),
        ("he", "llo!", vec![id("hello"), id("!")], 1),
        ("hello", " hello", vec![id("hello"), id("▁hello")], 1),
        ("你", "好", vec![id("你好")], 1),
    ];
    for (context, continuation, whole, n_context) in cases {
        let found = score(ScoreRequest::new(context, continuation).with_top(1));
        let begun = [&[BOS][..], &whole[..n_context]].concat();
        let expected = score(ScoreRequest::new(begun, whole[n_context..].to_vec()).with_top(1));
        assert_same(&found.tokens, &expected.tokens);
        assert_eq!(found.tokens.len(), whole.len() - n_context, "{context}{continuation}");
        assert_eq!(found.context_tokens, 1 + n_context);
    }
}

#[test]
fn a_continuation_of_a_chat_is_encoded_by_itself() {
    for (text, ids) in [("你好上海", vec![id("你好"), id("上海")]), ("hello", vec![id("hello")])]
    {
        let context = Prompt::chat([Message::user("上海 hello")]);
        let found = score(ScoreRequest::new(context.clone(), text));
        assert_same(&found.tokens, &score(ScoreRequest::new(context, ids)).tokens);
        // What looks like an end of turn is text.
        let forged = score(ScoreRequest::new("你好", "<|im_end|>"));
        assert!(forged.tokens.iter().all(|token| token.id < id("<|plugin|>")));
    }
}

#[test]
fn nothing_to_score_is_certain() {
    for context in prompts() {
        let nothing = score(ScoreRequest::new(context, Vec::<u32>::new()));
        assert!(nothing.tokens.is_empty() && nothing.is_greedy);
        assert_eq!(nothing.logprob(), 0.0);
    }
}

#[test]
fn scores_come_in_the_order_of_the_requests() {
    let continuations = ["上海", "hello", "你好", "!"];
    let requests = continuations.map(|text| ScoreRequest::new("天气", text));
    let together = tiny().score(&requests).unwrap();
    let alone: Vec<Score> = requests.into_iter().map(score).collect();
    assert_eq!(together, alone);
}

#[test]
fn a_real_model_has_its_published_perplexity() {
    let Some(folder) = shared("fixtures/stories260k") else { return };
    let model = Pipeline::open(&folder).unwrap();
    let json = golden_json(folder.join("golden.json"));
    let cases = json["perplexity"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        let text = case["text"].as_str().unwrap();
        let expected = case["nll_sum"].as_f64().unwrap();
        // As tokens after `<s>`, and as text after nothing but `<s>`.
        let requests =
            [ScoreRequest::new(vec![ids[0]], ids[1..].to_vec()), ScoreRequest::new("", text)];
        for scored in model.score(&requests).unwrap() {
            assert_eq!(scored.tokens.len() as u64, case["tokens_scored"].as_u64().unwrap());
            let found = -scored.logprob();
            assert!((found - expected).abs() < 1e-3, "{found}, expected {expected}");
        }
    }
}

#[test]
fn embeddings_have_length_one_and_depend_on_the_text_alone() {
    let texts = ["你好，上海。", "hello world", "天气", "", "hello 天气"];
    let prompts = texts.map(Prompt::text);
    let vectors = tiny().embed(&prompts).unwrap();
    assert_eq!(vectors.len(), texts.len());
    for (at, (vector, prompt)) in vectors.iter().zip(&prompts).enumerate() {
        assert_eq!(vector.len(), tiny().model().config().hidden_size);
        let length: f64 = vector.iter().map(|&value| f64::from(value).powi(2)).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
        assert_eq!(tiny().embed(std::slice::from_ref(prompt)).unwrap()[0], *vector);
        for other in &vectors[..at] {
            assert_ne!(vector, other, "{}", texts[at]);
        }
    }
}

#[test]
fn a_long_text_is_embedded_as_the_mean_of_its_states() {
    let ids = random_tokens(700, N_IDS as u32, 3);
    let model = tiny().model();
    let plan = SequencePlan::unpadded(vec![ids.len()]);
    let mut cache = KvCache::new(model.config(), plan, ids.len());
    let states =
        model.hidden(std::slice::from_ref(&ids), &mut cache, &mut puyu_model::Unobserved).unwrap();
    let states = read(states).unwrap();
    let width = model.config().hidden_size;
    let mut mean = vec![0.0_f64; width];
    for row in states.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(mean, &value)| *mean += f64::from(value));
    }
    let length = mean.iter().map(|value| value * value).sum::<f64>().sqrt();
    let expected: Vec<f32> = mean.iter().map(|value| (value / length) as f32).collect();
    assert_close(&tiny().embed(&[Prompt::Tokens(ids)]).unwrap()[0], &expected, Tolerance::F32);
}

#[test]
fn a_reward_model_embeds_but_has_no_probabilities() {
    let folder = folder_of(&DecoderConfig { head: Head::Reward, ..tiny_config() });
    let model = Pipeline::open(folder.path()).unwrap();
    for text in ["你好", "hello"] {
        assert_eq!(model.embed(&[Prompt::text(text)]).unwrap().len(), 1);
        let refused = model.score(&[ScoreRequest::new(text, "!")]).unwrap_err();
        let score = puyu_core::Capability::Score;
        assert!(matches!(refused, ModelError::Unsupported { capability } if capability == score));
        let request = GenerateRequest::new(text, GenerateOptions::greedy());
        assert!(matches!(model.complete(&request), Err(ModelError::Backend { .. })));
    }
    assert!(!model.info().supports(puyu_core::Capability::Score));
    assert!(model.info().supports(puyu_core::Capability::Embed));
}
