//! The arithmetic that decides whether a candidate is personal data.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// Whether neither a letter, digit nor sign of a longer number continues the match.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let before = &text.as_bytes()[..range.start];
    let after = &text.as_bytes()[range.end..];
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let joined = |byte: Option<&u8>| byte.is_some_and(|b| b".-/".contains(b));
    if word(before.last()) || word(after.first()) {
        return false;
    }
    let continues_before = joined(before.last()) && digit(before.iter().nth_back(1));
    let continues_after = joined(after.first()) && digit(after.get(1));
    !continues_before && !continues_after
}

pub(super) fn number(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    stands_alone(text, &range).then_some(range)
}

pub(super) fn email(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let after = text.as_bytes()[range.end..].first();
    let before = text.as_bytes()[..range.start].last();
    let found = &text[range.clone()];
    let plausible = !found.contains("..")
        && !found.contains(".@")
        && !found.contains("@-")
        && !after.is_some_and(|b| b.is_ascii_alphanumeric() || b"@_".contains(b))
        && !before.is_some_and(|b| b"@".contains(b));
    plausible.then_some(range)
}

/// Weights of GB 11643-1999 and the check characters by remainder.
pub(super) fn chinese_identity(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECK: &[u8; 11] = b"10X98765432";
    let digits = &text.as_bytes()[range.clone()];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(d, w)| u32::from(d - b'0') * w).sum();
    let valid = CHECK[(sum % 11) as usize] == digits[17].to_ascii_uppercase();
    (valid && stands_alone(text, &range)).then_some(range)
}

pub(super) fn card(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let found = text[range.clone()].bytes();
    let digits: Vec<u8> = found.filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
    let valid = is_issued(&digits) && luhn(&digits) && stands_alone(text, &range);
    valid.then_some(range)
}

/// Whether a card network issues numbers of this beginning and length.
fn is_issued(digits: &[u8]) -> bool {
    if digits.len() < 13 {
        return false;
    }
    let prefix = digits[..4].iter().fold(0_u32, |number, d| number * 10 + u32::from(*d));
    let lengths: &[usize] = match prefix {
        4000..=4999 => &[13, 16, 19],
        5100..=5599 | 2221..=2720 => &[16],
        3400..=3499 | 3700..=3799 => &[15],
        3528..=3589 => &[16, 17, 18, 19],
        6200..=6299 | 6011 | 6440..=6599 => &[16, 17, 18, 19],
        3000..=3059 | 3600..=3699 | 3800..=3999 => &[14, 16],
        _ => &[],
    };
    lengths.contains(&digits.len())
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = |d: u8| if d > 4 { 2 * u32::from(d) - 9 } else { 2 * u32::from(d) };
    let sum: u32 = (digits.iter().rev().enumerate())
        .map(|(place, d)| if place % 2 == 1 { doubled(*d) } else { u32::from(*d) })
        .sum();
    sum.is_multiple_of(10)
}

pub(super) fn ipv4(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    // Four small numbers after such a word are a numbering, not an address.
    static NUMBERING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)(?:\b(?:sections?|chapters?|versions?|ver|v|release|build|figure|fig|table|part|clause|appendix|rule|sec|article)|§|版本号?|版|章节?|节|条|款|第|图|表)[\s.:：]*$",
        )
        .expect("a constant that the tests compile")
    });
    let address: Ipv4Addr = text[range.clone()].parse().ok()?;
    let ordinary = !address.is_loopback() && !address.is_broadcast() && address.octets()[0] != 0;
    if !ordinary || !stands_alone(text, &range) {
        return None;
    }
    let context = text[..range.start].char_indices().rev().take(16).last().map_or(0, |(at, _)| at);
    (!NUMBERING.is_match(&text[context..range.start])).then_some(range)
}

pub(super) fn ipv6(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let found = text[range.clone()].trim_end_matches('.');
    // A colon may be punctuation after the address: "2001:db8::1: see".
    let found = [found, found.trim_end_matches(':')]
        .into_iter()
        .find(|found| found.parse::<Ipv6Addr>().is_ok())?;
    let range = range.start..range.start + found.len();
    let first = found.split(':').next().unwrap_or_default();
    // `a::b` is a path of C++ or Rust, `12::30` a time.
    let plausible = first.len() >= 3 && found.bytes().any(|b| b.is_ascii_digit());
    (plausible && stands_alone(text, &range)).then_some(range)
}

pub(super) fn url_with_secret(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    static SECRET: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?i)^[a-z+]+://[^/@\s:?#]*:[^/@\s?#]+@|[?&#;][a-z0-9_.-]*(?:token|key|secret|passw(?:or)?d|pwd|auth|signature|sig|session|sess|sid|credential|access|code|ticket)[a-z0-9_.-]*=[^&#;]{6,}",
        )
        .expect("a constant that the tests compile")
    });
    let found =
        text[range.clone()].trim_end_matches(['.', ',', ':', ';', '!', '?', '\'', ')', ']']);
    SECRET.is_match(found).then(|| range.start..range.start + found.len())
}
