//! Memory maps of weight files, the one place of this crate with `unsafe`.
#![allow(unsafe_code, reason = "a memory map is unsafe by nature; see the safety note")]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::Mmap;

use crate::error::CheckpointError;

/// A file, mapped read-only. Clones share the map.
#[derive(Clone)]
pub(super) struct Map(Arc<Mmap>);

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Map {
    /// The whole file. Slices of the result keep the map.
    pub(super) fn bytes(&self) -> Bytes {
        Bytes::from_owner(self.clone())
    }

    /// Says that a part of the map is not needed for now: its pages no longer count as memory of
    /// this process. It stays readable; the system reads it again where it has to.
    pub(super) fn release(&self, part: &[u8]) {
        #[cfg(unix)]
        if let Some(offset) = self.offset_of(part) {
            // SAFETY: the map is shared, read-only and of a file, so that a dropped page comes
            // back with the same bytes; `offset_of` has shown that the part lies within it.
            let advised = unsafe {
                self.0.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    offset,
                    part.len(),
                )
            };
            if let Err(error) = advised {
                tracing::debug!(%error, "pages of a weight file stay in memory");
            }
        }
    }

    #[cfg(unix)]
    fn offset_of(&self, part: &[u8]) -> Option<usize> {
        let offset = (part.as_ptr() as usize).checked_sub(self.0.as_ptr() as usize)?;
        let end = offset.checked_add(part.len())?;
        (!part.is_empty() && end <= self.0.len()).then_some(offset)
    }
}

/// Maps a file read-only; `None` if it is empty.
///
/// # Safety of the map
///
/// The file must not be truncated while it is mapped: reading past its new end would stop the
/// process. Programs that replace weights should write a new file and rename it, as
/// [`Decoder::save`](crate::Decoder::save) does; the old map stays valid then.
pub(super) fn map(path: &Path) -> Result<Option<Map>, CheckpointError> {
    let error =
        |action| move |source| CheckpointError::Io { action, path: path.to_owned(), source };
    let file = File::open(path).map_err(error("open"))?;
    if file.metadata().map_err(error("read"))?.len() == 0 {
        return Ok(None);
    }
    // SAFETY: the map is read-only and only ever read as plain numbers, for which every bit
    // pattern is valid. That nobody truncates the file is the documented condition above.
    let map = unsafe { Mmap::map(&file) }.map_err(error("map"))?;
    Ok(Some(Map(Arc::new(map))))
}
