//! Rotary position embedding: pairs of components, half a head apart, turn by the position's angle.
//!
//! Axis letters: `B` batch, `T` tokens, `H` heads, `E` head width, `P = E / 2` pairs.

#[cfg(feature = "cpu")]
mod flex;
#[cfg(test)]
mod tests;

use burn::backend::{Backend, Slice, TensorMetadata, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Backends that can rotate halves.
#[backend_extension(
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "cuda", feature = "wgpu")),
    Autodiff: cfg(feature = "autodiff"),
)]
pub trait RopeOp: Backend {
    /// See [`rotate_halves`]. `cos` and `sin` have a heads axis of 1.
    fn rotate_halves(
        x_bthe: FloatTensor<Self>,
        cos_bt1p: FloatTensor<Self>,
        sin_bt1p: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let dtype = x_bthe.dtype();
        let [b, t, h, e] = x_bthe.shape().dims();
        let half = |pairs: std::ops::Range<usize>| {
            let slices: [Slice; 4] = [(0..b).into(), (0..t).into(), (0..h).into(), pairs.into()];
            Self::float_slice(x_bthe.clone(), &slices)
        };
        let (first, second) = (half(0..e / 2), half(e / 2..e));
        let cos = Self::float_cast(cos_bt1p, dtype.into());
        let sin = Self::float_cast(sin_bt1p, dtype.into());
        let turned_first = Self::float_sub(
            Self::float_mul(first.clone(), cos.clone()),
            Self::float_mul(second.clone(), sin.clone()),
        );
        let turned_second =
            Self::float_add(Self::float_mul(second, cos), Self::float_mul(first, sin));
        Self::float_cat(vec![turned_first, turned_second], 3)
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
impl RopeOp for burn_cubecl::CubeBackend {}

#[cfg(feature = "autodiff")]
impl<B, C> RopeOp for burn::backend::Autodiff<B, C>
where
    B: RopeOp,
    C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy,
{
}

/// Turns component `i` with component `i + E/2` of each head by the angle of the token's position.
///
/// # Shapes
///
/// - `x_bthe`: `[B, T, H, E]`, `E` even
/// - `cos_btp`, `sin_btp`: `[B, T, P]`
/// - returns: `[B, T, H, E]`
///
/// # Source
///
/// `apply_rotary_pos_emb` in `modeling_internlm2.py` of `internlm/internlm2-7b`.
pub fn rotate_halves(x_bthe: Tensor<4>, cos_btp: Tensor<3>, sin_btp: Tensor<3>) -> Tensor<4> {
    use burn::backend::Dispatch;
    let cos: Tensor<4> = cos_btp.unsqueeze_dim(2);
    let sin: Tensor<4> = sin_btp.unsqueeze_dim(2);
    Tensor::from_dispatch(Dispatch::rotate_halves(
        x_bthe.into_dispatch(),
        cos.into_dispatch(),
        sin.into_dispatch(),
    ))
}
