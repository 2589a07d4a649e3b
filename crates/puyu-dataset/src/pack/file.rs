//! The file of a plan.
//!
//! `PUYUPACK`, the length of the header as `u64`, the header as JSON, zeros up to a multiple of 64
//! bytes; then, little-endian, `u64` where each row's pieces begin and the end, `u64` the first
//! token of each piece, `u32` the tokens of each piece.

use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::options::PackOptions;
use super::plan::PackPlan;
use super::report::PackReport;
use crate::atomic::write_atomic;
use crate::error::DatasetError;
use crate::row::Fingerprint;
use crate::tokens::{Words, damaged, le_bytes};

const MAGIC: &[u8; 8] = b"PUYUPACK";
/// Magic and length of the header.
const PREFIX_BYTES: usize = 16;
/// A header has about 700 bytes.
const MAX_HEADER_BYTES: u64 = 1 << 16;
const ALIGN: usize = 64;

/// What a plan says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) options: PackOptions,
    pub(super) n_documents: u64,
    pub(super) n_tokens: u64,
    pub(super) n_pieces: u64,
    pub(super) report: PackReport,
    pub(super) lengths_hash: Fingerprint,
    /// Over all that follows the header.
    pub(super) body_hash: Fingerprint,
}

impl Header {
    pub(super) const VERSION: u32 = 1;

    /// The size of row bounds, of pieces, and of all; `None` beyond 2^64.
    fn sizes(&self) -> Option<(u64, u64, u64)> {
        let bounds = self.report.packs.checked_add(1)?.checked_mul(8)?;
        let starts = self.n_pieces.checked_mul(8)?;
        let all = bounds.checked_add(starts)?.checked_add(self.n_pieces.checked_mul(4)?)?;
        Some((bounds, starts, all))
    }
}

impl PackPlan {
    /// Writes the plan to a file, which is the old one or the new one but never a part.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), DatasetError> {
        let path = path.as_ref();
        let header = serde_json::to_vec(&self.header)
            .map_err(|error| DatasetError::io("write", path)(error.into()))?;
        let written = PREFIX_BYTES + header.len();
        let padding = vec![0; written.next_multiple_of(ALIGN) - written];
        let parts: [&[u8]; 7] = [
            MAGIC,
            &(header.len() as u64).to_le_bytes(),
            &header,
            &padding,
            &le_bytes(self.packs.as_slice()),
            &le_bytes(self.starts.as_slice()),
            &le_bytes(self.lengths.as_slice()),
        ];
        write_atomic(path, &parts)
    }

    /// Maps a plan. Its structure is checked, its hash is not.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Damaged`] if the file contradicts itself, [`DatasetError::Unsupported`] for
    /// another version, [`DatasetError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DatasetError> {
        let path = path.as_ref();
        let bytes = crate::mapped::map(path)?;
        let (header, body) = split(path, &bytes)?;
        let plan = cut(path, header, &body)?;
        plan.check(path)?;
        Ok(plan)
    }

    /// Compares a plan with the hash of its header.
    ///
    /// # Errors
    ///
    /// [`DatasetError::Damaged`], naming `path`.
    pub fn verify(&self, path: impl AsRef<Path>) -> Result<(), DatasetError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&le_bytes(self.packs.as_slice()));
        hasher.update(&le_bytes(self.starts.as_slice()));
        hasher.update(&le_bytes(self.lengths.as_slice()));
        let found = Fingerprint(hasher.finalize().into());
        if found != self.header.body_hash {
            return Err(damaged(path.as_ref(), "blake3 hash", self.header.body_hash, found));
        }
        Ok(())
    }

    /// Refuses a structure that reading rows could not rely on.
    fn check(&self, path: &Path) -> Result<(), DatasetError> {
        let header = &self.header;
        header.options.check()?;
        let bounds = self.packs.as_slice();
        let ends = (bounds.first().copied(), bounds.last().copied());
        if ends != (Some(0), Some(header.n_pieces))
            || bounds.windows(2).any(|pair| pair[0] >= pair[1])
        {
            let expected = format!("rising from 0 to {}", header.n_pieces);
            return Err(damaged(path, "row bounds", expected, "others"));
        }
        let lengths = self.lengths.as_slice();
        for (&start, &length) in self.starts.as_slice().iter().zip(lengths) {
            let end = start.checked_add(u64::from(length));
            if length == 0 || end.is_none_or(|end| end > header.n_tokens) {
                let expected = format!("one or more of {} tokens", header.n_tokens);
                return Err(damaged(path, "piece", expected, format!("{length} at {start}")));
            }
        }
        let row = u64::from(header.options.pack_tokens);
        for pair in bounds.windows(2) {
            let pieces = &lengths[pair[0] as usize..pair[1] as usize];
            let tokens: u64 = pieces.iter().map(|&length| u64::from(length)).sum();
            if tokens > row {
                return Err(damaged(path, "row", format!("at most {row} tokens"), tokens));
            }
        }
        Ok(())
    }
}

/// The header and what follows it.
fn split(path: &Path, bytes: &Bytes) -> Result<(Header, Bytes), DatasetError> {
    let Some(length) = bytes.strip_prefix(MAGIC).and_then(|rest| rest.first_chunk::<8>()) else {
        let start = &bytes[..bytes.len().min(MAGIC.len())];
        let found = format!("\"{}\"", start.escape_ascii());
        return Err(damaged(path, "magic", "\"PUYUPACK\"", found));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        return Err(damaged(path, "header", format!("at most {MAX_HEADER_BYTES} bytes"), length));
    }
    let end = PREFIX_BYTES + length as usize;
    let body = end.next_multiple_of(ALIGN);
    if body > bytes.len() {
        return Err(damaged(path, "size in bytes", format!("{body} or more"), bytes.len()));
    }
    let header: Header = serde_json::from_slice(&bytes[PREFIX_BYTES..end])
        .map_err(|error| damaged(path, "header", "the header of a pack plan", error))?;
    if header.version != Header::VERSION {
        return Err(DatasetError::Unsupported {
            path: path.to_owned(),
            what: format!("version {} of the pack plan", header.version),
            hint: format!("this build reads version {}; pack again", Header::VERSION),
        });
    }
    Ok((header, bytes.slice(body..)))
}

/// Cuts the body into its parts.
fn cut(path: &Path, header: Header, body: &Bytes) -> Result<PackPlan, DatasetError> {
    let found = body.len();
    let (bounds, starts) = match header.sizes() {
        Some((bounds, starts, all)) if all == found as u64 => (bounds as usize, starts as usize),
        Some((_, _, all)) => return Err(damaged(path, "body in bytes", all, found)),
        None => return Err(damaged(path, "body in bytes", "below 2^64", "more, by its header")),
    };
    let whole = || damaged(path, "body", "whole numbers", "a part of one");
    Ok(PackPlan {
        header,
        packs: Words::new(body.slice(..bounds)).ok_or_else(whole)?,
        starts: Words::new(body.slice(bounds..bounds + starts)).ok_or_else(whole)?,
        lengths: Words::new(body.slice(bounds + starts..)).ok_or_else(whole)?,
    })
}
