//! Writing Parquet and Arrow IPC.

use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use parquet::basic::{BrotliLevel, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};

use crate::atomic::AtomicFile;
use crate::error::DatasetError;

/// What the blocks or pages inside a columnar file are compressed with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockCompression {
    /// Not at all.
    None,
    /// Zstandard at level 3: the smallest at a good speed.
    #[default]
    Zstd,
    /// LZ4.
    Lz4,
    /// Snappy. Parquet only.
    Snappy,
    /// Gzip. Parquet only.
    Gzip,
    /// Brotli. Parquet only.
    Brotli,
}

/// How Parquet is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ParquetOptions {
    /// The compression of pages.
    pub compression: BlockCompression,
    /// Rows per row group. 65 536: a row group is held in memory while it is written, and documents
    /// have some kilobytes.
    pub row_group_rows: usize,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self { compression: BlockCompression::Zstd, row_group_rows: 1 << 16 }
    }
}

/// Writes a Parquet file.
pub struct ParquetWriter {
    writer: parquet::arrow::ArrowWriter<AtomicFile>,
    path: PathBuf,
}

impl ParquetWriter {
    /// Begins a file. It appears under its name at [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be written, [`DatasetError::Option`] if a row group
    /// has no rows, [`DatasetError::Container`] if Parquet has no form for the schema.
    pub fn create(
        path: &Path,
        schema: SchemaRef,
        options: &ParquetOptions,
    ) -> Result<Self, DatasetError> {
        if options.row_group_rows == 0 {
            return Err(DatasetError::Option {
                option: "row_group_rows",
                expected: "1 or more".to_owned(),
                found: "0".to_owned(),
            });
        }
        let properties = WriterProperties::builder()
            .set_compression(page_compression(options.compression))
            .set_max_row_group_row_count(Some(options.row_group_rows))
            .build();
        let file = AtomicFile::create(path)?;
        let writer = parquet::arrow::ArrowWriter::try_new(file, schema, Some(properties))
            .map_err(failed(path, "Parquet"))?;
        Ok(Self { writer, path: path.to_owned() })
    }

    /// Writes rows.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Container`] if the batch has another schema or the disk is full.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DatasetError> {
        self.writer.write(batch).map_err(failed(&self.path, "Parquet"))
    }

    /// Puts the file in place.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Container`] and [`DatasetError::Io`].
    pub fn finish(self) -> Result<(), DatasetError> {
        let file = self.writer.into_inner().map_err(failed(&self.path, "Parquet"))?;
        file.commit()
    }
}

/// The two forms of Arrow IPC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrowForm {
    /// With a footer, for reading at any place.
    #[default]
    File,
    /// Without, for pipes.
    Stream,
}

/// How Arrow IPC is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ArrowOptions {
    /// The form.
    pub form: ArrowForm,
    /// The compression of buffers: none, zstd or lz4.
    pub compression: BlockCompression,
}

/// Writes Arrow IPC: one block per batch.
pub struct ArrowWriter {
    writer: Form,
    path: PathBuf,
}

enum Form {
    File(Box<FileWriter<AtomicFile>>),
    Stream(Box<StreamWriter<AtomicFile>>),
}

impl ArrowWriter {
    /// Begins a file. It appears under its name at [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the folder cannot be written, [`DatasetError::Option`] if Arrow has
    /// no such compression, [`DatasetError::Container`] if it has no form for the schema.
    pub fn create(
        path: &Path,
        schema: SchemaRef,
        options: &ArrowOptions,
    ) -> Result<Self, DatasetError> {
        let compression = match options.compression {
            BlockCompression::None => None,
            BlockCompression::Zstd => Some(arrow_ipc::CompressionType::ZSTD),
            BlockCompression::Lz4 => Some(arrow_ipc::CompressionType::LZ4_FRAME),
            other => {
                return Err(DatasetError::Option {
                    option: "compression",
                    expected: "none, zstd or lz4 for Arrow IPC".to_owned(),
                    found: format!("{other:?}").to_lowercase(),
                });
            }
        };
        let wrap = failed(path, "Arrow IPC");
        let ipc = IpcWriteOptions::default().try_with_compression(compression).map_err(&wrap)?;
        let file = AtomicFile::create(path)?;
        let writer = match options.form {
            ArrowForm::File => Form::File(Box::new(
                FileWriter::try_new_with_options(file, &schema, ipc).map_err(&wrap)?,
            )),
            ArrowForm::Stream => Form::Stream(Box::new(
                StreamWriter::try_new_with_options(file, &schema, ipc).map_err(&wrap)?,
            )),
        };
        Ok(Self { writer, path: path.to_owned() })
    }

    /// Writes rows.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Container`] if the batch has another schema or the disk is full.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DatasetError> {
        let written = match &mut self.writer {
            Form::File(writer) => writer.write(batch),
            Form::Stream(writer) => writer.write(batch),
        };
        written.map_err(failed(&self.path, "Arrow IPC"))
    }

    /// Puts the file in place.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Container`] and [`DatasetError::Io`].
    pub fn finish(self) -> Result<(), DatasetError> {
        let file = match self.writer {
            Form::File(writer) => writer.into_inner(),
            Form::Stream(writer) => writer.into_inner(),
        };
        file.map_err(failed(&self.path, "Arrow IPC"))?.commit()
    }
}

fn page_compression(compression: BlockCompression) -> parquet::basic::Compression {
    use parquet::basic::Compression as Page;
    match compression {
        BlockCompression::None => Page::UNCOMPRESSED,
        // The crate's default level is 1; 3 is zstd's own.
        BlockCompression::Zstd => Page::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()),
        BlockCompression::Lz4 => Page::LZ4_RAW,
        BlockCompression::Snappy => Page::SNAPPY,
        BlockCompression::Gzip => Page::GZIP(GzipLevel::default()),
        BlockCompression::Brotli => Page::BROTLI(BrotliLevel::default()),
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(
    path: &Path,
    format: &'static str,
) -> impl Fn(E) -> DatasetError {
    let path = path.to_owned();
    move |error| DatasetError::Container { path: path.clone(), format, source: Box::new(error) }
}
