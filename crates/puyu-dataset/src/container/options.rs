//! Options of reading.

use serde::{Deserialize, Serialize};

use crate::error::DatasetError;

/// How files are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// Bytes read at a time and held per chunk of lines or samples. 1 MiB: small enough to stay in
    /// the second-level cache while the lines are looked at.
    pub chunk_bytes: usize,
    /// The largest row, in bytes; a larger one is a fault of kind `size` and is not held in memory.
    /// 64 MiB: the longest books are near 10 MiB.
    pub max_row_bytes: usize,
    /// The largest number of rows in a chunk of a columnar file. 1024: some megabytes of documents.
    pub batch_rows: usize,
    /// The root columns to decode from columnar files; `None` for all.
    pub columns: Option<Vec<String>>,
    /// Skips the Parquet row groups whose statistics exclude this range. Rows keep their numbers.
    pub rows_in_range: Option<RowFilterRange>,
    /// What a blank line is.
    pub blank_lines: BlankLines,
    /// The largest JSON document (not JSON lines) that is read, in bytes, uncompressed. 1 GiB,
    /// because a compressed one has to fit into memory.
    pub max_document_bytes: u64,
    /// How many bytes may come out of one compressed byte, once 64 MiB came out. Beyond it the file
    /// counts as a decompression bomb. 1000: the most that gzip can do is 1032; text reaches 50.
    pub max_expansion: u64,
    /// The largest block of an Arrow file or stream, in bytes, uncompressed. 1 GiB: a block is
    /// held as a whole, and writers make them of some megabytes.
    pub max_block_bytes: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            chunk_bytes: 1 << 20,
            max_row_bytes: 64 << 20,
            batch_rows: 1024,
            columns: None,
            rows_in_range: None,
            blank_lines: BlankLines::Skip,
            max_document_bytes: 1 << 30,
            max_expansion: 1000,
            max_block_bytes: 1 << 30,
        }
    }
}

impl ReadOptions {
    /// These options with other `columns`.
    #[must_use]
    pub fn with_columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Checks that the values make sense.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Option`] naming the first that does not.
    pub fn validate(&self) -> Result<(), DatasetError> {
        // A chunk holds at most a read more than the longest row, and spans are 32 bits wide.
        const LARGEST: u64 = 1 << 30;
        let sizes = [
            ("chunk_bytes", self.chunk_bytes as u64, LARGEST),
            ("max_row_bytes", self.max_row_bytes as u64, LARGEST),
            ("batch_rows", self.batch_rows as u64, 1 << 24),
            ("max_document_bytes", self.max_document_bytes, u64::MAX),
            ("max_expansion", self.max_expansion, u64::MAX),
            ("max_block_bytes", self.max_block_bytes, u64::MAX),
        ];
        for (option, found, largest) in sizes {
            if found == 0 || found > largest {
                return Err(DatasetError::Option {
                    option,
                    expected: format!("1 to {largest}"),
                    found: found.to_string(),
                });
            }
        }
        Ok(())
    }
}

/// What a line of nothing but white space is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlankLines {
    /// Nothing; line numbers count it.
    #[default]
    Skip,
    /// A fault of kind `empty`. It still is no row: [`Mark::row`](super::Mark::row) does not count it.
    Fault,
}

/// The rows whose value in one column lies in a range. Only whole row groups are skipped by it, so
/// rows outside the range may come too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowFilterRange {
    /// The root column.
    pub column: String,
    /// The least value; `None` for no lower bound.
    pub min: Option<RangeValue>,
    /// The greatest value, itself included; `None` for no upper bound.
    pub max: Option<RangeValue>,
}

/// A bound of a [`RowFilterRange`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RangeValue {
    /// For integer columns.
    Integer(i64),
    /// For floating-point columns.
    Float(f64),
    /// For text columns, ordered by bytes.
    Text(String),
}
