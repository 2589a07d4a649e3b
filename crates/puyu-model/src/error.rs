//! What can go wrong while reading, building and running a model.

use std::path::PathBuf;

use puyu_core::DeviceSpec;

/// A configuration that cannot describe a decoder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A field that this model type needs is absent.
    #[error("field `{field}` is missing")]
    MissingField {
        /// The field's name in `config.json`.
        field: &'static str,
    },
    /// A field holds a value that cannot be right.
    #[error("field `{field}`: expected {expected}, found {found}")]
    Value {
        /// The field's name in `config.json`.
        field: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The architecture is not one of ours.
    #[error("unknown model_type `{found}`; expected internlm, internlm2, internlm3 or llama")]
    UnknownModelType {
        /// What `model_type` said.
        found: String,
    },
}

/// Why a checkpoint folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: `open`, `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A JSON file is damaged.
    #[error("{} is not valid JSON of the expected form", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The cause, with line and column.
        source: serde_json::Error,
    },
    /// A JSON file is larger than any honest one.
    #[error("{} has {found_bytes} bytes; expected at most {limit_bytes}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        found_bytes: u64,
        /// The largest accepted size.
        limit_bytes: u64,
    },
    /// `config.json` does not describe a decoder.
    #[error("{} does not describe a model", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: ConfigError,
    },
    /// A safetensors file is damaged or hostile.
    #[error("{} is not a valid safetensors file", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: safetensors::SafeTensorError,
    },
    /// The folder holds no weights.
    #[error("{} holds neither model.safetensors nor model.safetensors.index.json", folder.display())]
    NoWeights {
        /// The folder.
        folder: PathBuf,
    },
    /// The weights are a Python pickle.
    #[error(
        "{} is a Python pickle, which can run any code when read; convert it to safetensors first",
        path.display()
    )]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// The index names a file outside the folder.
    #[error("{}: shard name `{shard}` is not a plain file name inside the folder", index.display())]
    ShardName {
        /// The index file.
        index: PathBuf,
        /// The name found.
        shard: String,
    },
    /// The index promises a tensor that its shard does not hold.
    #[error("{}: the index places tensor `{name}` here, but it is absent", shard.display())]
    NotInShard {
        /// The shard.
        shard: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor occurs in two shards.
    #[error("tensor `{name}` occurs in {} and again in {}", first.display(), second.display())]
    Duplicate {
        /// The tensor.
        name: String,
        /// The shard that was read first.
        first: PathBuf,
        /// The other shard.
        second: PathBuf,
    },
    /// A tensor that the configuration calls for is absent.
    #[error("tensor `{name}` of shape {expected:?} is missing from {}", folder.display())]
    MissingTensor {
        /// The folder.
        folder: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape by the configuration.
        expected: Vec<usize>,
    },
    /// A tensor that the configuration has no place for.
    #[error(
        "{}: tensor `{name}` of shape {found:?} has no place in this model; does config.json belong to these weights?",
        path.display()
    )]
    UnexpectedTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tensor has another shape than the configuration says.
    #[error("{}: tensor `{name}`: expected shape {expected:?}, found {found:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The shape by the configuration.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor has a type that its place cannot hold.
    #[error("{}: tensor `{name}`: expected {expected}, found {found:?}", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The accepted types.
        expected: &'static str,
        /// The type in the file.
        found: safetensors::Dtype,
    },
    /// The weights are quantized in a way that is not read yet.
    #[error("{}: quantization {found} is not read; expected awq gemm of 4 bits with zero points, in whole groups", path.display())]
    Quantization {
        /// The configuration file.
        path: PathBuf,
        /// Method, version and bits found.
        found: String,
    },
    /// The device could not be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The tensor library could not read a weight back from the device.
    #[error("cannot read tensor `{name}` back from the device: {reason}")]
    ReadBack {
        /// The tensor.
        name: String,
        /// The tensor library's words.
        reason: String,
    },
}

/// Why a device could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The program was built without the backend.
    #[error("device `{device}` needs feature `{feature}`, which this program was built without")]
    NotBuilt {
        /// The device asked for.
        device: DeviceSpec,
        /// The cargo feature to enable.
        feature: &'static str,
    },
    /// The device kind is not known to this crate.
    #[error("device `{device}` is not supported by this model")]
    Unsupported {
        /// The device asked for.
        device: DeviceSpec,
    },
}

/// Why a forward pass was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// There is nothing to compute.
    #[error("the batch is empty; expected at least one sequence of at least one token")]
    Empty,
    /// The rows of a batch differ in length.
    #[error("row {row} has {found} tokens; expected {expected}, as row 0")]
    Ragged {
        /// The row.
        row: usize,
        /// Tokens of row 0.
        expected: usize,
        /// Tokens of this row.
        found: usize,
    },
    /// The batch does not fit the cache it is given.
    #[error("the batch has {found} rows; the cache was made for {expected}")]
    BatchSize {
        /// Rows of the cache.
        expected: usize,
        /// Rows of the batch.
        found: usize,
    },
    /// A token id is not in the vocabulary.
    #[error("row {row}, token {position}: id {found} is outside the vocabulary of {vocab_size}")]
    TokenId {
        /// The row.
        row: usize,
        /// Index in the row.
        position: usize,
        /// The id.
        found: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// The cache has no room for the new tokens.
    #[error("{needed} tokens do not fit the cache of {capacity}")]
    CacheFull {
        /// Tokens cached and new.
        needed: usize,
        /// Tokens the cache may hold.
        capacity: usize,
    },
    /// A sequence names a block that the cache does not have.
    #[error("row {row}: block {block} does not exist, the cache has {n_blocks}")]
    NoSuchBlock {
        /// The row.
        row: usize,
        /// The block.
        block: u32,
        /// Blocks of the cache.
        n_blocks: usize,
    },
    /// The model has another head than the call needs.
    #[error("this model has {found}; the call needs {expected}")]
    Head {
        /// What the call needs.
        expected: &'static str,
        /// What the model has.
        found: &'static str,
    },
    /// The device failed.
    #[error("the device failed: {reason}")]
    Device {
        /// The tensor library's words.
        reason: String,
    },
}
