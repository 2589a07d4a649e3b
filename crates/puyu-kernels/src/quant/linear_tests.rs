use half::f16;
use puyu_testkit::random_normal;

use super::format::*;
use super::linear::linear_on;
use super::pack::{Int4Values, dequantize, pack_int4, pack_q8_0, quantize};
use super::rows::QuantizedRows;
use super::{quant_linear, quant_linear_rows, scalar};
use crate::testing::{bits, versions};
use crate::{Isa, Pool, Weight, linear};

pub(super) const FORMATS: [QuantFormat; 6] = [
    QuantFormat::Int4 { group: Group::Of32 },
    QuantFormat::Int4 { group: Group::Of128 },
    QuantFormat::Int4Asymmetric { group: Group::Of64 },
    QuantFormat::Int4Asymmetric { group: Group::Of128 },
    QuantFormat::Int8 { group: Group::Of32 },
    QuantFormat::Int8 { group: Group::Of128 },
];

/// Around quads, blocks, groups and spans.
const INPUTS: [usize; 14] = [1, 3, 4, 5, 31, 32, 33, 64, 127, 128, 129, 511, 513, 1100];

/// Around panels and tiles.
const OUTPUTS: [usize; 6] = [1, 15, 16, 17, 32, 70];

/// Around tiles of rows.
const ROWS: [usize; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 33, 64, 100];

pub(super) fn quantized(values: &[f32], shape: QuantShape) -> Vec<u8> {
    let mut bytes = vec![0; shape.n_bytes().expect("a small weight fits in memory")];
    quantize(Weight::F32(values), shape, &mut bytes);
    bytes
}

fn rows(isa: Isa, x: &[f32], k: usize) -> QuantizedRows {
    let mut rows = QuantizedRows::new();
    rows.quantize_on(isa, x, k);
    rows
}

/// Every version has the bits of the definition.
#[track_caller]
fn check(x: &[f32], bytes: &[u8], shape: QuantShape) {
    let weight = QuantWeight::new(bytes, shape);
    let n = x.len() / shape.k;
    let bias = random_normal(shape.m, 3);
    for bias in [None, Some(&bias[..])] {
        let mut expected = vec![0.0; n * shape.m];
        scalar::quant_linear(&rows(Isa::Portable, x, shape.k), weight, bias, &mut expected);
        for isa in versions() {
            let mut out = vec![9.0; n * shape.m];
            linear_on(isa, &rows(isa, x, shape.k), weight, bias, &mut out);
            assert_eq!(bits(&out), bits(&expected), "{isa:?}, {n} rows, {shape:?}");
        }
    }
}

#[test]
fn every_version_has_the_bits_of_the_definition_at_all_sizes() {
    for format in FORMATS {
        for k in INPUTS {
            for m in OUTPUTS {
                let shape = QuantShape { m, k, format };
                let bytes = quantized(&random_normal(m * k, 2), shape);
                for n in [1, 2, 3, 7] {
                    check(&random_normal(n * k, 1), &bytes, shape);
                }
            }
        }
    }
}

#[test]
fn every_version_has_the_bits_of_the_definition_at_all_heights() {
    for format in FORMATS {
        let shape = QuantShape { m: 37, k: 300, format };
        let bytes = quantized(&random_normal(37 * 300, 2), shape);
        for n in ROWS {
            check(&random_normal(n * 300, 1), &bytes, shape);
        }
    }
}

#[test]
fn every_version_has_the_bits_of_the_definition_at_extreme_values() {
    let (m, k) = (17, 200);
    for format in FORMATS {
        let shape = QuantShape { m, k, format };
        // The largest integers everywhere, with either sign, meet the largest activations.
        for weights in [[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]] {
            let weights: Vec<f32> = (0..m * k).map(|i| weights[i % 2]).collect();
            let bytes = quantized(&weights, shape);
            for value in [0.0, 1.0, -1.0, 1e-45, 1e-35, 1e-25, 65504.0, f32::MAX, f32::NAN] {
                let mut x = vec![value; 3 * k];
                x[k..2 * k].iter_mut().step_by(2).for_each(|x| *x = -*x);
                x[2 * k + 77] = f32::INFINITY;
                check_values(&x, &bytes, shape);
            }
        }
    }
}

