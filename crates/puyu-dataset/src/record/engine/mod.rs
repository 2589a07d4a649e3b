//! Strictness: from raw rows to typed forms, with one exact fault where a row does not fit.

use serde::de::DeserializeOwned;

use crate::fault::{Fault, FaultKind};
use crate::row::{RawRow, Record};

pub mod columns;
mod diagnose;
mod objects;
mod shape;
mod strict;

pub(crate) use objects::{null_as_default, nullable, objects, objects_or_none, optional_objects};
pub(crate) use shape::describe;
pub use shape::{Field, Presence, Shape};

use arrow::record_batch::RecordBatch;

/// A form whose rows are JSON, described by a [`Shape`].
///
/// Whoever implements this gets [`Record`] for all three kinds of [`RawRow`]. Reading takes the
/// fast way first: straight from the bytes into the type. Only where that fails is the row looked
/// at again, slowly, to say exactly what is wrong.
///
/// # Examples
///
/// A form of one's own:
///
/// ```
/// use puyu_dataset::record::{Field, JsonForm, Shape};
/// use puyu_dataset::{FaultKind, RawRow, Record};
///
/// #[derive(Debug, serde::Deserialize)]
/// struct Poem {
///     title: String,
///     lines: Vec<String>,
/// }
///
/// impl JsonForm for Poem {
///     const NAME: &'static str = "poem";
///     const SHAPE: Shape = Shape::Object(&[
///         Field::required("title", Shape::Text),
///         Field::required("lines", Shape::List(&Shape::Text)),
///     ]);
/// }
///
/// let row = r#"{"title": "静夜思", "lines": ["床前明月光", 7]}"#;
/// let fault = Poem::decode(RawRow::Json(row.as_bytes())).unwrap_err();
/// assert_eq!(fault.kind, FaultKind::Type);
/// assert_eq!(fault.to_string(), "`lines[1]`: expected a string, found the number 7");
/// ```
pub trait JsonForm: DeserializeOwned + Send + 'static {
    /// The form's name; becomes [`Record::FORM`].
    const NAME: &'static str;
    /// What a row must look like. It has to agree with the type's `Deserialize`.
    const SHAPE: Shape;

    /// Checks values that types cannot express, such as an empty `id`.
    ///
    /// # Errors
    ///
    /// The first [`Fault`].
    fn check(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// The columns that columnar files need to decode; `None` for all of them.
    fn columns() -> Option<&'static [&'static str]> {
        None
    }

    /// Reads one row of an Arrow batch. Flat forms borrow their columns instead of going through
    /// a JSON value.
    ///
    /// # Errors
    ///
    /// The first [`Fault`].
    fn from_columns(batch: &RecordBatch, row: usize) -> Result<Self, Fault> {
        from_value(columns::row_to_json(batch, row)?)
    }
}

impl<T: JsonForm> Record for T {
    const FORM: &'static str = T::NAME;

    fn columns() -> Option<&'static [&'static str]> {
        <T as JsonForm>::columns()
    }

    fn decode(row: RawRow<'_>) -> Result<Self, Fault> {
        match row {
            RawRow::Json(bytes) => from_json(bytes),
            RawRow::Columns(batch, row) => {
                let form = T::from_columns(batch, row)?;
                form.check()?;
                Ok(form)
            }
            RawRow::Members(sample) => match sample.member("json") {
                Some(bytes) => from_json(bytes),
                None => Err(missing_member("json", sample)),
            },
        }
    }
}

/// A tar sample has no member with this extension.
pub(crate) fn missing_member(extension: &str, sample: &crate::row::Sample) -> Fault {
    let found: Vec<_> = sample.members.iter().map(|m| m.extension.as_str()).collect();
    Fault::field(
        FaultKind::Missing,
        extension,
        format!("a member `{}.{extension}`", sample.key),
        format!("members with {}", found.join(", ")),
    )
}

fn from_json<T: JsonForm>(bytes: &[u8]) -> Result<T, Fault> {
    let bytes = without_byte_order_mark(bytes);
    // Checking UTF-8 once for the row is as cheap as per string, and covers unknown fields.
    if let Ok(text) = simdutf8::basic::from_utf8(bytes)
        && opens_as(text, T::SHAPE)
        && let Ok(form) = serde_json::from_str::<T>(text)
    {
        form.check()?;
        return Ok(form);
    }
    Err(diagnose::json(bytes, T::NAME, T::SHAPE))
}

/// Derived `Deserialize` reads a struct from a list too, which no form means.
fn opens_as(text: &str, shape: Shape) -> bool {
    let first = text.bytes().find(|byte| !byte.is_ascii_whitespace());
    !matches!(shape, Shape::Object(_)) || first == Some(b'{')
}

/// Editors and exports of Windows begin files with U+FEFF.
pub(crate) fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// Reads a form from a JSON value that is already in memory.
pub(crate) fn from_value<T: JsonForm>(value: serde_json::Value) -> Result<T, Fault> {
    T::SHAPE.check(&value, T::NAME)?;
    serde_json::from_value(value).map_err(|error| {
        Fault::row(FaultKind::Type, format!("a {} row", T::NAME), error.to_string())
    })
}

/// Reads any JSON row as a value, with the same faults as the typed forms.
///
/// # Errors
///
/// [`Fault`] of kinds empty, UTF-8, Unicode, JSON, depth and duplicate key; of arrow types that
/// have no JSON; a missing `json` member.
pub fn row_value(row: RawRow<'_>) -> Result<serde_json::Value, Fault> {
    match row {
        RawRow::Json(bytes) => diagnose::value(without_byte_order_mark(bytes)),
        RawRow::Columns(batch, row) => columns::row_to_json(batch, row),
        RawRow::Members(sample) => match sample.member("json") {
            Some(bytes) => diagnose::value(without_byte_order_mark(bytes)),
            None => Err(missing_member("json", sample)),
        },
    }
}
