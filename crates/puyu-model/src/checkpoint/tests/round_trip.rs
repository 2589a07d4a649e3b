//! What was saved loads as the same numbers, and what was loaded saves as the same bytes.

use half::{bf16, f16};
use puyu_testkit::shared;

use super::*;
use crate::checkpoint::names;

/// Every golden checkpoint whose weights are plain.
const GOLDEN: [&str; 8] = [
    "internlm1-tiny",
    "internlm1-tiny-ntk",
    "internlm2-tiny",
    "internlm2-tiny-bf16",
    "internlm2-tiny-ntk",
    "internlm2-tiny-reward",
    "internlm3-tiny",
    "llama-tiny",
];

fn weight_bytes(folder: &TempDir) -> Vec<u8> {
    fs::read(folder.path().join(WEIGHTS)).unwrap()
}

/// Loads, saves, loads and saves: both saved files are the same, byte for byte.
#[track_caller]
fn check_same_bytes(folder: &Path, weights: WeightDtype, dtype: &str) {
    let first = saved(&load_as(folder, weights), &SaveOptions::default());
    let model = load(first.path());
    let second = saved(&model, &SaveOptions::default());
    assert!(weight_bytes(&first) == weight_bytes(&second), "{weights:?}: the files differ");
    assert!(read_tensors(first.path()).values().all(|entry| entry.dtype == dtype), "{weights:?}");
    let config = |folder: &TempDir| fs::read_to_string(folder.path().join(CONFIG)).unwrap();
    assert_eq!(config(&first), config(&second));
}

#[test]
fn save_load_save_gives_the_same_bytes_for_every_type_of_weight() {
    let folder = random_folder(&Preset::Tiny.config());
    check_same_bytes(folder.path(), WeightDtype::F32, "F32");
    check_same_bytes(folder.path(), WeightDtype::Stored, "F32");
    if device().supports_dtype(burn::tensor::DType::BF16) {
        check_same_bytes(folder.path(), WeightDtype::Bf16, "BF16");
    }
    if device().supports_dtype(burn::tensor::DType::F16) {
        check_same_bytes(folder.path(), WeightDtype::F16, "F16");
    }
}

#[test]
fn every_family_keeps_every_tensor_and_its_configuration() {
    for (name, config) in families() {
        let folder = random_folder(&config);
        let model = load(folder.path());
        assert_eq!(*model.config(), config, "{name}");
        let again = saved(&model, &SaveOptions::default());
        assert!(read_tensors(again.path()) == read_tensors(folder.path()), "{name} differs");
        let reloaded = load(again.path());
        assert_eq!(*reloaded.config(), config, "{name}");
        assert_same(&reloaded, &outputs(&model), name);
    }
}

#[test]
fn a_fresh_model_of_every_family_loads_as_it_was_saved() {
    for (name, config) in families() {
        let fresh = Decoder::init(&config, 7, &device()).unwrap();
        let folder = saved(&fresh, &SaveOptions::default());
        let model = load(folder.path());
        assert_same(&model, &outputs(&fresh), name);
        let again = saved(&model, &SaveOptions::default());
        assert!(weight_bytes(&again) == weight_bytes(&folder), "{name}: the files differ");
    }
}

#[test]
fn a_seed_decides_the_fresh_weights() {
    let bytes = |seed| {
        let fresh = Decoder::init(&Preset::Tiny.config(), seed, &device()).unwrap();
        weight_bytes(&saved(&fresh, &SaveOptions::default()))
    };
    let first = bytes(7);
    assert!(bytes(7) == first, "one seed gave two models");
    assert!(bytes(8) != first, "two seeds gave one model");
}

