//! Duplicates within a corpus and benchmark items inside it: found, never silently removed.
//!
//! | Module | Unit | Finds |
//! |---|---|---|
//! | [`exact`] | document | equal text, or text equal up to case, blanks and punctuation |
//! | [`minhash`] | document | documents that share most of their shingles |
//! | [`lines`] | line | lines that an earlier document (or place) has |
//! | [`substring`] | span | spans of n characters that an earlier place has, wherever they begin |
//! | [`decontaminate`] | span | benchmark items inside training text |
//!
//! Every result is a pure function of the documents, their order and the options. Memory limits
//! and threads change speed only: what does not fit is sorted on disk ([`spill`]) and clusters are
//! joined by [`union_find`], whose representative is always the first document. Another order of
//! the documents gives the same clusters with other representatives.

pub mod decontaminate;
pub mod exact;
mod files;
pub mod fold;
pub mod lines;
pub mod minhash;
pub mod repeat;
pub mod report;
pub mod spill;
pub mod substring;
pub mod union_find;

#[cfg(test)]
mod tests;

pub use decontaminate::{Contamination, DecontaminateOptions, Decontaminator, Overlap};
pub use exact::{Duplicate, Duplicates, ExactDedup, ExactOptions, Normalization};
pub use lines::{LineDedup, LineOptions};
pub use minhash::{MinHashOptions, Shingle, Verification, dedup_documents};
pub use repeat::{DocumentRepeats, Repeat};
pub use report::{Clusters, DedupReport};
pub use spill::{Sorted, Sorter};
pub use substring::{SubstringDedup, SubstringOptions};
pub use union_find::UnionFind;

use crate::error::DatasetError;

/// The memory that sorting may take where an option does not say otherwise, in bytes.
///
/// 256 MiB hold 16 million band entries, so a run is long enough that a merge of a terabyte of
/// text needs one pass.
pub const DEFAULT_MEMORY_BYTES: u64 = 256 << 20;

/// An error about an option.
fn option_error(option: &'static str, expected: &str, found: impl ToString) -> DatasetError {
    DatasetError::Option { option, expected: expected.into(), found: found.to_string() }
}
