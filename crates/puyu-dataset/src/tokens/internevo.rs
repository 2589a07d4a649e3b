//! InternEvo's token files: `x.bin`, one JSON line per document, and `x.bin.meta`, where they are.
//!
//! Source: `tools/tokenizer.py` and `internlm/data/tokenized/` of InternEvo. A negative id is a
//! token that is read but not trained: input `abs(id)`, label −100. So token 0 is always trained.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use super::files::{Foreign, with_suffix};
use super::mask::Document;
use super::npy::{self, Table};
use crate::atomic::AtomicFile;
use crate::error::DatasetError;
use crate::fault::{Fault, FaultKind, Location};

const FORMAT: &str = "InternEvo .bin.meta";

/// The documents of an InternEvo `.bin` file.
///
/// # Examples
///
/// ```
/// use puyu_dataset::tokens::{Document, InternEvoReader, InternEvoWriter};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("cn.bin");
/// // A prompt that is read, and an answer that is trained.
/// let document = Document { ids: vec![1, 68_415, 2], trained: Some(vec![false, true, true]) };
/// let mut writer = InternEvoWriter::create(&path)?;
/// writer.push(&document)?;
/// writer.finish()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "{\"tokens\": [-1, 68415, 2]}\n");
/// assert_eq!(InternEvoReader::open(&path)?.document(0)?, document);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct InternEvoReader {
    path: Arc<Path>,
    bytes: Bytes,
    table: Table,
}

#[derive(Deserialize)]
struct Line {
    tokens: Vec<i64>,
}

impl InternEvoReader {
    /// Opens a `.bin` file and the `.bin.meta` beside it.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Container`] if the meta file is none, or points outside of the `.bin` file;
    /// [`DatasetError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        let meta = with_suffix(path, ".meta");
        let file = Foreign { path: &meta, format: FORMAT };
        let table = npy::parse(&file, &crate::mapped::map(&meta)?)?;
        let bytes = crate::mapped::map(path)?;
        for index in 0..table.len() {
            let [offset, n_tokens] = table.row(index);
            let inside = usize::try_from(offset).is_ok_and(|offset| offset < bytes.len());
            if !inside {
                let expected = format!("0 to {}, inside the .bin file", bytes.len());
                return Err(file.violation("offset", expected, offset));
            }
            if n_tokens < 0 {
                return Err(file.violation("token count", "0 or more", n_tokens));
            }
        }
        Ok(Self { path: path.into(), bytes, table })
    }

    /// How many documents there are.
    pub fn n_documents(&self) -> u64 {
        self.table.len() as u64
    }

    /// The length of each document, in tokens, as the meta file says.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        // Negative counts were refused when the file was opened.
        (0..self.table.len()).map(|index| self.table.row(index)[1].unsigned_abs())
    }

    /// Reads document `index`.
    ///
    /// # Errors
    ///
    /// [`DatasetError::BadRow`] with the line and byte.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`n_documents`](Self::n_documents).
    pub fn document(&self, index: u64) -> Result<Document, DatasetError> {
        assert!(index < self.n_documents(), "document {index} of {}", self.n_documents());
        let [offset, n_tokens] = self.table.row(index as usize);
        self.parse(offset as usize, n_tokens).map_err(|fault| {
            let offset = Some(offset as u64);
            fault.at(Location { file: self.path.clone(), row: index + 1, offset }).into()
        })
    }

    /// All documents, in order.
    pub fn documents(&self) -> impl Iterator<Item = Result<Document, DatasetError>> + '_ {
        (0..self.n_documents()).map(|index| self.document(index))
    }

    fn parse(&self, offset: usize, n_tokens: i64) -> Result<Document, Fault> {
        if offset > 0 && self.bytes[offset - 1] != b'\n' {
            let found = format!("byte {offset}, inside of a line");
            return Err(Fault::row(FaultKind::Container, "the beginning of a line", found));
        }
        let rest = &self.bytes[offset..];
        let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        let line: Line = serde_json::from_slice(line).map_err(|error| {
            Fault::row(FaultKind::Json, "{\"tokens\": [...]}", error.to_string())
        })?;
        if line.tokens.len() as i64 != n_tokens {
            let expected = format!("{n_tokens} tokens, as the meta file says");
            let found = line.tokens.len().to_string();
            return Err(Fault::field(FaultKind::Value, "tokens", expected, found));
        }
        let ids = line.tokens.iter().enumerate().map(|(place, &token)| {
            u32::try_from(token.unsigned_abs()).map_err(|_| {
                let field = format!("tokens[{place}]");
                Fault::field(FaultKind::Value, field, "an id below 2^32", token.to_string())
            })
        });
        let ids = ids.collect::<Result<_, _>>()?;
        let trained = line
            .tokens
            .iter()
            .any(|&token| token < 0)
            .then(|| line.tokens.iter().map(|&token| token >= 0).collect());
        Ok(Document { ids, trained })
    }
}

/// Writes an InternEvo `.bin` file and its `.bin.meta`, byte for byte as the Python tool does.
///
/// The meta file has the Python tool's four-byte numbers while they suffice, eight-byte ones beyond
/// 2 GiB, where the tool's own numbers overflow.
pub struct InternEvoWriter {
    path: PathBuf,
    out: AtomicFile,
    offset: i64,
    rows: Vec<[i64; 2]>,
}

impl InternEvoWriter {
    /// Begins the file `path`, which should end in `.bin`.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, DatasetError> {
        let path = path.into();
        Ok(Self { out: AtomicFile::create(&path)?, path, offset: 0, rows: Vec::new() })
    }

    /// Appends a document.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Unsupported`] for a token 0 that is not trained, which the format cannot
    /// say; [`DatasetError::Io`].
    ///
    /// # Panics
    ///
    /// If there are marks, but not as many as tokens.
    pub fn push(&mut self, document: &Document) -> Result<(), DatasetError> {
        let Document { ids, trained } = document;
        let mut line = String::from("{\"tokens\": [");
        if let Some(trained) = trained {
            assert_eq!(trained.len(), ids.len(), "one mark for each token");
        }
        for (place, &id) in ids.iter().enumerate() {
            let is_trained = trained.as_ref().is_none_or(|trained| trained[place]);
            if id == 0 && !is_trained {
                return Err(DatasetError::Unsupported {
                    path: self.path.clone(),
                    what: format!("token 0 (at {place}) that is not trained"),
                    hint: "InternEvo marks such tokens by a minus sign, which 0 has not".to_owned(),
                });
            }
            line.push_str(if place > 0 { ", " } else { "" });
            line.push_str(if is_trained { "" } else { "-" });
            line.push_str(&id.to_string());
        }
        line.push_str("]}\n");
        self.out.append(line.as_bytes())?;
        self.rows.push([self.offset, ids.len() as i64]);
        self.offset += line.len() as i64;
        Ok(())
    }

    /// Puts both files into their places, the meta file last.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn finish(self) -> Result<(), DatasetError> {
        self.out.commit()?;
        let mut meta = AtomicFile::create(&with_suffix(&self.path, ".meta"))?;
        meta.append(&npy::format(&self.rows))?;
        meta.commit()
    }
}

impl std::fmt::Debug for InternEvoWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n_documents = self.rows.len();
        f.debug_struct("InternEvoWriter")
            .field("path", &self.path)
            .field("n_documents", &n_documents)
            .finish_non_exhaustive()
    }
}
