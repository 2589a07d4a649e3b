use puyu_testkit::{Golden, Tolerance, assert_close, random_normal, shared};

use super::*;
use crate::testing::{LENGTHS, bits, ulps, versions};

#[track_caller]
fn check(x: &[f32], weight: &[f32], eps: f32) {
    let mut expected = vec![0.0; x.len()];
    scalar::rms_norm(x, weight, eps, &mut expected);
    for isa in versions() {
        let mut out = vec![f32::NAN; x.len()];
        rms_norm_on(isa, x, weight, eps, &mut out);
        for (i, (&out, &expected)) in out.iter().zip(&expected).enumerate() {
            let distance = ulps(out, f64::from(expected));
            assert!(distance <= 1.0, "{isa:?}, {} wide, {i}: {out} not {expected}", weight.len());
        }
    }
}

#[test]
fn every_version_is_within_one_place_of_the_definition() {
    for d in LENGTHS.into_iter().skip(1) {
        for n in [0, 1, 3] {
            check(&random_normal(n * d, 1), &random_normal(d, 2), 1e-5);
        }
    }
}

#[test]
fn extreme_rows_neither_overflow_nor_vanish() {
    for d in [1, 8, 33, 100] {
        let weight = random_normal(d, 2);
        for value in [0.0, -0.0, 1e-40, f32::MIN_POSITIVE, 1e-30, 1e30, f32::MAX, f32::INFINITY] {
            check(&vec![value; d], &weight, 1e-6);
            let mut x = random_normal(d, 1);
            x[d / 2] = -value;
            check(&x, &weight, 1e-6);
        }
    }
    let mut out = [0.0; 40];
    rms_norm(&[1e30; 40], &[2.0; 40], 1e-5, &mut out);
    assert_eq!(out, [2.0; 40]);
}

#[test]
fn a_row_of_zeros_without_epsilon_is_not_a_number() {
    let mut out = [1.0; 9];
    rms_norm(&[0.0; 9], &[1.0; 9], 0.0, &mut out);
    assert!(out.iter().all(|value| value.is_nan()), "{out:?}");
}

#[test]
fn one_nan_spoils_its_row_and_no_other() {
    for isa in versions() {
        for place in [0, 20, 39] {
            let mut x = random_normal(120, 3);
            x[40 + place] = f32::NAN;
            let mut out = vec![0.0; 120];
            rms_norm_on(isa, &x, &[1.0; 40], 1e-5, &mut out);
            assert!(out[40..80].iter().all(|value| value.is_nan()), "{isa:?}");
            assert!(out[..40].iter().chain(&out[80..]).all(|value| value.is_finite()), "{isa:?}");
        }
    }
}

#[test]
fn many_rows_in_threads_equal_one_by_one() {
    let d = 1030;
    let n = PARALLEL_LEN / d + 5;
    let (x, weight) = (random_normal(n * d, 1), random_normal(d, 2));
    let (mut together, mut alone) = (vec![0.0; n * d], vec![0.0; n * d]);
    rms_norm(&x, &weight, 1e-5, &mut together);
    for (x, out) in x.chunks(d).zip(alone.chunks_mut(d)) {
        rms_norm(x, &weight, 1e-5, out);
    }
    assert_eq!(bits(&together), bits(&alone));
}

#[test]
fn normalises_as_the_original() {
    let Some(path) = shared("fixtures/ops/golden.safetensors") else { return };
    let golden = Golden::open(path);
    let (x, weight) = (golden.f32("rmsnorm.x"), golden.f32("rmsnorm.w"));
    for (eps, expected) in [(1e-5, "rmsnorm.eps1e-05.y"), (1e-6, "rmsnorm.eps1e-06.y")] {
        for isa in versions() {
            let mut out = vec![0.0; x.len()];
            rms_norm_on(isa, &x, &weight, eps, &mut out);
            assert_close(&out, &golden.f32(expected), Tolerance::new(0.0, 1e-6));
        }
    }
}

#[test]
fn no_rows_are_no_work() {
    rms_norm(&[], &[], 1e-5, &mut []);
    rms_norm(&[], &[1.0], 1e-5, &mut []);
}

#[test]
#[should_panic(expected = "5 values are not whole rows of 2")]
fn a_broken_row_is_refused() {
    rms_norm(&[0.0; 5], &[1.0; 2], 1e-5, &mut [0.0; 5]);
}
