//! Files that are there whole or not at all.
//!
//! A file is written beside its place under a passing hidden name, synced, and renamed; then the
//! folder is synced, so that the name lasts through a power cut. What is dropped before leaves
//! nothing behind.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::DatasetError;

/// What is gathered before the system is asked to write: rows and ids are small.
const BUFFER_BYTES: usize = 256 << 10;

/// A file in the making, which has its place only once it is whole. Writes are buffered.
pub(crate) struct AtomicFile {
    target: PathBuf,
    out: BufWriter<NamedTempFile>,
}

impl AtomicFile {
    /// Begins a file beside its target.
    pub(crate) fn create(target: &Path) -> Result<Self, DatasetError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".puyu-").suffix(".partial");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // What any new file gets: the user's mask takes the rest away.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file =
            builder.tempfile_in(folder_of(target)).map_err(DatasetError::io("write", target))?;
        Ok(Self { target: target.to_owned(), out: BufWriter::with_capacity(BUFFER_BYTES, file) })
    }

    /// Appends bytes. Unlike [`Write::write_all`], the error names the file.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), DatasetError> {
        self.out.write_all(bytes).map_err(DatasetError::io("write", &self.target))
    }

    /// Writes everything down and puts the file into its place, instead of one that is there.
    pub(crate) fn commit(self) -> Result<(), DatasetError> {
        let (file, target) = self.whole()?;
        file.persist(&target)
            .map_err(|error| DatasetError::io("rename to", &target)(error.error))?;
        sync_folder(folder_of(&target))
    }

    /// As [`commit`](Self::commit), but leaves a file that is there alone and says `false`.
    fn commit_new(self) -> Result<bool, DatasetError> {
        let (file, target) = self.whole()?;
        match file.persist_noclobber(&target) {
            Ok(_) => sync_folder(folder_of(&target)).map(|()| true),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(DatasetError::io("create", &target)(error.error)),
        }
    }

    /// The file with all bytes on the disk, not yet in its place.
    fn whole(self) -> Result<(NamedTempFile, PathBuf), DatasetError> {
        let Self { target, out } = self;
        let file = out
            .into_inner()
            .map_err(|error| DatasetError::io("write", &target)(error.into_error()))?;
        file.as_file().sync_all().map_err(DatasetError::io("sync", &target))?;
        Ok((file, target))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.out.seek(to)
    }
}

/// Writes a small file so that it is either the old one or the new one, never a part.
pub(crate) fn write_atomic(path: &Path, parts: &[&[u8]]) -> Result<(), DatasetError> {
    let mut file = AtomicFile::create(path)?;
    for part in parts {
        file.append(part)?;
    }
    file.commit()
}

/// Creates a file with its content at once. `false` if it is there already.
pub(crate) fn create_once(path: &Path, content: &[u8]) -> Result<bool, DatasetError> {
    let mut file = AtomicFile::create(path)?;
    file.append(content)?;
    file.commit_new()
}

/// The folder a file lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes renames inside of a folder last through a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), DatasetError> {
    // Only Unix can open a folder as a file; elsewhere the system keeps renames by itself.
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // A folder that may be written but not read, and some network shares: there is no stronger
        // promise to give, and the file is in its place.
        Err(error) if is_refused_by_nature(error.kind()) => Ok(()),
        outcome => outcome.map_err(DatasetError::io("sync", folder)),
    }
}

fn is_refused_by_nature(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::Unsupported | ErrorKind::InvalidInput)
}

#[cfg(test)]
mod tests;
