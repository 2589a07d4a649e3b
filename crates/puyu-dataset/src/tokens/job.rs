//! Tokenising on many machines that share nothing but a folder.
//!
//! The folder holds `job.json`, the list of shards, and for each shard either nothing, its claims,
//! or its finished cache. A claim is the file `<key>.claim.<generation>`, created at once with its
//! content, which the file system grants to exactly one worker. A claim that grew old is not
//! removed: whoever creates the next generation has taken the shard over, and again the file system
//! grants that to one worker only. So no lock, no server and no clock of the library is needed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cache::TokenCache;
use super::claim::{Claim, Claimed, Worker, latest};
use super::files::{damaged, read_bounded, to_json};
use super::header::CacheIdentity;
use super::writer::part_prefix;
use crate::atomic::create_once;
use crate::error::DatasetError;
use crate::row::Fingerprint;

const JOB_FILE: &str = "job.json";
/// A million shards with long paths.
const MAX_JOB_BYTES: u64 = 1 << 28;

/// One shard of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobShard {
    /// Where the text is: a path or an address that every worker understands.
    pub source: String,
    /// What the shard's cache will be made from; its key is the cache's name.
    pub identity: CacheIdentity,
}

impl JobShard {
    /// The name of the shard's cache inside the job's folder.
    pub fn key(&self) -> Fingerprint {
        self.identity.key()
    }
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct JobFile {
    version: u32,
    shards: Vec<JobShard>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct JobStatus {
    /// Finished shards.
    pub done: usize,
    /// Shards somebody works on.
    pub claimed: usize,
    /// Shards nobody works on, those with an old claim among them.
    pub open: usize,
}

impl std::fmt::Display for JobStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} done, {} claimed, {} open", self.done, self.claimed, self.open)
    }
}

/// A list of shards to tokenise, in a folder that all workers see.
///
/// Any number of processes may run the same loop on the same folder.
///
/// # Examples
///
/// ```
/// use puyu_dataset::Fingerprint;
/// use puyu_dataset::tokens::{CacheIdentity, Job, JobShard, Worker};
///
/// let of = |text: &str| Fingerprint(*blake3::hash(text.as_bytes()).as_bytes());
/// let shards = ["诗.jsonl", "poems.jsonl"].map(|source| JobShard {
///     source: source.to_owned(),
///     identity: CacheIdentity { source: of(source), tokenizer: of("t"), options: of("o") },
/// });
/// let folder = tempfile::tempdir()?;
/// let job = Job::create(folder.path(), shards.to_vec())?;
///
/// let worker = Worker { owner: "task 7".to_owned(), now_s: 1_700_000_000, stale_after_s: 3600 };
/// while let Some(claim) = job.claim_next(&worker)? {
///     let mut writer = claim.writer(92_544)?;
///     writer.push(&[1, 2])?;
///     claim.commit(writer)?;
/// }
/// assert_eq!(job.status(1_700_000_060, 3600)?.to_string(), "2 done, 0 claimed, 0 open");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Job {
    folder: PathBuf,
    shards: Vec<JobShard>,
}

impl Job {
    /// Writes the list of shards into a folder, which must exist, or finds the same list there.
    ///
    /// # Errors
    ///
    /// [`DatasetError::State`] if the folder holds another job, [`DatasetError::Io`].
    pub fn create(folder: impl Into<PathBuf>, shards: Vec<JobShard>) -> Result<Self, DatasetError> {
        let folder = folder.into();
        let path = folder.join(JOB_FILE);
        let file = JobFile { version: 1, shards };
        let text = to_json(&path, &file)?;
        if !create_once(&path, &text)? {
            let found = read_job(&path)?;
            if found != file {
                return Err(DatasetError::State {
                    what: "the shards of the job",
                    expected: format!("{} shards of this run", file.shards.len()),
                    found: format!("{} shards, not all the same", found.shards.len()),
                });
            }
        }
        Ok(Self { folder, shards: file.shards })
    }

    /// Opens the job of a folder.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if there is none, [`DatasetError::Damaged`].
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, DatasetError> {
        let folder = folder.into();
        let shards = read_job(&folder.join(JOB_FILE))?.shards;
        Ok(Self { folder, shards })
    }

    /// The shards, in the order of the data.
    pub fn shards(&self) -> &[JobShard] {
        &self.shards
    }

