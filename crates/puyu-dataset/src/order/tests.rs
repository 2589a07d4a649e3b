use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::error::DatasetError;
use crate::row::{Fingerprint, RowSource};

/// Rows whose value is their number, and which remember what was read.
pub(crate) struct Numbers {
    pub(crate) n_rows: u64,
    pub(crate) name: u8,
    pub(crate) reads: Mutex<Vec<Range<u64>>>,
}

impl Numbers {
    pub(crate) fn new(n_rows: u64, name: u8) -> Arc<Self> {
        Arc::new(Self { n_rows, name, reads: Mutex::default() })
    }
}

impl RowSource for Numbers {
    type Row = u64;

    fn n_rows(&self) -> u64 {
        self.n_rows
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint([self.name; 32])
    }

    fn read(&self, rows: Range<u64>) -> Result<Vec<u64>, DatasetError> {
        assert!(rows.end <= self.n_rows, "read {rows:?} of {}", self.n_rows);
        self.reads.lock().unwrap().push(rows.clone());
        Ok(rows.collect())
    }
}

/// A generator for stop points, which a proptest would take too long to shrink.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        permutation::scramble(self.0) % n
    }
}

/// `counts` says how often each row was given.
#[track_caller]
pub(crate) fn check_each_once(counts: &[u8]) {
    let lost = counts.iter().filter(|&&count| count == 0).count();
    let repeated = counts.iter().filter(|&&count| count > 1).count();
    assert_eq!((lost, repeated), (0, 0), "lost and repeated rows");
}

fn key(seed: u64) -> [u8; 32] {
    *blake3::hash(&seed.to_le_bytes()).as_bytes()
}

fn shuffled(block_rows: u64, window_blocks: u64) -> Order {
    Order::Shuffled { block_rows, window_blocks }
}

#[test]
fn every_small_size_is_permuted_exactly_and_inverted() {
    for n in (0..300).chain([4095, 4096, 4097, 65_535, 65_536, 70_000]) {
        let order = Permutation::new(n, &key(n));
        let seen: HashSet<u64> = (0..n).map(|i| order.at(i)).collect();
        assert_eq!(seen.len() as u64, n);
        assert!(seen.iter().all(|&value| value < n));
        assert!((0..n).all(|i| order.inverse(order.at(i)) == i), "size {n}");
    }
}

proptest! {
    #[test]
    fn large_sizes_are_inverted(n in 1_u64.., seed: u64, index: u64) {
        for n in [n, n | 1 << 63, u64::MAX] {
            let order = Permutation::new(n, &key(seed));
            let value = order.at(index % n);
            prop_assert!(value < n);
            prop_assert_eq!(order.inverse(value), index % n);
        }
    }

    #[test]
    fn every_row_has_one_position(
        n in 0_u64..3000, block in 1_u64..70, window in 1_u64..40, seed: u64, epoch in 0_u64..9,
    ) {
        for order in [shuffled(block, window), shuffled(block, u64::MAX), Order::Sequential] {
            let epoch = RowOrder::new(Fingerprint([1; 32]), n, order, seed).unwrap().epoch(epoch);
            let mut rows: Vec<u64> = (0..n).map(|position| epoch.row_at(position)).collect();
            for position in 0..n {
                prop_assert_eq!(epoch.position_of(rows[position as usize]), position);
                prop_assert!(epoch.window(epoch.window_of(position)).contains(&position));
            }
            let mut next = 0;
            for w in 0.. {
                let Range { start, end } = epoch.window(w);
                prop_assert_eq!(start, next);
                if start == end { break }
                let blocks: HashSet<u64> = (start..end).map(|p| rows[p as usize] / block).collect();
                if let Order::Shuffled { window_blocks, .. } = order {
                    prop_assert!(blocks.len() as u64 <= window_blocks);
                }
                next = end;
            }
            prop_assert_eq!(next, n);
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..n).collect::<Vec<_>>());
        }
    }
}

/// Chi-square of equal cells, in standard deviations from its mean.
fn chi_square_sigmas(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let chi: f64 = counts.iter().map(|&c| (c as f64 - expected).powi(2) / expected).sum();
    let freedom = counts.len() as f64 - 1.0;
    (chi - freedom) / (2.0 * freedom).sqrt()
}

