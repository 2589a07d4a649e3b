//! Reading files once, for their hash, rows and places.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use parquet::file::metadata::ParquetMetaDataReader;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::shard::{CutRow, Shard};
use super::{Manifest, ManifestDiff};
use crate::container::{self, BlankLines, ChunkReader, Container, Detected, Mark, ReadOptions};
use crate::error::DatasetError;
use crate::fault::{BadRow, FaultKind};
use crate::row::{Fingerprint, Rows};
use crate::stream::discover;

/// Rows between two marks. 1024: a seek reads at most about a megabyte too much, and the marks of
/// 500 million documents take 20 MB.
const MARK_ROWS: u64 = 1024;

/// How files are scanned.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScanOptions {
    /// How files are read. `rows_in_range` must be unset: every row counts.
    pub read: ReadOptions,
}

/// How far a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanProgress {
    /// Files done.
    pub shards_done: usize,
    /// Files in all.
    pub shards_total: usize,
    /// Bytes read, as they lie on the disk.
    pub bytes_done: u64,
    /// Bytes in all.
    pub bytes_total: u64,
}

impl Manifest {
    /// Scans files, folders and patterns (see [`discover`]), each file once, on all threads of the
    /// present rayon pool. `progress` is called from those threads, every 16 MiB and at each
    /// file's end.
    ///
    /// The root is the folder given, or the deepest folder that holds all files.
    ///
    /// # Errors
    ///
    /// As [`discover`] and [`container::open`]; [`DatasetError::Unsupported`] for a file name that
    /// is not UTF-8; [`DatasetError::Option`] for `rows_in_range`. Bad rows are no error: they are
    /// counted as rows.
    pub fn scan<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
        options: &ScanOptions,
        progress: &(dyn Fn(ScanProgress) + Sync),
    ) -> Result<Self, DatasetError> {
        let paths: Vec<PathBuf> = paths.into_iter().map(|path| path.as_ref().to_owned()).collect();
        let files = discover(&paths)?;
        let root = match &paths[..] {
            [folder] if folder.is_dir() => folder.clone(),
            _ => common_folder(&files),
        };
        Self { root, shards: Vec::new() }.with_files(&files, options, progress)
    }

    /// Scans further files, and again those that have changed since, by size or time; says what is
    /// new. Files that were given before and are gone stay: see [`check`](Self::check).
    ///
    /// # Errors
    ///
    /// As [`scan`](Self::scan), with the manifest unchanged; [`DatasetError::Option`] for a file
    /// outside the root.
    pub fn extend<P: AsRef<Path>>(
        &mut self,
        paths: impl IntoIterator<Item = P>,
        options: &ScanOptions,
        progress: &(dyn Fn(ScanProgress) + Sync),
    ) -> Result<ManifestDiff, DatasetError> {
        let files = discover(paths)?;
        let extended = self.clone().with_files(&files, options, progress)?;
        let diff = self.diff(&extended);
        *self = extended;
        Ok(diff)
    }

    fn with_files(
        mut self,
        files: &[PathBuf],
        options: &ScanOptions,
        progress: &(dyn Fn(ScanProgress) + Sync),
    ) -> Result<Self, DatasetError> {
        let read = options.in_effect()?;
        let mut todo = Vec::new();
        for file in files {
            let path = relative(&self.root, file)?;
            let known = self.shards.iter().position(|shard| shard.path == path);
            if known.is_none_or(|known| !self.shards[known].looks_like(file)) {
                todo.push((path, file, known));
            }
        }
        let meter = Meter::new(todo.iter().map(|(_, file, _)| *file), progress)?;
        let scanned = todo
            .into_par_iter()
            .map(|(path, file, known)| Ok((known, scan_shard(path, file, &read, &meter)?)))
            .collect::<Result<Vec<_>, DatasetError>>()?;
        for (known, shard) in scanned {
            match known {
                Some(known) => self.shards[known] = shard,
                None => self.shards.push(shard),
            }
        }
        Ok(self)
    }
}

impl ScanOptions {
    fn in_effect(&self) -> Result<ReadOptions, DatasetError> {
        self.read.validate()?;
        if let Some(range) = &self.read.rows_in_range {
            return Err(DatasetError::Option {
                option: "rows_in_range",
                expected: "none in a scan, which counts every row".to_owned(),
                found: format!("a range of `{}`", range.column),
            });
        }
        Ok(ReadOptions { blank_lines: BlankLines::Skip, columns: None, ..self.read.clone() })
    }
}

