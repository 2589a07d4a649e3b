use super::super::random::{philox, uniform};

/// `kat_vectors` of the authors' Random123 library, philox4x32 with 10 rounds.
#[test]
fn philox_gives_the_published_numbers() {
    let ones = u32::MAX;
    assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(philox([ones; 4], [ones; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    // The digits of pi.
    assert_eq!(
        philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    );
}

#[test]
fn numbers_are_even_and_differ_in_seed_sample_and_step() {
    let numbers: Vec<f64> = (0..20_000).map(|step| uniform(7, 0, step)).collect();
    assert!(numbers.iter().all(|x| (0.0..1.0).contains(x)));
    for tenth in 0..10 {
        let low = f64::from(tenth) / 10.0;
        let n = numbers.iter().filter(|&&x| x >= low && x < low + 0.1).count();
        // 2,000 expected, deviation 42.
        assert!((1_800..2_200).contains(&n), "tenth {tenth}: {n}");
    }
    let base = uniform(7, 0, 1);
    for other in [uniform(8, 0, 1), uniform(7, 1, 1), uniform(7, 0, 2)] {
        assert_ne!(base, other);
    }
    // The high halves of seed and step count too.
    assert_ne!(uniform(1 << 32, 0, 0), uniform(0, 0, 0));
    assert_ne!(uniform(0, 0, 1 << 32), uniform(0, 0, 0));
}
