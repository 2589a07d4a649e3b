//! What can go wrong before there is a cache.

/// Why a key/value cache cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KvError {
    /// An axis of the layout is zero or not a multiple of what the kernels read at once.
    #[error("{axis} must be a positive multiple of {multiple}, found {found}")]
    Axis {
        /// The field of the layout.
        axis: &'static str,
        /// What it must be a multiple of.
        multiple: usize,
        /// What it was.
        found: usize,
    },

    /// The bytes of the cache cannot be counted in a `usize`.
    #[error("{n_blocks} blocks of this layout have more bytes than this machine can address")]
    TooLarge {
        /// Blocks asked for.
        n_blocks: usize,
    },

    /// The system did not give the memory.
    #[error("the system refused {bytes} bytes for {n_blocks} blocks of keys and values")]
    Allocation {
        /// Bytes asked for.
        bytes: usize,
        /// Blocks asked for.
        n_blocks: usize,
    },
}
