//! Which row groups of a Parquet file can hold rows of a range, by their statistics.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use super::{RangeValue, RowFilterRange};
use crate::error::DatasetError;

/// For each row group, whether it may hold a row of the range. Without statistics it may.
pub(super) fn row_groups(
    metadata: &ArrowReaderMetadata,
    range: &RowFilterRange,
) -> Result<Vec<bool>, DatasetError> {
    let groups = metadata.metadata().row_groups();
    let all = vec![true; groups.len()];
    let schema = metadata.schema();
    let Ok(field) = schema.field_with_name(&range.column) else {
        return Err(refused("a column of the file", &range.column));
    };
    let kind = Kind::of(field.data_type())?;
    let statistics = StatisticsConverter::try_new(
        &range.column,
        schema,
        metadata.metadata().file_metadata().schema_descr(),
    );
    let Ok(statistics) = statistics else {
        return Ok(all);
    };
    let (Ok(least), Ok(greatest)) =
        (statistics.row_group_mins(groups), statistics.row_group_maxes(groups))
    else {
        return Ok(all);
    };
    let (Ok(least), Ok(greatest)) =
        (cast(&least, &kind.data_type()), cast(&greatest, &kind.data_type()))
    else {
        return Ok(all);
    };
    let mut keep = all;
    for (group, keep) in keep.iter_mut().enumerate() {
        let below = match &range.min {
            Some(min) => kind.orders(&greatest, group, min, Side::Below)?,
            None => false,
        };
        let above = match &range.max {
            Some(max) => kind.orders(&least, group, max, Side::Above)?,
            None => false,
        };
        *keep = !below && !above;
    }
    Ok(keep)
}

/// How the values of a column compare.
#[derive(Clone, Copy)]
enum Kind {
    Integer,
    Float,
    Text,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Below,
    Above,
}

impl Kind {
    fn of(data_type: &DataType) -> Result<Self, DatasetError> {
        match data_type {
            // 64 unsigned bits do not fit the signed bound.
            DataType::UInt64 => Err(refused("a column that can be compared", "UInt64")),
            data_type if data_type.is_integer() => Ok(Self::Integer),
            DataType::Float32 | DataType::Float64 => Ok(Self::Float),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Ok(Self::Text),
            other => Err(refused("a column of integers, floats or text", &other.to_string())),
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Text => DataType::Utf8,
        }
    }

    /// Whether the statistic of a group lies strictly on one side of the bound.
    fn orders(
        self,
        values: &ArrayRef,
        group: usize,
        bound: &RangeValue,
        side: Side,
    ) -> Result<bool, DatasetError> {
        if values.is_null(group) {
            return Ok(false);
        }
        let order = match (self, bound) {
            (Self::Integer, RangeValue::Integer(bound)) => {
                Some(values.as_primitive::<Int64Type>().value(group).cmp(bound))
            }
            (Self::Float, RangeValue::Float(bound)) => {
                values.as_primitive::<Float64Type>().value(group).partial_cmp(bound)
            }
            (Self::Float, RangeValue::Integer(bound)) => {
                values.as_primitive::<Float64Type>().value(group).partial_cmp(&(*bound as f64))
            }
            (Self::Text, RangeValue::Text(bound)) => {
                Some(values.as_string::<i32>().value(group).cmp(bound.as_str()))
            }
            (_, bound) => {
                return Err(refused("bounds of the column's type", &format!("{bound:?}")));
            }
        };
        Ok(match side {
            Side::Below => order == Some(std::cmp::Ordering::Less),
            Side::Above => order == Some(std::cmp::Ordering::Greater),
        })
    }
}

fn refused(expected: &str, found: &str) -> DatasetError {
    DatasetError::Option {
        option: "rows_in_range",
        expected: expected.to_owned(),
        found: found.to_owned(),
    }
}
