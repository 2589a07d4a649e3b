//! The protocol between a caller and its workers.
//!
//! A caller opens a region, takes tasks like everybody else, closes the region when no task is
//! left, and returns when whoever entered has left. Workers enter open regions only. So a caller
//! never waits for a worker that is late: on a busy machine it does the work itself.
//!
//! # Why this is right
//!
//! All of it hangs on one word, `state`: flags, and the number of workers inside. It is only ever
//! changed by read-modify-write operations, so all changes have one order that every thread agrees
//! on, and each of them sees the one before it.
//!
//! - *The job is there when a worker reads it.* `job` is written before `OPEN` is set (release). A
//!   worker enters by an exchange that finds `OPEN` set (acquire); exchanges of other workers in
//!   between carry the release on. It reads `job` only while it is inside.
//! - *The job is gone only when no worker reads it.* The caller clears `OPEN`, after which nobody
//!   enters, and waits until nobody is inside (acquire). Each worker leaves by a subtraction
//!   (release). So all that a worker did in its tasks is also seen by the caller.
//! - *Regions do not overlap.* `busy` is taken (acquire) before a region and given back (release)
//!   after it, so the next caller, whichever thread it is, follows the last.
//! - *No worker sleeps through a stop, or through a region that wants it.* With `sleepers` locked,
//!   a worker sets `SLEEPERS`; if that finds `OPEN` or `STOP` it does not sleep. Otherwise the
//!   caller's setting of `OPEN` or `STOP` comes later and finds `SLEEPERS`, locks the list, and so
//!   waits until the worker stands on it.
//! - *No caller waits for ever.* The caller sets `WAITING`; if that finds a worker inside, the last
//!   to leave finds `WAITING` and rings, once.
//!
//! `model.rs` tries the interleavings of this file with loom.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::bell::{Bell, lock};
use super::sync::{AtomicBool, AtomicUsize, Mutex, Ordering, UnsafeCell, spin_loop, yield_now};

/// A region may be entered.
const OPEN: usize = 1;
/// Workers are to end.
const STOP: usize = 2;
/// The list of sleepers is not empty.
const SLEEPERS: usize = 4;
/// The caller sleeps until the last worker has left.
const WAITING: usize = 8;
/// One worker inside. The count takes the bits above the flags.
const ONE: usize = 16;

/// What each thread of a region runs: it takes tasks until none is left.
type Share<'a> = &'a (dyn Fn() + Sync);

/// What a panic carries.
type Payload = Box<dyn Any + Send>;

/// How long a thread waits before it sleeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Looks with a pause between them, which keep the core.
    pub(super) n_spins: u32,
    /// Looks after these, which offer the core to others.
    pub(super) n_yields: u32,
}

impl Patience {
    /// Waits a moment, or says that it is time to sleep.
    fn wait(&mut self) -> bool {
        if self.n_spins > 0 {
            self.n_spins -= 1;
            spin_loop();
        } else if self.n_yields > 0 {
            self.n_yields -= 1;
            yield_now();
        } else {
            return false;
        }
        true
    }
}

/// How a worker found the team.
enum Entry {
    /// It is inside now.
    Entered,
    /// There is no region.
    Closed,
    /// It is to end.
    Stopped,
}

/// A caller and its workers.
///
/// What spinning workers look at stands alone: processors fetch cache lines of 64 bytes in pairs.
#[repr(align(128))]
pub(super) struct Team {
    state: AtomicUsize,
    busy: AtomicBool,
    job: UnsafeCell<Option<Share<'static>>>,
    patience: Patience,
    /// Workers that sleep, or are about to.
    sleepers: Mutex<Vec<usize>>,
    /// One for each worker.
    bells: Vec<Bell>,
    /// For the caller.
    all_left: Bell,
    panics: Mutex<Vec<Payload>>,
}

// SAFETY: all fields but `job` are `Sync`. `job` is written by the thread that holds `busy` while
// nobody is inside, and read by workers that are inside; the module says why that is so.
unsafe impl Sync for Team {}

// SAFETY: all fields are `Send`: a reference to what is `Sync` is.
unsafe impl Send for Team {}

impl Team {
    /// A team whose workers are still to come: each calls [`work`](Self::work).
    pub(super) fn new(n_workers: usize, patience: Patience) -> Self {
        Self {
            state: AtomicUsize::new(0),
            busy: AtomicBool::new(false),
            job: UnsafeCell::new(None),
            patience,
            sleepers: Mutex::new(Vec::with_capacity(n_workers)),
            bells: (0..n_workers).map(|_| Bell::new()).collect(),
            all_left: Bell::new(),
            panics: Mutex::new(Vec::new()),
        }
    }

