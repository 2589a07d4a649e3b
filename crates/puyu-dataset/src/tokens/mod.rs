//! Token ids on disk: our own cache, and the layouts of InternEvo and Megatron.
//!
//! A shard of text is tokenised once, by [`tokenize`], into a [`TokenCache`]: a folder that is
//! memory-mapped and named after everything that decides its content. Many machines share the work
//! through a [`Job`], which needs nothing but a folder they all see. [`InternEvoReader`] and
//! [`MegatronReader`] read the token files of others, and their writers write them.

mod cache;
mod claim;
mod files;
mod header;
mod internevo;
mod job;
mod mask;
mod megatron;
mod npy;
mod tokenize;
mod words;
mod writer;

#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod tests;

pub use cache::TokenCache;
pub use claim::{Claim, Claimed, Worker};
pub use header::{CacheHeader, CacheIdentity, TokenWidth};
pub use internevo::{InternEvoReader, InternEvoWriter};
pub use job::{Job, JobShard, JobStatus};
pub use mask::Document;
pub use megatron::{MegatronReader, MegatronWriter};
pub use tokenize::{
    SpecialInText, TokenizeOptions, TokenizeReport, tokenize, tokenizer_fingerprint,
};
pub use writer::CacheWriter;

pub(crate) use files::damaged;
pub(crate) use words::{Words, le_bytes};
