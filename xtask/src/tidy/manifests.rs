//! Manifests: each dependency is declared once, in the root, without default features.
//!
//! One place to see every version; and no default feature that brings in C code, a TLS stack or a
//! second async runtime unless somebody wrote it down.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::workspace::Workspace;
use super::{Finding, House, Outcome};

pub(super) const RULE: &str = "manifests";

const ROOT: &str = "Cargo.toml";

const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Checks the root manifest and the manifests of all members.
pub(super) fn check(house: &House) -> Outcome {
    let mut outcome = Outcome { n_items: 0, findings: Vec::new() };
    let text = house.tree.text(ROOT).unwrap_or_default();
    with_table(text, ROOT, &mut outcome, |table, outcome| {
        check_root(text, table, &house.workspace, outcome);
    });
    for member in &house.workspace.members {
        let text = house.tree.text(&member.manifest).unwrap_or_default();
        with_table(text, &member.manifest, &mut outcome, |table, outcome| {
            check_member(&Manifest { path: &member.manifest, text }, table, outcome);
        });
    }
    outcome
}

/// Parses a manifest and hands its table on; what does not parse is a finding.
fn with_table(
    text: &str,
    path: &str,
    outcome: &mut Outcome,
    then: impl FnOnce(&DeTable<'_>, &mut Outcome),
) {
    match DeTable::parse(text) {
        Ok(table) => then(table.get_ref(), outcome),
        Err(error) => {
            let line = error.span().map_or(1, |span| line_at(text, span.start));
            let message = format!("is not TOML: {}; mend it", error.message());
            outcome.findings.push(Finding::new(path, line, RULE, message));
        }
    }
}

struct Manifest<'m> {
    path: &'m str,
    text: &'m str,
}

/// `[workspace.dependencies]`: every entry says `default-features = false`. A crate of ours may
/// leave it out if it has no default features.
fn check_root(text: &str, table: &DeTable<'_>, workspace: &Workspace, outcome: &mut Outcome) {
    let dependencies = table.get("workspace").and_then(|w| sub_table(w.get_ref(), "dependencies"));
    for (name, value) in dependencies.into_iter().flatten() {
        outcome.n_items += 1;
        let name_text = name.get_ref().as_ref();
        let is_ours = sub_value(value, "path").is_some();
        let has_defaults = !is_ours
            || workspace.member(name_text).is_some_and(|member| member.has_default_feature);
        let says_false =
            sub_value(value, "default-features").and_then(DeValue::as_bool) == Some(false);
        if has_defaults && !says_false {
            let message = format!(
                "`{name_text}` brings its default features; add `default-features = false` and \
                 name the features that are needed"
            );
            let line = line_at(text, name.span().start);
            outcome.findings.push(Finding::new(ROOT, line, RULE, message));
        }
    }
}

/// A member's tables: every dependency says `workspace = true`, and so do the lints.
fn check_member(manifest: &Manifest<'_>, table: &DeTable<'_>, outcome: &mut Outcome) {
    check_tables(manifest, table, outcome);
    let targets = table.get("target").and_then(|target| target.get_ref().as_table());
    for (_, target) in targets.into_iter().flatten() {
        if let Some(inner) = target.get_ref().as_table() {
            check_tables(manifest, inner, outcome);
        }
    }

    outcome.n_items += 1;
    let lints = table.get("lints").and_then(|lints| sub_value(lints, "workspace"));
    if lints.and_then(DeValue::as_bool) != Some(true) {
        let message = "does not take the lints of the workspace; add `[lints] workspace = true`";
        outcome.findings.push(Finding::new(manifest.path, 1, RULE, message.to_owned()));
    }
}

fn check_tables(manifest: &Manifest<'_>, table: &DeTable<'_>, outcome: &mut Outcome) {
    let tables = TABLES.iter().filter_map(|name| table.get(*name)?.get_ref().as_table());
    for (name, value) in tables.flatten() {
        outcome.n_items += 1;
        if sub_value(value, "workspace").and_then(DeValue::as_bool) != Some(true) {
            let message = format!(
                "`{name}` is declared here; declare it in [workspace.dependencies] of the root \
                 and write `{name}.workspace = true`",
                name = name.get_ref()
            );
            let line = line_at(manifest.text, name.span().start);
            outcome.findings.push(Finding::new(manifest.path, line, RULE, message));
        }
    }
}

fn sub_table<'v>(value: &'v DeValue<'v>, key: &str) -> Option<&'v DeTable<'v>> {
    value.as_table()?.get(key)?.get_ref().as_table()
}

fn sub_value<'v>(value: &'v Spanned<DeValue<'v>>, key: &str) -> Option<&'v DeValue<'v>> {
    Some(value.get_ref().as_table()?.get(key)?.get_ref())
}

/// Line of a byte offset, counted from 1.
fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests;
