//! What comes out of an engine.

use puyu_core::{FinishReason, SampledToken, Score, TokenLogprob, Usage};

use super::cache::BlockCounts;
use super::error::RequestError;
use super::request::RequestId;

/// Something that happened to a request in a step.
///
/// Each request that is not cancelled ends with exactly one of [`Finished`](Self::Finished),
/// [`Scored`](Self::Scored), [`Embedded`](Self::Embedded) and [`Failed`](Self::Failed).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EngineEvent {
    /// The log-probabilities of a prompt are known; `None` for its first token.
    PromptScored {
        /// Whose they are.
        id: RequestId,
        /// One entry for each token of the prompt.
        logprobs: Vec<Option<TokenLogprob>>,
    },
    /// A sample got a token, the ending one included.
    Token {
        /// Whose it is.
        id: RequestId,
        /// Which sample, from 0.
        sample: usize,
        /// The token.
        token: SampledToken,
    },
    /// A sample ended. Comes once for each sample.
    SampleFinished {
        /// Whose it is.
        id: RequestId,
        /// Which sample, from 0.
        sample: usize,
        /// Why it ended.
        reason: FinishReason,
    },
    /// All samples of a generation ended.
    Finished {
        /// Which request.
        id: RequestId,
        /// What it took.
        usage: Usage,
    },
    /// A continuation is scored.
    Scored {
        /// Which request.
        id: RequestId,
        /// The score.
        score: Score,
        /// What it took.
        usage: Usage,
    },
    /// A vector is there.
    Embedded {
        /// Which request.
        id: RequestId,
        /// The mean of the hidden states, not scaled.
        mean: Vec<f32>,
        /// What it took.
        usage: Usage,
    },
    /// The request ended without a result.
    Failed {
        /// Which request.
        id: RequestId,
        /// Why.
        error: RequestError,
    },
}

impl EngineEvent {
    /// Which request it happened to.
    pub fn id(&self) -> RequestId {
        match self {
            EngineEvent::PromptScored { id, .. }
            | EngineEvent::Token { id, .. }
            | EngineEvent::SampleFinished { id, .. }
            | EngineEvent::Finished { id, .. }
            | EngineEvent::Scored { id, .. }
            | EngineEvent::Embedded { id, .. }
            | EngineEvent::Failed { id, .. } => *id,
        }
    }

    /// Whether nothing comes of the request after this.
    pub fn is_last(&self) -> bool {
        matches!(
            self,
            EngineEvent::Finished { .. }
                | EngineEvent::Scored { .. }
                | EngineEvent::Embedded { .. }
                | EngineEvent::Failed { .. }
        )
    }
}

/// What an engine holds now and has done since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineStatistics {
    /// Blocks by state.
    pub blocks: BlockCounts,
    /// Sequences that hold blocks.
    pub running: usize,
    /// Sequences in line.
    pub waiting: usize,
    /// Batches given to the runner.
    pub steps: u64,
    /// Tokens given to the runner, those computed again and those guessed in vain included.
    pub computed_tokens: u64,
    /// Tokens found in the cache when a sequence was admitted.
    pub prefix_hit_tokens: u64,
    /// Sequences sent back in line to make room.
    pub preemptions: u64,
    /// Tokens guessed ahead.
    pub drafted_tokens: u64,
    /// Of these, tokens that turned out right.
    pub accepted_tokens: u64,
}
