//! The formats of codes, as types for the kernels.

use half::{bf16, f16};

use super::layout::UNIT;

#[cfg(target_arch = "x86_64")]
use super::avx2::Load;

/// A format that every version can widen.
#[cfg(target_arch = "x86_64")]
pub(super) trait Stored: Format + Load {}

#[cfg(target_arch = "x86_64")]
impl<T: Format + Load> Stored for T {}

/// A format that every version can widen.
#[cfg(not(target_arch = "x86_64"))]
pub(super) trait Stored: Format {}

#[cfg(not(target_arch = "x86_64"))]
impl<T: Format> Stored for T {}

/// How [`UNIT`] codes are stored.
pub(super) trait Format: Copy + Send + Sync {
    /// Their bytes.
    type Unit: Copy + Send + Sync + 'static;

    /// Whether a scale and a minimum belong to each row.
    const IS_INTEGER: bool;

    /// Cuts codes into units.
    fn units(codes: &[u8]) -> &[Self::Unit];

    /// The codes as floats.
    fn widen(unit: &Self::Unit) -> [f32; UNIT];
}

/// [`KvType::F32`](super::KvType::F32).
#[derive(Debug, Clone, Copy)]
pub(super) struct F32;

/// [`KvType::F16`](super::KvType::F16).
#[derive(Debug, Clone, Copy)]
pub(super) struct F16;

/// [`KvType::Bf16`](super::KvType::Bf16).
#[derive(Debug, Clone, Copy)]
pub(super) struct Bf16;

/// [`KvType::Int8`](super::KvType::Int8).
#[derive(Debug, Clone, Copy)]
pub(super) struct Int8;

/// [`KvType::Int4`](super::KvType::Int4).
#[derive(Debug, Clone, Copy)]
pub(super) struct Int4;

impl Format for F32 {
    type Unit = [u8; 64];
    const IS_INTEGER: bool = false;

    fn units(codes: &[u8]) -> &[Self::Unit] {
        codes.as_chunks().0
    }

    #[inline]
    fn widen(unit: &Self::Unit) -> [f32; UNIT] {
        std::array::from_fn(|i| f32::from_le_bytes(unit.as_chunks().0[i]))
    }
}

impl Format for F16 {
    type Unit = [u8; 32];
    const IS_INTEGER: bool = false;

    fn units(codes: &[u8]) -> &[Self::Unit] {
        codes.as_chunks().0
    }

    #[inline]
    fn widen(unit: &Self::Unit) -> [f32; UNIT] {
        std::array::from_fn(|i| f16::from_le_bytes(unit.as_chunks().0[i]).to_f32())
    }
}

impl Format for Bf16 {
    type Unit = [u8; 32];
    const IS_INTEGER: bool = false;

    fn units(codes: &[u8]) -> &[Self::Unit] {
        codes.as_chunks().0
    }

    #[inline]
    fn widen(unit: &Self::Unit) -> [f32; UNIT] {
        std::array::from_fn(|i| bf16::from_le_bytes(unit.as_chunks().0[i]).to_f32())
    }
}

impl Format for Int8 {
    type Unit = [u8; 16];
    const IS_INTEGER: bool = true;

    fn units(codes: &[u8]) -> &[Self::Unit] {
        codes.as_chunks().0
    }

    #[inline]
    fn widen(unit: &Self::Unit) -> [f32; UNIT] {
        unit.map(f32::from)
    }
}

impl Format for Int4 {
    type Unit = [u8; 8];
    const IS_INTEGER: bool = true;

    fn units(codes: &[u8]) -> &[Self::Unit] {
        codes.as_chunks().0
    }

    #[inline]
    fn widen(unit: &Self::Unit) -> [f32; UNIT] {
        std::array::from_fn(|i| f32::from(if i < 8 { unit[i] & 0x0f } else { unit[i - 8] >> 4 }))
    }
}
