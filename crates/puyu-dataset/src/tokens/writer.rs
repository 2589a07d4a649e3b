//! Writing a token cache: into a hidden folder first, into its place when whole.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::cache::TokenCache;
use super::files::{HashedFile, to_json};
use super::header::{
    CacheHeader, CacheIdentity, HEADER_FILE, OFFSETS_FILE, TOKENS_FILE, TRAINED_FILE, TokenWidth,
};
use super::mask::{Document, MarkWriter};
use super::words::le_bytes;
use crate::atomic::{folder_of, sync_folder, write_atomic};
use crate::error::DatasetError;
use crate::row::Fingerprint;

/// Writes a token cache, document by document, with bounded memory.
///
/// Nothing is visible under the target's name before [`finish`](Self::finish). A writer that is
/// dropped removes what it wrote; after a crash a hidden folder stays behind, which
/// [`Job::sweep`](super::Job::sweep) removes.
///
/// # Examples
///
/// ```
/// use puyu_dataset::Fingerprint;
/// use puyu_dataset::tokens::{CacheIdentity, CacheWriter};
///
/// let folder = tempfile::tempdir()?;
/// let none = Fingerprint([0; 32]);
/// let identity = CacheIdentity { source: none, tokenizer: none, options: none };
/// let mut writer = CacheWriter::create(folder.path().join("诗"), identity, 92_544)?;
/// writer.push(&[1, 68_415, 2])?;
/// writer.push(&[])?;
/// let cache = writer.finish()?;
/// assert_eq!(cache.document(0), [1, 68_415, 2].as_slice());
/// assert_eq!(cache.lengths().collect::<Vec<_>>(), [3, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CacheWriter {
    target: PathBuf,
    folder: TempDir,
    tokens: HashedFile,
    offsets: HashedFile,
    trained: Option<MarkWriter>,
    header: CacheHeader,
}

impl CacheWriter {
    /// Begins a cache that will be the folder `target`. Its parent folder must exist.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] for a vocabulary that is empty or above 2^32,
    /// [`DatasetError::Io`].
    pub fn create(
        target: impl Into<PathBuf>,
        identity: CacheIdentity,
        vocab_size: u64,
    ) -> Result<Self, DatasetError> {
        if !(1..=1 << 32).contains(&vocab_size) {
            return Err(DatasetError::Option {
                option: "vocab_size",
                expected: "1 to 2^32 tokens".to_owned(),
                found: vocab_size.to_string(),
            });
        }
        let target = target.into();
        let folder = tempfile::Builder::new()
            .prefix(&part_prefix(&target))
            .tempdir_in(folder_of(&target))
            .map_err(DatasetError::io("create a folder in", folder_of(&target)))?;
        let tokens = HashedFile::create(folder.path().join(TOKENS_FILE))?;
        let mut offsets = HashedFile::create(folder.path().join(OFFSETS_FILE))?;
        offsets.write(&0_u64.to_le_bytes())?;
        let header = CacheHeader {
            version: CacheHeader::VERSION,
            identity,
            width: TokenWidth::for_vocab(vocab_size),
            vocab_size,
            n_documents: 0,
            n_tokens: 0,
            tokens_hash: Fingerprint([0; 32]),
            offsets_hash: Fingerprint([0; 32]),
            trained_hash: None,
        };
        Ok(Self { target, folder, tokens, offsets, trained: None, header })
    }

    /// Appends a document all of whose tokens are trained.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] for an id outside of the vocabulary, [`DatasetError::Io`].
    pub fn push(&mut self, ids: &[u32]) -> Result<(), DatasetError> {
        self.check_ids(ids)?;
        if let Some(marks) = &mut self.trained {
            for _ in ids {
                marks.push(true)?;
            }
        }
        self.append(ids)
    }

