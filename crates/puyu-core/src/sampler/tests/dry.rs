use std::collections::BTreeMap;

use puyu_testkit::{Tolerance, assert_close, random_tokens};

use super::super::dry::{Scratch, penalize};
use super::*;

/// The original's loops, with breakers of several tokens: the lengths of the repetitions that
/// tokens would extend.
fn extensions_by_definition(tokens: &[u32], breakers: &[Vec<u32>]) -> BTreeMap<u32, usize> {
    let ends_in_breaker = |end: usize| breakers.iter().any(|b| tokens[..end].ends_with(b));
    let n = tokens.len();
    let mut lengths = BTreeMap::new();
    for at in 0..n.saturating_sub(1) {
        let next = tokens[at + 1];
        if breakers.contains(&vec![next]) {
            continue;
        }
        let mut length = 0;
        while length <= at && tokens[at - length] == tokens[n - 1 - length] {
            // The token at the end of a breaker is not part of a repetition.
            if ends_in_breaker(n - length) {
                break;
            }
            length += 1;
        }
        let longest = lengths.entry(next).or_insert(0);
        *longest = length.max(*longest);
    }
    lengths
}

#[track_caller]
fn check(tokens: &[u32], split: usize, options: &DryOptions, scratch: &mut Scratch) {
    let logits = random_logits(6, 1);
    let range = options.range.unwrap_or(tokens.len()).min(tokens.len());
    let lengths =
        extensions_by_definition(&tokens[tokens.len() - range..], &options.sequence_breakers);
    let mut expected = logits.clone();
    for (id, length) in lengths {
        if length >= options.allowed_length && (id as usize) < logits.len() {
            let excess = (length - options.allowed_length) as i32;
            expected[id as usize] -=
                (f64::from(options.multiplier) * f64::from(options.base).powi(excess)) as f32;
        }
    }
    let mut actual = logits.clone();
    penalize(&mut actual, history(&tokens[..split], &tokens[split..]), options, scratch);
    assert_close(&actual, &expected, Tolerance::F32);
}

#[test]
fn penalties_match_their_definition() {
    let mut scratch = Scratch::default();
    let breakers = [vec![], vec![vec![0]], vec![vec![1, 2]], vec![vec![0], vec![2, 1, 2], vec![3]]];
    for seed in 0..40 {
        for sequence_breakers in &breakers {
            for (allowed_length, range) in [(1, None), (2, None), (2, Some(9)), (3, Some(1))] {
                let options = DryOptions {
                    allowed_length,
                    range,
                    sequence_breakers: sequence_breakers.clone(),
                    ..DryOptions::default()
                };
                // Few different tokens repeat a lot; ids 6 and 7 lie beyond the row.
                let tokens = random_tokens(24, if seed < 30 { 3 } else { 8 }, seed);
                check(&tokens, 10, &options, &mut scratch);
            }
        }
    }
}

#[test]
fn short_histories_are_left_alone() {
    let mut scratch = Scratch::default();
    for tokens in [&[][..], &[1], &[1, 2]] {
        let mut logits = [1.0; 4];
        penalize(&mut logits, history(tokens, &[]), &DryOptions::default(), &mut scratch);
        assert_eq!(logits, [1.0; 4]);
    }
}

#[test]
fn one_token_repeated_for_long_stays_finite_and_fast() {
    // Quadratic work would be 10^10 comparisons.
    let tokens = vec![2; 100_000];
    let options = DryOptions { base: 100.0, multiplier: 100.0, ..DryOptions::default() };
    let mut logits = [1.0, 1.0, f32::MAX / 4.0, 1.0];
    penalize(&mut logits, history(&tokens, &[]), &options, &mut Scratch::default());
    assert!(logits[2].is_finite() && logits[2] < -1e37);
    assert_eq!((logits[0], logits[3]), (1.0, 1.0));
}
