//! Containers: files of rows, read as [`Chunk`]s and written atomically.
//!
//! [`detect`] says what a file is by its content, [`open`] reads it from the start, [`open_at`] from
//! a [`Mark`]. All readers hold one chunk at a time; a damaged file yields the good rows before the
//! damage, then a [`BadRow`](crate::BadRow), never a panic. A cut file yields every whole row. Where
//! the bytes inside a compressor's stream are damaged, what its last step brought is lost with it:
//! up to 4 KiB for gzip, a block (128 KiB) for zstd.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::error::DatasetError;
use crate::row::Chunk;

mod array;
mod arrow_block;
mod arrow_file;
mod arrow_stream;
mod columns;
mod detect;
mod lines;
mod open;
mod options;
mod parquet_file;
mod parquet_footer;
mod pending;
mod prune;
mod source;
mod tar_file;
#[cfg(test)]
mod tests;
mod window;
mod write;

pub use options::{BlankLines, RangeValue, ReadOptions, RowFilterRange};
pub use source::FileRanges;
pub use write::{
    ArrowForm, ArrowOptions, ArrowWriter, BlockCompression, JsonLinesWriter, ParquetOptions,
    ParquetWriter, TarWriter,
};

/// The ways in which files hold rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Container {
    /// One JSON value per line.
    JsonLines,
    /// One JSON document: each element of a top-level array is a row; any other value is one row.
    JsonArray,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC with a footer (Feather version 2).
    ArrowFile,
    /// Arrow IPC as a stream.
    ArrowStream,
    /// A tar file of WebDataset samples.
    Tar,
}

/// What a whole file is compressed with. (Compression inside Parquet and Arrow is their own.)
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Gzip, also of several members.
    Gzip,
    /// Zstandard, also of several frames.
    Zstd,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Detected {
    /// How it holds rows.
    pub container: Container,
    /// What is around that.
    pub compression: Compression,
}

/// A place between two rows of a file, from which reading can go on.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Mark {
    /// Rows before it, bad rows included, blank lines not.
    pub row: u64,
    /// In JSON lines: the lines before it, blank ones included. In a JSON document: 1 once it has
    /// ended. 0 in everything else.
    pub line: u64,
    /// Bytes of the uncompressed file before it. 0 in columnar files.
    pub offset: u64,
}

/// Reads the rows of one file, in order.
pub trait ChunkReader: Send {
    /// The next rows; `None` at the end. No chunk is empty.
    ///
    /// After `Err(DatasetError::BadRow)` reading may go on; after any other error it is over and
    /// `None` follows.
    fn next_chunk(&mut self) -> Option<Result<Chunk, DatasetError>>;

    /// Where the next chunk or bad row begins; [`open_at`] goes on there.
    fn mark(&self) -> Mark;
}

/// Bytes that can be read at any place: a file, an object in a store.
pub trait RangeRead: Send + Sync {
    /// The length, in bytes.
    fn n_bytes(&self) -> u64;

    /// Reads exactly `len` bytes from `offset`.
    ///
    /// # Errors
    ///
    /// If the storage fails or the range reaches past the end.
    fn read_range(&self, offset: u64, len: usize) -> std::io::Result<bytes::Bytes>;
}

/// Says what a file is: by its content (also inside gzip and zstd), and by its name only where the
/// content leaves the choice.
///
/// # Errors
///
/// [`DatasetError::UnknownContainer`] if it is nothing known, [`DatasetError::Io`] if it cannot be
/// read.
pub fn detect(path: &Path) -> Result<Detected, DatasetError> {
    detect::detect(path)
}

/// Opens a file at its first row.
///
/// # Errors
///
/// What [`detect`] says; [`DatasetError::Container`] if the file breaks its format before the first
/// row; [`DatasetError::MissingColumn`], [`DatasetError::Unsupported`], [`DatasetError::Option`].
///
/// # Examples
///
/// ```
/// use puyu_dataset::container::{ReadOptions, open, open_at};
/// use puyu_dataset::{DatasetError, RawRow};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("诗.jsonl");
/// std::fs::write(&path, "{\"id\": \"春\"}\n\n{\"id\": \"spring\"}\n")?;
///
/// let options = ReadOptions { chunk_bytes: 16, ..Default::default() };
/// let mut reader = open(&path, &options)?;
/// let chunk = reader.next_chunk().expect("two rows")?;
/// assert!(matches!(chunk.row(0), RawRow::Json(json) if json == "{\"id\": \"春\"}".as_bytes()));
///
/// let mut rest = open_at(&path, &options, reader.mark())?;
/// let chunk = rest.next_chunk().expect("one row")?;
/// assert_eq!(chunk.location(0).row, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open(path: &Path, options: &ReadOptions) -> Result<Box<dyn ChunkReader>, DatasetError> {
    open_at(path, options, Mark::default())
}

/// Opens a file at a mark that [`ChunkReader::mark`] gave (with equal options).
///
/// Seeks where the container can: plain JSON lines and tar files by byte, Parquet by row group and
/// page, Arrow files by block. Compressed files are read up to the mark.
///
/// # Errors
///
/// As [`open`]; [`DatasetError::State`] if the mark lies outside the file.
pub fn open_at(
    path: &Path,
    options: &ReadOptions,
    mark: Mark,
) -> Result<Box<dyn ChunkReader>, DatasetError> {
    options.validate()?;
    let detected = detect(path)?;
    open::file(path, detected, options, mark)
}

/// Opens a stream of bytes, such as a download, at its first row. `name` is for messages.
///
/// # Errors
///
/// As [`open`]; [`DatasetError::Unsupported`] for Parquet and Arrow files, which begin at their
/// end: see [`open_ranges`].
pub fn open_bytes(
    name: &Path,
    reader: Box<dyn Read + Send>,
    detected: Detected,
    options: &ReadOptions,
) -> Result<Box<dyn ChunkReader>, DatasetError> {
    options.validate()?;
    open::stream(name, reader, detected, options)
}

/// Opens bytes that can be read at any place, such as an object in a store, at a mark.
///
/// # Errors
///
/// As [`open_at`].
pub fn open_ranges(
    name: &Path,
    ranges: Arc<dyn RangeRead>,
    options: &ReadOptions,
    mark: Mark,
) -> Result<Box<dyn ChunkReader>, DatasetError> {
    options.validate()?;
    open::ranges(name, ranges, options, mark)
}
