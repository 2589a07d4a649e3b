//! InternLM 1, 2, 2.5, 3 and Llama as one Burn decoder.
//!
//! | Step | Item |
//! |---|---|
//! | describe a model | [`DecoderConfig`], [`Preset`] |
//! | open a Hugging Face folder | [`Checkpoint`], [`LoadOptions`] |
//! | compute | [`Decoder`], [`KvCache`], [`SequencePlan`] |
//! | compute many sequences at once | [`Decoder::hidden_paged`], [`PagedCache`], [`PagedSegment`] |
//! | look inside | [`Tap`], [`Observer`] |
//! | write it back | [`Decoder::save`], [`SaveOptions`] |
//!
//! The crate knows tensors and token ids, no text: `puyu-deploy` joins it with a tokenizer.
//!
//! # Examples
//!
//! Write a small model, read it back, and ask for the next token:
//!
//! ```
//! # #[cfg(feature = "cpu")] {
//! use burn::tensor::Device;
//! use puyu_model::{Checkpoint, Decoder, KvCache, LoadOptions, Preset, SaveOptions, SequencePlan};
//!
//! let device = Device::flex();
//! let folder = tempfile::tempdir()?;
//! Decoder::init(&Preset::Tiny.config(), 7, &device)?.save(&folder, &SaveOptions::default())?;
//!
//! let model = Checkpoint::open(&folder)?.load(&LoadOptions::default(), &device)?;
//! let mut cache = KvCache::new(model.config(), SequencePlan::unpadded(vec![3]), 64);
//! let logits = model.forward_last(&[vec![1, 5, 9]], &mut cache)?;
//! let next = logits.argmax(1);
//! assert_eq!(next.dims(), [1, 1]);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! `cpu` (default), `cuda`, `wgpu` add devices; `autodiff` adds gradients. None changes a type.
#![deny(unsafe_code)]

mod checkpoint;
mod config;
mod decoder;
mod device;
mod error;
mod kv_cache;
pub mod ops;
mod paged;
mod rng;
mod tap;

pub use checkpoint::{
    Checkpoint, ComputeDtype, LoadOptions, SaveOptions, WeightDtype, write_random,
};
pub use config::{
    DecoderConfig, Family, GenerationConfig, Head, HfConfig, HfQuantization, NtkRule, Preset,
    RopeConfig, RopeScaling,
};
pub use decoder::{
    Decoder, DecoderLayer, Linear, LinearWeight, Mlp, QkvProjection, QuantizedWeight, RmsNorm,
    SelfAttention, SeparateQkv, read, select_rows,
};
pub use device::open_device;
pub use error::{CheckpointError, ConfigError, DeviceError, ForwardError};
pub use kv_cache::{KvCache, SequencePlan};
pub use paged::{PagedCache, PagedSegment};
pub use puyu_kernels::{KvError, KvType};
pub use tap::{Observer, Tap, Unobserved};
