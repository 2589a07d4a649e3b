use half::{bf16, f16};
use puyu_testkit::random_normal;

use super::format::*;
use super::linear_tests::{FORMATS, quantized};
use super::pack::*;
use crate::testing::{bits, versions};
use crate::{Pool, Weight};

const INT4: QuantFormat = QuantFormat::Int4 { group: Group::Of32 };
const INT8: QuantFormat = QuantFormat::Int8 { group: Group::Of32 };

fn dequantized(bytes: &[u8], shape: QuantShape) -> Vec<f32> {
    let mut values = vec![f32::NAN; shape.m * shape.k];
    dequantize(QuantWeight::new(bytes, shape), &mut values);
    values
}

fn bytes_of(shape: QuantShape) -> Vec<u8> {
    // Not zeros, so that what is not written shows.
    vec![0xA5; shape.n_bytes().unwrap()]
}

/// Random bytes.
fn random_bytes(len: usize, seed: u64) -> Vec<u8> {
    random_normal(len, seed).into_iter().map(|x| (x * 1e4) as i32 as u8).collect()
}

/// The step of a group of weights, before it is rounded to a half float.
fn step(weights: &[f32], format: QuantFormat) -> f32 {
    let largest = weights.iter().fold(0.0_f32, |max, weight| max.max(weight.abs()));
    match format {
        QuantFormat::Int8 { .. } => largest / 127.0,
        QuantFormat::Int4 { .. } => largest / 7.0,
        QuantFormat::Int4Asymmetric { .. } => {
            let high = weights.iter().fold(0.0_f32, |max, &weight| max.max(weight));
            let low = weights.iter().fold(0.0_f32, |min, &weight| min.min(weight));
            (high - low) / 15.0
        }
    }
}

/// Errors of at most half a step, or for symmetric 4 bits, whose scale is searched, a squared error
/// of no more than that of the largest magnitude over 7.
#[track_caller]
fn check_error(weights: &[f32], shape: QuantShape) {
    let kept = dequantized(&quantized(weights, shape), shape);
    let len = shape.format.group().len();
    for (weights, kept) in weights.chunks(shape.k).zip(kept.chunks(shape.k)) {
        for (weights, kept) in weights.chunks(len).zip(kept.chunks(len)) {
            // Half floats have 11 bits, and steps of 2^-24 below 2^-14.
            let step = step(weights, shape.format) * 1.001 + 6e-8;
            let errors = weights.iter().zip(kept).map(|(weight, kept)| (weight - kept).abs());
            if let QuantFormat::Int4 { .. } = shape.format {
                let plain = weights.iter().map(|weight| {
                    let kept = (weight / step).round().clamp(-8.0, 7.0) * step;
                    (weight - kept) * (weight - kept)
                });
                let (squares, plain): (f32, f32) = (errors.map(|e| e * e).sum(), plain.sum());
                assert!(squares <= plain * 1.01 + 1e-13, "{shape:?}: {squares}, plain {plain}");
            } else {
                for error in errors {
                    assert!(error <= step * 0.5001, "{shape:?}: error {error}, step {step}");
                }
            }
        }
    }
}

#[test]
fn rounding_keeps_to_half_a_step() {
    for format in FORMATS {
        for (m, k) in [(1, 1), (3, 33), (17, 128), (20, 300)] {
            let shape = QuantShape { m, k, format };
            for factor in [0.02, 1.0, 1e-6, 65504.0] {
                let weights: Vec<f32> =
                    random_normal(m * k, 2).into_iter().map(|x| x * factor).collect();
                check_error(&weights, shape);
                // One sign only.
                let weights: Vec<f32> = weights.into_iter().map(|x| x.abs() + factor).collect();
                check_error(&weights, shape);
            }
        }
    }
}

#[test]
fn zeros_stay_zeros_and_constants_stay_constant() {
    for format in FORMATS {
        let shape = QuantShape { m: 5, k: 140, format };
        for value in [0.0, -0.0, 1.0, -1.0, 65504.0, -65504.0, 1e-3] {
            let kept = dequantized(&quantized(&[value; 700], shape), shape);
            for kept in kept {
                assert!((kept - value).abs() <= value.abs() * 1e-3, "{format:?}: {value}, {kept}");
            }
        }
    }
}

