//! From drawn tokens to text, tool calls and a reason to end.

use puyu_core::{FinishReason, GenerateOptions, ModelError, ToolCall};
use puyu_text::{ChatTemplate, DecodeStream, SpecialTokens, TextError, Tokenizer, parse_assistant};

use crate::error::backend;
use crate::pipeline::Inner;
use crate::stop::{Scan, StopStrings};

/// The token that begins a tool call in InternLM2's protocol.
const ACTION_START: &str = "<|action_start|>";

/// Follows one sample and decides when the model ends it.
pub(crate) struct Answer<'a> {
    inner: &'a Inner,
    options: &'a GenerateOptions,
    stream: Option<DecodeStream>,
    stops: StopStrings,
    /// The id of [`ACTION_START`], where the template knows tool calls.
    action_start: Option<u32>,
    /// Tokens from [`ACTION_START`] on.
    action: Vec<u32>,
}

impl<'a> Answer<'a> {
    /// `before` holds the tokens whose text the answer goes on with, none where it begins anew.
    pub(crate) fn new(inner: &'a Inner, options: &'a GenerateOptions, before: &[u32]) -> Self {
        let special =
            if options.skip_special_tokens { SpecialTokens::Skip } else { SpecialTokens::Write };
        // Where end tokens are ordinary ones, nothing says where a call is over.
        let has_actions = options.skip_special_tokens
            && !options.ignore_eos
            && matches!(inner.template, Some(ChatTemplate::InternLm2 | ChatTemplate::InternLm3));
        let tokenizer = inner.tokenizer.as_ref();
        Self {
            inner,
            options,
            stream: tokenizer.map(|tokenizer| stream_after(tokenizer, special, before)),
            stops: StopStrings::new(&options.stop_strings),
            action_start: tokenizer
                .filter(|_| has_actions)
                .and_then(|tokenizer| tokenizer.piece_to_id(ACTION_START)),
            action: Vec::new(),
        }
    }

    /// Takes a token. Returns the text that is certain now, and why the sample ends, if it does.
    pub(crate) fn push(&mut self, id: u32) -> Result<(String, Option<FinishReason>), ModelError> {
        if !self.options.ignore_eos && self.inner.info.end_token_ids.contains(&id) {
            return Ok((String::new(), Some(FinishReason::Stop)));
        }
        if self.options.stop_token_ids.contains(&id) {
            return Ok((String::new(), Some(FinishReason::StopToken(id))));
        }
        if Some(id) == self.action_start || !self.action.is_empty() {
            self.action.push(id);
            return Ok((String::new(), None));
        }
        let Some(stream) = &mut self.stream else { return Ok((String::new(), None)) };
        let piece = match stream.push(id) {
            // Embeddings are padded to a round size; rows beyond the tokenizer can be drawn.
            Err(TextError::UnknownId { .. }) => String::new(),
            other => other.map_err(backend)?,
        };
        Ok(match self.stops.push(&piece) {
            Scan::Text(certain) => (certain, None),
            Scan::Stopped { before, stop } => (before, Some(FinishReason::StopString(stop))),
        })
    }

    /// Ends the sample: the rest of its text, its tool calls, and why it ended after all.
    pub(crate) fn finish(
        &mut self,
        reason: FinishReason,
    ) -> Result<(String, Vec<ToolCall>, FinishReason), ModelError> {
        if matches!(reason, FinishReason::StopString(_)) {
            return Ok((String::new(), Vec::new(), reason));
        }
        let mut tail = match &mut self.stream {
            Some(stream) => stream.flush().map_err(backend)?,
            None => String::new(),
        };
        let mut calls = Vec::new();
        if let Some(tokenizer) = self.inner.tokenizer.as_ref().filter(|_| !self.action.is_empty()) {
            let action = self.inner.text_of(tokenizer, &self.action)?;
            match tool_calls(&action) {
                Some(found) => calls = found,
                // Neither lost nor hidden: a damaged call or a program is shown as it was written.
                None => tail += &action,
            }
        }
        let (rest, ended_by) = match self.stops.push(&tail) {
            Scan::Text(certain) => (certain + &self.stops.flush(), None),
            // Whatever comes after a stop string was not said.
            Scan::Stopped { before, stop } => {
                calls.clear();
                (before, Some(FinishReason::StopString(stop)))
            }
        };
        let reason = match ended_by {
            _ if reason == FinishReason::Cancelled => reason,
            Some(stop) => stop,
            None if !calls.is_empty() => FinishReason::ToolCalls,
            None => reason,
        };
        Ok((rest, calls, reason))
    }
}

/// A stream that knows that text stands before it, so that a space at its start stays one.
fn stream_after(tokenizer: &Tokenizer, special: SpecialTokens, before: &[u32]) -> DecodeStream {
    let fresh = || tokenizer.decode_stream(special);
    let with_text = |&id: &u32| {
        let mut stream = fresh();
        // A token without text may be the first byte of a character, which belongs to the prompt.
        stream.push(id).is_ok_and(|text| !text.is_empty()).then_some(stream)
    };
    let mut ordinary = before.iter().rev().filter(|&&id| !tokenizer.is_special(id));
    ordinary.find_map(with_text).unwrap_or_else(fresh)
}

/// The calls that the model made, if all of what it did can be read as such.
fn tool_calls(action: &str) -> Option<Vec<ToolCall>> {
    let output = parse_assistant(action)
        .inspect_err(|error| tracing::debug!(%error, "not a tool call"))
        .ok()?;
    let is_calls_only =
        output.content.is_empty() && output.code.is_empty() && !output.tool_calls.is_empty();
    let numbered = output.tool_calls.into_iter().enumerate();
    is_calls_only.then(|| {
        numbered.map(|(index, call)| ToolCall { id: format!("call_{index}"), ..call }).collect()
    })
}
