//! How a stream is described and started.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::bounded;

use super::decode::{Decode, KeepText};
use super::duplicates::Seen;
use super::lane::{Lane, Opener, Room};
use super::quarantine::Quarantine;
use super::source::{Caller, Source};
use super::threads::Threads;
use super::{IdOf, Policy, ReadReport, RecordStream, StreamOptions, StreamPosition, discover};
use crate::container;
use crate::error::DatasetError;
use crate::row::Record;

/// Events and jobs that wait in a channel. Their bytes are limited by the budget; this only keeps
/// bad rows, which have none, from piling up.
const QUEUE: usize = 64;

/// Describes a [`RecordStream`].
#[must_use]
pub struct StreamBuilder<R> {
    paths: Vec<PathBuf>,
    options: StreamOptions,
    id_of: Option<IdOf<R>>,
    position: Option<StreamPosition>,
}

impl<R: Record> StreamBuilder<R> {
    pub(super) fn new(paths: Vec<PathBuf>) -> Self {
        Self { paths, options: StreamOptions::default(), id_of: None, position: None }
    }

    /// Sets the options.
    pub fn options(mut self, options: StreamOptions) -> Self {
        self.options = options;
        self
    }

    /// Makes a row whose id an earlier row has a fault of kind `duplicate_id` that names it. A row
    /// without an id (`None`) repeats nothing.
    ///
    /// Ids are remembered by a hash of 64 bits, in 25 to 50 bytes each beside the memory limit.
    /// With a position to resume at, all rows before it are read again for their ids.
    pub fn check_duplicate_ids(
        mut self,
        id_of: impl Fn(&R) -> Option<&str> + Send + 'static,
    ) -> Self {
        self.id_of = Some(Box::new(id_of));
        self
    }

    /// Goes on at a position of an earlier stream over the same files.
    pub fn resume_at(mut self, position: StreamPosition) -> Self {
        self.position = Some(position);
        self
    }

    /// Finds the files and starts the threads.
    ///
    /// # Errors
    ///
    /// As [`discover`]; [`DatasetError::Option`] for options that make no sense;
    /// [`DatasetError::State`] for a position in other files; [`DatasetError::Io`] if the
    /// quarantine file cannot be written or a thread not started.
    pub fn start(mut self) -> Result<RecordStream<R>, DatasetError> {
        self.options.validate()?;
        let files = discover(&self.paths)?;
        let mut read = self.options.read_in_share(files.len());
        if read.columns.is_none() {
            read.columns =
                R::columns().map(|columns| columns.iter().map(|&name| name.to_owned()).collect());
        }
        self.options.read = read.clone();
        self.start_with(files, Arc::new(move |path, mark| container::open_at(path, &read, mark)))
    }

    /// Starts over files that `opener` opens.
    pub(super) fn start_with(
        self,
        files: Vec<PathBuf>,
        opener: Arc<Opener>,
    ) -> Result<RecordStream<R>, DatasetError> {
        let position = self.position.unwrap_or_else(|| StreamPosition::start_of(0, &files, 0));
        position.check(&files)?;
        // Ids of earlier rows are known only to who has read them.
        let place = match self.id_of {
            Some(_) => StreamPosition::start_of(0, &files, 0),
            None => StreamPosition {
                rows_done: position.rows_done - position.rows_since_mark,
                rows_since_mark: 0,
                ..position.clone()
            },
        };
        let quarantine = match &self.options.policy {
            Policy::Quarantine(target) => {
                Some(Quarantine::open(target, position.rows_quarantined)?)
            }
            Policy::Fail | Policy::Skip => None,
        };
        let keep = match (&quarantine, &self.id_of) {
            (None, _) => KeepText::None,
            (Some(_), None) => KeepText::OfMisfits,
            (Some(_), Some(_)) => KeepText::All,
        };
        let files: Arc<[PathBuf]> = files.into();
        let start = Start { options: &self.options, files: files.clone(), place: &place, opener };
        let (threads, source) = start.source::<R>(keep)?;
        Ok(RecordStream {
            files,
            policy: self.options.policy,
            ids: self.id_of.map(|id_of| (id_of, Seen::default())),
            quarantine,
            report: ReadReport::default(),
            begin: (place != position).then_some(position),
            place,
            source,
            current: None,
            threads,
            is_over: false,
        })
    }
}

/// What a source needs to start.
struct Start<'a> {
    options: &'a StreamOptions,
    files: Arc<[PathBuf]>,
    place: &'a StreamPosition,
    opener: Arc<Opener>,
}

impl Start<'_> {
    fn source<R: Record>(self, keep: KeepText) -> Result<(Threads, Source<R>), DatasetError> {
        let mut threads = Threads::default();
        let decode = Decode { keep, is_cancelled: threads.is_cancelled.clone() };
        let source = match self.options.threads {
            0 => Source::Caller(Caller {
                opener: self.opener.clone(),
                files: self.files.clone(),
                room: self.room(&mut threads),
                decode,
                begin: self.place.mark,
                open: None,
            }),
            _ => self.lanes(&mut threads, &decode)?,
        };
        Ok((threads, source))
    }

    fn lanes<R: Record>(
        self,
        threads: &mut Threads,
        decode: &Decode,
    ) -> Result<Source<R>, DatasetError> {
        let (jobs, jobs_to_do) = bounded(QUEUE);
        for _ in 0..self.options.threads {
            let (jobs, decode) = (jobs_to_do.clone(), decode.clone());
            threads.spawn("puyu-decode", move || decode.run::<R>(&jobs))?;
        }
        let n_lanes = self.options.n_lanes(self.files.len());
        let mut lanes = Vec::new();
        for number in 0..n_lanes {
            let (events, receiver) = bounded(QUEUE);
            let first = self.place.file.saturating_add(number);
            let lane = Lane {
                opener: self.opener.clone(),
                files: self.files.clone(),
                numbers: (first..self.files.len()).step_by(n_lanes).collect(),
                begin: if number == 0 { self.place.mark } else { Default::default() },
                room: self.room(threads),
                jobs: jobs.clone(),
                events,
            };
            threads.spawn("puyu-read", move || lane.run())?;
            lanes.push(receiver);
        }
        Ok(Source::Lanes { first_file: self.place.file, lanes })
    }

    /// The memory of one lane.
    fn room(&self, threads: &mut Threads) -> Room {
        let share = self.options.share_bytes(self.files.len());
        let expected_bytes = (self.options.read.chunk_bytes as u64 * 2).min(share / 2);
        Room { budget: threads.budget(share), expected_bytes }
    }
}
