//! Reading window by window, the next one on a thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::{Deserialize, Serialize};

use super::row_order::{EpochOrder, RowOrder};
use crate::error::DatasetError;
use crate::row::RowSource;

/// The most rows of a window that is read into memory. At 16 bytes of bookkeeping for each row
/// this is 4 GiB before the first value; larger windows need [`Fetch::Rows`].
const MAX_WINDOW_ROWS: u64 = 1 << 28;

/// How rows are fetched from the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fetch {
    /// Each block once for each window, from its first needed row to its last, and the next window
    /// on a thread meanwhile. Right for files, where a row costs as much as its neighbours.
    ///
    /// At most two windows are in memory.
    #[default]
    Blocks,
    /// Each row by itself when it is its turn. Right for memory maps, where any row costs the
    /// same, and the only way to a full shuffle of more rows than fit into memory.
    Rows,
}

/// A window to load.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) epoch: u64,
    pub(crate) window: u64,
    pub(crate) positions: Positions,
}

/// The positions of a window that are wanted.
#[derive(Debug)]
pub(crate) enum Positions {
    All,
    These(Vec<u64>),
}

struct Loaded<R> {
    id: (u64, u64),
    /// By position: the row's number and the row.
    rows: HashMap<u64, (u64, R)>,
}

struct Loader<R> {
    source: Arc<dyn RowSource<Row = R>>,
    order: RowOrder,
    stop: AtomicBool,
}

impl<R: Send + 'static> Loader<R> {
    fn load(&self, request: Request) -> Result<Loaded<R>, DatasetError> {
        let epoch = self.order.epoch(request.epoch);
        let positions = match request.positions {
            Positions::These(positions) => positions,
            Positions::All => epoch.window(request.window).collect(),
        };
        let mut wanted: Vec<(u64, u64)> =
            positions.into_iter().map(|position| (epoch.row_at(position), position)).collect();
        wanted.sort_unstable();
        let mut rows = HashMap::with_capacity(wanted.len());
        for block in wanted.chunk_by(|a, b| epoch.block_of(a.0) == epoch.block_of(b.0)) {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            self.load_block(block, &mut rows)?;
        }
        Ok(Loaded { id: (request.epoch, request.window), rows })
    }

    /// Reads what is wanted of one block: `(row, position)`, by row.
    fn load_block(
        &self,
        block: &[(u64, u64)],
        to: &mut HashMap<u64, (u64, R)>,
    ) -> Result<(), DatasetError> {
        let (Some(first), Some(last)) = (block.first(), block.last()) else { return Ok(()) };
        let range = first.0..last.0 + 1;
        let values = read_exactly(self.source.as_ref(), range.clone())?;
        let mut wanted = block.iter().peekable();
        for (row, value) in range.zip(values) {
            if let Some((_, position)) = wanted.next_if(|(wanted, _)| *wanted == row) {
                to.insert(*position, (row, value));
            }
        }
        Ok(())
    }
}

fn read_exactly<R: Send>(
    source: &dyn RowSource<Row = R>,
    range: std::ops::Range<u64>,
) -> Result<Vec<R>, DatasetError> {
    let expected = range.end - range.start;
    let values = source.read(range)?;
    if values.len() as u64 != expected {
        return Err(DatasetError::State {
            what: "rows that the source reads at once",
            expected: expected.to_string(),
            found: values.len().to_string(),
        });
    }
    Ok(values)
}

struct Worker<R> {
    requests: Option<Sender<Request>>,
    loaded: Receiver<Result<Loaded<R>, DatasetError>>,
    pending: Option<(u64, u64)>,
    thread: Option<JoinHandle<()>>,
}

