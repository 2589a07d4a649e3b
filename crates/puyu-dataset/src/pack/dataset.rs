//! Reading the rows of a plan from token caches.

use std::ops::Range;

use super::plan::{PackPlan, Piece};
use super::sample::PackedSample;
use crate::error::DatasetError;
use crate::row::{Fingerprint, RowSource};
use crate::tokens::TokenCache;

/// Packed rows over token caches.
///
/// A row is atomic: an order over rows that resumes exactly resumes exactly to the token.
///
/// # Examples
///
/// ```
/// use puyu_dataset::pack::{PackOptions, PackPlan, TokenDataset};
/// use puyu_dataset::tokens::{CacheIdentity, CacheWriter};
/// use puyu_dataset::{Fingerprint, RowSource};
///
/// let folder = tempfile::tempdir()?;
/// let none = Fingerprint([0; 32]);
/// let identity = CacheIdentity { source: none, tokenizer: none, options: none };
/// let mut writer = CacheWriter::create(folder.path().join("cache"), identity, 100)?;
/// writer.push(&[1, 7, 2])?;
/// writer.push(&[1, 2])?;
/// let caches = vec![writer.finish()?];
///
/// let options = PackOptions { pack_tokens: 6, ..PackOptions::default() };
/// let plan = PackPlan::for_caches(&caches, &options)?;
/// let dataset = TokenDataset::new(caches, plan, 0)?;
/// let row = dataset.read(0..1)?.remove(0);
/// assert_eq!(row.input_ids, [1, 7, 2, 1, 2, 0]);
/// assert_eq!(row.labels, [7, 2, -100, 2, -100, -100]);
/// assert_eq!(row.position_ids, [0, 1, 2, 0, 1, 0]);
/// assert_eq!(row.cu_seqlens, [0, 3, 5, 6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TokenDataset {
    caches: Vec<TokenCache>,
    /// The first token of each cache, counted over all of them, and the end.
    starts: Vec<u64>,
    plan: PackPlan,
    pad_id: u32,
    fingerprint: Fingerprint,
}

impl TokenDataset {
    /// Joins caches with a plan that was made for them.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if the plan was made for documents of other lengths.
    pub fn new(caches: Vec<TokenCache>, plan: PackPlan, pad_id: u32) -> Result<Self, DatasetError> {
        let mut lengths = blake3::Hasher::new();
        let mut starts = vec![0];
        let mut end = 0_u64;
        for cache in &caches {
            for length in cache.lengths() {
                lengths.update(&length.to_le_bytes());
            }
            end += cache.n_tokens();
            starts.push(end);
        }
        let found = Fingerprint(lengths.finalize().into());
        if found != plan.lengths_fingerprint() || end != plan.n_tokens() {
            return Err(DatasetError::State {
                what: "the document lengths of the pack plan",
                expected: format!("{end} tokens, lengths {found}"),
                found: format!(
                    "{} tokens, lengths {}",
                    plan.n_tokens(),
                    plan.lengths_fingerprint()
                ),
            });
        }
        let mut hasher = blake3::Hasher::new_derive_key("puyu-dataset packed rows 1");
        hasher.update(&plan.fingerprint().0);
        hasher.update(&pad_id.to_le_bytes());
        for cache in &caches {
            hasher.update(&cache.fingerprint().0);
        }
        let fingerprint = Fingerprint(hasher.finalize().into());
        Ok(Self { caches, starts, plan, pad_id, fingerprint })
    }

    /// The plan.
    pub fn plan(&self) -> &PackPlan {
        &self.plan
    }

    /// The caches, in the order of the data.
    pub fn caches(&self) -> &[TokenCache] {
        &self.caches
    }

    /// Puts row `index` together.
    fn sample(&self, index: u64) -> Result<PackedSample, DatasetError> {
        let n_tokens = self.plan.options().pack_tokens as usize;
        let mut sample = PackedSample::with_capacity(n_tokens);
        for piece in self.plan.pack(index) {
            let (cache, span) = self.locate(piece)?;
            sample.push(&cache.tokens(span.clone()), |place| {
                cache.is_trained(span.start + place as u64)
            });
        }
        sample.pad(n_tokens, self.pad_id);
        Ok(sample)
    }

    /// The cache of a piece, and its place there.
    fn locate(&self, piece: Piece) -> Result<(&TokenCache, Range<u64>), DatasetError> {
        let span = piece.span();
        // The last cache that begins at or before the piece; empty caches before it are passed by.
        let index = self.starts.partition_point(|&start| start <= span.start) - 1;
        match (self.caches.get(index), self.starts.get(index + 1)) {
            (Some(cache), Some(&end)) if span.end <= end => {
                let start = self.starts[index];
                Ok((cache, span.start - start..span.end - start))
            }
            _ => Err(DatasetError::State {
                what: "a piece of the pack plan",
                expected: "tokens of one cache".to_owned(),
                found: format!("tokens {} to {}, of two", span.start, span.end),
            }),
        }
    }
}

impl RowSource for TokenDataset {
    type Row = PackedSample;

    fn n_rows(&self) -> u64 {
        self.plan.n_packs()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn read(&self, rows: Range<u64>) -> Result<Vec<PackedSample>, DatasetError> {
        if rows.end > self.n_rows() {
            return Err(DatasetError::Limit {
                what: format!("reading rows {} to {}", rows.start, rows.end),
                needed: rows.end,
                limit: self.n_rows(),
            });
        }
        rows.map(|row| self.sample(row)).collect()
    }
}
