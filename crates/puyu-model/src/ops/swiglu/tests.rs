use burn::tensor::Tensor;
use puyu_testkit::{Tolerance, assert_close, random_f32};

use super::swiglu;
use crate::ops::testing::{device, reference_device, tensor};
use crate::read;

#[test]
fn every_body_equals_the_definition_in_f64() {
    let (gate, up) = (random_f32(3 * 37, 1), random_f32(3 * 37, 2));
    let expected: Vec<f32> = gate
        .iter()
        .zip(&up)
        .map(|(&gate, &up)| {
            let gate = f64::from(gate) * 8.0;
            (gate / (1.0 + (-gate).exp()) * f64::from(up)) as f32
        })
        .collect();
    for device in [device(), reference_device()] {
        let gate: Tensor<2> = tensor(&gate, [3, 37], &device) * 8.0;
        let found = swiglu(gate, tensor(&up, [3, 37], &device));
        assert_close(&read(found).unwrap(), &expected, Tolerance::new(1e-6, 2e-6));
    }
}

#[test]
fn far_from_zero_the_gate_is_open_or_shut() {
    for device in [device(), reference_device()] {
        let gate: Tensor<1> = tensor(&[90.0, -90.0, 0.0], [3], &device);
        let found = read(swiglu(gate, Tensor::ones([3], &device))).unwrap();
        assert_eq!([found[0], found[2]], [90.0, 0.0]);
        assert!(found[1].abs() < 1e-30);
    }
}