#[test]
fn a_saved_model_has_the_tensors_that_its_configuration_calls_for() {
    for (name, config) in families() {
        let tensors = read_tensors(random_folder(&config).path());
        let expected: BTreeMap<String, Vec<usize>> = names::all(&config).into_iter().collect();
        let found: BTreeMap<String, Vec<usize>> =
            tensors.into_iter().map(|(name, entry)| (name, entry.shape)).collect();
        assert_eq!(found, expected, "{name}");
        let n_numbers: usize = found.values().map(|shape| shape.iter().product::<usize>()).sum();
        assert_eq!(n_numbers as u64, config.n_parameters(), "{name}");
    }
}

#[test]
fn golden_checkpoints_keep_every_byte_of_every_tensor() {
    for name in GOLDEN {
        let Some(folder) = shared(format!("fixtures/tiny/{name}")) else { return };
        let expected = read_tensors(&folder);
        if expected.values().any(|entry| entry.dtype == "BF16")
            && !device().supports_dtype(burn::tensor::DType::BF16)
        {
            continue;
        }
        let options = Checkpoint::open(&folder).unwrap().save_options();
        let again = saved(&load(&folder), &options);
        let found = read_tensors(again.path());
        let names = |tensors: &Tensors| tensors.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected), "{name}");
        for (tensor, entry) in &expected {
            assert_eq!(found[tensor].dtype, entry.dtype, "{name}, {tensor}");
            assert_eq!(found[tensor].shape, entry.shape, "{name}, {tensor}");
            assert!(found[tensor].bytes == entry.bytes, "{name}: the bytes of {tensor} differ");
        }
        for file in [CONFIG, GENERATION] {
            let original = fs::read(folder.join(file)).unwrap();
            assert!(fs::read(again.path().join(file)).unwrap() == original, "{name}: {file}");
        }
        // The original may be in several files, so that its bytes differ from those of one file.
        let twice = saved(&load(again.path()), &options);
        assert!(weight_bytes(&twice) == weight_bytes(&again), "{name}: the files differ");
    }
}

#[test]
fn configuration_files_pass_through_byte_for_byte() {
    let folder = whole();
    let generation = "{\n\t\"temperature\" : 0.80, \"note\": \"hello\", \"注\": \"浦语\"}\n\n";
    fs::write(folder.path().join(GENERATION), generation).unwrap();
    let config = fs::read_to_string(folder.path().join(CONFIG)).unwrap();
    let config = config.replacen('{', "{  \"auto_map\": {\"浦\": [1.50, \"hello\"]},\r\n", 1);
    fs::write(folder.path().join(CONFIG), &config).unwrap();

    let options = Checkpoint::open(&folder).unwrap().save_options();
    let again = saved(&load(folder.path()), &options);
    assert_eq!(files(again.path()), [CONFIG, GENERATION, WEIGHTS]);
    assert_eq!(fs::read_to_string(again.path().join(CONFIG)).unwrap(), config);
    assert_eq!(fs::read_to_string(again.path().join(GENERATION)).unwrap(), generation);

    let without = saved(&load(folder.path()), &SaveOptions::default());
    assert_eq!(files(without.path()), [CONFIG, WEIGHTS]);
    assert_ne!(fs::read_to_string(without.path().join(CONFIG)).unwrap(), config);
}

#[test]
fn narrower_weights_are_the_nearest_numbers_of_their_type() {
    let folder = random_folder(&Preset::Tiny.config());
    let originals = read_tensors(folder.path());
    let to_bf16: fn(f32) -> [u8; 2] = |value| bf16::from_f32(value).to_le_bytes();
    let to_f16: fn(f32) -> [u8; 2] = |value| f16::from_f32(value).to_le_bytes();
    for (weights, dtype, narrow) in [
        (WeightDtype::Bf16, burn::tensor::DType::BF16, to_bf16),
        (WeightDtype::F16, burn::tensor::DType::F16, to_f16),
    ] {
        if !device().supports_dtype(dtype) {
            continue;
        }
        let again = saved(&load_as(folder.path(), weights), &SaveOptions::default());
        for (name, entry) in read_tensors(again.path()) {
            let (words, _) = originals[&name].bytes.as_chunks::<4>();
            let expected: Vec<u8> =
                words.iter().flat_map(|&word| narrow(f32::from_le_bytes(word))).collect();
            assert!(entry.bytes == expected, "{weights:?}: {name} differs");
        }
    }
}

