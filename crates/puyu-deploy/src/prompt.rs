//! Prompts as token ids.

use puyu_core::{Capability, ModelError, Prompt, validate_conversation};
use puyu_text::{ChatError, ChatOptions, SystemText, Tokenizer};

use crate::error::backend;
use crate::pipeline::Inner;

impl Inner {
    pub(crate) fn require_tokenizer(&self, needs: Capability) -> Result<&Tokenizer, ModelError> {
        self.tokenizer.as_ref().ok_or(ModelError::Unsupported { capability: needs })
    }

    /// The tokens of a prompt, as the model reads them.
    pub(crate) fn prompt_ids(&self, prompt: &Prompt) -> Result<Vec<u32>, ModelError> {
        let ids = match prompt {
            Prompt::Tokens(ids) => ids.clone(),
            Prompt::Text(text) => {
                let tokenizer = self.require_tokenizer(Capability::Encode)?;
                let ids = tokenizer.encode_as_text(text).map_err(ModelError::invalid_prompt)?;
                let begin = tokenizer.bos_id().filter(|_| tokenizer.adds_bos());
                begin.into_iter().chain(ids).collect()
            }
            Prompt::Chat { messages, tools } => {
                validate_conversation(messages)?;
                tools.iter().try_for_each(|tool| tool.validate())?;
                let tokenizer = self.require_tokenizer(Capability::Encode)?;
                let template = self.template.as_ref().ok_or_else(|| {
                    let model_type = self.model.config().family.model_type().to_owned();
                    ModelError::invalid_prompt(ChatError::NoTemplate { model_type })
                })?;
                // No default system text: the released templates have none either, and a model
                // tuned without one answers worse with it.
                let options = ChatOptions::default()
                    .with_system(SystemText::Absent)
                    .with_tools(tools.clone());
                template
                    .render_ids(tokenizer, messages, &options)
                    .map_err(ModelError::invalid_prompt)?
            }
            _ => return Err(ModelError::Unsupported { capability: Capability::Encode }),
        };
        if ids.is_empty() {
            return Err(ModelError::EmptyPrompt);
        }
        self.check_ids(&ids)?;
        Ok(ids)
    }

    /// Refuses tokens beyond the vocabulary.
    pub(crate) fn check_ids(&self, ids: &[u32]) -> Result<(), ModelError> {
        let vocab_size = self.info.vocab_size;
        match ids.iter().position(|&id| id as usize >= vocab_size) {
            None => Ok(()),
            Some(index) => Err(ModelError::UnknownToken { index, found: ids[index], vocab_size }),
        }
    }

    /// Refuses more tokens than the context holds.
    pub(crate) fn check_room(&self, n_tokens: usize) -> Result<(), ModelError> {
        let context_tokens = self.info.context_tokens;
        if n_tokens > context_tokens {
            return Err(ModelError::PromptTooLong { tokens: n_tokens, context_tokens });
        }
        Ok(())
    }

    /// The text of tokens, special ones included. Those beyond the tokenizer, with which embeddings
    /// are padded to a round size, have none.
    pub(crate) fn text_of(&self, tokenizer: &Tokenizer, ids: &[u32]) -> Result<String, ModelError> {
        self.check_ids(ids)?;
        let known: Vec<u32> =
            ids.iter().copied().filter(|&id| tokenizer.id_to_piece(id).is_some()).collect();
        tokenizer.decode_with_special(&known).map_err(backend)
    }
}
