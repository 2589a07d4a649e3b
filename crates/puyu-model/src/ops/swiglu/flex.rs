//! The CPU body.

use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

use super::SwigluOp;
use crate::ops::flex::{as_f32, from_f32};

impl SwigluOp for Flex {
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        let (gate, up) = (gate.to_contiguous(), up.to_contiguous());
        let mut out = vec![0.0; gate.shape().num_elements()];
        puyu_kernels::swiglu(&as_f32(&gate), &as_f32(&up), &mut out);
        from_f32(out, gate.shape(), gate.dtype())
    }
}
