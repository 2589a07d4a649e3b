//! Product with a quantised weight matrix.
//!
//! Axis letters: `N` rows, `I` input width, `O` output width.

#[cfg(feature = "cpu")]
mod flex;
#[cfg(test)]
mod tests;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata, backend_extension};
use burn::tensor::{Int, Tensor, TensorData};
use puyu_kernels::{QuantShape, QuantWeight};

/// Backends that can multiply by a quantised weight matrix.
#[backend_extension(
    Flex: cfg(feature = "cpu"),
    Cube: cfg(any(feature = "cuda", feature = "wgpu")),
    Autodiff: cfg(feature = "autodiff"),
)]
pub trait QuantLinearOp: Backend {
    /// See [`quant_linear`]. `packed` holds bytes.
    fn quant_linear(
        x_ni: FloatTensor<Self>,
        packed: IntTensor<Self>,
        shape: QuantShape,
    ) -> FloatTensor<Self> {
        let (device, dtype) = (x_ni.device(), x_ni.dtype());
        let bytes = burn::tensor::read_sync(Self::int_into_data(packed))
            .expect("a weight can be read back from the device that holds it");
        let bytes: Vec<u8> = bytes.try_into_vec_as().expect("a weight is kept as bytes");
        let mut weight = vec![0.0; shape.m * shape.k];
        puyu_kernels::dequantize(QuantWeight::new(&bytes, shape), &mut weight);
        let weight = TensorData::new(weight, [shape.m, shape.k]);
        let weight_oi = Self::float_cast(Self::float_from_data(weight, &device), dtype.into());
        Self::float_matmul(x_ni, Self::float_transpose(weight_oi))
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
impl QuantLinearOp for burn_cubecl::CubeBackend {}

#[cfg(feature = "autodiff")]
impl<B, C> QuantLinearOp for burn::backend::Autodiff<B, C>
where
    B: QuantLinearOp,
    C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy,
{
}

/// Multiplies each row of `x` by a quantised weight, transposed.
///
/// On the CPU the rows of `x` are quantised too, see [`puyu_kernels::quant_linear`]; a row's result
/// does not depend on the other rows, nor on the number of threads. Elsewhere the weight is widened
/// on every call, which is right and slow.
///
/// # Shapes
///
/// - `x_bti`: `[B, T, I]`
/// - `packed`: the bytes of a weight of `O` outputs and `I` inputs
/// - returns: `[B, T, O]`, of the type of `x`
pub fn quant_linear(x_bti: Tensor<3>, packed: Tensor<1, Int>, shape: QuantShape) -> Tensor<3> {
    use burn::backend::Dispatch;
    let [b, t, i] = x_bti.dims();
    let x_ni: Tensor<2> = x_bti.reshape([b * t, i]);
    let out = Dispatch::quant_linear(x_ni.into_dispatch(), packed.into_dispatch(), shape);
    Tensor::<2>::from_dispatch(out).reshape([b, t, shape.m])
}
