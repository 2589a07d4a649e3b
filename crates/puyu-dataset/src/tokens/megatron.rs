//! Megatron's indexed datasets: `x.bin`, the ids, and `x.idx`, where sequences and documents are.
//!
//! The index is, little-endian: `MMIDIDX\0\0`, `u64` version 1, `u8` code of the id's type, `u64`
//! sequences, `u64` document bounds, then `i32` lengths, `i64` byte offsets, `i64` document bounds
//! (counted in sequences, from 0 to the number of sequences).
//!
//! Source: `megatron/core/datasets/indexed_dataset.py` of Megatron-LM.

use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::files::{Foreign, with_suffix};
use super::words::{Word, Words, le_bytes};
use crate::atomic::AtomicFile;
use crate::error::DatasetError;

const MAGIC: &[u8; 9] = b"MMIDIDX\0\0";
const HEADER_BYTES: usize = 34;
const FORMAT: &str = "Megatron .idx";
/// Above this Megatron itself takes four bytes (`DType.optimal_dtype`).
const MAX_U16_VOCAB: u64 = 65_500;

/// How the ids of a `.bin` file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdType {
    U8,
    I8,
    I16,
    I32,
    I64,
    U16,
}

impl IdType {
    fn from_code(file: &Foreign<'_>, code: u8) -> Result<Self, DatasetError> {
        Ok(match code {
            1 => Self::U8,
            2 => Self::I8,
            3 => Self::I16,
            4 => Self::I32,
            5 => Self::I64,
            8 => Self::U16,
            6 | 7 => {
                return Err(DatasetError::Unsupported {
                    path: file.path.to_owned(),
                    what: format!("data type {code} (a float)"),
                    hint: "token ids are integers: codes 1 to 5 and 8".to_owned(),
                });
            }
            _ => return Err(file.violation("data type", "a code from 1 to 8", code)),
        })
    }

    fn code(self) -> u8 {
        match self {
            Self::U8 => 1,
            Self::I8 => 2,
            Self::I16 => 3,
            Self::I32 => 4,
            Self::I64 => 5,
            Self::U16 => 8,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 => 4,
            Self::I64 => 8,
        }
    }

    /// Reads one id, which may be negative: it is a stranger's.
    fn read(self, bytes: &[u8]) -> i64 {
        match self {
            Self::U8 => bytes[0].into(),
            Self::I8 => bytes[0].cast_signed().into(),
            Self::I16 => <u16 as Word>::from_le(bytes).cast_signed().into(),
            Self::U16 => <u16 as Word>::from_le(bytes).into(),
            Self::I32 => <i32 as Word>::from_le(bytes).into(),
            Self::I64 => <i64 as Word>::from_le(bytes),
        }
    }
}

/// The documents of a Megatron `.bin` and `.idx`.
///
/// # Examples
///
/// ```
/// use puyu_dataset::tokens::{MegatronReader, MegatronWriter};
///
/// let folder = tempfile::tempdir()?;
/// let prefix = folder.path().join("wanjuan_text_document");
/// let mut writer = MegatronWriter::create(&prefix, 92_544)?;
/// writer.push(&[1, 68_415, 2])?;
/// writer.push(&[1, 2])?;
/// writer.finish()?;
/// let reader = MegatronReader::open(&prefix)?;
/// assert_eq!(reader.n_documents(), 2);
/// assert_eq!(reader.document(0)?, [1, 68_415, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MegatronReader {
    path: PathBuf,
    ids: Bytes,
    id_type: IdType,
    lengths: Words<i32>,
    pointers: Words<i64>,
    documents: Words<i64>,
}

impl MegatronReader {
    /// Opens `<prefix>.bin` and `<prefix>.idx`, and checks that the index fits.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Container`] if the index is none or points outside of the `.bin` file,
    /// [`DatasetError::Unsupported`] for floats, [`DatasetError::Io`].
    pub fn open(prefix: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let prefix = prefix.as_ref();
        let path = with_suffix(prefix, ".idx");
        let file = Foreign { path: &path, format: FORMAT };
        let index = crate::mapped::map(&path)?;
        let header = Header::read(&file, &index)?;
        let [lengths, pointers, documents] = header.sections(&file, index.len())?;
        let whole = || file.violation("sections", "whole numbers", "a part of one");
        let reader = Self {
            ids: crate::mapped::map(&with_suffix(prefix, ".bin"))?,
            id_type: header.id_type,
            lengths: Words::new(index.slice(lengths)).ok_or_else(whole)?,
            pointers: Words::new(index.slice(pointers)).ok_or_else(whole)?,
            documents: Words::new(index.slice(documents)).ok_or_else(whole)?,
            path: path.clone(),
        };
        reader.check(&file)?;
        Ok(reader)
    }