    /// Appends a document with the marks it has.
    ///
    /// # Errors
    ///
    /// Those of [`push`](Self::push), and [`DatasetError::Option`] if there are not as many marks
    /// as tokens.
    pub fn push_document(&mut self, document: &Document) -> Result<(), DatasetError> {
        let Some(trained) = &document.trained else { return self.push(&document.ids) };
        if trained.len() != document.ids.len() {
            return Err(DatasetError::Option {
                option: "trained",
                expected: format!("{} marks, one for each token", document.ids.len()),
                found: trained.len().to_string(),
            });
        }
        self.check_ids(&document.ids)?;
        let marks = match &mut self.trained {
            Some(marks) => marks,
            None => self.trained.insert(MarkWriter::create(
                self.folder.path().join(TRAINED_FILE),
                self.header.n_tokens,
            )?),
        };
        for &mark in trained {
            marks.push(mark)?;
        }
        self.append(&document.ids)
    }

    /// How many documents were written.
    pub fn n_documents(&self) -> u64 {
        self.header.n_documents
    }

    /// How many tokens were written.
    pub fn n_tokens(&self) -> u64 {
        self.header.n_tokens
    }

    /// Puts the cache into its place and opens it.
    ///
    /// If another worker was faster, its cache stays and this one is removed.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`]; [`DatasetError::Damaged`] if something else lies at the target.
    pub fn finish(self) -> Result<TokenCache, DatasetError> {
        let target = self.target.clone();
        match self.seal().and_then(Sealed::commit) {
            // Beaten: the rename was refused, or the winner has already swept our folder away.
            Err(error) if target.is_dir() => {
                tracing::debug!(%error, target = %target.display(), "another worker was faster");
                TokenCache::open(target)
            }
            other => other,
        }
    }

    /// Where the cache will be.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Writes everything down, the header last. The cache is whole but not yet in its place.
    pub(super) fn seal(self) -> Result<Sealed, DatasetError> {
        let Self { target, folder, tokens, offsets, trained, mut header } = self;
        header.tokens_hash = Fingerprint(tokens.finish()?);
        header.offsets_hash = Fingerprint(offsets.finish()?);
        header.trained_hash = trained.map(MarkWriter::finish).transpose()?.map(Fingerprint);
        let path = folder.path().join(HEADER_FILE);
        write_atomic(&path, &[&to_json(&path, &header)?])?;
        Ok(Sealed { target, folder })
    }

    fn check_ids(&self, ids: &[u32]) -> Result<(), DatasetError> {
        match ids.iter().find(|&&id| u64::from(id) >= self.header.vocab_size) {
            None => Ok(()),
            Some(id) => Err(DatasetError::Option {
                option: "vocab_size",
                expected: format!("more than every id, {} or more", u64::from(*id) + 1),
                found: self.header.vocab_size.to_string(),
            }),
        }
    }

    fn append(&mut self, ids: &[u32]) -> Result<(), DatasetError> {
        match self.header.width {
            TokenWidth::U32 => self.tokens.write(&le_bytes(ids))?,
            TokenWidth::U16 => {
                // Ids are below the vocabulary's size, which the width was chosen for.
                let narrow: Vec<u16> = ids.iter().map(|&id| id as u16).collect();
                self.tokens.write(&le_bytes(&narrow))?;
            }
        }
        self.header.n_documents += 1;
        self.header.n_tokens += ids.len() as u64;
        self.offsets.write(&self.header.n_tokens.to_le_bytes())
    }
}

impl std::fmt::Debug for CacheWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CacheWriter")
            .field("target", &self.target)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// A cache that is whole and on disk, but not yet in its place.
pub(super) struct Sealed {
    target: PathBuf,
    folder: TempDir,
}

impl Sealed {
    /// Renames the cache into its place, which the system refuses if one is there.
    pub(super) fn commit(self) -> Result<TokenCache, DatasetError> {
        sync_folder(self.folder.path())?;
        std::fs::rename(self.folder.path(), &self.target)
            .map_err(DatasetError::io("rename to", &self.target))?;
        // The folder has another name now, so there is nothing left to remove.
        let _ = self.folder.keep();
        sync_folder(folder_of(&self.target))?;
        TokenCache::open(&self.target)
    }
}

/// What the names of unfinished folders of one target begin with.
pub(super) fn part_prefix(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    format!(".{name}.part-")
}