/// What the file system says of a file: size in bytes, time in nanoseconds since 1970.
pub(super) fn size_and_time(path: &Path) -> Result<(u64, Option<u64>), DatasetError> {
    let metadata = path.metadata().map_err(DatasetError::io("open", path))?;
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok((metadata.len(), since.and_then(|since| u64::try_from(since.as_nanos()).ok())))
}

/// The hash of a file's bytes.
pub(super) fn hash_file(path: &Path, meter: &Meter<'_>) -> Result<Fingerprint, DatasetError> {
    let file = File::open(path).map_err(DatasetError::io("open", path))?;
    let hasher = Arc::new(Mutex::default());
    let mut reader = Hashed { file, hasher: hasher.clone(), n_bytes: Arc::default() };
    drain(&mut reader, meter).map_err(DatasetError::io("read", path))?;
    Ok(finish(&hasher))
}

fn scan_shard(
    path: String,
    file: &Path,
    read: &ReadOptions,
    meter: &Meter<'_>,
) -> Result<Shard, DatasetError> {
    let kind = container::detect(file)?;
    let (n_bytes, modified_ns) = size_and_time(file)?;
    let (hash, counted) = match kind.container {
        // Their directory is at their end, so they are not read as a stream.
        Container::Parquet => (hash_file(file, meter)?, count_parquet(file)?),
        Container::ArrowFile => {
            let mut reader = container::open(file, read)?;
            (hash_file(file, meter)?, count(&mut *reader, kind, &|| {})?)
        }
        _ => hash_and_count(file, kind, read, meter)?,
    };
    if size_and_time(file)? != (n_bytes, modified_ns) {
        return Err(DatasetError::Damaged {
            path: file.to_owned(),
            what: "size and time",
            expected: "no change while it is read".to_owned(),
            found: "a change".to_owned(),
        });
    }
    meter.shard_done();
    let Counted { n_rows, marks, cut } = counted;
    Ok(Shard { path, n_bytes, modified_ns, kind, n_rows, hash, cut, marks })
}

/// Hashes and counts in one reading.
fn hash_and_count(
    path: &Path,
    kind: Detected,
    read: &ReadOptions,
    meter: &Meter<'_>,
) -> Result<(Fingerprint, Counted), DatasetError> {
    let file = File::open(path).map_err(DatasetError::io("open", path))?;
    let rest = file.try_clone().map_err(DatasetError::io("open", path))?;
    let hasher = Arc::new(Mutex::default());
    let n_bytes = Arc::new(AtomicU64::new(0));
    let hashed = Hashed { file, hasher: hasher.clone(), n_bytes: n_bytes.clone() };
    let bytes = Box::new(BufReader::with_capacity(1 << 18, hashed));
    let mut reader = container::open_bytes(path, bytes, kind, read)?;
    let report = || meter.add(n_bytes.swap(0, Ordering::Relaxed));
    let counted = count(&mut *reader, kind, &report)?;
    drop(reader);
    // A damaged file is read only to its damage. The clone shares the place in the file.
    let mut rest = Hashed { file: rest, hasher: hasher.clone(), n_bytes };
    drain(&mut rest, meter).map_err(DatasetError::io("read", path))?;
    Ok((finish(&hasher), counted))
}

struct Counted {
    n_rows: u64,
    marks: Vec<Mark>,
    cut: Option<CutRow>,
}

fn count(
    reader: &mut dyn ChunkReader,
    kind: Detected,
    report: &dyn Fn(),
) -> Result<Counted, DatasetError> {
    let mut counted = Counted { n_rows: 0, marks: Vec::new(), cut: None };
    let mut last_bad = None;
    loop {
        let mark = reader.mark();
        counted.mark(mark);
        let chunk = match reader.next_chunk() {
            None => break,
            Some(Ok(chunk)) => chunk,
            Some(Err(DatasetError::BadRow(row))) => {
                last_bad = (reader.mark().row > mark.row).then_some(row);
                continue;
            }
            Some(Err(error)) => return Err(error),
        };
        last_bad = None;
        report();
        if let (Rows::Lines { offset, spans, .. }, Container::JsonLines) =
            (&chunk.rows, kind.container)
        {
            for (span, row) in spans.iter().zip(mark.row..) {
                let offset = offset + u64::from(span.start);
                counted.mark(Mark { row, line: span.line.saturating_sub(1), offset });
            }
        }
    }
    counted.n_rows = reader.mark().row;
    counted.cut = last_bad.and_then(|row| CutRow::of(&row, kind));
    counted.marks.retain(|mark| mark.row < counted.n_rows);
    Ok(counted)
}

