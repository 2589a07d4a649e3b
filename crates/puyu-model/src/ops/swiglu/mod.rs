//! `silu(gate) * up`, the activation between the two halves of the feed-forward part.

#[cfg(feature = "cpu")]
mod flex;
#[cfg(test)]
mod tests;

use burn::backend::{Backend, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Backends that can multiply by a gated activation.
#[backend_extension(
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "cuda", feature = "wgpu")),
    Autodiff: cfg(feature = "autodiff"),
)]
pub trait SwigluOp: Backend {
    /// See [`swiglu`].
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        let sigmoid = Self::sigmoid(gate.clone());
        Self::float_mul(Self::float_mul(gate, sigmoid), up)
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
impl SwigluOp for burn_cubecl::CubeBackend {}

#[cfg(feature = "autodiff")]
impl<B, C> SwigluOp for burn::backend::Autodiff<B, C>
where
    B: SwigluOp,
    C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy,
{
}

/// Multiplies `up` by `gate * sigmoid(gate)`, element by element.
///
/// # Shapes
///
/// - `gate`, `up`: equal
/// - returns: the same
///
/// # Source
///
/// N. Shazeer, "GLU Variants Improve Transformer", 2020.
pub fn swiglu<const D: usize>(gate: Tensor<D>, up: Tensor<D>) -> Tensor<D> {
    use burn::backend::Dispatch;
    Tensor::from_dispatch(Dispatch::swiglu(gate.into_dispatch(), up.into_dispatch()))
}
