//! Patterns that propose spans, and the choice among overlapping ones.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::{PiiKind, checks};

struct Pattern {
    kind: PiiKind,
    regex: Regex,
    /// Cuts the match down to what counts, or refuses it.
    accept: fn(&str, Range<usize>) -> Option<Range<usize>>,
}

/// In the order of precedence: where spans overlap, the earlier pattern wins.
static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let pattern = |kind, regex, accept: fn(&str, Range<usize>) -> Option<Range<usize>>| Pattern {
        kind,
        regex: Regex::new(regex).expect("every pattern is a constant that the tests compile"),
        accept,
    };
    vec![
        pattern(
            PiiKind::UrlToken,
            r"(?i-u)(?:https?|ftp|wss?|postgres(?:ql)?|mysql|redis|mongodb(?:\+srv)?|amqps?)://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+",
            checks::url_with_secret,
        ),
        pattern(
            PiiKind::Email,
            r"(?-u)[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}",
            checks::email,
        ),
        pattern(
            PiiKind::IdCn,
            r"(?-u)[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]",
            checks::chinese_identity,
        ),
        pattern(
            PiiKind::CreditCard,
            r"(?-u)[0-9]{13,19}|[0-9]{4} [0-9]{4} [0-9]{4} [0-9]{1,4}(?: [0-9]{1,3})?|[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{1,4}(?:-[0-9]{1,3})?|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}",
            checks::card,
        ),
        pattern(
            PiiKind::PhoneCn,
            r"(?-u)(?:\+?86[ -]?)?1[3-9][0-9](?:[0-9]{8}|[ -][0-9]{4}[ -][0-9]{4})|(?:\+?86[ -]?)?(?:\(0[0-9]{2,3}\) ?|0[0-9]{2,3}-)[0-9]{7,8}(?:-[0-9]{1,6})?",
            checks::number,
        ),
        pattern(
            PiiKind::PhoneUs,
            r"(?-u)(?:\+?1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}",
            checks::number,
        ),
        pattern(PiiKind::Ipv4, r"(?-u)[0-9]{1,3}(?:\.[0-9]{1,3}){3}", checks::ipv4),
        pattern(PiiKind::Ipv6, r"(?-u)[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:.]{1,43}", checks::ipv6),
    ]
});

/// The spans of these kinds in bytes, in order, none overlapping.
pub(super) fn resolve(text: &str, kinds: &[PiiKind]) -> Vec<(PiiKind, Range<usize>)> {
    let wanted = PATTERNS.iter().filter(|pattern| kinds.contains(&pattern.kind));
    let mut spans: Vec<(PiiKind, Range<usize>)> = Vec::new();
    for pattern in wanted.filter(|pattern| possible(text, pattern.kind)) {
        let found = pattern.regex.find_iter(text);
        let mut new: Vec<_> = found
            .filter_map(|found| (pattern.accept)(text, found.range()))
            .filter(|range| is_free(&spans, range))
            .map(|range| (pattern.kind, range))
            .collect();
        if !new.is_empty() {
            spans.append(&mut new);
            spans.sort_unstable_by_key(|(_, range)| range.start);
        }
    }
    spans
}

/// Whether no span, all of them in order, touches this range.
fn is_free(spans: &[(PiiKind, Range<usize>)], range: &Range<usize>) -> bool {
    let after = spans.partition_point(|(_, span)| span.end <= range.start);
    spans.get(after).is_none_or(|(_, span)| span.start >= range.end)
}

/// A cheap condition without which a kind cannot occur.
fn possible(text: &str, kind: PiiKind) -> bool {
    let needle: &[u8] = match kind {
        PiiKind::UrlToken => b"://",
        PiiKind::Email => b"@",
        PiiKind::Ipv4 => b".",
        PiiKind::Ipv6 => b":",
        _ => return text.bytes().any(|byte| byte.is_ascii_digit()),
    };
    memchr::memmem::find(text.as_bytes(), needle).is_some()
}
