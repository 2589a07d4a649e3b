//! Bounded reading of files that may be hostile.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::TextError;

/// Settings hold at most some chat templates and a few thousand added tokens.
const MAX_JSON_BYTES: u64 = 32 << 20;

/// Reads a file of at most `limit` bytes, or nothing if there is no such file.
///
/// # Errors
///
/// [`TextError::Read`], [`TextError::FileTooLarge`].
pub(crate) fn read_if_exists(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, TextError> {
    let failed = |source| TextError::Read { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let mut bytes = Vec::new();
    // The length that the file system reports may lie, so the reading itself is bounded.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(TextError::FileTooLarge { what: path.display().to_string(), limit });
    }
    Ok(Some(bytes))
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
///
/// [`TextError::Read`], also if there is no such file, and [`TextError::FileTooLarge`].
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, TextError> {
    read_if_exists(path, limit)?.ok_or_else(|| TextError::Read {
        path: path.to_owned(),
        source: ErrorKind::NotFound.into(),
    })
}

/// Reads a JSON file, or nothing if there is no such file.
///
/// # Errors
///
/// [`TextError::Read`], [`TextError::FileTooLarge`], [`TextError::Json`].
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, TextError> {
    let Some(bytes) = read_if_exists(path, MAX_JSON_BYTES)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|source| TextError::Json { path: path.to_owned(), source })
}
