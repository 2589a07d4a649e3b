//! The decoder: embedding, layers, final norm, head.
//!
//! Axis letters, used as suffixes of tensor names: `B` batch, `T` new tokens, `D` model width,
//! `V` vocabulary.

mod attention;
mod init;
mod layer;
mod linear;
mod mlp;
mod norm;
mod step;
#[cfg(test)]
pub(crate) mod tests;

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::config::{DecoderConfig, Head};
use crate::error::ForwardError;
use crate::kv_cache::KvCache;
use crate::paged::{PagedCache, PagedLayer, PagedSegment, kernel_segments};
use crate::tap::{Observer, Tap, Unobserved};
use attention::Past;
use step::Step;

pub use attention::{QkvProjection, SelfAttention, SeparateQkv};
pub use layer::DecoderLayer;
pub use linear::{Linear, LinearWeight, QuantizedWeight};
pub use mlp::Mlp;
pub use norm::RmsNorm;

/// A decoder-only transformer of the InternLM family.
///
/// Weights keep the type of their file; activations have the compute type chosen at load.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use burn::tensor::Device;
/// use puyu_model::{Decoder, KvCache, Preset, SequencePlan};
///
/// let device = Device::flex();
/// let model = Decoder::init(&Preset::Tiny.config(), 7, &device)?;
/// let prompt = [vec![1, 5, 9]];
/// let mut cache = KvCache::new(model.config(), SequencePlan::unpadded(vec![3]), 16);
/// let logits = model.forward(&prompt, &mut cache)?;
/// assert_eq!(logits.dims(), [1, 3, 384]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Module, Debug)]
pub struct Decoder {
    /// `[V, D]`.
    pub embedding: Param<Tensor<2>>,
    /// The layers, in order.
    pub layers: Vec<DecoderLayer>,
    /// Norm before the head.
    pub norm: RmsNorm,
    /// `[V, D]`, or `[1, D]` of a reward model; absent where the embedding serves as head.
    pub head: Option<Linear>,
    #[module(skip)]
    pub(crate) config: DecoderConfig,
    #[module(skip)]
    pub(crate) compute: DType,
}

impl Decoder {
    /// Shape and arithmetic of the model.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// The type of activations.
    pub fn compute_dtype(&self) -> DType {
        self.compute
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.embedding.val().device()
    }

    /// Appends `tokens` to the cache and returns the logits after each of them, in `f32`.
    ///
    /// Rows without text yet hold padding in front as the cache's plan says; what comes out for
    /// padding is meaningless. However tokens are cut into calls, the logits are the same up to
    /// rounding.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `B` rows of `T` ids
    /// - returns: `[B, T, V]`
    ///
    /// # Errors
    ///
    /// [`ForwardError`] if the batch is empty or ragged, has an id outside the vocabulary, does
    /// not fit the cache, or the model is a reward model. The cache is unchanged then.
    pub fn forward(
        &self,
        tokens: &[Vec<u32>],
        cache: &mut KvCache,
    ) -> Result<Tensor<3>, ForwardError> {
        self.require_logits()?;
        let hidden_btd = self.hidden(tokens, cache, &mut Unobserved)?;
        Ok(self.project(hidden_btd))
    }

    /// As [`forward`](Self::forward), but only the logits after the last token of each row.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `B` rows of `T` ids
    /// - returns: `[B, V]`
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_last(
        &self,
        tokens: &[Vec<u32>],
        cache: &mut KvCache,
    ) -> Result<Tensor<2>, ForwardError> {
        self.require_logits()?;
        let hidden_btd = self.hidden(tokens, cache, &mut Unobserved)?;
        let [_b, t, _d] = hidden_btd.dims();
        let last_b1d = hidden_btd.slice_dim(1, t - 1..t);
        Ok(self.project(last_b1d).squeeze_dim(1))
    }

