//! The steps of near-duplicate search as separate jobs.
//!
//! 1. [`write_signatures`]: one job per shard of documents, one file each.
//! 2. [`write_pairs`]: one job per range of bands, each over all signature files.
//! 3. [`unite`]: one job over all pair files.
//!
//! A job reads complete files and writes one file under its name when it is done, so any queue can
//! claim jobs, and a job that was lost or run twice does no harm: the same inputs give the same
//! bytes. Files of other options are refused. Documents are numbered through all signature files
//! in the order in which the files are given.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

use super::super::files::{Layout, Mapped, RecordFile, open_layout};
use super::super::report::{Clusters, DedupReport};
use super::super::spill::Sorter;
use super::super::union_find::UnionFind;
use super::{MinHashOptions, Signature, Signer, Verification};
use crate::atomic::folder_of;
use crate::error::DatasetError;

/// Documents are signed in blocks of this many bytes, or of [`BLOCK_DOCUMENTS`].
const BLOCK_BYTES: usize = 8 << 20;
const BLOCK_DOCUMENTS: usize = 4096;

/// In a bucket of more different signatures than this, each is compared with this many neighbours
/// in the order of the signatures instead of with all, so that the work stays linear. Comparing
/// all pairs of 512 signatures of 512 bytes reads 134 MB.
const ALL_PAIRS: usize = 512;

fn signature_layout(width: usize) -> Layout {
    Layout { magic: *b"PUYUSIG1", format: "signature", record_bytes: 4 * width }
}

const PAIRS: Layout = Layout { magic: *b"PUYUPAI1", format: "pair", record_bytes: 8 };

/// Signs documents on all threads and writes their signatures, in order, to `path`.
///
/// Returns how many documents there were.
///
/// # Errors
///
/// [`DatasetError::Option`] for options that make no sense, [`DatasetError::Io`] if the file
/// cannot be written.
pub fn write_signatures<I>(
    documents: I,
    options: &MinHashOptions,
    path: impl AsRef<Path>,
) -> Result<u64, DatasetError>
where
    I: IntoIterator,
    I::Item: AsRef<str> + Send + Sync,
{
    options.validate()?;
    let mut file = RecordFile::create(path.as_ref(), signature_layout(options.width()))?;
    let mut documents = documents.into_iter();
    let (mut count, mut text_bytes) = (0_u64, 0_u64);
    loop {
        let (block, bytes) = next_block(&mut documents);
        if block.is_empty() {
            break;
        }
        for signature in sign_block(&block, options) {
            // All ones mark a document without signature; a signature of 128 such numbers has
            // the chance 2^-4096.
            let signature = signature.unwrap_or_else(|| vec![u32::MAX; options.width()]);
            let numbers: Vec<u8> = signature.iter().flat_map(|n| n.to_le_bytes()).collect();
            file.write(&numbers)?;
        }
        count += block.len() as u64;
        text_bytes += bytes as u64;
    }
    file.commit(options.signature_fingerprint(), [text_bytes, 0, 0, 0])?;
    Ok(count)
}

fn next_block<T: AsRef<str>>(documents: &mut impl Iterator<Item = T>) -> (Vec<T>, usize) {
    let (mut block, mut bytes) = (Vec::new(), 0);
    while bytes < BLOCK_BYTES && block.len() < BLOCK_DOCUMENTS {
        let Some(document) = documents.next() else { break };
        bytes += document.as_ref().len();
        block.push(document);
    }
    (block, bytes)
}

fn sign_block<T: AsRef<str> + Sync>(
    block: &[T],
    options: &MinHashOptions,
) -> Vec<Option<Signature>> {
    block
        .par_iter()
        .map_init(|| Signer::new(options), |signer, text| signer.sign(text.as_ref()))
        .collect()
}

/// Which buckets to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BandJob {
    /// All signature files, in the order that numbers the documents.
    pub signatures: Vec<PathBuf>,
    /// The bands of this job.
    pub bands: Range<u32>,
}

