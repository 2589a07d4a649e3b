//! Rows of files by number.

use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backing::{Backings, Unpacked};
use super::cursor::{Cursor, Cursors, Piece};
use super::{Manifest, Shard};
use crate::container::{self, BlankLines, Container, Mark, ReadOptions};
use crate::error::DatasetError;
use crate::fault::{BadRow, Fault, FaultKind, Location};
use crate::row::{Fingerprint, Record, RowSource};

/// How rows are read by number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RowsOptions {
    /// How files are read; as for the scan. `rows_in_range` must be unset.
    pub read: ReadOptions,
    /// A folder where compressed files are unpacked, each once, under the hash of its content. It
    /// may be shared by any number of processes and data sets, and emptied while none runs.
    pub cache_dir: Option<PathBuf>,
    /// Without a cache folder: how many bytes of unpacked files are held in memory, all together.
    /// 256 MiB: some shards of the usual size. A larger file is an error that says so.
    pub in_memory_bytes: u64,
    /// How many readers stay open, each with one chunk. 16: enough for a block shuffle's blocks.
    pub open_readers: usize,
}

impl Default for RowsOptions {
    fn default() -> Self {
        Self {
            read: ReadOptions::default(),
            cache_dir: None,
            in_memory_bytes: 256 << 20,
            open_readers: 16,
        }
    }
}

impl RowsOptions {
    /// These options with a cache folder.
    #[must_use]
    pub fn with_cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(folder.into());
        self
    }
}

