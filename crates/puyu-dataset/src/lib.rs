//! WanJuan-style data, from raw files to packed tokens, exactly once. Knows no tensors.
//!
//! In reading order, which is the order of the work:
//!
//! - [`container`]: files of rows (JSON lines, Parquet, Arrow, tar, also compressed), read and written
//! - [`record`]: typed forms of rows: WanJuan's, conversations, interleaved pictures and text, your own
//! - [`stream`]: many files as one typed stream in bounded memory; what happens to bad rows
//! - [`manifest`]: what is in a set of files, and rows by number
//! - [`order`] and [`mix`]: which row comes when, as a pure function; resumable on any number of ranks
//! - [`clean`] and [`dedup`]: from web pages to documents worth learning from
//! - [`tokens`] and [`pack`]: memory-mapped token caches, rows of fixed length
//! - [`media`]: pictures, decoded within limits and made ready for a vision tower; behind the features
//!   `video` and `audio` film and sound
//! - [`report`]: tables and SVG plots
//! - `storage` (feature `object-store`): buckets and web roots; `sql` (feature `datafusion`): queries
//! - [`error`], [`fault`], [`row`]: what can go wrong, and the contracts between the others
#![deny(unsafe_code)]

mod atomic;
pub mod clean;
pub mod container;
pub mod dedup;
pub mod error;
pub mod fault;
pub mod manifest;
mod mapped;
pub mod media;
pub mod mix;
pub mod order;
pub mod pack;
mod prehashed;
pub mod record;
pub mod report;
pub mod row;
mod script;
#[cfg(feature = "datafusion")]
pub mod sql;
#[cfg(feature = "object-store")]
pub mod storage;
pub mod stream;
pub mod tokens;

pub use error::DatasetError;
pub use fault::{BadRow, Fault, FaultKind, Location};
pub use row::{Chunk, Fingerprint, LineSpan, Member, RawRow, Record, RowSource, Rows, Sample};
