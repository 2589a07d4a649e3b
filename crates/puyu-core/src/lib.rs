//! Contracts of Puyu: what its layers say to each other.
//!
//! This crate knows no tensors, no tokenizer and no async runtime. In reading order:
//!
//! - [`message`]: conversations with tool calls, in OpenAI's wire form, with InternLM's
//!   environment role
//! - [`options`]: what a user may ask of a generation
//! - [`sampler`]: the next token from one row of logits, reproducible whatever the batch
//! - [`language_model`]: the trait that engines implement and everybody else uses
//! - [`device`]: names of devices
//! - [`error`]: what can go wrong with all of these
//!
//! # Examples
//!
//! Asking any model, here a scripted one:
//!
//! ```
//! use puyu_core::{GenerateOptions, GenerateRequest, LanguageModel, Message, Prompt};
//! use puyu_testkit::ScriptedModel;
//!
//! fn ask(model: &dyn LanguageModel, question: &str) -> Result<String, puyu_core::ModelError> {
//!     let messages = [Message::system("你是浦语。"), Message::user(question)];
//!     let options = GenerateOptions::default().with_max_new_tokens(64).with_seed(7);
//!     let request = GenerateRequest::new(Prompt::chat(messages), options);
//!     Ok(model.complete(&request)?.text().to_owned())
//! }
//!
//! let model = ScriptedModel::new().answer("capital of China", "Beijing.");
//! assert_eq!(ask(&model, "What is the capital of China?")?, "Beijing.");
//! # Ok::<(), puyu_core::ModelError>(())
//! ```
//!
//! Drawing a token from logits:
//!
//! ```
//! use puyu_core::{GenerateOptions, History, Sampler};
//!
//! let mut sampler = Sampler::new(&GenerateOptions::greedy().with_logprobs(2))?;
//! let token = sampler.sample(&mut [1.0, 3.0, 2.0], History::default())?;
//! assert_eq!(token.id, 1);
//! assert_eq!(token.top[1].0, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod device;
pub mod error;
pub mod language_model;
pub mod message;
pub mod options;
pub mod sampler;

pub use device::DeviceSpec;
pub use error::{DeviceError, MessageError, ModelError, OptionsError, SampleError};
pub use language_model::{
    CancelToken, Capability, Completion, Continuation, Event, FinishReason, GenerateRequest,
    Generation, LanguageModel, Modality, ModelInfo, Prompt, Score, ScoreRequest, TokenLogprob,
    Usage,
};
pub use message::{
    ContentPart, FunctionCall, FunctionDefinition, ImageUrl, InputAudio, Message, Role, ToolCall,
    ToolDefinition, VideoUrl, validate_conversation,
};
pub use options::{Constraint, DryOptions, GenerateOptions};
pub use sampler::{History, SampledToken, Sampler};
