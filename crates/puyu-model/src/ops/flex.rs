//! Slices of Flex tensors, as the kernels want them.

use std::borrow::Cow;

use burn::backend::DType;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Shape, TensorData, bf16, f16};
use puyu_kernels::Weight;

/// The elements as `f32`: borrowed where they are, converted where they are 16-bit.
///
/// `tensor` must be contiguous, see [`FlexTensor::to_contiguous`].
pub(super) fn as_f32(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    match tensor.dtype() {
        DType::F32 => Cow::Borrowed(slice_of(tensor)),
        DType::BF16 => {
            let narrow: &[bf16] = slice_of(tensor);
            let mut wide = vec![0.0; narrow.len()];
            puyu_kernels::bf16_to_f32(narrow, &mut wide);
            Cow::Owned(wide)
        }
        DType::F16 => {
            let narrow: &[f16] = slice_of(tensor);
            let mut wide = vec![0.0; narrow.len()];
            puyu_kernels::f16_to_f32(narrow, &mut wide);
            Cow::Owned(wide)
        }
        other => panic!("decoder operations take f32, bf16 and f16 tensors, found {other:?}"),
    }
}

/// The elements of a weight in the type they are stored in.
pub(super) fn as_weight(tensor: &FlexTensor) -> Weight<'_> {
    match tensor.dtype() {
        DType::F32 => Weight::F32(slice_of(tensor)),
        DType::BF16 => Weight::Bf16(slice_of(tensor)),
        DType::F16 => Weight::F16(slice_of(tensor)),
        other => panic!("weights are f32, bf16 or f16 tensors, found {other:?}"),
    }
}

/// A tensor of type `dtype` from `f32` results, rounded to nearest even where it is narrower.
pub(super) fn from_f32(values: Vec<f32>, shape: Shape, dtype: DType) -> FlexTensor {
    let data = match dtype {
        DType::BF16 => {
            let mut narrow = vec![bf16::ZERO; values.len()];
            puyu_kernels::f32_to_bf16(&values, &mut narrow);
            TensorData::new(narrow, shape)
        }
        DType::F16 => TensorData::new(values.into_iter().map(f16::from_f32).collect(), shape),
        _ => TensorData::new(values, shape),
    };
    FlexTensor::from_data(data)
}

pub(super) fn slice_of<E: burn::tensor::Element + bytemuck::Pod>(tensor: &FlexTensor) -> &[E] {
    tensor.as_slice().expect("the caller made the tensor contiguous and matched its type")
}
