//! Parallel regions: how the kernels split their work over threads.
//!
//! A forward pass is some 200 regions of 20 to 500 microseconds for each token, so what counts is
//! what it costs to begin and to end one. [`Pool`] is made for that; [`team`] is how it works.

mod bell;
mod error;
mod sync;
mod team;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rayon::prelude::*;

pub use error::PoolError;
use team::{Patience, Team};

/// Most threads of a pool.
const MAX_THREADS: usize = 1024;

/// How long a thread waits when each thread may have a core. By estimate, not by measurement on an
/// idle machine: a pause takes some tens of nanoseconds, so 2000 outlast the gaps between the
/// operations of a model, and the 8 microseconds that waking a sleeper took on a busy one. So a
/// burst of regions should wake each worker once. Then it yields, for others to use the core.
const PATIENCE: Patience = Patience { n_spins: 2000, n_yields: 64 };

/// How long a thread waits when there are more threads than cores: spinning would keep a core from
/// a thread that has work.
const PATIENCE_CROWDED: Patience = Patience { n_spins: 0, n_yields: 16 };

/// Threads for the operations of this crate: the caller's own and workers that wait for it.
///
/// [`install`](Self::install) makes a pool the one that operations use on the calling thread.
/// Clones share the threads; these end when the last clone is dropped. Results do not depend on the
/// number of threads, see [Invariance](crate#invariance).
///
/// Workers that have nothing to do look for work for a short while, meant to bridge the gaps
/// between the operations of a model, then offer their core to others, and then sleep. With more
/// threads than cores they offer their core at once. A caller does not wait for workers to come,
/// only for those that came to finish, so a worker that gets no core delays nobody.
///
/// A pool serves one thread at a time. What other threads ask of it meanwhile they compute alone,
/// each on its own core, rather than wait. A panic in an operation reaches the thread that called
/// it, and the pool lives on.
///
/// # Examples
///
/// ```
/// use std::num::NonZeroUsize;
///
/// use puyu_kernels::{Pool, Weight, linear};
///
/// let pool = Pool::new(NonZeroUsize::new(2).unwrap())?;
/// let mut out = [0.0; 1];
/// pool.install(|| linear(&[1.0, 2.0], Weight::F32(&[3.0, 4.0]), None, &mut out, 2));
/// assert_eq!(out, [11.0]);
/// # Ok::<(), puyu_kernels::PoolError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pool {
    crew: Arc<Crew>,
}

impl Pool {
    /// Starts a pool of `n_threads` threads: the thread that uses it and `n_threads - 1` workers.
    ///
    /// As many as there are cores is right for most; a number that leaves a core to the rest of the
    /// machine is best where that is busy.
    ///
    /// # Errors
    ///
    /// [`PoolError::TooManyThreads`] beyond 1024, [`PoolError::Spawn`] if the system has no more.
    pub fn new(n_threads: NonZeroUsize) -> Result<Self, PoolError> {
        Ok(Self { crew: Arc::new(Crew::start(n_threads.get())?) })
    }

    /// Number of threads, that of the caller included.
    pub fn n_threads(&self) -> usize {
        self.crew.n_threads()
    }

    /// Runs `work` on the calling thread, with this pool for the operations that it calls.
    ///
    /// What was used before is restored afterwards, also after a panic.
    pub fn install<R>(&self, work: impl FnOnce() -> R) -> R {
        let _scope = Scope::enter(Current::Pool(Arc::clone(&self.crew)));
        work()
    }

    /// Runs `task` once for each number below `n_tasks`, in any order, on the threads of this pool.
    ///
    /// For work beside the operations of this crate. Operations within a task run on the task's own
    /// thread; a single task runs on the calling thread and leaves the others to them.
    ///
    /// # Panics
    ///
    /// If a task does, with what it panicked with. The other threads go on with the other tasks
    /// before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::NonZeroUsize;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let pool = puyu_kernels::Pool::new(NonZeroUsize::MIN)?;
    /// let sum = AtomicUsize::new(0);
    /// pool.for_each(10, |i| {
    ///     sum.fetch_add(i, Ordering::Relaxed);
    /// });
    /// assert_eq!(sum.into_inner(), 45);
    /// # Ok::<(), puyu_kernels::PoolError>(())
    /// ```
    pub fn for_each(&self, n_tasks: usize, task: impl Fn(usize) + Sync) {
        self.install(|| for_each(n_tasks, task));
    }
}

/// The workers of a pool.
struct Crew {
    team: Arc<Team>,
    workers: Vec<JoinHandle<()>>,
}

impl Crew {
    fn start(n_threads: usize) -> Result<Self, PoolError> {
        if n_threads > MAX_THREADS {
            return Err(PoolError::TooManyThreads { found: n_threads });
        }
        // How long threads wait is all that depends on the machine.
        let n_cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let patience = if n_threads <= n_cores { PATIENCE } else { PATIENCE_CROWDED };
        let team = Arc::new(Team::new(n_threads - 1, patience));
        // Dropping it ends those that were started before an error.
        let mut crew = Self { team, workers: Vec::with_capacity(n_threads - 1) };
        for index in 0..n_threads - 1 {
            let team = Arc::clone(&crew.team);
            let work = move || {
                // What a task asks for runs on its own thread: the others are busy already.
                let _scope = Scope::enter(Current::Alone);
                team.work(index);
            };
            let spawned = thread::Builder::new().name(format!("puyu-{}", index + 1)).spawn(work);
            let failed = |source| PoolError::Spawn { index: index + 1, n_threads, source };
            crew.workers.push(spawned.map_err(failed)?);
        }
        Ok(crew)
    }

