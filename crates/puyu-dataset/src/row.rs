//! Rows before they have a type, and the two contracts around them.
//!
//! Containers yield [`Chunk`]s of raw rows; a [`Record`] is made from one raw row; an order over
//! many rows needs no more of its data than a [`RowSource`].

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;

use crate::error::DatasetError;
use crate::fault::{Fault, Location};

/// One row as its container holds it.
#[derive(Debug, Clone, Copy)]
pub enum RawRow<'a> {
    /// One JSON value without the line end. Not yet known to be UTF-8.
    Json(&'a [u8]),
    /// Row `.1` of an Arrow batch.
    Columns(&'a RecordBatch, usize),
    /// One WebDataset sample.
    Members(&'a Sample),
}

/// The members of a tar file that share one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The path up to the first dot of the file name.
    pub key: String,
    /// In the order of the tar file.
    pub members: Vec<Member>,
}

/// One file of a tar sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What follows the first dot of the file name, in lower case: `jpg`, `json`, `seg.png`.
    pub extension: String,
    /// The content.
    pub bytes: Bytes,
    /// Where the content begins in the (uncompressed) tar file, in bytes.
    pub offset: u64,
}

impl Sample {
    /// The content of the member with this extension.
    pub fn member(&self, extension: &str) -> Option<&Bytes> {
        self.members.iter().find(|m| m.extension == extension).map(|m| &m.bytes)
    }
}

/// A form that rows can be read into.
pub trait Record: Sized + Send + 'static {
    /// The form's name in messages and on command lines, for example `wanjuan-text`.
    const FORM: &'static str;

    /// The columns that columnar files need to decode; `None` for all of them.
    fn columns() -> Option<&'static [&'static str]> {
        None
    }

    /// Reads one row.
    ///
    /// # Errors
    ///
    /// The first [`Fault`] of the row. Never panics, whatever the bytes.
    fn decode(row: RawRow<'_>) -> Result<Self, Fault>;
}

/// Consecutive rows of one file, held in memory together.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The file.
    pub file: Arc<Path>,
    /// The rows.
    pub rows: Rows,
}

/// The rows of a [`Chunk`].
#[derive(Debug, Clone)]
pub enum Rows {
    /// Lines (or array elements) of JSON, inside one buffer.
    Lines {
        /// The buffer.
        bytes: Bytes,
        /// Where `bytes` begins in the uncompressed file.
        offset: u64,
        /// The rows, in order. Blank lines are not among them.
        spans: Vec<LineSpan>,
    },
    /// Rows of a columnar file.
    Batch {
        /// The columns.
        batch: RecordBatch,
        /// The number of the first row, counted from 1.
        first_row: u64,
    },
    /// Tar samples.
    Samples {
        /// The samples.
        samples: Vec<Sample>,
        /// The number of the first sample, counted from 1.
        first_row: u64,
    },
}

/// One line inside the buffer of [`Rows::Lines`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineSpan {
    /// First byte, relative to the buffer.
    pub start: u32,
    /// Length without the line end, in bytes.
    pub len: u32,
    /// The line's number in the file, counted from 1, blank lines included.
    pub line: u64,
}

impl Chunk {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Lines { spans, .. } => spans.len(),
            Rows::Batch { batch, .. } => batch.num_rows(),
            Rows::Samples { samples, .. } => samples.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `index` of this chunk.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    pub fn row(&self, index: usize) -> RawRow<'_> {
        match &self.rows {
            Rows::Lines { bytes, spans, .. } => {
                let LineSpan { start, len, .. } = spans[index];
                RawRow::Json(&bytes[start as usize..][..len as usize])
            }
            Rows::Batch { batch, .. } => RawRow::Columns(batch, index),
            Rows::Samples { samples, .. } => RawRow::Members(&samples[index]),
        }
    }

    /// Where row `index` is.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    pub fn location(&self, index: usize) -> Location {
        let (row, offset) = match &self.rows {
            Rows::Lines { offset, spans, .. } => {
                (spans[index].line, Some(offset + u64::from(spans[index].start)))
            }
            Rows::Batch { first_row, .. } => (first_row + index as u64, None),
            Rows::Samples { samples, first_row } => {
                let offset = samples[index].members.first().map(|member| member.offset);
                (first_row + index as u64, offset)
            }
        };
        Location { file: self.file.clone(), row, offset }
    }
}

/// What identifies data: a blake3 hash over everything that decides which row is which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(#[serde(with = "hex")] pub [u8; 32]);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&blake3::Hash::from_bytes(*bytes).to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let hash = blake3::Hash::from_hex(&text).map_err(D::Error::custom)?;
        Ok(*hash.as_bytes())
    }
}

/// Rows that can be read by number: all that an order over them needs to know.
///
/// A row may itself be a `Result`, so that one bad row does not hide its neighbours.
pub trait RowSource: Send + Sync {
    /// What reading yields for each row.
    type Row: Send;

    /// How many rows there are.
    fn n_rows(&self) -> u64;

    /// What identifies this data. Equal fingerprints mean equal rows in equal places.
    fn fingerprint(&self) -> Fingerprint;

    /// Reads consecutive rows, exactly as many as asked for.
    ///
    /// # Errors
    ///
    /// If the storage fails, or `rows` reaches past [`n_rows`](Self::n_rows).
    fn read(&self, rows: Range<u64>) -> Result<Vec<Self::Row>, DatasetError>;
}