    /// Runs `share` on the calling thread and on each worker that comes while tasks are left.
    ///
    /// Returns `false`, and has run nothing, while another region of the team is under way. A panic
    /// of any thread reaches the caller when all have left.
    pub(super) fn try_run(&self, n_helpers: usize, share: Share<'_>) -> bool {
        if self.busy.swap(true, Ordering::Acquire) {
            return false;
        }
        self.open(n_helpers, share);
        let own = catch_unwind(AssertUnwindSafe(share));
        self.close();
        let panics = mem::take(&mut *lock(&self.panics));
        self.busy.store(false, Ordering::Release);
        if let Some(payload) = own.err().into_iter().chain(panics).next() {
            resume_unwind(payload);
        }
        true
    }

    fn open(&self, n_helpers: usize, share: Share<'_>) {
        // SAFETY: only the lifetime changes. `close` returns when no worker uses the reference any
        // more, and `try_run`, which borrows it, does not return or unwind before.
        let share = unsafe { mem::transmute::<Share<'_>, Share<'static>>(share) };
        // SAFETY: this thread holds `busy` and nobody is inside.
        self.job.with_mut(|job| unsafe { *job = Some(share) });
        let before = self.state.fetch_or(OPEN, Ordering::AcqRel);
        if before & SLEEPERS != 0 {
            self.wake(n_helpers);
        }
    }

    fn close(&self) {
        self.state.fetch_and(!OPEN, Ordering::Relaxed);
        let mut patience = self.patience;
        while self.state.load(Ordering::Acquire) >= ONE {
            if !patience.wait() {
                if self.state.fetch_or(WAITING, Ordering::Acquire) >= ONE {
                    self.all_left.sleep();
                }
                self.state.fetch_and(!WAITING, Ordering::Acquire);
            }
        }
        // SAFETY: this thread holds `busy` and nobody is inside.
        self.job.with_mut(|job| unsafe { *job = None });
    }

    /// Wakes as many sleepers as it takes to have `n_helpers` workers awake.
    fn wake(&self, n_helpers: usize) {
        let woken = {
            let mut sleepers = lock(&self.sleepers);
            let n_awake = self.bells.len() - sleepers.len();
            let n_left = sleepers.len().saturating_sub(n_helpers.saturating_sub(n_awake));
            let woken = sleepers.split_off(n_left);
            if sleepers.is_empty() {
                self.state.fetch_and(!SLEEPERS, Ordering::Relaxed);
            }
            woken
        };
        for index in woken {
            self.bells[index].ring();
        }
    }

    /// Ends all workers, once they are out of their regions.
    pub(super) fn stop(&self) {
        self.state.fetch_or(STOP, Ordering::AcqRel);
        self.wake(usize::MAX);
    }

    /// Workers that sleep, or are about to.
    #[cfg(test)]
    pub(super) fn n_sleepers(&self) -> usize {
        lock(&self.sleepers).len()
    }

    /// The life of worker `index`: takes part in regions until the team is stopped.
    pub(super) fn work(&self, index: usize) {
        let mut patience = self.patience;
        loop {
            match self.try_enter() {
                Entry::Stopped => return,
                Entry::Entered => {
                    self.take_part();
                    patience = self.patience;
                }
                Entry::Closed => {
                    if !patience.wait() {
                        self.sleep(index);
                        patience = self.patience;
                    }
                }
            }
        }
    }

    fn try_enter(&self) -> Entry {
        let mut state = self.state.load(Ordering::Relaxed);
        while state & OPEN != 0 {
            let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
            match self.state.compare_exchange_weak(state, state + ONE, success, failure) {
                Ok(_) => return Entry::Entered,
                Err(now) => state = now,
            }
        }
        if state & STOP != 0 { Entry::Stopped } else { Entry::Closed }
    }

    /// Runs the share of a worker that has entered, and leaves.
    fn take_part(&self) {
        // SAFETY: this thread is inside, so the job is set and stays until it leaves.
        let share = self.job.with(|job| unsafe { *job }).expect("an open region has a job");
        if let Err(payload) = catch_unwind(AssertUnwindSafe(share)) {
            lock(&self.panics).push(payload);
        }
        // No task is left, so nobody, this worker included, need enter any more.
        self.state.fetch_and(!OPEN, Ordering::Relaxed);
        let before = self.state.fetch_sub(ONE, Ordering::Release);
        if before / ONE == 1 && before & WAITING != 0 {
            self.all_left.ring();
        }
    }

    /// Sleeps until woken, unless there is something to do.
    fn sleep(&self, index: usize) {
        {
            let mut sleepers = lock(&self.sleepers);
            let before = self.state.fetch_or(SLEEPERS, Ordering::AcqRel);
            if before & (OPEN | STOP) != 0 {
                if sleepers.is_empty() {
                    self.state.fetch_and(!SLEEPERS, Ordering::Relaxed);
                }
                return;
            }
            sleepers.push(index);
        }
        self.bells[index].sleep();
    }
}
