//! The loop from prompt to answer.

use std::ops::ControlFlow;

use puyu_core::sampler::token_logprob;
use puyu_core::{
    CancelToken, Capability, Completion, Event, FinishReason, GenerateOptions, GenerateRequest,
    Generation, History, ModelError, Prompt, Role, SampledToken, Sampler, TokenLogprob, Usage,
};
use puyu_model::{KvCache, SequencePlan, Unobserved, read};

use crate::answer::Answer;
use crate::error::forward;
use crate::pipeline::Inner;

/// Prompt tokens computed at a time.
///
/// Attention holds `heads * chunk * context` scores: 512 MiB for a 7B model at 8,192 tokens.
const PREFILL_TOKENS: usize = 512;

type OnEvent<'a> = &'a mut dyn FnMut(Event) -> ControlFlow<()>;

/// A prompt that has been computed: its cache and the logits after its last token.
pub(crate) struct Prefilled {
    ids: Vec<u32>,
    cache: KvCache,
    logits: Vec<f32>,
    prompt_logprobs: Vec<Option<TokenLogprob>>,
    n_cached: usize,
}

/// Who hears of a request. Remembers a break, which ends this request and no other that shares the
/// cancel token.
struct Listener<'a> {
    on_event: OnEvent<'a>,
    cancel: &'a CancelToken,
    has_broken_off: bool,
}

impl Listener<'_> {
    fn tell(&mut self, event: Event) {
        self.has_broken_off |= (self.on_event)(event).is_break();
    }

    fn is_cancelled(&self) -> bool {
        self.has_broken_off || self.cancel.is_cancelled()
    }
}

impl Inner {
    pub(crate) fn generate(
        &self,
        request: &GenerateRequest,
        on_event: OnEvent<'_>,
    ) -> Result<Generation, ModelError> {
        self.generate_from(&mut None, request, on_event)
    }

    /// Continues the request's prompt, reusing what `earlier` has computed of it, and leaves there
    /// what the next call may reuse.
    pub(crate) fn generate_from(
        &self,
        earlier: &mut Option<Prefilled>,
        request: &GenerateRequest,
        on_event: OnEvent<'_>,
    ) -> Result<Generation, ModelError> {
        self.check(request)?;
        let ids = self.prompt_ids(&request.prompt)?;
        self.check_room(ids.len())?;
        let n_prompt = ids.len();
        let mut listener = Listener { on_event, cancel: &request.cancel, has_broken_off: false };
        listener.tell(Event::Started { prompt_tokens: n_prompt });
        // Taken out while it changes: after an error nothing half-computed is left behind.
        let reusable = earlier.take();
        let Some(mut prompt) = self.prefill(reusable, ids, request, &listener)? else {
            return Ok(taken_back(n_prompt, request.options.n_samples, &mut listener));
        };
        let mut usage =
            Usage { prompt_tokens: n_prompt, cached_tokens: prompt.n_cached, completion_tokens: 0 };
        let mut completions = Vec::new();
        for sample in 0..request.options.n_samples {
            prompt.cache.truncate(n_prompt);
            let completion = self.sample(&mut prompt, sample, request, &mut listener)?;
            usage.completion_tokens += completion.tokens.len();
            completions.push(completion);
        }
        if let Some(last) = completions.last() {
            // The last token drawn was never computed.
            let n_computed = prompt.cache.len() - n_prompt;
            prompt.ids.extend(&last.tokens[..n_computed]);
        }
        let prompt_logprobs = std::mem::take(&mut prompt.prompt_logprobs);
        *earlier = Some(prompt);
        Ok(Generation { completions, prompt_logprobs, usage })
    }

