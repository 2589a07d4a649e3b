//! The file of rows that could not be read.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::atomic::{folder_of, sync_folder};
use crate::error::DatasetError;
use crate::fault::BadRow;
use crate::row::RawRow;

/// How much of a row is kept. 64 KiB: whole documents in all but rare cases, and a million bad rows
/// still fit on a disk.
const RAW_CAP_BYTES: usize = 64 << 10;

/// A row as it was, shortened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Raw {
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    raw_bytes: usize,
}

impl Raw {
    /// Keeps JSON text, and the key of a tar sample. Columns have no raw form.
    pub(super) fn of(row: RawRow<'_>) -> Option<Self> {
        match row {
            RawRow::Json(bytes) => Some(Self::of_bytes(bytes)),
            RawRow::Members(sample) => Some(Self::of_bytes(sample.key.as_bytes())),
            RawRow::Columns(..) => None,
        }
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(RAW_CAP_BYTES)];
        let raw_bytes = bytes.len();
        match std::str::from_utf8(head) {
            Ok(text) => Self { raw: Some(text.to_owned()), raw_base64: None, raw_bytes },
            // Cut by the cap inside a character, not wrong in itself.
            Err(error) if error.error_len().is_none() && head.len() < bytes.len() => {
                let text = String::from_utf8_lossy(&head[..error.valid_up_to()]).into_owned();
                Self { raw: Some(text), raw_base64: None, raw_bytes }
            }
            Err(_) => Self { raw: None, raw_base64: Some(STANDARD.encode(head)), raw_bytes },
        }
    }
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(flatten)]
    bad: &'a BadRow,
    #[serde(flatten)]
    raw: Option<&'a Raw>,
}

/// Writes bad rows to `<target>.partial`, and renames it at the end.
#[derive(Debug)]
pub(super) struct Quarantine {
    target: PathBuf,
    partial: PathBuf,
    file: File,
    rows: u64,
}

impl Quarantine {
    /// Begins, with the first `rows_kept` lines of an earlier run's partial file.
    pub(super) fn open(target: &Path, rows_kept: u64) -> Result<Self, DatasetError> {
        let mut name = target.as_os_str().to_owned();
        name.push(".partial");
        let partial = PathBuf::from(name);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(rows_kept == 0)
            .truncate(rows_kept == 0)
            .open(&partial)
            .map_err(DatasetError::io("open", &partial))?;
        let mut this = Self { target: target.to_owned(), partial, file, rows: rows_kept };
        this.cut(rows_kept)?;
        Ok(this)
    }

    /// Keeps the first `rows` lines.
    fn cut(&mut self, rows: u64) -> Result<(), DatasetError> {
        let mut reader = BufReader::new(&self.file);
        let mut end = 0_u64;
        for found in 0..rows {
            let n = reader.skip_until(b'\n').map_err(DatasetError::io("read", &self.partial))?;
            if n == 0 {
                return Err(DatasetError::State {
                    what: "rows in the partial quarantine file",
                    expected: format!("{found} in {}", self.partial.display()),
                    found: rows.to_string(),
                });
            }
            end += n as u64;
        }
        self.file.set_len(end).map_err(DatasetError::io("shorten", &self.partial))?;
        self.file.seek(SeekFrom::End(0)).map_err(DatasetError::io("seek in", &self.partial))?;
        Ok(())
    }

    /// Writes one row. Without a buffer of its own, so that nothing is lost if the process ends.
    pub(super) fn push(&mut self, bad: &BadRow, raw: Option<&Raw>) -> Result<(), DatasetError> {
        let mut line = serde_json::to_vec(&Entry { bad, raw })
            .map_err(|error| DatasetError::io("write", &self.partial)(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(DatasetError::io("write", &self.partial))?;
        self.rows += 1;
        Ok(())
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends: the partial file takes its name.
    pub(super) fn finish(self) -> Result<(), DatasetError> {
        self.file.sync_all().map_err(DatasetError::io("write", &self.partial))?;
        std::fs::rename(&self.partial, &self.target)
            .map_err(DatasetError::io("rename", &self.partial))?;
        sync_folder(folder_of(&self.target))?;
        tracing::info!(rows = self.rows, file = %self.target.display(), "quarantine written");
        Ok(())
    }
}
