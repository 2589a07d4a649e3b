use super::*;

#[test]
fn the_generator_gives_the_published_numbers() {
    // The first outputs of Vigna's splitmix64.c for seed 1234567.
    let mut state = 1_234_567;
    let numbers: Vec<u64> = (0..3).map(|_| next_u64(&mut state)).collect();
    assert_eq!(
        numbers,
        [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
    );
}

#[test]
fn uniform_numbers_fill_their_range() {
    let values = random_f32(10_000, 1);
    assert!(values.iter().all(|x| (-1.0..=1.0).contains(x)));
    let mean: f32 = values.iter().sum::<f32>() / 10_000.0;
    assert!(mean.abs() < 0.03, "{mean}");
    assert!(values.iter().any(|&x| x < -0.99) && values.iter().any(|&x| x > 0.99));
    assert_ne!(values, random_f32(10_000, 2));
    assert_eq!(values, random_f32(10_000, 1));
}

#[test]
fn normal_numbers_have_their_moments() {
    let values = random_normal(10_000, 1);
    let mean: f32 = values.iter().sum::<f32>() / 10_000.0;
    let variance: f32 = values.iter().map(|x| x * x).sum::<f32>() / 10_000.0;
    assert!(mean.abs() < 0.04 && (variance - 1.0).abs() < 0.06, "{mean} {variance}");
}

#[test]
fn tokens_stay_in_the_vocabulary() {
    let tokens = random_tokens(1_000, 7, 3);
    assert!((0..7).all(|id| tokens.contains(&id)) && tokens.iter().all(|&id| id < 7));
}
