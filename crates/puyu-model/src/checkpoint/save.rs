//! A model written as a Hugging Face folder.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use burn::module::Param;
use burn::tensor::{DType, Tensor, TensorData};
use puyu_kernels::QuantShape;
use safetensors::{Dtype, SafeTensorError, View};
use serde::Serialize;

use super::names::{self, QkvNames};
use super::{CONFIG, GENERATION_CONFIG, files};
use crate::config::HfConfig;
use crate::decoder::{Decoder, Linear, LinearWeight, QkvProjection, QuantizedWeight};
use crate::error::CheckpointError;

/// What is written beside the weights, and in how many files.
#[derive(Clone, Debug)]
pub struct SaveOptions {
    /// Bytes of tensors in one file at most; a larger tensor gets a file of its own. 5 GB by
    /// default, as Hugging Face writes.
    pub max_shard_bytes: u64,
    /// Text of `config.json`; made from the model's configuration where absent.
    pub config_json: Option<String>,
    /// Text of `generation_config.json`; not written where absent.
    pub generation_config_json: Option<String>,
}

impl Default for SaveOptions {
    fn default() -> Self {
        Self { max_shard_bytes: 5_000_000_000, config_json: None, generation_config_json: None }
    }
}

impl Decoder {
    /// Writes the model as a Hugging Face folder: weights in their type in memory,
    /// `config.json`, and an index if there is more than one file.
    ///
    /// Every file is written beside its place, synced and renamed, so that a reader never meets
    /// half a file. Loading what was saved gives the same bytes.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] if the folder cannot be written or the device cannot be read.
    pub fn save(
        &self,
        folder: impl AsRef<Path>,
        options: &SaveOptions,
    ) -> Result<(), CheckpointError> {
        let folder = folder.as_ref();
        std::fs::create_dir_all(folder).map_err(|source| CheckpointError::Io {
            action: "create",
            path: folder.to_owned(),
            source,
        })?;
        write_weights(folder, &self.stored_parameters(), options.max_shard_bytes)?;
        let config_json = match &options.config_json {
            Some(text) => text.clone(),
            None => pretty(&HfConfig::from(self.config()), &folder.join(CONFIG))?,
        };
        write_atomically(&folder.join(CONFIG), config_json.as_bytes())?;
        if let Some(text) = &options.generation_config_json {
            write_atomically(&folder.join(GENERATION_CONFIG), text.as_bytes())?;
        }
        Ok(())
    }

    /// Every parameter with the name that its family's files use, in the order of computation.
    fn stored_parameters(&self) -> Vec<Stored<'_>> {
        let root = names::root(self.config());
        let mut all = vec![Stored::of(root.embedding.to_owned(), &self.embedding)];
        for (index, layer) in self.layers.iter().enumerate() {
            let names = names::layer(self.config().family, index);
            let attention = &layer.attention;
            match (&names.qkv, &attention.qkv) {
                (QkvNames::Packed(name), QkvProjection::Packed(wqkv)) => push(&mut all, name, wqkv),
                (QkvNames::Separate { query, key, value }, QkvProjection::Separate(qkv)) => {
                    push(&mut all, query, &qkv.query);
                    push(&mut all, key, &qkv.key);
                    push(&mut all, value, &qkv.value);
                }
                _ => unreachable!("the family decides both the names and the projection"),
            }
            push(&mut all, &names.output, &attention.output);
            push(&mut all, &names.gate, &layer.mlp.gate);
            push(&mut all, &names.up, &layer.mlp.up);
            push(&mut all, &names.down, &layer.mlp.down);
            all.push(Stored::of(names.attention_norm, &layer.attention_norm.weight));
            all.push(Stored::of(names.mlp_norm, &layer.mlp_norm.weight));
        }
        all.push(Stored::of(root.norm.to_owned(), &self.norm.weight));
        if let Some(head) = &self.head {
            push(&mut all, root.head, head);
        }
        all
    }
}

/// A parameter about to be written. Its bytes are read when its turn comes.
pub(super) struct Stored<'a> {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) read: Box<dyn Fn() -> Result<TensorData, String> + 'a>,
}

impl<'a> Stored<'a> {
    fn of<const D: usize>(name: String, parameter: &'a Param<Tensor<D>>) -> Self {
        let tensor = parameter.val();
        Self {
            name,
            dtype: match tensor.dtype() {
                DType::BF16 => Dtype::BF16,
                DType::F16 => Dtype::F16,
                _ => Dtype::F32,
            },
            shape: tensor.dims().to_vec(),
            read: Box::new(move || parameter.val().try_into_data().map_err(|err| err.to_string())),
        }
    }

    /// A quantised weight, as the floats that it stands for.
    fn widened(name: String, weight: &'a QuantizedWeight) -> Self {
        let QuantShape { m, k, .. } = weight.shape();
        let read = move || {
            let values = weight.dequantize().map_err(|error| error.to_string())?;
            Ok(TensorData::new(values, [m, k]))
        };
        Self { name, dtype: Dtype::F32, shape: vec![m, k], read: Box::new(read) }
    }

    pub(super) fn n_bytes(&self) -> u64 {
        let n_values: u64 = self.shape.iter().map(|&n| n as u64).product();
        n_values * self.dtype.bitsize() as u64 / 8
    }
}

fn push<'a>(all: &mut Vec<Stored<'a>>, name: &str, linear: &'a Linear) {
    let weight = format!("{name}.weight");
    all.push(match &linear.weight {
        LinearWeight::Float(parameter) => Stored::of(weight, parameter),
        LinearWeight::Quantized(quantized) => Stored::widened(weight, quantized),
    });
    if let Some(bias) = &linear.bias {
        all.push(Stored::of(format!("{name}.bias"), bias));
    }
}

