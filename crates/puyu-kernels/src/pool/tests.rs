use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Barrier, Mutex};

use puyu_testkit::random_normal;

use super::*;
use crate::testing::bits;
use crate::{RopeShape, Weight, linear, rms_norm, rope, swiglu};

/// One, as many as the smallest machines have, and more than most have.
const THREADS: [usize; 5] = [1, 2, 3, 7, 40];

fn pool(n_threads: usize) -> Pool {
    Pool::new(NonZeroUsize::new(n_threads).expect("not zero")).expect("threads start")
}

/// Each task of a region runs once.
#[track_caller]
fn check_region(pool: &Pool, n_tasks: usize) {
    let runs: Vec<_> = (0..n_tasks).map(|_| AtomicUsize::new(0)).collect();
    pool.for_each(n_tasks, |i| {
        runs[i].fetch_add(1, Ordering::Relaxed);
    });
    let runs: Vec<_> = runs.into_iter().map(AtomicUsize::into_inner).collect();
    assert_eq!(runs, vec![1; n_tasks], "{n_tasks} tasks on {} threads", pool.n_threads());
}

/// The message of a panic that `work` must end in.
#[track_caller]
fn message(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).expect_err("a panic was expected");
    *payload.downcast::<String>().expect("the payload of `panic!` with arguments")
}

#[test]
fn every_task_runs_once_whatever_the_number_of_tasks_and_threads() {
    for n_threads in THREADS {
        let pool = pool(n_threads);
        for n_tasks in [0, 1, 2, 3, 7, 8, 64, 1000] {
            check_region(&pool, n_tasks);
        }
    }
}

#[test]
fn ten_thousand_regions_run_back_to_back() {
    for n_threads in [2, 5] {
        let (pool, total) = (pool(n_threads), AtomicUsize::new(0));
        for _ in 0..10_000 {
            pool.for_each(6, |i| {
                total.fetch_add(i, Ordering::Relaxed);
            });
        }
        assert_eq!(total.into_inner(), 10_000 * 15);
    }
}

#[test]
fn all_threads_take_part_in_tasks_that_need_each_other() {
    for n_threads in [2, 3, 7] {
        let (pool, barrier) = (pool(n_threads), Barrier::new(n_threads));
        for _ in 0..20 {
            let threads = Mutex::new(HashSet::new());
            // No task ends before all have begun, so no thread can run two.
            pool.for_each(n_threads, |_| {
                threads.lock().unwrap().insert(thread::current().id());
                barrier.wait();
            });
            assert_eq!(threads.into_inner().unwrap().len(), n_threads);
        }
    }
}

#[test]
fn sleeping_workers_wake_for_the_next_region() {
    let (pool, barrier) = (pool(3), Barrier::new(3));
    for _ in 0..3 {
        // Workers sleep when their patience is over; how long that takes does not matter here.
        while pool.crew.team.n_sleepers() < 2 {
            thread::yield_now();
        }
        pool.for_each(3, |_| {
            barrier.wait();
        });
    }
}

