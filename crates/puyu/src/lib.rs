//! Puyu (浦语): the InternLM chain in Rust.
//!
//! | Layer | Feature | What for |
//! |---|---|---|
//! | [`core`] | always | messages, options, the `LanguageModel` trait, sampling |
//! | [`text`] | always | tokenizers, streaming decode, chat templates |
//! | `dataset` | `dataset` | data: read, order, mix, clean, deduplicate, tokenise, pack |
//! | `model` | `model` | InternLM 1, 2, 2.5, 3 and Llama as one Burn decoder |
//! | `deploy` | `deploy` (default) | open a folder, ask, stream, score |
//!
//! Devices are features too: `cpu` (default), `cuda`, `wgpu`. Training needs `autodiff`.
//!
//! # Examples
//!
//! Ask the small model of the repository:
//!
//! ```
//! # #[cfg(all(feature = "deploy", feature = "cpu"))] {
//! # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/assets/puyu-mini");
//! use puyu::prelude::*;
//! let pipeline = Pipeline::open(folder)?;
//! println!("{}", pipeline.ask("What is the capital of France?")?);
//! # assert_eq!(pipeline.ask("What is the capital of France?")?, "The capital of France is Paris.");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Puyu is independent of Shanghai AI Laboratory, which made InternLM.
#![forbid(unsafe_code)]

/// Contracts: messages, options, events, the trait of language models, sampling.
pub mod core {
    pub use puyu_core::*;
}

/// Tokenizers and chat templates.
pub mod text {
    pub use puyu_text::*;
}

/// Data: from raw files to packed tokens.
#[cfg(feature = "dataset")]
pub mod dataset {
    pub use puyu_dataset::*;
}

/// InternLM as Burn modules.
#[cfg(feature = "model")]
pub mod model {
    pub use puyu_model::*;
}

/// Inference.
#[cfg(feature = "deploy")]
pub mod deploy {
    pub use puyu_deploy::*;
}

/// What most programs use.
pub mod prelude {
    pub use puyu_core::{
        DeviceSpec, Event, GenerateOptions, GenerateRequest, LanguageModel, Message, Prompt,
    };
    pub use puyu_text::{ChatTemplate, Tokenizer};

    #[cfg(feature = "deploy")]
    pub use puyu_deploy::{Pipeline, PipelineOptions};
    #[cfg(feature = "model")]
    pub use puyu_model::{Checkpoint, Decoder, KvCache, SequencePlan};
}
