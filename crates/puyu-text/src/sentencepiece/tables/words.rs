//! Pieces by their text, for parts of a text that are one token as a whole.

use super::NONE;

/// A hash table from short texts to ids. Fixed in size, with open addressing; the texts lie in the
/// slots, so a search that finds something usually touches one line of the cache.
#[derive(Debug)]
pub(crate) struct Words {
    slots: Vec<Slot>,
    shift: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    key: Key,
    /// The piece, or [`NONE`] in an empty slot.
    id: u32,
}

/// A text of up to 16 bytes, filled up with zeros, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    first: u64,
    last: u64,
    len: u32,
}

impl Words {
    /// Longest text in the table. Of the tokens of InternLM2 in English and Chinese text fewer than
    /// one in a thousand are longer.
    pub(crate) const MAX_BYTES: usize = 16;

    const EMPTY: Slot = Slot { key: Key { first: 0, last: 0, len: 0 }, id: NONE };

    /// At most half of the slots are taken.
    pub(crate) fn with_capacity(n_words: usize) -> Self {
        let n_slots = (2 * n_words).next_power_of_two().max(2);
        Self { slots: vec![Self::EMPTY; n_slots], shift: 64 - n_slots.trailing_zeros() }
    }

    /// Enters a text that is not there yet, unless it is too long; no more texts than the capacity.
    pub(crate) fn insert(&mut self, text: &[u8], id: u32) {
        if text.len() > Self::MAX_BYTES {
            return;
        }
        let key = Key::within(text, 0, text.len());
        let mut at = self.home(key);
        while self.slots[at].id != NONE {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = Slot { key, id };
    }

    /// The piece that `text[start..end]`, which is not empty, is as a whole, or [`NONE`].
    #[inline]
    pub(crate) fn find(&self, text: &[u8], start: usize, end: usize) -> u32 {
        if end - start > Self::MAX_BYTES {
            return NONE;
        }
        let key = Key::within(text, start, end);
        let mut at = self.home(key);
        loop {
            let slot = &self.slots[at];
            if slot.id == NONE || slot.key == key {
                return slot.id;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    /// As [`find`](Self::find), but may miss what is not in the first place to look at.
    ///
    /// Branches on nothing that it reads, so a processor goes on to the next search while it waits
    /// for memory.
    #[inline]
    pub(crate) fn glance(&self, text: &[u8], start: usize, end: usize) -> u32 {
        if end - start > Self::MAX_BYTES {
            return NONE;
        }
        let key = Key::within(text, start, end);
        let slot = &self.slots[self.home(key)];
        let first_and_last = (slot.key.first ^ key.first) | (slot.key.last ^ key.last);
        let difference = first_and_last | u64::from(slot.key.len ^ key.len);
        slot.id | u32::from(difference != 0).wrapping_neg()
    }

    #[inline]
    fn home(&self, key: Key) -> usize {
        let mixed = key.first.wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ key.last.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        // High bits know all of the bytes; a second round spreads them over those that are used.
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> self.shift) as usize
    }
}

impl Key {
    /// The key of `text[start..end]`, which has one to [`Words::MAX_BYTES`] bytes.
    #[inline]
    fn within(text: &[u8], start: usize, end: usize) -> Self {
        let len = end - start;
        // What follows is read along and masked away: no branch on the length, which no processor
        // can guess.
        let chunk =
            text[start..].first_chunk().copied().unwrap_or_else(|| copied(&text[start..end]));
        let mask = u128::MAX >> (8 * (Words::MAX_BYTES - len));
        let bytes = u128::from_le_bytes(chunk) & mask;
        Self { first: bytes as u64, last: (bytes >> 64) as u64, len: len as u32 }
    }
}

/// The end of a text, filled up with zeros.
#[cold]
fn copied(text: &[u8]) -> [u8; Words::MAX_BYTES] {
    let mut chunk = [0; Words::MAX_BYTES];
    chunk[..text.len()].copy_from_slice(text);
    chunk
}
