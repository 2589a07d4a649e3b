//! Product with a weight matrix stored as `[out, in]`, in the type of its file.
//!
//! Axis letters: `N` rows, `I` input width, `O` output width.

#[cfg(feature = "cpu")]
mod flex;
#[cfg(test)]
mod tests;

use burn::backend::{Backend, TensorMetadata, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Backends that can multiply by a weight matrix of another type than the activations.
#[backend_extension(
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "cuda", feature = "wgpu")),
    Autodiff: cfg(feature = "autodiff"),
)]
pub trait LinearOp: Backend {
    /// See [`linear`].
    fn linear(x_ni: FloatTensor<Self>, weight_oi: FloatTensor<Self>) -> FloatTensor<Self> {
        let dtype = x_ni.dtype();
        let weight_oi = if weight_oi.dtype() == dtype {
            weight_oi
        } else {
            Self::float_cast(weight_oi, dtype.into())
        };
        Self::float_matmul(x_ni, Self::float_transpose(weight_oi))
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
impl LinearOp for burn_cubecl::CubeBackend {}

#[cfg(feature = "autodiff")]
impl<B, C> LinearOp for burn::backend::Autodiff<B, C>
where
    B: LinearOp,
    C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy,
{
}

/// Multiplies each row of `x` by `weight` transposed, accumulating in `f32`.
///
/// On the CPU a row's result does not depend on the other rows, nor on the number of threads: a
/// token gets the same bits alone, in a prompt and in a batch.
///
/// # Shapes
///
/// - `x_bti`: `[B, T, I]`
/// - `weight_oi`: `[O, I]`, of the type of `x` or another
/// - returns: `[B, T, O]`, of the type of `x`
pub fn linear(x_bti: Tensor<3>, weight_oi: Tensor<2>) -> Tensor<3> {
    use burn::backend::Dispatch;
    let [b, t, i] = x_bti.dims();
    let [o, _i] = weight_oi.dims();
    let x_ni: Tensor<2> = x_bti.reshape([b * t, i]);
    let out = Dispatch::linear(x_ni.into_dispatch(), weight_oi.into_dispatch());
    Tensor::<2>::from_dispatch(out).reshape([b, t, o])
}
