//! The files of a checkpoint folder: which there are, and what tensors they hold.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{mmap, random};
use crate::error::CheckpointError;

/// Largest accepted `config.json` or `generation_config.json`. Released ones have about 1 kB.
pub(super) const CONFIG_LIMIT_BYTES: u64 = 1 << 20;

/// Largest accepted index. Half a million tensors with 100-byte names would fit.
const INDEX_LIMIT_BYTES: u64 = 64 << 20;

/// Name of the weights in one file.
pub(super) const SINGLE: &str = "model.safetensors";
/// Name of the list of shards.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// Names under which pickled weights are released.
const PICKLES: [&str; 3] = ["pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin"];

/// A tensor as it stands in a file.
pub(super) struct StoredTensor {
    pub(super) path: PathBuf,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) content: Content,
}

/// Where the bytes of a tensor come from.
pub(super) enum Content {
    /// A slice of the file's memory map.
    Mapped { bytes: Bytes, map: mmap::Map },
    /// No file at all: random numbers, drawn when they are asked for.
    Random(random::Draw),
}

impl StoredTensor {
    /// The bytes, little-endian.
    pub(super) fn bytes(&self) -> Bytes {
        match &self.content {
            Content::Mapped { bytes, .. } => bytes.clone(),
            Content::Random(draw) => draw.bytes(&self.shape),
        }
    }

    /// Says that the bytes will not be read again soon.
    pub(super) fn release(&self) {
        if let Content::Mapped { bytes, map } = &self.content {
            map.release(bytes);
        }
    }
}

/// `model.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

/// Maps the weight files of a folder and lists their tensors. Reads headers only.
pub(super) fn stored_tensors(
    folder: &Path,
) -> Result<HashMap<String, StoredTensor>, CheckpointError> {
    let single = folder.join(SINGLE);
    if single.is_file() {
        let mut tensors = HashMap::new();
        read_shard(&single, &mut tensors)?;
        return Ok(tensors);
    }
    let index_path = folder.join(INDEX);
    if !index_path.is_file() {
        return Err(no_weights(folder));
    }
    let index: Index = parse(&index_path, &read_text(&index_path, INDEX_LIMIT_BYTES)?)?;
    let shards: BTreeSet<&String> = index.weight_map.values().collect();
    let mut tensors = HashMap::new();
    for shard in shards {
        if !is_plain_file_name(shard) {
            return Err(CheckpointError::ShardName { index: index_path, shard: shard.clone() });
        }
        read_shard(&folder.join(shard), &mut tensors)?;
    }
    for (name, shard) in &index.weight_map {
        let path = folder.join(shard);
        if tensors.get(name).is_none_or(|tensor: &StoredTensor| tensor.path != path) {
            return Err(CheckpointError::NotInShard { shard: path, name: name.clone() });
        }
    }
    Ok(tensors)
}

pub(super) fn read_shard(
    path: &Path,
    tensors: &mut HashMap<String, StoredTensor>,
) -> Result<(), CheckpointError> {
    let damaged = |source| CheckpointError::Safetensors { path: path.to_owned(), source };
    let map = mmap::map(path)?.ok_or(damaged(SafeTensorError::HeaderTooSmall))?;
    let bytes = map.bytes();
    let safetensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    for (name, view) in safetensors.iter() {
        let stored = StoredTensor {
            path: path.to_owned(),
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            content: Content::Mapped { bytes: bytes.slice_ref(view.data()), map: map.clone() },
        };
        if let Some(first) = tensors.insert(name.to_owned(), stored) {
            return Err(CheckpointError::Duplicate {
                name: name.to_owned(),
                first: first.path,
                second: path.to_owned(),
            });
        }
    }
    Ok(())
}

fn no_weights(folder: &Path) -> CheckpointError {
    let pickle = PICKLES.iter().map(|name| folder.join(name)).find(|path| path.exists());
    match pickle.or_else(|| first_bin_file(folder)) {
        Some(path) => CheckpointError::Pickle { path },
        None => CheckpointError::NoWeights { folder: folder.to_owned() },
    }
}

fn first_bin_file(folder: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).ok()?;
    let mut pickles: Vec<PathBuf> = files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == "bin" || extension == "pt")
        })
        .collect();
    pickles.sort();
    pickles.into_iter().next()
}

/// Whether `name` stays in the folder it is joined to.
fn is_plain_file_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(_)), None))
        && !name.contains(['/', '\\'])
}

/// Reads a text file of at most `limit_bytes`.
pub(super) fn read_text(path: &Path, limit_bytes: u64) -> Result<String, CheckpointError> {
    let error =
        |action| move |source| CheckpointError::Io { action, path: path.to_owned(), source };
    let file = File::open(path).map_err(error("open"))?;
    let found_bytes = file.metadata().map_err(error("read"))?.len();
    if found_bytes > limit_bytes {
        return Err(CheckpointError::TooLarge { path: path.to_owned(), found_bytes, limit_bytes });
    }
    let mut text = String::new();
    file.take(limit_bytes).read_to_string(&mut text).map_err(error("read"))?;
    Ok(text)
}

/// Parses JSON, naming the file where it is damaged.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, CheckpointError> {
    serde_json::from_str(text)
        .map_err(|source| CheckpointError::Json { path: path.to_owned(), source })
}
