use super::super::filters::{Candidate, Candidates, scale};
use super::*;

const LENGTHS: [usize; 7] = [1, 2, 63, 64, 65, 1_000, 5_000];

/// Probabilities in `f64`.
fn softmax(logits: &[f32]) -> Vec<f64> {
    let weights: Vec<f64> = logits.iter().map(|&x| f64::from(x).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / total).collect()
}

/// Indices sorted by a key, the lowest index of equal ones first.
fn sorted_by(keys: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    order
}

fn kept(candidates: &Candidates) -> Vec<usize> {
    let mut ids: Vec<usize> = candidates.entries().iter().map(|e| e.id as usize).collect();
    ids.sort_unstable();
    ids
}

/// Compares a filter with its definition over rows of several lengths.
#[track_caller]
fn check(apply: impl Fn(&mut Candidates, &[f32]), definition: impl Fn(&[f32]) -> Vec<usize>) {
    let mut candidates = Candidates::default();
    for len in LENGTHS {
        for seed in 0..10 {
            let logits = random_logits(len, seed);
            apply(&mut candidates, &logits);
            let mut expected = definition(&logits);
            expected.sort_unstable();
            assert_eq!(kept(&candidates), expected, "len {len}, seed {seed}");
        }
    }
}

#[test]
fn top_k_keeps_the_greatest_and_their_equals() {
    for k in [1, 2, 5, 64, 300, 4_999, 5_000, usize::MAX] {
        check(
            |candidates, logits| candidates.fill_top_k(logits, k),
            |logits| {
                let mut sorted = logits.to_vec();
                sorted.sort_by(|a, b| b.total_cmp(a));
                let floor = sorted[k.min(sorted.len()) - 1];
                (0..logits.len()).filter(|&id| logits[id] >= floor).collect()
            },
        );
    }
}

#[test]
fn top_k_of_equal_or_impossible_logits_is_right() {
    let mut candidates = Candidates::default();
    candidates.fill_top_k(&[1.0; 3_000], 3);
    assert_eq!(candidates.entries().len(), 3_000);
    let mut logits = vec![f32::NEG_INFINITY; 3_000];
    logits[2_999] = -5.0;
    candidates.fill_top_k(&logits, 3);
    assert_eq!(kept(&candidates), [2_999]);
    // Rising logits raise the floor again and again.
    let rising: Vec<f32> = (0..3_000).map(|x| x as f32).collect();
    candidates.fill_top_k(&rising, 3);
    assert_eq!(kept(&candidates), [2_997, 2_998, 2_999]);
}

#[test]
fn the_best_come_in_order_and_no_more_than_asked_for() {
    let mut candidates = Candidates::default();
    let ids = |entries: &[Candidate]| entries.iter().map(|e| e.id).collect::<Vec<_>>();
    let logits = [1.0, 2.0, 2.0, 2.0, 3.0, f32::NEG_INFINITY];
    assert_eq!(ids(candidates.best(&logits, 3)), [4, 1, 2]);
    assert_eq!(ids(candidates.best(&logits, 9)), [4, 1, 2, 3, 0]);
    assert_eq!(ids(candidates.best(&logits, 0)), [0; 0]);
}

#[test]
fn top_p_keeps_the_fewest_that_reach_the_share() {
    for top_p in [0.0, 0.0503, 0.5017, 0.8011, 0.9973, 1.0] {
        check(
            |candidates, logits| {
                candidates.fill(logits);
                candidates.keep_top_p(top_p);
            },
            |logits| {
                let probs = softmax(logits);
                let order = sorted_by(&probs.iter().map(|p| -p).collect::<Vec<_>>());
                let mut ahead = 0.0;
                let keeps = |&id: &usize| {
                    let keeps = ahead == 0.0 || ahead < f64::from(top_p) || top_p == 1.0;
                    ahead += probs[id];
                    keeps
                };
                order.into_iter().take_while(keeps).collect()
            },
        );
    }
}

#[test]
fn min_p_keeps_what_is_near_the_most_probable() {
    for min_p in [0.0, 0.01, 0.1003, 0.5, 1.0] {
        check(
            |candidates, logits| {
                candidates.fill(logits);
                candidates.keep_min_p(min_p);
            },
            |logits| {
                let probs = softmax(logits);
                let greatest = probs.iter().copied().fold(0.0, f64::max);
                let keeps = |&id: &usize| probs[id] >= f64::from(min_p) * greatest * (1.0 - 1e-12);
                (0..logits.len()).filter(keeps).collect()
            },
        );
    }
}

