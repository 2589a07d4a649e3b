//! Inference: open a model folder, ask, stream, score.
//!
//! [`Pipeline`] joins a decoder of `puyu-model` with a tokenizer and a chat template of
//! `puyu-text`, and is a [`LanguageModel`](puyu_core::LanguageModel) for everything above it.
//!
//! [`Engine`] serves many requests at a time on token ids, one step after the other;
//! [`ModelRunner`] is a decoder below it.
//!
//! # Examples
//!
//! ```no_run
//! use puyu_deploy::Pipeline;
//!
//! let pipeline = Pipeline::open("internlm2-chat-1_8b")?;
//! let answer = pipeline.ask("用一句话介绍上海。")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A conversation keeps what it has computed between turns:
//!
//! ```no_run
//! # use puyu_deploy::Pipeline;
//! # let pipeline = Pipeline::open("internlm2-chat-1_8b")?;
//! let mut chat = pipeline.chat();
//! chat.ask("My name is Lan.")?;
//! let answer = chat.ask("What is my name?")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod answer;
mod chat;
pub mod engine;
mod error;
mod fingerprint;
mod generate;
mod language_model;
mod model_runner;
mod options;
mod pipeline;
mod prompt;
mod score;
mod stop;
#[cfg(test)]
mod tests;

pub use chat::Chat;
pub use engine::Engine;
pub use error::PipelineError;
pub use model_runner::{ModelRunner, RunnerOptions};
pub use options::PipelineOptions;
pub use pipeline::Pipeline;
pub use puyu_kernels::{KvType, Pool, PoolError, roof};
