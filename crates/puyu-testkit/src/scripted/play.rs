//! Plays a reply token by token, as an engine would stream it.

use std::ops::ControlFlow;

use puyu_core::{Completion, Event, FinishReason, GenerateRequest};

use super::{END, Reply, bytes};

/// One request being played.
pub(super) struct Stage<'a> {
    request: &'a GenerateRequest,
    prompt: &'a [u32],
    /// Most tokens of a reply, by the options and by the context.
    room: usize,
    is_broken_off: bool,
}

/// A reply cut where it ends.
struct Script {
    tokens: Vec<u32>,
    text: String,
    reason: FinishReason,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        request: &'a GenerateRequest,
        prompt: &'a [u32],
        context_tokens: usize,
    ) -> Self {
        let room = context_tokens.saturating_sub(prompt.len());
        Self { request, prompt, room, is_broken_off: false }
    }

    pub(super) fn start(&mut self, on_event: &mut dyn FnMut(Event) -> ControlFlow<()>) {
        let event = Event::Started { prompt_tokens: self.prompt.len() };
        self.is_broken_off |= on_event(event).is_break();
    }

    pub(super) fn play(
        &mut self,
        sample: usize,
        reply: &Reply,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Completion {
        let script = self.cut(reply);
        let mut played = Completion {
            text: String::new(),
            tokens: Vec::new(),
            logprobs: Vec::new(),
            tool_calls: Vec::new(),
            reason: FinishReason::Cancelled,
        };
        let mut previous = self.prompt.last().copied().unwrap_or(END);
        let last = script.tokens.len().saturating_sub(1);
        for (at, &id) in script.tokens.iter().enumerate() {
            if self.is_broken_off || self.request.cancel.is_cancelled() {
                break;
            }
            let n_bytes = if at == last { script.text.len() } else { at + 1 };
            let text = text_between(&script.text, played.text.len(), n_bytes);
            let n_top = self.request.options.logprobs;
            let logprob = n_top.map(|n_top| bytes::logprob(previous, id, n_top));
            played.tokens.push(id);
            played.text.push_str(text);
            played.logprobs.extend(logprob.clone());
            previous = id;
            let event = Event::Token { sample, id, text: text.to_owned(), logprob };
            self.is_broken_off |= on_event(event).is_break();
        }
        if played.tokens.len() == script.tokens.len() && !self.is_taken_back_early(&script) {
            played.reason = script.reason;
            if played.reason == FinishReason::ToolCalls {
                played.tool_calls.clone_from(&reply.tool_calls);
            }
        }
        let finished = Event::Finished { sample, reason: played.reason.clone() };
        self.is_broken_off |= on_event(finished).is_break();
        played
    }

    /// A reply of no tokens cannot be broken off, unless the request was before it began.
    fn is_taken_back_early(&self, script: &Script) -> bool {
        script.tokens.is_empty() && (self.is_broken_off || self.request.cancel.is_cancelled())
    }

    /// Finds the earliest end: stop string, stop token, limits, or the reply's own end.
    fn cut(&self, reply: &Reply) -> Script {
        let options = &self.request.options;
        let mut tokens = bytes::encode(&reply.text);
        tokens.push(END);
        let mut reason = match reply.tool_calls.is_empty() {
            true => FinishReason::Stop,
            false => FinishReason::ToolCalls,
        };
        let mut text_bytes = reply.text.len();

        if let Some((start, stop)) = first_stop(&reply.text, &options.stop_strings) {
            tokens.truncate(start + stop.len());
            reason = FinishReason::StopString(stop.to_owned());
            text_bytes = start;
        }
        let is_stop = |id: &u32| *id != END && options.stop_token_ids.contains(id);
        if let Some(at) = tokens.iter().position(is_stop) {
            tokens.truncate(at + 1);
            reason = FinishReason::StopToken(tokens[at]);
            text_bytes = text_bytes.min(at);
        }
        let limit = options.max_new_tokens.min(self.room);
        if tokens.len() > limit {
            tokens.truncate(limit);
            let is_full = limit < options.max_new_tokens;
            reason = if is_full { FinishReason::ContextFull } else { FinishReason::Length };
            text_bytes = text_bytes.min(limit);
        }
        let text = text_between(&reply.text, 0, text_bytes).to_owned();
        Script { tokens, text, reason }
    }
}

/// The whole characters from byte `start` up to byte `end`.
fn text_between(text: &str, start: usize, end: usize) -> &str {
    let end = text.floor_char_boundary(end.min(text.len()));
    &text[start..end.max(start)]
}

/// The stop string that is complete first, and where it starts.
fn first_stop<'a>(text: &str, stops: &'a [String]) -> Option<(usize, &'a str)> {
    let found = stops.iter().filter_map(|stop| text.find(stop).map(|at| (at, stop.as_str())));
    found.min_by_key(|(at, stop)| (at + stop.len(), *at))
}
