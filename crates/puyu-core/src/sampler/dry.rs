//! The DRY penalty: against repeating a sequence that the text just began to repeat.
//!
//! Source: p-e-w, pull request 5677 of text-generation-webui (`DRYLogitsProcessor`). The original
//! compares backwards from each earlier occurrence of the last token, which is quadratic on text
//! such as `aaaa`; here all lengths come from one Z-function over the reversed text, as in
//! llama.cpp, in linear time.

use super::History;
use super::penalties::last_tokens;
use crate::options::DryOptions;

/// Memory that is kept from call to call.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// The tokens looked at, last token first.
    reversed: Vec<u32>,
    /// By position in `reversed`: length of the longest common start of it and its tail from there.
    common: Vec<usize>,
    /// By token id: the longest repetition that the token would extend.
    longest: Vec<usize>,
    /// The tokens with such a length, each once.
    ids: Vec<u32>,
}

/// Lowers the logits of tokens that would extend a repetition.
pub fn penalize(
    logits: &mut [f32],
    history: History<'_>,
    options: &DryOptions,
    scratch: &mut Scratch,
) {
    let (prompt, generated) = last_tokens(history, options.range);
    scratch.reversed.clear();
    scratch.reversed.extend(generated.iter().rev().chain(prompt.iter().rev()));
    let unbroken = unbroken_tokens(&scratch.reversed, &options.sequence_breakers);
    if unbroken < options.allowed_length {
        return;
    }
    z_function(&scratch.reversed, &mut scratch.common);
    scratch.longest.resize(logits.len(), 0);
    scratch.find_extensions(unbroken, options);
    for id in scratch.ids.drain(..) {
        let length = std::mem::take(&mut scratch.longest[id as usize]);
        logits[id as usize] -= penalty(length, options);
    }
}

impl Scratch {
    /// Notes the longest repetition that each token would extend.
    fn find_extensions(&mut self, unbroken: usize, options: &DryOptions) {
        for at in 1..self.reversed.len() {
            let length = self.common[at].min(unbroken);
            // In reversed order the token that followed an earlier occurrence stands before it.
            let next = self.reversed[at - 1];
            if length < options.allowed_length || is_breaker(next, &options.sequence_breakers) {
                continue;
            }
            if let Some(longest) = self.longest.get_mut(next as usize) {
                if *longest == 0 {
                    self.ids.push(next);
                }
                *longest = length.max(*longest);
            }
        }
    }
}

fn penalty(length: usize, options: &DryOptions) -> f32 {
    let excess = (length - options.allowed_length) as f64;
    let penalty = f64::from(options.multiplier) * f64::from(options.base).powf(excess);
    // Long repetitions would overflow; half the range of f32 leaves room for the logit itself.
    penalty.min(f64::from(f32::MAX) / 2.0) as f32
}

/// Number of tokens since the end of the latest breaker.
fn unbroken_tokens(reversed: &[u32], breakers: &[Vec<u32>]) -> usize {
    let ends_here = |tail: &[u32]| {
        breakers.iter().any(|breaker| {
            tail.len() >= breaker.len() && breaker.iter().rev().zip(tail).all(|(b, t)| b == t)
        })
    };
    (0..reversed.len()).find(|&at| ends_here(&reversed[at..])).unwrap_or(reversed.len())
}

/// Whether a token is a breaker by itself; breaking off a repetition must not cost anything.
fn is_breaker(id: u32, breakers: &[Vec<u32>]) -> bool {
    breakers.iter().any(|breaker| breaker[..] == [id])
}

/// For each position the length of the longest common start of `text` and `text[position..]`.
fn z_function(text: &[u32], z: &mut Vec<usize>) {
    let n = text.len();
    z.clear();
    z.resize(n, 0);
    if n > 0 {
        z[0] = n;
    }
    // `left..right` is the match found so far that reaches furthest.
    let (mut left, mut right) = (0, 0);
    for at in 1..n {
        let mut length = if at < right { z[at - left].min(right - at) } else { 0 };
        while at + length < n && text[length] == text[at + length] {
            length += 1;
        }
        z[at] = length;
        if at + length > right {
            (left, right) = (at, at + length);
        }
    }
}
