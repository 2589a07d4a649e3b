//! What a model is and what it can do.

use serde::{Deserialize, Serialize};

/// What a model is and what it can do.
///
/// # Examples
///
/// ```
/// use puyu_core::{Capability, ModelInfo};
///
/// let info = ModelInfo::new("internlm2-chat-7b", "sha256:9f2c", 32_768, 92_544)
///     .with_capabilities([Capability::Encode, Capability::Score]);
/// assert!(info.supports(Capability::Score));
/// assert!(!info.supports(Capability::Embed));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The model's name, for people and for the `model` field of servers.
    pub name: String,
    /// Changes whenever the model's answers may change: a hash over weights, number types,
    /// tokenizer and chat template. Journals and caches of results are kept under it.
    pub fingerprint: String,
    /// Most tokens of prompt and answer together.
    pub context_tokens: usize,
    /// Number of logits, so the greatest token id is one less.
    pub vocab_size: usize,
    /// Tokens with which the model ends its turn or its text.
    pub end_token_ids: Vec<u32>,
    /// What prompts may contain. Text is always among them.
    pub modalities: Vec<Modality>,
    /// What the model can do beyond generating.
    pub capabilities: Vec<Capability>,
}

impl ModelInfo {
    /// Describes a model that reads text and generates, and nothing more.
    pub fn new(
        name: impl Into<String>,
        fingerprint: impl Into<String>,
        context_tokens: usize,
        vocab_size: usize,
    ) -> Self {
        Self {
            name: name.into(),
            fingerprint: fingerprint.into(),
            context_tokens,
            vocab_size,
            end_token_ids: Vec::new(),
            modalities: vec![Modality::Text],
            capabilities: Vec::new(),
        }
    }

    /// Sets the tokens that end a turn or a text.
    #[must_use]
    pub fn with_end_tokens(mut self, end_token_ids: impl Into<Vec<u32>>) -> Self {
        self.end_token_ids = end_token_ids.into();
        self
    }

    /// Sets what prompts may contain beside text.
    #[must_use]
    pub fn with_modalities(mut self, modalities: impl IntoIterator<Item = Modality>) -> Self {
        self.modalities = vec![Modality::Text];
        self.modalities.extend(modalities.into_iter().filter(|&m| m != Modality::Text));
        self
    }

    /// Sets what the model can do beyond generating.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: impl Into<Vec<Capability>>) -> Self {
        self.capabilities = capabilities.into();
        self
    }

    /// Whether the model can do something.
    pub fn supports(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// A kind of content that a model can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Modality {
    /// Text.
    Text,
    /// Pictures.
    Image,
    /// Videos.
    Video,
    /// Sound.
    Audio,
}

/// Something that not every model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Capability {
    /// Showing the tokens of a prompt.
    Encode,
    /// Turning tokens into text.
    Decode,
    /// Prompts given as tokens.
    TokenPrompts,
    /// Scoring continuations.
    Score,
    /// Embedding texts.
    Embed,
    /// Log-probabilities of generated tokens.
    Logprobs,
    /// Log-probabilities of the prompt's tokens.
    PromptLogprobs,
    /// Answers of a required form.
    Constraints,
    /// Tool definitions in chat prompts.
    Tools,
    /// Pictures in messages.
    Images,
    /// Videos in messages.
    Videos,
    /// Sound in messages.
    Audio,
    /// Adapters chosen per request.
    Adapters,
    /// Sampling options beyond temperature, top-p, seed and stops, such as penalties and DRY.
    SamplingOptions,
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Capability::Encode => "showing the tokens of a prompt",
            Capability::Decode => "turning tokens into text",
            Capability::TokenPrompts => "prompts given as tokens",
            Capability::Score => "scoring continuations",
            Capability::Embed => "embedding texts",
            Capability::Logprobs => "log-probabilities",
            Capability::PromptLogprobs => "log-probabilities of the prompt",
            Capability::Constraints => "answers of a required form",
            Capability::Tools => "tool definitions",
            Capability::Images => "pictures",
            Capability::Videos => "videos",
            Capability::Audio => "sound",
            Capability::Adapters => "adapters",
            Capability::SamplingOptions => "sampling options of this kind",
        })
    }
}
