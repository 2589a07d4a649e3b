//! A conversation that keeps what it has computed.

use std::ops::ControlFlow;

use puyu_core::{
    Completion, Event, FinishReason, GenerateOptions, GenerateRequest, Generation, Message,
    ModelError, Prompt, Role, ToolDefinition,
};

use crate::Pipeline;
use crate::generate::Prefilled;
use crate::pipeline::first_text;

/// A conversation with a [`Pipeline`].
///
/// Keys and values of earlier turns are kept: a turn computes only what is new. The answers are
/// those of a fresh request with the whole history.
pub struct Chat {
    pipeline: Pipeline,
    messages: Vec<Message>,
    tools: Vec<ToolDefinition>,
    options: GenerateOptions,
    computed: Option<Prefilled>,
}

impl Chat {
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        let options = pipeline.default_options().clone();
        Self { pipeline, messages: Vec::new(), tools: Vec::new(), options, computed: None }
    }

    /// Sets how answers are sampled.
    #[must_use]
    pub fn with_options(mut self, options: GenerateOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets the functions that the model may call.
    #[must_use]
    pub fn with_tools(mut self, tools: Vec<ToolDefinition>) -> Self {
        self.tools = tools;
        self
    }

    /// Sets or, with an empty text, removes the system message.
    pub fn set_system(&mut self, text: &str) {
        self.messages.retain(|message| message.role != Role::System);
        if !text.is_empty() {
            self.messages.insert(0, Message::system(text));
        }
    }

    /// The messages so far.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Forgets all messages but the system message.
    pub fn clear(&mut self) {
        self.messages.retain(|message| message.role == Role::System);
    }

    /// Answers a message of the user and returns the text.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn ask(&mut self, message: impl Into<String>) -> Result<String, ModelError> {
        let generation =
            self.send(Message::user(message), &mut |_event| ControlFlow::Continue(()))?;
        Ok(first_text(generation))
    }

    /// Adds a message of anybody, answers it, and tells each token as it comes. The answer becomes
    /// part of the conversation, also one that `on_event` broke off; a turn broken off before the
    /// model said anything is forgotten.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if the conversation does not fit the context, the options are not valid or
    /// the model cannot chat. The conversation is then as it was before.
    pub fn send(
        &mut self,
        message: Message,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Generation, ModelError> {
        self.messages.push(message);
        let generation = self.answer(on_event);
        let first = generation.as_ref().ok().and_then(|generation| generation.completions.first());
        match first.filter(|first| !was_silenced(first)) {
            Some(first) => self.messages.push(first.to_message()),
            None => {
                self.messages.pop();
            }
        }
        generation
    }

    fn answer(
        &mut self,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Generation, ModelError> {
        let prompt = Prompt::chat_with_tools(self.messages.clone(), self.tools.clone());
        let request = GenerateRequest::new(prompt, self.options.clone());
        self.pipeline.inner().generate_from(&mut self.computed, &request, on_event)
    }
}

/// Whether an answer was broken off before it said anything.
fn was_silenced(answer: &Completion) -> bool {
    answer.reason == FinishReason::Cancelled
        && answer.text.is_empty()
        && answer.tool_calls.is_empty()
}
