//! The right of one worker to one shard, as files; see [`Job`](super::Job) for the rules.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cache::TokenCache;
use super::files::{damaged, read_bounded, to_json, with_suffix};
use super::job::JobShard;
use super::writer::CacheWriter;
use crate::atomic::{create_once, write_atomic};
use crate::error::DatasetError;

/// A claim has about 100 bytes and its owner's name.
const MAX_CLAIM_BYTES: u64 = 1 << 16;

/// Who asks for work, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// A name for people, for example the task number of an array job. Need not be unique.
    pub owner: String,
    /// The time, in seconds since 1970, by the caller's clock.
    pub now_s: u64,
    /// Claims at least this old, in seconds, belong to nobody any more.
    ///
    /// Longer than the slowest shard takes, or than the pause between two renewals.
    pub stale_after_s: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimFile {
    pub(super) owner: String,
    pub(super) at_s: u64,
    /// Given back by its owner, so anybody may take it over.
    #[serde(default)]
    released: bool,
}

impl ClaimFile {
    /// Whether anybody may take the shard over.
    pub(super) fn is_free(&self, now_s: u64, stale_after_s: u64) -> bool {
        self.released || now_s.saturating_sub(self.at_s) >= stale_after_s
    }
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Claimed {
    /// The shard is the caller's.
    Mine(Claim),
    /// The shard is finished.
    Done,
    /// Somebody else has it.
    Held {
        /// Who.
        owner: String,
        /// Since when, or renewed when, in seconds since 1970.
        at_s: u64,
    },
}

/// The right to tokenise one shard.
///
/// A claim that is dropped stays until it is old; [`release`](Self::release) gives it back at once.
#[derive(Debug)]
pub struct Claim {
    target: PathBuf,
    shard: JobShard,
    generation: u32,
    file: ClaimFile,
}

impl Claim {
    /// Writes the claim of a generation. `None` if somebody else was faster.
    pub(super) fn create(
        target: PathBuf,
        shard: &JobShard,
        generation: u32,
        worker: &Worker,
    ) -> Result<Option<Self>, DatasetError> {
        let file = ClaimFile { owner: worker.owner.clone(), at_s: worker.now_s, released: false };
        let path = claim_path(&target, generation);
        let created = create_once(&path, &to_json(&path, &file)?)?;
        Ok(created.then(|| Self { target, shard: shard.clone(), generation, file }))
    }

    /// The shard.
    pub fn shard(&self) -> &JobShard {
        &self.shard
    }

    /// Begins the shard's cache.
    ///
    /// # Errors
    ///
    /// Those of [`CacheWriter::create`].
    pub fn writer(&self, vocab_size: u64) -> Result<CacheWriter, DatasetError> {
        CacheWriter::create(&self.target, self.shard.identity, vocab_size)
    }

    /// Says that the work goes on, so that the claim does not grow old.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if another worker has taken the shard over, [`DatasetError::Io`].
    pub fn renew(&mut self, now_s: u64) -> Result<(), DatasetError> {
        if let Some((generation, claim)) = latest(&self.target)?
            && generation > self.generation
        {
            return Err(DatasetError::State {
                what: "the owner of the claim",
                expected: self.file.owner.clone(),
                found: format!("{}, who took the shard over", claim.owner),
            });
        }
        self.file.at_s = now_s;
        self.rewrite()
    }

    /// Gives the shard back unfinished.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn release(mut self) -> Result<(), DatasetError> {
        // Rewritten, not removed: generations without a gap are what makes `latest` cheap.
        self.file.released = true;
        self.rewrite()
    }

    /// Puts the finished cache into its place and removes the shard's claims.
    ///
    /// If another worker took the shard over and was faster, its cache stays.
    ///
    /// # Errors
    ///
    /// Those of [`CacheWriter::finish`].
    ///
    /// # Panics
    ///
    /// If the writer is not one of this claim's.
    pub fn commit(self, writer: CacheWriter) -> Result<TokenCache, DatasetError> {
        assert_eq!(writer.target(), self.target, "the writer belongs to another claim");
        let cache = writer.finish()?;
        self.remove_claims()?;
        Ok(cache)
    }

    fn rewrite(&self) -> Result<(), DatasetError> {
        let path = claim_path(&self.target, self.generation);
        write_atomic(&path, &[&to_json(&path, &self.file)?])
    }

    /// Removes all claims of a finished shard, the newest first, so that no gap arises.
    pub(super) fn remove_claims(&self) -> Result<(), DatasetError> {
        let mut last = self.generation;
        while claim_path(&self.target, last + 1).exists() {
            last += 1;
        }
        for generation in (0..=last).rev() {
            let path = claim_path(&self.target, generation);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(DatasetError::io("remove", &path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The newest claim of a shard.
pub(super) fn latest(target: &Path) -> Result<Option<(u32, ClaimFile)>, DatasetError> {
    let mut newest = None;
    for generation in 0.. {
        let path = claim_path(target, generation);
        let bytes = match read_bounded(&path, MAX_CLAIM_BYTES) {
            Ok(bytes) => bytes,
            Err(DatasetError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                break;
            }
            Err(error) => return Err(error),
        };
        let claim = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(&path, "claim", "the claim of a worker", error))?;
        newest = Some((generation, claim));
    }
    Ok(newest)
}

fn claim_path(target: &Path, generation: u32) -> PathBuf {
    with_suffix(target, &format!(".claim.{generation}"))
}
