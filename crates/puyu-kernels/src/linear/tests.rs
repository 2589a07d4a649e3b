use puyu_testkit::random_normal;

use super::*;
use crate::testing::{LENGTHS, bits, versions};

/// Around steps of 32 and 64 products and blocks of 2048.
const LONG: [usize; 6] = [2047, 2048, 2049, 2080, 4096, 5003];

/// A weight in each format, and its values.
struct Weights {
    wide: Vec<f32>,
    brain: Vec<bf16>,
    half: Vec<f16>,
}

impl Weights {
    fn new(values: &[f32]) -> Self {
        Self {
            wide: values.to_vec(),
            brain: values.iter().map(|&value| bf16::from_f32(value)).collect(),
            half: values.iter().map(|&value| f16::from_f32(value)).collect(),
        }
    }

    fn formats(&self) -> [Weight<'_>; 3] {
        [Weight::F32(&self.wide), Weight::Bf16(&self.brain), Weight::F16(&self.half)]
    }
}

fn values(weight: Weight<'_>) -> Vec<f32> {
    match weight {
        Weight::F32(values) => values.to_vec(),
        Weight::Bf16(values) => values.iter().map(|value| value.to_f32()).collect(),
        Weight::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
    }
}

fn name(weight: Weight<'_>) -> &'static str {
    match weight {
        Weight::F32(_) => "f32",
        Weight::Bf16(_) => "bf16",
        Weight::F16(_) => "f16",
    }
}

/// The promised error: `(k / 512 + 136) * 2^-24` of the sum of the absolute products.
#[track_caller]
fn check_error(n: usize, m: usize, k: usize) {
    let x = random_normal(n * k, 1);
    let weights = Weights::new(&random_normal(m * k, 2));
    let bias = random_normal(m, 3);
    let shape = Shape { n, m, k };
    for weight in weights.formats() {
        let values = values(weight);
        let mut expected = vec![0.0; n * m];
        let product = Product { x: &x, weight: &values[..], bias: Some(&bias), shape };
        scalar::linear(product, &mut expected);
        for isa in versions() {
            let mut out = vec![f32::NAN; n * m];
            linear_on(isa, &x, weight, Some(&bias), &mut out, k);
            for (i, (&out, &expected)) in out.iter().zip(&expected).enumerate() {
                let (x, weight_row) = (&x[i / m * k..][..k], &values[i % m * k..][..k]);
                let size: f64 =
                    x.iter().zip(weight_row).map(|(&x, &w)| f64::from(x * w).abs()).sum();
                let size = size + f64::from(bias[i % m].abs());
                let budget = (k as f64 / 512.0 + 136.0) * 2_f64.powi(-24) * size;
                let error = (f64::from(out) - f64::from(expected)).abs();
                assert!(error <= budget, "{isa:?}, {}, {shape:?}, {i}: {error}", name(weight));
            }
        }
    }
}

#[test]
fn every_version_is_within_its_error_at_all_lengths() {
    for k in LENGTHS.into_iter().skip(1) {
        for (n, m) in [(1, 1), (1, 5), (3, 17), (5, 4), (7, 50)] {
            check_error(n, m, k);
        }
    }
    for k in LONG {
        check_error(1, 3, k);
        check_error(6, 4, k);
    }
}

/// One output in the order that the module promises, one multiply-add at a time.
fn in_order(isa: Isa, x: &[f32], weight: &[f32]) -> f32 {
    let lanes = if isa == Isa::Avx512 { 16 } else { 8 };
    let mut sum = 0.0;
    for (x, weight) in x.chunks(BLOCK).zip(weight.chunks(BLOCK)) {
        let mut chains = vec![vec![0.0_f32; lanes]; PHASES];
        let padded = x.len().next_multiple_of(PHASES * lanes);
        for i in 0..padded {
            let (x, weight) = (x.get(i).unwrap_or(&0.0), weight.get(i).unwrap_or(&0.0));
            let chain = &mut chains[i / lanes % PHASES][i % lanes];
            *chain =
                if isa == Isa::Portable { x * weight + *chain } else { x.mul_add(*weight, *chain) };
        }
        for chain in chains {
            let folded: Vec<f32> = if lanes == 16 {
                (0..8).map(|lane| chain[lane] + chain[lane + 8]).collect()
            } else {
                chain
            };
            let half = |c: &[f32]| (c[0] + c[1]) + (c[2] + c[3]);
            sum += half(&folded[..4]) + half(&folded[4..]);
        }
    }
    sum
}

#[test]
fn every_output_has_the_bits_of_the_promised_order() {
    for k in LENGTHS.into_iter().skip(1).chain(LONG) {
        let weights = Weights::new(&random_normal(7 * k, 2));
        let bias = random_normal(7, 4);
        for n in [1, 2, 3, 4, 5, 6, 9] {
            let x = random_normal(n * k, 1);
            for (isa, weight) in
                versions().into_iter().flat_map(|isa| weights.formats().map(|w| (isa, w)))
            {
                let (mut out, values) = (vec![f32::NAN; n * 7], values(weight));
                linear_on(isa, &x, weight, Some(&bias), &mut out, k);
                let expected: Vec<f32> = (0..n * 7)
                    .map(|i| {
                        let (x, weight) = (&x[i / 7 * k..][..k], &values[i % 7 * k..][..k]);
                        in_order(isa, x, weight) + bias[i % 7]
                    })
                    .collect();
                assert_eq!(bits(&out), bits(&expected), "{isa:?}, {}, {n}, {k}", name(weight));
            }
        }
    }
}

/// However the rows are cut into calls, and whatever the threads, the bits are those of one row.
#[track_caller]
fn check_invariance(m: usize, k: usize) {
    const ROWS: usize = 131;
    let x = random_normal(ROWS * k, 1);
    let weights = Weights::new(&random_normal(m * k, 2));
    let bias = random_normal(m, 3);
    let pools = [1, 2, 3].map(|n_threads| {
        rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads start")
    });
    for weight in weights.formats() {
        let mut alone = vec![0.0; ROWS * m];
        for (x, out) in x.chunks(k).zip(alone.chunks_mut(m)) {
            pools[0].install(|| linear(x, weight, Some(&bias), out, k));
        }
        for n in [1, 2, 3, 4, 5, 7, 63, 64, 65, ROWS] {
            for pool in &pools {
                let mut out = vec![f32::NAN; n * m];
                pool.install(|| linear(&x[..n * k], weight, Some(&bias), &mut out, k));
                assert_eq!(bits(&out), bits(&alone[..n * m]), "{}, {n} rows", name(weight));
            }
        }
    }
}

#[test]
fn rows_do_not_depend_on_the_batch_or_the_threads() {
    // One block with a rest, large enough for threads from 2 rows on.
    check_invariance(1030, 600);
    // Several blocks, few outputs: threads share rows too.
    check_invariance(5, 4133);
}

#[test]
fn outputs_do_not_depend_on_their_neighbours() {
    let (m, k) = (260, 300);
    let x = random_normal(9 * k, 1);
    let weight = random_normal(m * k, 2);
    let mut all = vec![0.0; 9 * m];
    linear(&x, Weight::F32(&weight), None, &mut all, k);
    for (first, count) in [(0, 1), (1, 2), (100, 160), (255, 5)] {
        let mut some = vec![0.0; 9 * count];
        linear(&x, Weight::F32(&weight[first * k..][..count * k]), None, &mut some, k);
        for (row, some) in some.chunks(count).enumerate() {
            assert_eq!(bits(some), bits(&all[row * m + first..][..count]), "{first}");
        }
    }
}

#[test]
fn infinities_and_nan_reach_their_outputs_and_no_others() {
    let (m, k) = (4, 77);
    for isa in versions() {
        for n in [1, 3, 6] {
            for place in [0, 31, 64, 76] {
                let mut x = vec![1.0; n * k];
                let mut weight = vec![1.0; m * k];
                weight[k + place] = f32::INFINITY;
                weight[2 * k + place] = f32::NAN;
                x[(n - 1) * k + place] = 1e30;
                let mut out = vec![0.0; n * m];
                linear_on(isa, &x, Weight::F32(&weight), None, &mut out, k);
                for (row, out) in out.chunks(m).enumerate() {
                    let finite = if row == n - 1 { 1e30 } else { 77.0 };
                    assert_eq!(
                        [out[0], out[1], out[3]],
                        [finite, f32::INFINITY, finite],
                        "{isa:?}"
                    );
                    assert!(out[2].is_nan(), "{isa:?}");
                }
            }
        }
    }
}

#[test]
fn denormal_products_are_kept() {
    let (x, weight) = ([1e-20; 6], [1e-20; 10]);
    for isa in versions() {
        let mut out = [0.0; 15];
        linear_on(isa, &x, Weight::F32(&weight), None, &mut out, 2);
        assert!(out.iter().all(|&out| out > 1.9e-40 && out < 2.1e-40), "{isa:?}: {out:?}");
    }
}

#[test]
fn no_rows_or_no_outputs_are_no_work() {
    linear(&[], Weight::F32(&[1.0, 2.0]), Some(&[0.0]), &mut [], 2);
    linear(&[1.0, 2.0], Weight::Bf16(&[]), None, &mut [], 2);
    assert!(Weight::F16(&[]).is_empty());
}

#[test]
#[should_panic(expected = "a product must have at least one term")]
fn products_without_terms_are_refused() {
    linear(&[], Weight::F32(&[]), None, &mut [], 0);
}

#[test]
#[should_panic(expected = "3 weights are not whole rows of 2")]
fn a_broken_weight_is_refused() {
    linear(&[0.0; 2], Weight::F32(&[0.0; 3]), None, &mut [0.0], 2);
}

#[test]
#[should_panic(expected = "1 rows of 2 outputs expected")]
fn a_short_output_is_refused() {
    linear(&[0.0; 2], Weight::F32(&[0.0; 4]), None, &mut [0.0], 2);
}

#[test]
#[should_panic(expected = "there must be as many biases as outputs of a row")]
fn a_short_bias_is_refused() {
    linear(&[0.0; 2], Weight::F32(&[0.0; 4]), Some(&[0.0]), &mut [0.0; 2], 2);
}
