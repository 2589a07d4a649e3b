//! Root-mean-square normalisation over the last axis.

#[cfg(feature = "cpu")]
mod flex;
#[cfg(test)]
mod tests;

use burn::backend::{Backend, FloatDType, TensorMetadata, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Backends that can normalise by the root mean square.
#[backend_extension(
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "cuda", feature = "wgpu")),
    Autodiff: cfg(feature = "autodiff"),
)]
pub trait RmsNormOp: Backend {
    /// See [`rms_norm`]. `weight` has the rank of `x`, with ones in front.
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> FloatTensor<Self> {
        let dtype = x.dtype();
        let last = x.shape().num_dims() - 1;
        let x = Self::float_cast(x, FloatDType::F32);
        let mean = Self::float_mean_dim(Self::float_mul(x.clone(), x.clone()), last);
        let root = Self::float_sqrt(Self::float_add_scalar(mean, eps.into()));
        let normal = Self::float_cast(Self::float_div(x, root), dtype.into());
        Self::float_mul(normal, Self::float_cast(weight, dtype.into()))
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
impl RmsNormOp for burn_cubecl::CubeBackend {}

#[cfg(feature = "autodiff")]
impl<B, C> RmsNormOp for burn::backend::Autodiff<B, C>
where
    B: RmsNormOp,
    C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy,
{
}

/// Divides each row by its root mean square, in `f32`, then multiplies by `weight` in the type of
/// `x`.
///
/// # Shapes
///
/// - `x`: `[.., D]`
/// - `weight`: `[D]`
/// - returns: `[.., D]`
///
/// # Source
///
/// `InternLM2RMSNorm` in `modeling_internlm2.py` of `internlm/internlm2-7b`.
pub fn rms_norm<const D: usize>(x: Tensor<D>, weight: Tensor<1>, eps: f64) -> Tensor<D> {
    use burn::backend::Dispatch;
    let weight: Tensor<D> = weight.unsqueeze();
    Tensor::from_dispatch(Dispatch::rms_norm(x.into_dispatch(), weight.into_dispatch(), eps))
}
