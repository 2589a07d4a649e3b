//! Rotary positions: base frequency and how it stretches beyond the trained length.

use std::f64::consts::TAU;

use super::{check, expected};
use crate::error::ConfigError;

/// How rotation frequencies are stretched to reach further than the model was trained.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum RopeScaling {
    /// Frequencies as trained.
    None,
    /// Positions divided by `factor`.
    Linear {
        /// How many times longer than trained.
        factor: f64,
    },
    /// The base grows with the sequence once it is longer than the trained length.
    DynamicNtk {
        /// Slope of the growth; InternLM 1 uses 1, InternLM2.5 uses 2.
        factor: f64,
    },
    /// Low frequencies are divided, high ones kept, those between blended (Llama 3.1).
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original_max_position_embeddings / low_freq_factor` are divided.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_position_embeddings / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Length, in tokens, of the first training.
        original_max_position_embeddings: f64,
    },
    /// YaRN: a ramp between divided and kept frequencies, and warmer attention.
    Yarn {
        /// How many times longer than trained.
        factor: f64,
        /// Length, in tokens, of the first training.
        original_max_position_embeddings: f64,
        /// Multiplier of cosine and sine; `0.1 ln(factor) + 1` where the file has none.
        attention_factor: f64,
        /// Rotations above which a frequency is kept.
        beta_fast: f64,
        /// Rotations below which a frequency is fully divided.
        beta_slow: f64,
    },
}

/// When the base of [`RopeScaling::DynamicNtk`] is chosen. Programs differ, so it is an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NtkRule {
    /// Each step uses the base of the length reached; cached keys keep the base of their own step.
    /// What Hugging Face code does for InternLM2, InternLM3 and Llama.
    PerStep,
    /// All cached keys are rotated anew with the base of the length reached, which equals a full
    /// recomputation. What the published code of InternLM 1 does.
    RotateAllKeys,
    /// The base of the prompt's length serves the whole request. What TurboMind does.
    FixedAtPrompt,
}

impl NtkRule {
    /// The length that decides the base for tokens up to `reached` of a sequence that was started
    /// with `prompt_tokens`.
    pub(crate) fn length(self, prompt_tokens: usize, reached: usize) -> usize {
        match self {
            Self::FixedAtPrompt => prompt_tokens,
            // A prompt that comes in pieces already knows its end.
            Self::PerStep | Self::RotateAllKeys => reached.max(prompt_tokens),
        }
    }
}

/// Rotary position embedding of one model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RopeConfig {
    /// Base of the geometric series of frequencies.
    pub theta: f64,
    /// Width of one head.
    pub head_dim: usize,
    /// Trained length, in tokens, beyond which [`RopeScaling::DynamicNtk`] acts.
    pub max_position_embeddings: usize,
    /// How frequencies are stretched.
    pub scaling: RopeScaling,
}

impl RopeConfig {
    /// Angle per position of each pair of components, in radians, for a sequence of
    /// `sequence_tokens` tokens. Computed in `f64`.
    ///
    /// # Source
    ///
    /// `modeling_rope_utils.py` of Transformers and `modeling_internlm2.py` of
    /// `internlm/internlm2_5-7b`.
    pub fn frequencies(&self, sequence_tokens: usize) -> Vec<f64> {
        match self.scaling {
            RopeScaling::None => self.series(self.theta),
            RopeScaling::Linear { factor } => {
                self.series(self.theta).into_iter().map(|frequency| frequency / factor).collect()
            }
            RopeScaling::DynamicNtk { factor } => {
                self.series(self.ntk_base(factor, sequence_tokens))
            }
            RopeScaling::Llama3 { .. } => self.llama3(),
            RopeScaling::Yarn { .. } => self.yarn(),
        }
    }

    /// What cosine and sine are multiplied by: 1 unless the scaling says otherwise.
    pub fn attention_factor(&self) -> f64 {
        match self.scaling {
            RopeScaling::Yarn { attention_factor, .. } => attention_factor,
            _ => 1.0,
        }
    }

    /// Whether the frequencies depend on the length of the sequence.
    pub fn is_dynamic(&self) -> bool {
        matches!(self.scaling, RopeScaling::DynamicNtk { .. })
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        check("rope_theta", self.theta > 1.0 && self.theta.is_finite(), || {
            expected("a finite number above 1", self.theta)
        })?;
        let factor = match self.scaling {
            RopeScaling::None => 1.0,
            RopeScaling::Linear { factor }
            | RopeScaling::DynamicNtk { factor }
            | RopeScaling::Llama3 { factor, .. }
            | RopeScaling::Yarn { factor, .. } => factor,
        };
        check("rope_scaling.factor", factor >= 1.0 && factor.is_finite(), || {
            expected("a finite number of at least 1", factor)
        })?;
        match self.scaling {
            RopeScaling::Llama3 {
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
                ..
            } => {
                check("rope_scaling.low_freq_factor", low_freq_factor > 0.0, || {
                    expected("a number above 0", low_freq_factor)
                })?;
                check("rope_scaling.high_freq_factor", high_freq_factor > low_freq_factor, || {
                    expected(
                        format!("a number above low_freq_factor {low_freq_factor}"),
                        high_freq_factor,
                    )
                })?;
                check_original_length(original_max_position_embeddings)
            }
            RopeScaling::Yarn {
                original_max_position_embeddings,
                attention_factor,
                beta_fast,
                beta_slow,
                ..
            } => {
                check("rope_scaling.attention_factor", attention_factor > 0.0, || {
                    expected("a number above 0", attention_factor)
                })?;
                check("rope_scaling.beta_fast", beta_slow > 0.0 && beta_fast >= beta_slow, || {
                    expected(
                        format!("a number of at least beta_slow {beta_slow}, above 0"),
                        beta_fast,
                    )
                })?;
                check_original_length(original_max_position_embeddings)
            }
            _ => Ok(()),
        }
    }

    /// `base^(-2i/d)` for each pair `i`.
    fn series(&self, base: f64) -> Vec<f64> {
        let d = self.head_dim as f64;
        (0..self.head_dim / 2).map(|i| base.powf(-2.0 * i as f64 / d)).collect()
    }

    fn ntk_base(&self, factor: f64, sequence_tokens: usize) -> f64 {
        if sequence_tokens <= self.max_position_embeddings {
            return self.theta;
        }
        let stretch = sequence_tokens as f64 / self.max_position_embeddings as f64;
        let d = self.head_dim as f64;
        // With a head of two components the exponent has no finite value; such heads do not exist.
        self.theta * (factor * stretch - (factor - 1.0)).powf(d / (d - 2.0).max(1.0))
    }

    fn llama3(&self) -> Vec<f64> {
        let RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_position_embeddings: original,
        } = self.scaling
        else {
            return self.series(self.theta);
        };
        let blend = |frequency: f64| {
            let wavelength = TAU / frequency;
            if wavelength < original / high_freq_factor {
                return frequency;
            }
            if wavelength > original / low_freq_factor {
                return frequency / factor;
            }
            let smooth =
                (original / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor);
            (1.0 - smooth) * frequency / factor + smooth * frequency
        };
        self.series(self.theta).into_iter().map(blend).collect()
    }

    fn yarn(&self) -> Vec<f64> {
        let RopeScaling::Yarn {
            factor,
            original_max_position_embeddings: original,
            beta_fast,
            beta_slow,
            ..
        } = self.scaling
        else {
            return self.series(self.theta);
        };
        let d = self.head_dim as f64;
        // The pair whose wavelength makes `rotations` turns over the first training length.
        let pair_of =
            |rotations: f64| d * (original / (rotations * TAU)).ln() / (2.0 * self.theta.ln());
        let low = pair_of(beta_fast).floor().max(0.0);
        let high = pair_of(beta_slow).ceil().min(d - 1.0);
        // The original widens an empty ramp by the same amount so that it does not divide by zero.
        let width = if high == low { 0.001 } else { high - low };
        let blend = |(i, frequency): (usize, f64)| {
            let divided = ((i as f64 - low) / width).clamp(0.0, 1.0);
            divided * frequency / factor + (1.0 - divided) * frequency
        };
        self.series(self.theta).into_iter().enumerate().map(blend).collect()
    }
}

fn check_original_length(original: f64) -> Result<(), ConfigError> {
    check("rope_scaling.original_max_position_embeddings", original >= 1.0, || {
        expected("a number of at least 1", original)
    })
}
