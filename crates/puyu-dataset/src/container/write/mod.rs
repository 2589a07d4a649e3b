//! Writers. Each writes beside its file and renames at the end: the file is there whole or not at
//! all, and a writer that is dropped leaves nothing.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

use super::Compression;
use crate::error::DatasetError;

mod columns;
mod lines;
mod tar;

pub use columns::{
    ArrowForm, ArrowOptions, ArrowWriter, BlockCompression, ParquetOptions, ParquetWriter,
};
pub use lines::JsonLinesWriter;
pub use tar::TarWriter;

/// Level 6 is gzip's own default; zstd's is 3.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// A file that appears when it is finished.
pub(super) struct AtomicFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl AtomicFile {
    fn create(path: &Path) -> Result<Self, DatasetError> {
        let folder = folder_of(path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".puyu-").suffix(".partial");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // What any new file gets: the user's mask takes the rest away.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder).map_err(DatasetError::io("write", path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Puts the file in place, safe against a crash right after.
    fn finish(self) -> Result<(), DatasetError> {
        let Self { file, path } = self;
        file.as_file().sync_all().map_err(DatasetError::io("write", &path))?;
        file.persist(&path).map_err(|error| DatasetError::io("rename", &path)(error.error))?;
        // A folder that cannot be opened or synced (Windows, some network shares) has no stronger
        // promise to give.
        if let Ok(folder) = File::open(folder_of(&path)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// An atomic file behind a compressor.
enum Output {
    Plain(BufWriter<AtomicFile>),
    Gzip(Box<GzEncoder<BufWriter<AtomicFile>>>),
    Zstd(Box<zstd::Encoder<'static, BufWriter<AtomicFile>>>),
}

impl Output {
    fn create(path: &Path, compression: Compression) -> Result<Self, DatasetError> {
        let file = BufWriter::with_capacity(256 << 10, AtomicFile::create(path)?);
        Ok(match compression {
            Compression::None => Self::Plain(file),
            Compression::Gzip => {
                Self::Gzip(Box::new(GzEncoder::new(file, flate2::Compression::new(GZIP_LEVEL))))
            }
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(file, ZSTD_LEVEL)
                    .map_err(DatasetError::io("write", path))?;
                encoder.include_checksum(true).map_err(DatasetError::io("write", path))?;
                Self::Zstd(Box::new(encoder))
            }
        })
    }

    fn finish(self, path: &Path) -> Result<(), DatasetError> {
        let file = match self {
            Self::Plain(file) => Ok(file),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        };
        finish_buffered(file.map_err(DatasetError::io("write", path))?, path)
    }
}

fn finish_buffered(file: BufWriter<AtomicFile>, path: &Path) -> Result<(), DatasetError> {
    let file = file.into_inner();
    file.map_err(|error| DatasetError::io("write", path)(error.into_error()))?.finish()
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