impl<R: Send + 'static> Worker<R> {
    fn spawn(loader: &Arc<Loader<R>>) -> Option<Self> {
        let loader = loader.clone();
        // One request is under way at most, so neither side ever waits to send.
        let (requests, to_load) = bounded::<Request>(1);
        let (done, loaded) = bounded(1);
        let work = move || {
            for request in to_load {
                if done.send(loader.load(request)).is_err() {
                    return;
                }
            }
        };
        match std::thread::Builder::new().name("puyu-rows".to_owned()).spawn(work) {
            Ok(thread) => {
                Some(Self { requests: Some(requests), loaded, pending: None, thread: Some(thread) })
            }
            Err(error) => {
                tracing::warn!(%error, "no thread to read ahead; rows are read when needed");
                None
            }
        }
    }

    fn submit(&mut self, request: Request) {
        let id = (request.epoch, request.window);
        if let Some(requests) = &self.requests
            && self.pending.is_none()
            && requests.send(request).is_ok()
        {
            self.pending = Some(id);
        }
    }

    /// What was submitted, if it is window `id`; drops it otherwise.
    fn receive(&mut self, id: (u64, u64)) -> Option<Result<Loaded<R>, DatasetError>> {
        let pending = self.pending.take()?;
        match self.loaded.recv() {
            Ok(loaded) => (pending == id).then_some(loaded),
            Err(_) => {
                // The thread ends before its last answer only by a panic of the source.
                if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
                    std::panic::resume_unwind(panic);
                }
                None
            }
        }
    }
}

/// The rows of one source, by position.
pub(crate) struct WindowReader<R: Send + 'static> {
    loader: Arc<Loader<R>>,
    fetch: Fetch,
    current: Option<Loaded<R>>,
    worker: Option<Worker<R>>,
}

impl<R: Send + 'static> WindowReader<R> {
    pub(crate) fn new(
        source: Arc<dyn RowSource<Row = R>>,
        order: RowOrder,
        fetch: Fetch,
    ) -> Result<Self, DatasetError> {
        if fetch == Fetch::Blocks && order.window_rows() > MAX_WINDOW_ROWS {
            return Err(DatasetError::Limit {
                what: "a window in memory (in rows; `fetch = rows` has no limit)".to_owned(),
                needed: order.window_rows(),
                limit: MAX_WINDOW_ROWS,
            });
        }
        let loader = Arc::new(Loader { source, order, stop: AtomicBool::new(false) });
        let worker = match fetch {
            Fetch::Blocks => Worker::spawn(&loader),
            Fetch::Rows => None,
        };
        Ok(Self { loader, fetch, current: None, worker })
    }

    /// Whether [`take`](Self::take) of this position needs no [`open`](Self::open) before it.
    pub(crate) fn holds(&self, epoch: u64, window: u64, position: u64) -> bool {
        self.fetch == Fetch::Rows
            || self.current.as_ref().is_some_and(|current| {
                current.id == (epoch, window) && current.rows.contains_key(&position)
            })
    }

    /// Makes a window the current one, and has `next` loaded meanwhile.
    pub(crate) fn open(
        &mut self,
        request: Request,
        next: Option<Request>,
    ) -> Result<(), DatasetError> {
        let id = (request.epoch, request.window);
        self.current = None;
        let ahead = self.worker.as_mut().and_then(|worker| worker.receive(id));
        self.current = Some(match ahead {
            Some(loaded) => loaded?,
            None => self.loader.load(request)?,
        });
        if let (Some(worker), Some(next)) = (&mut self.worker, next) {
            worker.submit(next);
        }
        Ok(())
    }

    /// Takes out the row at a position: its number and its value.
    pub(crate) fn take(
        &mut self,
        epoch: &EpochOrder,
        position: u64,
    ) -> Result<(u64, R), DatasetError> {
        let found = match self.fetch {
            Fetch::Rows => {
                let row = epoch.row_at(position);
                let mut values = read_exactly(self.loader.source.as_ref(), row..row + 1)?;
                values.pop().map(|value| (row, value))
            }
            Fetch::Blocks => {
                self.current.as_mut().and_then(|current| current.rows.remove(&position))
            }
        };
        found.ok_or_else(|| DatasetError::State {
            what: "window",
            expected: format!("a row at position {position}"),
            found: "none".to_owned(),
        })
    }
}

impl<R: Send + 'static> Drop for WindowReader<R> {
    fn drop(&mut self) {
        self.loader.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = &mut self.worker {
            worker.requests = None;
            if let Some(thread) = worker.thread.take()
                && thread.join().is_err()
            {
                tracing::warn!("reading ahead panicked");
            }
        }
    }
}