#[test]
fn searching_the_scale_beats_the_scale_of_the_largest() {
    let shape = QuantShape { m: 64, k: 512, format: INT4 };
    let weights = random_normal(64 * 512, 2);
    let kept = dequantized(&quantized(&weights, shape), shape);
    let error: f32 = weights.iter().zip(&kept).map(|(w, kept)| (w - kept) * (w - kept)).sum();
    let mut plain = 0.0;
    for group in weights.chunks(32) {
        let extreme = group.iter().fold(0.0_f32, |m, &w| if w.abs() > m.abs() { w } else { m });
        let scale = f16::from_f32(extreme / -8.0).to_f32();
        for w in group {
            let kept = (w / scale).round().clamp(-8.0, 7.0) * scale;
            plain += (w - kept) * (w - kept);
        }
    }
    assert!(error < 0.9 * plain, "{error}, plain {plain}");
}

#[test]
fn every_version_rounds_to_the_same_bytes() {
    for format in FORMATS {
        let shape = QuantShape { m: 19, k: 200, format };
        let weights = random_normal(19 * 200, 2);
        let expected = quantized(&weights, shape);
        for isa in versions() {
            for n_threads in [1, 3] {
                let mut bytes = bytes_of(shape);
                let pool = Pool::new(n_threads.try_into().unwrap()).unwrap();
                pool.install(|| quantize_on(isa, Weight::F32(&weights), shape, &mut bytes));
                assert!(bytes == expected, "{isa:?}, {n_threads} threads, {format:?}");
            }
        }
    }
}

#[test]
fn all_formats_of_weights_are_rounded_alike() {
    let brain: Vec<bf16> = random_normal(600, 2).into_iter().map(bf16::from_f32).collect();
    let half: Vec<f16> = random_normal(600, 3).into_iter().map(f16::from_f32).collect();
    let shape = QuantShape { m: 3, k: 200, format: INT8 };
    let mut bytes = bytes_of(shape);
    quantize(Weight::Bf16(&brain), shape, &mut bytes);
    let wide: Vec<f32> = brain.iter().map(|value| value.to_f32()).collect();
    assert!(bytes == quantized(&wide, shape));
    quantize(Weight::F16(&half), shape, &mut bytes);
    let wide: Vec<f32> = half.iter().map(|value| value.to_f32()).collect();
    assert!(bytes == quantized(&wide, shape));
}

#[test]
fn weights_beyond_half_floats_are_kept_as_well_as_they_can_be() {
    for format in FORMATS {
        let shape = QuantShape { m: 1, k: 32, format };
        let mut weights = [1.0; 32];
        weights[3] = 1e30;
        let kept = dequantized(&quantized(&weights, shape), shape);
        assert!(kept.iter().all(|value| value.is_finite()), "{format:?}");
        assert!(kept[3] >= 65504.0 * 7.0, "{format:?}: {}", kept[3]);
        weights[4] = f32::NAN;
        let kept = dequantized(&quantized(&weights, shape), shape);
        assert!(kept.iter().all(|value| value.is_nan()), "{format:?}");
    }
}

#[test]
fn values_of_4_bits_are_packed_without_loss() {
    for (m, k, group) in
        [(1, 1_usize, Group::Of32), (17, 128, Group::Of128), (33, 200, Group::Of64)]
    {
        let n_groups = k.div_ceil(group.len());
        let values: Vec<u8> = random_bytes(m * k, 1).into_iter().map(|byte| byte & 15).collect();
        let scales: Vec<f16> =
            random_normal(m * n_groups, 2).into_iter().map(f16::from_f32).collect();
        let zeros: Vec<u8> =
            random_bytes(m * n_groups, 3).into_iter().map(|byte| byte % 17).collect();
        for zeros in [None, Some(&zeros[..])] {
            let symmetric = QuantFormat::Int4 { group };
            let asymmetric = QuantFormat::Int4Asymmetric { group };
            for format in [symmetric, asymmetric].into_iter().skip(usize::from(zeros.is_some())) {
                let shape = QuantShape { m, k, format };
                let mut bytes = bytes_of(shape);
                let source = Int4Values { values: &values, scales: &scales, zeros };
                pack_int4(source, shape, &mut bytes);
                let expected: Vec<f32> = (0..m * k)
                    .map(|i| {
                        let group = i / k * n_groups + i % k / group.len();
                        let zero = zeros.map_or(8, |zeros| zeros[group]);
                        f32::from(i16::from(values[i]) - i16::from(zero)) * scales[group].to_f32()
                    })
                    .collect();
                assert_eq!(bits(&dequantized(&bytes, shape)), bits(&expected), "{shape:?}");
            }
        }
    }
}

