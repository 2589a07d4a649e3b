//! Writes the logits after each token, and on request the tensors on the way, as safetensors.
//!
//! ```text
//! cargo run --release --example logits -- --model DIR --ids 1,2,3 --out logits.safetensors --taps
//! ```
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a front end talks to its user")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use burn::tensor::Tensor;
use clap::Parser;
use puyu::model::{Checkpoint, KvCache, SequencePlan, Tap, open_device, read};
use puyu_examples::{ModelArguments, fail, parse_ids};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Writes the logits after each token of a sequence.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Token ids, as they are: 1,2,3.
    #[arg(long)]
    ids: String,
    /// File to write: tensor `logits` [T, V], f32.
    #[arg(long)]
    out: PathBuf,
    /// Writes the hidden states on the way too, [T, D] each, under the names of their taps.
    #[arg(long)]
    taps: bool,
    /// Prints one JSON object about what was written.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// A matrix about to be written.
struct Written {
    name: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Written {
    fn new(name: impl Into<String>, x_btd: Tensor<3>) -> anyhow::Result<Self> {
        let [_b, t, d] = x_btd.dims();
        let bytes = read(x_btd)?.into_iter().flat_map(f32::to_le_bytes).collect();
        Ok(Self { name: name.into(), shape: vec![t, d], bytes })
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let ids = parse_ids(&arguments.ids).map_err(anyhow::Error::msg)?;
    let device = open_device(arguments.model.device)?;
    let model = Checkpoint::open(arguments.model.folder())?
        .load(&arguments.model.load_options(), &device)?;
    let (mut written, mut failure) = (Vec::new(), None);
    let mut observer = |tap: Tap, x_btd: &Tensor<3>| {
        if arguments.taps {
            match Written::new(tap.to_string(), x_btd.clone()) {
                Ok(tensor) => written.push(tensor),
                Err(error) => failure = Some(error),
            }
        }
    };
    let plan = SequencePlan::unpadded(vec![ids.len()]);
    let mut cache = KvCache::new(model.config(), plan, ids.len());
    let hidden = model.hidden(std::slice::from_ref(&ids), &mut cache, &mut observer)?;
    failure.map_or(Ok(()), Err)?;
    written.push(Written::new("logits", model.project(hidden))?);

    write(&arguments.out, &written)?;
    if arguments.json {
        let shapes: serde_json::Map<String, serde_json::Value> =
            written.iter().map(|one| (one.name.clone(), one.shape.clone().into())).collect();
        println!("{}", serde_json::json!({ "out": arguments.out, "tensors": shapes }));
    } else {
        println!("wrote {} tensors to {}", written.len(), arguments.out.display());
    }
    Ok(())
}

/// Writes beside the place and renames, so that a reader never meets half a file.
fn write(path: &Path, tensors: &[Written]) -> anyhow::Result<()> {
    let views: Result<Vec<_>, _> = tensors
        .iter()
        .map(|one| {
            TensorView::new(Dtype::F32, one.shape.clone(), &one.bytes)
                .map(|view| (one.name.as_str(), view))
        })
        .collect();
    let bytes = safetensors::serialize(views?, None)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    std::io::Write::write_all(&mut temporary, &bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}
