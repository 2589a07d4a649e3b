//! Where bytes come from: files, streams, what decompresses them, and how their failures are told
//! apart.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;

use super::{Compression, RangeRead};
use crate::error::DatasetError;
use crate::fault::{Fault, FaultKind};

/// Bytes that come out before the expansion is looked at: small files of one repeated line are no
/// bombs.
const FREE_EXPANSION: u64 = 64 << 20;

/// Compressed bytes read at a time.
const COMPRESSED_READ: usize = 128 << 10;

/// Bytes asked of gzip at a time: when inflating fails, what the failing call brought is lost, so
/// this is how many good bytes before a damage may be missing.
const INFLATE_STEP: usize = 4 << 10;

/// A stream of uncompressed bytes.
pub(super) struct Input {
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) compression: Compression,
}

/// Why a stream ended early.
pub(super) enum Broken {
    /// The storage failed.
    Storage(io::Error),
    /// The bytes are damaged.
    Data(Fault),
}

impl Input {
    /// The uncompressed bytes of `raw`.
    pub(super) fn new(
        raw: Box<dyn Read + Send>,
        compression: Compression,
        max_expansion: u64,
    ) -> io::Result<Self> {
        let taken = Arc::new(AtomicU64::new(0));
        let source = Counted { inner: raw, taken: taken.clone() };
        let buffered = |source| BufReader::with_capacity(COMPRESSED_READ, source);
        let reader: Box<dyn Read + Send> = match compression {
            Compression::None => source.inner,
            Compression::Gzip => {
                let decoder = MultiGzDecoder::new(buffered(source));
                Box::new(Guard { decoder, taken, given: 0, max_expansion, step: INFLATE_STEP })
            }
            Compression::Zstd => {
                let decoder = zstd::Decoder::with_buffer(buffered(source))?;
                Box::new(Guard { decoder, taken, given: 0, max_expansion, step: usize::MAX })
            }
        };
        Ok(Self { reader, compression })
    }

    /// Says whether the storage failed or the compressed bytes are damaged.
    pub(super) fn broken(&self, error: io::Error) -> Broken {
        if self.compression == Compression::None {
            return Broken::Storage(error);
        }
        if error.get_ref().is_some_and(|inner| inner.is::<StorageError>()) {
            return Broken::Storage(error);
        }
        let name = match self.compression {
            Compression::Gzip => "gzip",
            _ => "zstd",
        };
        Broken::Data(match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::row(
                FaultKind::Truncated,
                format!("the rest of the {name} stream"),
                "the end of the file",
            ),
            _ => Fault::row(
                FaultKind::Container,
                format!("an undamaged {name} stream"),
                error.to_string(),
            ),
        })
    }

    /// Reads up to the place `offset`, from the start.
    pub(super) fn skip(&mut self, path: &Path, offset: u64) -> Result<(), DatasetError> {
        let mut before = (&mut self.reader).take(offset);
        let skipped = io::copy(&mut before, &mut io::sink());
        match skipped.map_err(DatasetError::io("read", path))? {
            n_bytes if n_bytes == offset => Ok(()),
            n_bytes => Err(outside("byte", offset, n_bytes)),
        }
    }
}

/// The error of a mark that lies outside its file.
pub(super) fn outside(what: &'static str, mark: u64, end: u64) -> DatasetError {
    DatasetError::State {
        what: "the place in the file",
        expected: format!("at most {what} {end}, where the file ends"),
        found: format!("{what} {mark}"),
    }
}

/// Opens a file and reads from byte `offset` of its uncompressed content.
pub(super) fn open_file(
    path: &Path,
    compression: Compression,
    max_expansion: u64,
    offset: u64,
) -> Result<Input, DatasetError> {
    let mut file = File::open(path).map_err(DatasetError::io("open", path))?;
    let plain = compression == Compression::None;
    if plain && offset > 0 {
        let n_bytes = file.metadata().map_err(DatasetError::io("read", path))?.len();
        if offset > n_bytes {
            return Err(outside("byte", offset, n_bytes));
        }
        file.seek(SeekFrom::Start(offset)).map_err(DatasetError::io("read", path))?;
    }
    let mut input = Input::new(Box::new(file), compression, max_expansion)
        .map_err(DatasetError::io("open", path))?;
    if !plain {
        input.skip(path, offset)?;
    }
    Ok(input)
}

/// Marks a failure of the storage, to tell it from one of the decoder above it.
#[derive(Debug, thiserror::Error)]
#[error("the storage failed")]
struct StorageError(#[source] io::Error);

/// Counts what is read.
struct Counted {
    inner: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(n_bytes) => {
                self.taken.fetch_add(n_bytes as u64, Ordering::Relaxed);
                Ok(n_bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::new(error.kind(), StorageError(error))),
        }
    }
}

/// Stops a decompression bomb.
struct Guard<D> {
    decoder: D,
    taken: Arc<AtomicU64>,
    given: u64,
    max_expansion: u64,
    /// The most bytes asked of the decoder at a time.
    step: usize,
}

impl<D: Read> Read for Guard<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(self.step);
        let n_bytes = self.decoder.read(&mut buffer[..len])?;
        self.given = self.given.saturating_add(n_bytes as u64);
        let taken = self.taken.load(Ordering::Relaxed);
        let limit = taken.saturating_mul(self.max_expansion).max(FREE_EXPANSION);
        if self.given > limit {
            return Err(io::Error::other(format!(
                "{} bytes out of {taken}, more than {} for one (`max_expansion`)",
                self.given, self.max_expansion
            )));
        }
        Ok(n_bytes)
    }
}

/// A local file, read by ranges.
#[derive(Debug)]
pub struct FileRanges {
    file: Mutex<File>,
    n_bytes: u64,
}

impl FileRanges {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn open(path: &Path) -> Result<Self, DatasetError> {
        let file = File::open(path).map_err(DatasetError::io("open", path))?;
        let n_bytes = file.metadata().map_err(DatasetError::io("read", path))?.len();
        Ok(Self { file: Mutex::new(file), n_bytes })
    }
}

impl RangeRead for FileRanges {
    fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    fn read_range(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        check_range(self.n_bytes, offset, len)?;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; len];
        file.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

impl RangeRead for Bytes {
    fn n_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read_range(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        check_range(self.n_bytes(), offset, len)?;
        // Both fit: the range was checked against the length, which is a `usize`.
        Ok(self.slice(offset as usize..offset as usize + len))
    }
}

/// Refuses a range that reaches past the end, before memory is asked for it.
pub(super) fn check_range(n_bytes: u64, offset: u64, len: usize) -> io::Result<()> {
    match offset.checked_add(len as u64) {
        Some(end) if end <= n_bytes => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{len} bytes from byte {offset} reach past the end, which is {n_bytes}"),
        )),
    }
}
