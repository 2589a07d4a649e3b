//! Parallel regions: how the kernels split their work over threads.

use rayon::prelude::*;

/// Threads that a region of the calling thread may use.
pub(crate) fn n_threads() -> usize {
    rayon::current_num_threads()
}

/// Runs `task` once for each number below `n_tasks`, in any order, on any of the threads.
pub(crate) fn for_each(n_tasks: usize, task: impl Fn(usize) + Sync) {
    (0..n_tasks).into_par_iter().for_each(|i| task(i));
}

/// As [`for_each`], with a state that a thread makes before its first task and keeps until its
/// last.
pub(crate) fn for_each_init<S>(
    n_tasks: usize,
    init: impl Fn() -> S + Sync,
    task: impl Fn(&mut S, usize) + Sync,
) {
    (0..n_tasks).into_par_iter().for_each_init(|| init(), |state, i| task(state, i));
}
