//! The last touch: escapes taken back, formulas put in, blank lines evened out.

use super::guard::{FORMULA_END, FORMULA_START};

/// Makes the Markdown of the serializer what a reader would have written.
pub(super) fn finish(markdown: &str, formulas: &[String]) -> String {
    let mut out = String::with_capacity(markdown.len());
    let (mut in_code, mut blank) = (false, 0);
    for line in markdown.lines() {
        let fence = line.trim_start().starts_with("```");
        let start = out.len();
        if in_code || fence {
            out.push_str(line.trim_end());
        } else {
            unescape(line.trim_end(), &mut out);
        }
        in_code ^= fence;
        blank = if out.len() == start { blank + 1 } else { 0 };
        if blank > 1 && !in_code {
            continue;
        }
        out.push('\n');
    }
    restore(out.trim(), formulas)
}

/// Removes the backslash before punctuation outside code spans.
fn unescape(line: &str, out: &mut String) {
    let mut in_span = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '`' => in_span = !in_span,
            '\\' if !in_span && chars.peek().is_some_and(char::is_ascii_punctuation) => {
                out.extend(chars.next());
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
}

/// Puts the formulas back where the guard left their numbers.
fn restore(text: &str, formulas: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(FORMULA_START) {
        out.push_str(before);
        let number = after.split_once(FORMULA_END);
        let formula = number.and_then(|(number, _)| formulas.get(number.parse::<usize>().ok()?));
        match (formula, number) {
            (Some(formula), Some((_, after))) => {
                out.push_str(formula);
                rest = after;
            }
            _ => rest = after,
        }
    }
    out.push_str(rest);
    out
}
