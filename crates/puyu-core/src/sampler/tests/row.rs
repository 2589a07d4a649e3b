use super::*;

/// Around the lanes and the chunks: tails only, whole chunks, chunks and tails.
const LENGTHS: [usize; 12] = [1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, 10_000];

#[test]
fn argmax_is_the_first_greatest() {
    for len in LENGTHS {
        for seed in 0..5 {
            let logits = random_logits(len, seed);
            let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let expected = logits.iter().position(|&x| x == greatest).unwrap();
            assert_eq!(argmax(&logits).unwrap() as usize, expected, "len {len}, seed {seed}");
        }
    }
}

#[test]
fn not_a_number_is_found_wherever_it_is() {
    for len in LENGTHS {
        for index in [0, len / 2, len - 1] {
            let mut logits = random_logits(len, 1);
            logits[index] = f32::NAN;
            assert_eq!(argmax(&logits), Err(SampleError::NotANumber { index }), "len {len}");
        }
    }
}

#[test]
fn log_sum_exp_matches_its_definition() {
    for len in LENGTHS {
        let logits = random_logits(len, 3);
        let expected = logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
        let actual = super::super::row::log_sum_exp(&logits);
        assert!((actual - expected).abs() < 1e-6, "len {len}: {actual} {expected}");
    }
    let shifted = super::super::row::log_sum_exp(&[3e38, f32::NEG_INFINITY]);
    assert_eq!(shifted, f64::from(3e38_f32));
}

#[test]
fn exp_is_within_its_stated_error() {
    let mut worst = 0.0_f64;
    for step in 0..=870_000 {
        let x = -(step as f32) * 1e-4;
        let (actual, expected) = (f64::from(super::super::row::exp(x)), f64::from(x).exp());
        if x > -87.0 {
            worst = worst.max((actual / expected - 1.0).abs());
        }
    }
    assert!(worst < 3e-7, "{worst:e}");
    let exp = super::super::row::exp;
    assert_eq!([exp(0.0), exp(-0.0), exp(-87.0), exp(f32::NEG_INFINITY)], [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(exp(f32::MIN), 0.0);
    assert!(exp(-1e-7) <= 1.0);
}
