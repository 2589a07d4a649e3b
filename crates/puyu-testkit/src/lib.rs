//! Helpers for the tests of Puyu. Never published, never a dependency of a library.
#![forbid(unsafe_code)]

mod closeness;
mod golden;
mod random;
mod scripted;
mod shared;
mod tokenizer;

pub use closeness::{Tolerance, assert_close};
pub use golden::{Golden, golden_json};
pub use random::{random_f32, random_normal, random_tokens};
pub use scripted::{BEGIN, END, Reply, ScriptedModel, VOCAB_SIZE};
pub use shared::shared;
pub use tempfile::TempDir;
pub use tokenizer::{FIRST_PIECE, tokenizer_json};
