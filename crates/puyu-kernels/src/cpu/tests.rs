use super::*;

#[test]
fn the_portable_version_is_always_available() {
    assert_eq!(Isa::available().first(), Some(&Isa::Portable));
}

#[test]
fn the_detected_version_is_the_last_available() {
    assert_eq!(Isa::available().last(), Some(&Isa::detect()));
}

#[test]
fn prefetching_leaves_values_alone() {
    for len in [0, 1, 15, 16, 17, 1000] {
        let values = vec![7_u32; len];
        prefetch(&values, 0);
        prefetch(&values, 1 << 20);
        assert_eq!(values, vec![7; len]);
    }
}
