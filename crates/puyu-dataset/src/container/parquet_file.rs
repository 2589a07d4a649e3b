//! Parquet: row group by row group, down to single rows where a page is damaged.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::reader::{ChunkReader as PageSource, Length};

use super::columns::{damage, project, unreadable, walled};
use super::pending::{Pending, next_item};
use super::source::{check_range, outside};
use super::{ChunkReader, Mark, RangeRead, ReadOptions, prune};
use crate::error::DatasetError;
use crate::row::{Chunk, Rows};

/// Reads the row groups of a file in order.
pub(super) struct ParquetReader {
    source: Source,
    metadata: ArrowReaderMetadata,
    columns: ProjectionMask,
    batch_rows: usize,
    groups: VecDeque<Group>,
    current: Option<(Group, ParquetRecordBatchReader)>,
    /// Rows before the next.
    row: u64,
    pending: Pending,
}

/// A row group.
#[derive(Clone, Copy)]
struct Group {
    index: usize,
    first_row: u64,
    end_row: u64,
}

impl ParquetReader {
    /// Opens a file before row `at.row`.
    pub(super) fn new(
        path: &Path,
        ranges: Arc<dyn RangeRead>,
        options: &ReadOptions,
        at: Mark,
    ) -> Result<Self, DatasetError> {
        let source = Source(ranges);
        let metadata = load(&source).map_err(|why| unreadable(path, "Parquet", why))?;
        let indices = project(path, metadata.schema(), options.columns.as_deref())?;
        let schema = metadata.metadata().file_metadata().schema_descr();
        let columns = match indices {
            Some(indices) => ProjectionMask::roots(schema, indices),
            None => ProjectionMask::all(),
        };
        let (groups, n_rows) = groups(&metadata).map_err(|why| unreadable(path, "Parquet", why))?;
        if at.row > n_rows {
            return Err(outside("row", at.row, n_rows));
        }
        let mut groups: VecDeque<Group> =
            groups.into_iter().filter(|group| group.end_row > at.row).collect();
        if let Some(range) = &options.rows_in_range {
            let keep = prune::row_groups(&metadata, range)?;
            groups.retain(|group| keep[group.index]);
        }
        Ok(Self {
            source,
            metadata,
            columns,
            batch_rows: options.batch_rows,
            groups,
            current: None,
            row: at.row,
            pending: Pending::new(path),
        })
    }

    /// Reads the next batch into `pending`; `None` at the end.
    fn advance(&mut self) -> Option<()> {
        let (group, mut reader) = match self.current.take() {
            Some(current) => current,
            None => {
                let group = self.groups.pop_front()?;
                self.row = self.row.max(group.first_row);
                match self.open(group, group.end_row - self.row) {
                    Ok(reader) => (group, reader),
                    Err(why) => {
                        self.salvage(group, &why);
                        return Some(());
                    }
                }
            }
        };
        match walled(|| reader.next().transpose()) {
            Ok(Some(batch)) if self.fits(group, &batch) => {
                self.hand_over(batch);
                self.current = Some((group, reader));
            }
            Ok(Some(_)) => self.lose(group, "more rows than the row group has"),
            Ok(None) if self.row < group.end_row => {
                self.lose(group, "the end of the column before that of the row group");
            }
            Ok(None) => {}
            Err(why) => self.salvage(group, &why),
        }
        Some(())
    }

    fn fits(&self, group: Group, batch: &RecordBatch) -> bool {
        batch.num_rows() as u64 <= group.end_row - self.row
    }

