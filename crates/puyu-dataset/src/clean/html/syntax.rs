//! The small print of HTML: where tags end, attributes, entities of titles.

use memchr::memchr;

/// Where the `>` of a tag is; quoted values may hold others.
pub(super) fn tag_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    let mut after_equals = false;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'>' => return at,
            b'"' | b'\'' if after_equals => {
                let Some(length) = memchr(byte, &bytes[at + 1..]) else { return bytes.len() };
                at += length + 1;
                after_equals = false;
            }
            b'=' => after_equals = true,
            byte if byte.is_ascii_whitespace() => {}
            _ => after_equals = false,
        }
        at += 1;
    }
    bytes.len()
}

/// Whether a style hides its element.
pub(super) fn hides(style: &str) -> bool {
    let style: String = style.chars().filter(|c| !c.is_whitespace()).take(200).collect();
    style.contains("display:none") || style.contains("visibility:hidden")
}

/// Names and values of attributes.
pub(super) struct Attributes<'a>(pub(super) &'a str);

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let skipped = self.0.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        // The first character belongs to the name whatever it is.
        let first = skipped.chars().next()?.len_utf8();
        let is_end = |c: char| c.is_ascii_whitespace() || c == '=' || c == '/';
        let name_len = skipped[first..].find(is_end).map_or(skipped.len(), |n| first + n);
        let (name, rest) = skipped.split_at(name_len);
        let after = rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
        let Some(value) = after.strip_prefix('=') else {
            self.0 = rest;
            return Some((name, ""));
        };
        let value = value.trim_start_matches(|c: char| c.is_ascii_whitespace());
        let quoted =
            ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote).map(|v| (quote, v)));
        let (value, rest) = match quoted {
            Some((quote, inner)) => inner.split_once(quote).unwrap_or((inner, "")),
            None => {
                let end = value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len());
                value.split_at(end)
            }
        };
        self.0 = rest;
        Some((name, value))
    }
}

/// The text of a title or formula: entities that occur there decoded, white space evened out.
pub(super) fn plain(text: &str) -> String {
    let decoded = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&");
    decoded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text between tags; entities stay, for the parser to decode.
pub(super) fn without_tags(markup: &str) -> String {
    let mut out = String::new();
    let mut rest = markup;
    while let Some((text, tag)) = rest.split_once('<') {
        out.push_str(text);
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}
