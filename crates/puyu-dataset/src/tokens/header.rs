//! What a token cache says about itself, and what it is named after.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{damaged, read_bounded};
use crate::error::DatasetError;
use crate::row::Fingerprint;

pub(super) const HEADER_FILE: &str = "header.json";
pub(super) const TOKENS_FILE: &str = "ids.tokens";
pub(super) const OFFSETS_FILE: &str = "documents.offsets";
pub(super) const TRAINED_FILE: &str = "trained.bits";

/// The version of the layout that this code writes and reads.
const VERSION: u32 = 1;
/// A header has about 700 bytes.
const MAX_HEADER_BYTES: u64 = 1 << 16;

/// Everything that decides the content of a cache.
///
/// The same identity gives the same tokens, so a cache is named after it and never made twice.
///
/// ```
/// use puyu_dataset::Fingerprint;
/// use puyu_dataset::tokens::CacheIdentity;
///
/// let of = |text: &str| Fingerprint(*blake3::hash(text.as_bytes()).as_bytes());
/// let identity = CacheIdentity { source: of("诗"), tokenizer: of("internlm2"), options: of("") };
/// assert_eq!(identity.key(), identity.key());
/// assert_ne!(identity.key(), CacheIdentity { source: of("poem"), ..identity }.key());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheIdentity {
    /// The text: the hash of the source shard.
    pub source: Fingerprint,
    /// The tokenizer, see [`tokenizer_fingerprint`](super::tokenizer_fingerprint).
    pub tokenizer: Fingerprint,
    /// The options, see [`TokenizeOptions::fingerprint`](super::TokenizeOptions::fingerprint).
    pub options: Fingerprint,
}

impl CacheIdentity {
    /// The name of the cache: one hash over all of the identity.
    pub fn key(&self) -> Fingerprint {
        let mut hasher = blake3::Hasher::new_derive_key("puyu-dataset token cache 1");
        for part in [self.source, self.tokenizer, self.options] {
            hasher.update(&part.0);
        }
        Fingerprint(hasher.finalize().into())
    }
}

/// How many bytes a token id takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenWidth {
    /// Two bytes: vocabularies of at most 65 536 tokens.
    U16,
    /// Four bytes.
    U32,
}

impl TokenWidth {
    /// The narrowest width that holds every id of a vocabulary.
    pub fn for_vocab(vocab_size: u64) -> Self {
        if vocab_size <= 1 << 16 { Self::U16 } else { Self::U32 }
    }

    /// In bytes.
    pub fn bytes(self) -> u64 {
        match self {
            Self::U16 => 2,
            Self::U32 => 4,
        }
    }
}

/// The header of a token cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheHeader {
    /// The version of the layout.
    pub version: u32,
    /// What the cache was made from.
    pub identity: CacheIdentity,
    /// How many bytes an id takes.
    pub width: TokenWidth,
    /// Every id is below this.
    pub vocab_size: u64,
    /// How many documents there are.
    pub n_documents: u64,
    /// How many tokens all documents have together.
    pub n_tokens: u64,
    /// The blake3 hash of the ids.
    pub tokens_hash: Fingerprint,
    /// The blake3 hash of the document index.
    pub offsets_hash: Fingerprint,
    /// The blake3 hash of the training marks; absent if every token is trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_hash: Option<Fingerprint>,
}

impl CacheHeader {
    pub(super) const VERSION: u32 = VERSION;

    /// Reads and checks the header of a cache folder.
    pub(super) fn read(folder: &Path) -> Result<Self, DatasetError> {
        let path = folder.join(HEADER_FILE);
        let bytes = read_bounded(&path, MAX_HEADER_BYTES)?;
        let header: Self = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(&path, "header", "the header of a token cache", error))?;
        if header.version != VERSION {
            return Err(DatasetError::Unsupported {
                path,
                what: format!("version {} of the token cache", header.version),
                hint: format!("this build reads version {VERSION}; tokenise the source again"),
            });
        }
        Ok(header)
    }

    /// The size of the ids in bytes; `None` beyond 2^64.
    pub(super) fn tokens_bytes(&self) -> Option<u64> {
        self.n_tokens.checked_mul(self.width.bytes())
    }

    /// The size of the document index in bytes; `None` beyond 2^64.
    pub(super) fn offsets_bytes(&self) -> Option<u64> {
        self.n_documents.checked_add(1)?.checked_mul(8)
    }

    /// What identifies the tokens: equal fingerprints mean equal documents in equal places.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = blake3::Hasher::new_derive_key("puyu-dataset token content 1");
        hasher.update(&self.width.bytes().to_le_bytes());
        hasher.update(&self.tokens_hash.0);
        hasher.update(&self.offsets_hash.0);
        if let Some(trained) = self.trained_hash {
            hasher.update(&trained.0);
        }
        Fingerprint(hasher.finalize().into())
    }
}