#[test]
fn all_orders_of_few_rows_are_equally_likely() {
    for n in 2..=5_u64 {
        let mut counts = std::collections::HashMap::<Vec<u64>, u64>::new();
        for seed in 0..24_000 {
            let order = Permutation::new(n, &key(seed));
            *counts.entry((0..n).map(|i| order.at(i)).collect()).or_default() += 1;
        }
        assert_eq!(counts.len() as u64, (1..=n).product::<u64>(), "all orders of {n} occur");
        let counts: Vec<u64> = counts.into_values().collect();
        assert!(chi_square_sigmas(&counts) < 5.0, "{n}: {}", chi_square_sigmas(&counts));
    }
}

#[test]
fn values_are_spread_over_all_places() {
    for n in [100, 5000, 1_000_000_007] {
        let mut cells = vec![0_u64; 400];
        for seed in 0..200 {
            let order = Permutation::new(n, &key(seed));
            for i in (0..100).map(|i| i * (n / 100)) {
                // Twenty ranges of places against twenty of values.
                cells[(i / n.div_ceil(20) * 20 + order.at(i) / n.div_ceil(20)) as usize] += 1;
            }
        }
        assert!(chi_square_sigmas(&cells).abs() < 5.0, "{n}: {}", chi_square_sigmas(&cells));
    }
}

#[test]
fn rows_move_a_third_of_the_size_on_average_and_neighbours_part() {
    let n = 100_000;
    let order = Permutation::new(n, &key(5));
    let mean = (0..n).map(|i| order.at(i).abs_diff(i) as f64).sum::<f64>() / n as f64;
    assert!((mean / n as f64 - 1.0 / 3.0).abs() < 0.005, "{mean}");
    let near = (1..n).filter(|&i| order.at(i).abs_diff(order.at(i - 1)) < 1000).count();
    assert!((1750..2250).contains(&near), "about 1990 expected, found {near}");
    let fixed = (0..n).filter(|&i| order.at(i) == i).count();
    assert!(fixed < 10, "{fixed}");
}

#[test]
fn seeds_epochs_and_data_have_orders_of_their_own() {
    let row_order = |data, seed, epoch| {
        let order = RowOrder::new(Fingerprint([data; 32]), 1000, shuffled(10, 10), seed).unwrap();
        let epoch = order.epoch(epoch);
        (0..1000).map(|position| epoch.row_at(position)).collect::<Vec<_>>()
    };
    let orders = [row_order(1, 1, 0), row_order(2, 1, 0), row_order(1, 2, 0), row_order(1, 1, 1)];
    for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        let equal = orders[a].iter().zip(&orders[b]).filter(|(a, b)| a == b).count();
        assert!(equal < 15, "{equal} of 1000 rows in the same place");
    }
    assert_eq!(orders[0], row_order(1, 1, 0));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for order in [shuffled(0, 1), shuffled(1, 0)] {
        assert!(RowOrder::new(Fingerprint([0; 32]), 5, order, 0).is_err());
    }
    assert!(Consumers::new(2, 2).consumer(2, 0).is_err());
    assert!(Consumers::new(2, 2).consumer(0, 2).is_err());
    assert!(Consumers::new(0, 0).consumer(0, 0).is_err());
    assert!(Consumers::ONE.with_run_rows(0).consumer(0, 0).is_err());
}

fn options(order: Order, epochs: u64) -> RowsOptions {
    RowsOptions { order, seed: 7, epochs: Some(epochs), fetch: Fetch::Blocks }
}

fn consumer(consumers: Consumers, index: u64) -> Consumer {
    Consumer { consumers, index }
}

fn values(rows: impl Iterator<Item = Result<Given<u64>, DatasetError>>) -> Vec<u64> {
    rows.map(|row| row.unwrap().value).collect()
}

#[test]
fn each_block_is_read_once_for_each_window() {
    for order in [shuffled(100, 5), shuffled(128, u64::MAX), Order::Sequential] {
        let source = Numbers::new(5050, 1);
        let rows = ShuffledRows::start(source.clone(), &options(order, 1), Consumer::ONE).unwrap();
        assert_eq!(values(rows).len(), 5050);
        let mut reads = source.reads.lock().unwrap().clone();
        reads.sort_by_key(|read| read.start);
        // Nothing twice, nothing left out, and whole blocks.
        assert!(reads.windows(2).all(|pair| pair[0].end == pair[1].start));
        let block = match order {
            Order::Sequential => 1024,
            Order::Shuffled { block_rows, .. } => block_rows,
        };
        assert_eq!(reads.len() as u64, 5050_u64.div_ceil(block));
    }
}

