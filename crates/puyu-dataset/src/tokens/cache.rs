//! Reading a token cache.

use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::files::{damaged, hash, map_exact};
use super::header::{
    CacheHeader, HEADER_FILE, OFFSETS_FILE, TOKENS_FILE, TRAINED_FILE, TokenWidth,
};
use super::mask::{Document, mark};
use super::words::Words;
use crate::error::DatasetError;
use crate::row::Fingerprint;

/// The tokens of many documents in a memory-mapped folder.
///
/// The folder holds `header.json`, `ids.tokens` (ids, little-endian, two or four bytes each),
/// `documents.offsets` (where each document begins, counted in tokens, 8 bytes each, and the end)
/// and, if some tokens are not trained, `trained.bits`. Clones share the maps.
///
/// See [`CacheWriter`](super::CacheWriter) for an example.
#[derive(Debug, Clone)]
pub struct TokenCache {
    folder: PathBuf,
    header: CacheHeader,
    ids: Ids,
    offsets: Words<u64>,
    trained: Option<Bytes>,
}

#[derive(Debug, Clone)]
enum Ids {
    U16(Words<u16>),
    U32(Words<u32>),
}

impl TokenCache {
    /// Opens a cache. Its sizes and its document index are checked, its hashes are not.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Damaged`] if header, sizes and index contradict each other,
    /// [`DatasetError::Unsupported`] for another version, [`DatasetError::Io`].
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, DatasetError> {
        let folder = folder.into();
        let header = CacheHeader::read(&folder)?;
        let ids = map_exact(&folder.join(TOKENS_FILE), header.tokens_bytes())?;
        let offsets = map_exact(&folder.join(OFFSETS_FILE), header.offsets_bytes())?;
        let trained = match header.trained_hash {
            Some(_) => {
                Some(map_exact(&folder.join(TRAINED_FILE), Some(header.n_tokens.div_ceil(8)))?)
            }
            None => None,
        };
        let whole = || damaged(&folder, "size", "a whole number of tokens", "a part of one");
        let ids = match header.width {
            TokenWidth::U16 => Ids::U16(Words::new(ids).ok_or_else(whole)?),
            TokenWidth::U32 => Ids::U32(Words::new(ids).ok_or_else(whole)?),
        };
        let offsets = Words::new(offsets).ok_or_else(whole)?;
        let cache = Self { folder, header, ids, offsets, trained };
        cache.check_offsets()?;
        Ok(cache)
    }

    fn check_offsets(&self) -> Result<(), DatasetError> {
        let offsets = self.offsets.as_slice();
        let path = || self.folder.join(OFFSETS_FILE);
        if let Some(index) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            let (expected, found) = (offsets[index], offsets[index + 1]);
            return Err(damaged(&path(), "order", format!("at least {expected}"), found));
        }
        let ends = (offsets.first().copied(), offsets.last().copied());
        let expected = (Some(0), Some(self.header.n_tokens));
        if ends != expected {
            let text = |(first, last): (Option<u64>, Option<u64>)| format!("{first:?} to {last:?}");
            return Err(damaged(&path(), "first and last offset", text(expected), text(ends)));
        }
        Ok(())
    }

    /// Reads everything and compares it with the hashes of the header.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Damaged`] naming the file, [`DatasetError::Io`].
    pub fn verify(&self) -> Result<(), DatasetError> {
        let header = &self.header;
        let mut files = vec![
            (TOKENS_FILE, header.tokens_bytes(), header.tokens_hash),
            (OFFSETS_FILE, header.offsets_bytes(), header.offsets_hash),
        ];
        if let Some(trained) = header.trained_hash {
            files.push((TRAINED_FILE, Some(header.n_tokens.div_ceil(8)), trained));
        }
        for (name, size, expected) in files {
            let path = self.folder.join(name);
            let found = Fingerprint(hash(&map_exact(&path, size)?));
            if found != expected {
                return Err(damaged(&path, "blake3 hash", expected, found));
            }
        }
        match self.find_outside_vocab() {
            None => Ok(()),
            Some(id) => {
                let path = self.folder.join(HEADER_FILE);
                Err(damaged(&path, "vocab_size", format!("above the id {id}"), header.vocab_size))
            }
        }
    }

    fn find_outside_vocab(&self) -> Option<u32> {
        let limit = self.header.vocab_size;
        match &self.ids {
            Ids::U16(ids) => {
                let found = ids.as_slice().iter().find(|&&id| u64::from(id) >= limit);
                found.map(|&id| u32::from(id))
            }
            Ids::U32(ids) => ids.as_slice().iter().find(|&&id| u64::from(id) >= limit).copied(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the cache says about itself.
    pub fn header(&self) -> &CacheHeader {
        &self.header
    }

    /// What identifies the tokens: equal fingerprints mean equal documents in equal places.
    pub fn fingerprint(&self) -> Fingerprint {
        self.header.fingerprint()
    }

    /// How many documents there are.
    pub fn n_documents(&self) -> u64 {
        self.header.n_documents
    }

    /// How many tokens all documents have together.
    pub fn n_tokens(&self) -> u64 {
        self.header.n_tokens
    }

    /// The length of each document, in tokens.
    pub fn lengths(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.offsets.as_slice().windows(2).map(|pair| pair[1] - pair[0])
    }

    /// Where document `index` lies among all tokens.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`n_documents`](Self::n_documents).
    pub fn span(&self, index: u64) -> Range<u64> {
        assert!(index < self.n_documents(), "document {index} of {}", self.n_documents());
        let offsets = self.offsets.as_slice();
        offsets[index as usize]..offsets[index as usize + 1]
    }

    /// The ids of document `index`. Borrowed from the map if ids take four bytes.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`n_documents`](Self::n_documents).
    pub fn document(&self, index: u64) -> Cow<'_, [u32]> {
        self.tokens(self.span(index))
    }

    /// The ids of document `index` together with its training marks.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`n_documents`](Self::n_documents).
    pub fn marked_document(&self, index: u64) -> Document {
        let span = self.span(index);
        let trained =
            self.trained.as_ref().map(|bits| span.clone().map(|token| mark(bits, token)).collect());
        Document { ids: self.tokens(span).into_owned(), trained }
    }

    /// All documents, in order.
    pub fn documents(&self) -> impl ExactSizeIterator<Item = Cow<'_, [u32]>> + '_ {
        let spans = self.offsets.as_slice().windows(2);
        spans.map(|pair| self.tokens(pair[0]..pair[1]))
    }

    /// Tokens by their place among all tokens of the cache.
    ///
    /// # Panics
    ///
    /// If the range reaches past [`n_tokens`](Self::n_tokens).
    pub fn tokens(&self, range: Range<u64>) -> Cow<'_, [u32]> {
        let range = range.start as usize..range.end as usize;
        match &self.ids {
            Ids::U32(ids) => Cow::Borrowed(&ids.as_slice()[range]),
            Ids::U16(ids) => {
                Cow::Owned(ids.as_slice()[range].iter().map(|&id| u32::from(id)).collect())
            }
        }
    }

    /// Whether the model learns to predict this token, by its place among all tokens.
    ///
    /// # Panics
    ///
    /// If there are marks and `token` is not below [`n_tokens`](Self::n_tokens).
    pub fn is_trained(&self, token: u64) -> bool {
        self.trained.as_ref().is_none_or(|bits| mark(bits, token))
    }
}
