//! The CPU body.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use puyu_kernels::RopeShape;

use super::RopeOp;
use crate::ops::flex::{as_f32, from_f32};

impl RopeOp for Flex {
    fn rotate_halves(
        x_bthe: FloatTensor<Self>,
        cos_bt1p: FloatTensor<Self>,
        sin_bt1p: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let x = x_bthe.to_contiguous();
        let (cos, sin) = (cos_bt1p.to_contiguous(), sin_bt1p.to_contiguous());
        let [_b, _t, n_heads, head_dim] = x.shape().dims();
        let mut out = vec![0.0; x.shape().num_elements()];
        let shape = RopeShape { n_heads, head_dim };
        puyu_kernels::rope(&as_f32(&x), &as_f32(&cos), &as_f32(&sin), shape, &mut out);
        from_f32(out, x.shape(), x.dtype())
    }
}
