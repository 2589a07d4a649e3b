//! What the columnar readers share: the choice of columns, and a wall around their decoders.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow::datatypes::Schema;

use crate::error::DatasetError;
use crate::fault::{Fault, FaultKind, excerpt};

/// The indices of the root columns asked for, in the order of the file.
pub(super) fn project(
    path: &Path,
    schema: &Schema,
    columns: Option<&[String]>,
) -> Result<Option<Vec<usize>>, DatasetError> {
    let Some(columns) = columns else {
        return Ok(None);
    };
    let index = |column: &String| {
        schema.index_of(column).map_err(|_| DatasetError::MissingColumn {
            path: path.to_owned(),
            column: column.clone(),
            found: schema.fields().iter().map(|field| field.name().clone()).collect(),
        })
    };
    let mut indices = columns.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    indices.sort_unstable();
    indices.dedup();
    Ok(Some(indices))
}

/// Runs a decoder of a columnar format; what it says, or that it panicked, as text.
///
/// The decoders of `parquet` and `arrow-ipc` index and allocate by numbers out of the file, and
/// mutated files make some of them panic. Their state is dropped after a panic, never used again,
/// which is what makes the assertion of unwind safety true.
pub(super) fn walled<T, E: std::fmt::Display>(
    decode: impl FnOnce() -> Result<T, E>,
) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("the decoder gave up: {}", text.unwrap_or("for an unknown reason")))
        }
    }
}

/// A fault of the container itself.
pub(super) fn damage(expected: impl Into<String>, found: &str) -> Fault {
    Fault::row(FaultKind::Container, expected, excerpt(found))
}

/// The error of a file that cannot be opened as what it is.
pub(super) fn unreadable(path: &Path, format: &'static str, why: String) -> DatasetError {
    DatasetError::Container { path: path.to_owned(), format, source: why.into() }
}
