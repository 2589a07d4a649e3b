//! Requests of random lengths, the same for the same arguments.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use puyu_core::sampler::random::uniform;

/// Seed of arrivals, lengths and tokens.
const SEED: u64 = 20_231;

/// The stream of random numbers that the shared start is drawn from; no request has this number.
const SHARED: u32 = u32::MAX;

/// Longest prompt and longest answer, so that one draw does not decide the whole.
const LONGEST: f64 = 1024.0;

/// Many requests through the engine.
#[derive(Args)]
pub(crate) struct Serving {
    /// Serves this many requests of random lengths through the engine, instead of single rates.
    #[arg(long, value_name = "REQUESTS")]
    pub(crate) serve: Option<u32>,
    /// Requests that arrive in a second, at random times; all at once by default.
    #[arg(long, requires = "serve")]
    pub(crate) rate: Option<f64>,
    /// Requests in the engine at a time, at most.
    #[arg(long, requires = "serve", default_value_t = 16)]
    pub(crate) concurrency: usize,
    /// Tokens that all prompts start with.
    #[arg(long, requires = "serve", default_value_t = 0)]
    pub(crate) shared_prefix: usize,
    /// Median tokens of a prompt after the shared ones.
    #[arg(long, requires = "serve", default_value_t = 100)]
    pub(crate) prompt_tokens: usize,
    /// Median tokens of an answer.
    #[arg(long, requires = "serve", default_value_t = 120)]
    pub(crate) answer_tokens: usize,
    /// Deviation of the logarithm of lengths: 1 is much like recorded conversations, 0 makes all
    /// equal.
    #[arg(long, requires = "serve", default_value_t = 1.0)]
    pub(crate) spread: f64,
    /// Starts requests in groups of --concurrency, the next when all of the last have ended; within
    /// a group prompts and answers are filled up to the longest. What is left without continuous
    /// batching.
    #[arg(long, requires = "serve")]
    pub(crate) static_batches: bool,
    /// Tokens guessed ahead by looking them up in prompt and answer; 0 guesses none.
    #[arg(long, requires = "serve", default_value_t = 0)]
    pub(crate) lookup: usize,
}

/// What one user asks for.
pub(crate) struct Ask {
    /// When, from the start.
    pub(crate) arrival: Duration,
    pub(crate) prompt: Vec<u32>,
    /// Tokens of the answer that count.
    pub(crate) answer: usize,
    /// Tokens of the answer that are computed.
    pub(crate) computed: usize,
}

impl Serving {
    /// Checks what the parser cannot.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(self.serve != Some(0), "--serve: expected at least 1 request, found 0");
        ensure!(self.concurrency > 0, "--concurrency: expected at least 1 request, found 0");
        let rate = self.rate.unwrap_or(1.0);
        ensure!(rate.is_finite() && rate > 0.0, "--rate: expected more than 0, found {rate}");
        let spread = self.spread;
        ensure!((0.0..=4.0).contains(&spread), "--spread: expected 0 to 4, found {spread}");
        Ok(())
    }

    /// All requests, by arrival.
    pub(crate) fn asks(&self, vocab_size: usize) -> Vec<Ask> {
        let n = self.serve.unwrap_or(0);
        let mut lengths: Vec<(usize, usize)> = (0..n).map(|i| self.lengths(i)).collect();
        let answers: Vec<usize> = lengths.iter().map(|&(_, answer)| answer).collect();
        if self.static_batches {
            for group in lengths.chunks_mut(self.concurrency) {
                let prompt = group.iter().map(|&(prompt, _)| prompt).max().unwrap_or(0);
                let answer = group.iter().map(|&(_, answer)| answer).max().unwrap_or(0);
                group.fill((prompt, answer));
            }
        }
        let mut arrival = Duration::ZERO;
        let asks = (0..n).zip(lengths).zip(answers).map(|((i, (prompt, computed)), answer)| {
            if let Some(rate) = self.rate {
                // Times between arrivals that know nothing of each other.
                let wait = -(1.0 - uniform(SEED, i, 3)).ln() / rate;
                arrival += Duration::from_secs_f64(wait);
            }
            let shared = (0..self.shared_prefix).map(|at| token(SHARED, at, vocab_size));
            let own = (0..prompt).map(|at| token(i, at, vocab_size));
            Ask { arrival, prompt: shared.chain(own).collect(), answer, computed }
        });
        asks.collect()
    }

    /// Tokens of prompt and answer: log-normal, as those of conversations are.
    fn lengths(&self, request: u32) -> (usize, usize) {
        let normal = |step| {
            let radius = (-2.0 * (1.0 - uniform(SEED, request, step)).ln()).sqrt();
            radius * (std::f64::consts::TAU * uniform(SEED, request, step + 1)).cos()
        };
        let length = |median: usize, step| {
            let length = median as f64 * (self.spread * normal(step)).exp();
            length.min(LONGEST.max(median as f64)).round().max(1.0) as usize
        };
        (length(self.prompt_tokens, 10), length(self.answer_tokens, 20))
    }
}

fn token(stream: u32, at: usize, vocab_size: usize) -> u32 {
    // Tokens after the steps that arrivals and lengths are drawn at.
    (uniform(SEED, stream, at as u64 + 100) * vocab_size as f64) as u32
}
