//! The contract of language models.

use std::ops::ControlFlow;

use puyu_core::{
    Capability, Event, GenerateRequest, Generation, LanguageModel, ModelError, ModelInfo, Prompt,
    Score, ScoreRequest,
};

use crate::Pipeline;

impl LanguageModel for Pipeline {
    fn info(&self) -> &ModelInfo {
        &self.inner().info
    }

    fn encode(&self, prompt: &Prompt) -> Result<Vec<u32>, ModelError> {
        self.inner().prompt_ids(prompt)
    }

    fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        let tokenizer = self.inner().require_tokenizer(Capability::Decode)?;
        self.inner().text_of(tokenizer, tokens)
    }

    fn generate(
        &self,
        request: &GenerateRequest,
        on_event: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Generation, ModelError> {
        self.inner().generate(request, on_event)
    }

    fn score(&self, requests: &[ScoreRequest]) -> Result<Vec<Score>, ModelError> {
        requests.iter().map(|request| self.inner().score(request)).collect()
    }

    /// The mean over tokens of the states that the head reads, scaled to length 1.
    fn embed(&self, prompts: &[Prompt]) -> Result<Vec<Vec<f32>>, ModelError> {
        prompts.iter().map(|prompt| self.inner().embed(prompt)).collect()
    }
}
