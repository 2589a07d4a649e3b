//! The CPU body.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use burn::tensor::Shape;

use super::LinearOp;
use crate::ops::flex::{as_f32, as_weight, from_f32};

impl LinearOp for Flex {
    fn linear(x_ni: FloatTensor<Self>, weight_oi: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, weight) = (x_ni.to_contiguous(), weight_oi.to_contiguous());
        let [n, i] = x.shape().dims();
        let [o, _i] = weight.shape().dims();
        let mut out = vec![0.0; n * o];
        puyu_kernels::linear(&as_f32(&x), as_weight(&weight), None, &mut out, i);
        from_f32(out, Shape::from([n, o]), x.dtype())
    }
}