#[test]
fn a_thread_makes_its_state_once_in_a_region() {
    let (pool, n_states) = (pool(3), AtomicUsize::new(0));
    let seen = Mutex::new(Vec::new());
    let init = || (n_states.fetch_add(1, Ordering::Relaxed), 0);
    pool.install(|| {
        for_each_init(100, init, |(state, n_before), i| {
            seen.lock().unwrap().push((i, *state, *n_before));
            *n_before += 1;
        });
    });
    let (n_states, mut seen) = (n_states.into_inner(), seen.into_inner().unwrap());
    assert!((1..=3).contains(&n_states), "{n_states}");
    seen.sort_unstable();
    assert!(seen.iter().map(|&(i, ..)| i).eq(0..100));
    for state in 0..n_states {
        let mut counts: Vec<_> =
            seen.iter().filter(|entry| entry.1 == state).map(|entry| entry.2).collect();
        counts.sort_unstable();
        assert!(counts.into_iter().eq(0..seen.iter().filter(|entry| entry.1 == state).count()));
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
    for n_threads in THREADS {
        let pool = pool(n_threads);
        for place in [0, 1, 99] {
            let message = message(|| {
                pool.for_each(100, |i| assert!(i != place, "task {i} failed / 任务 {i} 失败"));
            });
            assert_eq!(message, format!("task {place} failed / 任务 {place} 失败"));
            check_region(&pool, 100);
        }
    }
}

#[test]
fn a_panic_of_a_worker_reaches_the_caller() {
    let (pool, barrier, caller) = (pool(2), Barrier::new(2), thread::current().id());
    let message = message(|| {
        pool.for_each(2, |_| {
            barrier.wait();
            let here = thread::current();
            assert!(here.id() == caller, "panic of {:?}", here.name());
        });
    });
    assert_eq!(message, "panic of Some(\"puyu-1\")");
    check_region(&pool, 10);
}

#[test]
fn when_all_threads_panic_the_caller_gets_one_of_them() {
    let (pool, barrier) = (pool(3), Barrier::new(3));
    let message = message(|| {
        pool.for_each(3, |i| {
            barrier.wait();
            panic!("task {i}");
        });
    });
    assert!(["task 0", "task 1", "task 2"].contains(&message.as_str()), "{message}");
    check_region(&pool, 10);
}

#[test]
fn a_panic_restores_what_was_installed_before() {
    let (outer, inner) = (pool(3), pool(2));
    outer.install(|| {
        let message = message(|| inner.install(|| panic!("{} threads", n_threads())));
        assert_eq!(message, "2 threads");
        assert_eq!(n_threads(), 3);
    });
}

#[test]
fn installing_decides_on_the_threads_of_a_region() {
    let rayon = rayon::ThreadPoolBuilder::new().num_threads(5).build().expect("threads start");
    let (three, two) = (pool(3), pool(2));
    rayon.install(|| {
        assert_eq!(n_threads(), 5);
        three.install(|| {
            assert_eq!(n_threads(), 3);
            assert_eq!(two.install(n_threads), 2);
            assert_eq!(n_threads(), 3);
        });
        assert_eq!(n_threads(), 5);
    });
}

#[test]
fn regions_within_a_task_run_on_its_thread() {
    for n_threads in [1, 2, 3] {
        let (pool, n_runs) = (pool(n_threads), AtomicUsize::new(0));
        pool.for_each(4, |_| {
            let outer = thread::current().id();
            assert_eq!(super::n_threads(), 1);
            let count = |_| {
                assert_eq!(thread::current().id(), outer);
                n_runs.fetch_add(1, Ordering::Relaxed);
            };
            for_each(5, count);
            // The pool is busy with this very region.
            pool.for_each(5, count);
        });
        assert_eq!(n_runs.into_inner(), 40);
    }
}

#[test]
fn a_single_task_leaves_the_threads_to_regions_within_it() {
    let (pool, barrier) = (pool(2), Barrier::new(2));
    pool.for_each(1, |_| {
        for_each(2, |_| {
            barrier.wait();
        });
    });
}

#[test]
fn a_second_thread_computes_alone_while_the_pool_is_busy() {
    let pool = pool(2);
    let (begun, done) = (Barrier::new(2), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            pool.for_each(2, |i| {
                if i == 0 {
                    begun.wait();
                    while !done.load(Ordering::Relaxed) {
                        thread::yield_now();
                    }
                }
            });
        });
        begun.wait();
        // The region above cannot end before this one.
        let here = thread::current().id();
        pool.for_each(10, |_| assert_eq!(thread::current().id(), here));
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn threads_that_share_a_pool_do_not_disturb_each_other() {
    let pool = pool(3);
    thread::scope(|scope| {
        for _ in 0..3 {
            let pool = pool.clone();
            scope.spawn(move || {
                for n_tasks in (0..40).cycle().take(2000) {
                    check_region(&pool, n_tasks);
                }
            });
        }
    });
}

#[test]
fn dropping_the_last_clone_ends_the_workers() {
    for n_threads in THREADS {
        let first = pool(n_threads);
        let (second, team) = (first.clone(), Arc::downgrade(&first.crew.team));
        drop(first);
        check_region(&second, 10);
        drop(second);
        // Each worker holds the team until its end.
        assert_eq!(team.strong_count(), 0, "{n_threads} threads");
    }
}

#[test]
fn unreasonable_pools_are_refused() {
    for found in [1025, usize::MAX] {
        let error = Pool::new(NonZeroUsize::new(found).expect("not zero")).expect_err("too many");
        let expected =
            format!("a pool of {found} threads was asked for, at most 1024 are possible");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn chunks_cover_all_values_once() {
    let pool = pool(3);
    for len in [0, 1, 6, 7, 8, 1000] {
        let mut values = vec![0; len];
        pool.install(|| {
            for_each_chunk(&mut values, 7, |i, piece| {
                assert_eq!(piece.len(), 7.min(len - i * 7));
                for (offset, value) in piece.iter_mut().enumerate() {
                    *value += i * 7 + offset + 1;
                }
            });
        });
        assert!(values.into_iter().eq(1..=len), "{len}");
    }
}

/// Whatever the threads, an operation has the bits that it has on one.
#[track_caller]
fn check_bits(len: usize, operation: impl Fn(&mut [f32])) {
    let outputs = [1, 2, 3, 7].map(|n_threads| {
        let mut out = vec![f32::NAN; len];
        pool(n_threads).install(|| operation(&mut out));
        bits(&out)
    });
    assert!(outputs.iter().all(|out| *out == outputs[0]));
    let mut out = vec![f32::NAN; len];
    operation(&mut out);
    assert!(bits(&out) == outputs[0], "without a pool");
}

#[test]
fn linear_has_the_same_bits_on_any_number_of_threads() {
    let (m, k) = (1030, 1100);
    let (weight, bias) = (random_normal(m * k, 2), random_normal(m, 3));
    for n in [1, 3, 5, 67] {
        let x = random_normal(n * k, 1);
        check_bits(n * m, |out| linear(&x, Weight::F32(&weight), Some(&bias), out, k));
    }
}

#[test]
fn operations_on_rows_have_the_same_bits_on_any_number_of_threads() {
    // Enough for threads, and broken pieces at the end.
    let (n_tokens, shape) = (300, RopeShape { n_heads: 9, head_dim: 100 });
    let x = random_normal(n_tokens * 900, 1);
    let y = random_normal(n_tokens * 900, 2);
    check_bits(x.len(), |out| rms_norm(&x, &y[..900], 1e-5, out));
    check_bits(x.len(), |out| swiglu(&x, &y, out));
    check_bits(x.len(), |out| {
        rope(&x, &y[..n_tokens * 50], &y[n_tokens * 50..][..n_tokens * 50], shape, out);
    });
}
