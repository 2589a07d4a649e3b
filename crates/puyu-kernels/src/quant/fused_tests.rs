use puyu_testkit::random_normal;

use super::format::{QuantShape, QuantWeight};
use super::fused::{gate_up_on, gate_up_quantized_on};
use super::linear::linear_on;
use super::linear_tests::{FORMATS, quantized};
use super::rows::QuantizedRows;
use super::{gate_up_swiglu, rms_norm_quantized};
use crate::swiglu::swiglu_on;
use crate::testing::{bits, versions};
use crate::{Pool, rms_norm};

fn rows(x: &[f32], k: usize) -> QuantizedRows {
    let mut rows = QuantizedRows::new();
    rows.quantize(x, k);
    rows
}

#[test]
fn gated_outputs_have_the_bits_of_the_single_steps() {
    for format in FORMATS {
        for (n, m, k) in [(1, 1, 40), (2, 31, 64), (7, 33, 130), (20, 100, 70)] {
            let shape = QuantShape { m, k, format };
            let [gate, up] = [2, 3].map(|seed| quantized(&random_normal(m * k, seed), shape));
            let [gate, up] = [&gate, &up].map(|bytes| QuantWeight::new(bytes, shape));
            let x = rows(&random_normal(n * k, 1), k);
            for isa in versions() {
                let [mut gates, mut ups, mut expected, mut out] =
                    [(); 4].map(|()| vec![f32::NAN; n * m]);
                linear_on(isa, &x, gate, None, &mut gates);
                linear_on(isa, &x, up, None, &mut ups);
                swiglu_on(isa, &gates, &ups, &mut expected);
                gate_up_on(isa, &x, [gate, up], &mut out);
                assert_eq!(bits(&out), bits(&expected), "{isa:?}, {shape:?}");

                let mut quantized = rows(&random_normal(3000, 9), 100);
                gate_up_quantized_on(isa, &x, [gate, up], &mut quantized);
                assert_eq!(quantized, rows(&expected, m), "{isa:?}, {shape:?}");
            }
        }
    }
}

#[test]
fn gated_outputs_do_not_depend_on_the_threads() {
    let (n, m, k) = (40, 300, 256);
    for format in FORMATS {
        let shape = QuantShape { m, k, format };
        let [gate, up] = [2, 3].map(|seed| quantized(&random_normal(m * k, seed), shape));
        let [gate, up] = [&gate, &up].map(|bytes| QuantWeight::new(bytes, shape));
        let x = rows(&random_normal(n * k, 1), k);
        let [alone, together] = [1, 3].map(|n_threads| {
            let mut out = vec![0.0; n * m];
            let pool = Pool::new(n_threads.try_into().unwrap()).unwrap();
            pool.install(|| gate_up_swiglu(&x, gate, up, &mut out));
            bits(&out)
        });
        assert_eq!(together, alone, "{format:?}");
    }
}

#[test]
fn a_row_with_nan_stays_nan_when_it_is_quantised_again() {
    let shape = QuantShape { m: 33, k: 40, format: FORMATS[0] };
    let [gate, up] = [2, 3].map(|seed| quantized(&random_normal(33 * 40, seed), shape));
    let [gate, up] = [&gate, &up].map(|bytes| QuantWeight::new(bytes, shape));
    let mut x = random_normal(80, 1);
    x[50] = f32::INFINITY;
    for isa in versions() {
        let mut out = QuantizedRows::new();
        gate_up_quantized_on(isa, &rows(&x, 40), [gate, up], &mut out);
        let values = out.to_f32();
        assert!(values[..33].iter().all(|value| value.is_finite()), "{isa:?}");
        assert!(values[33..].iter().all(|value| value.is_nan()), "{isa:?}");
    }
}

#[test]
fn normalised_rows_have_the_bits_of_the_single_steps() {
    for (n, k) in [(1, 5), (3, 64), (5, 1000), (200, 1000)] {
        let (x, weight) = (random_normal(n * k, 1), random_normal(k, 2));
        let mut normalised = vec![0.0; n * k];
        rms_norm(&x, &weight, 1e-5, &mut normalised);
        let mut out = rows(&random_normal(3000, 9), 100);
        rms_norm_quantized(&x, &weight, 1e-5, &mut out);
        assert_eq!(out, rows(&normalised, k), "{n} rows of {k}");
    }
}

#[test]
fn no_rows_are_no_work() {
    let shape = QuantShape { m: 3, k: 4, format: FORMATS[0] };
    let bytes = quantized(&[1.0; 12], shape);
    let weight = QuantWeight::new(&bytes, shape);
    let mut out = rows(&[1.0; 8], 4);
    gate_up_quantized_on(crate::Isa::detect(), &rows(&[], 4), [weight; 2], &mut out);
    assert_eq!((out.n(), out.k()), (0, 3));
    gate_up_swiglu(&rows(&[], 4), weight, weight, &mut []);
    rms_norm_quantized(&[], &[1.0; 4], 1e-5, &mut out);
    assert_eq!((out.n(), out.k()), (0, 4));
}

#[test]
#[should_panic(expected = "gate and up must have the same shape")]
fn different_shapes_are_refused() {
    let shapes = [3, 4].map(|m| QuantShape { m, k: 4, format: FORMATS[0] });
    let [gate, up] = shapes.map(|shape| quantized(&vec![1.0; shape.m * 4], shape));
    let (gate, up) = (QuantWeight::new(&gate, shapes[0]), QuantWeight::new(&up, shapes[1]));
    gate_up_swiglu(&rows(&[1.0; 4], 4), gate, up, &mut [0.0; 3]);
}
