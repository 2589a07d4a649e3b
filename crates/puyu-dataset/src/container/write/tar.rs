//! Writing WebDataset tar files.

use std::path::{Path, PathBuf};

use super::Output;
use crate::container::Compression;
use crate::error::DatasetError;
use crate::fault::{Fault, FaultKind, Location, excerpt};
use crate::row::Sample;

/// Writes samples as the members of a tar file. Equal samples give equal bytes: owners, times and
/// modes are fixed.
///
/// ```
/// use puyu_dataset::container::{Compression, ReadOptions, TarWriter, open};
/// use puyu_dataset::{Member, Sample};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("a.tar");
/// let text = Member { extension: "txt".to_owned(), bytes: "春眠不觉晓".into(), offset: 0 };
/// let mut writer = TarWriter::create(&path, Compression::None)?;
/// writer.write(&Sample { key: "诗/0001".to_owned(), members: vec![text] })?;
/// writer.finish()?;
///
/// let chunk = open(&path, &ReadOptions::default())?.next_chunk().unwrap()?;
/// assert_eq!(chunk.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TarWriter {
    builder: tar::Builder<Output>,
    path: PathBuf,
    row: u64,
    last_key: Option<String>,
}

impl TarWriter {
    /// Begins a file. It appears under its name at [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be written.
    pub fn create(path: &Path, compression: Compression) -> Result<Self, DatasetError> {
        let builder = tar::Builder::new(Output::create(path, compression)?);
        Ok(Self { builder, path: path.to_owned(), row: 0, last_key: None })
    }

    /// Writes one sample.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`]; [`DatasetError::BadRow`] if the sample would not be read back as it is:
    /// without members, with the key of the sample before it, with a dot in the last part of its
    /// key, or with an extension twice. Nothing of such a sample is written.
    pub fn write(&mut self, sample: &Sample) -> Result<(), DatasetError> {
        self.check(sample).map_err(|fault| {
            let location =
                Location { file: self.path.as_path().into(), row: self.row + 1, offset: None };
            fault.at(location)
        })?;
        for member in &sample.members {
            let mut header = tar::Header::new_gnu();
            header.set_size(member.bytes.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            let name = format!("{}.{}", sample.key, member.extension);
            self.builder
                .append_data(&mut header, name, member.bytes.as_ref())
                .map_err(DatasetError::io("write", &self.path))?;
        }
        self.row += 1;
        self.last_key = Some(sample.key.clone());
        Ok(())
    }

    fn check(&self, sample: &Sample) -> Result<(), Fault> {
        let key = &sample.key;
        let wrong = |expected: &str| {
            Err(Fault::field(FaultKind::Value, "key", expected, format!("`{}`", excerpt(key))))
        };
        let stem = key.rsplit('/').next().unwrap_or_default();
        let parts = || key.split('/');
        if stem.is_empty() || stem.contains('.') || key.contains('\0') {
            return wrong("a file name without a dot");
        }
        if key.starts_with('/') || parts().any(|part| matches!(part, "" | "." | "..")) {
            return wrong("a path below the folder it is unpacked in");
        }
        if self.last_key.as_ref() == Some(key) {
            return wrong("another key than the sample before");
        }
        if sample.members.is_empty() {
            let expected = "at least one member";
            return Err(Fault::field(FaultKind::Missing, "members", expected, "none"));
        }
        for (index, member) in sample.members.iter().enumerate() {
            let extension = &member.extension;
            let field = format!("members[{index}].extension");
            let found = format!("`{}`", excerpt(extension));
            if extension.is_empty()
                || extension.contains(['/', '\0'])
                || extension.to_lowercase() != *extension
            {
                let expected = "an extension in lower case";
                return Err(Fault::field(FaultKind::Value, field, expected, found));
            }
            if sample.members[..index].iter().any(|before| before.extension == *extension) {
                let expected = "each extension once";
                return Err(Fault::field(FaultKind::DuplicateKey, field, expected, found));
            }
        }
        Ok(())
    }

    /// Puts the file in place.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn finish(self) -> Result<(), DatasetError> {
        let output = self.builder.into_inner().map_err(DatasetError::io("write", &self.path))?;
        output.finish(&self.path)
    }
}
