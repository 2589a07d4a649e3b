use burn::tensor::Tensor;
use puyu_testkit::{Tolerance, assert_close, random_f32};

use super::rotate_halves;
use crate::ops::testing::{device, reference_device, tensor};
use crate::read;

const B: usize = 2;
const T: usize = 3;
const H: usize = 4;
const P: usize = 5;

#[test]
fn every_body_turns_component_pairs_half_a_head_apart() {
    let x = random_f32(B * T * H * 2 * P, 8);
    let angles = random_f32(B * T * P, 9);
    let cos: Vec<f32> = angles.iter().map(|angle| angle.cos()).collect();
    let sin: Vec<f32> = angles.iter().map(|angle| angle.sin()).collect();
    let mut expected = vec![0.0; x.len()];
    for token in 0..B * T {
        for head in 0..H {
            for pair in 0..P {
                let first = (token * H + head) * 2 * P + pair;
                let (a, b) = (x[first], x[first + P]);
                let (c, s) = (cos[token * P + pair], sin[token * P + pair]);
                expected[first] = a * c - b * s;
                expected[first + P] = b * c + a * s;
            }
        }
    }
    for device in [device(), reference_device()] {
        let x: Tensor<4> = tensor(&x, [B, T, H, 2 * P], &device);
        let found =
            rotate_halves(x, tensor(&cos, [B, T, P], &device), tensor(&sin, [B, T, P], &device));
        assert_close(&read(found).unwrap(), &expected, Tolerance::new(1e-6, 1e-6));
    }
}

#[test]
fn a_turn_and_its_opposite_give_back_the_input() {
    let device = device();
    let x = random_f32(B * T * H * 2 * P, 10);
    let angles = random_f32(B * T * P, 11);
    let table = |f: fn(f32) -> f32| -> Tensor<3> {
        tensor(&angles.iter().map(|&angle| f(angle)).collect::<Vec<_>>(), [B, T, P], &device)
    };
    let turned =
        rotate_halves(tensor(&x, [B, T, H, 2 * P], &device), table(f32::cos), table(f32::sin));
    let back = rotate_halves(turned, table(f32::cos), table(|angle| -angle.sin()));
    assert_close(&read(back).unwrap(), &x, Tolerance::within(1e-6));
}
