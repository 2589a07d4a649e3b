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
use super::files::{create_once, damaged, read_bounded, write_atomic};
use super::header::CacheIdentity;
use super::writer::{CacheWriter, part_prefix};
use crate::error::DatasetError;
use crate::row::Fingerprint;

const JOB_FILE: &str = "job.json";
/// A million shards with long paths.
const MAX_JOB_BYTES: u64 = 1 << 28;
const MAX_CLAIM_BYTES: u64 = 1 << 16;

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
struct ClaimFile {
    owner: String,
    at_s: u64,
    /// Given back by its owner, so anybody may take it over.
    #[serde(default)]
    released: bool,
}

impl ClaimFile {
    fn is_free(&self, now_s: u64, stale_after_s: u64) -> bool {
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
        let path = claim_path(&target, generation);
        let file = ClaimFile { owner: worker.owner.clone(), at_s: worker.now_s, released: false };
        if !create_once(&path, &to_json(&path, &file)?)? {
            let (owner, at_s) = match latest(&target)? {
                Some((_, claim)) => (claim.owner, claim.at_s),
                None => return Ok(Claimed::Done),
            };
            return Ok(Claimed::Held { owner, at_s });
        }
        let claim = Claim { target, shard: shard.clone(), generation, file };
        if claim.target.is_dir() {
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
    fn remove_claims(&self) -> Result<(), DatasetError> {
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
fn latest(target: &Path) -> Result<Option<(u32, ClaimFile)>, DatasetError> {
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
    super::files::with_suffix(target, &format!(".claim.{generation}"))
}

fn read_job(path: &Path) -> Result<JobFile, DatasetError> {
    let file: JobFile = serde_json::from_slice(&read_bounded(path, MAX_JOB_BYTES)?)
        .map_err(|error| damaged(path, "content", "the shards of a job", error))?;
    if file.version != 1 {
        return Err(damaged(path, "version", 1, file.version));
    }
    Ok(file)
}

fn to_json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, DatasetError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| DatasetError::io("write", path)(error.into()))?;
    text.push(b'\n');
    Ok(text)
}
