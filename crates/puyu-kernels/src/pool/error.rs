//! What can go wrong when a pool is made.

use std::io;

use super::MAX_THREADS;

/// Why a [`Pool`](crate::Pool) could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// More threads than any machine has use for.
    #[error("a pool of {found} threads was asked for, at most {MAX_THREADS} are possible")]
    TooManyThreads {
        /// Threads asked for.
        found: usize,
    },

    /// The system refused a thread. Those before it have ended.
    #[error("thread {index} of a pool of {n_threads} could not be started")]
    Spawn {
        /// Number of the thread; the caller's is 0.
        index: usize,
        /// Threads asked for.
        n_threads: usize,
        /// What the system says.
        source: io::Error,
    },
}
