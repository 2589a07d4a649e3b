use puyu_testkit::random_normal;

use super::format::BLOCK;
use super::rows::{Block, LARGEST, QuantizedRows, TINY};
use crate::testing::{LENGTHS, versions};
use crate::{Isa, Pool};

fn quantized(isa: Isa, x: &[f32], k: usize) -> QuantizedRows {
    let mut rows = QuantizedRows::new();
    rows.quantize_on(isa, x, k);
    rows
}

/// One block by the words of the documentation.
fn definition(x: &[f32]) -> Block {
    let mut block = Block::ZERO;
    let largest = x.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    if x.iter().any(|x| !x.is_finite()) {
        block.scale = f32::NAN;
    } else if largest >= TINY {
        for (value, x) in block.values.iter_mut().zip(x) {
            *value = (x * (LARGEST / largest)).round_ties_even() as i8;
        }
        block.scale = largest / LARGEST;
        block.sum();
    }
    block
}

fn bits(block: &Block) -> ([i8; BLOCK], u32, [i16; 2]) {
    (block.values, block.scale.to_bits(), block.negated_sums)
}

#[track_caller]
fn check(x: &[f32], k: usize) {
    for isa in versions() {
        let rows = quantized(isa, x, k);
        for (row, x) in x.chunks(k).enumerate() {
            let blocks: Vec<_> = rows.row(row).iter().map(bits).collect();
            let expected: Vec<_> = x.chunks(BLOCK).map(|x| bits(&definition(x))).collect();
            assert_eq!(blocks, expected, "{isa:?}, {k} values, row {row}");
        }
    }
}

#[test]
fn every_version_has_the_bits_of_the_definition() {
    for k in LENGTHS.into_iter().skip(1) {
        check(&random_normal(3 * k, 1), k);
    }
}

#[test]
fn extreme_values_are_quantised_as_the_definition_says() {
    let values = [
        0.0,
        -0.0,
        1e-45,
        -1e-38,
        TINY,
        TINY * 0.999,
        1e-30,
        65504.0,
        -1e30,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    for value in values {
        check(&[value; 40], 40);
        let mut x = random_normal(100, 1);
        x[70] = value;
        check(&x, 100);
        check(&x, 50);
    }
}

#[test]
fn the_error_is_at_most_half_a_step() {
    for (k, factor) in [(31, 1.0), (32, 1e-20), (100, 1e30), (1000, 65504.0)] {
        let x: Vec<f32> = random_normal(2 * k, 1).into_iter().map(|x| x * factor).collect();
        let kept = quantized(Isa::detect(), &x, k).to_f32();
        for (x, kept) in x.chunks(k).zip(kept.chunks(k)) {
            for (x, kept) in x.chunks(BLOCK).zip(kept.chunks(BLOCK)) {
                let step = x.iter().fold(0.0_f32, |max, x| max.max(x.abs())) / LARGEST;
                for (x, kept) in x.iter().zip(kept) {
                    assert!((x - kept).abs() <= step * 0.5001, "{x} became {kept}, step {step}");
                }
            }
        }
    }
}

#[test]
fn rows_used_again_forget_what_they_held() {
    let mut rows = QuantizedRows::new();
    rows.quantize(&random_normal(500, 1), 100);
    for (n, k) in [(2, 33), (7, 80), (1, 1), (0, 5)] {
        let x = random_normal(n * k, 2);
        rows.quantize(&x, k);
        assert_eq!(rows, quantized(Isa::detect(), &x, k));
        assert_eq!((rows.n(), rows.k(), rows.to_f32().len()), (n, k, n * k));
    }
}

#[test]
fn many_rows_in_threads_equal_one_by_one() {
    let (n, k) = (150, 1030);
    let x = random_normal(n * k, 1);
    let pool = Pool::new(3.try_into().unwrap()).unwrap();
    let together = pool.install(|| quantized(Isa::detect(), &x, k));
    for (row, x) in x.chunks(k).enumerate() {
        assert_eq!(together.row(row), quantized(Isa::detect(), x, k).row(0));
    }
}

#[test]
#[should_panic(expected = "5 activations are not whole rows of 2")]
fn a_broken_row_is_refused() {
    QuantizedRows::new().quantize(&[0.0; 5], 2);
}

#[test]
#[should_panic(expected = "a product must have at least one term")]
fn rows_without_values_are_refused() {
    QuantizedRows::new().quantize(&[], 0);
}