#[test]
fn weights_as_stored_answer_as_converted_ones_do() {
    let folder = random_folder(&Preset::Tiny.config());
    let stored = outputs(&load_as(folder.path(), WeightDtype::Stored));
    assert_same(&load_as(folder.path(), WeightDtype::F32), &stored, "f32");

    let narrow = saved(&load_as(folder.path(), WeightDtype::Bf16), &SaveOptions::default());
    let stored = outputs(&load_as(narrow.path(), WeightDtype::Stored));
    let widened = outputs(&load_as(narrow.path(), WeightDtype::F32));
    // The same numbers, whose products may be summed in another order.
    assert_close(&stored, &widened, Tolerance::within(5e-5));
}

/// Saves in shards of at most this many bytes; the index, the sizes and the model are right.
#[track_caller]
fn check_shards(max_shard_bytes: u64) -> usize {
    let folder = random_folder(&Preset::Tiny.config());
    let model = load(folder.path());
    let options = SaveOptions { max_shard_bytes, ..SaveOptions::default() };
    let sharded = saved(&model, &options);
    let expected = read_tensors(folder.path());
    assert!(read_tensors(sharded.path()) == expected, "the tensors differ");

    let index: Value =
        serde_json::from_slice(&fs::read(sharded.path().join(INDEX)).unwrap()).unwrap();
    let total: usize = expected.values().map(|entry| entry.bytes.len()).sum();
    assert_eq!(index["metadata"]["total_size"], total);
    let places = index["weight_map"].as_object().unwrap();
    let mut named: Vec<&String> = places.keys().collect();
    named.sort();
    assert_eq!(named, expected.keys().collect::<Vec<_>>());

    let mut shards: Vec<&str> = places.values().map(|place| place.as_str().unwrap()).collect();
    shards.sort_unstable();
    shards.dedup();
    let n_shards = shards.len();
    for (index, shard) in shards.iter().enumerate() {
        assert_eq!(*shard, format!("model-{:05}-of-{n_shards:05}.safetensors", index + 1));
        let bytes = fs::read(sharded.path().join(shard)).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        assert!(tensors.names().iter().all(|name| places[*name] == *shard), "{shard}");
        let n_bytes: usize = tensors.iter().map(|(_, view)| view.data().len()).sum();
        assert!(n_bytes as u64 <= max_shard_bytes || tensors.len() == 1, "{shard}: {n_bytes}");
    }
    let n_files = files(sharded.path()).len();
    assert_eq!(n_files, n_shards + 2, "shards, an index and a configuration");

    let reloaded = load(sharded.path());
    assert_same(&reloaded, &outputs(&model), "shards");
    let one = saved(&model, &SaveOptions::default());
    let joined = saved(&reloaded, &SaveOptions::default());
    assert!(weight_bytes(&joined) == weight_bytes(&one), "the joined file differs");
    n_shards
}

#[test]
fn many_shards_hold_the_same_model_as_one_file() {
    let n_tensors = read_tensors(whole().path()).len();
    assert_eq!(check_shards(0), n_tensors);
    assert_eq!(check_shards(1), n_tensors);
    let n_shards = check_shards(200_000);
    assert!(n_shards > 2 && n_shards < n_tensors, "{n_shards} shards");
}

#[test]
fn tensors_that_just_fit_are_one_file() {
    let tensors = read_tensors(whole().path());
    let total: usize = tensors.values().map(|entry| entry.bytes.len()).sum();
    let model = load(whole().path());
    let within = |max_shard_bytes| {
        let options = SaveOptions { max_shard_bytes, ..SaveOptions::default() };
        files(saved(&model, &options).path()).len()
    };
    assert_eq!(within(total as u64), 2);
    assert_eq!(within(total as u64 - 1), 4, "two shards, an index and a configuration");
}
