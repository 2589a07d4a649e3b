//! Typed forms of rows: WanJuan, interleaved pictures and text, fine-tuning, plain text.
//!
//! Every type here is a [`Record`](crate::Record) and reads JSON lines, Arrow rows and tar samples
//! alike; it is written back by `serde` in the form it was read from. What does not fit is one
//! [`Fault`](crate::Fault) with kind, field, expected and found.
//!
//! - [`wanjuan`]: [`Document`], [`ImageText`], [`CcDocument`], [`Exam`], [`VideoDescription`]
//! - [`interleaved`]: [`Interleaved`] samples, from WanJuan, MMC4, OBELICS, MinerU and LLaVA
//! - [`sft`]: [`Conversation`] and [`PreferencePair`], from Alpaca, ShareGPT, OpenAI messages,
//!   MOSS and XTuner
//! - [`plain`]: [`PlainText`], [`Captioned`], [`ImageCaptions`]
//! - [`mapping`]: rows of any layout, mapped by configuration
//! - [`kinds`]: the forms by name, [`detect_form`], [`AnyRecord`]
//! - [`engine`]: how rows become types and faults

pub mod engine;
pub mod interleaved;
pub mod kinds;
pub mod mapping;
pub mod plain;
pub mod sft;
pub mod wanjuan;

use engine::describe;
pub use engine::{Field, JsonForm, Presence, Shape, row_value};
pub use interleaved::{
    ContentBlock, ContentList, Image, Interleaved, Mmc4, Mmc4Image, Obelics, Part, PictureReport,
};
pub use kinds::{AnyRecord, Form, UnknownForm, detect_form};
pub use mapping::{MappedRecord, Mapping};
pub use plain::{Captioned, ImageCaptions, PlainText};
pub use sft::{
    Alpaca, ChatMessage, Conversation, Messages, Moss, MossTurn, Note, Preference, PreferencePair,
    RewardPrompt, RowId, ShareGpt, ShareTurn, XTuner, XTunerTurn,
};
pub use wanjuan::{
    CcDocument, Document, Exam, ImageText, ToBatch, VideoCaption, VideoDescription, WanJuanImage,
};

#[cfg(test)]
mod tests;