/// Finds the pairs that meet in some bands and writes those that unite documents to `path`.
///
/// # Errors
///
/// [`DatasetError::Option`] for options or bands that make no sense, [`DatasetError::State`] if a
/// file was made with other options, [`DatasetError::Damaged`] if one is damaged,
/// [`DatasetError::Io`] if one cannot be read or written, [`DatasetError::Limit`] above 2³² − 1
/// documents.
pub fn write_pairs(
    job: &BandJob,
    options: &MinHashOptions,
    path: impl AsRef<Path>,
) -> Result<(), DatasetError> {
    options.validate()?;
    if job.bands.start >= job.bands.end || job.bands.end > options.bands {
        let expected = format!("a range within 0..{}", options.bands);
        return Err(super::option_error("bands", &expected, format!("{:?}", job.bands)));
    }
    let path = path.as_ref();
    let set = SignatureSet::open(&job.signatures, options)?;
    let mut buckets = Buckets {
        options,
        pairs: RecordFile::create(path, PAIRS)?,
        sets: UnionFind::new(set.n_documents)?,
        set: &set,
        compared: 0,
    };
    let mut bucket: (u64, Vec<u32>) = (0, Vec::new());
    for entry in sorted_bands(&set, (job, options), folder_of(path))? {
        let [hash, document] = entry?;
        if hash != bucket.0 {
            buckets.join(&bucket.1)?;
            bucket = (hash, Vec::new());
        }
        // Below the number of documents, which fits `u32`.
        bucket.1.push(document as u32);
    }
    buckets.join(&bucket.1)?;
    let own = [
        set.n_documents,
        set.text_bytes,
        buckets.compared,
        u64::from(job.bands.start) << 32 | u64::from(job.bands.end),
    ];
    buckets.pairs.commit(set.fingerprint(options), own)
}

/// (band hash, document) for each band of each document that has a signature, in order.
fn sorted_bands(
    set: &SignatureSet,
    (job, options): (&BandJob, &MinHashOptions),
    folder: &Path,
) -> Result<super::super::spill::Sorted<2>, DatasetError> {
    let mut sorter = Sorter::new(folder, options.memory_bytes)?;
    let row_bytes = options.rows as usize * 4;
    for document in 0..set.n_documents {
        let signature = set.signature(document as u32);
        if signature.iter().all(|&byte| byte == u8::MAX) {
            continue;
        }
        for band in job.bands.clone() {
            let rows = &signature[band as usize * row_bytes..][..row_bytes];
            sorter.push([xxh3_64_with_seed(rows, u64::from(band)), document])?;
        }
    }
    sorter.finish()
}

/// All signature files as one.
struct SignatureSet {
    files: Vec<Mapped>,
    /// The number of the first document of each file.
    starts: Vec<u64>,
    n_documents: u64,
    text_bytes: u64,
    record_bytes: usize,
}

impl SignatureSet {
    fn open(paths: &[PathBuf], options: &MinHashOptions) -> Result<Self, DatasetError> {
        let layout = signature_layout(options.width());
        let record_bytes = layout.record_bytes;
        let (files, starts) = (Vec::new(), Vec::new());
        let mut set = Self { files, starts, n_documents: 0, text_bytes: 0, record_bytes };
        for path in paths {
            let file = open_layout(path, layout)?;
            same_options(path, file.fingerprint, options.signature_fingerprint())?;
            set.starts.push(set.n_documents);
            set.n_documents += file.n_records;
            set.text_bytes = set.text_bytes.saturating_add(file.own[0]);
            set.files.push(file);
        }
        Ok(set)
    }

    fn signature(&self, document: u32) -> &[u8] {
        let document = u64::from(document);
        let file = self.starts.partition_point(|&start| start <= document) - 1;
        let row = (document - self.starts[file]) as usize;
        &self.files[file].records()[row * self.record_bytes..][..self.record_bytes]
    }

    /// Identifies the options and how the documents are numbered.
    fn fingerprint(&self, options: &MinHashOptions) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&options.pair_fingerprint());
        hasher.update(&self.n_documents.to_le_bytes());
        *hasher.finalize().as_bytes()
    }
}

fn same_options(path: &Path, found: [u8; 32], expected: [u8; 32]) -> Result<(), DatasetError> {
    if found == expected {
        return Ok(());
    }
    let hex = |hash| blake3::Hash::from_bytes(hash).to_hex()[..16].to_owned();
    Err(DatasetError::State {
        what: "options or document count of a deduplication file",
        expected: hex(expected),
        found: format!("{} in {}", hex(found), path.display()),
    })
}

/// Joins the documents of buckets.
struct Buckets<'a> {
    options: &'a MinHashOptions,
    set: &'a SignatureSet,
    sets: UnionFind,
    pairs: RecordFile,
    compared: u64,
}

