//! WanJuan-style data, from raw files to packed tokens.
#![deny(unsafe_code)]

pub mod error;
pub mod fault;
mod mapped;
pub mod record;
pub mod row;

pub use error::DatasetError;
pub use fault::{BadRow, Fault, FaultKind, Location};
pub use row::{Chunk, Fingerprint, LineSpan, Member, RawRow, Record, RowSource, Rows, Sample};
