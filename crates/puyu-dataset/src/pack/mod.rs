//! Packing documents of many lengths into rows of one length.
//!
//! A [`PackPlan`] says which tokens go into which row. It is made from the lengths of documents
//! alone, stored as a file, and never copies a token. A [`TokenDataset`] reads the rows of a plan
//! as [`PackedSample`]s. As a row is read whole or not at all, an order over rows, a mixture of
//! them and a resumed run are exact down to the token.
//!
//! Where rows come from:
//!
//! | method | a row holds | documents are cut | padding |
//! |---|---|---|---|
//! | `none` | one document | if longer than a row | much |
//! | `concat` | the next tokens of the stream | at each row's end | in the last row only |
//! | `best-fit` | documents that fill it well | if longer than a row | little |

mod best_fit;
mod build;
mod dataset;
mod file;
mod options;
mod plan;
mod report;
mod sample;

#[cfg(test)]
mod dataset_tests;
#[cfg(test)]
mod tests;

pub use dataset::TokenDataset;
pub use options::{LongDocuments, PackMethod, PackOptions};
pub use plan::{PackPlan, Piece};
pub use report::PackReport;
pub use sample::{IGNORED_LABEL, PackedSample};
