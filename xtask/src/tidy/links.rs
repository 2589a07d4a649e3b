//! Links: every relative link in a Markdown file leads to something in the repository.

use super::{Finding, House, Outcome};

pub(super) const RULE: &str = "links";

/// Checks all Markdown files.
pub(super) fn check(house: &House) -> Outcome {
    let mut outcome = Outcome { n_items: 0, findings: Vec::new() };
    for file in house.tree.files().iter().filter(|file| file.path.ends_with(".md")) {
        let Some(text) = &file.text else { continue };
        for (line, target) in targets(text) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || is_remote(path) {
                continue;
            }
            outcome.n_items += 1;
            let resolved = resolve(&file.path, path);
            if !resolved.is_some_and(|path| house.tree.holds(&path)) {
                let message = format!("`{path}` does not exist; mend the link");
                outcome.findings.push(Finding::new(&file.path, line, RULE, message));
            }
        }
    }
    outcome
}

fn is_remote(target: &str) -> bool {
    ["http:", "https:", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

/// Targets of `[text](target)` and `[name]: target` outside code, with their lines.
fn targets(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_code = false;
    for (at, line) in markdown.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            continue;
        }
        if is_code {
            continue;
        }
        // Every second piece between backticks is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (close, _) in prose.match_indices("](") {
            let rest = &prose[close + 2..];
            if let Some(end) = rest.find([')', ' ']) {
                found.push((at + 1, rest[..end].to_owned()));
            }
        }
        if let Some((_, target)) = prose.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            found.push((at + 1, target.trim().to_owned()));
        }
    }
    found
}

/// `target`, seen from the folder of `from`, as a path from the root; `None` if it leads outside.
fn resolve(from: &str, target: &str) -> Option<String> {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;
