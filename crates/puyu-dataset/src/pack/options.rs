//! How documents are packed.

use serde::{Deserialize, Serialize};

use crate::error::DatasetError;

/// The longest row, in tokens. 16 Mi: sixteen times the longest context InternLM was served with.
const MAX_PACK_TOKENS: u32 = 1 << 24;
/// The most documents of a window; its working memory is 28 bytes for each.
const MAX_WINDOW: usize = 1 << 28;

/// Which documents share a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackMethod {
    /// One document per row.
    None,
    /// The stream of all documents, cut every `pack_tokens`.
    Concat,
    /// Longest document first, each into the fullest row that still has room for it.
    #[default]
    BestFit,
}

/// What happens to documents longer than a row with [`PackMethod::None`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LongDocuments {
    /// They go on in the next row, so no token is lost.
    #[default]
    Split,
    /// What does not fit is dropped, and counted.
    Truncate,
}

/// How documents are packed.
///
/// ```
/// use puyu_dataset::pack::{PackMethod, PackOptions};
///
/// let options: PackOptions = serde_json::from_str(r#"{"method": "concat"}"#)?;
/// assert_eq!(options.method, PackMethod::Concat);
/// assert_eq!(options.pack_tokens, 4096);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PackOptions {
    /// The length of a row, in tokens. 4096, the context InternLM2 begins its training with.
    pub pack_tokens: u32,
    /// Which documents share a row. Best fit: it cuts hardly any document and pads little.
    pub method: PackMethod,
    /// What happens to documents longer than a row with [`PackMethod::None`].
    pub long: LongDocuments,
    /// How many consecutive documents [`PackMethod::BestFit`] looks at together.
    ///
    /// 1 048 576: more do not pad less, and the working memory stays below 32 MiB.
    pub window_documents: usize,
    /// Decides which of the equally long documents meet with [`PackMethod::BestFit`].
    pub seed: u64,
}

impl Default for PackOptions {
    fn default() -> Self {
        Self {
            pack_tokens: 4096,
            method: PackMethod::default(),
            long: LongDocuments::default(),
            window_documents: 1 << 20,
            seed: 0,
        }
    }
}

impl PackOptions {
    /// Refuses values that make no sense.
    pub(super) fn check(&self) -> Result<(), DatasetError> {
        if !(1..=MAX_PACK_TOKENS).contains(&self.pack_tokens) {
            return Err(DatasetError::Option {
                option: "pack_tokens",
                expected: format!("1 to {MAX_PACK_TOKENS}"),
                found: self.pack_tokens.to_string(),
            });
        }
        if !(1..=MAX_WINDOW).contains(&self.window_documents) {
            return Err(DatasetError::Option {
                option: "window_documents",
                expected: format!("1 to {MAX_WINDOW}"),
                found: self.window_documents.to_string(),
            });
        }
        Ok(())
    }
}
