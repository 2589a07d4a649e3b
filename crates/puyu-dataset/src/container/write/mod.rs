//! Writers. Each writes beside its file and renames at the end: the file is there whole or not at
//! all, and a writer that is dropped leaves nothing.

use std::io::{self, Write};
use std::path::Path;

use flate2::write::GzEncoder;

use super::Compression;
use crate::atomic::AtomicFile;
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

/// An atomic file behind a compressor.
enum Output {
    Plain(AtomicFile),
    Gzip(Box<GzEncoder<AtomicFile>>),
    Zstd(Box<zstd::Encoder<'static, AtomicFile>>),
}

impl Output {
    fn create(path: &Path, compression: Compression) -> Result<Self, DatasetError> {
        let file = AtomicFile::create(path)?;
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
        file.map_err(DatasetError::io("write", path))?.commit()
    }
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
