use puyu_testkit::{Tolerance, assert_close, random_tokens};

use super::super::penalties::{Occurrences, Penalties, last_tokens};
use super::*;

/// The definition: counts each token of the vocabulary by looking at the whole window.
fn by_definition(logits: &[f32], window: (&[u32], &[u32]), options: &GenerateOptions) -> Vec<f32> {
    let (prompt, generated) = window;
    let penalize = |(logit, id): (&f32, u32)| {
        let mut x = f64::from(*logit);
        if prompt.contains(&id) || generated.contains(&id) {
            let penalty = f64::from(options.repetition_penalty);
            x = if x > 0.0 { x / penalty } else { x * penalty };
        }
        let count = generated.iter().filter(|&&other| other == id).count() as f64;
        if count > 0.0 {
            x -= f64::from(options.presence_penalty) + f64::from(options.frequency_penalty) * count;
        }
        x as f32
    };
    logits.iter().zip(0..).map(penalize).collect()
}

#[test]
fn penalties_match_their_definition() {
    let mut occurrences = Occurrences::default();
    for (seed, penalty_window) in [(1, None), (2, Some(1)), (3, Some(7)), (4, Some(25))] {
        let options = GenerateOptions {
            repetition_penalty: 1.3,
            presence_penalty: 0.5,
            frequency_penalty: -0.25,
            penalty_window,
            ..GenerateOptions::default()
        };
        // Ids up to 59 of a row of 50: some lie beyond it and must be passed over.
        let (prompt, generated) = (random_tokens(20, 60, seed), random_tokens(15, 60, seed + 9));
        let logits = random_logits(50, seed);
        let all = [prompt.clone(), generated.clone()].concat();
        let start = all.len() - penalty_window.unwrap_or(all.len()).min(all.len());
        let window =
            (&prompt[start.min(prompt.len())..], &generated[start.saturating_sub(prompt.len())..]);

        let mut actual = logits.clone();
        let penalties = Penalties::of(&options).unwrap();
        penalties.apply(&mut actual, history(&prompt, &generated), &mut occurrences);
        let expected = by_definition(&logits, window, &options);
        assert_close(&actual, &expected, Tolerance::within(1e-6));
    }
}

#[test]
fn impossible_tokens_stay_impossible() {
    let options = GenerateOptions { presence_penalty: 1.0, ..GenerateOptions::default() };
    let penalties = Penalties::of(&options.with_repetition_penalty(1.5)).unwrap();
    let mut logits = [f32::NEG_INFINITY, 0.0];
    penalties.apply(&mut logits, history(&[0], &[0]), &mut Occurrences::default());
    assert_eq!(logits, [f32::NEG_INFINITY, 0.0]);
}

#[test]
fn options_without_penalties_change_nothing() {
    assert_eq!(Penalties::of(&GenerateOptions::default()), None);
    let windowed = GenerateOptions { penalty_window: Some(3), ..GenerateOptions::default() };
    assert_eq!(Penalties::of(&windowed), None);
}

#[test]
fn the_window_takes_the_answer_first_and_then_the_prompt() {
    let tokens = history(&[1, 2, 3], &[4, 5]);
    let cases: [(Option<usize>, &[u32], &[u32]); 5] = [
        (None, &[1, 2, 3], &[4, 5]),
        (Some(1), &[], &[5]),
        (Some(2), &[], &[4, 5]),
        (Some(3), &[3], &[4, 5]),
        (Some(9), &[1, 2, 3], &[4, 5]),
    ];
    for (window, prompt, generated) in cases {
        assert_eq!(last_tokens(tokens, window), (prompt, generated));
    }
}
