//! The CPU body.

use burn::backend::{DType, Flex, TensorMetadata, tensor::FloatTensor};
use burn::tensor::bf16;

use super::RmsNormOp;
use crate::ops::flex::{as_f32, from_f32};

impl RmsNormOp for Flex {
    fn rms_norm(x: FloatTensor<Self>, weight: FloatTensor<Self>, eps: f64) -> FloatTensor<Self> {
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let mut out = vec![0.0; x.shape().num_elements()];
        let weight = as_f32(&weight);
        if x.dtype() == DType::F32 {
            puyu_kernels::rms_norm(&as_f32(&x), &weight, eps as f32, &mut out);
        } else {
            // The original rounds to the narrow type before it multiplies by the weight.
            let ones = vec![1.0; weight.len()];
            puyu_kernels::rms_norm(&as_f32(&x), &ones, eps as f32, &mut out);
            for row in out.chunks_exact_mut(weight.len()) {
                for (value, w) in row.iter_mut().zip(weight.iter()) {
                    *value = round_to(*value, x.dtype()) * w;
                }
            }
        }
        from_f32(out, x.shape(), x.dtype())
    }
}

fn round_to(value: f32, dtype: DType) -> f32 {
    match dtype {
        DType::BF16 => bf16::from_f32(value).to_f32(),
        _ => burn::tensor::f16::from_f32(value).to_f32(),
    }
}
