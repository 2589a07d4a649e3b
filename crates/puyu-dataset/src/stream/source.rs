//! Where a stream's events come from: threads that read ahead, or the caller's own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::decode::{Decode, Decoded};
use super::lane::{Event, OpenFile, Opener, Piece, Room, decoded_bytes, panic_message};
use crate::container::Mark;
use crate::error::DatasetError;
use crate::fault::BadRow;
use crate::row::Record;

/// What comes next in a stream.
pub(super) enum Next<R> {
    Chunk {
        mark: Mark,
        decoded: Decoded<R>,
    },
    Bad {
        mark: Mark,
        row: Box<BadRow>,
    },
    /// The file is over before its end.
    Failed(DatasetError),
    /// The file is over.
    End,
    /// Nothing will come any more, for this reason.
    Died(String),
}

/// Where events come from.
pub(super) enum Source<R> {
    /// Lanes, in turn: file `f` comes from lane `(f - first_file) % n_lanes`.
    Lanes { first_file: usize, lanes: Vec<Receiver<Event<R>>> },
    /// Reading and decoding when rows are asked for.
    Caller(Caller),
    /// Nowhere any more.
    Closed,
}

impl<R: Record> Source<R> {
    /// The next event of the file with this number.
    pub(super) fn next(&mut self, file: usize) -> Next<R> {
        match self {
            Self::Lanes { first_file, lanes } => {
                next_of_lane(&lanes[(file - *first_file) % lanes.len()])
            }
            Self::Caller(caller) => caller.next(file),
            Self::Closed => Next::Died("the stream is over".into()),
        }
    }
}

fn next_of_lane<R>(lane: &Receiver<Event<R>>) -> Next<R> {
    match lane.recv() {
        Ok(Event::Chunk { mark, rows }) => match rows.recv() {
            Ok(Ok(decoded)) => Next::Chunk { mark, decoded },
            Ok(Err(panic)) => Next::Died(panic),
            Err(_) => Next::Died("a decoding thread is gone".into()),
        },
        Ok(Event::Bad { mark, row }) => Next::Bad { mark, row },
        Ok(Event::Failed(error)) => Next::Failed(error),
        Ok(Event::End) => Next::End,
        Ok(Event::Died(panic)) => Next::Died(panic),
        Err(_) => Next::Died("a reading thread is gone".into()),
    }
}

/// The caller's thread at work.
pub(super) struct Caller {
    pub(super) opener: Arc<Opener>,
    pub(super) files: Arc<[PathBuf]>,
    pub(super) room: Room,
    pub(super) decode: Decode,
    /// Where to begin in the first file.
    pub(super) begin: Mark,
    pub(super) open: Option<(usize, OpenFile)>,
}

impl Caller {
    fn next<R: Record>(&mut self, file: usize) -> Next<R> {
        // A panic of a reader or a decoder ends the stream as it does on other threads.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.read(file)));
        outcome.unwrap_or_else(|panic| Next::Died(panic_message(&*panic)))
    }

    fn read<R: Record>(&mut self, number: usize) -> Next<R> {
        let mut file = match self.open.take().filter(|(open, _)| *open == number) {
            Some((_, file)) => file,
            None => {
                let mark = std::mem::take(&mut self.begin);
                match OpenFile::open(&*self.opener, &self.files[number], mark) {
                    Ok(file) => file,
                    Err(error) => return Next::Failed(error),
                }
            }
        };
        let next = match file.next(&mut self.room, decoded_bytes::<R>) {
            Some(Piece::Chunk { mark, chunk, permit }) => {
                Next::Chunk { mark, decoded: self.decode.chunk(chunk, permit) }
            }
            Some(Piece::Bad { mark, row }) => Next::Bad { mark, row },
            Some(Piece::Failed(error)) => return Next::Failed(error),
            Some(Piece::End) => return Next::End,
            None => return Next::Died("the stream is over".into()),
        };
        self.open = Some((number, file));
        next
    }
}
