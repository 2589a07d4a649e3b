use burn::tensor::{DType, Tensor};
use puyu_testkit::{Tolerance, assert_close, random_f32};

use super::rms_norm;
use crate::ops::testing::{device, reference_device, tensor};
use crate::read;

#[test]
fn every_body_equals_the_definition_in_f64() {
    for width in [1, 7, 64, 101] {
        let (x, weight) = (random_f32(5 * width, 3), random_f32(width, 4));
        let mut expected = Vec::new();
        for row in x.chunks_exact(width) {
            let squares: f64 = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
            let root = (squares / width as f64 + 1e-5).sqrt();
            expected.extend(
                row.iter().zip(&weight).map(|(&v, &w)| (f64::from(v) / root * f64::from(w)) as f32),
            );
        }
        for device in [device(), reference_device()] {
            let x: Tensor<3> = tensor(&x, [1, 5, width], &device);
            let found = rms_norm(x, tensor(&weight, [width], &device), 1e-5);
            assert_close(&read(found).unwrap(), &expected, Tolerance::new(1e-7, 2e-6));
        }
    }
}

#[test]
fn a_row_does_not_depend_on_the_others() {
    let x: Tensor<2> = tensor(&random_f32(4 * 64, 5), [4, 64], &device());
    let weight: Tensor<1> = Tensor::ones([64], &device());
    let together = read(rms_norm(x.clone(), weight.clone(), 1e-6)).unwrap();
    let alone = read(rms_norm(x.slice_dim(0, 2..3), weight, 1e-6)).unwrap();
    assert_eq!(alone, together[2 * 64..3 * 64]);
}

#[test]
fn bf16_rounds_before_it_multiplies_by_the_weight() {
    if !device().supports_dtype(DType::BF16) {
        return;
    }
    let (x, weight) = (random_f32(2 * 64, 6), random_f32(64, 7));
    let run = |device: burn::tensor::Device| {
        let x: Tensor<2> = tensor(&x, [2, 64], &device).cast(DType::BF16);
        let weight: Tensor<1> = tensor(&weight, [64], &device).cast(DType::BF16);
        read(rms_norm(x, weight, 1e-5)).unwrap()
    };
    // One unit in the last place of bf16 is 2^-8.
    assert_close(&run(device()), &run(reference_device()), Tolerance::new(1e-6, 1.0 / 256.0));
}