/// As [`check`], but one NaN is as good as another.
#[track_caller]
fn check_values(x: &[f32], bytes: &[u8], shape: QuantShape) {
    let weight = QuantWeight::new(bytes, shape);
    let n = x.len() / shape.k;
    let canonical = |values: &[f32]| -> Vec<u32> {
        values.iter().map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect()
    };
    let mut expected = vec![0.0; n * shape.m];
    scalar::quant_linear(&rows(Isa::Portable, x, shape.k), weight, None, &mut expected);
    for isa in versions() {
        let mut out = vec![9.0; n * shape.m];
        linear_on(isa, &rows(isa, x, shape.k), weight, None, &mut out);
        assert_eq!(canonical(&out), canonical(&expected), "{isa:?}, {shape:?}");
    }
}

#[test]
fn all_values_of_the_bytes_and_all_zero_points_are_multiplied_exactly() {
    let (m, k, group) = (17, 256, Group::Of64);
    let scales = vec![f16::ONE; m * 4];
    for zero in 0..=16 {
        let zeros = vec![zero; m * 4];
        for value in [0, 15] {
            let values = vec![value; m * k];
            let shape = QuantShape { m, k, format: QuantFormat::Int4Asymmetric { group } };
            let mut bytes = vec![0; shape.n_bytes().unwrap()];
            let source = Int4Values { values: &values, scales: &scales, zeros: Some(&zeros) };
            pack_int4(source, shape, &mut bytes);
            for sign in [1.0, -1.0] {
                for n in [1, 2, 5, 20] {
                    check(&vec![127.0 * sign; n * k], &bytes, shape);
                    let mut out = vec![0.0; n * m];
                    let weight = QuantWeight::new(&bytes, shape);
                    quant_linear(&vec![127.0 * sign; n * k], weight, None, &mut out);
                    let expected = 256.0 * 127.0 * sign * (f32::from(value) - f32::from(zero));
                    assert!(out.iter().all(|&out| out == expected), "{value}, zero {zero}");
                }
            }
        }
    }
    for value in [0, 0x80, 0xFF] {
        let shape = QuantShape { m, k: 32, format: QuantFormat::Int8 { group: Group::Of32 } };
        let mut blocks = vec![value; m * 34];
        blocks.chunks_mut(34).for_each(|block| block[..2].copy_from_slice(&[0, 0x3C]));
        let mut bytes = vec![0; shape.n_bytes().unwrap()];
        pack_q8_0(&blocks, shape, &mut bytes);
        for n in [1, 2, 5, 20] {
            check(&vec![-127.0; n * 32], &bytes, shape);
        }
    }
}

#[test]
fn the_result_is_near_that_of_floats() {
    let (n, m, k) = (3, 20, 1024);
    let (x, weights) = (random_normal(n * k, 1), random_normal(m * k, 2));
    for format in FORMATS {
        let shape = QuantShape { m, k, format };
        let bytes = quantized(&weights, shape);
        let (mut out, mut kept, mut expected) =
            (vec![0.0; n * m], vec![0.0; m * k], vec![0.0; n * m]);
        quant_linear(&x, QuantWeight::new(&bytes, shape), None, &mut out);
        dequantize(QuantWeight::new(&bytes, shape), &mut kept);
        linear(&x, Weight::F32(&kept), None, &mut expected, k);
        // Activations off by up to a 254th of their block's largest, here some 2.5, with a uniform
        // error: a standard deviation of 0.006 for each product, and 32 times that for the sum.
        for (out, expected) in out.iter().zip(&expected) {
            assert!((out - expected).abs() < 6.0 * 0.006 * 32.0, "{format:?}: {out}, {expected}");
        }
    }
}

/// However the rows are cut into calls, and whatever the threads, the bits are those of one row.
#[test]
fn rows_do_not_depend_on_the_batch_or_the_threads() {
    const N: usize = 100;
    let pools = [1, 2, 3, 7].map(|n_threads| Pool::new(n_threads.try_into().unwrap()).unwrap());
    for format in FORMATS {
        for (m, k) in [(530, 300), (20, 2100)] {
            let x = random_normal(N * k, 1);
            let shape = QuantShape { m, k, format };
            let bytes = quantized(&random_normal(m * k, 2), shape);
            let weight = QuantWeight::new(&bytes, shape);
            let mut alone = vec![0.0; N * m];
            for (x, out) in x.chunks(k).zip(alone.chunks_mut(m)) {
                pools[0].install(|| quant_linear(x, weight, None, out));
            }
            for n in [1, 2, 3, 5, 8, 16, 17, 33, 64, N] {
                for pool in &pools {
                    let mut out = vec![f32::NAN; n * m];
                    pool.install(|| quant_linear(&x[..n * k], weight, None, &mut out));
                    assert_eq!(bits(&out), bits(&alone[..n * m]), "{n} rows, {shape:?}");
                }
            }
        }
    }
}

