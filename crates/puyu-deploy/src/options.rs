//! What a pipeline is opened with, and what a checkpoint's authors want sampled.

use puyu_core::{DeviceSpec, GenerateOptions};
use puyu_model::{GenerationConfig, LoadOptions, NtkRule};

/// How a model folder is opened.
///
/// # Examples
///
/// ```
/// use puyu_deploy::PipelineOptions;
///
/// let options = PipelineOptions::default().with_device("cpu".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct PipelineOptions {
    /// Where the model computes. The CPU by default, which every machine has.
    pub device: DeviceSpec,
    /// Types of weights and activations.
    pub load: LoadOptions,
    /// Tokens of prompt and answer together at most. The trained length by default.
    pub context_tokens: Option<usize>,
    /// The rule for dynamic NTK scaling. That of the model's own published code by default.
    pub ntk_rule: Option<NtkRule>,
}

impl PipelineOptions {
    /// Sets the device.
    #[must_use]
    pub fn with_device(mut self, device: DeviceSpec) -> Self {
        self.device = device;
        self
    }

    /// Sets the types of weights and activations.
    #[must_use]
    pub fn with_load(mut self, load: LoadOptions) -> Self {
        self.load = load;
        self
    }

    /// Sets the longest context, in tokens.
    #[must_use]
    pub fn with_context_tokens(mut self, context_tokens: usize) -> Self {
        self.context_tokens = Some(context_tokens);
        self
    }

    /// Sets the rule for dynamic NTK scaling.
    #[must_use]
    pub fn with_ntk_rule(mut self, rule: NtkRule) -> Self {
        self.ntk_rule = Some(rule);
        self
    }
}

/// Sampling as `generation_config.json` wants it: greedy unless it says `do_sample`.
pub(crate) fn generate_options(config: Option<&GenerationConfig>) -> GenerateOptions {
    let Some(config) = config else { return GenerateOptions::default() };
    let mut options = match config.do_sample {
        Some(true) => GenerateOptions::default(),
        _ => GenerateOptions::greedy(),
    };
    if config.do_sample == Some(true) {
        options.temperature = config.temperature.unwrap_or(1.0);
        options.top_k = match config.top_k {
            // Hugging Face's way to say that all tokens are kept.
            Some(0) => None,
            Some(k) => Some(k as usize),
            None => options.top_k,
        };
        options.top_p = config.top_p.unwrap_or(1.0);
    }
    options.repetition_penalty = config.repetition_penalty.unwrap_or(options.repetition_penalty);
    options.max_new_tokens = config.max_new_tokens.unwrap_or(options.max_new_tokens);
    options
}
