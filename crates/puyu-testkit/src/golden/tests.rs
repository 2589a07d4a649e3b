use safetensors::tensor::TensorView;

use super::*;

fn write(entries: &[(&str, Dtype, Vec<usize>, Vec<u8>)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("golden.safetensors");
    let views = entries.iter().map(|(name, dtype, shape, bytes)| {
        (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    (folder, path)
}

#[test]
fn floats_of_every_width_are_read_as_f32() {
    let (_folder, path) = write(&[
        (
            "f32",
            Dtype::F32,
            vec![2],
            [1.5_f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect(),
        ),
        ("f64", Dtype::F64, vec![1, 1], 1.5_f64.to_le_bytes().to_vec()),
        ("bf16", Dtype::BF16, vec![1], bf16::from_f32(1.5).to_le_bytes().to_vec()),
        ("f16", Dtype::F16, vec![1], f16::from_f32(1.5).to_le_bytes().to_vec()),
    ]);
    let golden = Golden::open(path);
    assert_eq!(golden.names(), ["bf16", "f16", "f32", "f64"]);
    assert_eq!(golden.f32("f32"), [1.5, -2.0]);
    for name in ["f64", "bf16", "f16"] {
        assert_eq!(golden.f32(name), [1.5], "{name}");
        assert_eq!(golden.f64(name), [1.5], "{name}");
    }
    assert_eq!(golden.shape("f64"), [1, 1]);
}

#[test]
fn integers_of_every_width_are_read_as_i64() {
    let (_folder, path) = write(&[
        ("i64", Dtype::I64, vec![1], (-3_i64).to_le_bytes().to_vec()),
        ("i32", Dtype::I32, vec![1], (-3_i32).to_le_bytes().to_vec()),
        ("i8", Dtype::I8, vec![1], (-3_i8).to_le_bytes().to_vec()),
        ("u8", Dtype::U8, vec![2], vec![7, 255]),
    ]);
    let golden = Golden::open(path);
    for name in ["i64", "i32", "i8"] {
        assert_eq!(golden.i64(name), [-3], "{name}");
    }
    assert_eq!(golden.u32("u8"), [7, 255]);
    assert_eq!(golden.bytes("u8"), [7, 255]);
}

#[test]
#[should_panic(expected = "has no tensor `缺`; it has [\"i8\"]")]
fn a_missing_tensor_is_told_with_those_present() {
    let (_folder, path) = write(&[("i8", Dtype::I8, vec![1], vec![0])]);
    Golden::open(path).f32("缺");
}

#[test]
#[should_panic(expected = "`i8` is I8, expected floats")]
fn integers_are_not_read_as_floats() {
    let (_folder, path) = write(&[("i8", Dtype::I8, vec![1], vec![0])]);
    Golden::open(path).f32("i8");
}

#[test]
fn the_shared_goldens_open() {
    let Some(folder) = crate::shared("fixtures/ops") else { return };
    let golden = Golden::open(folder.join("golden.safetensors"));
    assert_eq!(golden.f32("sampling.logits").len(), 150);
    assert_eq!(golden.i64("sampling.prev_ids").len(), 12);
    assert!(golden_json(folder.join("golden.json"))["wqkv"]["heads"] == 6);
}
