//! Why a model folder could not be opened.

use std::path::PathBuf;

use puyu_core::ModelError;
use puyu_model::{CheckpointError, DeviceError, ForwardError};
use puyu_text::{ChatError, TextError};

/// Why a model folder could not be opened as a pipeline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The device cannot be used.
    #[error("the device cannot be used")]
    Device(#[from] DeviceError),
    /// Configuration or weights are at fault.
    #[error("the model cannot be loaded")]
    Checkpoint(#[from] CheckpointError),
    /// The tokenizer is at fault.
    #[error("the tokenizer cannot be loaded")]
    Tokenizer(#[from] TextError),
    /// The chat template is at fault.
    #[error("the chat template cannot be loaded")]
    ChatTemplate(#[from] ChatError),
    /// The tokenizer has ids that the model does not know.
    #[error(
        "{}: the tokenizer has {tokenizer} ids, but the model knows {model}; they do not belong together",
        folder.display()
    )]
    Vocabulary {
        /// The model folder.
        folder: PathBuf,
        /// Ids of the tokenizer.
        tokenizer: usize,
        /// Rows of the embedding.
        model: usize,
    },
    /// A file could not be read for the fingerprint.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// A failure below, as the contract of language models words it.
pub(crate) fn backend(source: impl std::error::Error + Send + Sync + 'static) -> ModelError {
    ModelError::Backend { source: Box::new(source) }
}

/// A refusal of the decoder.
pub(crate) fn forward(error: ForwardError) -> ModelError {
    match error {
        ForwardError::CacheFull { needed, capacity } => {
            ModelError::PromptTooLong { tokens: needed, context_tokens: capacity }
        }
        ForwardError::TokenId { position, found, vocab_size, .. } => {
            ModelError::UnknownToken { index: position, found, vocab_size }
        }
        ForwardError::Empty => ModelError::EmptyPrompt,
        other => backend(other),
    }
}
