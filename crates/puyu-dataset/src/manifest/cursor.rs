//! Open readers that know which row comes next.

use std::sync::{Mutex, PoisonError};

use crate::container::ChunkReader;
use crate::error::DatasetError;
use crate::fault::BadRow;
use crate::row::Chunk;

/// Consecutive rows as a reader gave them.
pub(super) enum Piece {
    /// Rows from `.0`.
    Rows(u64, Chunk),
    /// Rows from `.0` to before `.1` that cannot be read.
    Bad(u64, u64, Box<BadRow>),
}

impl Piece {
    fn first(&self) -> u64 {
        match self {
            Self::Rows(first, _) | Self::Bad(first, ..) => *first,
        }
    }

    /// One past the last row.
    pub(super) fn end(&self) -> u64 {
        match self {
            Self::Rows(first, chunk) => first + chunk.len() as u64,
            Self::Bad(_, end, _) => *end,
        }
    }
}

/// A reader of one shard.
pub(super) struct Cursor {
    pub(super) shard: usize,
    reader: Box<dyn ChunkReader>,
    /// What was read last, and may be needed again.
    last: Option<Piece>,
}

impl Cursor {
    pub(super) fn new(shard: usize, reader: Box<dyn ChunkReader>) -> Self {
        Self { shard, reader, last: None }
    }

    /// The first row that it can still give.
    fn first(&self) -> u64 {
        self.last.as_ref().map_or_else(|| self.reader.mark().row, Piece::first)
    }

    /// The piece that holds `row`, passing over what is before it. `None` at the end.
    pub(super) fn piece(&mut self, row: u64) -> Result<Option<&Piece>, DatasetError> {
        while self.last.as_ref().is_none_or(|piece| piece.end() <= row) {
            let first = self.reader.mark().row;
            let piece = match self.reader.next_chunk() {
                None => return Ok(None),
                Some(Ok(chunk)) => Piece::Rows(first, chunk),
                Some(Err(DatasetError::BadRow(bad))) => {
                    Piece::Bad(first, self.reader.mark().row, bad)
                }
                Some(Err(error)) => return Err(error),
            };
            self.last = Some(piece);
        }
        Ok(self.last.as_ref().filter(|piece| piece.first() <= row))
    }
}

/// The readers that are open and idle, the most recent last.
#[derive(Default)]
pub(super) struct Cursors {
    idle: Mutex<Vec<Cursor>>,
}

impl Cursors {
    /// Takes the reader that is nearest before `row` and not before `mark_row`, from where a new
    /// one would begin.
    pub(super) fn take(&self, shard: usize, row: u64, mark_row: u64) -> Option<Cursor> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = idle.iter().enumerate().filter(|(_, cursor)| {
            cursor.shard == shard && (mark_row..=row).contains(&cursor.first())
        });
        let (index, _) = usable.max_by_key(|(_, cursor)| cursor.first())?;
        Some(idle.remove(index))
    }

    /// Gives a reader back; at most `most` are kept.
    pub(super) fn put(&self, cursor: Cursor, most: usize) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(cursor);
        if idle.len() > most {
            idle.remove(0);
        }
    }
}