    fn check(&self, request: &GenerateRequest) -> Result<(), ModelError> {
        request.options.validate(Some(self.info.vocab_size))?;
        if request.options.constraint.is_some() {
            return Err(ModelError::Unsupported { capability: Capability::Constraints });
        }
        if !request.options.stop_strings.is_empty() {
            self.require_tokenizer(Capability::Decode)?;
        }
        match &request.adapter {
            Some(name) => Err(ModelError::UnknownAdapter { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// Computes a prompt, from where `reusable` stops being the same; nothing if the request is
    /// taken back meanwhile.
    fn prefill(
        &self,
        reusable: Option<Prefilled>,
        ids: Vec<u32>,
        request: &GenerateRequest,
        listener: &Listener<'_>,
    ) -> Result<Option<Prefilled>, ModelError> {
        let options = &request.options;
        let n_needed = ids.len().saturating_add(options.max_new_tokens);
        let capacity = self.info.context_tokens.min(n_needed);
        let (mut cache, n_cached) = match reusable {
            Some(earlier) if options.prompt_logprobs.is_none() => {
                self.reuse(earlier, &ids, capacity)
            }
            _ => (self.new_cache(&ids, capacity), 0),
        };
        let mut logits = Vec::new();
        let mut prompt_logprobs = Vec::new();
        for (index, chunk) in ids[n_cached..].chunks(PREFILL_TOKENS).enumerate() {
            if listener.is_cancelled() {
                return Ok(None);
            }
            match options.prompt_logprobs {
                None => logits = self.next_logits(chunk, &mut cache)?,
                Some(n_top) => {
                    let first = index * PREFILL_TOKENS;
                    let flat =
                        read(self.model.forward(&[chunk.to_vec()], &mut cache).map_err(forward)?)
                            .map_err(forward)?;
                    for (row, logits) in flat.chunks_exact(self.info.vocab_size).enumerate() {
                        if let Some(&next) = ids.get(first + row + 1) {
                            prompt_logprobs.push(Some(describe(logits, next, n_top)?));
                        }
                    }
                    logits = flat[flat.len() - self.info.vocab_size..].to_vec();
                }
            }
        }
        if options.prompt_logprobs.is_some() {
            // Nothing comes before the first token.
            prompt_logprobs.insert(0, None);
        }
        Ok(Some(Prefilled { ids, cache, logits, prompt_logprobs, n_cached }))
    }

    fn new_cache(&self, ids: &[u32], capacity: usize) -> KvCache {
        let plan = SequencePlan::unpadded(vec![ids.len()]);
        KvCache::new(self.model.config(), plan, capacity).with_ntk_rule(self.ntk_rule)
    }

    /// The cache of an earlier call, cut back to what the prompts share.
    ///
    /// Beyond the trained length a dynamic base depends on how long prompt and answer are, so
    /// nothing is reused where either call can get there: the answer must be the one a fresh call
    /// would give.
    fn reuse(&self, earlier: Prefilled, ids: &[u32], capacity: usize) -> (KvCache, usize) {
        let rope = &self.model.config().rope;
        let longest = capacity.max(earlier.cache.capacity());
        let is_beyond = longest > rope.max_position_embeddings && rope.is_dynamic();
        let n_shared = earlier.ids.iter().zip(ids).take_while(|(a, b)| a == b).count();
        // At least the last token is computed, for its logits.
        let n_cached = n_shared.min(earlier.cache.len()).min(ids.len() - 1);
        if is_beyond || n_cached == 0 {
            return (self.new_cache(ids, capacity), 0);
        }
        let mut cache = earlier.cache;
        cache.truncate(n_cached);
        cache.set_capacity(capacity);
        (cache, n_cached)
    }

    /// Draws one sample. The cache then holds the prompt and all drawn tokens but the last.
    fn sample(
        &self,
        prompt: &mut Prefilled,
        sample: usize,
        request: &GenerateRequest,
        listener: &mut Listener<'_>,
    ) -> Result<Completion, ModelError> {
        let options = &request.options;
        let end_tokens = if options.ignore_eos { &[][..] } else { &self.info.end_token_ids[..] };
        let mut sampler =
            Sampler::new(options)?.with_sample(sample as u32).with_end_tokens(end_tokens);
        let before = if begins_anew(&request.prompt) { &[][..] } else { &prompt.ids[..] };
        let mut answer = Answer::new(self, options, before);
        let mut completion = empty(FinishReason::Length);
        let mut logits = prompt.logits.clone();
        let mut end = match listener.is_cancelled() {
            true => Some(FinishReason::Cancelled),
            false => self.limit(prompt.ids.len(), 0, options),
        };
        while end.is_none() {
            let history = History { prompt: &prompt.ids, generated: &completion.tokens };
            let token = sampler.sample(&mut logits, history)?;
            let id = token.id;
            completion.tokens.push(id);
            let (text, said) = answer.push(id)?;
            let n_generated = completion.tokens.len();
            end = said.or_else(|| self.limit(prompt.ids.len(), n_generated, options));
            let rest = close(&mut answer, &mut completion, &mut end)?;
            tell(&mut completion, (sample, token), text + &rest, listener);
            if end.is_none() && listener.is_cancelled() {
                end = Some(FinishReason::Cancelled);
                // Nobody listens any more, but the answer keeps what was held back.
                let rest = close(&mut answer, &mut completion, &mut end)?;
                completion.text.push_str(&rest);
            }
            if end.is_none() {
                logits = self.next_logits(&[id], &mut prompt.cache)?;
            }
        }
        if let Some(reason) = end {
            completion.reason = reason;
        }
        listener.tell(Event::Finished { sample, reason: completion.reason.clone() });
        Ok(completion)
    }

    /// Why there is no room for another token, if there is none.
    fn limit(
        &self,
        n_prompt: usize,
        n_generated: usize,
        options: &GenerateOptions,
    ) -> Option<FinishReason> {
        if n_generated >= options.max_new_tokens {
            return Some(FinishReason::Length);
        }
        let is_full = n_prompt + n_generated >= self.info.context_tokens;
        is_full.then_some(FinishReason::ContextFull)
    }

    /// Appends tokens to the cache and gives the logits after the last of them.
    fn next_logits(&self, ids: &[u32], cache: &mut KvCache) -> Result<Vec<f32>, ModelError> {
        let logits = self.model.forward_last(&[ids.to_vec()], cache).map_err(forward)?;
        read(logits).map_err(forward)
    }

    /// States after the final norm of each token of a prompt, `[T, D]` row-major.
    pub(crate) fn hidden(&self, ids: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.check_room(ids.len())?;
        let mut cache = self.new_cache(ids, ids.len());
        let mut states = Vec::new();
        for chunk in ids.chunks(PREFILL_TOKENS) {
            let hidden = self
                .model
                .hidden(&[chunk.to_vec()], &mut cache, &mut Unobserved)
                .map_err(forward)?;
            states.extend(read(hidden).map_err(forward)?);
        }
        Ok(states)
    }

    /// Logits after each of `ids` from `first` on, given row by row to `on_row`.
    pub(crate) fn logits_from(
        &self,
        ids: &[u32],
        first: usize,
        mut on_row: impl FnMut(usize, &[f32]) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let mut cache = self.new_cache(ids, ids.len());
        let mut start = 0;
        for chunk in ids.chunks(PREFILL_TOKENS) {
            let hidden = self
                .model
                .hidden(&[chunk.to_vec()], &mut cache, &mut Unobserved)
                .map_err(forward)?;
            let end = start + chunk.len();
            if end > first {
                // Only the positions asked for go through the head.
                let from = first.saturating_sub(start);
                let logits = self.model.project(hidden.slice_dim(1, from..chunk.len()));
                let flat = read(logits).map_err(forward)?;
                for (row, logits) in flat.chunks_exact(self.info.vocab_size).enumerate() {
                    on_row(start + from + row, logits)?;
                }
            }
            start = end;
        }
        Ok(())
    }
}

/// Whether an answer starts a text of its own, so that a space before it means nothing.
fn begins_anew(prompt: &Prompt) -> bool {
    match prompt {
        // An assistant's last message is left open for the model to go on with.
        Prompt::Chat { messages, .. } => {
            messages.last().is_none_or(|last| last.role != Role::Assistant)
        }
        _ => false,
    }
}

/// A sample before its first token.
fn empty(reason: FinishReason) -> Completion {
    Completion {
        text: String::new(),
        tokens: Vec::new(),
        logprobs: Vec::new(),
        tool_calls: Vec::new(),
        reason,
    }
}

/// What is left of a request that was taken back before its prompt was computed.
fn taken_back(n_prompt: usize, n_samples: usize, listener: &mut Listener<'_>) -> Generation {
    let mut completions = Vec::new();
    for sample in 0..n_samples {
        listener.tell(Event::Finished { sample, reason: FinishReason::Cancelled });
        completions.push(empty(FinishReason::Cancelled));
    }
    let usage = Usage { prompt_tokens: n_prompt, ..Usage::default() };
    Generation { completions, prompt_logprobs: Vec::new(), usage }
}

/// If there is an end, takes tool calls and the true reason from the answer; returns the rest of
/// its text.
fn close(
    answer: &mut Answer<'_>,
    completion: &mut Completion,
    end: &mut Option<FinishReason>,
) -> Result<String, ModelError> {
    let Some(reason) = end.take() else { return Ok(String::new()) };
    let (rest, calls, reason) = answer.finish(reason)?;
    completion.tool_calls = calls;
    *end = Some(reason);
    Ok(rest)
}

/// Adds a token to the answer and tells it.
fn tell(
    completion: &mut Completion,
    (sample, token): (usize, SampledToken),
    text: String,
    listener: &mut Listener<'_>,
) {
    completion.text.push_str(&text);
    let (id, top) = (token.id, token.top);
    let logprob = token.logprob.map(|logprob| TokenLogprob { id, logprob, top });
    completion.logprobs.extend(logprob.clone());
    listener.tell(Event::Token { sample, id, text, logprob });
}

pub(crate) fn describe(logits: &[f32], id: u32, n_top: usize) -> Result<TokenLogprob, ModelError> {
    let (logprob, top) = token_logprob(logits, id, n_top)?;
    Ok(TokenLogprob { id, logprob, top })
}
