//! Quantised matrices in a file of their own: written at the first start, mapped at the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;
use bytes::Bytes;
use puyu_kernels::{QUANT_LAYOUT, QuantFormat, QuantShape, Weight};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::files::{self, StoredTensor};
use super::load::{FLOATS, dtype_of, shared_or_copied};
use super::save::{Stored, write_tensors};
use super::{Checkpoint, LoadOptions, names};
use crate::error::CheckpointError;

/// Bytes of matrices by the names of their tensors.
pub(super) type Matrices = HashMap<String, Bytes>;

/// Where matrices begin in the file: no vector of the kernels crosses a cache line then.
const ALIGNMENT: usize = 32;

/// Places of a tensor that are looked at to tell its content, and bytes at each. Training changes
/// all weights, so any place shows it; the time of the file's last change guards the rest.
const SAMPLES: usize = 8;
const SAMPLE_BYTES: usize = 64;

/// Quantises a matrix. Besides the file's own memory, which is given back, only the result takes
/// memory.
pub(super) fn quantize(stored: &StoredTensor, shape: QuantShape, n_bytes: usize) -> Vec<u8> {
    let mut packed = vec![0; n_bytes];
    let data = shared_or_copied(stored.bytes(), dtype_of(stored.dtype));
    let weight = match stored.dtype {
        Dtype::BF16 => Weight::Bf16(bytemuck::cast_slice(&data)),
        Dtype::F16 => Weight::F16(bytemuck::cast_slice(&data)),
        _ => Weight::F32(bytemuck::cast_slice(&data)),
    };
    puyu_kernels::quantize(weight, shape, &mut packed);
    stored.release();
    packed
}

/// The quantised matrices of a checkpoint from the folder that the options name, written there
/// first if they are not. Empty where the options name none, where nothing is to be quantised, and
/// where the tensors do not fit the configuration, which loading then reports.
pub(super) fn open_or_write(
    checkpoint: &Checkpoint,
    tensors: &HashMap<String, StoredTensor>,
    options: &LoadOptions,
) -> Result<Matrices, CheckpointError> {
    let (Some(folder), Some(format)) = (&options.packed_folder, options.weights.format()) else {
        return Ok(Matrices::new());
    };
    let Some(sources) = sources(checkpoint, tensors, format) else { return Ok(Matrices::new()) };
    let path = folder.join(file_name(checkpoint, &sources, format)?);
    if let Some(found) = open(&path, &sources) {
        return Ok(found);
    }
    tracing::info!(path = %path.display(), "quantising; later starts will map this file");
    std::fs::create_dir_all(folder).map_err(|source| CheckpointError::Io {
        action: "create",
        path: folder.clone(),
        source,
    })?;
    write(&path, &sources)?;
    Ok(open(&path, &sources).unwrap_or_default())
}

/// A matrix to quantise.
struct Source<'a> {
    stored: &'a StoredTensor,
    shape: QuantShape,
    n_bytes: usize,
}

/// All matrices that loading will quantise; `None` if one of them is not as it should be.
fn sources<'a>(
    checkpoint: &Checkpoint,
    tensors: &'a HashMap<String, StoredTensor>,
    format: QuantFormat,
) -> Option<BTreeMap<String, Source<'a>>> {
    let embedding = names::root(&checkpoint.config).embedding;
    names::all(&checkpoint.config)
        .into_iter()
        .filter(|(name, shape)| shape.len() == 2 && name != embedding)
        .filter(|(name, _)| !is_packed_already(name, tensors))
        .map(|(name, dims)| {
            let stored = tensors.get(&name)?;
            let &[m, k] = dims.as_slice() else { return None };
            let shape = QuantShape { m, k, format };
            let n_bytes = shape.n_bytes().filter(|_| m > 0 && k > 0)?;
            let fits = stored.shape == dims && FLOATS.contains(&stored.dtype);
            fits.then_some((name, Source { stored, shape, n_bytes }))
        })
        .collect()
}

/// Whether the file has a matrix as integers.
fn is_packed_already(name: &str, tensors: &HashMap<String, StoredTensor>) -> bool {
    let stem = name.strip_suffix(".weight").unwrap_or(name);
    tensors.contains_key(&format!("{stem}.qweight"))
}