/// Writes tensors into as many files as needed, each atomically, the index last.
pub(super) fn write_weights(
    folder: &Path,
    tensors: &[Stored<'_>],
    max_shard_bytes: u64,
) -> Result<(), CheckpointError> {
    let shards = shards(tensors, max_shard_bytes);
    let (single, index_path) = (folder.join(files::SINGLE), folder.join(files::INDEX));
    if let [shard] = shards.as_slice() {
        write_shard(&single, shard)?;
        return remove(&index_path);
    }
    let mut weight_map = BTreeMap::new();
    for (index, shard) in shards.iter().enumerate() {
        let name = format!("model-{:05}-of-{:05}.safetensors", index + 1, shards.len());
        write_shard(&folder.join(&name), shard)?;
        weight_map.extend(shard.iter().map(|tensor| (tensor.name.as_str(), name.clone())));
    }
    let total_size: u64 = tensors.iter().map(Stored::n_bytes).sum();
    let index = serde_json::json!({
        "metadata": { "total_size": total_size },
        "weight_map": weight_map,
    });
    write_atomically(&index_path, pretty(&index, &index_path)?.as_bytes())?;
    // A reader prefers the single file, so an older one must not stay beside the shards.
    remove(&single)
}

/// Removes a file of an earlier save, if there is one.
fn remove(path: &Path) -> Result<(), CheckpointError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(CheckpointError::Io { action: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Consecutive tensors that together stay under the limit.
fn shards<'a, 'b>(tensors: &'b [Stored<'a>], max_shard_bytes: u64) -> Vec<Vec<&'b Stored<'a>>> {
    let mut shards: Vec<Vec<&Stored<'_>>> = vec![Vec::new()];
    let mut bytes = 0;
    for tensor in tensors {
        if bytes > 0 && bytes + tensor.n_bytes() > max_shard_bytes {
            shards.push(Vec::new());
            bytes = 0;
        }
        bytes += tensor.n_bytes();
        if let Some(shard) = shards.last_mut() {
            shard.push(tensor);
        }
    }
    shards
}

fn write_shard(path: &Path, tensors: &[&Stored<'_>]) -> Result<(), CheckpointError> {
    write_tensors(path, tensors, [("format".to_owned(), "pt".to_owned())].into())
}

/// Writes one safetensors file, one tensor in memory at a time, atomically.
pub(super) fn write_tensors(
    path: &Path,
    tensors: &[&Stored<'_>],
    metadata: HashMap<String, String>,
) -> Result<(), CheckpointError> {
    let failure = RefCell::new(None);
    let views = tensors
        .iter()
        .map(|&stored| (stored.name.as_str(), StoredView { stored, failure: &failure }));
    let temporary = temporary_beside(path)?;
    safetensors::serialize_to_file(views, Some(metadata), temporary.path()).map_err(|source| {
        let path = path.to_owned();
        match source {
            // A full disk says nothing about the file.
            SafeTensorError::IoError(source) => {
                CheckpointError::Io { action: "write", path, source }
            }
            source => CheckpointError::Safetensors { path, source },
        }
    })?;
    if let Some((name, reason)) = failure.into_inner() {
        return Err(CheckpointError::ReadBack { name, reason });
    }
    persist(temporary, path)
}

/// A parameter as safetensors wants it. A failure to read waits in `failure`, since the trait has
/// no way to report it; the file is not put in its place then.
struct StoredView<'a> {
    stored: &'a Stored<'a>,
    failure: &'a RefCell<Option<(String, String)>>,
}

impl View for StoredView<'_> {
    fn dtype(&self) -> Dtype {
        self.stored.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.stored.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match (self.stored.read)() {
            Ok(data) => Cow::Owned(data.as_bytes().to_vec()),
            Err(reason) => {
                *self.failure.borrow_mut() = Some((self.stored.name.clone(), reason));
                Cow::Borrowed(&[])
            }
        }
    }

    fn data_len(&self) -> usize {
        self.stored.n_bytes() as usize
    }
}

fn pretty(value: &impl Serialize, path: &Path) -> Result<String, CheckpointError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|source| CheckpointError::Json { path: path.to_owned(), source })?;
    Ok(text + "\n")
}

/// Writes beside the place, syncs, renames.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let mut temporary = temporary_beside(path)?;
    temporary.write_all(bytes).map_err(|source| CheckpointError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    })?;
    persist(temporary, path)
}

fn temporary_beside(path: &Path) -> Result<tempfile::NamedTempFile, CheckpointError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".saving-").tempfile_in(folder).map_err(|source| {
        CheckpointError::Io { action: "create a file in", path: folder.to_owned(), source }
    })
}

fn persist(temporary: tempfile::NamedTempFile, path: &Path) -> Result<(), CheckpointError> {
    let error =
        |action| move |source| CheckpointError::Io { action, path: path.to_owned(), source };
    // Opened anew: the bytes may have been written through another handle.
    File::open(temporary.path()).and_then(|file| file.sync_all()).map_err(error("sync"))?;
    allow_reading(temporary.path()).map_err(error("set the permissions of"))?;
    temporary.persist(path).map_err(|err| error("rename into")(err.error))?;
    // The rename itself must reach the disk too.
    if let Some(folder) = path.parent() {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(error("sync"))?;
    }
    Ok(())
}

/// Temporary files are private; weights are as readable as the user's other files.
#[cfg(unix)]
fn allow_reading(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn allow_reading(_path: &Path) -> std::io::Result<()> {
    Ok(())
}
