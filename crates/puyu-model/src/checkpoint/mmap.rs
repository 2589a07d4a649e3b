//! Memory maps of weight files, the one place of this crate with `unsafe`.
#![allow(unsafe_code, reason = "a memory map is unsafe by nature; see the safety note")]

use std::fs::File;
use std::path::Path;

use bytes::Bytes;

use crate::error::CheckpointError;

/// Maps a file read-only. Clones and slices of the result share the map.
///
/// # Safety of the map
///
/// The file must not be truncated while it is mapped: reading past its new end would stop the
/// process. Programs that replace weights should write a new file and rename it, as
/// [`Decoder::save`](crate::Decoder::save) does; the old map stays valid then.
pub(super) fn map(path: &Path) -> Result<Bytes, CheckpointError> {
    let error =
        |action| move |source| CheckpointError::Io { action, path: path.to_owned(), source };
    let file = File::open(path).map_err(error("open"))?;
    if file.metadata().map_err(error("read"))?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the map is read-only and only ever read as plain numbers, for which every bit
    // pattern is valid. That nobody truncates the file is the documented condition above.
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(error("map"))?;
    Ok(Bytes::from_owner(map))
}
