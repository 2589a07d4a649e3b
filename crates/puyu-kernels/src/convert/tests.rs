use puyu_testkit::random_normal;

use super::*;
use crate::testing::{EXTREMES, LENGTHS, bits, versions};

/// Every bit pattern of 16 bits, shifted so that each falls on every place of a block.
fn patterns(shift: u16) -> impl Iterator<Item = u16> {
    (0..=u16::MAX).map(move |i| i.wrapping_add(shift))
}

/// NaN may be quieted by one version and kept by another: only that it is NaN counts.
#[track_caller]
fn assert_same_values(actual: &[f32], expected: &[f32]) {
    for (i, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let is_same = actual.to_bits() == expected.to_bits();
        assert!(is_same || actual.is_nan() && expected.is_nan(), "{i}: {actual} not {expected}");
    }
}

#[test]
fn every_bf16_widens_exactly() {
    for isa in versions() {
        let source: Vec<bf16> = patterns(3).map(bf16::from_bits).collect();
        let expected: Vec<f32> = patterns(3).map(|b| f32::from_bits(u32::from(b) << 16)).collect();
        let mut out = vec![0.0; source.len()];
        bf16_to_f32_on(isa, &source, &mut out);
        assert_same_values(&out, &expected);
    }
}

#[test]
fn every_f16_widens_exactly() {
    for isa in versions() {
        let source: Vec<f16> = patterns(5).map(f16::from_bits).collect();
        let expected: Vec<f32> = source.iter().map(|value| value.to_f64() as f32).collect();
        let mut out = vec![0.0; source.len()];
        f16_to_f32_on(isa, &source, &mut out);
        assert_same_values(&out, &expected);
    }
}

/// Around every brain float: itself, its neighbours in `f32`, and the ties to both sides.
#[test]
fn rounding_to_bf16_equals_the_definition_around_every_bf16() {
    let offsets = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
    let source: Vec<f32> = patterns(0)
        .flat_map(|b| offsets.map(|offset| f32::from_bits(u32::from(b) << 16 | offset)))
        .collect();
    let mut expected = vec![bf16::ZERO; source.len()];
    scalar::f32_to_bf16(&source, &mut expected);
    for isa in versions() {
        let mut out = vec![bf16::ZERO; source.len()];
        f32_to_bf16_on(isa, &source, &mut out);
        for (i, (out, expected)) in out.iter().zip(&expected).enumerate() {
            assert_eq!(out.to_bits(), expected.to_bits(), "{isa:?}, {}", source[i]);
        }
    }
}

#[test]
fn ties_go_to_the_even_bf16() {
    // 1 + 2^-8 lies between 1 (even) and 1 + 2^-7 (odd); 1 + 3 * 2^-8 between that and 1 + 2^-6.
    let mut out = [bf16::ZERO; 2];
    f32_to_bf16(&[1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0], &mut out);
    assert_eq!(out, [bf16::from_bits(0x3f80), bf16::from_bits(0x3f82)]);
}

#[test]
fn all_lengths_convert_all_their_values() {
    for isa in versions() {
        for len in LENGTHS {
            let mut source = random_normal(len, 1);
            for (value, extreme) in source.iter_mut().zip(EXTREMES).skip(1).step_by(2) {
                *value = extreme;
            }
            let mut narrow = vec![bf16::ZERO; len];
            f32_to_bf16_on(isa, &source, &mut narrow);
            let expected: Vec<bf16> = source.iter().map(|&value| bf16::from_f32(value)).collect();
            assert_eq!(
                narrow.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
                expected.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
                "{isa:?}, {len}"
            );

            let mut wide = vec![f32::NAN; len];
            bf16_to_f32_on(isa, &narrow, &mut wide);
            let expected: Vec<f32> = narrow.iter().map(|value| value.to_f32()).collect();
            assert_eq!(bits(&wide), bits(&expected), "{isa:?}, {len}");

            let half: Vec<f16> = source.iter().map(|&value| f16::from_f32(value)).collect();
            f16_to_f32_on(isa, &half, &mut wide);
            let expected: Vec<f32> = half.iter().map(|value| value.to_f32()).collect();
            assert_same_values(&wide, &expected);
        }
    }
}

#[test]
#[should_panic(expected = "source and output must have the same length")]
fn different_lengths_are_refused() {
    bf16_to_f32(&[bf16::ONE], &mut []);
}
