use serde_json::json;

use super::*;
use crate::error::OptionsError;

#[test]
fn defaults_greedy_and_plain_sampling_are_valid() {
    for options in [
        GenerateOptions::default(),
        GenerateOptions::greedy(),
        GenerateOptions::plain_sampling(),
        GenerateOptions::default().with_dry(DryOptions::default()),
    ] {
        options.validate(Some(1)).unwrap();
    }
    assert!(GenerateOptions::greedy().is_greedy() && !GenerateOptions::default().is_greedy());
}

#[test]
fn options_round_trip_through_json() {
    let mut options = GenerateOptions::default()
        .with_stop_strings(["<|im_end|>", "。"])
        .with_stop_token_ids([2, 92_542])
        .with_logprobs(5)
        .with_n_samples(3)
        .with_dry(DryOptions { sequence_breakers: vec![vec![364]], ..DryOptions::default() })
        .with_constraint(Constraint::Regex { pattern: "是|否|yes|no".into() });
    options.logit_bias.insert(7, -1.5);
    let text = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<GenerateOptions>(&text).unwrap(), options);
}

#[test]
fn unknown_fields_are_refused() {
    let error = serde_json::from_value::<GenerateOptions>(json!({"temprature": 1.0}));
    assert!(error.unwrap_err().to_string().contains("temprature"));
    let error = serde_json::from_value::<DryOptions>(json!({"长度": 1}));
    assert!(error.unwrap_err().to_string().contains("长度"));
}

#[test]
fn every_float_refuses_what_is_outside_its_range() {
    type Field = fn(&mut GenerateOptions) -> &mut f32;
    let fields: [(&str, f32, f32, Field); 9] = [
        ("temperature", -0.001, 100.1, |o| &mut o.temperature),
        ("top_p", -0.001, 1.001, |o| &mut o.top_p),
        ("min_p", -0.001, 1.001, |o| &mut o.min_p),
        ("typical_p", 0.0, 1.001, |o| &mut o.typical_p),
        ("repetition_penalty", 0.0, 100.1, |o| &mut o.repetition_penalty),
        ("presence_penalty", -2.001, 2.001, |o| &mut o.presence_penalty),
        ("frequency_penalty", -2.001, 2.001, |o| &mut o.frequency_penalty),
        ("dry.multiplier", -0.001, 100.1, |o| &mut o.dry.as_mut().unwrap().multiplier),
        ("dry.base", 0.999, 100.1, |o| &mut o.dry.as_mut().unwrap().base),
    ];
    for (name, below, above, field) in fields {
        for found in [below, above, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut options = GenerateOptions::default().with_dry(DryOptions::default());
            *field(&mut options) = found;
            let message = options.validate(None).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("found"), "{found}: {message}");
        }
    }
    let mut options = GenerateOptions::default();
    options.logit_bias.insert(3, f32::NAN);
    assert!(options.validate(None).unwrap_err().to_string().contains("logit_bias"));
}

#[test]
fn every_count_refuses_what_is_outside_its_range() {
    let base = GenerateOptions::default;
    let dry = || DryOptions::default();
    let cases = [
        ("min_new_tokens", GenerateOptions { min_new_tokens: 513, ..base() }),
        ("n_samples", base().with_n_samples(0)),
        ("n_samples", base().with_n_samples(257)),
        ("top_k", base().with_top_k(0)),
        ("penalty_window", GenerateOptions { penalty_window: Some(0), ..base() }),
        ("logprobs", base().with_logprobs(129)),
        ("prompt_logprobs", GenerateOptions { prompt_logprobs: Some(usize::MAX), ..base() }),
        ("stop string", base().with_stop_strings([""])),
        ("stop string", base().with_stop_strings(["停".repeat(342)])),
        ("stop_strings", base().with_stop_strings(vec!["停"; 65])),
        (
            "forbidden_token_ids",
            GenerateOptions { forbidden_token_ids: vec![0; (1 << 18) + 1], ..base() },
        ),
        ("dry.allowed_length", base().with_dry(DryOptions { allowed_length: 0, ..dry() })),
        ("dry.range", base().with_dry(DryOptions { range: Some(0), ..dry() })),
        (
            "dry sequence breaker",
            base().with_dry(DryOptions { sequence_breakers: vec![vec![]], ..dry() }),
        ),
        (
            "dry.sequence_breakers",
            base().with_dry(DryOptions { sequence_breakers: vec![vec![1]; 65], ..dry() }),
        ),
    ];
    for (name, options) in cases {
        let message = options.validate(None).unwrap_err().to_string();
        assert!(message.contains(name), "{name}: {message}");
    }
}

#[test]
fn token_ids_are_checked_against_the_vocabulary() {
    let base = GenerateOptions::default;
    let cases = [
        ("stop_token_ids", base().with_stop_token_ids([1, 10])),
        ("forbidden_token_ids", GenerateOptions { forbidden_token_ids: vec![10], ..base() }),
        ("allowed_token_ids", GenerateOptions { allowed_token_ids: vec![10], ..base() }),
        ("logit_bias", GenerateOptions { logit_bias: [(10, 1.0)].into(), ..base() }),
        (
            "dry.sequence_breakers",
            base().with_dry(DryOptions {
                sequence_breakers: vec![vec![1, 10]],
                ..DryOptions::default()
            }),
        ),
    ];
    for (field, options) in cases {
        let expected = OptionsError::UnknownToken { field, vocab_size: 10, found: 10 };
        assert_eq!(options.validate(Some(10)).unwrap_err(), expected);
        options.validate(Some(11)).unwrap();
        options.validate(None).unwrap();
    }
}
