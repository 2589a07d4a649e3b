//! Devices for comparing the bodies of an operation.

use burn::tensor::{Device, Tensor, TensorData};

pub(super) use crate::decoder::tests::device;

/// A device on which operations take their default body: gradients go through plain Burn.
#[cfg(all(feature = "cpu", feature = "autodiff"))]
pub(super) fn reference_device() -> Device {
    Device::flex().autodiff()
}

/// Without gradients only the device's own bodies can be compared with the definition.
#[cfg(not(all(feature = "cpu", feature = "autodiff")))]
pub(super) fn reference_device() -> Device {
    device()
}

pub(super) fn tensor<const D: usize>(
    values: &[f32],
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}
