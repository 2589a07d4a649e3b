//! Numbers that another program computed, read from safetensors and JSON files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

#[cfg(test)]
mod tests;

/// A safetensors file of expected values, read whole.
///
/// Made for tests: whatever is wrong panics with the file's and the tensor's name.
///
/// # Examples
///
/// ```no_run
/// use puyu_testkit::{Golden, shared};
///
/// let Some(path) = shared("fixtures/ops/golden.safetensors") else { return };
/// let golden = Golden::open(path);
/// let logits: Vec<f32> = golden.f32("sampling.logits");
/// assert_eq!(golden.shape("sampling.logits"), [3, 50]);
/// ```
#[derive(Debug)]
pub struct Golden {
    path: PathBuf,
    tensors: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Golden {
    /// Reads a file.
    ///
    /// # Panics
    ///
    /// If the file cannot be read or is not safetensors.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_path_buf();
        let bytes = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let file = SafeTensors::deserialize(&bytes)
            .unwrap_or_else(|error| panic!("{} is damaged: {error}", path.display()));
        let tensors = file
            .iter()
            .map(|(name, view)| {
                let (dtype, shape) = (view.dtype(), view.shape().to_vec());
                (name.to_owned(), Entry { dtype, shape, bytes: view.data().to_vec() })
            })
            .collect();
        Self { path, tensors }
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Whether the file has this tensor.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The shape of a tensor.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    #[track_caller]
    pub fn shape(&self, name: &str) -> &[usize] {
        &self.entry(name).shape
    }

    /// The values of a tensor of `f32`, `f64`, `bf16` or `f16`, in `f32` and row-major order.
    ///
    /// # Panics
    ///
    /// If there is no such tensor or it holds no floats.
    #[track_caller]
    pub fn f32(&self, name: &str) -> Vec<f32> {
        let Entry { dtype, bytes, .. } = self.entry(name);
        match dtype {
            Dtype::F32 => decode(bytes, f32::from_le_bytes),
            Dtype::F64 => decode(bytes, |b| f64::from_le_bytes(b) as f32),
            Dtype::BF16 => decode(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Dtype::F16 => decode(bytes, |b| f16::from_le_bytes(b).to_f32()),
            _ => self.wrong_dtype(name, "floats"),
        }
    }

    /// The values of a tensor of `f64`, or of narrower floats widened, in row-major order.
    ///
    /// # Panics
    ///
    /// If there is no such tensor or it holds no floats.
    #[track_caller]
    pub fn f64(&self, name: &str) -> Vec<f64> {
        let Entry { dtype, bytes, .. } = self.entry(name);
        match dtype {
            Dtype::F64 => decode(bytes, f64::from_le_bytes),
            _ => self.f32(name).into_iter().map(f64::from).collect(),
        }
    }

    /// The values of a tensor of integers or booleans, in row-major order.
    ///
    /// # Panics
    ///
    /// If there is no such tensor, or it holds no integers, or one beyond `i64`.
    #[track_caller]
    pub fn i64(&self, name: &str) -> Vec<i64> {
        let Entry { dtype, bytes, .. } = self.entry(name);
        match dtype {
            Dtype::I64 => decode(bytes, i64::from_le_bytes),
            Dtype::I32 => decode(bytes, |b| i64::from(i32::from_le_bytes(b))),
            Dtype::I16 => decode(bytes, |b| i64::from(i16::from_le_bytes(b))),
            Dtype::I8 => decode(bytes, |b| i64::from(i8::from_le_bytes(b))),
            Dtype::U8 | Dtype::BOOL => decode(bytes, |[b]| i64::from(b)),
            Dtype::U16 => decode(bytes, |b| i64::from(u16::from_le_bytes(b))),
            Dtype::U32 => decode(bytes, |b| i64::from(u32::from_le_bytes(b))),
            Dtype::U64 => decode(bytes, |b| {
                i64::try_from(u64::from_le_bytes(b)).expect("goldens hold no integers beyond i64")
            }),
            _ => self.wrong_dtype(name, "integers"),
        }
    }

    /// The values of a tensor of token ids, in row-major order.
    ///
    /// # Panics
    ///
    /// If there is no such tensor, or it holds anything but integers of `u32`.
    #[track_caller]
    pub fn u32(&self, name: &str) -> Vec<u32> {
        let narrow = |value: i64| {
            u32::try_from(value).unwrap_or_else(|_| panic!("`{name}` holds {value}, expected u32"))
        };
        self.i64(name).into_iter().map(narrow).collect()
    }

    /// The bytes of a tensor of any type, little-endian, in row-major order.
    ///
    /// # Panics
    ///
    /// If there is no such tensor.
    #[track_caller]
    pub fn bytes(&self, name: &str) -> &[u8] {
        &self.entry(name).bytes
    }

    #[track_caller]
    fn entry(&self, name: &str) -> &Entry {
        self.tensors.get(name).unwrap_or_else(|| {
            panic!("{} has no tensor `{name}`; it has {:?}", self.path.display(), self.names())
        })
    }

    #[track_caller]
    fn wrong_dtype(&self, name: &str, expected: &str) -> ! {
        let dtype = self.entry(name).dtype;
        panic!("{}: `{name}` is {dtype:?}, expected {expected}", self.path.display())
    }
}

/// Reads a JSON file.
///
/// # Panics
///
/// If the file cannot be read or is not JSON.
#[track_caller]
pub fn golden_json(path: impl AsRef<Path>) -> serde_json::Value {
    let path = path.as_ref();
    let text = std::fs::read(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{} is damaged: {error}", path.display()))
}

fn decode<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (blocks, _) = bytes.as_chunks::<N>();
    blocks.iter().map(|&block| read(block)).collect()
}
