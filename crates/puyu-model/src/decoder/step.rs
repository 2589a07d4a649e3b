//! What one forward pass knows of positions: rotation tables and who may look at whom.
//!
//! Axis letters: `B` batch, `T` new tokens, `S` cached and new tokens, `P` pairs of a head.

use burn::tensor::{Bool, DType, Device, Tensor, TensorData};

use crate::config::{DecoderConfig, NtkRule, RopeConfig};
use crate::kv_cache::KvCache;
use crate::ops;
use crate::paged::PagedSegment;

/// Positions of one forward pass.
pub(crate) struct Step {
    new_tokens: Rotation,
    /// Present where cached keys are unrotated.
    all_keys: Option<Rotation>,
    /// `[B or 1, 1, T, S]`, true where a query may not look; `None` if all may see all.
    hidden_b1ts: Option<Tensor<4, Bool>>,
}

/// Cosine and sine of each token's angles, `[B, T, P]`.
struct Rotation {
    cos_btp: Tensor<3>,
    sin_btp: Tensor<3>,
}

impl Step {
    /// The pass that appends `n_tokens` tokens per row to `cache`.
    pub(crate) fn cached(
        config: &DecoderConfig,
        cache: &KvCache,
        n_tokens: usize,
        device: &Device,
    ) -> Self {
        let (start, end) = (cache.len(), cache.len() + n_tokens);
        let rows = |from: usize| -> Vec<(Vec<usize>, usize)> {
            let plan = cache.plan();
            plan.left_padding
                .iter()
                .zip(&plan.prompt_tokens)
                .map(|(&padding, &prompt)| {
                    let reached = end.saturating_sub(padding);
                    let length = cache.ntk_rule().length(prompt, reached);
                    ((from..end).map(|slot| slot.saturating_sub(padding)).collect(), length)
                })
                .collect()
        };
        let rotates_all = config.rope.is_dynamic() && cache.ntk_rule() == NtkRule::RotateAllKeys;
        Self {
            new_tokens: Rotation::of(&config.rope, &rows(start), device),
            all_keys: rotates_all.then(|| Rotation::of(&config.rope, &rows(0), device)),
            hidden_b1ts: hidden_slots(&cache.plan().left_padding, start, n_tokens, device),
        }
    }

    /// The pass over whole documents standing behind each other in rows, without a cache.
    ///
    /// A token sees its own document up to itself. `document_lengths` has the lengths per row.
    pub(crate) fn packed(
        config: &DecoderConfig,
        document_lengths: &[Vec<usize>],
        device: &Device,
    ) -> Self {
        let documents: Vec<Vec<(usize, usize)>> =
            document_lengths.iter().map(|lengths| places(lengths)).collect();
        let n_tokens = documents.first().map_or(0, Vec::len);
        let rotation = Rotation::of_documents(&config.rope, document_lengths, device);
        let hidden: Vec<bool> = documents
            .iter()
            .flat_map(|row| {
                row.iter().enumerate().flat_map(move |(i, &(own, _))| {
                    row.iter().enumerate().map(move |(j, &(other, _))| j > i || other != own)
                })
            })
            .collect();
        let shape = [documents.len(), 1, n_tokens, n_tokens];
        Self {
            new_tokens: rotation,
            all_keys: None,
            hidden_b1ts: Some(Tensor::from_data(TensorData::new(hidden, shape), device)),
        }
    }

