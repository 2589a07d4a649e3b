//! The protocol under loom, which tries the interleavings of its threads and the reorderings of
//! memory that the language allows, and finds races, deadlocks and lost wake-ups.

#[path = "bell.rs"]
#[allow(clippy::duplicate_mod, reason = "once with the standard library, once with loom")]
mod bell;
#[path = "team.rs"]
#[allow(clippy::duplicate_mod, reason = "once with the standard library, once with loom")]
#[allow(dead_code, reason = "the tests of the pool look at more of it than the model")]
mod team;

/// Loom's own in the place of the standard library's.
mod sync {
    pub(super) use loom::cell::UnsafeCell;
    pub(super) use loom::hint::spin_loop;
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    pub(super) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(super) use loom::thread::yield_now;
}

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use team::{Patience, Team};

/// Of each kind of waiting: at once asleep, or a look before.
const PATIENCES: [Patience; 2] =
    [Patience { n_spins: 0, n_yields: 0 }, Patience { n_spins: 0, n_yields: 1 }];

/// Tries the interleavings of `n_workers` workers, then ends and joins them.
fn check(n_workers: usize, n_preemptions: usize, run: fn(&Team)) {
    for patience in PATIENCES {
        let mut builder = loom::model::Builder::new();
        // As is usual with loom: few preemptions find nearly all errors, and all take for ever.
        builder.preemption_bound = Some(n_preemptions);
        builder.check(move || {
            let team = Arc::new(Team::new(n_workers, patience));
            let workers: Vec<_> = (0..n_workers)
                .map(|index| {
                    let team = Arc::clone(&team);
                    thread::spawn(move || team.work(index))
                })
                .collect();
            run(&team);
            team.stop();
            for worker in workers {
                worker.join().expect("a worker does not panic");
            }
        });
    }
}

/// Tasks whose outputs are cells, in which loom sees races.
struct Region {
    next: AtomicUsize,
    outputs: [UnsafeCell<usize>; 2],
}

impl Region {
    fn run(team: &Team) {
        let region =
            Self { next: AtomicUsize::new(0), outputs: [UnsafeCell::new(0), UnsafeCell::new(0)] };
        let ran = team.try_run(1, &|| region.share());
        if !ran {
            region.share();
        }
        for output in &region.outputs {
            // SAFETY: the region is over.
            assert_eq!(output.with(|output| unsafe { *output }), 1);
        }
    }

    fn share(&self) {
        while let Some(output) = self.outputs.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            // SAFETY: the counter gives each output to one thread.
            output.with_mut(|output| unsafe { *output += 1 });
        }
    }
}

// SAFETY: the counter gives each output to one thread.
unsafe impl Sync for Region {}

#[test]
fn every_order_of_a_worker_and_its_caller_runs_each_task_once() {
    check(1, 3, Region::run);
}

#[test]
fn every_order_of_two_regions_keeps_them_apart() {
    check(1, 2, |team| {
        Region::run(team);
        Region::run(team);
    });
}

#[test]
fn every_order_of_two_workers_runs_each_task_once() {
    check(2, 2, Region::run);
}

#[test]
fn every_order_of_an_end_without_work_wakes_the_worker() {
    check(2, 3, |_team| {});
}
