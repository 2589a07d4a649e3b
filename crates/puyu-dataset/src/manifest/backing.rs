//! Bytes to seek in: of a compressed file, unpacked once.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use super::rows::RowsOptions;
use super::shard::Shard;
use crate::atomic::AtomicFile;
use crate::container::{Compression, Container, RangeRead};
use crate::error::DatasetError;
use crate::mapped;

/// Bytes in memory or in a map.
pub(super) struct Unpacked(pub(super) Bytes);

impl RangeRead for Unpacked {
    fn n_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_range(&self, offset: u64, len: usize) -> std::io::Result<Bytes> {
        let start = usize::try_from(offset).ok();
        let end = start.and_then(|start| start.checked_add(len));
        match (start, end) {
            (Some(start), Some(end)) if end <= self.0.len() => Ok(self.0.slice(start..end)),
            _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The unpacked files in use, the most recent last.
#[derive(Debug, Default)]
pub(super) struct Backings {
    open: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    shard: usize,
    bytes: Bytes,
    is_in_memory: bool,
}

impl Backings {
    /// The unpacked bytes of a shard; unpacks it if that was not done before.
    ///
    /// One shard at a time: a second reader of the same shard waits instead of unpacking it too.
    pub(super) fn bytes(
        &self,
        number: usize,
        shard: &Shard,
        path: &Path,
        options: &RowsOptions,
    ) -> Result<Bytes, DatasetError> {
        // Entries are pushed and removed whole: a panic elsewhere cannot split them.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match open.iter().position(|entry| entry.shard == number) {
            Some(index) => open.remove(index),
            None => {
                let source = Packed { shard, path, options };
                let bytes = match &options.cache_dir {
                    Some(folder) => source.cached(folder)?,
                    None => source.in_memory()?,
                };
                Entry { shard: number, bytes, is_in_memory: options.cache_dir.is_none() }
            }
        };
        let bytes = entry.bytes.clone();
        open.push(entry);
        evict(&mut open, options);
        Ok(bytes)
    }
}

/// Drops the least recent entries above the limits, but never the last one.
fn evict(open: &mut Vec<Entry>, options: &RowsOptions) {
    let in_memory = |open: &Vec<Entry>| -> u64 {
        open.iter().filter(|entry| entry.is_in_memory).map(|entry| entry.bytes.len() as u64).sum()
    };
    let most = options.open_readers.max(1);
    while open.len() > 1 && (open.len() > most || in_memory(open) > options.in_memory_bytes) {
        open.remove(0);
    }
}

/// A compressed file of a data set.
struct Packed<'a> {
    shard: &'a Shard,
    path: &'a Path,
    options: &'a RowsOptions,
}

impl Packed<'_> {
    /// The unpacked file in the cache folder, made if it is not there. Its name is the hash of the
    /// packed content, so it is never stale; it gets its name only when it is whole.
    fn cached(&self, folder: &Path) -> Result<Bytes, DatasetError> {
        let target = self.name_in(folder);
        if !target.exists() {
            std::fs::create_dir_all(folder).map_err(DatasetError::io("create", folder))?;
            let mut file = AtomicFile::create(&target)?;
            self.unpack(&mut file, &target, self.most_bytes())?;
            file.commit()?;
            tracing::info!(file = %self.path.display(), cache = %target.display(), "unpacked");
        }
        mapped::map(&target)
    }

    fn name_in(&self, folder: &Path) -> PathBuf {
        let ending = match self.shard.kind.container {
            Container::JsonLines => "jsonl",
            Container::JsonArray => "json",
            Container::Parquet => "parquet",
            Container::ArrowFile => "arrow",
            Container::ArrowStream => "arrows",
            Container::Tar => "tar",
        };
        folder.join(format!("{}.{ending}", self.shard.hash))
    }

    fn in_memory(&self) -> Result<Bytes, DatasetError> {
        let limit = self.options.in_memory_bytes;
        let mut bytes = Vec::new();
        match self.unpack(&mut bytes, self.path, limit) {
            Err(DatasetError::Limit { .. }) => Err(DatasetError::Unsupported {
                path: self.path.to_owned(),
                what: format!("reading rows by number in a compressed file above {limit} bytes"),
                hint: "set `cache_dir` to a folder where it may be unpacked, or raise \
                       `in_memory_bytes`"
                    .to_owned(),
            }),
            outcome => outcome.map(|()| bytes.into()),
        }
    }

    /// The most that the file may unpack to, as for reading it in order.
    fn most_bytes(&self) -> u64 {
        const FREE: u64 = 64 << 20;
        self.shard.n_bytes.saturating_mul(self.options.read.max_expansion).saturating_add(FREE)
    }

    /// Unpacks at most `limit` bytes. A file known to be cut gives what is there.
    fn unpack(&self, to: &mut impl Write, name: &Path, limit: u64) -> Result<(), DatasetError> {
        let file = File::open(self.path).map_err(DatasetError::io("open", self.path))?;
        let file = BufReader::with_capacity(1 << 18, file);
        let mut from: Box<dyn Read> = match self.shard.kind.compression {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
            Compression::Zstd => Box::new(
                zstd::stream::read::Decoder::with_buffer(file)
                    .map_err(DatasetError::io("unpack", self.path))?,
            ),
        };
        let mut buffer = vec![0; 1 << 18];
        let mut n_bytes = 0_u64;
        loop {
            let n = match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) if self.shard.cut.is_some() => return Ok(()),
                Err(error) => return Err(DatasetError::io("unpack", self.path)(error)),
            };
            n_bytes += n as u64;
            if n_bytes > limit {
                let what = format!("{} unpacked, in bytes", self.path.display());
                return Err(DatasetError::Limit { what, needed: n_bytes, limit });
            }
            to.write_all(&buffer[..n]).map_err(DatasetError::io("write", name))?;
        }
    }
}