    /// A reader of `n_rows` rows of the group from `self.row` on.
    fn open(&self, group: Group, n_rows: u64) -> Result<ParquetRecordBatchReader, String> {
        let to_usize = |n: u64| usize::try_from(n).map_err(|_| "too many rows".to_owned());
        let skip = to_usize(self.row - group.first_row)?;
        let select = to_usize(n_rows)?;
        walled(|| {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
                self.source.clone(),
                self.metadata.clone(),
            );
            let builder = builder
                .with_row_groups(vec![group.index])
                .with_projection(self.columns.clone())
                .with_batch_size(self.batch_rows);
            let whole = skip == 0 && self.row + n_rows == group.end_row;
            let builder = match whole {
                true => builder,
                false => builder.with_row_selection(RowSelection::from(vec![
                    RowSelector::skip(skip),
                    RowSelector::select(select),
                ])),
            };
            builder.build()
        })
    }

    /// Finds the rows before the damage and gives up the rest of the row group.
    ///
    /// Rows are readable up to the damaged page and no further, so their number is found by
    /// halving; the batch that failed had at most `batch_rows` rows.
    fn salvage(&mut self, group: Group, why: &str) {
        let left = group.end_row - self.row;
        let (mut good, mut bad) = (0, left.min(self.batch_rows as u64));
        let mut best = None;
        while good + 1 < bad {
            let middle = good + (bad - good) / 2;
            match self.read_exactly(group, middle) {
                Some(batch) => (good, best) = (middle, Some(batch)),
                None => bad = middle,
            }
        }
        if let Some(batch) = best {
            self.hand_over(batch);
        }
        self.lose(group, why);
    }

    fn read_exactly(&self, group: Group, n_rows: u64) -> Option<RecordBatch> {
        let mut reader = self.open(group, n_rows).ok()?;
        let batch = walled(|| reader.next().transpose()).ok()??;
        (batch.num_rows() as u64 == n_rows).then_some(batch)
    }

    fn hand_over(&mut self, batch: RecordBatch) {
        let n_rows = batch.num_rows() as u64;
        if n_rows > 0 {
            self.pending.rows(self.place(), Rows::Batch { batch, first_row: self.row + 1 });
            self.row += n_rows;
        }
    }

    /// Reports the rest of a row group as one fault and goes on after it.
    fn lose(&mut self, group: Group, why: &str) {
        let fault = damage(format!("readable pages up to row {}", group.end_row), why);
        self.pending.fault(self.place(), self.row + 1, None, fault);
        self.row = group.end_row;
        self.current = None;
    }

    fn place(&self) -> Mark {
        Mark { row: self.row, ..Mark::default() }
    }
}

impl ChunkReader for ParquetReader {
    fn next_chunk(&mut self) -> Option<Result<Chunk, DatasetError>> {
        next_item(self, |reader| &mut reader.pending, Self::advance)
    }

    fn mark(&self) -> Mark {
        self.pending.mark().unwrap_or_else(|| self.place())
    }
}

/// Reads the footer, with the page index where there is a sound one: it makes skipping cheap.
fn load(source: &Source) -> Result<ArrowReaderMetadata, String> {
    super::parquet_footer::check(source.0.as_ref())?;
    let load = |policy| {
        let options = ArrowReaderOptions::new().with_offset_index_policy(policy);
        walled(|| ArrowReaderMetadata::load(source, options))
    };
    load(PageIndexPolicy::Optional).or_else(|_| load(PageIndexPolicy::Skip))
}

/// The row groups, and how many rows they have together.
fn groups(metadata: &ArrowReaderMetadata) -> Result<(Vec<Group>, u64), String> {
    let mut first_row = 0_u64;
    let mut groups = Vec::new();
    for (index, group) in metadata.metadata().row_groups().iter().enumerate() {
        let n_rows = u64::try_from(group.num_rows()).map_err(|_| "negative row count")?;
        let end_row = first_row.checked_add(n_rows).ok_or("too many rows")?;
        if n_rows > 0 {
            groups.push(Group { index, first_row, end_row });
        }
        first_row = end_row;
    }
    Ok((groups, first_row))
}

/// The bytes of a file as the `parquet` crate asks for them.
#[derive(Clone)]
struct Source(Arc<dyn RangeRead>);

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.n_bytes()
    }
}

impl PageSource for Source {
    type T = io::BufReader<RangeReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let reader = RangeReader { source: self.0.clone(), at: start };
        // A page header with statistics has a few hundred bytes.
        Ok(io::BufReader::with_capacity(1 << 10, reader))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        check_range(self.0.n_bytes(), start, length)?;
        Ok(self.0.read_range(start, length)?)
    }
}

/// Reads a source from one place on.
struct RangeReader {
    source: Arc<dyn RangeRead>,
    at: u64,
}

impl Read for RangeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.source.n_bytes().saturating_sub(self.at);
        let n_bytes = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if n_bytes == 0 {
            return Ok(0);
        }
        let bytes = self.source.read_range(self.at, n_bytes)?;
        buffer[..n_bytes].copy_from_slice(&bytes[..n_bytes]);
        self.at += n_bytes as u64;
        Ok(n_bytes)
    }
}