    fn n_threads(&self) -> usize {
        self.workers.len() + 1
    }
}

impl Drop for Crew {
    /// No region is under way: whoever runs one holds the crew. Nor is this one of the workers:
    /// they hold the team only.
    fn drop(&mut self) {
        self.team.stop();
        for worker in self.workers.drain(..) {
            // Panics of tasks went to their callers, so there is nothing to learn here.
            let _ = worker.join();
        }
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").field("n_threads", &self.n_threads()).finish_non_exhaustive()
    }
}

/// What runs the regions of a thread.
enum Current {
    /// Nothing was installed: the rayon pool that rayon finds.
    Rayon,
    /// An installed pool.
    Pool(Arc<Crew>),
    /// The thread itself: it is inside a region.
    Alone,
}

thread_local! {
    static CURRENT: RefCell<Current> = const { RefCell::new(Current::Rayon) };
}

/// Puts something else in the place of [`CURRENT`] while it lives.
struct Scope {
    previous: Current,
}

impl Scope {
    fn enter(current: Current) -> Self {
        Self { previous: CURRENT.replace(current) }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // A crew that is dropped here is dropped when nothing is borrowed any more.
        drop(CURRENT.replace(std::mem::replace(&mut self.previous, Current::Rayon)));
    }
}

/// Threads that a region of the calling thread may use.
pub(crate) fn n_threads() -> usize {
    CURRENT.with_borrow(|current| match current {
        Current::Rayon => rayon::current_num_threads(),
        Current::Pool(crew) => crew.n_threads(),
        Current::Alone => 1,
    })
}

/// Runs `task` once for each number below `n_tasks`, in any order, on any of the threads.
///
/// Tasks are taken one by one from a counter, in ascending order. What a task itself asks for in
/// this way runs on its own thread. A single task runs on the calling thread and may still use the
/// others.
///
/// # Panics
///
/// If a task does. The other threads go on with the other tasks before.
pub(crate) fn for_each(n_tasks: usize, task: impl Fn(usize) + Sync) {
    for_each_init(n_tasks, || (), |(), i| task(i));
}

/// As [`for_each`], with a state that a thread makes before its first task and keeps until its
/// last.
pub(crate) fn for_each_init<S>(
    n_tasks: usize,
    init: impl Fn() -> S + Sync,
    task: impl Fn(&mut S, usize) + Sync,
) {
    let tasks = Tasks { next: AtomicUsize::new(0), end: n_tasks };
    let share = || tasks.run(&init, &task);
    if n_tasks < 2 {
        return share();
    }
    let scope = Scope::enter(Current::Alone);
    match &scope.previous {
        Current::Rayon => {
            drop(scope);
            (0..n_tasks).into_par_iter().for_each_init(&init, |state, i| task(state, i));
        }
        Current::Pool(crew) if crew.n_threads() > 1 => {
            if !crew.team.try_run(n_tasks - 1, &share) {
                share();
            }
        }
        Current::Pool(_) | Current::Alone => share(),
    }
}

/// Cuts `values` into pieces of `len`, the last of which may be shorter, and runs `task` once for
/// each with its number, as [`for_each`] does.
///
/// # Panics
///
/// If `len` is 0, or a task panics.
pub(crate) fn for_each_chunk<T: Send>(
    values: &mut [T],
    len: usize,
    task: impl Fn(usize, &mut [T]) + Sync,
) {
    let (start, total) = (Start(values.as_mut_ptr()), values.len());
    for_each(total.div_ceil(len), |i| {
        let first = i * len;
        // SAFETY: `first` is below `total`, so the piece lies within `values`, which is borrowed
        // until `for_each` returns; each number comes once, so pieces do not overlap.
        let piece =
            unsafe { std::slice::from_raw_parts_mut(start.at(first), len.min(total - first)) };
        task(i, piece);
    });
}

/// Where values begin that several threads write.
struct Start<T>(*mut T);

// SAFETY: [`for_each_chunk`], the only user, gives each value to one thread.
unsafe impl<T: Send> Sync for Start<T> {}

impl<T> Start<T> {
    /// # Safety
    ///
    /// There must be more than `offset` values.
    unsafe fn at(&self, offset: usize) -> *mut T {
        // SAFETY: the caller promises that the value exists.
        unsafe { self.0.add(offset) }
    }
}

/// The tasks of a region. Its counter stands alone in its cache lines: threads fight for it.
#[repr(align(128))]
struct Tasks {
    next: AtomicUsize,
    end: usize,
}

impl Tasks {
    /// The number of a task that nobody else gets.
    fn claim(&self) -> Option<usize> {
        // What tasks share is ordered by the beginning and the end of the region, not by this. The
        // counter passes `end` once for each thread, far below an overflow.
        Some(self.next.fetch_add(1, Ordering::Relaxed)).filter(|&i| i < self.end)
    }

    /// One thread's share: tasks until none is left.
    fn run<S>(&self, init: &impl Fn() -> S, task: &impl Fn(&mut S, usize)) {
        let Some(first) = self.claim() else { return };
        let mut state = init();
        task(&mut state, first);
        while let Some(i) = self.claim() {
            task(&mut state, i);
        }
    }
}
