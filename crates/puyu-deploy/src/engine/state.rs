//! What a request has come to so far, gathered from the rows of its sequences.

use puyu_core::{SampleError, Score, TokenLogprob, Usage, sampler};

use super::event::EngineEvent;
use super::request::RequestId;

/// A request that has not ended.
#[derive(Debug)]
pub(super) struct RequestState {
    pub(super) usage: Usage,
    /// Samples that have not ended; 1 where nothing is sampled.
    pub(super) n_open: usize,
    /// Whether any of its sequences ever ran.
    pub(super) was_admitted: bool,
    pub(super) findings: Findings,
}

/// What the rows of given tokens said.
#[derive(Debug)]
pub(super) enum Findings {
    /// A prompt is read; its rows matter only where `n_top` says so.
    Prompt { n_top: Option<usize>, logprobs: Vec<TokenLogprob> },
    /// A continuation is scored.
    Score { n_context: usize, n_top: usize, logprobs: Vec<TokenLogprob>, is_greedy: bool },
    /// Hidden states are summed.
    Hidden { sum: Vec<f64> },
}

impl RequestState {
    pub(super) fn new(n_prompt: usize, n_open: usize, findings: Findings) -> Self {
        let usage = Usage { prompt_tokens: n_prompt, ..Usage::default() };
        Self { usage, n_open, was_admitted: false, findings }
    }

    /// Takes the row after which the given token `next` stands.
    pub(super) fn read_logits(&mut self, row: &[f32], next: u32) -> Result<(), SampleError> {
        match &mut self.findings {
            Findings::Prompt { n_top: Some(n_top), logprobs } => {
                logprobs.push(describe(row, next, *n_top)?);
            }
            Findings::Score { n_top, logprobs, is_greedy, .. } => {
                *is_greedy &= sampler::argmax(row)? == next;
                logprobs.push(describe(row, next, *n_top)?);
            }
            Findings::Prompt { n_top: None, .. } | Findings::Hidden { .. } => {}
        }
        Ok(())
    }

    /// Takes hidden states, one after the other.
    pub(super) fn read_hidden(&mut self, rows: &[f32]) {
        if let Findings::Hidden { sum } = &mut self.findings {
            for row in rows.chunks_exact(sum.len()) {
                for (sum, &value) in sum.iter_mut().zip(row) {
                    *sum += f64::from(value);
                }
            }
        }
    }

    /// What the prompt's rows said, once all are read.
    pub(super) fn prompt_scored(&mut self, id: RequestId) -> Option<EngineEvent> {
        let Findings::Prompt { n_top: Some(_), logprobs } = &mut self.findings else { return None };
        // Nothing comes before the first token.
        let logprobs = std::iter::once(None).chain(logprobs.drain(..).map(Some)).collect();
        Some(EngineEvent::PromptScored { id, logprobs })
    }

    /// The last event of a request that ended well.
    pub(super) fn finished(self, id: RequestId) -> EngineEvent {
        let usage = self.usage;
        match self.findings {
            Findings::Prompt { .. } => EngineEvent::Finished { id, usage },
            Findings::Score { n_context, logprobs, is_greedy, .. } => {
                let score = Score { tokens: logprobs, is_greedy, context_tokens: n_context };
                EngineEvent::Scored { id, score, usage }
            }
            Findings::Hidden { sum } => {
                let n_tokens = usage.prompt_tokens as f64;
                let mean = sum.into_iter().map(|sum| (sum / n_tokens) as f32).collect();
                EngineEvent::Embedded { id, mean, usage }
            }
        }
    }
}

fn describe(row: &[f32], id: u32, n_top: usize) -> Result<TokenLogprob, SampleError> {
    let (logprob, top) = sampler::token_logprob(row, id, n_top)?;
    Ok(TokenLogprob { id, logprob, top })
}
