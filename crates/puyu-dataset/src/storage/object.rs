//! One object: read by range, as a stream, or as a Parquet file.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use bytes::{Buf as _, Bytes};
use object_store::ObjectStoreExt as _;
use object_store::path::Path as ObjectPath;

use super::{Blocks, Storage};
use crate::container::{ChunkReader, Mark, ReadOptions, open_ranges};
use crate::error::DatasetError;

/// Bytes that one request of a stream asks for.
///
/// Large enough that 50 ms of latency cost little at 100 MB/s with one request ahead, small enough
/// that two of them are nothing beside the readers' memory.
const WINDOW_BYTES: u64 = 8 << 20;

/// An object in a [`Storage`].
#[derive(Debug, Clone)]
pub struct Object {
    storage: Storage,
    location: ObjectPath,
    size: u64,
}

impl Object {
    pub(super) fn new(storage: Storage, location: ObjectPath, size: u64) -> Self {
        Self { storage, location, size }
    }

    /// Its path inside the storage.
    pub fn path(&self) -> &str {
        self.location.as_ref()
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its name in messages, with scheme and bucket.
    pub fn name(&self) -> PathBuf {
        self.storage.full_name(self.path())
    }

    /// Reads `length` bytes from `start`.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the storage refuses or has fewer bytes.
    pub fn read_range(&self, start: u64, length: u64) -> Result<Bytes, DatasetError> {
        let fits = start.checked_add(length).is_some_and(|end| end <= self.size);
        if !fits {
            let found = format!("bytes {start} + {length} of an object of {} bytes", self.size);
            let source = io::Error::new(io::ErrorKind::UnexpectedEof, found);
            return Err(DatasetError::Io { action: "read", path: self.name(), source });
        }
        if length == 0 {
            return Ok(Bytes::new());
        }
        answer(&self.begin(start, length), self)
    }

    /// Streams the object from `start` to its end, one request ahead.
    pub fn reader(&self, start: u64) -> ObjectReader {
        let mut reader = ObjectReader {
            object: self.clone(),
            window: Bytes::new(),
            requested: start.min(self.size),
            ahead: None,
        };
        reader.request();
        reader
    }

    /// Opens the object as a container of rows, found out by its content.
    ///
    /// Files that begin at their end (Parquet, Arrow) are read by range; the others are streamed.
    ///
    /// # Errors
    ///
    /// What [`container::open_ranges`](crate::container::open_ranges) says.
    pub fn open(&self, options: &ReadOptions) -> Result<Box<dyn ChunkReader>, DatasetError> {
        let blocks = Arc::new(Blocks::new(self.clone()));
        open_ranges(&self.name(), blocks, options, Mark::default())
    }

    fn begin(&self, start: u64, length: u64) -> Receiver<Result<Bytes, DatasetError>> {
        let store = self.storage.store.clone();
        let location = self.location.clone();
        let error = self.storage.io("read", self.path());
        self.storage.requests.begin(async move {
            store.get_range(&location, start..start + length).await.map_err(error)
        })
    }
}

/// The bytes of an [`Object`] in order.
pub struct ObjectReader {
    object: Object,
    window: Bytes,
    /// Where the next request begins.
    requested: u64,
    ahead: Option<Receiver<Result<Bytes, DatasetError>>>,
}

impl ObjectReader {
    fn request(&mut self) {
        let length = WINDOW_BYTES.min(self.object.size - self.requested);
        self.ahead = (length > 0).then(|| self.object.begin(self.requested, length));
        self.requested += length;
    }
}

impl Read for ObjectReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.window.is_empty() {
            let Some(ahead) = self.ahead.take() else { return Ok(0) };
            self.window = answer(&ahead, &self.object).map_err(io::Error::other)?;
            self.request();
        }
        let n = into.len().min(self.window.len());
        self.window.copy_to_slice(&mut into[..n]);
        Ok(n)
    }
}

/// Waits for a request that was begun.
fn answer(
    request: &Receiver<Result<Bytes, DatasetError>>,
    object: &Object,
) -> Result<Bytes, DatasetError> {
    request.recv().unwrap_or_else(|_| {
        let source = io::Error::other("the request ended without an answer");
        Err(DatasetError::Io { action: "read", path: object.name(), source })
    })
}
