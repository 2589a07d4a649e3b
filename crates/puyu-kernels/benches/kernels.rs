//! Speed of the kernels, and the roofs to compare them with.
//!
//! `cargo bench -p puyu-kernels` prints items or bytes in a second. Quote shares of the roofs of
//! the same run: `roofs::read` for what streams weights, `roofs::multiply_add_f32` for prefill (an
//! item is one multiply-add).

mod roofs;

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, Divan};
use half::{bf16, f16};
use puyu_kernels::{Pool, RopeShape, Weight, linear, rms_norm, rope, swiglu};
use roofs::pool;

/// Threads that each bench is run with.
const THREADS: [usize; 2] = [1, 2];

/// Products of an output, as in the model dimension of InternLM2-1.8B.
const K: usize = 2048;

/// Outputs, as in the feed-forward dimension of InternLM2-1.8B.
const M: usize = 8192;

/// Copies of the weight that take turns, so that none comes from a cache: 256 MiB of `bf16`.
const COPIES: usize = 8;

fn main() {
    Divan::from_args().main();
}

/// Values that are neither zero nor denormal.
fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i % 251) as f32 - 125.5) / 64.0).collect()
}

/// What it costs to split work: regions in a second. The pool of this crate against rayon, which
/// is entered once for all regions.
///
/// Read these on an idle machine only. A caller of the pool does not wait for workers that are
/// late, so where others take the cores `empty` gets faster, not slower, and `short` tells of them.
mod regions {
    use super::*;
    use rayon::prelude::*;

    /// Regions of a token of a model with 24 layers.
    const REGIONS: usize = 200;

    /// Tasks for each thread, as the operations have them.
    const TASKS_PER_THREAD: usize = 4;

    /// Runs regions of so many tasks, on the pool of this crate.
    fn ours(bencher: Bencher<'_, '_>, n_threads: usize, n_tasks: usize, task: fn(usize)) {
        let pool = pool(n_threads);
        bencher.counter(ItemsCount::new(REGIONS)).bench_local(|| {
            for _ in 0..REGIONS {
                pool.for_each(n_tasks, task);
            }
        });
    }

    /// Runs regions of so many tasks, on rayon.
    fn rayon(bencher: Bencher<'_, '_>, n_threads: usize, n_tasks: usize, task: fn(usize)) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
        let pool = pool.expect("a pool of a few threads can be made");
        bencher.counter(ItemsCount::new(REGIONS)).bench_local(|| {
            pool.install(|| {
                for _ in 0..REGIONS {
                    (0..n_tasks).into_par_iter().for_each(task);
                }
            });
        });
    }

    /// Nothing to do. What the caller pays; workers may come too late for a task. What it takes to
    /// give one a task is `handover`.
    mod empty {
        use super::*;

        #[divan::bench(args = [1, 2, 4])]
        fn pool(bencher: Bencher<'_, '_>, n_threads: usize) {
            ours(bencher, n_threads, n_threads * TASKS_PER_THREAD, |_| ());
        }

        #[divan::bench(args = [1, 2, 4])]
        fn rayon(bencher: Bencher<'_, '_>, n_threads: usize) {
            super::rayon(bencher, n_threads, n_threads * TASKS_PER_THREAD, |_| ());
        }
    }

    /// Two tasks, neither of which ends before both have begun: from one thread to the other and
    /// back.
    mod handover {
        use super::*;

        #[divan::bench]
        fn pool(bencher: Bencher<'_, '_>) {
            ours(bencher, 2, 2, |_| meet());
        }

        #[divan::bench]
        fn rayon(bencher: Bencher<'_, '_>) {
            super::rayon(bencher, 2, 2, |_| meet());
        }

        fn meet() {
            static ARRIVED: AtomicUsize = AtomicUsize::new(0);
            let both = ARRIVED.fetch_add(1, Ordering::Relaxed) / 2 * 2 + 2;
            while ARRIVED.load(Ordering::Relaxed) < both {
                std::hint::spin_loop();
            }
        }
    }

    /// 50 microseconds for each thread.
    mod short {
        use super::*;

        #[divan::bench(args = [1, 2, 4])]
        fn pool(bencher: Bencher<'_, '_>, n_threads: usize) {
            ours(bencher, n_threads, n_threads * TASKS_PER_THREAD, |_| work());
        }

        #[divan::bench(args = [1, 2, 4])]
        fn rayon(bencher: Bencher<'_, '_>, n_threads: usize) {
            super::rayon(bencher, n_threads, n_threads * TASKS_PER_THREAD, |_| work());
        }

        /// Some 12 microseconds: a chain of products, each of which waits for the one before.
        fn work() {
            let mut x = black_box(1.0_f32);
            for _ in 0..10_000 {
                x *= black_box(0.999);
            }
            black_box(x);
        }
    }
}

/// One row: bytes of weights in a second.
mod decode {
    use super::*;

    #[divan::bench(args = THREADS)]
    fn linear_bf16(bencher: Bencher<'_, '_>, n_threads: usize) {
        let weight: Vec<bf16> = values(K * M * COPIES).into_iter().map(bf16::from_f32).collect();
        bench(bencher, n_threads, &weight, Weight::Bf16);
    }

