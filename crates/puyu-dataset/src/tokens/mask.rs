//! A document and which of its tokens are trained; the marks as bits in a file.

use std::path::PathBuf;

use super::files::HashedFile;
use crate::error::DatasetError;

/// The tokens of one document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// The token ids.
    pub ids: Vec<u32>,
    /// For each token whether the model learns to predict it; `None` if it learns all of them.
    pub trained: Option<Vec<bool>>,
}

/// Writes one bit per token, the first token in the lowest bit.
pub(super) struct MarkWriter {
    out: HashedFile,
    byte: u8,
    used: u32,
}

impl MarkWriter {
    /// Begins marks whose first `n_trained` tokens are all trained.
    pub(super) fn create(path: PathBuf, n_trained: u64) -> Result<Self, DatasetError> {
        const ONES: [u8; 4096] = [0xff; 4096];
        let mut writer = Self { out: HashedFile::create(path)?, byte: 0, used: 0 };
        let mut bytes = n_trained / 8;
        while bytes > 0 {
            let n = bytes.min(ONES.len() as u64);
            writer.out.write(&ONES[..n as usize])?;
            bytes -= n;
        }
        for _ in 0..n_trained % 8 {
            writer.push(true)?;
        }
        Ok(writer)
    }

    pub(super) fn push(&mut self, trained: bool) -> Result<(), DatasetError> {
        self.byte |= u8::from(trained) << self.used;
        self.used += 1;
        if self.used == 8 {
            self.out.write(&[self.byte])?;
            (self.byte, self.used) = (0, 0);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<[u8; 32], DatasetError> {
        if self.used > 0 {
            self.out.write(&[self.byte])?;
        }
        self.out.finish()
    }
}

/// Bit `index` of marks.
pub(super) fn mark(bits: &[u8], index: u64) -> bool {
    bits[(index / 8) as usize] >> (index % 8) & 1 == 1
}
