//! A budget of bytes: whoever wants to hold rows waits until there is room.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes in flight over all budgets of one stream, and the most there ever were.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    now: AtomicU64,
    peak: AtomicU64,
}

impl Gauge {
    fn add(&self, bytes: u64) {
        let now = self.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }

    fn subtract(&self, bytes: u64) {
        self.now.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn now(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }
}

/// A limit on bytes held at once.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    state: Mutex<State>,
    changed: Condvar,
    gauge: Arc<Gauge>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    is_closed: bool,
}

impl Budget {
    pub(super) fn new(limit: u64, gauge: Arc<Gauge>) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default(), changed: Condvar::new(), gauge })
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Waits until `bytes` fit. `None` once the budget is closed or if they never will fit.
    pub(super) fn acquire(self: &Arc<Self>, bytes: u64) -> Option<Permit> {
        let mut permit = Permit { budget: self.clone(), bytes: 0 };
        permit.resize(bytes)?;
        Some(permit)
    }

    /// Lets nobody wait any longer.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is two plain fields, each written whole: a panic elsewhere cannot split them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of a budget; given back on drop.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Permit {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes more, waiting for it, or gives back what is no longer needed.
    ///
    /// `None`, with the permit as it was, once the budget is closed or if `bytes` is above its
    /// limit.
    pub(super) fn resize(&mut self, bytes: u64) -> Option<()> {
        if bytes <= self.bytes {
            self.shrink(bytes);
            return Some(());
        }
        if bytes > self.budget.limit {
            return None;
        }
        let more = bytes - self.bytes;
        let mut state = self.budget.lock();
        while !state.is_closed && state.used.saturating_add(more) > self.budget.limit {
            state = self.budget.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_closed {
            return None;
        }
        state.used += more;
        self.budget.gauge.add(more);
        self.bytes = bytes;
        Some(())
    }

    fn shrink(&mut self, bytes: u64) {
        let less = self.bytes - bytes;
        if less == 0 {
            return;
        }
        self.budget.lock().used -= less;
        self.budget.gauge.subtract(less);
        self.budget.changed.notify_all();
        self.bytes = bytes;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shrink(0);
    }
}
