//! Options of streaming.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::container::ReadOptions;
use crate::error::DatasetError;

/// What happens to a row that cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// It is returned as an error and the stream ends. The default: nothing is lost unseen.
    #[default]
    Fail,
    /// It is counted in the report and left out.
    Skip,
    /// It is counted, left out and written to this file, one JSON object per line: `file`, `row`,
    /// `offset`, `kind`, `field`, `expected`, `found`, `raw` (or `raw_base64` where the row is not
    /// UTF-8; at most 64 KiB of it) and `raw_bytes`, the whole length.
    ///
    /// The lines go to the file's name with `.partial` added, as they come; at the end of the data
    /// it is renamed. So the file itself is always of a whole run, and what was found before an
    /// early end stays in the `.partial` file until a run from the start replaces it.
    Quarantine(PathBuf),
}

/// How the rows of many files become one stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamOptions {
    /// What happens to bad rows.
    pub policy: Policy,
    /// Threads that decode. As many again may read. The order of the rows does not depend on it.
    /// The default is what the machine has, at most 8: beyond that the disk is the limit.
    ///
    /// With 0 nothing is started: the caller's thread reads and decodes when rows are asked for.
    /// That takes the least processor time for a row, and is for a host that has threads of its own.
    pub threads: usize,
    /// Bytes of rows in flight, raw and decoded together, read-ahead included. 128 MiB: deep enough
    /// to hide a disk's latency, and with the program itself below 256 MiB.
    ///
    /// The files that are read at once share it, at most one for each 32 MiB. Rows above a third of
    /// a file's share are faults of kind `size`; see
    /// [`largest_row_bytes`](Self::largest_row_bytes).
    pub memory_limit_bytes: u64,
    /// How files are read.
    pub read: ReadOptions,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            policy: Policy::Fail,
            threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(8)),
            memory_limit_bytes: 128 << 20,
            read: ReadOptions::default(),
        }
    }
}

impl StreamOptions {
    /// The smallest memory limit, in bytes.
    pub const LEAST_MEMORY_BYTES: u64 = 1 << 20;
    /// The largest number of threads.
    pub const MOST_THREADS: usize = 256;

    /// These options with another policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// These options with another number of threads.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// These options with another memory limit.
    #[must_use]
    pub fn with_memory_limit_bytes(mut self, bytes: u64) -> Self {
        self.memory_limit_bytes = bytes;
        self
    }

    /// These options with other options of reading.
    #[must_use]
    pub fn with_read(mut self, read: ReadOptions) -> Self {
        self.read = read;
        self
    }

    /// The largest row that fits when `n_files` are streamed, in bytes.
    pub fn largest_row_bytes(&self, n_files: usize) -> usize {
        self.read_in_share(n_files).max_row_bytes
    }

    /// Checks that the values make sense.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] naming the first that does not.
    pub fn validate(&self) -> Result<(), DatasetError> {
        if self.threads > Self::MOST_THREADS {
            return Err(DatasetError::Option {
                option: "threads",
                expected: format!("at most {}", Self::MOST_THREADS),
                found: self.threads.to_string(),
            });
        }
        if self.memory_limit_bytes < Self::LEAST_MEMORY_BYTES {
            return Err(DatasetError::Option {
                option: "memory_limit_bytes",
                expected: format!("at least {}", Self::LEAST_MEMORY_BYTES),
                found: self.memory_limit_bytes.to_string(),
            });
        }
        self.read.validate()
    }

    /// How many files are read at once: no more than can each have a fair share of the memory.
    pub(super) fn n_lanes(&self, n_files: usize) -> usize {
        const FAIR_BYTES: u64 = 32 << 20;
        let by_memory = usize::try_from(self.memory_limit_bytes / FAIR_BYTES).unwrap_or(usize::MAX);
        self.threads.min(n_files).min(by_memory).max(1)
    }

    /// The bytes that one lane may hold.
    pub(super) fn share_bytes(&self, n_files: usize) -> u64 {
        self.memory_limit_bytes / self.n_lanes(n_files) as u64
    }

    /// The options of reading, cut down to the share of one lane: a row is held raw and decoded,
    /// with room for the rest of its chunk.
    pub(super) fn read_in_share(&self, n_files: usize) -> ReadOptions {
        let share = usize::try_from(self.share_bytes(n_files)).unwrap_or(usize::MAX);
        ReadOptions {
            chunk_bytes: self.read.chunk_bytes.min(share / 8).max(1),
            max_row_bytes: self.read.max_row_bytes.min(share / 3).max(1),
            ..self.read.clone()
        }
    }
}
