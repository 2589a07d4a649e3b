//! WebDataset tar files: members that follow each other and share a key are one sample.
//!
//! Nothing is written anywhere, so a member named `../../etc/passwd` is only a key. Links, folders
//! and members without an extension are passed over, as `webdataset` does.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::pending::{Pending, next_item};
use super::source::{Broken, Input};
use super::{ChunkReader, Compression, Mark, ReadOptions};
use crate::error::DatasetError;
use crate::fault::{Fault, FaultKind, excerpt};
use crate::row::{Chunk, Member, Rows, Sample};

const BLOCK_BYTES: u64 = 512;

/// The most bytes read to get at one member: its header, with a long name or a PAX record before
/// it. The `tar` crate holds these in memory.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// Groups the members of a tar file.
pub(super) struct TarReader {
    input: Metered,
    compression: Compression,
    chunk_bytes: usize,
    max_row_bytes: usize,
    /// The sample whose members are coming in.
    building: Option<Building>,
    ready: Vec<Sample>,
    ready_at: Mark,
    ready_bytes: usize,
    /// Samples finished.
    row: u64,
    ended: bool,
    pending: Pending,
}

struct Building {
    sample: Sample,
    at: Mark,
    n_bytes: u64,
    fault: Option<Fault>,
}

/// One member, or what is in its place.
enum Step {
    /// No member of a sample: a folder, a link, a file without an extension.
    Passed,
    Member {
        key: String,
        extension: String,
        content: Content,
    },
    End,
}

enum Content {
    Kept(Bytes, u64),
    TooLarge(u64),
    Cut(u64),
}

impl TarReader {
    /// Reads from `at`, where `input` must already be.
    pub(super) fn new(path: &Path, input: Input, options: &ReadOptions, at: Mark) -> Self {
        let compression = input.compression;
        let reader = io::BufReader::with_capacity(256 << 10, input.reader);
        Self {
            input: Metered {
                reader: Box::new(reader),
                at: at.offset,
                left: Arc::new(AtomicU64::new(0)),
            },
            compression,
            chunk_bytes: options.chunk_bytes,
            max_row_bytes: options.max_row_bytes,
            building: None,
            ready: Vec::new(),
            ready_at: at,
            ready_bytes: 0,
            row: at.row,
            ended: false,
            pending: Pending::new(path),
        }
    }

    /// Reads one member.
    fn advance(&mut self) {
        let at = Mark { row: self.row, line: 0, offset: self.input.at };
        match self.step() {
            Ok(Step::Passed) => {}
            Ok(Step::Member { key, extension, content }) => {
                if self.building.as_ref().is_some_and(|building| building.sample.key != key) {
                    self.finish_sample();
                }
                self.add(at, key, extension, content);
                if self.ready_bytes >= self.chunk_bytes {
                    self.flush();
                }
            }
            Ok(Step::End) => {
                self.finish_sample();
                self.flush();
                self.ended = true;
            }
            Err(error) => self.break_off(at, error),
        }
    }

    /// Reads the next header and its content.
    fn step(&mut self) -> io::Result<Step> {
        self.input.pad()?;
        self.input.left.store(MAX_HEADER_BYTES, Ordering::Relaxed);
        let room = self.building.as_ref().map(|b| (b.sample.key.clone(), b.n_bytes));
        let max_row_bytes = self.max_row_bytes as u64;
        let left = self.input.left.clone();
        let begin = self.input.at;
        let mut archive = tar::Archive::new(&mut self.input);
        let Some(entry) = archive.entries()?.next() else {
            return Ok(Step::End);
        };
        let mut entry = entry?;
        left.store(u64::MAX, Ordering::Relaxed);
        let kind = entry.header().entry_type();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let size = entry.size();
        let is_file = kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse();
        let split = if is_file { split_name(&name) } else { None };
        let Some((key, extension)) = split else {
            let passed = io::copy(&mut entry, &mut io::sink())?;
            return if passed < size { Err(cut()) } else { Ok(Step::Passed) };
        };
        let held = room.filter(|(building, _)| *building == key).map_or(0, |(_, held)| held);
        let offset = begin + entry.raw_file_position();
        let content = if held.saturating_add(weight(size)) > max_row_bytes {
            let passed = io::copy(&mut entry, &mut io::sink())?;
            if passed < size { Content::Cut(passed) } else { Content::TooLarge(size) }
        } else {
            // `size` is a claim: memory is only asked for as bytes come.
            let mut bytes = Vec::with_capacity(size.min(1 << 20) as usize);
            entry.read_to_end(&mut bytes)?;
            match bytes.len() as u64 {
                read if read < size => Content::Cut(read),
                _ => Content::Kept(bytes.into(), offset),
            }
        };
        Ok(Step::Member { key, extension, content })
    }

    fn add(&mut self, at: Mark, key: String, extension: String, content: Content) {
        // A sample that was finished just now moved the row on.
        let at = Mark { row: self.row, ..at };
        let building = self.building.get_or_insert_with(|| Building {
            sample: Sample { key, members: Vec::new() },
            at,
            n_bytes: 0,
            fault: None,
        });
        match content {
            Content::Cut(read) => {
                let found = format!("the end of the file after {read} bytes");
                let expected = format!("the rest of `.{}`", excerpt(&extension));
                building.fault = Some(Fault::row(FaultKind::Truncated, expected, found));
                self.ended = true;
                self.finish_sample();
                self.flush();
            }
            Content::TooLarge(size) => {
                building.n_bytes = building.n_bytes.saturating_add(weight(size));
                building.sample.members = Vec::new();
                let expected = format!("at most {} bytes", self.max_row_bytes);
                let found = format!("{} bytes", building.n_bytes);
                building.fault = Some(Fault::row(FaultKind::Size, expected, found));
            }
            // After a fault the sample is lost: what follows of it is not held.
            Content::Kept(..) if building.fault.is_some() => {}
            Content::Kept(bytes, offset) => {
                building.n_bytes += weight(bytes.len() as u64);
                if building.sample.member(&extension).is_some() {
                    let found = format!("`.{}` twice", excerpt(&extension));
                    let expected = "each extension once in a sample";
                    building.fault = Some(Fault::row(FaultKind::DuplicateKey, expected, found));
                    building.sample.members = Vec::new();
                } else {
                    building.sample.members.push(Member { extension, bytes, offset });
                }
            }
        }
    }