/// The rows of a manifest's files, typed, by number.
///
/// A row that cannot be read is an `Err` in its place, so that numbers never shift. Files are not
/// to be changed while they are read here.
///
/// # Examples
///
/// ```
/// use puyu_dataset::manifest::{FileRows, Manifest, RowsOptions, ScanOptions};
/// use puyu_dataset::{Fault, FaultKind, RawRow, Record, RowSource};
///
/// #[derive(Debug, PartialEq)]
/// struct Line(String);
///
/// impl Record for Line {
///     const FORM: &'static str = "line";
///
///     fn decode(row: RawRow<'_>) -> Result<Self, Fault> {
///         let RawRow::Json(bytes) = row else {
///             return Err(Fault::row(FaultKind::Type, "a line", "something else"));
///         };
///         serde_json::from_slice(bytes)
///             .map(Self)
///             .map_err(|error| Fault::row(FaultKind::Type, "a string", error.to_string()))
///     }
/// }
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("part.jsonl"), "\"疑是地上霜\"\n7\n\"frost\"\n")?;
/// let manifest = Manifest::scan([folder.path()], &ScanOptions::default(), &|_| {})?;
///
/// let rows = FileRows::<Line>::open(manifest, RowsOptions::default())?;
/// let read = rows.read(1..3)?;
/// assert!(read[0].is_err());
/// assert_eq!(read[1], Ok(Line("frost".into())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileRows<R> {
    manifest: Manifest,
    options: RowsOptions,
    /// For each shard its first row, then the number of all rows.
    starts: Vec<u64>,
    fingerprint: Fingerprint,
    cursors: Cursors,
    backings: Backings,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> FileRows<R> {
    /// Prepares to read. Makes sure that the files are those of the manifest: by size and time,
    /// and by content where a file was touched.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Damaged`] for a file that has changed, [`DatasetError::Io`] for one that is
    /// gone, [`DatasetError::Option`] for options that make no sense.
    pub fn open(manifest: Manifest, mut options: RowsOptions) -> Result<Self, DatasetError> {
        options.read.validate()?;
        if options.read.rows_in_range.is_some() {
            return Err(DatasetError::Option {
                option: "rows_in_range",
                expected: "none, since rows are read by number".to_owned(),
                found: "a range".to_owned(),
            });
        }
        options.read.blank_lines = BlankLines::Skip;
        if options.read.columns.is_none() {
            options.read.columns =
                R::columns().map(|columns| columns.iter().map(|&name| name.to_owned()).collect());
        }
        let mut starts = vec![0];
        for shard in manifest.shards() {
            shard.ensure_unchanged(&manifest.path_of(shard))?;
            starts.push(starts[starts.len() - 1] + shard.n_rows);
        }
        let fingerprint = manifest.fingerprint();
        let (cursors, backings) = Default::default();
        Ok(Self { manifest, options, starts, fingerprint, cursors, backings, record: PhantomData })
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Which file a row is in, and its number there, both counted from 0.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn place_of(&self, row: u64) -> (usize, u64) {
        assert!(row < self.n_rows(), "row {row} of {}", self.n_rows());
        let shard = self.starts.partition_point(|start| *start <= row) - 1;
        (shard, row - self.starts[shard])
    }

    /// Appends rows of one shard.
    fn read_shard(
        &self,
        number: usize,
        rows: Range<u64>,
        out: &mut Vec<Result<R, BadRow>>,
    ) -> Result<(), DatasetError> {
        let shard = &self.manifest.shards()[number];
        let path = self.manifest.path_of(shard);
        // What is there of a row that is cut must not pass for a whole one.
        let whole = shard.n_rows - u64::from(shard.cut.is_some());
        let mut next = rows.start;
        if next < rows.end.min(whole) {
            let mut cursor = self.cursor(number, shard, &path, next)?;
            while next < rows.end.min(whole) {
                let Some(piece) = cursor.piece(next)? else {
                    return Err(too_few_rows(shard, path, next));
                };
                let end = piece.end().min(rows.end).min(whole);
                decode(piece, next..end, out);
                next = end;
            }
            self.cursors.put(cursor, self.options.open_readers);
        }
        if let (true, Some(cut)) = (next < rows.end, &shard.cut) {
            let location = Location { file: path.into(), row: cut.row, offset: cut.offset };
            let fault = Fault::row(FaultKind::Truncated, &cut.expected, &cut.found);
            out.push(Err(fault.at(location)));
        }
        Ok(())
    }

    /// A reader at or before a row.
    fn cursor(
        &self,
        number: usize,
        shard: &Shard,
        path: &Path,
        row: u64,
    ) -> Result<Cursor, DatasetError> {
        let mark = match shard.kind.container {
            // Columns are found by row number alone.
            Container::Parquet | Container::ArrowFile => Mark { row, ..Mark::default() },
            _ => shard.mark_before(row),
        };
        let nearest = match shard.kind.container {
            // Reading on from within the same thousand rows is cheaper than opening a page again.
            Container::Parquet | Container::ArrowFile => row.saturating_sub(1024),
            _ => mark.row,
        };
        if let Some(cursor) = self.cursors.take(number, row, nearest) {
            return Ok(cursor);
        }
        let read = &self.options.read;
        let reader = match shard.is_compressed() {
            false => container::open_at(path, read, mark)?,
            true => {
                let bytes = self.backings.bytes(number, shard, path, &self.options)?;
                container::open_ranges(path, Arc::new(Unpacked(bytes)), read, mark)?
            }
        };
        Ok(Cursor::new(number, reader))
    }
}

fn decode<R: Record>(piece: &Piece, rows: Range<u64>, out: &mut Vec<Result<R, BadRow>>) {
    for row in rows {
        out.push(match piece {
            Piece::Bad(_, _, bad) => Err(BadRow::clone(bad)),
            Piece::Rows(first, chunk) => {
                // Within the chunk, whose length is a `usize`.
                let index = (row - first) as usize;
                R::decode(chunk.row(index)).map_err(|fault| fault.at(chunk.location(index)))
            }
        });
    }
}

fn too_few_rows(shard: &Shard, path: PathBuf, found: u64) -> DatasetError {
    DatasetError::Damaged {
        path,
        what: "number of rows",
        expected: shard.n_rows.to_string(),
        found: format!("an end at or before row {found}, counted from 0"),
    }
}

impl<R: Record> RowSource for FileRows<R> {
    type Row = Result<R, BadRow>;

    fn n_rows(&self) -> u64 {
        self.starts[self.starts.len() - 1]
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn read(&self, rows: Range<u64>) -> Result<Vec<Self::Row>, DatasetError> {
        if rows.start > rows.end || rows.end > self.n_rows() {
            return Err(DatasetError::Option {
                option: "rows",
                expected: format!("a range within 0..{}", self.n_rows()),
                found: format!("{rows:?}"),
            });
        }
        let mut out = Vec::new();
        let mut next = rows.start;
        while next < rows.end {
            let (shard, first) = self.place_of(next);
            let start = self.starts[shard];
            let end = rows.end.min(self.starts[shard + 1]);
            self.read_shard(shard, first..end - start, &mut out)?;
            next = end;
        }
        Ok(out)
    }
}

impl<R: Record> std::fmt::Debug for FileRows<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileRows")
            .field("form", &R::FORM)
            .field("n_shards", &self.manifest.shards().len())
            .field("n_rows", &self.n_rows())
            .finish_non_exhaustive()
    }
}
