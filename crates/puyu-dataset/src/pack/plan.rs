//! The plan: which tokens go into which row.

use std::ops::Range;

use super::build::{Parts, build};
use super::file::Header;
use super::options::PackOptions;
use super::report::PackReport;
use crate::error::DatasetError;
use crate::row::Fingerprint;
use crate::tokens::{TokenCache, Words, le_bytes};

/// A part of one document inside of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The first token, counted over all documents.
    pub first_token: u64,
    /// How many tokens; at least 1.
    pub n_tokens: u32,
}

impl Piece {
    /// The tokens, counted over all documents.
    pub fn span(&self) -> Range<u64> {
        self.first_token..self.first_token + u64::from(self.n_tokens)
    }
}

/// Which tokens go into which row.
///
/// Every token lies in exactly one row (but see
/// [`LongDocuments::Truncate`](super::LongDocuments::Truncate)), and a piece never reaches from one
/// document into the next. A document of no tokens lies nowhere. The same lengths and options give
/// the same plan, on every machine.
///
/// # Examples
///
/// ```
/// use puyu_dataset::pack::{PackOptions, PackPlan};
///
/// let options = PackOptions { pack_tokens: 8, ..PackOptions::default() };
/// let plan = PackPlan::build([5, 3, 6, 2], &options)?;
/// assert_eq!(plan.report().to_string(), "2 packs, 16 tokens, 0 padding (0.00 %), 0 documents cut");
/// let lengths: Vec<u32> = plan.pack(1).map(|piece| piece.n_tokens).collect();
/// assert_eq!(lengths, [5, 3]);
/// # Ok::<(), puyu_dataset::DatasetError>(())
/// ```
#[derive(Debug, Clone)]
pub struct PackPlan {
    pub(super) header: Header,
    pub(super) packs: Words<u64>,
    pub(super) starts: Words<u64>,
    pub(super) lengths: Words<u32>,
}

impl PackPlan {
    /// Packs documents of these lengths, in tokens.
    ///
    /// Needs about 12 bytes of memory for each document, and the working memory of one window.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] for options that make no sense, [`DatasetError::Limit`] above 2^32
    /// pieces.
    pub fn build(
        lengths: impl IntoIterator<Item = u64>,
        options: &PackOptions,
    ) -> Result<Self, DatasetError> {
        let Parts { packs, starts, lengths, report, n_documents, n_tokens, lengths_hash } =
            build(lengths, options)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&le_bytes(&packs));
        hasher.update(&le_bytes(&starts));
        hasher.update(&le_bytes(&lengths));
        let header = Header {
            version: Header::VERSION,
            options: options.clone(),
            n_documents,
            n_tokens,
            n_pieces: starts.len() as u64,
            report,
            lengths_hash: Fingerprint(lengths_hash),
            body_hash: Fingerprint(hasher.finalize().into()),
        };
        let (packs, starts, lengths) = (packs.into(), starts.into(), lengths.into());
        Ok(Self { header, packs, starts, lengths })
    }

    /// Packs the documents of these caches, one cache after the other.
    ///
    /// # Errors
    ///
    /// Those of [`build`](Self::build).
    pub fn for_caches(caches: &[TokenCache], options: &PackOptions) -> Result<Self, DatasetError> {
        Self::build(caches.iter().flat_map(TokenCache::lengths), options)
    }

    /// How many rows there are.
    pub fn n_packs(&self) -> u64 {
        self.header.report.packs
    }

    /// How many documents the plan was made for.
    pub fn n_documents(&self) -> u64 {
        self.header.n_documents
    }

    /// How many tokens the documents have, those that lie in no row included.
    pub fn n_tokens(&self) -> u64 {
        self.header.n_tokens
    }

    /// The options the plan was made with.
    pub fn options(&self) -> &PackOptions {
        &self.header.options
    }

    /// What the plan costs.
    pub fn report(&self) -> PackReport {
        self.header.report
    }

    /// What identifies the lengths of the documents: the blake3 hash of all of them, each as 8
    /// bytes in little-endian order.
    pub fn lengths_fingerprint(&self) -> Fingerprint {
        self.header.lengths_hash
    }

    /// What identifies the plan: equal fingerprints mean equal rows.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hasher = blake3::Hasher::new_derive_key("puyu-dataset pack plan 1");
        hasher.update(&self.header.options.pack_tokens.to_le_bytes());
        hasher.update(&self.header.lengths_hash.0);
        hasher.update(&self.header.body_hash.0);
        Fingerprint(hasher.finalize().into())
    }

    /// The pieces of row `index`, in order. What remains of the row is padding.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`n_packs`](Self::n_packs).
    pub fn pack(&self, index: u64) -> impl ExactSizeIterator<Item = Piece> + '_ {
        assert!(index < self.n_packs(), "pack {index} of {}", self.n_packs());
        let bounds = &self.packs.as_slice()[index as usize..][..2];
        let range = bounds[0] as usize..bounds[1] as usize;
        let starts = self.starts.as_slice()[range.clone()].iter();
        let lengths = &self.lengths.as_slice()[range];
        starts.zip(lengths).map(|(&first_token, &n_tokens)| Piece { first_token, n_tokens })
    }
}
