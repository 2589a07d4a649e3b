//! Ids seen so far.

use std::collections::hash_map::Entry;

use xxhash_rust::xxh3::xxh3_64;

use crate::fault::{Fault, FaultKind, excerpt};
use crate::prehashed::PrehashedMap;

/// Remembers the ids of a stream by their xxh3 hash of 64 bits.
///
/// 25 to 50 bytes per id. The chance that any two different ids share a hash is about `n² / 2⁶⁵`: 3 in
/// 100 million for a million ids, 3 % for a billion.
#[derive(Debug, Default)]
pub(super) struct Seen {
    first: PrehashedMap<(u32, u64)>,
}

impl Seen {
    /// Remembers an id, or says where it was first. `name` gives a file's name by number.
    pub(super) fn check(
        &mut self,
        id: &str,
        place: (u32, u64),
        name: impl FnOnce(u32) -> String,
    ) -> Result<(), Fault> {
        match self.first.entry(xxh3_64(id.as_bytes())) {
            Entry::Vacant(entry) => {
                entry.insert(place);
                Ok(())
            }
            Entry::Occupied(entry) => {
                let (file, row) = *entry.get();
                let found = format!("`{}`, first at {}, row {row}", excerpt(id), name(file));
                Err(Fault::field(FaultKind::DuplicateId, "id", "an id of its own", found))
            }
        }
    }
}