#[test]
fn typical_p_keeps_what_is_as_surprising_as_expected() {
    for typical_p in [0.0501, 0.2003, 0.9007, 1.0] {
        check(
            |candidates, logits| {
                candidates.fill(logits);
                candidates.keep_typical_p(typical_p);
            },
            |logits| {
                let probs = softmax(logits);
                let entropy: f64 = probs.iter().map(|p| -p * p.ln()).sum();
                let distances: Vec<f64> = probs.iter().map(|p| (-p.ln() - entropy).abs()).collect();
                let mut sum = 0.0;
                let mut last = 0.0;
                for id in sorted_by(&distances) {
                    sum += probs[id];
                    last = distances[id];
                    if sum >= f64::from(typical_p) && typical_p < 1.0 {
                        break;
                    }
                }
                // Equal logits are equally distant, up to the rounding of this definition.
                (0..logits.len()).filter(|&id| distances[id] <= last + 1e-9).collect()
            },
        );
    }
}

#[test]
fn filters_one_after_the_other_match_their_definitions() {
    let mut candidates = Candidates::default();
    let mut logits = random_logits(2_000, 5);
    scale(&mut logits, 0.7);
    candidates.fill_top_k(&logits, 40);
    candidates.keep_top_p(0.9011);
    candidates.keep_min_p(0.0507);

    let mut sorted: Vec<(usize, f32)> = logits.iter().copied().enumerate().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let n_equal = sorted.iter().filter(|entry| entry.1 >= sorted[39].1).count();
    sorted.truncate(n_equal);
    let probs = softmax(&sorted.iter().map(|entry| entry.1).collect::<Vec<_>>());
    let mut ahead = 0.0;
    let mut expected = Vec::new();
    for (&(id, _), p) in sorted.iter().zip(&probs) {
        if ahead < 0.9011 && *p >= 0.0507 * probs[0] {
            expected.push(id);
        }
        ahead += p;
    }
    expected.sort_unstable();
    assert_eq!(kept(&candidates), expected);
}

#[test]
fn draws_are_as_frequent_as_probable() {
    let logits = [0.5_f32, -1.0, 1.5, f32::NEG_INFINITY, 0.0];
    let probs = softmax(&logits);
    let options = GenerateOptions::plain_sampling();
    let mut counts = [0_u32; 5];
    let n = 20_000;
    for seed in 0..n {
        let mut sampler = Sampler::new(&options.clone().with_seed(seed)).unwrap();
        let token = sampler.sample(&mut logits.clone(), History::default()).unwrap();
        counts[token.id as usize] += 1;
    }
    for (id, p) in probs.iter().enumerate() {
        let deviation = (n as f64 * p * (1.0 - p)).sqrt();
        let expected = n as f64 * p;
        assert!((f64::from(counts[id]) - expected).abs() <= 4.0 * deviation, "{id}: {counts:?}");
    }
}

#[test]
fn the_draw_covers_its_ends() {
    let mut candidates = Candidates::default();
    candidates.fill(&[f32::NEG_INFINITY, 0.0, 0.0, -1e30]);
    assert_eq!(candidates.draw(0.0), 1);
    assert_eq!(candidates.draw(0.499), 1);
    assert_eq!(candidates.draw(0.5), 2);
    assert_eq!(candidates.draw(1.0 - f64::EPSILON / 2.0), 2);
}

#[test]
fn the_draw_depends_on_the_set_and_not_on_the_filters_that_led_to_it() {
    let logits = random_logits(1_000, 8);
    let mut filtered = Candidates::default();
    filtered.fill(&logits);
    filtered.keep_top_p(0.99);
    // The same set, taken in order of ids.
    let mut row = vec![f32::NEG_INFINITY; logits.len()];
    for entry in filtered.entries() {
        row[entry.id as usize] = entry.logit;
    }
    let mut plain = Candidates::default();
    plain.fill(&row);
    for step in 0..100 {
        let uniform = f64::from(step) / 100.0;
        assert_eq!(filtered.clone().draw(uniform), plain.draw(uniform), "{uniform}");
    }
}
