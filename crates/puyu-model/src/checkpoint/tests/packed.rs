//! Quantised matrices that are kept from one start to the next.

use std::path::PathBuf;

use super::quantized::logits;
use super::*;

const IDS: [u32; 5] = [1, 5, 9, 300, 7];

fn options(weights: WeightDtype, packed: &TempDir) -> LoadOptions {
    let packed_folder = Some(packed.path().to_owned());
    LoadOptions { weights, packed_folder, ..LoadOptions::default() }
}

fn load(folder: &Path, options: &LoadOptions) -> Result<Decoder, CheckpointError> {
    Checkpoint::open(folder)?.load(options, &device())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_second_start_maps_what_the_first_has_written() {
    for weights in [WeightDtype::Int8, WeightDtype::Int4, WeightDtype::Int4Group128] {
        let (folder, packed) = (whole(), TempDir::new().unwrap());
        let plain = LoadOptions { weights, ..LoadOptions::default() };
        let expected = logits(&load(folder.path(), &plain).unwrap(), &IDS, 5);
        let first = load(folder.path(), &options(weights, &packed)).unwrap();
        let [file] = files(packed.path()).try_into().unwrap();
        let written = fs::metadata(&file).unwrap().modified().unwrap();
        let second = load(folder.path(), &options(weights, &packed)).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written, "{weights:?}");
        assert_eq!(files(packed.path()), [file], "nothing else is left behind");
        assert_eq!(logits(&first, &IDS, 5), expected, "{weights:?}");
        assert_eq!(logits(&second, &IDS, 5), expected, "{weights:?}");
    }
}

#[test]
fn matrices_begin_where_vectors_do() {
    let (folder, packed) = (whole(), TempDir::new().unwrap());
    load(folder.path(), &options(WeightDtype::Int4, &packed)).unwrap();
    let bytes = fs::read(&files(packed.path())[0]).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), 3 * 5 + 1, "five matrices a layer and the head");
    for (name, view) in file.iter() {
        let offset = view.data().as_ptr() as usize - bytes.as_ptr() as usize;
        assert_eq!(offset % 32, 0, "{name}");
    }
}

#[test]
fn a_damaged_file_is_made_anew() {
    let (folder, packed) = (whole(), TempDir::new().unwrap());
    let options = options(WeightDtype::Int4, &packed);
    load(folder.path(), &options).unwrap();
    let file = files(packed.path()).remove(0);
    let whole = fs::read(&file).unwrap();
    let renamed = String::from_utf8_lossy(&whole[..4000]).replace(".w1.", ".w9.");
    let other_names = [renamed.as_bytes(), &whole[4000..]].concat();
    for damaged in [&whole[..whole.len() / 2], &whole[..7], &[], other_names.as_slice()] {
        fs::write(&file, damaged).unwrap();
        load(folder.path(), &options).unwrap();
        assert!(fs::read(&file).unwrap() == whole, "{} bytes", damaged.len());
    }
}

#[test]
fn other_weights_and_other_formats_have_files_of_their_own() {
    let (folder, packed) = (whole(), TempDir::new().unwrap());
    load(folder.path(), &options(WeightDtype::Int4, &packed)).unwrap();
    load(folder.path(), &options(WeightDtype::Int8, &packed)).unwrap();
    assert_eq!(files(packed.path()).len(), 2);
    edit_tensors(folder.path(), |tensors| {
        for entry in tensors.values_mut() {
            entry.bytes.reverse();
        }
    });
    load(folder.path(), &options(WeightDtype::Int8, &packed)).unwrap();
    assert_eq!(files(packed.path()).len(), 3);
}

#[test]
fn nothing_is_written_for_floats_or_for_a_model_that_does_not_load() {
    let (folder, packed) = (whole(), TempDir::new().unwrap());
    load(folder.path(), &options(WeightDtype::Bf16, &packed)).unwrap();
    assert!(files(packed.path()).is_empty());
    edit_tensors(folder.path(), |tensors| {
        tensors.remove("model.layers.1.feed_forward.w2.weight").unwrap();
    });
    let error = load(folder.path(), &options(WeightDtype::Int8, &packed)).unwrap_err();
    assert!(matches!(error, CheckpointError::MissingTensor { .. }), "{error}");
    assert!(files(packed.path()).is_empty());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let (folder, packed) = (whole(), TempDir::new().unwrap());
    let file = packed.path().join("量化");
    fs::write(&file, "a file").unwrap();
    let packed_folder = Some(file.join("packed"));
    let options =
        LoadOptions { weights: WeightDtype::Int8, packed_folder, ..LoadOptions::default() };
    let error = load(folder.path(), &options).unwrap_err();
    assert!(matches!(error, CheckpointError::Io { action: "create", .. }), "{error:?}");
    assert!(error.to_string().contains("量化/packed"), "{error}");
}
