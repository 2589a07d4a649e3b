//! The bytes of a stream that were read and not yet handed out.
//!
//! Fresh memory costs more than reading into it: the system clears every page that it gives. So the
//! buffers of rows that are gone are read into again.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers kept for later. A stream has a chunk being read, one being decoded and one that waits.
const MOST_SPARE: usize = 4;

/// What one filling brought.
pub(super) enum Filled {
    More,
    End,
    Broken(io::Error),
}

/// The part of a stream between what was handed out and what was not read.
pub(super) struct Window {
    buffer: Vec<u8>,
    /// Where the unread part begins and ends in `buffer`. What follows is room, its content old.
    start: usize,
    end: usize,
    spare: Arc<Spare>,
}

impl Window {
    /// An empty window that will mostly be filled with `n_bytes` at a time.
    pub(super) fn new(n_bytes: usize) -> Self {
        let spare = Spare { buffers: Mutex::default(), largest: n_bytes.saturating_mul(2) };
        Self { buffer: Vec::new(), start: 0, end: 0, spare: Arc::new(spare) }
    }

    /// What was read and not yet handed out.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads up to `n_bytes` behind what is there.
    pub(super) fn fill(&mut self, reader: &mut dyn Read, n_bytes: usize) -> Filled {
        let full = self.end + n_bytes;
        if self.buffer.len() < full {
            self.buffer.resize(full, 0);
        }
        while self.end < full {
            match reader.read(&mut self.buffer[self.end..full]) {
                Ok(0) => return Filled::End,
                Ok(n_bytes) => self.end += n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Filled::Broken(error),
            }
        }
        Filled::More
    }

    /// Forgets the first `n_bytes`.
    pub(super) fn advance(&mut self, n_bytes: usize) {
        self.start = (self.start + n_bytes).min(self.end);
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Hands out the first `n_bytes`, without a copy; only what follows them is moved.
    pub(super) fn split_to(&mut self, n_bytes: usize) -> Bytes {
        let rest = self.start + n_bytes..self.end;
        let mut next = self.spare.take();
        if next.len() < rest.len() {
            next.resize(rest.len(), 0);
        }
        next[..rest.len()].copy_from_slice(&self.buffer[rest.clone()]);
        let buffer = std::mem::replace(&mut self.buffer, next);
        let handed_out = self.start..rest.start;
        (self.start, self.end) = (0, rest.len());
        Bytes::from_owner(Lent { buffer, spare: self.spare.clone() }).slice(handed_out)
    }
}

/// Buffers without rows.
struct Spare {
    buffers: Mutex<Vec<Vec<u8>>>,
    /// A longer buffer, made for a long row, is not kept.
    largest: usize,
}

impl Spare {
    fn take(&self) -> Vec<u8> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, buffer: Vec<u8>) {
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() < MOST_SPARE && buffer.len() <= self.largest {
            buffers.push(buffer);
        }
    }
}

/// A buffer that rows look into. It comes back when the last of them is gone.
struct Lent {
    buffer: Vec<u8>,
    spare: Arc<Spare>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.spare.give_back(std::mem::take(&mut self.buffer));
    }
}