    #[divan::bench(args = THREADS)]
    fn linear_f16(bencher: Bencher<'_, '_>, n_threads: usize) {
        let weight: Vec<f16> = values(K * M * COPIES).into_iter().map(f16::from_f32).collect();
        bench(bencher, n_threads, &weight, Weight::F16);
    }

    #[divan::bench(args = THREADS)]
    fn linear_f32(bencher: Bencher<'_, '_>, n_threads: usize) {
        bench(bencher, n_threads, &values(K * M * COPIES), Weight::F32);
    }

    fn bench<'a, T: Sync>(
        bencher: Bencher<'_, '_>,
        n_threads: usize,
        weight: &'a [T],
        wrap: fn(&'a [T]) -> Weight<'a>,
    ) {
        let (x, mut out, pool) = (values(K), vec![0.0; M], pool(n_threads));
        let mut copies = weight.chunks_exact(K * M).cycle();
        bencher.counter(BytesCount::of_many::<T>(K * M)).bench_local(|| {
            let weight = copies.next().expect("a cycle does not end");
            pool.install(|| linear(&x, wrap(weight), None, &mut out, K));
        });
    }
}

/// Several rows: multiply-adds in a second.
mod prefill {
    use super::*;

    /// Rows and threads.
    const CASES: [(usize, usize); 12] = [
        (2, 1),
        (3, 1),
        (4, 1),
        (6, 1),
        (8, 1),
        (12, 1),
        (16, 1),
        (32, 1),
        (64, 1),
        (64, 2),
        (512, 1),
        (512, 2),
    ];

    #[divan::bench(args = CASES)]
    fn linear_bf16(bencher: Bencher<'_, '_>, (n, n_threads): (usize, usize)) {
        let weight: Vec<bf16> = values(K * M * COPIES).into_iter().map(bf16::from_f32).collect();
        bench(bencher, (n, n_threads), &weight, Weight::Bf16);
    }

    #[divan::bench(args = CASES)]
    fn linear_f32(bencher: Bencher<'_, '_>, (n, n_threads): (usize, usize)) {
        bench(bencher, (n, n_threads), &values(K * M * COPIES), Weight::F32);
    }

    fn bench<'a, T: Sync>(
        bencher: Bencher<'_, '_>,
        (n, n_threads): (usize, usize),
        weight: &'a [T],
        wrap: fn(&'a [T]) -> Weight<'a>,
    ) {
        let (x, mut out, pool) = (values(n * K), vec![0.0; n * M], pool(n_threads));
        let mut copies = weight.chunks_exact(K * M).cycle();
        bencher.counter(ItemsCount::new(n * K * M)).bench_local(|| {
            let weight = copies.next().expect("a cycle does not end");
            pool.install(|| linear(&x, wrap(weight), None, &mut out, K));
        });
    }
}

/// Where a second thread begins to pay: products of one row, by outputs and threads.
#[divan::bench(args = [(128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2), (1024, 1), (1024, 2)])]
fn small_linear_bf16(bencher: Bencher<'_, '_>, (m, n_threads): (usize, usize)) {
    let weight: Vec<bf16> = values(K * m).into_iter().map(bf16::from_f32).collect();
    let (x, mut out, pool) = (values(K), vec![0.0; m], pool(n_threads));
    bencher.counter(ItemsCount::new(K * m)).bench_local(|| {
        pool.install(|| linear(&x, Weight::Bf16(&weight), None, &mut out, K));
    });
}

/// Operations on single values: values in a second, by rows and threads.
mod elementwise {
    use super::*;

    const CASES: [(usize, usize); 3] = [(1, 1), (512, 1), (512, 2)];

    /// A single row is too small for threads, and for the price of entering a pool.
    fn run(pool: &Pool, n: usize, op: impl FnOnce() + Send) {
        if n == 1 { op() } else { pool.install(op) }
    }

    #[divan::bench(args = CASES)]
    fn rms_norm_2048(bencher: Bencher<'_, '_>, (n, n_threads): (usize, usize)) {
        let (x, weight) = (values(n * K), values(K));
        let (mut out, pool) = (vec![0.0; n * K], pool(n_threads));
        bencher
            .counter(ItemsCount::new(x.len()))
            .bench_local(|| run(&pool, n, || rms_norm(&x, &weight, 1e-5, &mut out)));
    }

    #[divan::bench(args = CASES)]
    fn swiglu_8192(bencher: Bencher<'_, '_>, (n, n_threads): (usize, usize)) {
        let (gate, up) = (values(n * M), values(n * M));
        let (mut out, pool) = (vec![0.0; n * M], pool(n_threads));
        bencher
            .counter(ItemsCount::new(gate.len()))
            .bench_local(|| run(&pool, n, || swiglu(&gate, &up, &mut out)));
    }

    #[divan::bench(args = CASES)]
    fn rope_16_heads_of_128(bencher: Bencher<'_, '_>, (n, n_threads): (usize, usize)) {
        let shape = RopeShape { n_heads: 16, head_dim: 128 };
        let (x, angles) = (values(n * 16 * 128), values(n * 64));
        let (mut out, pool) = (vec![0.0; x.len()], pool(n_threads));
        bencher
            .counter(ItemsCount::new(x.len()))
            .bench_local(|| run(&pool, n, || rope(&x, &angles, &angles, shape, &mut out)));
    }
}