    fn check(&self, file: &Foreign<'_>) -> Result<(), DatasetError> {
        let lengths = self.lengths.as_slice();
        for (&length, &pointer) in lengths.iter().zip(self.pointers.as_slice()) {
            let end = usize::try_from(length).ok().zip(usize::try_from(pointer).ok()).and_then(
                |(length, start)| length.checked_mul(self.id_type.bytes())?.checked_add(start),
            );
            if end.is_none_or(|end| end > self.ids.len()) {
                let expected = format!("inside the {} bytes of the .bin file", self.ids.len());
                let found = format!("{length} tokens at byte {pointer}");
                return Err(file.violation("sequence", expected, found));
            }
        }
        let documents = self.documents.as_slice();
        let ends = (documents.first().copied(), documents.last().copied());
        let rising = documents.windows(2).all(|pair| pair[0] <= pair[1]);
        if !rising || ends != (Some(0), Some(lengths.len() as i64)) {
            let expected = format!("rising from 0 to {}", lengths.len());
            let found = format!("{} bounds that begin and end with {ends:?}", documents.len());
            return Err(file.violation("document bounds", expected, found));
        }
        Ok(())
    }

    /// How many documents there are.
    pub fn n_documents(&self) -> u64 {
        // Opening made sure that there is a first bound.
        self.documents.as_slice().len() as u64 - 1
    }

    /// How many sequences (sentences) the documents have together.
    pub fn n_sequences(&self) -> u64 {
        self.lengths.as_slice().len() as u64
    }

    /// The length of each document, in tokens.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        let lengths = self.lengths.as_slice();
        self.documents.as_slice().windows(2).map(move |pair| {
            let sequences = &lengths[pair[0] as usize..pair[1] as usize];
            sequences.iter().map(|&length| u64::from(length.unsigned_abs())).sum()
        })
    }

    /// Reads the ids of document `index`, its sequences one after the other.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Container`] for an id that is negative or has more than 32 bits.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`n_documents`](Self::n_documents).
    pub fn document(&self, index: u64) -> Result<Vec<u32>, DatasetError> {
        assert!(index < self.n_documents(), "document {index} of {}", self.n_documents());
        let bounds = &self.documents.as_slice()[index as usize..][..2];
        let mut ids = Vec::new();
        for sequence in bounds[0] as usize..bounds[1] as usize {
            self.read_sequence(sequence, &mut ids)?;
        }
        Ok(ids)
    }

    /// All documents, in order.
    pub fn documents(&self) -> impl Iterator<Item = Result<Vec<u32>, DatasetError>> + '_ {
        (0..self.n_documents()).map(|index| self.document(index))
    }

    fn read_sequence(&self, sequence: usize, ids: &mut Vec<u32>) -> Result<(), DatasetError> {
        let width = self.id_type.bytes();
        let start = self.pointers.as_slice()[sequence] as usize;
        let length = self.lengths.as_slice()[sequence] as usize;
        for bytes in self.ids[start..start + length * width].chunks_exact(width) {
            let id = self.id_type.read(bytes);
            let file = Foreign { path: &self.path, format: FORMAT };
            ids.push(
                u32::try_from(id).map_err(|_| file.violation("token id", "0 to 4294967295", id))?,
            );
        }
        Ok(())
    }
}

struct Header {
    id_type: IdType,
    n_sequences: u64,
    n_bounds: u64,
}

impl Header {
    fn read(file: &Foreign<'_>, index: &[u8]) -> Result<Self, DatasetError> {
        let Some(header) = index.first_chunk::<HEADER_BYTES>() else {
            let expected = format!("at least {HEADER_BYTES} bytes");
            return Err(file.violation("header", expected, index.len()));
        };
        if !header.starts_with(MAGIC) {
            let found = format!("\"{}\"", header[..MAGIC.len()].escape_ascii());
            return Err(file.violation("magic", "\"MMIDIDX\\x00\\x00\"", found));
        }
        let number = |at: usize| <u64 as Word>::from_le(&header[at..at + 8]);
        if number(9) != 1 {
            return Err(file.violation("version", 1, number(9)));
        }
        let id_type = IdType::from_code(file, header[17])?;
        Ok(Self { id_type, n_sequences: number(18), n_bounds: number(26) })
    }

