//! What a plan costs.

use serde::{Deserialize, Serialize};

/// What a plan does with its documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackReport {
    /// Rows.
    pub packs: u64,
    /// Tokens of documents in them.
    pub tokens: u64,
    /// Tokens of padding in them.
    pub padding_tokens: u64,
    /// Documents that do not lie whole in one row.
    pub cut_documents: u64,
    /// Tokens that lie in no row. Never any but with
    /// [`LongDocuments::Truncate`](super::LongDocuments::Truncate).
    pub truncated_tokens: u64,
}

impl PackReport {
    /// The share of the rows that is padding, from 0 to 1.
    pub fn waste(&self) -> f64 {
        match self.tokens.saturating_add(self.padding_tokens) {
            0 => 0.0,
            all => self.padding_tokens as f64 / all as f64,
        }
    }
}

impl std::fmt::Display for PackReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { packs, tokens, padding_tokens, cut_documents, truncated_tokens } = self;
        let percent = 100.0 * self.waste();
        write!(f, "{packs} packs, {tokens} tokens, {padding_tokens} padding ({percent:.2} %), ")?;
        write!(f, "{cut_documents} documents cut")?;
        if *truncated_tokens > 0 {
            write!(f, ", {truncated_tokens} tokens dropped")?;
        }
        Ok(())
    }
}
