//! What can go wrong around the mini-world's tokenizer.

use std::path::PathBuf;

/// What can go wrong while making or writing the tokenizer of the mini-world.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The vocabulary cannot hold the pieces that every text needs.
    #[error(
        "the vocabulary needs at least {needed} pieces for bytes, characters and special tokens, \
         found {found}"
    )]
    VocabularyTooSmall {
        /// Pieces without any merge.
        needed: usize,
        /// Pieces asked for.
        found: usize,
    },

    /// The tokenizer library refused the vocabulary.
    #[error("the trained vocabulary is not a valid tokenizer")]
    Tokenizer(#[source] tokenizers::Error),

    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}