    fn finish_sample(&mut self) {
        let Some(Building { sample, at, n_bytes, fault }) = self.building.take() else {
            return;
        };
        match fault {
            Some(fault) => {
                self.flush();
                self.pending.fault(at, at.row + 1, Some(at.offset), fault);
            }
            None => {
                if self.ready.is_empty() {
                    self.ready_at = at;
                }
                self.ready.push(sample);
                self.ready_bytes += usize::try_from(n_bytes).unwrap_or(usize::MAX);
            }
        }
        self.row += 1;
    }

    fn flush(&mut self) {
        let samples = std::mem::take(&mut self.ready);
        self.ready_bytes = 0;
        if !samples.is_empty() {
            let first_row = self.ready_at.row + 1;
            self.pending.rows(self.ready_at, Rows::Samples { samples, first_row });
        }
    }

    /// The end of a file that cannot be read further. The sample before the damage may lack a
    /// member, so it is the bad one.
    fn break_off(&mut self, at: Mark, error: io::Error) {
        self.ended = true;
        let broken = match is_storage(&error, self.compression) {
            true => {
                Input { reader: Box::new(io::empty()), compression: self.compression }.broken(error)
            }
            false
                if error.kind() == io::ErrorKind::UnexpectedEof
                    || error.to_string() == "failed to read entire block" =>
            {
                let found = "the end of the file";
                Broken::Data(Fault::row(FaultKind::Truncated, "the rest of a member", found))
            }
            false => {
                let found = excerpt(&error.to_string());
                Broken::Data(Fault::row(FaultKind::Container, "a sound tar header", found))
            }
        };
        match broken {
            Broken::Data(fault) => {
                let building = self.building.get_or_insert_with(|| Building {
                    sample: Sample { key: String::new(), members: Vec::new() },
                    at,
                    n_bytes: 0,
                    fault: None,
                });
                building.fault = Some(fault);
                self.finish_sample();
            }
            Broken::Storage(error) => {
                self.finish_sample();
                self.flush();
                let error = DatasetError::io("read", self.pending.path())(error);
                self.pending.error(Mark { row: self.row, ..at }, error);
            }
        }
    }
}

impl ChunkReader for TarReader {
    fn next_chunk(&mut self) -> Option<Result<Chunk, DatasetError>> {
        next_item(
            self,
            |reader| &mut reader.pending,
            |reader| (!reader.ended).then(|| reader.advance()),
        )
    }

    fn mark(&self) -> Mark {
        let now = Mark { row: self.row, line: 0, offset: self.input.at };
        let ready = (!self.ready.is_empty()).then_some(self.ready_at);
        let building = self.building.as_ref().map(|building| building.at);
        self.pending.mark().or(ready).or(building).unwrap_or(now)
    }
}

/// What a member of `n_bytes` counts against the limits: empty ones are not free.
fn weight(n_bytes: u64) -> u64 {
    n_bytes.saturating_add(BLOCK_BYTES)
}

/// The key, and the extension in lower case.
fn split_name(name: &str) -> Option<(String, String)> {
    let name = name.strip_prefix("./").unwrap_or(name);
    let file_start = name.rfind('/').map_or(0, |slash| slash + 1);
    let (stem, extension) = name[file_start..].split_once('.')?;
    if stem.is_empty() || extension.is_empty() {
        return None;
    }
    Some((name[..file_start + stem.len()].to_owned(), extension.to_lowercase()))
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a cut member")
}

/// Whether an error comes from below the tar format: the file, the network or the decompressor.
fn is_storage(error: &io::Error, compression: Compression) -> bool {
    let below = error.get_ref().is_some_and(|inner| inner.is::<Below>());
    below || (compression == Compression::None && error.raw_os_error().is_some())
}

/// Marks an error of the stream below.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Below(#[source] io::Error);

/// A stream that knows where it is, and lets a limited number of bytes through.
struct Metered {
    reader: Box<dyn Read + Send>,
    at: u64,
    left: Arc<AtomicU64>,
}

impl Metered {
    /// Goes to the next multiple of a block.
    fn pad(&mut self) -> io::Result<()> {
        self.left.store(BLOCK_BYTES, Ordering::Relaxed);
        let padding = self.at.next_multiple_of(BLOCK_BYTES) - self.at;
        io::copy(&mut self.take(padding), &mut io::sink()).map(|_| ())
    }
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other(format!("a header of over {MAX_HEADER_BYTES} bytes")));
        }
        let len = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match self.reader.read(&mut buffer[..len]) {
            Ok(n_bytes) => {
                self.at += n_bytes as u64;
                if left != u64::MAX {
                    self.left.store(left - n_bytes as u64, Ordering::Relaxed);
                }
                Ok(n_bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::new(error.kind(), Below(error))),
        }
    }
}
