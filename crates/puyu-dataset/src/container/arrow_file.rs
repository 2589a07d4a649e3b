//! Arrow IPC files: blocks listed in a footer.

use std::path::Path;
use std::sync::Arc;

use arrow_ipc::{Block, Footer};
use bytes::Bytes;

use super::arrow_block::{BlockDecoder, Extent, Kind, kind};
use super::columns::{damage, project, unreadable, walled};
use super::pending::{Pending, next_item};
use super::source::outside;
use super::{ChunkReader, Mark, RangeRead, ReadOptions};
use crate::error::DatasetError;
use crate::row::{Chunk, Rows};

const FORMAT: &str = "Arrow IPC";

/// `ARROW1` and its padding at the start; the length of the footer and `ARROW1` at the end.
const HEAD_BYTES: u64 = 8;
const TAIL_BYTES: u64 = 10;

/// Reads the blocks of a file in order.
pub(super) struct ArrowFileReader {
    source: Arc<dyn RangeRead>,
    decoder: BlockDecoder,
    blocks: std::vec::IntoIter<Result<Place, String>>,
    batch_rows: usize,
    /// Rows before the next.
    row: u64,
    /// Rows of the next block that lie before the mark.
    skip: u64,
    pending: Pending,
}

/// Where a block is.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    extent: Extent,
}

impl ArrowFileReader {
    /// Opens a file before row `at.row`.
    pub(super) fn new(
        path: &Path,
        source: Arc<dyn RangeRead>,
        options: &ReadOptions,
        at: Mark,
    ) -> Result<Self, DatasetError> {
        let wrap = |why| unreadable(path, FORMAT, why);
        let footer_bytes = read_footer(source.as_ref()).map_err(wrap)?;
        let footer = arrow_ipc::root_as_footer(&footer_bytes)
            .map_err(|error| unreadable(path, FORMAT, error.to_string()))?;
        let schema = schema(&footer).map_err(wrap)?;
        let columns = project(path, &schema, options.columns.as_deref())?;
        let version = footer.version();
        let mut decoder =
            BlockDecoder::new(Arc::new(schema), version, columns, options.max_block_bytes);
        let place = |block: &Block| place(block, source.as_ref(), options.max_block_bytes);
        for block in footer.dictionaries().iter().flatten() {
            let place = place(block).map_err(wrap)?;
            let bytes = place.read(source.as_ref()).map_err(wrap)?;
            decoder.dictionary(place.extent, bytes).map_err(wrap)?;
        }
        let blocks: Vec<_> = footer.recordBatches().iter().flatten().map(place).collect();
        let mut reader = Self {
            source: source.clone(),
            decoder,
            blocks: blocks.into_iter(),
            batch_rows: options.batch_rows,
            row: 0,
            skip: 0,
            pending: Pending::new(path),
        };
        reader.seek(at.row)?;
        Ok(reader)
    }

    /// Passes over whole blocks, by their heads.
    fn seek(&mut self, row: u64) -> Result<(), DatasetError> {
        while self.row < row {
            let Some(block) = self.blocks.as_slice().first() else {
                return Err(outside("row", row, self.row));
            };
            let n_rows = self.n_rows(block);
            if self.row + n_rows > row {
                self.skip = row - self.row;
                self.row = row;
                return Ok(());
            }
            self.blocks.next();
            self.row += n_rows;
        }
        Ok(())
    }

    /// How many rows a block claims; one, if its head cannot be read.
    fn n_rows(&self, block: &Result<Place, String>) -> u64 {
        let Ok(Place { offset, extent }) = block else {
            return 1;
        };
        let head = self.source.read_range(*offset, extent.head_bytes);
        match head.map_err(|error| error.to_string()).and_then(|head| kind(&head)) {
            Ok(Kind::Rows(n_rows)) => n_rows,
            Ok(_) => 0,
            Err(_) => 1,
        }
    }

