//! What the machine can do at most, for every bench to be compared with.

use std::num::NonZeroUsize;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use puyu_kernels::{Pool, roof};

/// Bytes read: several times the caches.
const READ_BYTES: usize = 256 << 20;

pub(crate) fn pool(n_threads: usize) -> Pool {
    let n_threads = NonZeroUsize::new(n_threads).expect("every bench has threads");
    Pool::new(n_threads).expect("a pool of a few threads can be made")
}

/// Reads a large array, one stream for each thread.
#[divan::bench(args = [1, 2])]
fn read(bencher: Bencher<'_, '_>, n_threads: usize) {
    let bytes = vec![1; READ_BYTES];
    let pool = pool(n_threads);
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| pool.install(|| roof::read(&bytes)));
}

/// Multiply-adds of floats in registers.
#[divan::bench(args = [1, 2])]
fn multiply_add_f32(bencher: Bencher<'_, '_>, n_threads: usize) {
    bench_items(bencher, n_threads, roof::multiply_adds_f32);
}

/// Multiply-adds of bytes in registers.
#[divan::bench(args = [1, 2])]
fn multiply_add_int8(bencher: Bencher<'_, '_>, n_threads: usize) {
    bench_items(bencher, n_threads, roof::multiply_adds_int8);
}

fn bench_items(bencher: Bencher<'_, '_>, n_threads: usize, work: fn() -> usize) {
    let pool = pool(n_threads);
    let n_items = pool.install(work);
    bencher.counter(ItemsCount::new(n_items)).bench_local(|| pool.install(work));
}
