//! Named places in the forward pass, for comparison layer by layer and for calibration.

use std::fmt;

use burn::tensor::Tensor;

/// A place in the forward pass. [`Display`](fmt::Display) gives its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tap {
    /// Embedded tokens.
    Embedding,
    /// Normalised input of a layer's attention.
    AttentionInput {
        /// Layer, from 0.
        layer: usize,
    },
    /// What attention adds to the residual stream.
    AttentionOutput {
        /// Layer, from 0.
        layer: usize,
    },
    /// Normalised input of a layer's feed-forward part.
    MlpInput {
        /// Layer, from 0.
        layer: usize,
    },
    /// What the feed-forward part adds to the residual stream.
    MlpOutput {
        /// Layer, from 0.
        layer: usize,
    },
    /// Residual stream after a layer.
    LayerOutput {
        /// Layer, from 0.
        layer: usize,
    },
    /// Residual stream after the final norm, what the head reads.
    FinalNorm,
}

impl fmt::Display for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedding => f.write_str("embedding"),
            Self::AttentionInput { layer } => write!(f, "layers.{layer}.attention.input"),
            Self::AttentionOutput { layer } => write!(f, "layers.{layer}.attention.output"),
            Self::MlpInput { layer } => write!(f, "layers.{layer}.mlp.input"),
            Self::MlpOutput { layer } => write!(f, "layers.{layer}.mlp.output"),
            Self::LayerOutput { layer } => write!(f, "layers.{layer}.output"),
            Self::FinalNorm => f.write_str("final_norm"),
        }
    }
}

/// Looks at tensors as they pass. Closures `FnMut(Tap, &Tensor<3>)` are observers.
pub trait Observer {
    /// Called at each [`Tap`] in the order of computation, with a `[B, T, D]` tensor.
    fn observe(&mut self, tap: Tap, x_btd: &Tensor<3>);
}

/// The observer that looks at nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn observe(&mut self, _tap: Tap, _x_btd: &Tensor<3>) {}
}

impl<F: FnMut(Tap, &Tensor<3>)> Observer for F {
    fn observe(&mut self, tap: Tap, x_btd: &Tensor<3>) {
        self(tap, x_btd);
    }
}
