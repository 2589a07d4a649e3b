//! A model folder, opened.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use puyu_core::{
    Capability, Event, GenerateOptions, GenerateRequest, Generation, LanguageModel as _, Message,
    ModelError, ModelInfo, Prompt,
};
use puyu_model::{Checkpoint, Decoder, Head, NtkRule, open_device};
use puyu_text::{ChatTemplate, Tokenizer};

use crate::chat::Chat;
use crate::error::PipelineError;
use crate::options::{PipelineOptions, generate_options};

/// A model that answers. Clones share the weights.
///
/// The same request and seed give the same answer, whatever else is running.
#[derive(Clone, Debug)]
pub struct Pipeline {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) model: Decoder,
    /// Absent in folders that hold weights only; such a model speaks in token ids.
    pub(crate) tokenizer: Option<Tokenizer>,
    /// Absent where the folder has none and the model type has no built-in one.
    pub(crate) template: Option<ChatTemplate>,
    pub(crate) info: ModelInfo,
    pub(crate) ntk_rule: NtkRule,
    defaults: GenerateOptions,
}

impl Pipeline {
    /// Opens a Hugging Face folder on the CPU.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] naming the file at fault.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, PipelineError> {
        Self::open_with(folder, &PipelineOptions::default())
    }

    /// Opens a Hugging Face folder.
    ///
    /// A folder without a tokenizer opens too; it takes and gives token ids only.
    ///
    /// # Errors
    ///
    /// [`PipelineError`] naming the file at fault.
    pub fn open_with(
        folder: impl AsRef<Path>,
        options: &PipelineOptions,
    ) -> Result<Self, PipelineError> {
        let folder = folder.as_ref();
        let device = open_device(options.device)?;
        let checkpoint = Checkpoint::open(folder)?;
        let tokenizer = open_tokenizer(folder, checkpoint.config().vocab_size)?;
        let template =
            tokenizer.as_ref().map(|tokenizer| ChatTemplate::for_model_dir(folder, tokenizer));
        let template = match template.transpose() {
            Ok(template) => template,
            Err(puyu_text::ChatError::NoTemplate { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let model = checkpoint.load(&options.load, &device)?;
        let info = info(&checkpoint, options, tokenizer.as_ref(), template.as_ref())?;
        Ok(Self {
            inner: Arc::new(Inner {
                model,
                tokenizer,
                template,
                info,
                ntk_rule: options.ntk_rule.unwrap_or(checkpoint.config().family.ntk_rule()),
                defaults: generate_options(checkpoint.generation()),
            }),
        })
    }

    /// Sampling as the checkpoint's authors want it, from `generation_config.json`.
    pub fn default_options(&self) -> &GenerateOptions {
        &self.inner.defaults
    }

    /// The decoder.
    pub fn model(&self) -> &Decoder {
        &self.inner.model
    }

    /// The tokenizer, if the folder has one.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.inner.tokenizer.as_ref()
    }

    /// Answers one message and returns the text.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if the message does not fit the context or the model cannot chat.
    pub fn ask(&self, message: impl Into<String>) -> Result<String, ModelError> {
        self.stream(message, |_piece| ControlFlow::Continue(()))
    }

    /// Answers one message, gives each piece of text as soon as it is certain, and returns the
    /// whole. Breaking from `on_text` ends the answer.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask).
    pub fn stream(
        &self,
        message: impl Into<String>,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<String, ModelError> {
        let prompt = Prompt::chat([Message::user(message)]);
        let request = GenerateRequest::new(prompt, self.inner.defaults.clone());
        let generation = self.generate(&request, &mut |event| match event {
            Event::Token { text, .. } if !text.is_empty() => on_text(&text),
            _ => ControlFlow::Continue(()),
        })?;
        Ok(first_text(generation))
    }

    /// Starts a conversation.
    pub fn chat(&self) -> Chat {
        Chat::new(self.clone())
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }
}

pub(crate) fn first_text(generation: Generation) -> String {
    generation.completions.into_iter().next().map_or_else(String::new, |first| first.text)
}

/// The folder's tokenizer, if it has one whose ids the model knows.
fn open_tokenizer(folder: &Path, vocab_size: usize) -> Result<Option<Tokenizer>, PipelineError> {
    let tokenizer = match Tokenizer::open(folder) {
        Ok(tokenizer) => tokenizer,
        Err(puyu_text::TextError::NoTokenizer { .. }) => {
            tracing::info!(folder = %folder.display(), "no tokenizer: token ids only");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    // A smaller tokenizer is common: embeddings are padded to a round size.
    if tokenizer.vocab_size() > vocab_size {
        return Err(PipelineError::Vocabulary {
            folder: folder.to_owned(),
            tokenizer: tokenizer.vocab_size(),
            model: vocab_size,
        });
    }
    Ok(Some(tokenizer))
}

fn info(
    checkpoint: &Checkpoint,
    options: &PipelineOptions,
    tokenizer: Option<&Tokenizer>,
    template: Option<&ChatTemplate>,
) -> Result<ModelInfo, PipelineError> {
    let config = checkpoint.config();
    let folder = checkpoint.folder();
    let name = folder.file_name().map_or("model".into(), |name| name.to_string_lossy());
    let context_tokens = options.context_tokens.unwrap_or(config.max_position_embeddings);
    let mut end: Vec<u32> =
        checkpoint.generation().map_or(&[][..], |g| g.eos_token_id.as_slice()).to_vec();
    if let (Some(template), Some(tokenizer)) = (template, tokenizer) {
        end.extend(template.stop_ids(tokenizer));
    }
    end.extend(tokenizer.and_then(Tokenizer::eos_id));
    end.sort_unstable();
    end.dedup();

    let mut capabilities = vec![
        Capability::TokenPrompts,
        Capability::Embed,
        Capability::Score,
        Capability::Logprobs,
        Capability::PromptLogprobs,
        Capability::SamplingOptions,
    ];
    if tokenizer.is_some() {
        capabilities.extend([Capability::Encode, Capability::Decode]);
    }
    if template.is_some_and(|template| !matches!(template, ChatTemplate::InternLm)) {
        capabilities.push(Capability::Tools);
    }
    if config.head == Head::Reward {
        // It reads, but it has no probabilities.
        use Capability::{Decode, Embed, Encode, TokenPrompts};
        capabilities.retain(|kept| matches!(kept, Decode | Embed | Encode | TokenPrompts));
    }
    let fingerprint = crate::fingerprint::of(folder, options)?;
    Ok(ModelInfo::new(name, fingerprint, context_tokens, config.vocab_size)
        .with_end_tokens(end)
        .with_capabilities(capabilities))
}
