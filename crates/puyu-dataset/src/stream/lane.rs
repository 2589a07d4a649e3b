//! The threads that read: each takes every n-th file and reads ahead within its share of memory.
//!
//! A lane's events are in the order of its files and rows, and its memory is its own. So the
//! stream, which takes the files in turn from the lanes, never waits for bytes that only it could
//! free: there is no deadlock and no order but that of the files.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::Array;
use crossbeam_channel::{Receiver, Sender, bounded};

use super::budget::{Budget, Permit};
use super::decode::{Decoded, Job};
use crate::container::{ChunkReader, Mark};
use crate::error::DatasetError;
use crate::fault::BadRow;
use crate::row::{Chunk, LineSpan, Rows};

/// Opens a file at a mark.
pub(super) type Opener =
    dyn Fn(&Path, Mark) -> Result<Box<dyn ChunkReader>, DatasetError> + Send + Sync;

/// What a lane says, in order.
pub(super) enum Event<R> {
    /// Rows, as soon as they are decoded.
    Chunk { mark: Mark, rows: Receiver<Result<Decoded<R>, String>> },
    /// A row that has no bytes to decode.
    Bad { mark: Mark, row: Box<BadRow> },
    /// The file is over before its end.
    Failed(DatasetError),
    /// The file is over.
    End,
    /// The lane is over, with what it said last.
    Died(String),
}

/// One reading thread.
pub(super) struct Lane<R> {
    pub(super) opener: Arc<Opener>,
    pub(super) files: Arc<[PathBuf]>,
    /// The numbers of the files to read, and where to begin in the first.
    pub(super) numbers: Vec<usize>,
    pub(super) begin: Mark,
    pub(super) room: Room,
    pub(super) jobs: Sender<Job<R>>,
    pub(super) events: Sender<Event<R>>,
}

impl<R> Lane<R> {
    /// Reads all files, or as many as anybody wants.
    pub(super) fn run(mut self) {
        let events = self.events.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut mark = self.begin;
            for number in std::mem::take(&mut self.numbers) {
                self.read(number, mark)?;
                mark = Mark::default();
            }
            Some(())
        }));
        if let Err(panic) = outcome {
            // Nobody listens any more only if the stream is gone.
            let _ = events.send(Event::Died(panic_message(&*panic)));
        }
    }

    /// Reads one file. `None` if the stream is gone.
    fn read(&mut self, number: usize, mark: Mark) -> Option<()> {
        let mut file = match OpenFile::open(&*self.opener, &self.files[number], mark) {
            Ok(file) => file,
            Err(error) => return self.say(Event::Failed(error)),
        };
        loop {
            match file.next(&mut self.room, decoded_bytes::<R>)? {
                Piece::Chunk { mark, chunk, permit } => {
                    let (reply, rows) = bounded(1);
                    self.say(Event::Chunk { mark, rows })?;
                    self.jobs.send(Job { chunk, permit, reply }).ok()?;
                }
                Piece::Bad { mark, row } => self.say(Event::Bad { mark, row })?,
                Piece::Failed(error) => return self.say(Event::Failed(error)),
                Piece::End => return self.say(Event::End),
            }
        }
    }

    fn say(&self, event: Event<R>) -> Option<()> {
        self.events.send(event).ok()
    }
}

/// The memory for what is read.
pub(super) struct Room {
    pub(super) budget: Arc<Budget>,
    /// What the next chunk is expected to cost, in bytes.
    pub(super) expected_bytes: u64,
}

/// A file being read.
pub(super) struct OpenFile {
    reader: Box<dyn ChunkReader>,
}

/// What is next in a file.
pub(super) enum Piece {
    /// Rows to decode, with the memory that they take.
    Chunk { mark: Mark, chunk: Chunk, permit: Permit },
    /// A row that has no bytes to decode.
    Bad { mark: Mark, row: Box<BadRow> },
    /// The file is over before its end.
    Failed(DatasetError),
    /// The file is over.
    End,
}

impl OpenFile {
    pub(super) fn open(opener: &Opener, path: &Path, mark: Mark) -> Result<Self, DatasetError> {
        opener(path, mark).map(|reader| Self { reader })
    }

    /// Waits for room and reads on. `None` if the stream is gone.
    ///
    /// `decoded_bytes` estimates what the rows of a chunk take once they are decoded.
    pub(super) fn next(
        &mut self,
        room: &mut Room,
        decoded_bytes: fn(&Chunk) -> u64,
    ) -> Option<Piece> {
        // Room first, then rows: what is being read counts too.
        let mut permit = room.budget.acquire(room.expected_bytes)?;
        let mark = self.reader.mark();
        let chunk = match self.reader.next_chunk() {
            None => return Some(Piece::End),
            Some(Ok(chunk)) => chunk,
            Some(Err(DatasetError::BadRow(row))) => return Some(Piece::Bad { mark, row }),
            Some(Err(error)) => return Some(Piece::Failed(error)),
        };
        let bytes = raw_bytes(&chunk).saturating_add(decoded_bytes(&chunk));
        let limit = room.budget.limit();
        if bytes > limit {
            return Some(Piece::Failed(too_large(&chunk, bytes, limit)));
        }
        permit.resize(bytes)?;
        room.expected_bytes = bytes.min(limit / 2);
        Some(Piece::Chunk { mark, chunk, permit })
    }
}

fn too_large(chunk: &Chunk, needed: u64, limit: u64) -> DatasetError {
    let what = format!(
        "memory_limit_bytes (bytes of {} rows of {}, raw and decoded; lower `batch_rows` or raise \
         the limit)",
        chunk.len(),
        chunk.file.display()
    );
    DatasetError::Limit { what, needed, limit }
}

/// The bytes of a chunk as it was read.
pub(super) fn raw_bytes(chunk: &Chunk) -> u64 {
    let bytes = match &chunk.rows {
        Rows::Lines { bytes, spans, .. } => bytes.len() + size_of::<LineSpan>() * spans.len(),
        Rows::Batch { batch, .. } => batch.columns().iter().map(|array| array_bytes(array)).sum(),
        Rows::Samples { samples, .. } => {
            samples.iter().flat_map(|sample| &sample.members).map(|m| m.bytes.len()).sum()
        }
    };
    bytes as u64
}

/// The bytes of an array's own rows, where several arrays may share one buffer.
fn array_bytes(array: &dyn Array) -> usize {
    let data = array.to_data();
    data.get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size())
}

/// An estimate of a chunk's bytes once decoded: its content again, and the records themselves.
///
/// JSON text never grows by decoding; pictures stay as they are.
pub(super) fn decoded_bytes<R>(chunk: &Chunk) -> u64 {
    let rows = chunk.len() * size_of::<Result<R, usize>>();
    raw_bytes(chunk).saturating_add(rows as u64)
}

pub(super) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
