//! The threads of one stream, and how they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

use super::budget::{Budget, Gauge};
use crate::error::DatasetError;

/// The threads of a stream and what makes them stop.
#[derive(Debug, Default)]
pub(super) struct Threads {
    pub(super) gauge: Arc<Gauge>,
    pub(super) is_cancelled: Arc<AtomicBool>,
    budgets: Vec<Arc<Budget>>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    /// A budget that [`stop`](Self::stop) closes.
    pub(super) fn budget(&mut self, limit: u64) -> Arc<Budget> {
        let budget = Budget::new(limit, self.gauge.clone());
        self.budgets.push(budget.clone());
        budget
    }

    pub(super) fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), DatasetError> {
        let handle = Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(DatasetError::io("start a thread for", name))?;
        self.handles.push(handle);
        Ok(())
    }

    /// Stops all threads and waits for them. Their channels must be dropped before.
    pub(super) fn stop(&mut self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        self.budgets.iter().for_each(|budget| budget.close());
        for handle in self.handles.drain(..) {
            // What it panicked with was said through its channel.
            let _ = handle.join();
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop();
    }
}
