//! Typed streaming of many files within a stated amount of memory.
//!
//! [`discover`] turns files, folders and patterns into a list; [`RecordStream`] reads it. Threads
//! read ahead and decode in parallel, or the caller's thread does all of it; rows come in the order
//! of the files and of their rows, whatever the number of threads. A [`Policy`] says what happens to rows that cannot be read, a
//! [`ReadReport`] counts them, and a [`StreamPosition`] lets a later stream go on.

mod budget;
mod builder;
mod decode;
mod discover;
mod duplicates;
mod lane;
mod options;
mod position;
mod quarantine;
mod report;
mod source;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod threads;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use builder::StreamBuilder;
pub use discover::{Discovery, discover};
pub use options::{Policy, StreamOptions};
pub use position::StreamPosition;
pub use report::{FileReport, ReadReport};

use self::decode::{Decoded, Misfit};
use self::duplicates::Seen;
use self::quarantine::{Quarantine, Raw};
use self::source::{Next, Source};
use self::threads::Threads;
use crate::container::Mark;
use crate::error::DatasetError;
use crate::fault::{BadRow, Location};
use crate::row::{Chunk, Record};

/// The id of a record, for the search for repeats.
type IdOf<R> = Box<dyn Fn(&R) -> Option<&str> + Send>;

/// A stream of typed rows from many files.
///
/// Under [`Policy::Fail`] the first error ends it. Under the other policies bad rows are left out,
/// and an error is of a whole file (damaged beyond its rows, gone): calling `next` again goes on
/// with the next file. Dropping the stream stops its threads and waits for them, which takes no
/// longer than one read.
///
/// # Examples
///
/// ```
/// use puyu_dataset::stream::{Policy, RecordStream, StreamOptions};
/// use puyu_dataset::{Fault, FaultKind, RawRow, Record};
///
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
///             .map_err(|error| Fault::row(FaultKind::Json, "a string", error.to_string()))
///     }
/// }
///
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("part.jsonl"), "\"床前明月光\"\n7\n\"moonlight\"\n")?;
///
/// let mut stream = RecordStream::<Line>::builder([folder.path()])
///     .options(StreamOptions::default().with_policy(Policy::Skip))
///     .start()?;
/// let lines = stream.by_ref().map(|row| Ok(row?.1.0)).collect::<Result<Vec<_>, _>>();
/// assert_eq!(lines.map_err(|error: puyu_dataset::DatasetError| error)?, ["床前明月光", "moonlight"]);
/// assert_eq!((stream.report().rows_good, stream.report().rows_bad), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RecordStream<R: Record> {
    files: Arc<[PathBuf]>,
    policy: Policy,
    ids: Option<(IdOf<R>, Seen)>,
    quarantine: Option<Quarantine>,
    report: ReadReport,
    /// The place before the next row. Its `rows_quarantined` is filled in when asked for.
    place: StreamPosition,
    /// Rows before this place are passed over.
    begin: Option<StreamPosition>,
    source: Source<R>,
    current: Option<Current<R>>,
    threads: Threads,
    is_over: bool,
}

/// The chunk whose rows are being delivered.
struct Current<R> {
    decoded: Decoded<R>,
    next: usize,
}

/// One row on its way out.
type Row<R> = (Location, Result<R, Box<Misfit>>);

impl<R: Record> RecordStream<R> {
    /// Begins to describe a stream over files, folders and patterns, see [`discover`].
    pub fn builder<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> StreamBuilder<R> {
        StreamBuilder::new(paths.into_iter().map(|path| path.as_ref().to_owned()).collect())
    }

    /// The files, in the order in which they are read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What was delivered so far.
    pub fn report(&self) -> &ReadReport {
        &self.report
    }

    /// The place after the last row delivered (or left out).
    pub fn position(&self) -> StreamPosition {
        if let Some(begin) = &self.begin {
            return begin.clone();
        }
        let rows_quarantined = self.quarantine.as_ref().map_or(0, Quarantine::rows);
        StreamPosition { rows_quarantined, ..self.place.clone() }
    }

    /// The most bytes of rows that were ever in flight at once, raw and decoded.
    pub fn peak_bytes(&self) -> u64 {
        self.threads.gauge.peak()
    }

    /// The next row of the present chunk.
    fn next_row(&mut self) -> Option<Row<R>> {
        let current = self.current.as_mut()?;
        match current.decoded.rows.next() {
            Some(row) => {
                let location = current.decoded.chunk.location(current.next);
                current.next += 1;
                self.place.rows_done += 1;
                self.place.rows_since_mark += 1;
                Some((location, row))
            }
            None => {
                self.current = None;
                None
            }
        }
    }

    /// Counts a row and applies the policy to it. `None` if it is left out.
    fn deliver(&mut self, row: Row<R>) -> Option<Result<(Location, R), DatasetError>> {
        let (location, row) = row;
        let row = match row {
            Ok(record) => self.check_id(&location, record),
            misfit => misfit,
        };
        if self.is_passed_over() {
            return None;
        }
        match row {
            Ok(record) => {
                self.report.good();
                Some(Ok((location, record)))
            }
            Err(misfit) => {
                let Misfit { fault, raw } = *misfit;
                self.apply_policy(fault.at(location), raw.as_ref()).err().map(Err)
            }
        }
    }