    /// Appends `tokens` to the cache and returns the states that the head reads.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `B` rows of `T` ids
    /// - returns: `[B, T, D]`, after the final norm
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward), for any head.
    pub fn hidden(
        &self,
        tokens: &[Vec<u32>],
        cache: &mut KvCache,
        observer: &mut dyn Observer,
    ) -> Result<Tensor<3>, ForwardError> {
        let [b, t] = self.check_tokens(tokens)?;
        if cache.plan().n_sequences() != b {
            let expected = cache.plan().n_sequences();
            return Err(ForwardError::BatchSize { expected, found: b });
        }
        let needed = cache.len().saturating_add(t);
        if needed > cache.capacity() {
            return Err(ForwardError::CacheFull { needed, capacity: cache.capacity() });
        }
        let step = Step::cached(&self.config, cache, t, &self.device());
        let mut x_btd = self.embed(tokens, [b, t]);
        observer.observe(Tap::Embedding, &x_btd);
        for (index, layer) in self.layers.iter().enumerate() {
            let past = Past::Rows(&mut cache.layers[index]);
            x_btd = layer.forward(x_btd, index, &step, past, observer)?;
        }
        cache.advance(t);
        let hidden_btd = self.norm.forward(x_btd);
        observer.observe(Tap::FinalNorm, &hidden_btd);
        Ok(hidden_btd)
    }

    /// The states that the head reads, for documents packed behind each other into rows, without a
    /// cache: positions restart at each document, and none sees another.
    ///
    /// `document_lengths` holds, for each row, the lengths of its documents.
    ///
    /// # Shapes
    ///
    /// - `tokens`: `B` rows of `T` ids
    /// - returns: `[B, T, D]`, after the final norm
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward); [`ForwardError::Ragged`] too where the lengths of a row's
    /// documents do not add up to its tokens.
    pub fn hidden_packed(
        &self,
        tokens: &[Vec<u32>],
        document_lengths: &[Vec<usize>],
        observer: &mut dyn Observer,
    ) -> Result<Tensor<3>, ForwardError> {
        let [b, t] = self.check_tokens(tokens)?;
        if document_lengths.len() != b {
            return Err(ForwardError::BatchSize { expected: b, found: document_lengths.len() });
        }
        for (row, lengths) in document_lengths.iter().enumerate() {
            let found = lengths.iter().sum();
            if found != t {
                return Err(ForwardError::Ragged { row, expected: t, found });
            }
        }
        let step = Step::packed(&self.config, document_lengths, &self.device());
        let mut x_btd = self.embed(tokens, [b, t]);
        observer.observe(Tap::Embedding, &x_btd);
        for (index, layer) in self.layers.iter().enumerate() {
            x_btd = layer.forward(x_btd, index, &step, Past::None, observer)?;
        }
        let hidden_btd = self.norm.forward(x_btd);
        observer.observe(Tap::FinalNorm, &hidden_btd);
        Ok(hidden_btd)
    }

    /// Appends tokens of several sequences to their blocks and returns the states that the head
    /// reads, one sequence after the other.
    ///
    /// On the CPU the states of a token depend on its sequence alone: not on the other sequences,
    /// on how it was cut into calls, on the size or place of its blocks, or on the number of
    /// threads.
    ///
    /// # Shapes
    ///
    /// - returns: `[1, N, D]`, after the final norm, for the `N` new tokens of all segments
    ///
    /// # Errors
    ///
    /// [`ForwardError`] if there is no token, an id is outside the vocabulary, or a sequence does
    /// not fit its blocks; the cache is unchanged then. [`ForwardError::Device`] if the device
    /// fails; the slots of the new tokens may hold anything then.
    pub fn hidden_paged(
        &self,
        segments: &[PagedSegment<'_>],
        cache: &mut PagedCache,
    ) -> Result<Tensor<3>, ForwardError> {
        cache.check(segments)?;
        for (row, segment) in segments.iter().enumerate() {
            self.check_ids(row, segment.tokens)?;
        }
        let tokens: Vec<u32> =
            segments.iter().flat_map(|segment| segment.tokens).copied().collect();
        let is_empty = |segment: &PagedSegment<'_>| segment.tokens.is_empty();
        if tokens.is_empty() || segments.iter().any(is_empty) {
            return Err(ForwardError::Empty);
        }
        let step = Step::paged(&self.config, segments, cache.ntk_rule(), &self.device());
        let n_tokens = tokens.len();
        let mut x_btd = self.embed(&[tokens], [1, n_tokens]);
        let segments = kernel_segments(segments);
        for (index, layer) in self.layers.iter().enumerate() {
            let paged = PagedLayer { cache: &mut *cache, layer: index, segments: &segments };
            x_btd = layer.forward(x_btd, index, &step, Past::Paged(paged), &mut Unobserved)?;
        }
        Ok(self.norm.forward(x_btd))
    }

    /// What the head makes of hidden states, in `f32`: logits, or one score of a reward model.
    ///
    /// # Shapes
    ///
    /// - `hidden_btd`: `[B, T, D]`
    /// - returns: `[B, T, V]`, or `[B, T, 1]` of a reward model
    pub fn project(&self, hidden_btd: Tensor<3>) -> Tensor<3> {
        let out = match &self.head {
            Some(head) => head.forward(hidden_btd),
            None => crate::ops::linear(hidden_btd, self.embedding.val()),
        };
        out.cast(DType::F32)
    }

    /// Scores texts with a reward model: the head's value at the last token of each row.
    ///
    /// Each row should end in [`reward_token_id`](DecoderConfig::reward_token_id). Rows may differ
    /// in length; each is computed as if it were alone.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward); [`ForwardError::Head`] if the model has no reward head.
    pub fn rewards(&self, rows: &[Vec<u32>]) -> Result<Vec<f32>, ForwardError> {
        if self.config.head != Head::Reward {
            let (expected, found) = ("a reward head", "a language model head");
            return Err(ForwardError::Head { expected, found });
        }
        rows.iter()
            .map(|row| {
                let plan = crate::SequencePlan::unpadded(vec![row.len()]);
                let mut cache = KvCache::new(&self.config, plan, row.len());
                let hidden = self.hidden(std::slice::from_ref(row), &mut cache, &mut Unobserved)?;
                let [_b, t, _d] = hidden.dims();
                let scores = read(self.project(hidden.slice_dim(1, t - 1..t)))?;
                scores.first().copied().ok_or(ForwardError::Empty)
            })
            .collect()
    }

    /// Embeds ids, `[B, T, D]`, in the compute type.
    fn embed(&self, tokens: &[Vec<u32>], [b, t]: [usize; 2]) -> Tensor<3> {
        let ids: Vec<i32> = tokens.iter().flatten().map(|&id| id as i32).collect();
        let ids: Tensor<1, Int> =
            Tensor::from_data(TensorData::new(ids, [b * t]), (&self.device(), DType::I32));
        let rows: Tensor<2> = self.embedding.val().select(0, ids);
        rows.cast(self.compute).reshape([b, t, self.config.hidden_size])
    }

    /// Rows and tokens per row, if they can be computed.
    fn check_tokens(&self, tokens: &[Vec<u32>]) -> Result<[usize; 2], ForwardError> {
        let t = tokens.first().map_or(0, Vec::len);
        if t == 0 {
            return Err(ForwardError::Empty);
        }
        for (row, ids) in tokens.iter().enumerate() {
            if ids.len() != t {
                return Err(ForwardError::Ragged { row, expected: t, found: ids.len() });
            }
            self.check_ids(row, ids)?;
        }
        Ok([tokens.len(), t])
    }

    fn check_ids(&self, row: usize, ids: &[u32]) -> Result<(), ForwardError> {
        let vocab_size = self.config.vocab_size;
        match ids.iter().position(|&id| id as usize >= vocab_size) {
            Some(position) => {
                let found = ids[position];
                Err(ForwardError::TokenId { row, position, found, vocab_size })
            }
            None => Ok(()),
        }
    }

    fn require_logits(&self) -> Result<(), ForwardError> {
        match self.config.head {
            Head::LanguageModel | Head::TiedLanguageModel => Ok(()),
            Head::Reward => Err(ForwardError::Head {
                expected: "a language model head",
                found: "a reward head",
            }),
        }
    }
}

/// Some rows of the states of one sequence or batch, in the order of `rows`. All of them, in their own
/// order, cost nothing.
///
/// # Shapes
///
/// - `states_1nd`: `[1, N, D]`
/// - returns: `[1, rows.len(), D]`
///
/// # Panics
///
/// If one of `rows` is not below `N`.
pub fn select_rows(states_1nd: Tensor<3>, rows: &[usize]) -> Tensor<3> {
    let [_b, n, _d] = states_1nd.dims();
    assert!(rows.iter().all(|&row| row < n), "rows {rows:?} of {n} do not exist");
    if rows.iter().copied().eq(0..n) {
        return states_1nd;
    }
    let device = states_1nd.device();
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let rows = TensorData::new(rows.clone(), [rows.len()]);
    states_1nd.select(1, Tensor::<1, Int>::from_data(rows, (&device, DType::I32)))
}

/// Copies a tensor to the host as `f32`, row-major, with one device synchronisation.
///
/// # Errors
///
/// [`ForwardError::Device`] if the device failed.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ForwardError> {
    tensor.try_into_vec_as::<f32>().map_err(|err| ForwardError::Device { reason: err.to_string() })
}