#[test]
fn runs_of_a_window_are_decoded_by_one_consumer() {
    let source = Numbers::new(4000, 1);
    let consumers = Consumers::new(2, 2).with_run_rows(500);
    for index in 0..4 {
        let consumer = consumer(consumers, index);
        let rows = ShuffledRows::start(source.clone(), &options(shuffled(50, 10), 1), consumer);
        assert_eq!(values(rows.unwrap()).len(), 1000);
    }
    assert_eq!(source.reads.lock().unwrap().len(), 80, "as many as there are blocks");
}

#[test]
fn single_rows_give_the_same_order_as_blocks() {
    let by_blocks = options(shuffled(10, u64::MAX), 2);
    let by_rows = RowsOptions { fetch: Fetch::Rows, ..by_blocks.clone() };
    let [a, b] = [by_blocks, by_rows].map(|options| {
        values(ShuffledRows::start(Numbers::new(333, 1), &options, Consumer::ONE).unwrap())
    });
    assert_eq!(a, b);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn all_consumers_together_give_every_row_once_an_epoch(
        n in 0_u64..500, ranks in 1_u32..5, workers in 1_u32..4, run_rows in 1_u64..40,
        epochs in 0_u64..4,
    ) {
        let source = Numbers::new(n, 1);
        let consumers = Consumers::new(ranks, workers).with_run_rows(run_rows);
        let mut counts = vec![0; n as usize];
        for index in 0..consumers.count() {
            let options = options(shuffled(7, 5), epochs);
            let rows = ShuffledRows::start(source.clone(), &options, consumer(consumers, index));
            for value in values(rows.unwrap()) {
                counts[value as usize] += 1;
            }
        }
        prop_assert!(counts.iter().all(|&count| count == epochs));
    }

    #[test]
    fn open_steps_after_any_stops_are_those_not_taken(
        worlds in prop::collection::vec(
            (1_u64..6, 1_u64..5, prop::collection::vec(0_u64..40, 6)), 1..5),
        end in 1_u64..400,
    ) {
        let mut open = OpenSteps::all();
        let mut taken: HashSet<u64> = HashSet::new();
        for (count, run_rows, taken_by) in worlds {
            let consumers = Consumers::new(count as u32, 1).with_run_rows(run_rows);
            let mut counts = Vec::new();
            for index in 0..count {
                let turn = Turn { consumer: consumer(consumers, index), taken: 0 };
                let turns = Turns::new(open.clone(), turn).unwrap();
                let mut k = 0;
                while k < taken_by[index as usize] {
                    match turns.slot(k, end) {
                        Slot::Step(step) => prop_assert!(taken.insert(step), "{} twice", step),
                        Slot::Skip => {}
                        Slot::End => break,
                    }
                    k += 1;
                }
                counts.push(k);
            }
            open = open.after(consumers, &counts, end).unwrap();
            let offsets = open.checked_offsets().unwrap();
            let left: Vec<u64> = (0..end)
                .map_while(|place| open.step(place, &offsets).0.filter(|&step| step < end))
                .collect();
            let set: HashSet<u64> = left.iter().copied().collect();
            prop_assert_eq!(set.len(), left.len());
            prop_assert_eq!(&set, &(0..end).filter(|s| !taken.contains(s)).collect());
            prop_assert_eq!(open.lowest(), left.iter().copied().min().unwrap_or(end));
        }
    }
}