impl Buckets<'_> {
    /// Joins what is alike in one bucket, whose documents come in order.
    fn join(&mut self, bucket: &[u32]) -> Result<(), DatasetError> {
        if bucket.len() < 2 {
            return Ok(());
        }
        let Verification::Estimated(least) = self.options.verification else {
            self.compared += bucket.len() as u64 - 1;
            return bucket[1..].iter().try_for_each(|&document| self.unite(bucket[0], document));
        };
        let mut different = self.join_equal(bucket)?;
        if different.len() > ALL_PAIRS {
            // An order that does not depend on the documents' numbers.
            let set = self.set;
            different.sort_by_key(|&document| set.signature(document));
        }
        for (i, &a) in different.iter().enumerate() {
            for &b in different[i + 1..].iter().take(ALL_PAIRS) {
                self.compared += 1;
                if self.sets.find(a) != self.sets.find(b) && self.alike(a, b) >= least {
                    self.unite(a, b)?;
                }
            }
        }
        Ok(())
    }

    /// Joins documents of equal signatures and returns the first of each.
    fn join_equal(&mut self, bucket: &[u32]) -> Result<Vec<u32>, DatasetError> {
        let mut firsts: HashMap<u128, u32> = HashMap::new();
        let mut different = Vec::new();
        for &document in bucket {
            match firsts.entry(xxh3_128(self.set.signature(document))) {
                std::collections::hash_map::Entry::Vacant(entry) => {
                    entry.insert(document);
                    different.push(document);
                }
                std::collections::hash_map::Entry::Occupied(entry) => {
                    self.compared += 1;
                    let first = *entry.get();
                    self.unite(first, document)?;
                }
            }
        }
        Ok(different)
    }

    fn alike(&self, a: u32, b: u32) -> f64 {
        let (a, _) = self.set.signature(a).as_chunks::<4>();
        let (b, _) = self.set.signature(b).as_chunks::<4>();
        let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
        equal as f64 / a.len() as f64
    }

    /// Writes the pair unless earlier pairs imply it.
    fn unite(&mut self, a: u32, b: u32) -> Result<(), DatasetError> {
        if self.sets.unite(a, b) {
            self.pairs.write(&a.to_le_bytes())?;
            self.pairs.write(&b.to_le_bytes())?;
        }
        Ok(())
    }
}

/// Unites the pairs of all bands into clusters.
///
/// # Errors
///
/// [`DatasetError::State`] if the files are not those of all bands, once each, over the same
/// documents and options; [`DatasetError::Damaged`] if one is damaged; [`DatasetError::Io`] if one
/// cannot be read; [`DatasetError::Limit`] above 2³² − 1 documents.
pub fn unite(
    pair_files: &[PathBuf],
    options: &MinHashOptions,
) -> Result<(Clusters, DedupReport), DatasetError> {
    options.validate()?;
    let files = open_pairs(pair_files, options)?;
    let [n_documents, bytes, ..] = files[0].own;
    let mut sets = UnionFind::new(n_documents)?;
    for (path, file) in pair_files.iter().zip(&files) {
        same_options(path, file.fingerprint, files[0].fingerprint)?;
        let (numbers, _) = file.records().as_chunks::<4>();
        for pair in numbers.chunks_exact(2) {
            let (a, b) = (u32::from_le_bytes(pair[0]), u32::from_le_bytes(pair[1]));
            if a.max(b) as usize >= sets.len() {
                return Err(DatasetError::Damaged {
                    path: path.clone(),
                    what: "document of a pair",
                    expected: format!("below {n_documents}"),
                    found: a.max(b).to_string(),
                });
            }
            sets.unite(a, b);
        }
    }
    let clusters = Clusters::from(sets);
    let report = DedupReport {
        documents: n_documents,
        bytes,
        pairs: files.iter().map(|file| file.own[2]).sum(),
        clusters: clusters.n_clusters(),
        dropped: clusters.n_dropped(),
    };
    Ok((clusters, report))
}

/// Opens pair files and checks that they cover each band once.
fn open_pairs(paths: &[PathBuf], options: &MinHashOptions) -> Result<Vec<Mapped>, DatasetError> {
    let files: Vec<Mapped> =
        paths.iter().map(|path| open_layout(path, PAIRS)).collect::<Result<_, _>>()?;
    let mut ranges: Vec<(u64, u64)> =
        files.iter().map(|file| (file.own[3] >> 32, file.own[3] & 0xffff_ffff)).collect();
    ranges.sort_unstable();
    let covered = ranges.iter().try_fold(0, |end, range| (range.0 == end).then_some(range.1));
    if covered != Some(u64::from(options.bands)) {
        return Err(DatasetError::State {
            what: "bands of the pair files",
            expected: format!("each of 0..{} once", options.bands),
            found: format!("{ranges:?}"),
        });
    }
    for (path, file) in paths.iter().zip(&files) {
        let mut expected = blake3::Hasher::new();
        expected.update(&options.pair_fingerprint());
        expected.update(&file.own[0].to_le_bytes());
        same_options(path, file.fingerprint, *expected.finalize().as_bytes())?;
    }
    Ok(files)
}
