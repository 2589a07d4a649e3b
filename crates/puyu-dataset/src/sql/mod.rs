//! SQL over the files that this crate reads, through DataFusion.
//!
//! Every container can be a table: Parquet files through DataFusion's own reader (which skips
//! columns and row groups), everything else through [`container`](crate::container), batch by
//! batch. Files of one table are read side by side.

mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use tokio::runtime::{Builder, Runtime};

use crate::container::{Container, detect};
use crate::error::DatasetError;

/// Tables and the queries over them.
///
/// ```
/// use puyu_dataset::sql::Sql;
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("诗.jsonl");
/// std::fs::write(&path, "{\"id\": \"1\", \"content\": \"白日依山尽\"}\n{\"id\": \"2\", \"content\": \"床前\"}\n")?;
/// let sql = Sql::new(2)?;
/// sql.register("poems", &[path])?;
/// let rows = sql.query("SELECT id FROM poems WHERE character_length(content) > 3")?;
/// assert_eq!(rows.iter().map(|batch| batch.num_rows()).sum::<usize>(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sql {
    context: SessionContext,
    runtime: Runtime,
}

impl Sql {
    /// Starts with no table. Queries use `threads` threads.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`] if the system gives no threads.
    pub fn new(threads: usize) -> Result<Self, DatasetError> {
        let threads = threads.max(1);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("puyu-sql")
            .enable_all()
            .build()
            .map_err(DatasetError::io("start threads for", "SQL"))?;
        let config = SessionConfig::new().with_target_partitions(threads);
        Ok(Self { context: SessionContext::new_with_config(config), runtime })
    }

    /// Makes files a table. They may be of any container, but either all Parquet or none.
    ///
    /// The columns of JSON files are inferred from the first rows of each.
    ///
    /// # Errors
    ///
    /// What opening the files says; [`DatasetError::Option`] for no file, a name that is taken, or
    /// Parquet beside others.
    pub fn register(&self, table: &str, paths: &[PathBuf]) -> Result<(), DatasetError> {
        let Some(first) = paths.first() else {
            return Err(DatasetError::Option {
                option: "paths",
                expected: "at least one file".to_owned(),
                found: "none".to_owned(),
            });
        };
        let mut n_parquet = 0;
        for path in paths {
            n_parquet += usize::from(detect(path)?.container == Container::Parquet);
        }
        match n_parquet {
            0 => {
                let provider = table::provider(paths)?;
                self.context
                    .register_table(table, provider)
                    .map_err(|error| refused(first, error))?;
            }
            n if n == paths.len() => self.register_parquet(table, paths)?,
            n => {
                return Err(DatasetError::Option {
                    option: "paths",
                    expected: "Parquet files only, or none".to_owned(),
                    found: format!("{n} Parquet files of {}", paths.len()),
                });
            }
        }
        Ok(())
    }

    /// Runs a query to its end.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Container`] with what DataFusion says about the query or the data.
    pub fn query(&self, query: &str) -> Result<Vec<RecordBatch>, DatasetError> {
        let name = Path::new("the query");
        self.runtime
            .block_on(async { self.context.sql(query).await?.collect().await })
            .map_err(|error| refused(name, error))
    }

    fn register_parquet(&self, table: &str, paths: &[PathBuf]) -> Result<(), DatasetError> {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let read = self.context.read_parquet(
            names,
            ParquetReadOptions {
                // The content was looked at; a name need not end in `.parquet`.
                file_extension: "",
                ..ParquetReadOptions::default()
            },
        );
        let frame = self.runtime.block_on(read).map_err(|error| refused(&paths[0], error))?;
        self.context
            .register_table(table, frame.into_view())
            .map_err(|error| refused(&paths[0], error))?;
        Ok(())
    }
}

fn refused(path: &Path, error: DataFusionError) -> DatasetError {
    DatasetError::Container { path: path.to_owned(), format: "SQL", source: Box::new(error) }
}