/// Stops at `stops` points after one another, in worlds of changing size, and then finishes.
#[track_caller]
fn check_stops(worlds: &[Consumers], dice: &mut Dice, skew: u64) {
    let n_rows = 70_000;
    let source = Numbers::new(n_rows, 9);
    let options = options(shuffled(256, 16), 1);
    let mut counts = vec![0_u8; n_rows as usize];
    let mut progress: Option<Progress> = None;
    for (world, &consumers) in worlds.iter().enumerate() {
        let last = world + 1 == worlds.len();
        let each = dice.below(n_rows / consumers.count() / 2);
        let states: Vec<ConsumerState> = (0..consumers.count())
            .map(|index| {
                let (source, consumer) = (source.clone(), consumer(consumers, index));
                let mut rows = match &progress {
                    None => ShuffledRows::start(source, &options, consumer),
                    Some(progress) => ShuffledRows::proceed(source, &options, progress, consumer),
                }
                .unwrap();
                let stop = if last { u64::MAX } else { each + dice.below(skew + 1) };
                for row in rows.by_ref().take(stop as usize) {
                    counts[row.unwrap().value as usize] += 1;
                }
                rows.state()
            })
            .collect();
        let saved = serde_json::to_string(&Progress::merge(&states).unwrap()).unwrap();
        let read: Progress = serde_json::from_str(&saved).unwrap();
        let given: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        assert_eq!(read.n_given(), given);
        progress = Some(read);
    }
    check_each_once(&counts);
    assert_eq!(
        progress.unwrap().open,
        OpenSteps::all().after(Consumers::ONE, &[n_rows], n_rows).unwrap()
    );
}

#[test]
fn fifty_stops_lose_and_repeat_nothing_on_other_worlds() {
    let world = Consumers::new;
    let changes = [
        vec![world(1, 1), world(3, 1)],
        vec![world(4, 1), world(2, 1)],
        vec![world(3, 1), world(5, 1)],
        vec![world(2, 2), world(3, 1), world(1, 2)],
        vec![world(4, 1).with_run_rows(4096), world(3, 1), world(2, 1).with_run_rows(100)],
    ];
    let mut dice = Dice(2026);
    for stop in 0..50 {
        // Even stops, a few rows apart, and hopelessly apart.
        let skew = [0, 5, 9000][stop % 3];
        check_stops(&changes[stop % changes.len()], &mut dice, skew);
    }
}

#[test]
fn many_uneven_stops_keep_few_gaps() {
    let source = Numbers::new(70_000, 1);
    let (options, mut dice) = (options(Order::Sequential, 1), Dice(5));
    let mut progress: Option<Progress> = None;
    for count in [3, 5, 2, 7, 4, 6, 3, 8] {
        let states: Vec<ConsumerState> = (0..count)
            .map(|index| {
                let (consumer, source) =
                    (consumer(Consumers::new(count, 1), index.into()), source.clone());
                let mut rows = match &progress {
                    None => ShuffledRows::start(source, &options, consumer),
                    Some(progress) => ShuffledRows::proceed(source, &options, progress, consumer),
                }
                .unwrap();
                let taken = rows.by_ref().take(200 + dice.below(10) as usize).count();
                assert!(taken >= 200);
                rows.state()
            })
            .collect();
        let merged = Progress::merge(&states).unwrap();
        assert!(merged.open.gaps().len() < count as usize, "{:?}", merged.open);
        progress = Some(merged);
    }
}

#[test]
fn an_unchanged_world_goes_on_bit_for_bit() {
    let source = Numbers::new(1000, 1);
    let options = options(shuffled(30, 4), 3);
    let consumers = Consumers::new(3, 1);
    let straight: Vec<Vec<u64>> = (0..3)
        .map(|i| {
            values(ShuffledRows::start(source.clone(), &options, consumer(consumers, i)).unwrap())
        })
        .collect();
    for stop in [0, 1, 39, 333, 334, 700, 1000] {
        let mut states = Vec::new();
        for (i, straight) in straight.iter().enumerate() {
            let of = consumer(consumers, i as u64);
            let mut rows = ShuffledRows::start(source.clone(), &options, of).unwrap();
            assert_eq!(values(rows.by_ref().take(stop)), straight[..stop]);
            states.push(rows.state());
            let resumed = ShuffledRows::resume(source.clone(), &options, &rows.state()).unwrap();
            assert_eq!(values(resumed), straight[stop..]);
        }
        let progress = Progress::merge(&states).unwrap();
        assert!(progress.open.gaps().is_empty());
        assert_eq!(
            (progress.epoch(), progress.position()),
            (stop as u64 * 3 / 1000, stop as u64 * 3 % 1000)
        );
        for (i, straight) in straight.iter().enumerate() {
            let of = consumer(consumers, i as u64);
            let rows = ShuffledRows::proceed(source.clone(), &options, &progress, of).unwrap();
            assert_eq!(values(rows), straight[stop..]);
        }
    }
}