    fn advance(&mut self, block: Result<Place, String>) {
        let n_rows = self.n_rows(&block);
        let skip = std::mem::take(&mut self.skip);
        let end = self.row + n_rows.saturating_sub(skip);
        let batch = block.and_then(|place| {
            let bytes = place.read(self.source.as_ref())?;
            if let Ok(Kind::Dictionary | Kind::Other) = kind(&bytes) {
                return Err("a block that holds no rows".to_owned());
            }
            self.decoder.rows(place.extent, bytes)
        });
        match batch {
            Ok(batch) if batch.num_rows() as u64 == n_rows => {
                hand_over(&mut self.pending, &batch, (skip, self.row), self.batch_rows);
            }
            Ok(batch) => {
                let found = format!("{} rows", batch.num_rows());
                let fault = damage(format!("{n_rows} rows"), &found);
                self.pending.fault(at(self.row), self.row + 1, None, fault);
            }
            Err(why) => {
                let fault = damage(format!("a readable block up to row {end}"), &why);
                self.pending.fault(at(self.row), self.row + 1, None, fault);
            }
        }
        self.row = end;
    }
}

/// Cuts a batch into chunks, without its first rows.
pub(super) fn hand_over(
    pending: &mut Pending,
    batch: &arrow::record_batch::RecordBatch,
    (skip, row): (u64, u64),
    batch_rows: usize,
) {
    // `skip` is below the rows of the batch, which is in memory.
    let (mut start, mut row) = (skip as usize, row);
    while start < batch.num_rows() {
        let n_rows = batch_rows.min(batch.num_rows() - start);
        let batch = batch.slice(start, n_rows);
        pending.rows(at(row), Rows::Batch { batch, first_row: row + 1 });
        start += n_rows;
        row += n_rows as u64;
    }
}

/// The mark before a row.
pub(super) fn at(row: u64) -> Mark {
    Mark { row, ..Mark::default() }
}

impl ChunkReader for ArrowFileReader {
    fn next_chunk(&mut self) -> Option<Result<Chunk, DatasetError>> {
        next_item(
            self,
            |reader| &mut reader.pending,
            |reader| {
                let block = reader.blocks.next()?;
                reader.advance(block);
                Some(())
            },
        )
    }

    fn mark(&self) -> Mark {
        self.pending.mark().unwrap_or_else(|| at(self.row))
    }
}

impl Place {
    fn read(self, source: &dyn RangeRead) -> Result<Bytes, String> {
        source.read_range(self.offset, self.extent.n_bytes()).map_err(|error| error.to_string())
    }
}

/// The bytes of the footer.
fn read_footer(source: &dyn RangeRead) -> Result<Bytes, String> {
    let n_bytes = source.n_bytes();
    let end = n_bytes
        .checked_sub(TAIL_BYTES)
        .filter(|end| *end >= HEAD_BYTES)
        .ok_or("too short for a footer")?;
    let tail = source.read_range(end, TAIL_BYTES as usize).map_err(|error| error.to_string())?;
    let tail = *tail.first_chunk().ok_or("too short for a footer")?;
    let length = arrow_ipc::reader::read_footer_length(tail).map_err(|error| error.to_string())?;
    let start = end.checked_sub(length as u64).filter(|start| *start >= HEAD_BYTES);
    let start = start.ok_or_else(|| format!("a footer of {length} bytes in {n_bytes}"))?;
    source.read_range(start, length).map_err(|error| error.to_string())
}

fn schema(footer: &Footer<'_>) -> Result<arrow::datatypes::Schema, String> {
    let schema = footer.schema().ok_or("no schema in its footer")?;
    walled(|| Ok::<_, String>(arrow_ipc::convert::fb_to_schema(schema)))
}

/// Where a block is, if that is inside the file.
fn place(block: &Block, source: &dyn RangeRead, max_block_bytes: u64) -> Result<Place, String> {
    let outside = || "a block outside the file".to_owned();
    let offset = u64::try_from(block.offset()).map_err(|_| outside())?;
    let head_bytes = usize::try_from(block.metaDataLength()).map_err(|_| outside())?;
    let body_bytes = usize::try_from(block.bodyLength()).map_err(|_| outside())?;
    let n_bytes = (head_bytes as u64).checked_add(body_bytes as u64).ok_or_else(outside)?;
    match offset.checked_add(n_bytes) {
        Some(end) if end <= source.n_bytes() => {}
        _ => return Err(outside()),
    }
    if n_bytes > max_block_bytes {
        return Err(format!("a block of {n_bytes} bytes, {max_block_bytes} allowed"));
    }
    Ok(Place { offset, extent: Extent { head_bytes, body_bytes } })
}