    /// Asks for one shard.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`], [`DatasetError::Damaged`] for a claim that cannot be read.
    ///
    /// # Panics
    ///
    /// If `shard` is not below the number of [`shards`](Self::shards).
    pub fn claim(&self, shard: usize, worker: &Worker) -> Result<Claimed, DatasetError> {
        let shard = &self.shards[shard];
        let target = self.target(shard);
        if target.is_dir() {
            return Ok(Claimed::Done);
        }
        let generation = match latest(&target)? {
            None => 0,
            Some((generation, claim)) if claim.is_free(worker.now_s, worker.stale_after_s) => {
                generation + 1
            }
            Some((_, claim)) => return Ok(Claimed::Held { owner: claim.owner, at_s: claim.at_s }),
        };
        let Some(claim) = Claim::create(target.clone(), shard, generation, worker)? else {
            let (owner, at_s) = match latest(&target)? {
                Some((_, claim)) => (claim.owner, claim.at_s),
                None => return Ok(Claimed::Done),
            };
            return Ok(Claimed::Held { owner, at_s });
        };
        if target.is_dir() {
            // Finished between the first look and the claim, its claims already removed.
            claim.remove_claims()?;
            return Ok(Claimed::Done);
        }
        Ok(Claimed::Mine(claim))
    }

    /// Asks for any shard that nobody has. `None` if there is none at the moment.
    ///
    /// Workers begin at places that depend on their names, so that they seldom ask for the same.
    ///
    /// # Errors
    ///
    /// Those of [`claim`](Self::claim).
    pub fn claim_next(&self, worker: &Worker) -> Result<Option<Claim>, DatasetError> {
        let n = self.shards.len();
        let hash = blake3::hash(worker.owner.as_bytes());
        let start = hash.as_bytes()[..7].iter().fold(0, |sum, &b| (sum << 8) | usize::from(b));
        for step in 0..n {
            if let Claimed::Mine(claim) = self.claim((start % n + step) % n, worker)? {
                return Ok(Some(claim));
            }
        }
        Ok(None)
    }

    /// Counts finished, claimed and open shards.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`], [`DatasetError::Damaged`] for a claim that cannot be read.
    pub fn status(&self, now_s: u64, stale_after_s: u64) -> Result<JobStatus, DatasetError> {
        let mut status = JobStatus::default();
        for shard in &self.shards {
            let target = self.target(shard);
            if target.is_dir() {
                status.done += 1;
            } else if latest(&target)?.is_some_and(|(_, c)| !c.is_free(now_s, stale_after_s)) {
                status.claimed += 1;
            } else {
                status.open += 1;
            }
        }
        Ok(status)
    }

    /// Opens the caches of all shards, in the order of the data.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] for a shard that is not finished, [`DatasetError::Damaged`].
    pub fn caches(&self) -> Result<Vec<TokenCache>, DatasetError> {
        self.shards.iter().map(|shard| TokenCache::open(self.target(shard))).collect()
    }

    /// Removes what crashed workers left of shards that are finished. Returns how many folders.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn sweep(&self) -> Result<usize, DatasetError> {
        // Cut at the dash: what follows it is random.
        let finished: std::collections::HashSet<String> = self
            .shards
            .iter()
            .map(|shard| self.target(shard))
            .filter(|target| target.is_dir())
            .map(|target| part_prefix(&target))
            .collect();
        let entries =
            std::fs::read_dir(&self.folder).map_err(DatasetError::io("read", &self.folder))?;
        let mut n_removed = 0;
        for entry in entries {
            let entry = entry.map_err(DatasetError::io("read", &self.folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(dash) = name.rfind('-') else { continue };
            if finished.contains(&name[..=dash]) && entry.path().is_dir() {
                std::fs::remove_dir_all(entry.path())
                    .map_err(DatasetError::io("remove", entry.path()))?;
                n_removed += 1;
            }
        }
        Ok(n_removed)
    }

    fn target(&self, shard: &JobShard) -> PathBuf {
        self.folder.join(shard.key().to_string())
    }
}

fn read_job(path: &Path) -> Result<JobFile, DatasetError> {
    let file: JobFile = serde_json::from_slice(&read_bounded(path, MAX_JOB_BYTES)?)
        .map_err(|error| damaged(path, "content", "the shards of a job", error))?;
    if file.version != 1 {
        return Err(damaged(path, "version", 1, file.version));
    }
    Ok(file)
}
