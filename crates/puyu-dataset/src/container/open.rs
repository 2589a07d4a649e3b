//! From what a file is to its reader.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::array::{self, ArrayReader};
use super::arrow_file::ArrowFileReader;
use super::arrow_stream::ArrowStreamReader;
use super::lines::LineReader;
use super::parquet_file::ParquetReader;
use super::source::{FileRanges, Input, open_file};
use super::tar_file::TarReader;
use super::{ChunkReader, Compression, Container, Detected, Mark, RangeRead, ReadOptions, detect};
use crate::error::DatasetError;
use crate::mapped;

type Opened = Result<Box<dyn ChunkReader>, DatasetError>;

pub(super) fn file(path: &Path, detected: Detected, options: &ReadOptions, at: Mark) -> Opened {
    let Detected { container, compression } = detected;
    match (container, compression) {
        (Container::Parquet | Container::ArrowFile, Compression::None) => {
            columnar(path, container, Arc::new(FileRanges::open(path)?), options, at)
        }
        (Container::JsonArray, Compression::None) => {
            let bytes = mapped::map(path)?;
            array::check_size(path, bytes.len() as u64, options)?;
            Ok(Box::new(ArrayReader::new(path, (bytes, None), options, at)?))
        }
        _ => {
            let offset = match container {
                Container::JsonLines | Container::Tar => at.offset,
                _ => 0,
            };
            let input = open_file(path, compression, options.max_expansion, offset)?;
            input_at(path, input, container, options, at)
        }
    }
}

pub(super) fn stream(
    name: &Path,
    reader: Box<dyn Read + Send>,
    detected: Detected,
    options: &ReadOptions,
) -> Opened {
    let input = Input::new(reader, detected.compression, options.max_expansion)
        .map_err(DatasetError::io("open", name))?;
    input_at(name, input, detected.container, options, Mark::default())
}

pub(super) fn ranges(
    name: &Path,
    ranges: Arc<dyn RangeRead>,
    options: &ReadOptions,
    at: Mark,
) -> Opened {
    // The same probe as for files.
    let probe = usize::try_from(ranges.n_bytes()).unwrap_or(usize::MAX).min(64 << 10);
    let head = ranges.read_range(0, probe).map_err(DatasetError::io("read", name))?;
    let Detected { container, compression } = detect::detect_bytes(name, &head)?;
    let seeks = matches!(container, Container::JsonLines | Container::Tar);
    match (container, compression) {
        (Container::Parquet | Container::ArrowFile, Compression::None) => {
            columnar(name, container, ranges, options, at)
        }
        (_, Compression::None) if seeks => {
            if at.offset > ranges.n_bytes() {
                return Err(super::source::outside("byte", at.offset, ranges.n_bytes()));
            }
            let reader = RangeStream::new(ranges, at.offset, options.chunk_bytes);
            let input = Input::new(Box::new(reader), compression, options.max_expansion)
                .map_err(DatasetError::io("open", name))?;
            input_at(name, input, container, options, at)
        }
        _ => {
            let reader = RangeStream::new(ranges, 0, options.chunk_bytes);
            let mut input = Input::new(Box::new(reader), compression, options.max_expansion)
                .map_err(DatasetError::io("open", name))?;
            if seeks {
                input.skip(name, at.offset)?;
            }
            input_at(name, input, container, options, at)
        }
    }
}

fn columnar(
    path: &Path,
    container: Container,
    ranges: Arc<dyn RangeRead>,
    options: &ReadOptions,
    at: Mark,
) -> Opened {
    Ok(match container {
        Container::Parquet => Box::new(ParquetReader::new(path, ranges, options, at)?),
        _ => Box::new(ArrowFileReader::new(path, ranges, options, at)?),
    })
}

/// A reader of a stream that already is where the container wants it: lines and tar files at the
/// mark, all others at their start.
fn input_at(
    path: &Path,
    mut input: Input,
    container: Container,
    options: &ReadOptions,
    at: Mark,
) -> Opened {
    Ok(match container {
        Container::JsonLines => Box::new(LineReader::new(path, input, options, at)),
        Container::Tar => Box::new(TarReader::new(path, input, options, at)),
        Container::ArrowStream => Box::new(ArrowStreamReader::new(path, input, options, at)?),
        Container::JsonArray => {
            let document = array::load(path, &mut input, options)?;
            Box::new(ArrayReader::new(path, document, options, at)?)
        }
        Container::Parquet | Container::ArrowFile => {
            return Err(DatasetError::Unsupported {
                path: path.to_owned(),
                what: "reading Parquet or Arrow files as a stream or inside gzip or zstd"
                    .to_owned(),
                hint: "decompress the file, or open it by ranges: both formats begin at their end"
                    .to_owned(),
            });
        }
    })
}

/// Reads ranges one after the other.
struct RangeStream {
    ranges: Arc<dyn RangeRead>,
    at: u64,
    len: usize,
    held: bytes::Bytes,
}

impl RangeStream {
    fn new(ranges: Arc<dyn RangeRead>, at: u64, len: usize) -> Self {
        Self { ranges, at, len, held: bytes::Bytes::new() }
    }
}

impl Read for RangeStream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.held.is_empty() {
            let left = self.ranges.n_bytes().saturating_sub(self.at);
            let len = self.len.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.held = self.ranges.read_range(self.at, len)?;
            self.at += len as u64;
        }
        let len = buffer.len().min(self.held.len());
        buffer[..len].copy_from_slice(&self.held.split_to(len));
        Ok(len)
    }
}
