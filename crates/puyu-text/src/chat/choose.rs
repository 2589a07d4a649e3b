//! Which template a model wants.

use std::path::Path;

use serde::Deserialize;

use super::{ChatTemplate, JinjaTemplate};
use crate::error::ChatError;
use crate::read::read_json;
use crate::tokenizer::Tokenizer;

/// The one field of `config.json` that decides.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireModelType {
    model_type: String,
}

impl ChatTemplate {
    /// Chooses the template of a model folder.
    ///
    /// InternLM models get their built-in template, which also knows tools, interpreter and
    /// environment; the template in their `tokenizer_config.json` knows plain messages only. Other
    /// models get the Jinja template of their folder. For the Jinja template of an InternLM folder
    /// use [`JinjaTemplate::from_folder`].
    ///
    /// # Errors
    ///
    /// [`ChatError::NoTemplate`], [`ChatError::Text`] for a damaged file, [`ChatError::Compile`],
    /// [`ChatError::TemplateTooLarge`].
    pub fn for_model_dir(
        folder: impl AsRef<Path>,
        tokenizer: &Tokenizer,
    ) -> Result<Self, ChatError> {
        let folder = folder.as_ref();
        let config: Option<WireModelType> = read_json(&folder.join("config.json"))?;
        let model_type = config.unwrap_or_default().model_type;
        if !model_type.is_empty()
            && let Ok(built_in) = Self::for_model_type(&model_type, tokenizer)
        {
            return Ok(built_in);
        }
        if let Some(jinja) = JinjaTemplate::from_folder(folder, tokenizer)? {
            return Ok(Self::Jinja(jinja));
        }
        // A folder with nothing but a tokenizer.
        Self::for_model_type(&model_type, tokenizer)
    }

    /// Chooses a built-in template by the `model_type` of `config.json`.
    ///
    /// Where that is empty, the chat tokens of the tokenizer decide.
    ///
    /// # Errors
    ///
    /// [`ChatError::NoTemplate`].
    pub fn for_model_type(model_type: &str, tokenizer: &Tokenizer) -> Result<Self, ChatError> {
        let has = |token: &str| tokenizer.added().by_content(token).is_some();
        match model_type {
            "internlm" => Ok(Self::InternLm),
            "internlm2" => Ok(Self::InternLm2),
            "internlm3" => Ok(Self::InternLm3),
            "" if has("<|im_start|>") && has("<|im_end|>") => Ok(Self::InternLm2),
            "" if has("<eoa>") => Ok(Self::InternLm),
            other => Err(ChatError::NoTemplate { model_type: other.to_owned() }),
        }
    }
}
