//! Sets and maps whose keys are hashes already, so that they are not hashed again.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

/// A map from hashes of 64 bits.
pub(crate) type PrehashedMap<V> = HashMap<u64, V, BuildHasherDefault<AsIs>>;

/// A set of hashes of 64 bits.
pub(crate) type PrehashedSet = HashSet<u64, BuildHasherDefault<AsIs>>;

/// Takes a `u64` as its own hash.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    /// The trait asks for it; keys of the types above go through `write_u64` alone.
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
