//! Time of one position of an order, and of one step of a mixture.
//!
//! `cargo bench -p puyu-dataset --bench order`. An item is one position.
#![forbid(unsafe_code)]

use std::hint::black_box;

use divan::counter::ItemsCount;
use divan::{Bencher, Divan};
use puyu_dataset::Fingerprint;
use puyu_dataset::mix::{MixOptions, MixSource, Mixture};
use puyu_dataset::order::{Order, Permutation, RowOrder};

/// Positions in one measurement.
const POSITIONS: u64 = 10_000;

/// Rows of the largest data that anyone trains on, in samples.
const TRILLION: u64 = 1_000_000_000_000;

fn main() {
    Divan::from_args().main();
}

/// Positions spread over the whole range, as consumers far apart would ask for them.
fn positions(n: u64) -> impl Iterator<Item = u64> {
    (0..POSITIONS).map(move |i| i * (n / POSITIONS))
}

#[divan::bench(args = [TRILLION, 70_000, 1 << 62])]
fn permutation(bencher: Bencher<'_, '_>, n: u64) {
    let order = Permutation::new(n, &[7; 32]);
    bencher
        .counter(ItemsCount::new(POSITIONS))
        .bench(|| positions(n).map(|i| order.at(black_box(i))).fold(0, u64::wrapping_add));
}

#[divan::bench(args = [64, u64::MAX])]
fn shuffled_blocks(bencher: Bencher<'_, '_>, window_blocks: u64) {
    let order = Order::Shuffled { block_rows: 1024, window_blocks };
    let order = RowOrder::new(Fingerprint([1; 32]), TRILLION, order, 1).expect("valid options");
    let epoch = order.epoch(0);
    bencher.counter(ItemsCount::new(POSITIONS)).bench(|| {
        positions(TRILLION).map(|i| epoch.row_at(black_box(i))).fold(0, u64::wrapping_add)
    });
}

#[divan::bench(args = [3, 10, 50])]
fn mixture(bencher: Bencher<'_, '_>, n_sources: u64) {
    let source = |i: u64| MixSource {
        name: i.to_string(),
        n_rows: 1_000_000 * (i + 1),
        weight: None,
        max_epochs: None,
    };
    let mixture = Mixture::new((0..n_sources).map(source).collect(), MixOptions::default())
        .expect("valid options");
    bencher
        .counter(ItemsCount::new(POSITIONS))
        .with_inputs(|| mixture.clone())
        .bench_values(|mixture| mixture.take(POSITIONS as usize).map(|d| d.position).max());
}
