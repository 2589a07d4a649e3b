//! Files of fixed-size records behind an 88-byte header, written all or nothing.
//!
//! Little-endian: magic (8 bytes), blake3 fingerprint of what must agree (32), records (8), four
//! numbers of the owner (32), xxh3 of the header so far (8).

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::NamedTempFile;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::DatasetError;

const HEADER_BYTES: usize = 88;

/// What kind of file it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) magic: [u8; 8],
    pub(super) format: &'static str,
    pub(super) record_bytes: usize,
}

/// A file that appears under its name only when it is complete.
pub(super) struct AtomicFile {
    path: PathBuf,
    layout: Layout,
    file: BufWriter<NamedTempFile>,
    bytes: u64,
}

impl AtomicFile {
    pub(super) fn create(path: &Path, layout: Layout) -> Result<Self, DatasetError> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let file = NamedTempFile::new_in(folder).map_err(DatasetError::io("write", path))?;
        let mut file = Self { path: path.to_owned(), layout, file: BufWriter::new(file), bytes: 0 };
        file.write(&[0; HEADER_BYTES])?;
        file.bytes = 0;
        Ok(file)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), DatasetError> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(DatasetError::io("write", &self.path))
    }

    /// Writes the header, flushes to the disk and gives the file its name.
    pub(super) fn commit(self, fingerprint: [u8; 32], own: [u64; 4]) -> Result<(), DatasetError> {
        let Self { path, layout, file, bytes } = self;
        let header = header(layout, fingerprint, bytes / layout.record_bytes as u64, own);
        let finish = || -> std::io::Result<()> {
            let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        finish().map_err(DatasetError::io("write", &path))
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
