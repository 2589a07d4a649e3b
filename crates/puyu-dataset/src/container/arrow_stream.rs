//! Arrow IPC streams: messages one after the other.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::arrow_block::{BlockDecoder, Extent, Kind, body_bytes, kind, schema};
use super::arrow_file::{at, hand_over};
use super::columns::{damage, project, unreadable};
use super::pending::{Pending, next_item};
use super::source::{Broken, Input, outside};
use super::{ChunkReader, Mark, ReadOptions};
use crate::error::DatasetError;
use crate::fault::{Fault, FaultKind};
use crate::row::Chunk;

const FORMAT: &str = "Arrow IPC stream";

/// The most bytes of a message's head. Ten thousand columns have 1 MB.
const MAX_HEAD_BYTES: u32 = 64 << 20;

/// Reads the batches of a stream in order.
pub(super) struct ArrowStreamReader {
    input: Input,
    decoder: BlockDecoder,
    max_block_bytes: u64,
    batch_rows: usize,
    /// Rows before the next.
    row: u64,
    /// Rows before this one are passed over.
    from: u64,
    ended: bool,
    pending: Pending,
}

/// Why there is no further message.
enum Stop {
    End,
    Fault(Fault),
    Storage(io::Error),
}

impl ArrowStreamReader {
    /// Reads from row `mark.row`; `input` is at its start.
    pub(super) fn new(
        path: &Path,
        mut input: Input,
        options: &ReadOptions,
        mark: Mark,
    ) -> Result<Self, DatasetError> {
        let max_block_bytes = options.max_block_bytes;
        let first = read_message(&mut input, max_block_bytes).map_err(|stop| match stop {
            Stop::End => unreadable(path, FORMAT, "no message".to_owned()),
            Stop::Fault(fault) => unreadable(path, FORMAT, fault.to_string()),
            Stop::Storage(error) => DatasetError::io("read", path)(error),
        })?;
        let (schema, version) = schema(&first.1).map_err(|why| unreadable(path, FORMAT, why))?;
        let columns = project(path, &schema, options.columns.as_deref())?;
        let decoder = BlockDecoder::new(Arc::new(schema), version, columns, max_block_bytes);
        Ok(Self {
            input,
            decoder,
            max_block_bytes,
            batch_rows: options.batch_rows,
            row: 0,
            from: mark.row,
            ended: false,
            pending: Pending::new(path),
        })
    }

    fn advance(&mut self) {
        match read_message(&mut self.input, self.max_block_bytes) {
            Ok((extent, bytes)) => self.take(extent, bytes),
            Err(stop) => {
                self.ended = true;
                self.stop(stop);
            }
        }
    }

    fn stop(&mut self, stop: Stop) {
        let place = at(self.row.max(self.from));
        match stop {
            Stop::End if self.row < self.from => {
                self.pending.error(place, outside("row", self.from, self.row));
            }
            Stop::End => {}
            Stop::Fault(fault) => {
                self.pending.fault(place, place.row + 1, None, fault);
                self.row = place.row + 1;
            }
            Stop::Storage(error) => {
                let error = DatasetError::io("read", self.pending.path())(error);
                self.pending.error(place, error);
            }
        }
    }

    fn take(&mut self, extent: Extent, bytes: Vec<u8>) {
        let (n_rows, result) = match kind(&bytes[..extent.head_bytes]) {
            Ok(Kind::Rows(n_rows)) if self.row + n_rows <= self.from => {
                self.row += n_rows;
                return;
            }
            Ok(Kind::Rows(n_rows)) => {
                let batch = self.decoder.rows(extent, bytes.into());
                (n_rows, batch.map(Some))
            }
            Ok(Kind::Dictionary) => {
                (0, self.decoder.dictionary(extent, bytes.into()).map(|()| None))
            }
            Ok(Kind::Other) => return,
            Err(why) => (1, Err(why)),
        };
        let end = self.row + n_rows;
        let skip = self.from.saturating_sub(self.row);
        let first = self.row + skip;
        match result {
            Ok(Some(batch)) if batch.num_rows() as u64 == n_rows => {
                hand_over(&mut self.pending, &batch, (skip, first), self.batch_rows);
            }
            Ok(None) => {}
            Ok(Some(_)) => self.lose(first, end, "another number of rows"),
            Err(why) => {
                // Batches after a lost dictionary would be read with wrong values.
                self.ended = n_rows == 0;
                self.lose(first, end, &why);
            }
        }
        self.row = end;
    }

    fn lose(&mut self, row: u64, end: u64, why: &str) {
        let fault = damage(format!("a readable block up to row {end}"), why);
        self.pending.fault(at(row), row + 1, None, fault);
    }
}

impl ChunkReader for ArrowStreamReader {
    fn next_chunk(&mut self) -> Option<Result<Chunk, DatasetError>> {
        next_item(
            self,
            |reader| &mut reader.pending,
            |reader| (!reader.ended).then(|| reader.advance()),
        )
    }

    fn mark(&self) -> Mark {
        self.pending.mark().unwrap_or_else(|| at(self.row.max(self.from)))
    }
}

/// Reads one message: its head with the prefix, and its body.
fn read_message(input: &mut Input, max_block_bytes: u64) -> Result<(Extent, Vec<u8>), Stop> {
    let mut bytes = Vec::with_capacity(1 << 10);
    if !read_exactly(input, 4, &mut bytes)? {
        return Err(Stop::End);
    }
    let marked = bytes == [255; 4];
    if marked && !read_exactly(input, 4, &mut bytes)? {
        return Err(cut("the length of a message"));
    }
    let length = bytes.last_chunk().map_or(0, |length| u32::from_le_bytes(*length));
    if length == 0 {
        return Err(Stop::End);
    }
    if length > MAX_HEAD_BYTES {
        let found = format!("a message head of {length} bytes");
        return Err(Stop::Fault(damage(format!("at most {MAX_HEAD_BYTES} bytes"), &found)));
    }
    if !read_exactly(input, u64::from(length), &mut bytes)? {
        return Err(cut("the head of a message"));
    }
    let head_bytes = bytes.len();
    let body = body_bytes(&bytes).map_err(|why| Stop::Fault(damage("a message", &why)))?;
    if body > max_block_bytes {
        let found = format!("a message of {body} bytes");
        return Err(Stop::Fault(damage(format!("at most {max_block_bytes} bytes"), &found)));
    }
    if !read_exactly(input, body, &mut bytes)? {
        return Err(cut("the body of a message"));
    }
    let body_bytes = bytes.len() - head_bytes;
    Ok((Extent { head_bytes, body_bytes }, bytes))
}

/// Appends `n_bytes`; `false` if there is none left at all. Asks for memory only as bytes come.
fn read_exactly(input: &mut Input, n_bytes: u64, bytes: &mut Vec<u8>) -> Result<bool, Stop> {
    let read = (&mut input.reader).take(n_bytes).read_to_end(bytes);
    match read.map_err(|error| input.broken(error)) {
        Ok(read) if read as u64 == n_bytes => Ok(true),
        Ok(0) => Ok(false),
        Ok(_) => Err(cut("the rest of a message")),
        Err(Broken::Data(fault)) => Err(Stop::Fault(fault)),
        Err(Broken::Storage(error)) => Err(Stop::Storage(error)),
    }
}

fn cut(expected: &str) -> Stop {
    Stop::Fault(Fault::row(FaultKind::Truncated, expected, "the end of the file"))
}
