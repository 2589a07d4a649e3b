//! Guessing tokens ahead, so that one pass over the weights may give several.
//!
//! A sequence that guesses is computed as one segment of its last token and the guesses, with a row
//! after each. Tokens are then drawn row by row, as ever; while the token drawn equals the guess,
//! the next row holds. The first guess that is wrong ends it, and the slots of the rest are simply
//! written over later.
//!
//! Because a drawn token is a function of the row, the history, the seed and the position, this
//! gives exactly the tokens of decoding without guesses, greedy or sampled. It is the rejection
//! sampling of Leviathan et al., Fast Inference from Transformers via Speculative Decoding, for
//! guesses without probabilities: a guess is accepted as often as the model would have drawn it.

/// Guesses how sequences go on.
pub trait Draft: Send {
    /// At most `limit` tokens that may follow `tokens`. Guesses that are wrong cost time and change
    /// nothing; guesses beyond the vocabulary, and what follows them, are passed over.
    fn propose(&mut self, tokens: &[u32], limit: usize) -> Vec<u32>;
}

/// Guesses that what followed the last few tokens before follows again. Good for answers that
/// quote their prompt, such as summaries and changes to code.
///
/// # Examples
///
/// ```
/// use puyu_deploy::engine::{Draft, PromptLookup};
///
/// let mut lookup = PromptLookup::default();
/// assert_eq!(lookup.propose(&[7, 8, 9, 4, 5, 7, 8], 3), [9, 4, 5]);
/// assert!(lookup.propose(&[1, 2, 3], 3).is_empty());
/// ```
///
/// # Source
///
/// Saxena, Prompt Lookup Decoding (2023).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptLookup {
    /// Tokens at the end that must have occurred before, at least. Default 2: single tokens occur
    /// again everywhere.
    pub shortest: usize,
    /// Tokens at the end that are compared at most. The longest match wins, of equal ones the
    /// latest. Default 4.
    pub longest: usize,
}

impl Default for PromptLookup {
    /// Each field gives the reason for its value.
    fn default() -> Self {
        Self { shortest: 2, longest: 4 }
    }
}

impl Draft for PromptLookup {
    fn propose(&mut self, tokens: &[u32], limit: usize) -> Vec<u32> {
        let mut best = (0, tokens.len());
        for end in (1..tokens.len()).rev() {
            let earlier = tokens[..end].iter().rev();
            let n_equal = earlier
                .zip(tokens.iter().rev())
                .take(self.longest)
                .take_while(|(earlier, last)| earlier == last)
                .count();
            if n_equal > best.0 {
                best = (n_equal, end);
            }
            if n_equal == self.longest {
                break;
            }
        }
        if best.0 < self.shortest.max(1) {
            return Vec::new();
        }
        tokens[best.1..].iter().copied().take(limit).collect()
    }
}
