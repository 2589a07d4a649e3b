//! Memory maps of data files, the one place of this crate with `unsafe`.
#![allow(unsafe_code, reason = "a memory map is unsafe by nature; see the safety note")]

use std::fs::File;
use std::path::Path;

use bytes::Bytes;

use crate::error::DatasetError;

/// Maps a file read-only. Clones and slices of the result share the map.
///
/// # Safety of the map
///
/// The file must not be truncated while it is mapped: reading past its new end would stop the
/// process. Everything this crate writes is written to a new file and renamed, so an old map stays
/// valid when its file is replaced.
pub(crate) fn map(path: &Path) -> Result<Bytes, DatasetError> {
    let file = File::open(path).map_err(DatasetError::io("open", path))?;
    if file.metadata().map_err(DatasetError::io("read", path))?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the map is read-only and only ever read as plain numbers, for which every bit
    // pattern is valid. That nobody truncates the file is the documented condition above.
    let map = unsafe { memmap2::Mmap::map(&file) }.map_err(DatasetError::io("map", path))?;
    Ok(Bytes::from_owner(map))
}