    /// Where lengths, byte offsets and document bounds are.
    fn sections(
        &self,
        file: &Foreign<'_>,
        n_bytes: usize,
    ) -> Result<[Range<usize>; 3], DatasetError> {
        let end = |start: usize, n: u64, width: usize| {
            usize::try_from(n).ok()?.checked_mul(width)?.checked_add(start)
        };
        let bounds = || {
            let lengths = end(HEADER_BYTES, self.n_sequences, 4)?;
            let pointers = end(lengths, self.n_sequences, 8)?;
            Some((lengths, pointers, end(pointers, self.n_bounds, 8)?))
        };
        // Multimodal datasets append one byte per sequence, its mode.
        let ends_well = |end: usize| {
            end == n_bytes || end.checked_add(self.n_sequences as usize) == Some(n_bytes)
        };
        match bounds() {
            Some((lengths, pointers, end)) if ends_well(end) => {
                Ok([HEADER_BYTES..lengths, lengths..pointers, pointers..end])
            }
            _ => {
                let (sequences, bounds) = (self.n_sequences, self.n_bounds);
                let expected = format!("room for {sequences} sequences and {bounds} bounds");
                Err(file.violation("size", expected, format!("{n_bytes} bytes")))
            }
        }
    }
}

/// Writes a Megatron `.bin` and `.idx`, one sequence per document.
///
/// Ids take two bytes for vocabularies below 65 500 tokens, else four, as in Megatron itself.
pub struct MegatronWriter {
    prefix: PathBuf,
    out: AtomicFile,
    id_type: IdType,
    lengths: Vec<i32>,
    pointers: Vec<i64>,
    end: i64,
}

impl MegatronWriter {
    /// Begins `<prefix>.bin`.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn create(prefix: impl Into<PathBuf>, vocab_size: u64) -> Result<Self, DatasetError> {
        let prefix = prefix.into();
        let out = AtomicFile::create(&with_suffix(&prefix, ".bin"))?;
        let id_type = if vocab_size < MAX_U16_VOCAB { IdType::U16 } else { IdType::I32 };
        Ok(Self { prefix, out, id_type, lengths: Vec::new(), pointers: Vec::new(), end: 0 })
    }

    /// Appends a document.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] for an id that does not fit the vocabulary,
    /// [`DatasetError::Limit`] for a document of 2^31 tokens, [`DatasetError::Io`].
    pub fn push(&mut self, ids: &[u32]) -> Result<(), DatasetError> {
        let length = i32::try_from(ids.len()).map_err(|_| DatasetError::Limit {
            what: format!("document {} in tokens", self.lengths.len()),
            needed: ids.len() as u64,
            limit: i32::MAX as u64,
        })?;
        let unfit = |id: u32| DatasetError::Option {
            option: "vocab_size",
            expected: "a vocabulary whose ids fit the type chosen for it".to_owned(),
            found: format!("the id {id}"),
        };
        match self.id_type {
            IdType::U16 => {
                let narrow = ids.iter().map(|&id| u16::try_from(id).map_err(|_| unfit(id)));
                self.out.append(&le_bytes(&narrow.collect::<Result<Vec<_>, _>>()?))?;
            }
            _ => {
                let signed = ids.iter().map(|&id| i32::try_from(id).map_err(|_| unfit(id)));
                self.out.append(&le_bytes(&signed.collect::<Result<Vec<_>, _>>()?))?;
            }
        }
        self.lengths.push(length);
        self.pointers.push(self.end);
        self.end += i64::from(length) * self.id_type.bytes() as i64;
        Ok(())
    }

    /// Puts both files into their places, the index last.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn finish(self) -> Result<(), DatasetError> {
        self.out.commit()?;
        let n = self.lengths.len() as u64;
        let bounds: Vec<i64> = (0..=n as i64).collect();
        let mut index = AtomicFile::create(&with_suffix(&self.prefix, ".idx"))?;
        index.append(MAGIC)?;
        index.append(&1_u64.to_le_bytes())?;
        index.append(&[self.id_type.code()])?;
        index.append(&n.to_le_bytes())?;
        index.append(&(n + 1).to_le_bytes())?;
        index.append(&le_bytes(&self.lengths))?;
        index.append(&le_bytes(&self.pointers))?;
        index.append(&le_bytes(&bounds))?;
        index.commit()
    }
}

impl std::fmt::Debug for MegatronWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n_documents = self.lengths.len();
        f.debug_struct("MegatronWriter")
            .field("prefix", &self.prefix)
            .field("n_documents", &n_documents)
            .finish_non_exhaustive()
    }
}
