//! Files of any container as a DataFusion table.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema_from_iterator;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;
use serde_json::Value;

use crate::container::{ReadOptions, open};
use crate::error::DatasetError;
use crate::row::{Chunk, RawRow, Rows};

/// Rows that the columns of a JSON file are inferred from.
const INFERRED_ROWS: usize = 1000;

/// A table of these files, one partition each.
pub(super) fn provider(paths: &[PathBuf]) -> Result<Arc<dyn TableProvider>, DatasetError> {
    let mut schemas = Vec::with_capacity(paths.len());
    for path in paths {
        schemas.push(schema(path)?);
    }
    let schema = Schema::try_merge(schemas).map_err(|error| container(&paths[0], error))?;
    let schema = Arc::new(schema);
    let partitions = paths
        .iter()
        .map(|path| {
            let file = File { path: path.clone(), schema: schema.clone() };
            Arc::new(file) as Arc<dyn PartitionStream>
        })
        .collect();
    let table =
        StreamingTable::try_new(schema, partitions).map_err(|error| container(&paths[0], error))?;
    Ok(Arc::new(table))
}

/// The columns of one file: its own, or those that its first rows suggest.
fn schema(path: &Path) -> Result<Schema, DatasetError> {
    let mut reader = open(path, &ReadOptions::default())?;
    let mut values = Vec::new();
    while let Some(chunk) = reader.next_chunk() {
        let chunk = chunk?;
        if let Rows::Batch { batch, .. } = &chunk.rows {
            return Ok(batch.schema().as_ref().clone());
        }
        for index in 0..chunk.len() {
            if values.len() == INFERRED_ROWS {
                break;
            }
            values.push(json(&chunk, index)?);
        }
        if values.len() == INFERRED_ROWS {
            break;
        }
    }
    infer_json_schema_from_iterator(values.into_iter().map(Ok))
        .map_err(|error| container(path, error))
}

/// One row as JSON.
fn json(chunk: &Chunk, index: usize) -> Result<Value, DatasetError> {
    match chunk.row(index) {
        RawRow::Json(line) => serde_json::from_slice(line)
            .map_err(|error| container(&chunk.location(index).to_string(), error)),
        RawRow::Columns(..) | RawRow::Members(_) => Err(DatasetError::Unsupported {
            path: chunk.file.to_path_buf(),
            what: "a table of tar samples".to_owned(),
            hint: "convert them to Parquet or JSON lines first".to_owned(),
        }),
    }
}

/// One file, read on demand.
struct File {
    path: PathBuf,
    schema: SchemaRef,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("File").field(&self.path).finish()
    }
}

impl PartitionStream for File {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        // Two batches ahead are enough to overlap reading with the query.
        let mut stream = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), 2);
        let sender = stream.tx();
        let (path, schema) = (self.path.clone(), self.schema.clone());
        stream.spawn_blocking(move || {
            let external = |error| DataFusionError::External(Box::new(error));
            let mut reader = open(&path, &ReadOptions::default()).map_err(external)?;
            while let Some(chunk) = reader.next_chunk() {
                let batch = chunk.and_then(|chunk| batch(&chunk, &schema)).map_err(external);
                // A closed channel means that the query needs no more rows.
                if sender.blocking_send(batch).is_err() {
                    break;
                }
            }
            Ok(())
        });
        stream.build()
    }
}

/// The rows of a chunk as a batch of the table's columns.
fn batch(chunk: &Chunk, schema: &SchemaRef) -> Result<RecordBatch, DatasetError> {
    match &chunk.rows {
        Rows::Batch { batch, .. } => widen(chunk, batch, schema),
        Rows::Lines { .. } => {
            let whole = lines(chunk, schema, 0..chunk.len());
            whole.map_err(|error| {
                // The decoder does not say which row it was.
                let alone = |index| Some((index, lines(chunk, schema, index..index + 1).err()?));
                match (0..chunk.len()).find_map(alone) {
                    Some((index, error)) => container(&chunk.location(index).to_string(), error),
                    None => container(&chunk.file, error),
                }
            })
        }
        Rows::Samples { .. } => json(chunk, 0).map(|_| RecordBatch::new_empty(schema.clone())),
    }
}

/// Some lines of JSON as a batch.
fn lines(chunk: &Chunk, schema: &SchemaRef, rows: Range<usize>) -> Result<RecordBatch, ArrowError> {
    let mut decoder =
        ReaderBuilder::new(schema.clone()).with_batch_size(rows.len().max(1)).build_decoder()?;
    for index in rows {
        let RawRow::Json(line) = chunk.row(index) else { continue };
        decoder.decode(line)?;
        if decoder.has_partial_record() {
            return Err(ArrowError::JsonError("a row that is cut off".to_owned()));
        }
    }
    Ok(decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(schema.clone())))
}

/// Puts the columns of one file in the order of the table; absent ones are null.
fn widen(
    chunk: &Chunk,
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, DatasetError> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => column.clone(),
            None => arrow::array::new_null_array(field.data_type(), batch.num_rows()),
        })
        .collect();
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| container(&chunk.file, error))
}

fn container(
    path: &(impl AsRef<Path> + ?Sized),
    error: impl std::error::Error + Send + Sync + 'static,
) -> DatasetError {
    let path = path.as_ref().to_owned();
    DatasetError::Container { path, format: "table", source: Box::new(error) }
}
