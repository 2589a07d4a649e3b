//! How probable continuations are, and vectors of texts.

use puyu_core::sampler::argmax;
use puyu_core::{Capability, Continuation, ModelError, OptionsError, Prompt, Score, ScoreRequest};

use crate::generate::describe;
use crate::pipeline::Inner;

/// Most probable tokens told at each position at most.
const MAX_TOP: usize = 128;

impl Inner {
    pub(crate) fn score(&self, request: &ScoreRequest) -> Result<Score, ModelError> {
        self.check_score(request)?;
        let context = self.prompt_ids(&request.context)?;
        let ids = self.scored_ids(&context, request)?;
        self.check_ids(&ids)?;
        self.check_room(ids.len())?;
        let mut tokens = Vec::new();
        let mut is_greedy = true;
        if ids.len() > context.len() {
            // The last token predicts nothing that is asked for.
            let read = &ids[..ids.len() - 1];
            self.logits_from(read, context.len() - 1, |position, logits| {
                let id = ids[position + 1];
                is_greedy &= argmax(logits)? == id;
                tokens.push(describe(logits, id, request.n_top)?);
                Ok(())
            })?;
        }
        Ok(Score { tokens, is_greedy, context_tokens: context.len() })
    }

    fn check_score(&self, request: &ScoreRequest) -> Result<(), ModelError> {
        if let Some(name) = &request.adapter {
            return Err(ModelError::UnknownAdapter { name: name.clone() });
        }
        if !self.info.supports(Capability::Score) {
            return Err(ModelError::Unsupported { capability: Capability::Score });
        }
        if request.n_top > MAX_TOP {
            let (field, from, to, found) = ("n_top", 0, MAX_TOP, request.n_top);
            return Err(OptionsError::Count { field, from, to, found }.into());
        }
        Ok(())
    }

    /// Context and continuation as one sequence.
    fn scored_ids(&self, context: &[u32], request: &ScoreRequest) -> Result<Vec<u32>, ModelError> {
        let continuation = match (&request.context, &request.continuation) {
            (_, Continuation::Tokens(ids)) => ids.clone(),
            // The seam may merge, so the context is read as it stands in the whole.
            (Prompt::Text(before), Continuation::Text(text)) => {
                return self.prompt_ids(&Prompt::Text(format!("{before}{text}")));
            }
            (_, Continuation::Text(text)) => {
                let tokenizer = self.require_tokenizer(Capability::Encode)?;
                tokenizer.encode_as_text(text).map_err(ModelError::invalid_prompt)?
            }
            _ => return Err(ModelError::Unsupported { capability: Capability::Score }),
        };
        Ok(context.iter().copied().chain(continuation).collect())
    }

    /// The mean of the states that the head reads, scaled to length 1.
    pub(crate) fn embed(&self, prompt: &Prompt) -> Result<Vec<f32>, ModelError> {
        let ids = self.prompt_ids(prompt)?;
        let width = self.model.config().hidden_size;
        let mut sum = vec![0.0_f64; width];
        for row in self.hidden(&ids)?.chunks_exact(width) {
            for (sum, &value) in sum.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
        let length = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
        let length = length.max(f64::MIN_POSITIVE);
        Ok(sum.into_iter().map(|value| (value / length) as f32).collect())
    }
}
