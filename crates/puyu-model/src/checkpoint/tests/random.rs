//! Checkpoints of random weights: the same for a seed, of the right shapes, in a model's range.

use half::bf16;

use super::*;
use crate::checkpoint::{names, write_random};

fn written(config: &DecoderConfig, seed: u64) -> TempDir {
    let folder = tempdir().unwrap();
    write_random(&folder, config, seed).unwrap();
    folder
}

fn numbers(entry: &Entry) -> Vec<f64> {
    let (pairs, _) = entry.bytes.as_chunks::<2>();
    pairs.iter().map(|&pair| bf16::from_le_bytes(pair).to_f64()).collect()
}

#[test]
fn a_seed_decides_every_byte() {
    let config = Preset::Tiny.config();
    let bytes = |seed| {
        let folder = written(&config, seed);
        assert_eq!(files(folder.path()), [CONFIG, WEIGHTS]);
        [CONFIG, WEIGHTS].map(|name| fs::read(folder.path().join(name)).unwrap())
    };
    for seed in [0, 7, u64::MAX] {
        let first = bytes(seed);
        assert!(bytes(seed) == first, "seed {seed} gave two files");
    }
    assert!(bytes(7)[1] != bytes(8)[1], "two seeds gave the same weights");
    assert!(bytes(7)[0] == bytes(8)[0], "the configuration has nothing random");
}

#[test]
fn random_weights_of_every_family_have_its_shapes_and_load() {
    for (name, config) in families() {
        let folder = written(&config, 7);
        let expected: BTreeMap<String, Vec<usize>> = names::all(&config).into_iter().collect();
        let tensors = read_tensors(folder.path());
        assert!(tensors.values().all(|entry| entry.dtype == "BF16"), "{name}");
        let found: BTreeMap<String, Vec<usize>> =
            tensors.into_iter().map(|(name, entry)| (name, entry.shape)).collect();
        assert_eq!(found, expected, "{name}");
        let model = load(folder.path());
        assert_eq!(*model.config(), config, "{name}");
        assert!(outputs(&model).iter().all(|value| value.is_finite()), "{name}");
    }
}

#[test]
fn random_weights_have_a_deviation_of_0_02_and_norms_are_one() {
    for seed in [0, 7] {
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for (name, entry) in read_tensors(written(&Preset::Tiny.config(), seed).path()) {
            let numbers = numbers(&entry);
            if name.ends_with("norm.weight") {
                assert!(numbers.iter().all(|&number| number == 1.0), "{name}");
                continue;
            }
            n += numbers.len() as f64;
            sum += numbers.iter().sum::<f64>();
            squares += numbers.iter().map(|number| number * number).sum::<f64>();
        }
        let mean = sum / n;
        let deviation = (squares / n - mean * mean).sqrt();
        // Of 300 thousand numbers the mean is known to 4e-5 and the deviation to 0.1 %.
        assert!(mean.abs() < 2e-4, "seed {seed}: mean {mean}");
        assert!((deviation / 0.02 - 1.0).abs() < 5e-3, "seed {seed}: deviation {deviation}");
    }
}

#[test]
fn no_two_tensors_have_the_same_random_numbers() {
    let tensors = read_tensors(written(&Preset::Tiny.config(), 7).path());
    let mut starts: Vec<&[u8]> = tensors
        .iter()
        .filter(|(name, _)| !name.ends_with("norm.weight"))
        .map(|(_, entry)| &entry.bytes[..64])
        .collect();
    let n_tensors = starts.len();
    starts.sort_unstable();
    starts.dedup();
    assert_eq!(starts.len(), n_tensors);
}

#[test]
fn a_shape_that_cannot_be_is_refused_before_anything_is_written() {
    let folder = tempdir().unwrap();
    let place = folder.path().join("new");
    let config = DecoderConfig { head_dim: 15, ..Preset::Tiny.config() };
    let error = write_random(&place, &config, 7).unwrap_err();
    assert_eq!(
        describe(&error, folder.path()),
        "DIR/new/config.json does not describe a model: field `head_dim`: expected an even \
         number, found 15"
    );
    assert!(files(folder.path()).is_empty());
}
