use proptest::prelude::*;

use super::apportion::WHOLE;
use super::*;
use crate::error::DatasetError;
use crate::order::tests::{Dice, Numbers, check_each_once};
use crate::order::{Consumer, Consumers, Order};

fn source(name: usize, n_rows: u64, weight: f64, max_epochs: Option<f64>) -> MixSource {
    MixSource { name: format!("源{name}"), n_rows, weight: Some(weight), max_epochs }
}

fn weighted(weights: &[f64]) -> Vec<MixSource> {
    weights.iter().enumerate().map(|(i, &w)| source(i, 1000, w, None)).collect()
}

fn stratified(batch: u64) -> MixOptions {
    MixOptions { batching: Batching::Stratified { batch }, ..MixOptions::default() }
}

/// The largest distance of any source from its share, over all steps.
fn largest_distance(mixture: &mut Mixture, steps: u64) -> f64 {
    let shares = mixture.state().schedule[0].shares.clone();
    let mut largest = 0.0_f64;
    for step in 1..=steps {
        mixture.next().unwrap();
        for (&share, &count) in shares.iter().zip(mixture.counts()) {
            let due = i128::from(share) * i128::from(step);
            let distance = (due - i128::from(count) * i128::from(WHOLE)) as f64 / WHOLE as f64;
            largest = largest.max(distance.abs());
        }
    }
    largest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn every_source_is_always_within_one_row_of_its_share(
        weights in prop::collection::vec(prop_oneof![0.001_f64..1.0, 0.5_f64..100.0], 1..30),
    ) {
        let mut mixture = Mixture::new(weighted(&weights), MixOptions::default()).unwrap();
        let largest = largest_distance(&mut mixture, 3000);
        prop_assert!(largest < 1.0, "{}", largest);
    }

    #[test]
    fn stratified_batches_have_equal_counts_up_to_rounding_and_are_exact_in_the_long_run(
        weights in prop::collection::vec(0.001_f64..1.0, 1..20), batch in 1_u64..100,
    ) {
        let mut mixture = Mixture::new(weighted(&weights), stratified(batch)).unwrap();
        let shares = mixture.shares();
        for n in 1..200 {
            let before = mixture.counts().to_vec();
            for _ in 0..batch {
                mixture.next().unwrap();
            }
            for (i, share) in shares.iter().enumerate() {
                let due = share * batch as f64;
                let count = (mixture.counts()[i] - before[i]) as f64;
                prop_assert!(count >= (due - 1e-9).floor() && count <= (due + 1e-9).ceil());
                let distance = mixture.counts()[i] as f64 - due * f64::from(n);
                prop_assert!(distance.abs() < 3.0, "{}", distance);
            }
        }
    }

    #[test]
    fn a_resumed_mixture_is_the_straight_one(
        stop in 0_usize..400, batch in 0_u64..9, cap in 0.0_f64..4.0,
    ) {
        let sources = vec![
            source(0, 10, 3.0, Some(cap)), source(1, 25, 2.0, None), source(2, 7, 0.5, Some(2.0)),
        ];
        let mut options = if batch == 0 { MixOptions::default() } else { stratified(batch) };
        let from_step = 20 * batch.max(1);
        options.schedule = vec![WeightChange { from_step, weights: vec![1.0, 1.0, 5.0] }];
        let mut straight = Mixture::new(sources.clone(), options.clone()).unwrap();
        let all: Vec<Draw> = straight.by_ref().take(500).collect();
        let mut first = Mixture::new(sources.clone(), options.clone()).unwrap();
        prop_assert_eq!(first.by_ref().take(stop).collect::<Vec<_>>(), &all[..stop]);
        let saved = serde_json::to_string(&first.state()).unwrap();
        let state: MixState = serde_json::from_str(&saved).unwrap();
        let mut rest = Mixture::resume(sources, options, &state).unwrap();
        prop_assert_eq!(rest.by_ref().take(500 - stop).collect::<Vec<_>>(), &all[stop..]);
        prop_assert_eq!(rest.state(), straight.state());
    }
}

#[test]
fn one_common_and_many_rare_sources_stay_within_one_row() {
    let mut weights = vec![0.5];
    weights.extend([0.5 / 40.0; 40]);
    let mut mixture = Mixture::new(weighted(&weights), MixOptions::default()).unwrap();
    assert!(largest_distance(&mut mixture, 5000) < 1.0);
}

