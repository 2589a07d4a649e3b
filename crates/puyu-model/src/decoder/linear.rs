//! A projection: a weight, `[out, in]`, and perhaps a bias.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use puyu_kernels::{QuantShape, QuantWeight};

use crate::error::ForwardError;
use crate::ops;

/// A named linear map of the model.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`, as checkpoints store it.
    pub weight: LinearWeight,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

/// The weight of a linear map.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "seven per layer; a box would cost a jump in every product to save a few hundred bytes"
)]
pub enum LinearWeight {
    /// Floats, `[out, in]`.
    Float(Param<Tensor<2>>),
    /// Integers with scales. They are not trained.
    Quantized(QuantizedWeight),
}

/// A quantised weight in the layout of the kernels.
#[derive(Module, Debug)]
pub struct QuantizedWeight {
    /// One byte each.
    packed: Tensor<1, Int>,
    #[module(skip)]
    shape: QuantShape,
}

impl Linear {
    /// A linear map with a weight of floats.
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>) -> Self {
        Self {
            weight: LinearWeight::Float(Param::from_tensor(weight)),
            bias: bias.map(Param::from_tensor),
        }
    }

    /// Multiplies by the weight and adds the bias.
    ///
    /// # Shapes
    ///
    /// - `x_bti`: `[B, T, in]`
    /// - returns: `[B, T, out]`
    pub fn forward(&self, x_bti: Tensor<3>) -> Tensor<3> {
        let out = match &self.weight {
            LinearWeight::Float(weight) => ops::linear(x_bti, weight.val()),
            LinearWeight::Quantized(weight) => {
                ops::quant_linear(x_bti, weight.packed.clone(), weight.shape)
            }
        };
        match &self.bias {
            Some(bias) => {
                let bias = bias.val().cast(out.dtype());
                out + bias.unsqueeze()
            }
            None => out,
        }
    }
}

impl QuantizedWeight {
    /// Takes the bytes of a weight of this shape, as [`puyu_kernels::quantize`] writes them.
    ///
    /// # Panics
    ///
    /// If the shape takes another number of bytes.
    pub fn new(packed: burn::tensor::Bytes, shape: QuantShape, device: &Device) -> Self {
        assert_eq!(Some(packed.len()), shape.n_bytes(), "bytes of a weight of {shape:?}");
        let n_bytes = packed.len();
        let data = TensorData::from_bytes(packed, [n_bytes], DType::U8);
        Self { packed: Tensor::from_data(data, (device, DType::U8)), shape }
    }

    /// Outputs, inputs and format.
    pub fn shape(&self) -> QuantShape {
        self.shape
    }

    /// The weight as floats, `[out, in]` row-major.
    ///
    /// # Errors
    ///
    /// [`ForwardError::Device`] if the device fails.
    pub fn dequantize(&self) -> Result<Vec<f32>, ForwardError> {
        let device_error = |reason: String| ForwardError::Device { reason };
        let packed = self.packed.clone().try_into_data();
        let packed = packed.map_err(|error| device_error(error.to_string()))?;
        let packed: Vec<u8> =
            packed.try_into_vec_as().map_err(|error| device_error(error.to_string()))?;
        let mut weight = vec![0.0; self.shape.m * self.shape.k];
        puyu_kernels::dequantize(QuantWeight::new(&packed, self.shape), &mut weight);
        Ok(weight)
    }
}
