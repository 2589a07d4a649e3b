//! One file of a data set.

use serde::{Deserialize, Serialize};

use crate::container::{Compression, Detected, Mark};
use crate::row::Fingerprint;

/// One file of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// The path below the manifest's root, with `/` between folders on every system.
    pub path: String,
    /// The size on the disk, in bytes.
    pub n_bytes: u64,
    /// When it was last written, in nanoseconds since 1970; absent where the system does not say.
    pub modified_ns: Option<u64>,
    /// What it is.
    pub kind: Detected,
    /// How many rows it has: bad ones are rows, blank lines are not.
    pub n_rows: u64,
    /// The blake3 hash of its bytes as they lie on the disk.
    pub hash: Fingerprint,
    /// The last row, if the compressed file ends in the middle of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutRow>,
    /// Places to read from, one in about 1024 rows, in order. Offsets are of the uncompressed file.
    #[serde(with = "as_arrays")]
    pub marks: Vec<Mark>,
}

/// The row in which a compressed file ends too early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutRow {
    /// The row's number as messages give it.
    pub row: u64,
    /// Where it begins, in bytes of the uncompressed file.
    pub offset: Option<u64>,
    /// What should have come.
    pub expected: String,
    /// What came.
    pub found: String,
}

impl Shard {
    /// Whether the file is compressed as a whole, so that it has no places to seek to.
    pub fn is_compressed(&self) -> bool {
        self.kind.compression != Compression::None
    }

    /// The last mark at or before a row.
    pub(super) fn mark_before(&self, row: u64) -> Mark {
        let after = self.marks.partition_point(|mark| mark.row <= row);
        after.checked_sub(1).map_or_else(Mark::default, |index| self.marks[index])
    }
}

/// Marks as `[row, line, offset]`: a third of the size of objects.
mod as_arrays {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::container::Mark;

    pub(super) fn serialize<S: Serializer>(marks: &[Mark], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(marks.iter().map(|mark| [mark.row, mark.line, mark.offset]))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Mark>, D::Error> {
        let arrays = Vec::<[u64; 3]>::deserialize(from)?;
        Ok(arrays.into_iter().map(|[row, line, offset]| Mark { row, line, offset }).collect())
    }
}
