//! Text as duplicates see it: without case, width, blanks and punctuation.
//!
//! The folding is local: what a character becomes depends on it and its neighbours only, so an
//! edit in one place cannot change the shingles of another. It is a fixed table in this file
//! rather than Unicode NFKC, whose tables change with each Unicode version and would change
//! hashes that were written to disk.
//!
//! - Full-width forms become ASCII (`Ａ` is `A`); letters become lower case.
//! - A run of blanks, control characters and punctuation becomes one space, and nothing at all
//!   beside an ideograph or kana: Chinese text re-wrapped or re-punctuated stays equal.
//! - Everything else (letters of any script, digits, marks, symbols, emoji) stays.

use crate::script::is_han;

/// A folded character and where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folded {
    /// The code point after folding.
    pub code: u32,
    /// The first byte of the original.
    pub start: usize,
    /// The byte after the original.
    pub end: usize,
}

/// The space between folded words.
const SPACE: u32 = 0x20;

/// ASCII after folding; 0 separates.
const ASCII: [u8; 128] = ascii_table();

const fn ascii_table() -> [u8; 128] {
    let mut table = [0; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
}

/// Calls `emit` for each character of the folded text.
///
/// ```
/// use puyu_dataset::dedup::fold::folded;
///
/// assert_eq!(folded("Ｈｅｌｌｏ,\n  World!"), "hello world");
/// assert_eq!(folded("满纸荒唐言，\n一把辛酸泪！"), "满纸荒唐言一把辛酸泪");
/// ```
#[inline]
pub fn fold(text: &str, mut emit: impl FnMut(Folded)) {
    // The end of the last character, and whether a space may follow it.
    let mut before: Option<(usize, bool)> = None;
    for (start, character) in text.char_indices() {
        let end = start + character.len_utf8();
        let code = fold_char(character);
        if code == 0 {
            continue;
        }
        let spaced = !is_ideograph(code);
        if let Some((last_end, last_spaced)) = before
            && last_end < start
            && last_spaced
            && spaced
        {
            emit(Folded { code: SPACE, start: last_end, end: start });
        }
        emit(Folded { code, start, end });
        before = Some((end, spaced));
    }
}

/// The folded text as a string.
pub fn folded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold(text, |unit| out.extend(char::from_u32(unit.code)));
    out
}

/// One word, or one ideograph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Hash of its folded characters.
    pub hash: u64,
    /// Whether it is one ideograph or kana.
    pub is_ideograph: bool,
    /// The first byte of the original.
    pub start: usize,
    /// The byte after the original.
    pub end: usize,
}

/// Calls `emit` for each word of other scripts and each single ideograph.
pub fn fold_tokens(text: &str, mut emit: impl FnMut(Token)) {
    let mut word: Option<Token> = None;
    fold(text, |unit| {
        let is_ideograph = is_ideograph(unit.code);
        if (is_ideograph || unit.code == SPACE)
            && let Some(done) = word.take()
        {
            emit(done);
        }
        let (start, end) = (unit.start, unit.end);
        if is_ideograph {
            emit(Token { hash: mix(u64::from(unit.code)), is_ideograph, start, end });
        } else if unit.code != SPACE {
            let hash = word.map_or(0, |word| word.hash);
            let hash = mix(hash ^ u64::from(unit.code).wrapping_mul(ODD));
            let start = word.map_or(start, |word| word.start);
            word = Some(Token { hash, is_ideograph, start, end });
        }
    });
    if let Some(done) = word {
        emit(done);
    }
}

#[inline]
fn fold_char(character: char) -> u32 {
    let code = character as u32;
    if code < 128 {
        return u32::from(ASCII[code as usize]);
    }
    if is_ideograph(code) {
        return code;
    }
    fold_other(character)
}

fn fold_other(character: char) -> u32 {
    let code = character as u32;
    match code {
        0xff01..=0xff5e => u32::from(ASCII[(code - 0xfee0) as usize]),
        // Latin-1 signs but not the ordinals and micro; general and CJK punctuation; small forms.
        0x80..=0xa9 | 0xab..=0xb4 | 0xb6..=0xb9 | 0xbb..=0xbf | 0xd7 | 0xf7 => 0,
        0x2000..=0x206f | 0x2e00..=0x2e7f | 0x3000..=0x303f | 0x30fb => 0,
        0xfe10..=0xfe1f | 0xfe30..=0xfe6f | 0xfeff | 0xff5f..=0xff65 => 0,
        _ if character.is_whitespace() || character.is_control() => 0,
        // `İ` becomes two characters; the first carries the meaning.
        _ => character.to_lowercase().next().map_or(code, u32::from),
    }
}

/// Whether a code point is an ideograph or kana: a character that carries about two letters' worth
/// of text and is written without spaces.
#[inline]
pub fn is_ideograph(code: u32) -> bool {
    // Beside the characters: `々`, `〆` and `〇`; kana without the middle dot.
    is_han(code) || matches!(code, 0x3005..=0x3007 | 0x3041..=0x30fa | 0x30fc..=0x30ff)
}

/// An odd constant with well spread bits: 2^64 divided by the golden ratio.
pub(super) const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads every bit of `x` over the whole word; a bijection (the finaliser of SplitMix64).
#[inline]
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
