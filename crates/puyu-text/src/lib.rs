//! Tokens and chat of the InternLM family: text to token ids and back, one type for both kinds of
//! tokenizer file, streaming decode that never splits a character, and the chat templates.
//!
//! Knows no tensors and no models. Reads no environment variable and no clock.
//!
//! # Special tokens and the text of strangers
//!
//! A chat is held together by special tokens such as `<|im_end|>`. Somebody who can make the
//! tokenizer turn *their* text into such a token can forge a turn of the conversation. Therefore:
//!
//! - [`Tokenizer::encode`] leaves special tokens in the text as text,
//!   [`Tokenizer::encode_with_special`] reads them, and [`Tokenizer::encode_as_text`] promises that
//!   none comes out, whatever goes in.
//! - [`ChatTemplate::render_ids`] reads special tokens in the text of the template only, never in
//!   the text of messages, unless [`SpecialText::Parse`] asks for it.
//!
//! # Examples
//!
//! ```
//! use puyu_core::Message;
//! use puyu_text::{ChatOptions, ChatTemplate, SystemText};
//!
//! let options = ChatOptions::default().with_system(SystemText::Absent);
//! let prompt = ChatTemplate::InternLm2.render(&[Message::user("你好")], &options)?;
//! assert_eq!(prompt, "<|im_start|>user\n你好<|im_end|>\n<|im_start|>assistant\n");
//! # Ok::<(), puyu_text::ChatError>(())
//! ```
#![forbid(unsafe_code)]

pub mod chat;
mod tokenizer;

mod added;
mod decode;
mod error;
mod hugging_face;
mod read;
mod sentencepiece;
mod trie;

#[cfg(test)]
mod testing;

pub use chat::{
    AssistantOutput, CalendarTime, ChatOptions, ChatTemplate, Ending, JinjaTemplate, SpecialText,
    SystemText, parse_assistant,
};
pub use decode::DecodeStream;
pub use error::{ChatError, TextError};
pub use tokenizer::{SpecialToken, SpecialTokens, Tokenizer};
