//! What a reader found and has not handed out yet.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use super::Mark;
use crate::error::DatasetError;
use crate::fault::{Fault, Location};
use crate::row::{Chunk, Rows};

/// Chunks and bad rows with the place at which each begins.
pub(super) struct Pending {
    file: Arc<Path>,
    items: VecDeque<(Mark, Result<Chunk, DatasetError>)>,
}

impl Pending {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.into(), items: VecDeque::new() }
    }

    pub(super) fn rows(&mut self, at: Mark, rows: Rows) {
        self.items.push_back((at, Ok(Chunk { file: self.file.clone(), rows })));
    }

    /// A bad row: `row` counted from 1.
    pub(super) fn fault(&mut self, at: Mark, row: u64, offset: Option<u64>, fault: Fault) {
        let location = Location { file: self.file.clone(), row, offset };
        self.items.push_back((at, Err(fault.at(location).into())));
    }

    pub(super) fn error(&mut self, at: Mark, error: DatasetError) {
        self.items.push_back((at, Err(error)));
    }

    pub(super) fn pop(&mut self) -> Option<Result<Chunk, DatasetError>> {
        self.items.pop_front().map(|(_, item)| item)
    }

    /// Where the next item begins, if there is one.
    pub(super) fn mark(&self) -> Option<Mark> {
        self.items.front().map(|(at, _)| *at)
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }
}

/// What a reader has pending, or what reading on brings. `advance` reads on once, and says `None`
/// where nothing is left to read.
pub(super) fn next_item<R>(
    reader: &mut R,
    pending: fn(&mut R) -> &mut Pending,
    advance: fn(&mut R) -> Option<()>,
) -> Option<Result<Chunk, DatasetError>> {
    loop {
        if let Some(item) = pending(reader).pop() {
            return Some(item);
        }
        advance(reader)?;
    }
}