#[test]
fn outputs_do_not_depend_on_their_neighbours() {
    let k = 200;
    let (x, weights) = (random_normal(9 * k, 1), random_normal(70 * k, 2));
    for format in FORMATS {
        let shape = QuantShape { m: 70, k, format };
        let mut all = vec![0.0; 9 * 70];
        quant_linear(&x, QuantWeight::new(&quantized(&weights, shape), shape), None, &mut all);
        for (first, m) in [(0, 1), (1, 2), (15, 40), (69, 1)] {
            let shape = QuantShape { m, ..shape };
            let bytes = quantized(&weights[first * k..][..m * k], shape);
            let mut some = vec![0.0; 9 * m];
            quant_linear(&x, QuantWeight::new(&bytes, shape), None, &mut some);
            for (row, some) in some.chunks(m).enumerate() {
                assert_eq!(bits(some), bits(&all[row * 70 + first..][..m]), "{first}, {format:?}");
            }
        }
    }
}

#[test]
fn infinities_and_nan_spoil_their_row_and_no_other() {
    for format in FORMATS {
        let shape = QuantShape { m: 20, k: 100, format };
        let mut weights = random_normal(2000, 2);
        weights[305] = f32::INFINITY;
        let bytes = quantized(&weights, shape);
        for n in [3, 20] {
            let mut x = random_normal(n * 100, 1);
            x[150] = f32::NAN;
            for isa in versions() {
                let mut out = vec![0.0; n * 20];
                let weight = QuantWeight::new(&bytes, shape);
                linear_on(isa, &rows(isa, &x, 100), weight, None, &mut out);
                for (i, out) in out.iter().enumerate() {
                    let is_spoilt = i / 20 == 1 || i % 20 == 3;
                    assert_eq!(out.is_nan(), is_spoilt, "{isa:?}, {format:?}, {i}: {out}");
                }
            }
        }
    }
}

#[test]
fn any_bytes_are_a_weight() {
    for format in FORMATS {
        let shape = QuantShape { m: 40, k: 300, format };
        for byte in [0x00, 0x7C, 0x7F, 0x80, 0xFF] {
            let bytes = vec![byte; shape.n_bytes().unwrap()];
            for isa in versions() {
                for n in [1, 3, 20] {
                    let mut out = vec![0.0; n * 40];
                    let x = rows(isa, &vec![1.0; n * 300], 300);
                    linear_on(isa, &x, QuantWeight::new(&bytes, shape), None, &mut out);
                    // All weights are the same, so all outputs are, or none is a number.
                    let first = out[0];
                    assert!(out.iter().all(|&out| out == first || out.is_nan() && first.is_nan()));
                }
            }
        }
    }
}

#[test]
fn no_rows_are_no_work() {
    let shape = QuantShape { m: 2, k: 3, format: FORMATS[0] };
    let bytes = quantized(&[1.0; 6], shape);
    quant_linear(&[], QuantWeight::new(&bytes, shape), Some(&[0.0; 2]), &mut []);
}

#[test]
#[should_panic(expected = "rows of 3 activations expected, not of 4")]
fn rows_of_another_length_are_refused() {
    let shape = QuantShape { m: 2, k: 3, format: FORMATS[0] };
    let bytes = quantized(&[1.0; 6], shape);
    let x = rows(Isa::Portable, &[1.0; 4], 4);
    quant_linear_rows(&x, QuantWeight::new(&bytes, shape), None, &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "1 rows of 2 outputs expected")]
fn a_short_output_is_refused() {
    let shape = QuantShape { m: 2, k: 3, format: FORMATS[0] };
    let bytes = quantized(&[1.0; 6], shape);
    quant_linear(&[0.0; 3], QuantWeight::new(&bytes, shape), None, &mut [0.0]);
}

#[test]
#[should_panic(expected = "there must be as many biases as outputs of a row")]
fn a_short_bias_is_refused() {
    let shape = QuantShape { m: 2, k: 3, format: FORMATS[0] };
    let bytes = quantized(&[1.0; 6], shape);
    quant_linear(&[0.0; 3], QuantWeight::new(&bytes, shape), Some(&[0.0]), &mut [0.0; 2]);
}
