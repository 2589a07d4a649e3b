//! Writing JSON lines.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Output;
use crate::container::Compression;
use crate::error::DatasetError;

/// Writes JSON lines, plain or compressed.
///
/// ```
/// use puyu_dataset::container::{Compression, JsonLinesWriter, ReadOptions, open};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("诗.jsonl.zst");
/// let mut writer = JsonLinesWriter::create(&path, Compression::Zstd)?;
/// writer.write(&serde_json::json!({"id": "a", "content": "床前明月光"}))?;
/// writer.finish()?;
///
/// let mut reader = open(&path, &ReadOptions::default())?;
/// assert_eq!(reader.next_chunk().unwrap()?.len(), 1);
/// assert!(reader.next_chunk().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JsonLinesWriter {
    output: Output,
    path: PathBuf,
    line: Vec<u8>,
}

impl JsonLinesWriter {
    /// Begins a file. It appears under its name at [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be written.
    pub fn create(path: &Path, compression: Compression) -> Result<Self, DatasetError> {
        let output = Output::create(path, compression)?;
        Ok(Self { output, path: path.to_owned(), line: Vec::new() })
    }

    /// Writes one row.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`]; [`DatasetError::Container`] if the value has no JSON form, in which
    /// case nothing of it is written.
    pub fn write<T: Serialize + ?Sized>(&mut self, row: &T) -> Result<(), DatasetError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, row).map_err(|error| DatasetError::Container {
            path: self.path.clone(),
            format: "JSON lines",
            source: error.into(),
        })?;
        self.end_line()
    }

    /// Writes one row that is JSON already. Line ends inside it, which in JSON can only be white
    /// space, become spaces.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn write_raw(&mut self, json: &[u8]) -> Result<(), DatasetError> {
        self.line.clear();
        let on_one_line = |byte: &u8| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
        self.line.extend(json.iter().map(on_one_line));
        self.end_line()
    }

    fn end_line(&mut self) -> Result<(), DatasetError> {
        self.line.push(b'\n');
        self.output.write_all(&self.line).map_err(DatasetError::io("write", &self.path))
    }

    /// Puts the file in place.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn finish(self) -> Result<(), DatasetError> {
        self.output.finish(&self.path)
    }
}
