//! Files of fixed-size records behind an 88-byte header, written all or nothing.
//!
//! Little-endian: magic (8 bytes), blake3 fingerprint of what must agree (32), records (8), four
//! numbers of the owner (32), xxh3 of the header so far (8).

use std::io::Seek;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::atomic::AtomicFile;
use crate::error::DatasetError;

const HEADER_BYTES: usize = 88;

/// What kind of file it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) magic: [u8; 8],
    pub(super) format: &'static str,
    pub(super) record_bytes: usize,
}

/// Writes a file of records, which appears under its name only when it is complete.
pub(super) struct RecordFile {
    path: PathBuf,
    layout: Layout,
    file: AtomicFile,
    bytes: u64,
}

impl RecordFile {
    pub(super) fn create(path: &Path, layout: Layout) -> Result<Self, DatasetError> {
        let mut file = AtomicFile::create(path)?;
        file.append(&[0; HEADER_BYTES])?;
        Ok(Self { path: path.to_owned(), layout, file, bytes: 0 })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), DatasetError> {
        self.bytes += bytes.len() as u64;
        self.file.append(bytes)
    }

    /// Writes the header, flushes to the disk and gives the file its name.
    pub(super) fn commit(self, fingerprint: [u8; 32], own: [u64; 4]) -> Result<(), DatasetError> {
        let Self { path, layout, mut file, bytes } = self;
        let header = header(layout, fingerprint, bytes / layout.record_bytes as u64, own);
        file.rewind().map_err(DatasetError::io("write", &path))?;
        file.append(&header)?;
        file.commit()
    }
}

fn header(layout: Layout, fingerprint: [u8; 32], records: u64, own: [u64; 4]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend(layout.magic);
    header.extend(fingerprint);
    header.extend(records.to_le_bytes());
    header.extend(own.iter().flat_map(|number| number.to_le_bytes()));
    header.extend(xxh3_64(&header).to_le_bytes());
    header
}

/// A complete file, mapped.
#[derive(Debug, Clone)]
pub(super) struct Mapped {
    bytes: Bytes,
    pub(super) fingerprint: [u8; 32],
    pub(super) n_records: u64,
    pub(super) own: [u64; 4],
}

impl Mapped {
    pub(super) fn records(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }
}

/// Maps a file and checks its header and length.
pub(super) fn open_layout(path: &Path, layout: Layout) -> Result<Mapped, DatasetError> {
    let bytes = crate::mapped::map(path)?;
    let damaged = |what, expected: String, found: String| DatasetError::Damaged {
        path: path.to_owned(),
        what,
        expected,
        found,
    };
    if bytes.len() < HEADER_BYTES || bytes[..8] != layout.magic {
        let found = format!("{} bytes that begin otherwise", bytes.len());
        return Err(damaged("header", format!("a {} file", layout.format), found));
    }
    let (numbers, _) = bytes[40..HEADER_BYTES].as_chunks::<8>();
    let number = |i: usize| u64::from_le_bytes(numbers[i]);
    let sum = xxh3_64(&bytes[..80]);
    if number(5) != sum {
        let found = format!("{:016x}", number(5));
        return Err(damaged("header checksum", format!("{sum:016x}"), found));
    }
    let body = (bytes.len() - HEADER_BYTES) as u64;
    let n_records = number(0);
    if n_records.checked_mul(layout.record_bytes as u64) != Some(body) {
        let expected = format!("{n_records} records of {} bytes", layout.record_bytes);
        return Err(damaged("length", expected, format!("{body} bytes")));
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(&bytes[8..40]);
    Ok(Mapped { fingerprint, n_records, own: std::array::from_fn(|i| number(i + 1)), bytes })
}
