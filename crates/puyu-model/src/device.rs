//! From the name of a device to Burn's device.

use burn::tensor::Device;
use puyu_core::DeviceSpec;

use crate::error::DeviceError;

/// Opens the device that `spec` names.
///
/// # Errors
///
/// [`DeviceError::NotBuilt`] where the program was built without the backend; the message names
/// the cargo feature.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// let device = puyu_model::open_device(puyu_core::DeviceSpec::Cpu)?;
/// # }
/// # Ok::<(), puyu_model::DeviceError>(())
/// ```
pub fn open_device(spec: DeviceSpec) -> Result<Device, DeviceError> {
    match spec {
        DeviceSpec::Cpu => cpu(spec),
        DeviceSpec::Cuda { index } => cuda(spec, index),
        DeviceSpec::Wgpu { index } => wgpu(spec, index),
        device => Err(DeviceError::Unsupported { device }),
    }
}

#[cfg(feature = "cpu")]
fn cpu(_spec: DeviceSpec) -> Result<Device, DeviceError> {
    Ok(Device::flex())
}

#[cfg(not(feature = "cpu"))]
fn cpu(device: DeviceSpec) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt { device, feature: "cpu" })
}

#[cfg(feature = "cuda")]
fn cuda(_spec: DeviceSpec, index: usize) -> Result<Device, DeviceError> {
    Ok(Device::cuda(index))
}

#[cfg(not(feature = "cuda"))]
fn cuda(device: DeviceSpec, _index: usize) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt { device, feature: "cuda" })
}

#[cfg(feature = "wgpu")]
fn wgpu(_spec: DeviceSpec, index: usize) -> Result<Device, DeviceError> {
    use burn::tensor::DeviceKind;
    // Device 0 is whatever the machine does best, a software driver included; further numbers are
    // meant by people who have several cards.
    let kind = if index == 0 { DeviceKind::DefaultDevice } else { DeviceKind::DiscreteGpu(index) };
    Ok(Device::wgpu(kind))
}

#[cfg(not(feature = "wgpu"))]
fn wgpu(device: DeviceSpec, _index: usize) -> Result<Device, DeviceError> {
    Err(DeviceError::NotBuilt { device, feature: "wgpu" })
}
