//! Keys and values of the tokens seen so far.
//!
//! Axis letters: `B` batch, `K` key/value heads, `S` slots used, `T` new tokens, `E` head width.

use burn::tensor::{DType, Device, Tensor};

use crate::config::{DecoderConfig, NtkRule};

/// Slots that a layer allocates first; it doubles from there up to the capacity asked for.
///
/// A short answer should not pay for the longest context: InternLM2-7B needs 4 GiB for 32 768
/// slots of f32 keys and values, and 32 MiB for these.
const FIRST_SLOTS: usize = 256;

/// What is known of the sequences of a batch before their first token is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequencePlan {
    /// Slots, per row, that hold padding in front of the text.
    pub left_padding: Vec<usize>,
    /// Tokens of each row's whole prompt, without padding. A prompt that comes in pieces is
    /// rotated as if it came at once.
    pub prompt_tokens: Vec<usize>,
}

impl SequencePlan {
    /// Rows without padding.
    pub fn unpadded(prompt_tokens: Vec<usize>) -> Self {
        Self { left_padding: vec![0; prompt_tokens.len()], prompt_tokens }
    }

    /// Rows of different lengths, padded on the left to the longest.
    pub fn left_padded(prompt_tokens: Vec<usize>) -> Self {
        let longest = prompt_tokens.iter().copied().max().unwrap_or(0);
        let left_padding = prompt_tokens.iter().map(|&tokens| longest - tokens).collect();
        Self { left_padding, prompt_tokens }
    }

    /// Number of rows.
    pub fn n_sequences(&self) -> usize {
        self.prompt_tokens.len()
    }
}

/// Keys and values of a batch of sequences, for all layers.
#[derive(Debug)]
pub struct KvCache {
    pub(crate) layers: Vec<LayerCache>,
    plan: SequencePlan,
    ntk_rule: NtkRule,
    len: usize,
    capacity: usize,
}

impl KvCache {
    /// An empty cache for the rows of `plan`, of at most `capacity` slots each, padding included.
    ///
    /// The rule for dynamic NTK scaling is the one of the model's own published code; see
    /// [`with_ntk_rule`](Self::with_ntk_rule).
    pub fn new(config: &DecoderConfig, plan: SequencePlan, capacity: usize) -> Self {
        let shape = [plan.n_sequences(), config.n_kv_heads, config.head_dim];
        let layer = || LayerCache { shape, capacity, len: 0, storage: None };
        Self {
            layers: (0..config.n_layers).map(|_| layer()).collect(),
            plan,
            ntk_rule: config.family.ntk_rule(),
            len: 0,
            capacity,
        }
    }

    /// Chooses another rule for dynamic NTK scaling. It cannot change once tokens are cached.
    ///
    /// # Panics
    ///
    /// If the cache is not empty.
    pub fn with_ntk_rule(mut self, rule: NtkRule) -> Self {
        assert_eq!(self.len, 0, "cached keys were rotated by the earlier rule");
        self.ntk_rule = rule;
        self
    }

    /// Slots used, padding included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no slot is used.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Slots at most.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// What is known of the sequences.
    pub fn plan(&self) -> &SequencePlan {
        &self.plan
    }

    /// The rule for dynamic NTK scaling.
    pub fn ntk_rule(&self) -> NtkRule {
        self.ntk_rule
    }

    /// Forgets the slots from `len` on. A later token overwrites them.
    ///
    /// # Panics
    ///
    /// If fewer than `len` slots are used.
    pub fn truncate(&mut self, len: usize) {
        assert!(len <= self.len, "cannot keep {len} slots of {}", self.len);
        self.len = len;
        for layer in &mut self.layers {
            layer.len = len;
        }
    }

    /// Changes how many slots may be used.
    ///
    /// # Panics
    ///
    /// If more are used already.
    pub fn set_capacity(&mut self, capacity: usize) {
        assert!(self.len <= capacity, "{} slots are used, more than {capacity}", self.len);
        self.capacity = capacity;
        for layer in &mut self.layers {
            layer.capacity = capacity;
        }
    }

    pub(crate) fn advance(&mut self, n_tokens: usize) {
        self.len += n_tokens;
    }
}

/// Keys and values of one layer.
#[derive(Debug)]
pub(crate) struct LayerCache {
    /// `[B, K, E]`.
    shape: [usize; 3],
    capacity: usize,
    len: usize,
    storage: Option<Storage>,
}

/// Allocated slots; `[B, K, slots, E]` each.
#[derive(Debug)]
struct Storage {
    keys: Tensor<4>,
    values: Tensor<4>,
}

impl LayerCache {
    /// Appends `T` keys and values and returns all of them, `[B, K, S, E]`.
    ///
    /// # Panics
    ///
    /// If fewer than `T` slots are free: the decoder checks before it computes.
    pub(crate) fn append(
        &mut self,
        k_bkte: Tensor<4>,
        v_bkte: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let [b, k, t, e] = k_bkte.dims();
        let (start, end) = (self.len, self.len + t);
        assert!(end <= self.capacity, "{end} tokens do not fit {} slots", self.capacity);

        let Storage { keys, values } = self.with_room(end, k_bkte.dtype(), &k_bkte.device());
        let slots = [0..b, 0..k, start..end, 0..e];
        let keys = keys.slice_assign(slots.clone(), k_bkte);
        let values = values.slice_assign(slots, v_bkte);

        let used = [0..b, 0..k, 0..end, 0..e];
        let all = (keys.clone().slice(used.clone()), values.clone().slice(used));
        self.storage = Some(Storage { keys, values });
        self.len = end;
        all
    }

    /// Takes the storage out, grown so that it has at least `slots` slots.
    fn with_room(&mut self, slots: usize, dtype: DType, device: &Device) -> Storage {
        let [b, k, e] = self.shape;
        let empty = |slots| Tensor::<4>::zeros([b, k, slots, e], (device, dtype));
        let Some(storage) = self.storage.take() else {
            let slots = slots.max(FIRST_SLOTS).min(self.capacity);
            return Storage { keys: empty(slots), values: empty(slots) };
        };
        let [_b, _k, allocated, _e] = storage.keys.dims();
        if allocated >= slots {
            return storage;
        }
        let grown = slots.max((2 * allocated).min(self.capacity));
        let used = [0..b, 0..k, 0..allocated, 0..e];
        Storage {
            keys: empty(grown).slice_assign(used.clone(), storage.keys),
            values: empty(grown).slice_assign(used, storage.values),
        }
    }
}