#[test]
fn positions_of_each_source_follow_each_other_over_epochs() {
    let mixture = Mixture::new(weighted(&[2.0, 1.0]), MixOptions::default()).unwrap();
    let mut next = [0; 2];
    for draw in mixture.take(5000) {
        assert_eq!(draw.epoch * 1000 + draw.position, next[draw.source]);
        next[draw.source] += 1;
    }
    assert_eq!(next.iter().sum::<u64>(), 5000);
}

#[track_caller]
fn check_shares(rows: [u64; 3], weights: Option<[f64; 3]>, temperature: f64, expected: [f64; 3]) {
    let sources = (0..3)
        .map(|i| MixSource {
            name: i.to_string(),
            n_rows: rows[i],
            weight: weights.map(|weights| weights[i]),
            max_epochs: None,
        })
        .collect();
    let options = MixOptions { temperature, ..MixOptions::default() };
    let shares = Mixture::new(sources, options).unwrap().shares();
    for (share, expected) in shares.iter().zip(expected) {
        assert!((share - expected).abs() < 1e-12, "{shares:?}");
    }
}

#[test]
fn weights_sizes_and_temperature_make_the_shares() {
    check_shares([100, 300, 600], None, 1.0, [0.1, 0.3, 0.6]);
    check_shares([1, 4, 9], None, 2.0, [1.0 / 6.0, 2.0 / 6.0, 3.0 / 6.0]);
    check_shares([1, 4, 9], Some([9.0, 4.0, 1.0]), 2.0, [3.0 / 6.0, 2.0 / 6.0, 1.0 / 6.0]);
    check_shares([1, 1, 1], Some([2.0, 0.0, 2.0]), 5.0, [0.5, 0.0, 0.5]);
    check_shares([5, 5, 5], Some([1e300, 1e300, 2e300]), 1.0, [0.25, 0.25, 0.5]);
}

#[test]
fn a_source_at_its_cap_leaves_and_the_others_share_its_part() {
    let sources =
        vec![source(0, 10, 2.0, Some(1.5)), source(1, 100, 1.0, None), source(2, 100, 1.0, None)];
    let mut mixture = Mixture::new(sources, MixOptions::default()).unwrap();
    assert_eq!(mixture.by_ref().take(1000).filter(|draw| draw.source == 0).count(), 15);
    assert_eq!(mixture.shares(), [0.0, 0.5, 0.5]);
    let left = mixture.departures()[0];
    assert_eq!(left.source, 0);
    assert!((29..=31).contains(&left.step), "{left:?}");
    assert!(mixture.counts()[1].abs_diff(mixture.counts()[2]) <= 2);
}

#[test]
fn a_mixture_ends_when_all_sources_have_left() {
    for options in [MixOptions::default(), stratified(16), stratified(1_000_000)] {
        let sources = vec![source(0, 10, 5.0, Some(2.0)), source(1, 30, 1.0, Some(0.5))];
        let mut mixture = Mixture::new(sources, options).unwrap();
        assert_eq!(mixture.by_ref().count(), 35);
        assert_eq!(mixture.counts(), [20, 15]);
        assert_eq!(mixture.departures().len(), 2);
    }
}

#[test]
fn weights_change_from_a_step_on_and_not_before() {
    let mut mixture = Mixture::new(weighted(&[1.0, 1.0]), MixOptions::default()).unwrap();
    assert_eq!(mixture.by_ref().take(100).count(), 100);
    assert!(mixture.set_weights(99, &[1.0, 9.0]).is_err(), "already drawn");
    mixture.set_weights(200, &[1.0, 9.0]).unwrap();
    assert_eq!(mixture.by_ref().take(100).count(), 100);
    assert_eq!(mixture.counts(), [100, 100]);
    assert_eq!(mixture.by_ref().take(1000).count(), 1000);
    assert_eq!(mixture.counts(), [200, 1000]);
    assert_eq!(mixture.schedule().len(), 2);
    let mut batches = Mixture::new(weighted(&[1.0, 1.0]), stratified(8)).unwrap();
    assert!(batches.set_weights(12, &[1.0, 2.0]).is_err(), "inside a batch");
    assert!(batches.set_weights(16, &[1.0]).is_err(), "one weight for two sources");
}

