//! What is known of single characters and of two side by side.

use super::NONE;

/// What a character is, looked up in two steps: the page of its upper bits, then its place there.
#[derive(Debug)]
pub(crate) struct Characters {
    /// Index of the page of each 256 characters; page 0 is empty.
    page_of: Box<[u16; N_PAGES]>,
    pages: Vec<[Character; PAGE]>,
}

const PAGE: usize = 256;

/// Pages up to U+10FFFF.
const N_PAGES: usize = 0x11_0000 / PAGE;

/// One character: the id of the piece that it is, and whether a user-defined piece starts with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Character {
    id: u32,
    starts_user_defined: bool,
}

impl Character {
    const UNKNOWN: Self = Self { id: NONE, starts_user_defined: false };

    /// The piece that it is, or [`NONE`].
    pub(crate) fn id(self) -> u32 {
        self.id
    }

    pub(crate) fn starts_user_defined(self) -> bool {
        self.starts_user_defined
    }
}

impl Characters {
    pub(crate) fn new() -> Self {
        Self { page_of: Box::new([0; N_PAGES]), pages: vec![[Character::UNKNOWN; PAGE]] }
    }

    pub(crate) fn insert(&mut self, character: char, id: u32) {
        self.entry(character).id = id;
    }

    pub(crate) fn mark_user_defined(&mut self, character: char) {
        self.entry(character).starts_user_defined = true;
    }

    #[inline]
    pub(crate) fn find(&self, character: char) -> Character {
        let number = character as usize;
        self.pages[usize::from(self.page_of[number / PAGE])][number % PAGE]
    }

    fn entry(&mut self, character: char) -> &mut Character {
        let number = character as usize;
        let page = &mut self.page_of[number / PAGE];
        if *page == 0 {
            *page = u16::try_from(self.pages.len()).expect("there are 4352 pages at most");
            self.pages.push([Character::UNKNOWN; PAGE]);
        }
        &mut self.pages[usize::from(*page)][number % PAGE]
    }
}

/// The pairs of neighbouring characters inside of pieces: between all others a text may be cut.
///
/// ASCII has a bit per pair, the rest a bit per hash: a false positive only means a cut less.
#[derive(Debug)]
pub(crate) struct Joints {
    ascii: Box<[u128; 128]>,
    bits: Vec<u64>,
}

impl Joints {
    /// One Mi bits, 128 KiB: the 24 thousand pairs of InternLM2 set one in forty and stay in the
    /// second cache.
    const LOG2_BITS: u32 = 20;

    pub(crate) fn new() -> Self {
        Self { ascii: Box::new([0; 128]), bits: vec![0; 1 << (Self::LOG2_BITS - 6)] }
    }

    pub(crate) fn insert(&mut self, left: char, right: char) {
        if left.is_ascii() && right.is_ascii() {
            self.ascii[left as usize] |= 1 << (right as u32);
        } else {
            let (word, bit) = Self::slot(left, right);
            self.bits[word] |= bit;
        }
    }

    /// Whether some piece may hold `left` just before `right`.
    #[inline]
    pub(crate) fn contains(&self, left: char, right: char) -> bool {
        if left.is_ascii() && right.is_ascii() {
            return (self.ascii[left as usize] >> (right as u32)) & 1 != 0;
        }
        let (word, bit) = Self::slot(left, right);
        self.bits[word] & bit != 0
    }

    #[inline]
    fn slot(left: char, right: char) -> (usize, u64) {
        let pair = (u64::from(u32::from(left)) << 32) | u64::from(u32::from(right));
        // Multiplication by 2^64 over the golden ratio spreads neighbouring values over the top bits.
        let hash = pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - Self::LOG2_BITS);
        ((hash >> 6) as usize, 1 << (hash & 63))
    }
}
