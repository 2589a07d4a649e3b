//! The settings beside a tokenizer file: `tokenizer_config.json` and its older companions.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::added::{AddedToken, Edges};
use crate::error::TextError;
use crate::read::read_json;

/// Vocabularies stay below a million ids; a file must not make us believe in billions.
const MAX_ID: u32 = 1 << 24;

/// What the files of a folder say about tokens, in one place.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Added tokens whose ids are written down, by ascending id.
    pub(super) added: Vec<AddedToken>,
    /// Names of further special tokens, whose ids the vocabulary knows.
    pub(super) special_names: Vec<String>,
    pub(super) bos: Option<String>,
    pub(super) eos: Option<String>,
    pub(super) unk: Option<String>,
    pub(super) pad: Option<String>,
    pub(super) adds_bos: Option<bool>,
}

impl Settings {
    /// Reads the files of a folder; all of them may be missing.
    ///
    /// # Errors
    ///
    /// [`TextError::Read`], [`TextError::Json`], [`TextError::BadAddedTokenId`].
    pub(super) fn read(folder: &Path) -> Result<Self, TextError> {
        let config: WireSettings =
            read_json(&folder.join("tokenizer_config.json"))?.unwrap_or_default();
        let map: WireSettings =
            read_json(&folder.join("special_tokens_map.json"))?.unwrap_or_default();
        let added: BTreeMap<String, u32> =
            read_json(&folder.join("added_tokens.json"))?.unwrap_or_default();

        let special_names = config.additional_special_tokens.or(map.additional_special_tokens);
        let name = |first: Option<WireName>, second: Option<WireName>| {
            first.or(second).map(WireName::into_text)
        };
        let mut settings = Self {
            added: Vec::new(),
            special_names: special_names
                .unwrap_or_default()
                .into_iter()
                .map(WireName::into_text)
                .collect(),
            bos: name(config.bos_token, map.bos_token),
            eos: name(config.eos_token, map.eos_token),
            unk: name(config.unk_token, map.unk_token),
            pad: name(config.pad_token, map.pad_token),
            adds_bos: config.add_bos_token,
        };
        for (id, token) in config.added_tokens_decoder.unwrap_or_default() {
            settings.added.push(token.into_added(&id)?);
        }
        settings.add_older(added)?;
        settings.added.sort_by_key(|token| token.id);
        Ok(settings)
    }

    /// Adds what `added_tokens.json` says. It does not tell whether tokens are special.
    fn add_older(&mut self, added: BTreeMap<String, u32>) -> Result<(), TextError> {
        for (content, id) in added {
            let is_known =
                self.added.iter().any(|token| token.content == content && token.id == id);
            if is_known {
                continue;
            }
            let is_special = self.special_names.contains(&content);
            let id = check_id(&content, &id.to_string())?;
            self.added.push(AddedToken { content, id, is_special, edges: Edges::default() });
        }
        Ok(())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireSettings {
    add_bos_token: Option<bool>,
    added_tokens_decoder: Option<BTreeMap<String, WireAddedToken>>,
    additional_special_tokens: Option<Vec<WireName>>,
    bos_token: Option<WireName>,
    eos_token: Option<WireName>,
    unk_token: Option<WireName>,
    pad_token: Option<WireName>,
}

/// A token's name, alone or with settings.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum WireName {
    Text(String),
    Full { content: String },
}

impl WireName {
    fn into_text(self) -> String {
        match self {
            WireName::Text(text) | WireName::Full { content: text } => text,
        }
    }
}

#[derive(Debug, Deserialize)]
struct WireAddedToken {
    content: String,
    #[serde(default)]
    special: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    single_word: bool,
}

impl WireAddedToken {
    fn into_added(self, id: &str) -> Result<AddedToken, TextError> {
        let id = check_id(&self.content, id)?;
        let edges = Edges {
            strips_left: self.lstrip,
            strips_right: self.rstrip,
            is_single_word: self.single_word,
        };
        Ok(AddedToken { content: self.content, id, is_special: self.special, edges })
    }
}

fn check_id(content: &str, id: &str) -> Result<u32, TextError> {
    id.parse().ok().filter(|&id| id <= MAX_ID).ok_or_else(|| TextError::BadAddedTokenId {
        content: content.to_owned(),
        found: id.to_owned(),
        limit: MAX_ID,
    })
}
