//! WanJuan forms as Arrow batches, to write Parquet and Arrow files.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, LargeStringArray, LargeStringBuilder, ListBuilder, StructBuilder,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::record_batch::RecordBatch;

use super::{CcDocument, Document, Exam, ImageText};

/// Forms that can be written as columns.
pub trait ToBatch: Sized {
    /// These rows as one batch. Reading it back gives equal rows.
    ///
    /// Text has 64-bit offsets, so that no batch is too large for its type.
    ///
    /// # Examples
    ///
    /// ```
    /// use puyu_dataset::record::{Document, ToBatch};
    /// use puyu_dataset::{RawRow, Record};
    ///
    /// let rows = [Document { id: "甲".to_owned(), content: "山高水长".to_owned() }];
    /// let batch = Document::to_batch(&rows);
    /// assert_eq!(Document::decode(RawRow::Columns(&batch, 0))?, rows[0]);
    /// # Ok::<(), puyu_dataset::Fault>(())
    /// ```
    fn to_batch(rows: &[Self]) -> RecordBatch;
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, column)| {
        let is_nullable = column.null_count() > 0 || name.ends_with("_score");
        (name, column, is_nullable)
    });
    RecordBatch::try_from_iter_with_nullable(columns).expect("all columns have a value per row")
}

fn text<'a, T>(rows: &'a [T], of: impl Fn(&'a T) -> &'a str) -> ArrayRef {
    Arc::new(LargeStringArray::from_iter_values(rows.iter().map(of)))
}

fn optional<'a, T>(rows: &'a [T], of: impl Fn(&'a T) -> Option<&'a str>) -> ArrayRef {
    Arc::new(LargeStringArray::from_iter(rows.iter().map(of)))
}

fn counts<T>(rows: &[T], of: impl Fn(&T) -> u64) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(rows.iter().map(of)))
}

fn scores<T>(rows: &[T], of: impl Fn(&T) -> Option<f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter(rows.iter().map(of)))
}

impl ToBatch for Document {
    fn to_batch(rows: &[Self]) -> RecordBatch {
        batch(vec![("id", text(rows, |row| &row.id)), ("content", text(rows, |row| &row.content))])
    }
}

impl ToBatch for CcDocument {
    fn to_batch(rows: &[Self]) -> RecordBatch {
        batch(vec![
            ("id", text(rows, |row| &row.id)),
            ("content", text(rows, |row| &row.content)),
            ("title", text(rows, |row| &row.title)),
            ("language", text(rows, |row| &row.language)),
            ("date", text(rows, |row| &row.date)),
            ("token_num", counts(rows, |row| row.token_num)),
            ("cbytes_num", counts(rows, |row| row.cbytes_num)),
            ("line_num", counts(rows, |row| row.line_num)),
            ("char_num", counts(rows, |row| row.char_num)),
            ("toxic_score", scores(rows, |row| row.toxic_score)),
            ("porn_score", scores(rows, |row| row.porn_score)),
            ("fluency_score", scores(rows, |row| row.fluency_score)),
            ("not_ad_score", scores(rows, |row| row.not_ad_score)),
        ])
    }
}

impl ToBatch for Exam {
    fn to_batch(rows: &[Self]) -> RecordBatch {
        batch(vec![
            ("id", text(rows, |row| &row.id)),
            ("q_type", optional(rows, |row| row.q_type.as_deref())),
            ("q_main", text(rows, |row| &row.q_main)),
            ("option_a", optional(rows, |row| row.option_a.as_deref())),
            ("option_b", optional(rows, |row| row.option_b.as_deref())),
            ("option_c", optional(rows, |row| row.option_c.as_deref())),
            ("option_d", optional(rows, |row| row.option_d.as_deref())),
            ("option_e", optional(rows, |row| row.option_e.as_deref())),
            ("std_ans", optional(rows, |row| row.std_ans.as_deref())),
            ("answer", optional(rows, |row| row.answer.as_deref())),
            ("answer_detail", optional(rows, |row| row.answer_detail.as_deref())),
            ("grade", optional(rows, |row| row.grade.as_deref())),
            ("major", optional(rows, |row| row.major.as_deref())),
            ("keypoint", optional(rows, |row| row.keypoint.as_deref())),
        ])
    }
}

impl ToBatch for ImageText {
    fn to_batch(rows: &[Self]) -> RecordBatch {
        batch(vec![
            ("id", text(rows, |row| &row.id)),
            ("img_list", images(rows)),
            ("content", text(rows, |row| &row.content)),
        ])
    }
}

fn images(rows: &[ImageText]) -> ArrayRef {
    let names = ["url", "sha256", "caption", "width", "height"];
    let fields: Fields =
        names.iter().map(|name| Field::new(*name, DataType::LargeUtf8, true)).collect();
    let mut list = ListBuilder::new(StructBuilder::from_fields(fields, 0));
    for row in rows {
        for image in &row.img_list {
            let values = [&image.url, &image.sha256, &image.caption, &image.width, &image.height];
            for (index, value) in values.into_iter().enumerate() {
                list.values()
                    .field_builder::<LargeStringBuilder>(index)
                    .expect("all five fields are LargeUtf8")
                    .append_value(value);
            }
            list.values().append(true);
        }
        list.append(true);
    }
    Arc::new(list.finish())
}