/// A name that tells the model, the format and the content.
fn file_name(
    checkpoint: &Checkpoint,
    sources: &BTreeMap<String, Source<'_>>,
    format: QuantFormat,
) -> Result<String, CheckpointError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{QUANT_LAYOUT} {format:?}\n{}", checkpoint.config_json).as_bytes());
    for (name, Source { stored, .. }) in sources {
        hasher.update(format!("\n{name} {:?} {:?}\n", stored.dtype, stored.shape).as_bytes());
        let bytes = stored.bytes();
        let last = bytes.len().saturating_sub(SAMPLE_BYTES);
        for sample in 0..SAMPLES {
            let start = last / (SAMPLES - 1) * sample;
            hasher.update(&bytes[start..bytes.len().min(start + SAMPLE_BYTES)]);
        }
    }
    let files: BTreeSet<&PathBuf> = sources.values().map(|source| &source.stored.path).collect();
    for path in files {
        let changed = std::fs::metadata(path).and_then(|metadata| metadata.modified());
        let changed = changed.map_err(|source| CheckpointError::Io {
            action: "read",
            path: path.clone(),
            source,
        })?;
        hasher.update(format!("{changed:?}").as_bytes());
    }
    let model = checkpoint.folder.file_name().unwrap_or_default().to_string_lossy();
    let hash = &hasher.finalize().to_hex()[..16];
    Ok(format!("{model}-{}-{hash}.safetensors", label(format)))
}

fn label(format: QuantFormat) -> String {
    let group = format.group().len();
    match format {
        QuantFormat::Int8 { .. } => format!("int8-g{group}"),
        QuantFormat::Int4Asymmetric { .. } => format!("int4-asymmetric-g{group}"),
        _ => format!("int4-g{group}"),
    }
}

/// Maps a file that holds exactly these matrices. Anything else is made anew.
fn open(path: &Path, sources: &BTreeMap<String, Source<'_>>) -> Option<Matrices> {
    if !path.is_file() {
        return None;
    }
    let mut found = HashMap::new();
    if let Err(error) = files::read_shard(path, &mut found) {
        tracing::warn!(path = %path.display(), %error, "quantised weights are damaged");
        return None;
    }
    let fits = found.len() == sources.len()
        && sources.iter().all(|(name, source)| {
            let found = found.get(name);
            found.is_some_and(|found| found.dtype == Dtype::U8 && found.shape == [source.n_bytes])
        });
    if !fits {
        tracing::warn!(path = %path.display(), "quantised weights are not those of the model");
    }
    fits.then(|| found.into_iter().map(|(name, stored)| (name, stored.bytes())).collect())
}

/// Quantises one matrix after the other, straight into the file.
fn write(path: &Path, sources: &BTreeMap<String, Source<'_>>) -> Result<(), CheckpointError> {
    let tensors: Vec<Stored<'_>> = sources
        .iter()
        .map(|(name, source)| {
            let (dtype, shape) = (Dtype::U8, vec![source.n_bytes]);
            let read = || {
                let packed = quantize(source.stored, source.shape, source.n_bytes);
                Ok(TensorData::new(packed, [source.n_bytes]))
            };
            Stored { name: name.clone(), dtype, shape, read: Box::new(read) }
        })
        .collect();
    let metadata = metadata(&tensors)
        .map_err(|source| CheckpointError::Safetensors { path: path.to_owned(), source })?;
    write_tensors(path, &tensors.iter().collect::<Vec<_>>(), metadata)
}

/// Metadata that fills the header, so that the first tensor begins at a multiple of
/// [`ALIGNMENT`]; the others follow, since every format takes multiples of it.
fn metadata(
    tensors: &[Stored<'_>],
) -> Result<HashMap<String, String>, safetensors::SafeTensorError> {
    // One entry: several would come out in any order, and the same matrices as other bytes.
    let with_padding = |n: usize| HashMap::from([("padding".to_owned(), "-".repeat(n))]);
    let mut end = 0;
    let infos = tensors.iter().map(|tensor| {
        let begin = end;
        end += tensor.n_bytes() as usize;
        let (dtype, shape) = (tensor.dtype, tensor.shape.clone());
        (tensor.name.clone(), TensorInfo { dtype, shape, data_offsets: (begin, end) })
    });
    let header = Metadata::new(Some(with_padding(0)), infos.collect())?;
    let header_bytes = size_of::<u64>() + serde_json::to_string(&header)?.len();
    Ok(with_padding(header_bytes.next_multiple_of(ALIGNMENT) - header_bytes))
}
