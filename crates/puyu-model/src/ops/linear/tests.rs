use burn::tensor::{DType, Tensor};
use puyu_testkit::{Tolerance, assert_close, random_f32};

use super::linear;
use crate::ops::testing::{device, reference_device, tensor};
use crate::read;

const N: usize = 7;
const I: usize = 129;
const O: usize = 33;

/// `x` times `weight` transposed, in f64.
fn product(x: &[f32], weight: &[f32]) -> Vec<f32> {
    x.chunks_exact(I)
        .flat_map(|row| {
            weight.chunks_exact(I).map(move |column| {
                let terms = row.iter().zip(column).map(|(&a, &b)| f64::from(a) * f64::from(b));
                terms.sum::<f64>() as f32
            })
        })
        .collect()
}

#[test]
fn every_body_equals_the_definition_in_f64_for_every_type_of_weight() {
    let x = random_f32(N * I, 12);
    for dtype in [DType::F32, DType::BF16, DType::F16] {
        for device in [device(), reference_device()] {
            if !device.supports_dtype(dtype) {
                continue;
            }
            let weight: Tensor<2> = tensor(&random_f32(O * I, 13), [O, I], &device).cast(dtype);
            let stored = read(weight.clone()).unwrap();
            let found = linear(tensor(&x, [1, N, I], &device), weight);
            assert_close(
                &read(found).unwrap(),
                &product(&x, &stored),
                // 129 products of numbers below 1, each rounded to 2^-24.
                Tolerance::within(129.0 * 6e-8 * 2.0),
            );
        }
    }
}

#[cfg(feature = "cpu")]
#[test]
fn on_the_cpu_a_row_has_the_same_bits_in_every_batch() {
    let device = burn::tensor::Device::flex();
    let x: Tensor<3> = tensor(&random_f32(64 * I, 14), [1, 64, I], &device);
    let weight: Tensor<2> = tensor(&random_f32(O * I, 15), [O, I], &device).cast(DType::BF16);
    let together = read(linear(x.clone(), weight.clone())).unwrap();
    for row in [0, 1, 31, 63] {
        let alone = read(linear(x.clone().slice_dim(1, row..row + 1), weight.clone())).unwrap();
        assert_eq!(alone, together[row * O..(row + 1) * O]);
    }
}

#[cfg(feature = "autodiff")]
#[test]
fn gradients_of_both_inputs_equal_finite_differences() {
    let device = burn::tensor::Device::flex().autodiff();
    let (x, w) = (random_f32(N * I, 16), random_f32(O * I, 17));
    let x_tensor = tensor::<3>(&x, [1, N, I], &device).require_grad();
    let w_tensor = tensor::<2>(&w, [O, I], &device).require_grad();
    let out = linear(x_tensor.clone(), w_tensor.clone());
    let gradients = out.powi_scalar(2).sum().backward();
    let dx = read(x_tensor.grad(&gradients).unwrap()).unwrap();
    let dw = read(w_tensor.grad(&gradients).unwrap()).unwrap();
    let loss = |x: &[f32], w: &[f32]| -> f64 {
        product(x, w).iter().map(|&value| f64::from(value) * f64::from(value)).sum()
    };
    for index in [0, 5, 130] {
        // A central difference of a quadratic is exact; 1e-2 keeps it above rounding to f32.
        let difference = |shift: f32, of_x: bool| {
            let (mut x, mut w) = (x.clone(), w.clone());
            if of_x {
                x[index] += shift
            } else {
                w[index] += shift
            }
            loss(&x, &w)
        };
        for (of_x, found) in [(true, dx[index]), (false, dw[index])] {
            let expected = (difference(1e-2, of_x) - difference(-1e-2, of_x)) / 2e-2;
            assert!(
                (f64::from(found) - expected).abs() < 1e-2 * expected.abs().max(1.0),
                "found {found}, expected {expected}"
            );
        }
    }
}