#[test]
fn a_finished_run_goes_on_with_more_epochs() {
    let source = Numbers::new(10, 1);
    let once = options(shuffled(3, 2), 1);
    let states: Vec<ConsumerState> = (0..3)
        .map(|i| {
            let of = consumer(Consumers::new(3, 1), i);
            let mut rows = ShuffledRows::start(source.clone(), &once, of).unwrap();
            assert!(rows.by_ref().count() >= 3);
            rows.state()
        })
        .collect();
    let progress = Progress::merge(&states).unwrap();
    assert_eq!((progress.open.frontier(), progress.open.gaps().len()), (10, 0));
    let twice = RowsOptions { epochs: Some(2), ..once.clone() };
    let rows = ShuffledRows::proceed(source.clone(), &twice, &progress, Consumer::ONE).unwrap();
    assert_eq!(values(rows).len(), 10);
    let never = RowsOptions { epochs: Some(0), ..once };
    assert!(ShuffledRows::proceed(source, &never, &progress, Consumer::ONE).is_err());
}

#[track_caller]
fn check_refused(change: impl FnOnce(&mut Progress), what: &str) {
    let options = options(shuffled(3, 2), 1);
    let rows = ShuffledRows::start(Numbers::new(10, 1), &options, Consumer::ONE).unwrap();
    let mut progress = Progress::merge(&[rows.state()]).unwrap();
    change(&mut progress);
    let refused = ShuffledRows::proceed(Numbers::new(10, 1), &options, &progress, Consumer::ONE);
    let message = refused.err().expect("a state of something else is refused").to_string();
    assert!(message.contains(what), "{message}");
}

#[test]
fn states_of_something_else_are_refused_by_name() {
    check_refused(|p| p.identity.data = Fingerprint([2; 32]), "fingerprint");
    check_refused(|p| p.identity.n_rows = 11, "number of rows: expected 10, found 11");
    check_refused(|p| p.identity.seed = 8, "seed: expected 7, found 8");
    check_refused(|p| p.identity.order = Order::Sequential, "order");
    for gap in [(0, 0, 1), (0, 1, 0), (5, 1, 3), (0, u64::MAX, u64::MAX)] {
        let json = format!(
            r#"{{"frontier":6,"gaps":[{{"start":{},"stride":{},"count":{}}}]}}"#,
            gap.0, gap.1, gap.2
        );
        check_refused(|p| p.open = serde_json::from_str(&json).unwrap(), "gaps");
    }
}

#[test]
fn states_that_do_not_belong_together_are_not_joined() {
    let options = options(shuffled(3, 2), 1);
    let state = |consumers: Consumers, index| {
        let consumer = consumer(consumers, index);
        ShuffledRows::start(Numbers::new(10, 1), &options, consumer).unwrap().state()
    };
    let two = Consumers::new(2, 1);
    assert!(Progress::merge(&[]).is_err());
    assert!(Progress::merge(&[state(two, 0)]).is_err());
    assert!(Progress::merge(&[state(two, 0), state(two, 0)]).is_err());
    assert!(Progress::merge(&[state(two, 0), state(Consumers::new(1, 2), 1)]).is_err());
    assert!(Progress::merge(&[state(two, 1), state(two, 0)]).is_ok());
}

/// Fails where a disk might.
struct Broken;

impl RowSource for Broken {
    type Row = u64;

    fn n_rows(&self) -> u64 {
        100
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint([1; 32])
    }

    fn read(&self, rows: Range<u64>) -> Result<Vec<u64>, DatasetError> {
        if rows.contains(&50) {
            let error = std::io::Error::other("the disk is gone");
            return Err(DatasetError::io("read", "诗.jsonl")(error));
        }
        Ok(rows.collect())
    }
}

#[test]
fn after_an_error_the_state_takes_up_at_the_row_that_failed() {
    let options = options(shuffled(10, 2), 1);
    let mut rows = ShuffledRows::start(Arc::new(Broken), &options, Consumer::ONE).unwrap();
    let good = rows.by_ref().take_while(Result::is_ok).count();
    assert!(good < 100 && good.is_multiple_of(20));
    assert!(rows.next().is_none());
    let rest = ShuffledRows::resume(Numbers::new(100, 1), &options, &rows.state()).unwrap();
    assert_eq!(good + values(rest).len(), 100);
}
