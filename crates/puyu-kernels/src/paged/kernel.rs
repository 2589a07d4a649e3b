//! The inner loops that a version provides.
//!
//! Everything above them is written once, and both ways through the cache ([`super::worker`]) ask
//! for the same arithmetic in the same order:
//!
//! - a score is the sum of the chain over even and the chain over odd elements of a head;
//! - a row of scores becomes weights in [`Kernel::soften`], whichever way it came about;
//! - an element of the weighted sum of a span is one chain over its tokens, oldest first;
//! - the sum of a span is added to what came before by [`Kernel::combine`] or the same steps.

use super::format::Stored;
use super::layout::UNIT;
use super::{SPAN, TILE_ROWS};

/// Scores of the tokens of a span, then their weights.
pub(super) type Row = [f32; SPAN];

/// What belongs to the codes of a span: `x = code * scale + minimum`, token by token.
#[derive(Debug, Clone)]
pub(super) struct Scales {
    pub(super) key_scales: Row,
    pub(super) key_minimums: Row,
    pub(super) value_scales: Row,
    pub(super) value_minimums: Row,
}

impl Scales {
    pub(super) const ZERO: Self = Self {
        key_scales: [0.0; SPAN],
        key_minimums: [0.0; SPAN],
        value_scales: [0.0; SPAN],
        value_minimums: [0.0; SPAN],
    };
}

/// What a row knows of a span beside its weights.
#[derive(Debug, Clone, Copy)]
pub(super) struct Softened {
    /// The largest score.
    pub(super) max: f32,
    /// The sum of `exp(score - max)`.
    pub(super) sum: f32,
    /// What all elements of the weighted sum of values have in common: that of the minimums.
    pub(super) bias: f32,
}

/// How the weighted sum of a span goes into what a row has so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    /// Tokens of the span that the row sees. If 0, the row is left as it is.
    pub(super) visible: usize,
    /// Factor of what is there.
    pub(super) keep: f32,
    /// Factor of what is new.
    pub(super) add: f32,
    /// Added to what is new, before its factor.
    pub(super) bias: f32,
}

/// Codes of a group of tokens: `head_dim` units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codes<'a, F: Stored> {
    pub(super) units: &'a [F::Unit],
    /// As many that will be read soon, to be asked for bit by bit: all at once they would hold up
    /// the reading of these.
    pub(super) ahead: &'a [F::Unit],
}

/// A version. Rows are tokens or query heads; `R` of them share the reading of a key or value.
pub(super) trait Kernel: Copy + Send + Sync {
    /// Scores of `R` packed queries with the keys of a group of tokens, read from the cache.
    fn stream_scores<F: Stored, const R: usize>(
        self,
        queries: &[[f32; R]],
        keys: Codes<'_, F>,
        group: usize,
        rows: &mut [Row; R],
    );

    /// Adds the weighted values of a group of tokens, read from the cache, to the sums of `R` rows:
    /// `[units, R]`.
    fn stream_values<F: Stored, const R: usize>(
        self,
        weights: &[Row; R],
        group: Group<R>,
        values: Codes<'_, F>,
        sums: &mut [[f32; UNIT]],
    );

    /// Widens units one by one.
    fn widen<F: Stored>(self, units: &[F::Unit], out: &mut [[f32; UNIT]]);

    /// Widens the values of a group of tokens, `[UNIT, units]`, into their places in `out`:
    /// `[units, SPAN]`, which begins at the group.
    fn widen_columns<F: Stored>(self, units: &[F::Unit], out: &mut [[f32; UNIT]]) {
        let n_units = units.len() / UNIT;
        for (token, units) in units.chunks_exact(n_units).enumerate() {
            for (unit, out) in units.iter().zip(out[token..].chunks_mut(SPAN)) {
                self.widen::<F>(std::slice::from_ref(unit), &mut out[..1]);
            }
        }
    }

    /// As [`stream_scores`](Self::stream_scores), with widened keys, up to [`TILE_ROWS`] rows.
    fn tile_scores<const R: usize>(
        self,
        queries: &[[f32; R]],
        keys: &[[f32; UNIT]],
        group: usize,
        rows: &mut [Row; R],
    );

    /// Sums the weighted values of one unit over the tokens of a span, widened, up to
    /// [`TILE_ROWS`] rows, and combines them with what is there.
    fn tile_values<const R: usize>(
        self,
        weights: &[Row; R],
        values: &[[f32; UNIT]],
        shares: &[Share; R],
        out: &mut [[f32; UNIT]; R],
    );

    /// Turns the first `visible` scores of a row into weights. What follows them is of no effect.
    /// With `scales` the scores are those of codes, and the weights become those of codes;
    /// `query_sum` is the sum of the query.
    fn soften(
        self,
        row: &mut Row,
        visible: usize,
        scales: Option<&Scales>,
        query_sum: f32,
    ) -> Softened;

    /// Combines sums `[units, R]` with what is there: `(sum + bias) * add + out * keep`.
    fn combine<const R: usize>(
        self,
        sums: &[[f32; UNIT]],
        shares: &[Share; R],
        out: &mut [[f32; UNIT]],
    );

    /// `exp(x)` for `x` not above 0, or NaN.
    fn exp(self, x: f32) -> f32;
}

/// A group of tokens within a span, for `R` rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<const R: usize> {
    /// Its place in the span.
    pub(super) index: usize,
    /// Tokens of the group that each row sees.
    pub(super) visible: [usize; R],
}

impl<const R: usize> Group<R> {
    /// Tokens that all rows see, and tokens that one of them sees.
    #[inline]
    pub(super) fn bounds(self) -> [usize; 2] {
        bounds(self.visible)
    }
}

/// The least and the most.
#[inline]
pub(super) fn bounds<const R: usize>(visible: [usize; R]) -> [usize; 2] {
    const { assert!(R > 0 && R <= TILE_ROWS) };
    visible.iter().fold([visible[0]; 2], |[least, most], &n| [least.min(n), most.max(n)])
}