#[test]
fn mixtures_that_make_no_sense_are_refused() {
    let options = MixOptions::default;
    for sources in [
        vec![],
        weighted(&[0.0, 0.0]),
        weighted(&[-1.0]),
        weighted(&[f64::NAN]),
        weighted(&[f64::INFINITY]),
        vec![source(0, 5, 1.0, None), source(0, 6, 1.0, None)],
        vec![source(0, 0, 1.0, None)],
        vec![source(0, 5, 1.0, Some(-1.0))],
        vec![source(0, 5, 1.0, None), MixSource { weight: None, ..source(1, 5, 1.0, None) }],
    ] {
        assert!(Mixture::new(sources.clone(), options()).is_err(), "{sources:?}");
    }
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Mixture::new(weighted(&[1.0]), MixOptions { temperature, ..options() }).is_err());
    }
    assert!(Mixture::new(weighted(&[1.0]), stratified(0)).is_err());
}

#[test]
fn a_state_that_contradicts_itself_is_refused() {
    let mixture = || Mixture::new(weighted(&[1.0, 2.0]), stratified(4)).unwrap();
    let mut drawn = mixture();
    assert_eq!(drawn.by_ref().take(6).count(), 6);
    let changes: [fn(&mut MixState); 8] = [
        |state| state.cursor.step = 7,
        |state| state.cursor.counts = vec![6],
        |state| state.cursor.entry = 1,
        |state| state.cursor.phase_step = u64::MAX,
        |state| state.cursor.departed.push(Departure { step: 0, source: 2 }),
        |state| state.cursor.batch.as_mut().unwrap().start = u64::MAX,
        |state| state.schedule.clear(),
        |state| state.schedule[0].shares = vec![WHOLE, 0],
    ];
    for change in changes {
        let mut state = drawn.state();
        change(&mut state);
        let resumed = Mixture::resume(weighted(&[1.0, 2.0]), stratified(4), &state);
        assert!(matches!(resumed, Err(DatasetError::State { .. })), "{state:?}");
    }
}

fn inputs() -> Vec<MixInput<u64>> {
    let order = Order::Shuffled { block_rows: 64, window_blocks: 8 };
    [(40_000, 4.0, Some(1.0)), (20_000, 5.0, Some(1.5)), (10_000, 1.0, None)]
        .into_iter()
        .enumerate()
        .map(|(i, (n_rows, weight, max_epochs))| {
            let input = MixInput::new(format!("源{i}"), Numbers::new(n_rows, i as u8));
            MixInput { weight: Some(weight), max_epochs, order, ..input }
        })
        .collect()
}

/// Steps after which the test looks: both caps are met before.
const STEPS: u64 = 76_000;

type Row = MixedRow<u64>;

fn straight() -> Vec<Row> {
    let rows = MixedRows::start(inputs(), MixOptions::default(), Consumer::ONE).unwrap();
    rows.take(STEPS as usize).map(Result::unwrap).collect()
}

/// Stops once in each world but the last, which gives every other step before [`STEPS`].
#[track_caller]
fn check_stops(straight: &[Row], worlds: &[Consumers], dice: &mut Dice, skew: u64) {
    let mut given: Vec<u8> = vec![0; straight.len()];
    let mut progress: Option<MixProgress> = None;
    for (world, &consumers) in worlds.iter().enumerate() {
        let last = world + 1 == worlds.len();
        let each = dice.below(STEPS / consumers.count() / 3);
        let mut states = Vec::new();
        for index in 0..consumers.count() {
            let (consumer, options) = (Consumer { consumers, index }, MixOptions::default());
            let mut rows = match &progress {
                None => MixedRows::start(inputs(), options, consumer),
                Some(progress) => MixedRows::proceed(inputs(), options, progress, consumer),
            }
            .unwrap();
            let stop = if last { STEPS } else { each + dice.below(skew + 1) };
            for row in rows.by_ref().take(stop as usize) {
                let row = row.unwrap();
                let Some(expected) = straight.get(row.given.step as usize) else { break };
                assert_eq!(&row, expected, "the same row at the same step");
                given[row.given.step as usize] += 1;
            }
            states.push(rows.state());
        }
        if !last {
            let merged = serde_json::to_string(&MixProgress::merge(&states).unwrap()).unwrap();
            progress = Some(serde_json::from_str(&merged).unwrap());
        }
    }
    check_each_once(&given);
}

