//! Glossary: one word per concept, in English and in Chinese.

use std::collections::BTreeMap;

use super::{Finding, House, Outcome};

pub(super) const RULE: &str = "glossary";

const GLOSSARY: &str = "docs/GLOSSARY.md";

/// Checks the rows `| English | 中文 | meaning |`.
pub(super) fn check(house: &House) -> Outcome {
    let mut outcome = Outcome { n_items: 0, findings: Vec::new() };
    let rows = rows(house.tree.text(GLOSSARY).unwrap_or_default());
    outcome.n_items = rows.len();
    let mut report = |line: usize, message: String| {
        outcome.findings.push(Finding::new(GLOSSARY, line, RULE, message));
    };

    if rows.is_empty() {
        report(1, "has no terms; write rows `| English | 中文 | meaning |`".to_owned());
    }
    let mut first_lines: BTreeMap<String, usize> = BTreeMap::new();
    for (line, cells) in &rows {
        let cell = |at: usize| cells.get(at).map_or("", String::as_str);
        let (english, chinese) = (cell(0), cell(1));
        if !english.contains(|c: char| c.is_ascii_alphabetic()) {
            report(*line, format!("`{english}` is not an English term; give one"));
        }
        if !chinese.contains(is_han) {
            report(*line, format!("`{english}` has no Chinese term; give one"));
        }
        if cell(2).is_empty() {
            report(*line, format!("`{english}` has no meaning; say it in a sentence"));
        }
        for term in [english, chinese].into_iter().filter(|term| !term.is_empty()) {
            if let Some(first) = first_lines.insert(term.to_lowercase(), *line) {
                let message = format!("`{term}` is also on line {first}; one word has one meaning");
                report(*line, message);
            }
        }
    }
    outcome
}

fn is_han(c: char) -> bool {
    ('\u{4E00}'..='\u{9FFF}').contains(&c)
}

/// Lines and cells of the tables' bodies.
fn rows(markdown: &str) -> Vec<(usize, Vec<String>)> {
    let mut rows = Vec::new();
    let mut is_body = false;
    for (at, line) in markdown.lines().enumerate() {
        let Some(inner) = line.trim().strip_prefix('|') else {
            is_body = false;
            continue;
        };
        if is_body {
            let inner = inner.strip_suffix('|').unwrap_or(inner);
            rows.push((at + 1, inner.split('|').map(|cell| cell.trim().to_owned()).collect()));
        } else {
            // The header comes first; the line of dashes opens the body.
            is_body = !inner.contains(|c: char| !matches!(c, '|' | '-' | ':' | ' '));
        }
    }
    rows
}

#[cfg(test)]
mod tests;
