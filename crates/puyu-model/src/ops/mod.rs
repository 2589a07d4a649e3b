//! The operations that Burn runs too slowly as they come, each behind one seam.
//!
//! An operation is a folder: `mod.rs` holds the backend trait with its default body in plain Burn
//! operations (the reference, which runs everywhere and gives gradients), and the function on
//! [`Tensor`](burn::tensor::Tensor) that the model calls; `flex.rs` holds the CPU body on the kernels of `puyu-kernels`;
//! `tests.rs` compares them all. GPU backends take the default body where nothing faster exists.
//!
//! To add an operation, copy the smallest folder, [`swiglu`].

#[cfg(feature = "cpu")]
mod flex;
mod linear;
mod quant_linear;
mod rms_norm;
mod rope;
mod swiglu;
#[cfg(test)]
mod testing;

pub use linear::{LinearOp, linear};
pub use quant_linear::{QuantLinearOp, quant_linear};
pub use rms_norm::{RmsNormOp, rms_norm};
pub use rope::{RopeOp, rotate_halves};
pub use swiglu::{SwigluOp, swiglu};
