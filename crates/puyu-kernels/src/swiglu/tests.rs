use puyu_testkit::{Golden, Tolerance, assert_close, random_normal, shared};

use super::*;
use crate::testing::{EXTREMES, LENGTHS, bits, ulps, versions};

/// Units in the last place that the documentation promises.
const MAX_ULPS: f64 = 4.0;

/// Compares with the definition before its last rounding.
#[track_caller]
fn check(gate: &[f32], up: &[f32]) {
    for isa in versions() {
        let mut out = vec![f32::NAN; gate.len()];
        swiglu_on(isa, gate, up, &mut out);
        for (i, &out) in out.iter().enumerate() {
            let silu = scalar::silu(f64::from(gate[i]));
            if silu.abs() < 1e-43 && up[i].is_infinite() {
                assert!(!out.is_finite(), "{isa:?}, silu({}) * {}: {out}", gate[i], up[i]);
                continue;
            }
            let expected = silu * f64::from(up[i]);
            let is_close = (f64::from(out) - expected).abs() <= 1e-43 * f64::from(up[i]).abs();
            assert!(
                is_close || ulps(out, expected) <= MAX_ULPS,
                "{isa:?}, silu({}) * {}: {out}, expected {expected}",
                gate[i],
                up[i],
            );
        }
    }
}

#[test]
fn every_version_is_close_to_the_definition_at_all_lengths() {
    for len in LENGTHS {
        let gate: Vec<f32> = random_normal(len, 1).into_iter().map(|x| 5.0 * x).collect();
        check(&gate, &random_normal(len, 2));
    }
}

#[test]
fn every_version_is_close_to_the_definition_over_the_whole_range() {
    let gate: Vec<f32> = (-2_200_000..=2_200_000).map(|i| i as f32 / 20_000.0).collect();
    check(&gate, &vec![1.0; gate.len()]);
    // Every 4099th float of all.
    let gate: Vec<f32> = (0..=u32::MAX / 4099).map(|i| f32::from_bits(i * 4099)).collect();
    check(&gate, &vec![1.0; gate.len()]);
}

#[test]
fn extreme_values_meet_each_other() {
    let gate: Vec<f32> = EXTREMES.iter().flat_map(|&gate| [gate; EXTREMES.len()]).collect();
    let up = EXTREMES.repeat(EXTREMES.len());
    check(&gate, &up);
}

#[test]
fn the_limits_hold_and_nan_stays() {
    for isa in versions() {
        let gate = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -0.0, 1.0];
        let up = [2.0, 2.0, 2.0, 2.0, f32::NAN];
        let mut out = [9.0; 5];
        swiglu_on(isa, &gate, &up, &mut out);
        assert_eq!(bits(&out[..2]), bits(&[f32::INFINITY, -0.0]), "{isa:?}");
        assert!(out[2].is_nan() && out[4].is_nan(), "{isa:?}");
        assert_eq!(out[3].to_bits(), (-0.0_f32).to_bits(), "{isa:?}");
    }
}

#[test]
fn a_value_does_not_depend_on_its_place() {
    let len = PARALLEL_LEN + 1000;
    let (gate, up) = (random_normal(len, 1), random_normal(len, 2));
    let mut whole = vec![0.0; len];
    swiglu(&gate, &up, &mut whole);
    for (start, n) in [(0, 1), (3, 5), (17, 100), (TASK_LEN - 3, 6), (len - 13, 13)] {
        let mut part = vec![0.0; n];
        swiglu(&gate[start..][..n], &up[start..][..n], &mut part);
        assert_eq!(bits(&part), bits(&whole[start..][..n]), "{start}");
    }
}

#[test]
fn multiplies_as_the_original() {
    let Some(path) = shared("fixtures/ops/golden.safetensors") else { return };
    let golden = Golden::open(path);
    let (gate, up) = (golden.f32("swiglu.gate"), golden.f32("swiglu.up"));
    for isa in versions() {
        let mut out = vec![0.0; gate.len()];
        swiglu_on(isa, &gate, &up, &mut out);
        assert_close(&out, &golden.f32("swiglu.out"), Tolerance::new(1e-30, 1e-6));
    }
}

#[test]
#[should_panic(expected = "gate and up must have the same length")]
fn different_lengths_are_refused() {
    swiglu(&[0.0], &[], &mut [0.0]);
}