    /// Whether the row before the present place was delivered by an earlier stream.
    fn is_passed_over(&mut self) -> bool {
        let Some(begin) = &self.begin else { return false };
        let here = (self.place.file, self.place.rows_done);
        let is_passed_over = here <= (begin.file, begin.rows_done);
        if !is_passed_over {
            self.begin = None;
        }
        is_passed_over
    }

    /// Turns a record whose id was there before into a misfit.
    fn check_id(&mut self, location: &Location, record: R) -> Result<R, Box<Misfit>> {
        let Some((id_of, seen)) = &mut self.ids else { return Ok(record) };
        let Some(id) = id_of(&record) else { return Ok(record) };
        let file = u32::try_from(self.place.file).unwrap_or(u32::MAX);
        let files = &self.files;
        let name = |file: u32| {
            files.get(file as usize).map(|path| path.display().to_string()).unwrap_or_default()
        };
        seen.check(id, (file, location.row), name).map(|()| record).map_err(|fault| {
            let chunk: Option<(&Chunk, usize)> =
                self.current.as_ref().map(|current| (&current.decoded.chunk, current.next - 1));
            let is_kept = self.quarantine.is_some();
            let raw = chunk.filter(|_| is_kept).and_then(|(chunk, row)| Raw::of(chunk.row(row)));
            Box::new(Misfit { fault, raw })
        })
    }

    fn apply_policy(&mut self, row: BadRow, raw: Option<&Raw>) -> Result<(), DatasetError> {
        self.report.bad(&row);
        match (&self.policy, &mut self.quarantine) {
            (Policy::Fail, _) => {
                self.stop();
                Err(row.into())
            }
            (_, Some(quarantine)) => quarantine.push(&row, raw).inspect_err(|_| self.stop()),
            (_, None) => Ok(()),
        }
    }

    /// Takes the next event. `None` if there is nothing to return yet.
    fn advance(&mut self) -> Option<Result<(Location, R), DatasetError>> {
        let Some(path) = self.files.get(self.place.file) else {
            return self.finish().err().map(Err);
        };
        if self.report.by_file.last().is_none_or(|file| file.path != *path) {
            self.report.begin_file(path.clone());
        }
        match self.source.next(self.place.file) {
            Next::Chunk { mark, decoded } => {
                self.begin_chunk(mark, decoded);
                None
            }
            Next::Bad { mark, row } => self.bad_row(mark, *row),
            Next::Failed(error) => self.file_failed(error),
            Next::End => self.file_ended(),
            Next::Died(reason) => Some(Err(self.died(&reason))),
        }
    }

    fn begin_chunk(&mut self, mark: Mark, decoded: Decoded<R>) {
        self.place.mark = mark;
        self.place.rows_since_mark = 0;
        self.report.bytes_read += decoded.n_bytes;
        self.current = Some(Current { decoded, next: 0 });
    }

    fn bad_row(&mut self, mark: Mark, row: BadRow) -> Option<Result<(Location, R), DatasetError>> {
        self.place.mark = mark;
        self.place.rows_since_mark = 1;
        self.place.rows_done += 1;
        self.deliver((row.location, Err(Box::new(Misfit { fault: row.fault, raw: None }))))
    }

    fn file_failed(&mut self, error: DatasetError) -> Option<Result<(Location, R), DatasetError>> {
        let was_passed = self.begin.as_ref().is_some_and(|begin| self.place.file < begin.file);
        self.report.failed(error.with_causes());
        self.next_file();
        if was_passed {
            return None;
        }
        if self.policy == Policy::Fail {
            self.stop();
        }
        Some(Err(error))
    }

    fn file_ended(&mut self) -> Option<Result<(Location, R), DatasetError>> {
        let begin = self.begin.as_ref().filter(|begin| begin.file == self.place.file);
        let missing = begin.filter(|begin| self.place.rows_done < begin.rows_done);
        let error = missing.map(|begin| DatasetError::State {
            what: "rows of the file at the position",
            expected: format!("at most {} in {}", self.place.rows_done, begin.file_name),
            found: begin.rows_done.to_string(),
        });
        match error {
            Some(_) => self.stop(),
            None => self.next_file(),
        }
        error.map(Err)
    }

    fn next_file(&mut self) {
        self.place = StreamPosition::start_of(self.place.file + 1, &self.files, 0);
    }

    fn died(&mut self, reason: &str) -> DatasetError {
        self.stop();
        let path = self.files.get(self.place.file).cloned().unwrap_or_default();
        let reason = format!("the stream ended early: {reason}");
        DatasetError::io("read", path)(std::io::Error::other(reason))
    }

    /// The end of the data.
    fn finish(&mut self) -> Result<(), DatasetError> {
        self.stop();
        self.begin = None;
        self.quarantine.take().map_or(Ok(()), Quarantine::finish)
    }

    fn stop(&mut self) {
        self.is_over = true;
        self.current = None;
        self.source = Source::Closed;
        self.threads.stop();
    }
}

impl<R: Record> Iterator for RecordStream<R> {
    type Item = Result<(Location, R), DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            let item = match self.next_row() {
                Some(row) => self.deliver(row),
                None => self.advance(),
            };
            if item.is_some() {
                return item;
            }
        }
        None
    }
}

impl<R: Record> std::iter::FusedIterator for RecordStream<R> {}

impl<R: Record> Drop for RecordStream<R> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<R: Record> std::fmt::Debug for RecordStream<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordStream")
            .field("form", &R::FORM)
            .field("n_files", &self.files.len())
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}
