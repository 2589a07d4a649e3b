//! Quantised weights of 4 and 8 bits with activations quantised to 8 bits.
//!
//! [`quantize`] and the packing functions write a weight once in the layout that every operation
//! streams (see the module `format`); [`QuantizedRows`] are the activations.

mod format;
mod fused;
mod kernel;
mod linear;
mod pack;
mod panels;
mod portable;
mod round;
mod rows;

#[cfg(target_arch = "x86_64")]
mod avx2;

#[cfg(test)]
mod fused_tests;
#[cfg(test)]
mod linear_tests;
#[cfg(test)]
mod pack_tests;
#[cfg(test)]
mod rows_tests;
#[cfg(test)]
mod scalar;

pub use format::{Group, QUANT_LAYOUT, QuantFormat, QuantShape, QuantWeight};
pub use fused::{gate_up_swiglu, gate_up_swiglu_quantized, rms_norm_quantized};
pub use linear::{quant_linear, quant_linear_rows};
pub use pack::{Int4Values, dequantize, pack_int4, pack_q4_0, pack_q8_0, quantize};
pub use rows::QuantizedRows;
