//! Memory that costs nothing until it is written.

use std::alloc::{Layout, alloc_zeroed};

/// Bytes of a cache line; blocks begin at one.
const ALIGNMENT: usize = 64;

/// Zeroed bytes at a cache line. The system provides a page when it is first written.
#[derive(Debug)]
pub(super) struct Memory {
    /// More than `len` bytes, so that there is a place to begin.
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Memory {
    /// Reserves `len` zeroed bytes; `None` if the system refuses.
    ///
    /// Asks for plain alignment and moves the start itself: for a stricter alignment the standard
    /// library would zero the bytes one by one, which makes every page resident.
    pub(super) fn zeroed(len: usize) -> Option<Self> {
        let capacity = len.checked_add(ALIGNMENT)?;
        let layout = Layout::array::<u8>(capacity).ok()?;
        // SAFETY: the layout is not empty, `capacity` is at least `ALIGNMENT`.
        let pointer = unsafe { alloc_zeroed(layout) };
        if pointer.is_null() {
            return None;
        }
        // SAFETY: the pointer was allocated just above by the global allocator with the layout of
        // `capacity` bytes, and all of them are initialised, with zeros.
        let bytes = unsafe { Vec::from_raw_parts(pointer, capacity, capacity) };
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Some(Self { bytes, start, len })
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..][..self.len]
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..self.len]
    }
}
