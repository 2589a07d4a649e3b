//! Rows of Arrow batches: text borrowed for flat forms, a JSON value for all others.

use arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, MapArray, OffsetSizeTrait, StructArray,
    downcast_dictionary_array,
};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::record_batch::RecordBatch;
use serde_json::{Map, Value};

use crate::fault::{Fault, FaultKind};

/// Nested types deeper than this are refused, as nested JSON is.
const MAX_DEPTH: usize = 128;

/// The column `name`.
///
/// # Errors
///
/// A [`Fault`] of kind missing that names the columns there are.
pub fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Fault> {
    batch.column_by_name(name).ok_or_else(|| {
        let schema = batch.schema_ref();
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        Fault::field(FaultKind::Missing, name, "a column", format!("columns {}", names.join(", ")))
    })
}

/// The text at `row` of column `name`, borrowed; `None` where it is null.
///
/// # Errors
///
/// A [`Fault`]: no such column, or a column of another type than Utf8, LargeUtf8, Utf8View or a
/// dictionary of these.
///
/// # Panics
///
/// If `row` is not below the number of rows.
pub fn text<'a>(batch: &'a RecordBatch, name: &str, row: usize) -> Result<Option<&'a str>, Fault> {
    text_at(column(batch, name)?, name, row)
}

/// As [`text`], but null is a fault.
pub(crate) fn required_text(batch: &RecordBatch, name: &str, row: usize) -> Result<String, Fault> {
    match text(batch, name, row)? {
        Some(text) => Ok(text.to_owned()),
        None => Err(Fault::field(FaultKind::Null, name, "a string", "null")),
    }
}

/// As [`text`], but an absent column is as good as null.
pub(crate) fn optional_text(
    batch: &RecordBatch,
    name: &str,
    row: usize,
) -> Result<Option<String>, Fault> {
    match batch.column_by_name(name) {
        Some(array) => Ok(text_at(array, name, row)?.map(str::to_owned)),
        None => Ok(None),
    }
}

fn text_at<'a>(array: &'a dyn Array, name: &str, row: usize) -> Result<Option<&'a str>, Fault> {
    if array.is_null(row) {
        return Ok(None);
    }
    let text = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row),
        DataType::Utf8View => array.as_string_view().value(row),
        DataType::Null => return Ok(None),
        _ => {
            return downcast_dictionary_array!(
                array => match array.key(row) {
                    Some(key) => text_at(array.values().as_ref(), name, key),
                    None => Ok(None),
                },
                other => Err(Fault::field(
                    FaultKind::Type,
                    name,
                    "a column of strings",
                    format!("a column of {other}"),
                )),
            );
        }
    };
    Ok(Some(text))
}

/// Row `row` as a JSON object, a field for each column.
///
/// Timestamps and dates become text as in RFC 3339 where Arrow can say them, floats that JSON does
/// not know become null.
///
/// # Errors
///
/// A [`Fault`] of kind type for column types that have no JSON, such as binary; of kind depth.
///
/// # Panics
///
/// If `row` is not below the number of rows.
pub fn row_to_json(batch: &RecordBatch, row: usize) -> Result<Value, Fault> {
    let mut map = Map::new();
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        map.insert(field.name().clone(), cell(array, row, field.name(), 0)?);
    }
    Ok(Value::Object(map))
}

fn cell(array: &dyn Array, row: usize, path: &str, depth: usize) -> Result<Value, Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::field(FaultKind::Depth, path, "at most 128 nested values", "more"));
    }
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    if let Some(number) = number(array, row) {
        return Ok(number);
    }
    let value = match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            moment(array, row).map_or(Value::Null, Value::String)
        }
        DataType::List(_) => list(array.as_list::<i32>(), row, path, depth)?,
        DataType::LargeList(_) => list(array.as_list::<i64>(), row, path, depth)?,
        DataType::FixedSizeList(..) => items(&array.as_fixed_size_list().value(row), path, depth)?,
        DataType::Struct(_) => object(array.as_struct(), row, path, depth)?,
        DataType::Map(..) => entries(array.as_map(), row, path, depth)?,
        DataType::Dictionary(_, value) if !is_text(value) => downcast_dictionary_array!(
            array => match array.key(row) {
                Some(key) => cell(array.values().as_ref(), key, path, depth + 1)?,
                None => Value::Null,
            },
            _ => Value::Null,
        ),
        _ => text_at(array, path, row)?.map_or(Value::Null, Value::from),
    };
    Ok(value)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn number(array: &dyn Array, row: usize) -> Option<Value> {
    Some(match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float16 => array.as_primitive::<Float16Type>().value(row).to_f32().into(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        _ => return None,
    })
}

fn moment(array: &dyn Array, row: usize) -> Option<String> {
    macro_rules! moment {
        ($kind:ty) => {
            array.as_primitive::<$kind>().value_as_datetime(row)
        };
    }
    let moment = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => moment!(TimestampSecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => moment!(TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => moment!(TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => moment!(TimestampNanosecondType),
        DataType::Date32 => {
            return array.as_primitive::<Date32Type>().value_as_date(row).map(|d| d.to_string());
        }
        _ => return array.as_primitive::<Date64Type>().value_as_date(row).map(|d| d.to_string()),
    }?;
    let zone = if matches!(array.data_type(), DataType::Timestamp(_, Some(_))) { "Z" } else { "" };
    Some(format!("{}{zone}", moment.to_string().replacen(' ', "T", 1)))
}

fn list<O: OffsetSizeTrait>(
    array: &GenericListArray<O>,
    row: usize,
    path: &str,
    depth: usize,
) -> Result<Value, Fault> {
    items(&array.value(row), path, depth)
}

fn items(values: &ArrayRef, path: &str, depth: usize) -> Result<Value, Fault> {
    (0..values.len()).map(|index| cell(values, index, path, depth + 1)).collect()
}

fn object(array: &StructArray, row: usize, path: &str, depth: usize) -> Result<Value, Fault> {
    let mut map = Map::new();
    for (name, column) in array.column_names().iter().zip(array.columns()) {
        let path = format!("{path}.{name}");
        map.insert((*name).to_owned(), cell(column, row, &path, depth + 1)?);
    }
    Ok(Value::Object(map))
}

fn entries(array: &MapArray, row: usize, path: &str, depth: usize) -> Result<Value, Fault> {
    let entries = array.value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    let mut map = Map::new();
    for index in 0..entries.len() {
        let key = match cell(keys, index, path, depth + 1)? {
            Value::String(key) => key,
            other => other.to_string(),
        };
        map.insert(key, cell(values, index, path, depth + 1)?);
    }
    Ok(Value::Object(map))
}
