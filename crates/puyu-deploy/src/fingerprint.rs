//! What tells one model's answers from another's.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use puyu_model::LoadOptions;

use crate::error::PipelineError;
use crate::options::PipelineOptions;

/// Extension of weight files.
const WEIGHTS: &str = "safetensors";

/// Bytes read at each sampled place of a weight file.
const SAMPLE_BYTES: u64 = 4096;

/// Places sampled in a weight file. 256 places of 4 KiB take a few milliseconds; training changes
/// all weights, so any of them shows it.
const N_SAMPLES: u64 = 256;

/// Weight files up to this size are hashed whole, and all other files of whatever size.
const WHOLE_BYTES: u64 = 16 << 20;

/// A hash over configuration, tokenizer, template, number types and a sample of the weights.
///
/// Large weight files are sampled at evenly spaced places, their header and end included.
pub(crate) fn of(folder: &Path, options: &PipelineOptions) -> Result<String, PipelineError> {
    let read = |path: &Path| {
        let path = path.to_owned();
        move |source| PipelineError::Read { path, source }
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(read(folder))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && is_relevant(path))
        .collect();
    files.sort();
    let mut hasher = blake3::Hasher::new();
    // Where quantised weights are kept changes no answer.
    let LoadOptions { weights, compute, .. } = &options.load;
    hasher.update(format!("{weights:?} {compute:?} {:?}", options.ntk_rule).as_bytes());
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        hasher.update(name.as_bytes());
        add_file(&mut hasher, &path).map_err(read(&path))?;
    }
    Ok(format!("blake3:{}", hasher.finalize().to_hex()))
}

/// Whether a file of the folder can change an answer.
fn is_relevant(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        ["json", WEIGHTS, "model", "jinja"].iter().any(|relevant| extension == *relevant)
    })
}

fn add_file(hasher: &mut blake3::Hasher, path: &Path) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let n_bytes = file.metadata()?.len();
    hasher.update(&n_bytes.to_le_bytes());
    let is_weights = path.extension().is_some_and(|extension| extension == WEIGHTS);
    if !is_weights || n_bytes <= WHOLE_BYTES {
        std::io::copy(&mut file, hasher)?;
        return Ok(());
    }
    let mut buffer = Vec::new();
    let last = n_bytes - SAMPLE_BYTES;
    for sample in 0..N_SAMPLES {
        file.seek(SeekFrom::Start(last * sample / (N_SAMPLES - 1)))?;
        buffer.clear();
        (&mut file).take(SAMPLE_BYTES).read_to_end(&mut buffer)?;
        hasher.update(&buffer);
    }
    Ok(())
}
