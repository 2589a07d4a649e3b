//! Random reads of an object through a few large blocks.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use super::Object;
use crate::container::RangeRead;

/// Bytes of a block. A columnar reader asks for a page header, a page, a header, …: sent to a
/// bucket as they are, those are two requests a page; in blocks it is one request a megabyte, and
/// at most one block too much at each end of a column chunk.
const BLOCK_BYTES: u64 = 1 << 20;

/// Blocks held: some for each of the columns that are read side by side.
const N_BLOCKS: usize = 32;

/// An [`Object`] for readers that jump: Parquet and Arrow files.
///
/// Only the blocks that are asked for are fetched, so columns that are not read and row groups
/// that are pruned cost nothing.
#[derive(Debug)]
pub struct Blocks {
    object: Object,
    /// Most recently used last.
    held: Mutex<VecDeque<(u64, Bytes)>>,
}

impl Blocks {
    /// Wraps an object; nothing is fetched yet.
    pub fn new(object: Object) -> Self {
        Self { object, held: Mutex::default() }
    }

    /// Block `index`, fetched unless it is held.
    fn block(&self, index: u64) -> io::Result<Bytes> {
        if let Some(bytes) = self.take(index) {
            self.hold(index, bytes.clone());
            return Ok(bytes);
        }
        let start = index * BLOCK_BYTES;
        let length = BLOCK_BYTES.min(self.object.size().saturating_sub(start));
        let bytes = self.object.read_range(start, length).map_err(io::Error::other)?;
        self.hold(index, bytes.clone());
        Ok(bytes)
    }

    fn take(&self, index: u64) -> Option<Bytes> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let at = held.iter().position(|(held, _)| *held == index)?;
        held.remove(at).map(|(_, bytes)| bytes)
    }

    fn hold(&self, index: u64, bytes: Bytes) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= N_BLOCKS {
            held.pop_front();
        }
        held.push_back((index, bytes));
    }
}

impl RangeRead for Blocks {
    fn n_bytes(&self) -> u64 {
        self.object.size()
    }

    fn read_range(&self, offset: u64, len: usize) -> io::Result<Bytes> {
        let whole = len as u64 >= BLOCK_BYTES;
        let end = offset.checked_add(len as u64).filter(|end| *end <= self.object.size());
        let (Some(end), false) = (end, whole) else {
            return self.object.read_range(offset, len as u64).map_err(io::Error::other);
        };
        let mut bytes = BytesMut::with_capacity(len);
        let mut at = offset;
        while at < end {
            let block = self.block(at / BLOCK_BYTES)?;
            let from = (at % BLOCK_BYTES) as usize;
            let n = (block.len() - from).min((end - at) as usize);
            if from == 0 && n == len {
                return Ok(block.slice(..len));
            }
            bytes.extend_from_slice(&block[from..from + n]);
            at += n as u64;
        }
        Ok(bytes.freeze())
    }
}
