use super::*;
use crate::Isa;
use crate::testing::{ulps, versions};

/// Every 997th negative float down to -110.
#[test]
fn the_exponential_is_within_two_places() {
    let end = (110.0_f32).to_bits();
    let x: Vec<f32> = (0..end / 997).map(|i| -f32::from_bits(i * 997)).collect();
    for isa in versions() {
        let mut out = vec![f32::NAN; x.len() / 16 * 16];
        match isa {
            // SAFETY: `versions` names only what the processor has.
            Isa::Avx2 => unsafe { exp_avx2(&x, &mut out) },
            // SAFETY: `versions` names only what the processor has.
            Isa::Avx512 => unsafe { exp_avx512(&x, &mut out) },
            Isa::Portable => continue,
        }
        for (&x, &out) in x.iter().zip(&out) {
            let expected = f64::from(x).exp();
            assert!(ulps(out, expected) <= 2.0, "{isa:?}, exp({x}): {out}, expected {expected}");
        }
    }
}

#[target_feature(enable = "avx2,fma")]
fn exp_avx2(x: &[f32], out: &mut [f32]) {
    use crate::cpu::avx2::{load, store};
    for (x, out) in x.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        store(out, avx2::exp_negative(load(x)));
    }
}

#[target_feature(enable = "avx512f")]
fn exp_avx512(x: &[f32], out: &mut [f32]) {
    use crate::cpu::avx512::{load, store};
    for (x, out) in x.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        store(out, avx512::exp_negative(load(x)));
    }
}
