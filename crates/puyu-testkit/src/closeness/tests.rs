use super::*;

/// What `assert_close` says, or `None` if it is content.
fn complaint(actual: &[f32], expected: &[f32], tolerance: Tolerance) -> Option<String> {
    let outcome = std::panic::catch_unwind(|| assert_close(actual, expected, tolerance));
    outcome.err().map(|cause| *cause.downcast::<String>().unwrap())
}

#[test]
fn equal_values_and_equal_infinities_pass() {
    let values = [0.0, -1.5, f32::INFINITY, f32::NEG_INFINITY, f32::MAX];
    assert_eq!(complaint(&values, &values, Tolerance::EXACT), None);
    assert_eq!(complaint(&[-0.0], &[0.0], Tolerance::EXACT), None);
    assert_eq!(complaint(&[], &[], Tolerance::EXACT), None);
}

#[test]
fn both_parts_of_the_tolerance_count() {
    let tolerance = Tolerance::new(0.1, 0.01);
    assert_eq!(complaint(&[101.0, 0.09], &[100.0, 0.0], tolerance), None);
    assert!(complaint(&[101.2], &[100.0], tolerance).is_some());
    assert!(complaint(&[0.11], &[0.0], tolerance).is_some());
}

#[test]
fn not_a_number_and_unequal_infinities_fail() {
    let loose = Tolerance::new(1e30, 1e30);
    for (actual, expected) in [
        (f32::NAN, 0.0),
        (0.0, f32::NAN),
        (f32::NAN, f32::NAN),
        (f32::INFINITY, f32::NEG_INFINITY),
        (f32::INFINITY, 1.0),
        (1.0, f32::INFINITY),
    ] {
        assert!(complaint(&[actual], &[expected], loose).is_some(), "{actual} {expected}");
    }
}

#[test]
fn the_worst_index_and_the_number_of_differences_are_told() {
    let message = complaint(&[1.0, 2.0, 9.0, 3.5], &[1.0, 2.5, 3.0, 3.5], Tolerance::F32).unwrap();
    assert!(message.contains("2 of 4 values differ"), "{message}");
    assert!(message.contains("worst at 2: actual 9e0, expected 3e0"), "{message}");
    let message = complaint(&[9.0, f32::NAN], &[1.0, 2.0], Tolerance::F32).unwrap();
    assert!(message.contains("worst at 1"), "{message}");
}

#[test]
fn different_lengths_fail() {
    let message = complaint(&[1.0], &[1.0, 2.0], Tolerance::F32).unwrap();
    assert!(message.contains("actual has 1 values, expected 2"), "{message}");
}
