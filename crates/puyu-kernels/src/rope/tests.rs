use puyu_testkit::{Golden, Tolerance, assert_close, random_normal, shared};

use super::*;
use crate::testing::{EXTREMES, LENGTHS, bits, versions};

fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut values = random_normal(len, seed);
    for (value, extreme) in values.iter_mut().skip(3).step_by(7).zip(EXTREMES) {
        *value = extreme;
    }
    values
}

/// NaN has no sign that matters, so it is made the same everywhere.
fn comparable(values: &[f32]) -> Vec<u32> {
    bits(&values.iter().map(|&v| if v.is_nan() { f32::NAN } else { v }).collect::<Vec<_>>())
}

#[test]
fn every_version_has_the_bits_of_the_definition() {
    for half in LENGTHS.into_iter().skip(1) {
        for (n_tokens, n_heads) in [(0, 1), (1, 1), (1, 3), (3, 2)] {
            let shape = RopeShape { n_heads, head_dim: 2 * half };
            let x = values(n_tokens * n_heads * 2 * half, 1);
            let angles = random_normal(n_tokens * half, 2);
            let cos: Vec<f32> = angles.iter().map(|angle| angle.cos()).collect();
            let sin: Vec<f32> = angles.iter().map(|angle| angle.sin()).collect();
            let mut expected = vec![0.0; x.len()];
            scalar::rope(&x, &cos, &sin, shape, &mut expected);
            for isa in versions() {
                let mut out = vec![f32::NAN; x.len()];
                rope_on(isa, &x, [&cos, &sin], shape, &mut out);
                assert_eq!(
                    comparable(&out),
                    comparable(&expected),
                    "{isa:?}, {n_tokens}, {shape:?}"
                );
            }
        }
    }
}

#[test]
fn many_tokens_in_threads_equal_one_by_one() {
    let shape = RopeShape { n_heads: 5, head_dim: 96 };
    let n_tokens = PARALLEL_LEN / (5 * 96) + 7;
    let (x, angles) = (random_normal(n_tokens * 5 * 96, 1), random_normal(n_tokens * 48, 2));
    let mut together = vec![0.0; x.len()];
    rope(&x, &angles, &angles, shape, &mut together);
    let mut alone = vec![0.0; x.len()];
    for token in 0..n_tokens {
        let (x, angles) = (&x[token * 480..][..480], &angles[token * 48..][..48]);
        rope(x, angles, angles, shape, &mut alone[token * 480..][..480]);
    }
    assert_eq!(bits(&together), bits(&alone));
}

/// The fixture holds `[1, heads, tokens, 16]`, so every head is rotated by itself.
#[test]
fn rotates_as_the_original() {
    let Some(path) = shared("fixtures/ops/golden.safetensors") else { return };
    let golden = Golden::open(path);
    let frequencies = golden.f64("rope.d16_t1e4.inv_freq_exact");
    let angles: Vec<f64> = golden
        .i64("rope_apply.pos")
        .iter()
        .flat_map(|&position| frequencies.iter().map(move |frequency| position as f64 * frequency))
        .collect();
    let cos: Vec<f32> = angles.iter().map(|angle| angle.cos() as f32).collect();
    let sin: Vec<f32> = angles.iter().map(|angle| angle.sin() as f32).collect();

    let shape = RopeShape { n_heads: 1, head_dim: 16 };
    for (name, expected) in
        [("rope_apply.q", "rope_apply.q_out"), ("rope_apply.k", "rope_apply.k_out")]
    {
        let (x, expected) = (golden.f32(name), golden.f32(expected));
        let mut out = vec![0.0; x.len()];
        for (x, out) in x.chunks(6 * 16).zip(out.chunks_mut(6 * 16)) {
            rope(x, &cos, &sin, shape, out);
        }
        // The original computes its angles in f32.
        assert_close(&out, &expected, Tolerance::new(5e-6, 5e-6));
    }
}

#[test]
#[should_panic(expected = "the head dimension must be even, found 3")]
fn an_odd_head_is_refused() {
    rope(&[0.0; 3], &[0.0], &[0.0], RopeShape { n_heads: 1, head_dim: 3 }, &mut [0.0; 3]);
}

#[test]
#[should_panic(expected = "2 tokens of 1 heads of 2 expected, found 2 values")]
fn too_many_angles_are_refused() {
    rope(&[0.0; 2], &[0.0; 2], &[0.0; 2], RopeShape { n_heads: 1, head_dim: 2 }, &mut [0.0; 2]);
}

#[test]
#[should_panic(expected = "one token must fit in memory")]
fn a_token_beyond_memory_is_refused() {
    let shape = RopeShape { n_heads: usize::MAX, head_dim: 2 };
    rope(&[], &[], &[], shape, &mut []);
}
