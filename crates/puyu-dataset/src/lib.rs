//! WanJuan-style data, from raw files to packed tokens.
#![deny(unsafe_code)]

pub mod container;
pub mod clean;
pub mod dedup;
pub mod error;
pub mod fault;
pub mod manifest;
mod mapped;
pub mod mix;
pub mod order;
pub mod report;
pub mod record;
pub mod row;
pub mod stream;
pub mod pack;
pub mod tokens;

pub use error::DatasetError;
pub use fault::{BadRow, Fault, FaultKind, Location};
pub use row::{Chunk, Fingerprint, LineSpan, Member, RawRow, Record, RowSource, Rows, Sample};