/// Blocks of a GGUF file: random values after finite scales.
fn gguf_blocks(n: usize, block_bytes: usize) -> Vec<u8> {
    let mut blocks = random_bytes(n * block_bytes, 4);
    for (block, scale) in blocks.chunks_mut(block_bytes).zip(random_normal(n, 5)) {
        block[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    }
    blocks
}

#[test]
fn q4_0_blocks_are_packed_without_loss() {
    let shape = QuantShape { m: 18, k: 96, format: INT4 };
    let (blocks, mut bytes) = (gguf_blocks(18 * 3, 18), bytes_of(shape));
    pack_q4_0(&blocks, shape, &mut bytes);
    // As `dequantize_row_q4_0` of ggml does it.
    let expected: Vec<f32> = blocks
        .chunks(18)
        .flat_map(|block| {
            let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
            (0..32).map(move |i| {
                let byte = block[2 + i % 16];
                let value = if i < 16 { byte & 15 } else { byte >> 4 };
                (f32::from(value) - 8.0) * scale
            })
        })
        .collect();
    assert_eq!(bits(&dequantized(&bytes, shape)), bits(&expected));
}

#[test]
fn q8_0_blocks_are_packed_without_loss() {
    let shape = QuantShape { m: 18, k: 96, format: INT8 };
    let (blocks, mut bytes) = (gguf_blocks(18 * 3, 34), bytes_of(shape));
    pack_q8_0(&blocks, shape, &mut bytes);
    let expected: Vec<f32> = blocks
        .chunks(34)
        .flat_map(|block| {
            let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
            block[2..].iter().map(move |&value| f32::from(value.cast_signed()) * scale)
        })
        .collect();
    assert_eq!(bits(&dequantized(&bytes, shape)), bits(&expected));
}

#[test]
fn shapes_that_no_memory_holds_have_no_size() {
    for format in FORMATS {
        for (m, k) in
            [(usize::MAX, 1), (1, usize::MAX), (usize::MAX, usize::MAX), (1 << 40, 1 << 40)]
        {
            assert_eq!(QuantShape { m, k, format }.n_bytes(), None, "{m}, {k}, {format:?}");
        }
    }
}

#[test]
#[should_panic(expected = "take another number of bytes")]
fn a_short_weight_is_refused() {
    let shape = QuantShape { m: 3, k: 4, format: INT8 };
    let _ = QuantWeight::new(&[0; 100], shape);
}

#[test]
#[should_panic(expected = "a weight must have outputs and inputs, not 0 and 4")]
fn a_weight_without_outputs_is_refused() {
    let _ = QuantWeight::new(&[], QuantShape { m: 0, k: 4, format: INT8 });
}

#[test]
#[should_panic(expected = "a value of 4 bits lies between 0 and 15")]
fn a_value_of_5_bits_is_refused() {
    let shape = QuantShape { m: 1, k: 2, format: INT4 };
    let source = Int4Values { values: &[3, 16], scales: &[f16::ONE], zeros: None };
    pack_int4(source, shape, &mut bytes_of(shape));
}

#[test]
#[should_panic(expected = "keeps no zero points")]
fn zero_points_without_a_place_are_refused() {
    let shape = QuantShape { m: 1, k: 2, format: INT4 };
    let source = Int4Values { values: &[3, 1], scales: &[f16::ONE], zeros: Some(&[7]) };
    pack_int4(source, shape, &mut bytes_of(shape));
}

#[test]
#[should_panic(expected = "blocks of GGUF have 32 values")]
fn gguf_blocks_in_other_groups_are_refused() {
    let shape = QuantShape { m: 1, k: 128, format: QuantFormat::Int4 { group: Group::Of128 } };
    pack_q4_0(&[0; 72], shape, &mut bytes_of(shape));
}