impl Counted {
    fn mark(&mut self, mark: Mark) {
        let due = self.marks.last().map_or(0, |last| last.row) + MARK_ROWS;
        if mark.row >= due {
            self.marks.push(mark);
        }
    }
}

impl CutRow {
    fn of(row: &BadRow, kind: Detected) -> Option<Self> {
        let is_cut = matches!(row.fault.kind, FaultKind::Truncated | FaultKind::Container);
        let is_compressed = kind.compression != container::Compression::None;
        (is_cut && is_compressed).then(|| Self {
            row: row.location.row,
            offset: row.location.offset,
            expected: row.fault.expected.clone(),
            found: row.fault.found.clone(),
        })
    }
}

fn count_parquet(path: &Path) -> Result<Counted, DatasetError> {
    let file = File::open(path).map_err(DatasetError::io("open", path))?;
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file);
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| DatasetError::Container {
        path: path.to_owned(),
        format: "parquet",
        source,
    };
    let n_rows = metadata.map_err(|error| broken(error.into()))?.file_metadata().num_rows();
    let n_rows = u64::try_from(n_rows).map_err(|error| broken(error.into()))?;
    Ok(Counted { n_rows, marks: Vec::new(), cut: None })
}

/// A file whose bytes are hashed as they pass.
struct Hashed {
    file: File,
    hasher: Arc<Mutex<blake3::Hasher>>,
    n_bytes: Arc<AtomicU64>,
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        // Never contended: the two readers of a file live one after the other.
        self.hasher.lock().unwrap_or_else(PoisonError::into_inner).update(&buffer[..n]);
        self.n_bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

fn drain(reader: &mut Hashed, meter: &Meter<'_>) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 18];
    while reader.read(&mut buffer)? > 0 {
        meter.add(reader.n_bytes.swap(0, Ordering::Relaxed));
    }
    meter.add(reader.n_bytes.swap(0, Ordering::Relaxed));
    Ok(())
}

fn finish(hasher: &Mutex<blake3::Hasher>) -> Fingerprint {
    let hasher = hasher.lock().unwrap_or_else(PoisonError::into_inner);
    Fingerprint(*hasher.finalize().as_bytes())
}

/// Counts what is done and tells it.
pub(super) struct Meter<'a> {
    tell: &'a (dyn Fn(ScanProgress) + Sync),
    shards_done: AtomicUsize,
    shards_total: usize,
    bytes_done: AtomicU64,
    bytes_total: u64,
}

impl<'a> Meter<'a> {
    pub(super) fn new<'f>(
        files: impl IntoIterator<Item = &'f PathBuf>,
        tell: &'a (dyn Fn(ScanProgress) + Sync),
    ) -> Result<Self, DatasetError> {
        let (mut shards_total, mut bytes_total) = (0, 0);
        for file in files {
            shards_total += 1;
            bytes_total += size_and_time(file)?.0;
        }
        let (shards_done, bytes_done) = Default::default();
        Ok(Self { tell, shards_done, shards_total, bytes_done, bytes_total })
    }

    fn add(&self, bytes: u64) {
        const STEP: u64 = 16 << 20;
        let before = self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
        if before / STEP != (before + bytes) / STEP {
            self.tell();
        }
    }

    pub(super) fn shard_done(&self) {
        self.shards_done.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        (self.tell)(ScanProgress {
            shards_done: self.shards_done.load(Ordering::Relaxed),
            shards_total: self.shards_total,
            bytes_done: self.bytes_done.load(Ordering::Relaxed),
            bytes_total: self.bytes_total,
        });
    }
}

/// The deepest folder that holds all files.
fn common_folder(files: &[PathBuf]) -> PathBuf {
    let mut folders = files.iter().map(|file| file.parent().unwrap_or(Path::new("")));
    let first = folders.next().unwrap_or(Path::new("")).to_owned();
    folders.fold(first, |common, folder| {
        let shared = common.components().zip(folder.components()).take_while(|(a, b)| a == b);
        shared.map(|(component, _)| component).collect()
    })
}

fn relative(root: &Path, file: &Path) -> Result<String, DatasetError> {
    let below = file.strip_prefix(root).map_err(|_| DatasetError::Option {
        option: "paths",
        expected: format!("files below {}", root.display()),
        found: file.display().to_string(),
    })?;
    let names: Option<Vec<&str>> = below
        .components()
        .map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    names.map(|names| names.join("/")).ok_or_else(|| DatasetError::Unsupported {
        path: file.to_owned(),
        what: "a name that is not UTF-8, or a path with `..` below the root".to_owned(),
        hint: "rename it".to_owned(),
    })
}
