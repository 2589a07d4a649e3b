//! Names of devices, as users write them: `cpu`, `cuda`, `cuda:1`, `wgpu:0`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::DeviceError;

#[cfg(test)]
mod tests;

/// Where a model runs. A name only: whether the device exists is found out when it is opened.
///
/// # Examples
///
/// ```
/// use puyu_core::DeviceSpec;
///
/// let device: DeviceSpec = "cuda:1".parse()?;
/// assert_eq!(device, DeviceSpec::Cuda { index: 1 });
/// assert_eq!(device.to_string(), "cuda:1");
/// assert_eq!("cuda".parse::<DeviceSpec>()?, DeviceSpec::Cuda { index: 0 });
/// # Ok::<(), puyu_core::DeviceError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceSpec {
    /// The processor. The default, since every machine has one.
    #[default]
    Cpu,
    /// A graphics card of NVIDIA through CUDA.
    Cuda {
        /// The card's number, counted from 0 as CUDA counts.
        index: usize,
    },
    /// A graphics card through Vulkan, Metal or DirectX.
    Wgpu {
        /// The discrete card's number, counted from 0.
        index: usize,
    },
}

impl DeviceSpec {
    /// What [`FromStr`] accepts, for help texts.
    pub const ACCEPTED: &'static str = "`cpu`, `cuda`, `cuda:N`, `wgpu` or `wgpu:N`";
}

impl FromStr for DeviceSpec {
    type Err = DeviceError;

    /// Reads a name. Case and surrounding white space do not matter; no index means index 0.
    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let name = text.trim().to_ascii_lowercase();
        let (kind, index) = match name.split_once(':') {
            Some((kind, index)) => (kind, Some(index)),
            None => (name.as_str(), None),
        };
        match (kind, index) {
            ("cpu", None) => Ok(DeviceSpec::Cpu),
            ("cpu", Some(_)) => Err(DeviceError::IndexOnCpu { found: text.to_owned() }),
            ("cuda", index) => Ok(DeviceSpec::Cuda { index: parse_index(text, index)? }),
            ("wgpu", index) => Ok(DeviceSpec::Wgpu { index: parse_index(text, index)? }),
            _ => Err(DeviceError::Unknown { found: text.to_owned() }),
        }
    }
}

fn parse_index(text: &str, index: Option<&str>) -> Result<usize, DeviceError> {
    let Some(index) = index else { return Ok(0) };
    // `usize::from_str` accepts a plus sign, which no tool writes.
    if !index.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DeviceError::Index { found: text.to_owned() });
    }
    index.parse().map_err(|_| DeviceError::Index { found: text.to_owned() })
}

impl fmt::Display for DeviceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceSpec::Cpu => f.write_str("cpu"),
            DeviceSpec::Cuda { index } => write!(f, "cuda:{index}"),
            DeviceSpec::Wgpu { index } => write!(f, "wgpu:{index}"),
        }
    }
}

impl Serialize for DeviceSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
