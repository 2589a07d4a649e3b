use super::*;

#[test]
fn every_byte_is_read() {
    for n_bytes in [0, 1, 7, 8, 255, 256, 257, 100_000] {
        let mut bytes = vec![0_u8; n_bytes];
        assert_eq!((read(&bytes), fold(&bytes)), (n_bytes, 0));
        for i in (0..n_bytes).step_by(97) {
            bytes[i] = 1;
            assert!(fold(&bytes) != 0, "byte {i} of {n_bytes} was not read");
            bytes[i] = 0;
        }
    }
}

#[test]
fn versions_fold_alike() {
    let bytes: Vec<u8> = (0..1000_u32).map(|i| (i * 37 % 251) as u8).collect();
    // Vectors fold 32 bytes to 8 as words do: byte by byte modulo 8.
    for len in [0, 8, 256, 264, 1000] {
        assert_eq!(fold(&bytes[..len]), portable_fold(&bytes[..len]), "{len} bytes");
    }
}

#[test]
fn multiply_adds_are_counted() {
    assert!(multiply_adds_f32() >= ROUNDS * 8);
    assert!(multiply_adds_int8() >= ROUNDS * 32);
}
