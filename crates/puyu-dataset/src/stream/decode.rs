//! The threads that decode rows.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};

use super::budget::Permit;
use super::lane::{panic_message, raw_bytes};
use super::quarantine::Raw;
use crate::fault::Fault;
use crate::row::{Chunk, Record, Rows};

/// A chunk to decode.
pub(super) struct Job<R> {
    pub(super) chunk: Chunk,
    pub(super) permit: Permit,
    /// A panic of a record's decoder comes as its message.
    pub(super) reply: Sender<Result<Decoded<R>, String>>,
}

/// A row that did not decode.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) fault: Fault,
    pub(super) raw: Option<Raw>,
}

/// A chunk's rows.
pub(super) struct Decoded<R> {
    /// Says where the rows are. Without its text, unless that was asked for.
    pub(super) chunk: Chunk,
    pub(super) rows: std::vec::IntoIter<Result<R, Box<Misfit>>>,
    /// The bytes of the chunk as it was read.
    pub(super) n_bytes: u64,
    /// Held as long as the rows are.
    pub(super) _permit: Permit,
}

/// What is kept of the text of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeepText {
    /// Nothing.
    None,
    /// That of rows which do not decode.
    OfMisfits,
    /// All: any row may turn out to be a repeat.
    All,
}

/// How chunks are decoded.
#[derive(Clone)]
pub(super) struct Decode {
    pub(super) keep: KeepText,
    pub(super) is_cancelled: Arc<AtomicBool>,
}

impl Decode {
    /// Decodes until there are no more jobs. Once cancelled, only empties the queue.
    pub(super) fn run<R: Record>(&self, jobs: &Receiver<Job<R>>) {
        for Job { chunk, permit, reply } in jobs {
            if self.is_cancelled.load(Ordering::Relaxed) {
                continue;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| self.chunk(chunk, permit)));
            // Nobody waits for it any more only if the stream is gone.
            let _ = reply.send(outcome.map_err(|panic| panic_message(&*panic)));
        }
    }

    /// Decodes the rows of a chunk.
    pub(super) fn chunk<R: Record>(&self, chunk: Chunk, permit: Permit) -> Decoded<R> {
        let rows = rows(&chunk, self.keep, &self.is_cancelled);
        decoded(chunk, permit, rows, self.keep)
    }
}

type Row<R> = Result<R, Box<Misfit>>;

fn rows<R: Record>(chunk: &Chunk, keep: KeepText, is_cancelled: &AtomicBool) -> Vec<Row<R>> {
    // Rows between two looks at the flag: a look costs a nanosecond, a row of text 100 or more.
    const STRIDE: usize = 64;
    let mut rows = Vec::with_capacity(chunk.len());
    for index in 0..chunk.len() {
        if index % STRIDE == 0 && is_cancelled.load(Ordering::Relaxed) {
            break;
        }
        let row = chunk.row(index);
        rows.push(R::decode(row).map_err(|fault| {
            let raw = (keep != KeepText::None).then(|| Raw::of(row)).flatten();
            Box::new(Misfit { fault, raw })
        }));
    }
    rows
}

fn decoded<R>(
    mut chunk: Chunk,
    mut permit: Permit,
    rows: Vec<Row<R>>,
    keep: KeepText,
) -> Decoded<R> {
    let n_bytes = raw_bytes(&chunk);
    if let (Rows::Lines { bytes, spans, .. }, true) = (&mut chunk.rows, keep != KeepText::All) {
        // Records own their text, so the lines can go. Less than before, so it never waits.
        let places_and_rows = size_of_val(&spans[..]) + size_of_val(&rows[..]);
        let kept = n_bytes + places_and_rows as u64;
        *bytes = Bytes::new();
        let _ = permit.resize(kept.min(permit.bytes()));
    }
    Decoded { chunk, rows: rows.into_iter(), n_bytes, _permit: permit }
}
