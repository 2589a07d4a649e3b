//! The CPU body.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Shape;
use puyu_kernels::{QuantShape, QuantWeight};

use super::QuantLinearOp;
use crate::ops::flex::{as_f32, from_f32, slice_of};

impl QuantLinearOp for Flex {
    fn quant_linear(
        x_ni: FloatTensor<Self>,
        packed: IntTensor<Self>,
        shape: QuantShape,
    ) -> FloatTensor<Self> {
        let (x, packed) = (x_ni.to_contiguous(), packed.to_contiguous());
        let [n, _i] = x.shape().dims();
        let mut out = vec![0.0; n * shape.m];
        let weight = QuantWeight::new(slice_of(&packed), shape);
        puyu_kernels::quant_linear(&as_f32(&x), weight, None, &mut out);
        from_f32(out, Shape::from([n, shape.m]), x.dtype())
    }
}
