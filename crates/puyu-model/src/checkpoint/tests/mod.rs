//! What opening, loading and saving of model folders must do, and what they must refuse.

mod awq;
mod bad_input;
mod odd_input;
mod packed;
mod quantized;
mod random;
mod round_trip;
mod saving;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use puyu_testkit::{Tolerance, assert_close, random_normal};
use safetensors::SafeTensors;
use serde_json::{Map, Value, json};
use tempfile::{TempDir, tempdir};

use crate::decoder::tests::device;
use crate::{
    Checkpoint, CheckpointError, Decoder, DecoderConfig, Family, Head, KvCache, LoadOptions,
    Preset, RopeConfig, RopeScaling, SaveOptions, SequencePlan, Unobserved, WeightDtype, read,
};

const CONFIG: &str = "config.json";
const GENERATION: &str = "generation_config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A tensor as a file under test holds it.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Entry {
    fn new(dtype: &str, shape: &[usize], bytes: Vec<u8>) -> Self {
        Self { dtype: dtype.to_owned(), shape: shape.to_vec(), bytes }
    }

    fn f32(shape: &[usize], values: &[f32]) -> Self {
        Self::new("F32", shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn zeros(dtype: &str, shape: &[usize], bytes_each: usize) -> Self {
        Self::new(dtype, shape, vec![0; shape.iter().product::<usize>() * bytes_each])
    }
}

/// The tensors of a folder by name.
type Tensors = BTreeMap<String, Entry>;

/// The files of a small whole folder, made once.
static WHOLE: LazyLock<[(&str, Vec<u8>); 2]> = LazyLock::new(|| {
    let folder = tempdir().unwrap();
    let model = Decoder::init(&Preset::Tiny.config(), 7, &device()).unwrap();
    model.save(&folder, &SaveOptions::default()).unwrap();
    [CONFIG, WEIGHTS].map(|name| (name, fs::read(folder.path().join(name)).unwrap()))
});

/// A small whole folder: three layers of InternLM2 in one file of `f32`.
fn whole() -> TempDir {
    let folder = tempdir().unwrap();
    for (name, bytes) in WHOLE.iter() {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// A folder of this shape in which every tensor, biases included, has numbers of its own.
fn random_folder(config: &DecoderConfig) -> TempDir {
    let folder = tempdir().unwrap();
    let model = Decoder::init(config, 7, &device()).unwrap();
    model.save(&folder, &SaveOptions::default()).unwrap();
    edit_tensors(folder.path(), |tensors| {
        for (seed, entry) in tensors.values_mut().enumerate() {
            let n: usize = entry.shape.iter().product();
            let values: Vec<f32> =
                random_normal(n, seed as u64).into_iter().map(|value| 0.05 * value).collect();
            *entry = Entry::f32(&entry.shape, &values);
        }
    });
    folder
}

/// One small configuration for every layout of tensors.
fn families() -> Vec<(&'static str, DecoderConfig)> {
    let tiny = Preset::Tiny.config();
    let of = |family| DecoderConfig { family, ..tiny.clone() };
    let wide =
        RopeConfig { head_dim: 32, scaling: RopeScaling::DynamicNtk { factor: 6.0 }, ..tiny.rope };
    let attention_biases =
        |config: DecoderConfig| DecoderConfig { qkv_bias: true, output_bias: true, ..config };
    let all_biases =
        |config: DecoderConfig| DecoderConfig { mlp_bias: true, ..attention_biases(config) };
    let internlm3 = DecoderConfig { head_dim: 32, rope: wide, ..of(Family::InternLm3) };
    let tied = DecoderConfig { head: Head::TiedLanguageModel, ..of(Family::Llama) };
    let reward =
        DecoderConfig { head: Head::Reward, reward_token_id: Some(9), ..of(Family::InternLm2) };
    let internlm = DecoderConfig { n_kv_heads: 6, ..of(Family::InternLm) };
    vec![
        ("internlm with biases", attention_biases(internlm)),
        ("internlm2", tiny.clone()),
        ("internlm2 with biases", attention_biases(tiny.clone())),
        ("internlm3", internlm3.clone()),
        ("internlm3 with biases", all_biases(internlm3)),
        ("llama", of(Family::Llama)),
        ("llama with biases", all_biases(of(Family::Llama))),
        ("tied llama", tied),
        ("reward", reward),
    ]
}

/// Every tensor of the folder's weight files.
#[track_caller]
fn read_tensors(folder: &Path) -> Tensors {
    let mut tensors = Tensors::new();
    for name in files(folder) {
        if !name.starts_with("model") || !name.ends_with(".safetensors") {
            continue;
        }
        let bytes = fs::read(folder.join(&name)).unwrap();
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().iter() {
            let dtype = view.dtype().to_string();
            let entry = Entry { dtype, shape: view.shape().to_vec(), bytes: view.data().to_vec() };
            assert!(tensors.insert(name.to_owned(), entry).is_none(), "{name} occurs twice");
        }
    }
    tensors
}

/// The names in a folder, sorted, hidden ones included.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A safetensors file written by hand: length of the header, header, data.
fn file_of(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), data].concat()
}

/// The bytes of a file in which the data starts `offset` bytes after a multiple of eight.
fn file_of_tensors(tensors: &Tensors, offset: usize) -> Vec<u8> {
    let mut header = Map::new();
    let mut data = Vec::new();
    for (name, entry) in tensors {
        let start = data.len();
        data.extend_from_slice(&entry.bytes);
        let place = [start, data.len()];
        let info = json!({ "dtype": entry.dtype, "shape": entry.shape, "data_offsets": place });
        header.insert(name.clone(), info);
    }
    let mut header = Value::Object(header).to_string();
    while header.len() % 8 != offset {
        header.push(' ');
    }
    file_of(&header, &data)
}

fn write_tensors(path: &Path, tensors: &Tensors) {
    fs::write(path, file_of_tensors(tensors, 0)).unwrap();
}

/// Changes the tensors of a folder with one weight file.
fn edit_tensors(folder: &Path, edit: impl FnOnce(&mut Tensors)) {
    let mut tensors = read_tensors(folder);
    edit(&mut tensors);
    write_tensors(&folder.join(WEIGHTS), &tensors);
}

/// Changes the fields of a JSON file.
fn edit_json(path: &Path, edit: impl FnOnce(&mut Map<String, Value>)) {
    let mut json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    edit(json.as_object_mut().unwrap());
    fs::write(path, json.to_string()).unwrap();
}

fn edit_config(folder: &Path, edit: impl FnOnce(&mut Map<String, Value>)) {
    edit_json(&folder.join(CONFIG), edit);
}

fn try_load(folder: &Path) -> Result<Decoder, CheckpointError> {
    Checkpoint::open(folder)?.load(&LoadOptions::default(), &device())
}

#[track_caller]
fn load(folder: &Path) -> Decoder {
    match try_load(folder) {
        Ok(model) => model,
        Err(error) => panic!("{}", describe(&error, folder)),
    }
}

#[track_caller]
fn load_as(folder: &Path, weights: WeightDtype) -> Decoder {
    let options = LoadOptions { weights, ..LoadOptions::default() };
    Checkpoint::open(folder).unwrap().load(&options, &device()).unwrap()
}

/// The model saved into a folder of its own.
fn saved(model: &Decoder, options: &SaveOptions) -> TempDir {
    let folder = tempdir().unwrap();
    model.save(&folder, options).unwrap();
    folder
}

/// What the head makes of a few tokens.
fn outputs(model: &Decoder) -> Vec<f32> {
    let vocab_size = model.config().vocab_size as u32;
    let row: Vec<u32> = (0..9).map(|i| (i * 37 + 5) % vocab_size).collect();
    let mut cache = KvCache::new(model.config(), SequencePlan::unpadded(vec![9]), 9);
    let hidden = model.hidden(&[row], &mut cache, &mut Unobserved).unwrap();
    read(model.project(hidden)).unwrap()
}

/// A model answers as before: to the bit on the CPU; a GPU may sum in another order each time.
#[track_caller]
fn assert_same(model: &Decoder, expected: &[f32], case: &str) {
    println!("{case}");
    let is_cpu = std::env::var_os("PUYU_DEVICE").is_none();
    let tolerance = if is_cpu { Tolerance::EXACT } else { Tolerance::within(1e-6) };
    assert_close(&outputs(model), expected, tolerance);
}

/// An error with its cause, the folder's path written `DIR`.
fn describe(error: &CheckpointError, folder: &Path) -> String {
    let text = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    text.replace(&folder.display().to_string(), "DIR")
}

/// Compares a description with what was expected; an ellipsis stands for the words of others.
#[track_caller]
fn assert_described(found: &str, expected: &str, case: &str) {
    match expected.strip_suffix('…') {
        Some(start) => assert!(found.starts_with(start), "{case}: {found}"),
        None => assert_eq!(found, expected, "{case}"),
    }
}

/// A folder damaged this way is refused with these words, and nothing panics.
#[track_caller]
fn check_refused(case: &str, damage: impl FnOnce(&Path), expected: &str) {
    let folder = whole();
    damage(folder.path());
    match try_load(folder.path()) {
        Ok(_) => panic!("{case} was accepted"),
        Err(error) => assert_described(&describe(&error, folder.path()), expected, case),
    }
}

/// A folder changed this way loads and answers as before.
#[track_caller]
fn check_accepted(case: &str, change: impl FnOnce(&Path)) {
    let folder = whole();
    let expected = outputs(&load(folder.path()));
    change(folder.path());
    assert_same(&load(folder.path()), &expected, case);
}

#[test]
fn the_folder_that_the_tests_damage_is_whole() {
    let folder = whole();
    let model = load(folder.path());
    assert_eq!(*model.config(), Preset::Tiny.config());
    assert_eq!(files(folder.path()), [CONFIG, WEIGHTS]);
    assert!(outputs(&model).iter().all(|value| value.is_finite()));
}
