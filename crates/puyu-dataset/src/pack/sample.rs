//! One row as the model takes it.

/// The label of a token that no loss is taken of, as in PyTorch.
pub const IGNORED_LABEL: i64 = -100;

/// One row of packed documents.
///
/// The first four fields have one entry per token (`input_ids`, `labels`, `position_ids`) or per
/// piece and one more (`cu_seqlens`). Attention must not look from one piece into another. If the
/// documents do not fill the row, the padding is a last piece of its own, so `cu_seqlens` always
/// ends with the length of the row and every token has something to attend to: itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedSample {
    /// The tokens; padding at the end.
    pub input_ids: Vec<u32>,
    /// What the model should say after each token: the next token of the piece. Already shifted.
    ///
    /// [`IGNORED_LABEL`] on the last token of each piece, where the next token is not trained, and
    /// on padding.
    pub labels: Vec<i64>,
    /// The place of each token in its piece, from 0.
    pub position_ids: Vec<u32>,
    /// Where each piece begins, and the end of the row: `[0, …, pack_tokens]`.
    pub cu_seqlens: Vec<u32>,
    /// How many labels are not [`IGNORED_LABEL`].
    pub n_trained: u32,
}

impl PackedSample {
    pub(super) fn with_capacity(n_tokens: usize) -> Self {
        Self {
            input_ids: Vec::with_capacity(n_tokens),
            labels: Vec::with_capacity(n_tokens),
            position_ids: Vec::with_capacity(n_tokens),
            cu_seqlens: vec![0],
            n_trained: 0,
        }
    }

    /// Appends a piece. `is_trained` is asked for each of its tokens but the first.
    pub(super) fn push(&mut self, ids: &[u32], is_trained: impl Fn(usize) -> bool) {
        let Some(following) = ids.get(1..) else { return };
        for (place, &id) in following.iter().enumerate() {
            let trained = is_trained(place + 1);
            self.labels.push(if trained { i64::from(id) } else { IGNORED_LABEL });
            self.n_trained += u32::from(trained);
        }
        self.labels.push(IGNORED_LABEL);
        self.push_inputs(ids.iter().copied());
    }

    /// Fills the row up to `n_tokens`.
    pub(super) fn pad(&mut self, n_tokens: usize, pad_id: u32) {
        let missing = n_tokens - self.input_ids.len();
        if missing > 0 {
            self.labels.resize(n_tokens, IGNORED_LABEL);
            self.push_inputs(std::iter::repeat_n(pad_id, missing));
        }
    }

    fn push_inputs(&mut self, ids: impl ExactSizeIterator<Item = u32>) {
        // A row has at most 2^24 tokens.
        self.position_ids.extend(0..ids.len() as u32);
        self.input_ids.extend(ids);
        self.cu_seqlens.push(self.input_ids.len() as u32);
    }
}
