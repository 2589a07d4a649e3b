//! Characters by script, where several steps must agree.

/// Whether a code point is a Chinese character: the unified ideographs, their extensions, and the
/// compatibility forms.
///
/// Marks that stand among them (`々`, `〆`, `〇`) are no ideographs here; whoever counts them says so.
/// Hashes on disk depend on these ranges.
#[inline]
pub(crate) fn is_han(code: u32) -> bool {
    // The last range is the two planes set aside for ideographs, assigned or not, so that new
    // versions of Unicode change nothing.
    matches!(code, 0x4e00..=0x9fff | 0x3400..=0x4dbf | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff)
}

#[cfg(test)]
mod tests {
    use super::is_han;

    #[test]
    fn chinese_characters_of_all_planes_are_han_and_other_marks_are_not() {
        let blocks = ['\u{3400}', '\u{4e00}', '\u{9fff}', '\u{f900}', '\u{2_0000}', '\u{3_ffff}'];
        for c in "浦语書".chars().chain(blocks) {
            assert!(is_han(c.into()), "{c:?}");
        }
        for c in "aé々〇、ひカー한Ａ😀䷀".chars() {
            assert!(!is_han(c.into()), "{c:?}");
        }
    }
}