    /// The pass that appends tokens of several sequences, standing in one row, to their blocks.
    pub(crate) fn paged(
        config: &DecoderConfig,
        segments: &[PagedSegment<'_>],
        ntk_rule: NtkRule,
        device: &Device,
    ) -> Self {
        let mut tables = Tables::default();
        for segment in segments {
            let end = segment.start + segment.tokens.len();
            // Tokens are rotated as if they came one by one, however many come at once.
            let stride = if config.rope.is_dynamic() { 1 } else { segment.tokens.len() };
            for first in (segment.start..end).step_by(stride) {
                let last = end.min(first + stride);
                let length = ntk_rule.length(segment.prompt_tokens, last);
                tables.extend(&config.rope, first..last, length);
            }
        }
        let n_tokens = segments.iter().map(|segment| segment.tokens.len()).sum();
        let rotation = tables.upload([1, n_tokens, config.rope.head_dim / 2], device);
        Self { new_tokens: rotation, all_keys: None, hidden_b1ts: None }
    }

    pub(crate) fn rotates_all_keys(&self) -> bool {
        self.all_keys.is_some()
    }

    pub(crate) fn hidden(&self) -> Option<&Tensor<4, Bool>> {
        self.hidden_b1ts.as_ref()
    }

    /// Rotates `[B, T, heads, E]` of the new tokens.
    pub(crate) fn rotate_new(&self, x_bthe: Tensor<4>) -> Tensor<4> {
        self.new_tokens.rotate(x_bthe)
    }

    /// Rotates all keys `[B, K, S, E]` where they were cached unrotated.
    pub(crate) fn rotate_all(&self, k_bkse: Tensor<4>) -> Tensor<4> {
        match &self.all_keys {
            Some(rotation) => rotation.rotate(k_bkse.swap_dims(1, 2)).swap_dims(1, 2),
            None => k_bkse,
        }
    }
}

impl Rotation {
    fn rotate(&self, x_bthe: Tensor<4>) -> Tensor<4> {
        ops::rotate_halves(x_bthe, self.cos_btp.clone(), self.sin_btp.clone())
    }

    /// Tables for rows of positions, each with the length that decides its frequencies.
    fn of(rope: &RopeConfig, rows: &[(Vec<usize>, usize)], device: &Device) -> Self {
        let n_tokens = rows.first().map_or(0, |(positions, _)| positions.len());
        let mut tables = Tables::default();
        for (positions, length) in rows {
            tables.extend(rope, positions.iter().copied(), *length);
        }
        tables.upload([rows.len(), n_tokens, rope.head_dim / 2], device)
    }

    /// Tables for rows of documents, each with the frequencies of its own length.
    fn of_documents(rope: &RopeConfig, document_lengths: &[Vec<usize>], device: &Device) -> Self {
        let n_tokens = document_lengths.first().map_or(0, |lengths| lengths.iter().sum());
        let mut tables = Tables::default();
        for &length in document_lengths.iter().flatten() {
            tables.extend(rope, 0..length, length);
        }
        tables.upload([document_lengths.len(), n_tokens, rope.head_dim / 2], device)
    }
}

#[derive(Default)]
struct Tables {
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Tables {
    /// Angles are computed in `f64`: in `f32` the cosine is wrong by 1e-2 at position 262 143.
    fn extend(&mut self, rope: &RopeConfig, positions: impl Iterator<Item = usize>, length: usize) {
        let frequencies = rope.frequencies(length);
        let factor = rope.attention_factor();
        for position in positions {
            for frequency in &frequencies {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                self.cos.push((cos * factor) as f32);
                self.sin.push((sin * factor) as f32);
            }
        }
    }

    fn upload(self, shape: [usize; 3], device: &Device) -> Rotation {
        let tensor =
            |values| Tensor::from_data(TensorData::new(values, shape), (device, DType::F32));
        Rotation { cos_btp: tensor(self.cos), sin_btp: tensor(self.sin) }
    }
}

/// Document index and position in it, for each token of a row.
fn places(lengths: &[usize]) -> Vec<(usize, usize)> {
    lengths
        .iter()
        .enumerate()
        .flat_map(|(document, &length)| (0..length).map(move |position| (document, position)))
        .collect()
}

/// True where a query may not look: at padding, and at slots after its own.
fn hidden_slots(
    left_padding: &[usize],
    start: usize,
    n_tokens: usize,
    device: &Device,
) -> Option<Tensor<4, Bool>> {
    let is_padded = left_padding.iter().any(|&padding| padding > 0);
    if n_tokens == 1 && !is_padded {
        return None;
    }
    // Rows without padding share one mask.
    let paddings = if is_padded { left_padding } else { &[0] };
    let end = start + n_tokens;
    let mut hidden = Vec::with_capacity(paddings.len() * n_tokens * end);
    for &padding in paddings {
        for query in start..end {
            hidden.extend((0..end).map(|slot| slot < padding || slot > query));
        }
    }
    let shape = [paddings.len(), 1, n_tokens, end];
    Some(Tensor::from_data(TensorData::new(hidden, shape), device))
}