#[test]
fn stops_mid_mixture_lose_and_repeat_nothing_on_other_worlds() {
    let world = Consumers::new;
    let changes = [
        vec![world(1, 1), world(3, 1)],
        vec![world(4, 1), world(2, 1)],
        vec![world(3, 1), world(5, 1)],
        vec![world(2, 2), world(3, 1), world(1, 2)],
        vec![world(3, 1).with_run_rows(100), world(2, 1)],
    ];
    let (straight, mut dice) = (straight(), Dice(7));
    for stop in 0..50 {
        let skew = [0, 5, 300][stop % 3];
        check_stops(&straight, &changes[stop % changes.len()], &mut dice, skew);
    }
}

#[test]
fn a_mixed_run_with_caps_ends_for_every_consumer_and_gives_each_row_once() {
    for consumers in [Consumers::new(1, 1), Consumers::new(3, 2)] {
        let mut given = Vec::new();
        let mut states = Vec::new();
        for index in 0..consumers.count() {
            let mut inputs = inputs();
            inputs[2].max_epochs = Some(2.0);
            let consumer = Consumer { consumers, index };
            let mut rows = MixedRows::start(inputs, MixOptions::default(), consumer).unwrap();
            given.extend(rows.by_ref().map(|row| {
                let row = row.unwrap();
                (row.source, row.given.epoch, row.given.value)
            }));
            states.push(rows.state());
        }
        assert_eq!(given.len(), 40_000 + 30_000 + 20_000);
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), 90_000, "no row twice in an epoch");
        let progress = MixProgress::merge(&states).unwrap();
        assert_eq!((progress.open.frontier(), progress.end), (90_000, Some(90_000)));
        assert_eq!(progress.n_given(), 90_000);
    }
}

#[test]
fn a_mixed_run_in_an_unchanged_world_goes_on_bit_for_bit_with_its_schedule() {
    let start = |index| {
        let consumer = Consumer { consumers: Consumers::new(2, 1), index };
        let mut rows = MixedRows::start(inputs(), MixOptions::default(), consumer).unwrap();
        rows.set_weights(1500, &[1.0, 0.0, 3.0]).unwrap();
        rows
    };
    let take = |rows: &mut MixedRows<u64>, n| -> Vec<Row> {
        rows.by_ref().take(n).map(Result::unwrap).collect()
    };
    for stop in [0, 10, 749, 750, 751, 2000] {
        let mut states = Vec::new();
        for index in 0..2 {
            let straight = take(&mut start(index), 3000);
            let mut rows = start(index);
            assert_eq!(take(&mut rows, stop), straight[..stop]);
            states.push(rows.state());
            let state = rows.state();
            let mut rest = MixedRows::resume(inputs(), MixOptions::default(), &state).unwrap();
            assert_eq!(take(&mut rest, 3000 - stop), straight[stop..]);
        }
        let progress = MixProgress::merge(&states).unwrap();
        assert_eq!(progress.schedule.len(), 2);
        assert!(progress.open.gaps().is_empty());
    }
}

#[test]
fn consumers_that_were_told_different_weights_are_not_joined() {
    let states: Vec<MixConsumerState> = (0..2)
        .map(|index| {
            let consumer = Consumer { consumers: Consumers::new(2, 1), index };
            let mut rows = MixedRows::start(inputs(), MixOptions::default(), consumer).unwrap();
            rows.set_weights(100 + index, &[1.0, 1.0, 1.0]).unwrap();
            rows.state()
        })
        .collect();
    let message = MixProgress::merge(&states).unwrap_err().to_string();
    assert!(message.contains("schedule"), "{message}");
}

#[test]
fn states_of_other_mixtures_are_refused_by_name() {
    let rows = MixedRows::start(inputs(), MixOptions::default(), Consumer::ONE).unwrap();
    let state = rows.state();
    let check = |inputs: Vec<MixInput<u64>>, options: MixOptions, what: &str| {
        let message = MixedRows::resume(inputs, options, &state).err().unwrap().to_string();
        assert!(message.contains(what), "{message}");
    };
    let mut other = inputs();
    other[1].weight = Some(6.0);
    check(other, MixOptions::default(), "weights");
    let mut other = inputs();
    other[1].rows = Numbers::new(20_000, 77);
    check(other, MixOptions::default(), "fingerprints");
    let mut other = inputs();
    other[1].max_epochs = None;
    check(other, MixOptions::default(), "sources of the mixture");
    check(inputs(), MixOptions { seed: 1, ..MixOptions::default() }, "seed");
    check(inputs(), stratified(8), "batching");
}
