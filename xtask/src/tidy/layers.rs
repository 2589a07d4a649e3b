//! Layers: which of our crates may depend on which, and which stay free of burn.
//!
//! Dev-dependencies may point anywhere among the libraries: tests of a low crate may be written
//! with a high one, because they are not part of what a user compiles.

use super::workspace::{Dependency, Member};
use super::{Finding, House, Outcome};

pub(super) const RULE: &str = "layers";

/// What a package may depend on among our own crates.
enum May {
    /// These and no others.
    Use(&'static [&'static str]),
    /// Every published crate.
    UseLibraries,
    /// Every published crate and the test kit.
    UseLibrariesAndTestkit,
}

/// The house, from the bottom up. A new crate gets a row here in the change that adds it.
const TABLE: [(&str, May); 15] = [
    ("puyu-core", May::Use(&[])),
    ("puyu-kernels", May::Use(&[])),
    ("puyu-text", May::Use(&["puyu-core"])),
    ("puyu-dataset", May::Use(&["puyu-core", "puyu-text"])),
    ("puyu-model", May::Use(&["puyu-core", "puyu-kernels"])),
    ("puyu-train", May::Use(&["puyu-core", "puyu-text", "puyu-dataset", "puyu-model"])),
    (
        "puyu-tune",
        May::Use(&["puyu-core", "puyu-text", "puyu-dataset", "puyu-model", "puyu-train"]),
    ),
    ("puyu-deploy", May::Use(&["puyu-core", "puyu-text", "puyu-model", "puyu-kernels"])),
    ("puyu-compass", May::Use(&["puyu-core", "puyu-dataset"])),
    ("puyu-agent", May::Use(&["puyu-core"])),
    ("puyu", May::UseLibraries),
    ("puyu-testkit", May::Use(&["puyu-core"])),
    ("puyu-examples", May::UseLibrariesAndTestkit),
    ("puyu-tests", May::UseLibrariesAndTestkit),
    ("xtask", May::Use(&[])),
];

/// Nobody builds on these.
const LEAVES: [&str; 3] = ["puyu-examples", "puyu-tests", "xtask"];

const TESTKIT: &str = "puyu-testkit";

/// These compile in seconds to a minute, which they could not with a tensor library below them.
const BURN_FREE: [&str; 7] = [
    "puyu-core",
    "puyu-kernels",
    "puyu-text",
    "puyu-dataset",
    "puyu-compass",
    "puyu-agent",
    TESTKIT,
];

/// Checks every edge between our crates, and that no chain leads from a burn-free crate to burn.
pub(super) fn check(house: &House) -> Outcome {
    let mut n_items = 0;
    let mut findings = Vec::new();
    for member in &house.workspace.members {
        let Some(may) = row(&member.name) else {
            findings.push(Finding::new(
                &member.manifest,
                1,
                RULE,
                format!(
                    "`{}` has no row in the table of layers; add one to xtask/src/tidy/layers.rs",
                    member.name
                ),
            ));
            continue;
        };
        for dependency in member.dependencies.iter().filter(|d| row(&d.name).is_some()) {
            n_items += 1;
            if !is_allowed(may, dependency) {
                findings.push(wrong_edge(house, member, dependency, may));
            }
        }
        if BURN_FREE.contains(&member.name.as_str()) {
            n_items += 1;
            findings.extend(burn_below(house, member));
        }
    }
    Outcome { n_items, findings }
}

fn row(name: &str) -> Option<&'static May> {
    TABLE.iter().find(|(package, _)| *package == name).map(|(_, may)| may)
}

fn is_allowed(may: &May, dependency: &Dependency) -> bool {
    let name = dependency.name.as_str();
    if LEAVES.contains(&name) {
        // The tests run the examples as programs and know what they show.
        return matches!(may, May::UseLibrariesAndTestkit)
            && dependency.is_dev
            && name == "puyu-examples";
    }
    match may {
        _ if dependency.is_dev => true,
        May::Use(allowed) => allowed.contains(&name),
        May::UseLibraries => name != TESTKIT,
        May::UseLibrariesAndTestkit => true,
    }
}

fn wrong_edge(house: &House, member: &Member, dependency: &Dependency, may: &May) -> Finding {
    let allowed = match may {
        May::Use([]) => "none of our crates".to_owned(),
        May::Use(names) => names.join(", "),
        May::UseLibraries | May::UseLibrariesAndTestkit => "the libraries".to_owned(),
    };
    let advice = match dependency.name.as_str() {
        TESTKIT => "make it a dev-dependency",
        _ => "move what is needed down, or speak through a trait of puyu-core",
    };
    let line = line_of(house, &member.manifest, &dependency.name);
    let message = format!(
        "`{}` depends on `{}`, but may use {allowed}; {advice}",
        member.name, dependency.name
    );
    Finding::new(&member.manifest, line, RULE, message)
}

/// Burn below a crate that promises to be free of it: declared (even if optional) or inherited.
fn burn_below(house: &House, member: &Member) -> Option<Finding> {
    let declared = member.dependencies.iter().find(|d| !d.is_dev && is_burn(&d.name));
    let chain = match declared {
        Some(dependency) => vec![member.name.as_str(), dependency.name.as_str()],
        None => house.workspace.chain(member, is_burn)?,
    };
    let next = chain.get(1).copied().unwrap_or_default();
    let line = line_of(house, &member.manifest, next);
    let message = format!(
        "`{}` must not depend on burn, but does: {}; drop `{next}` or move the code up a layer",
        member.name,
        chain.join(" -> ")
    );
    Some(Finding::new(&member.manifest, line, RULE, message))
}

fn is_burn(name: &str) -> bool {
    ["burn", "cubecl"].iter().any(|family| {
        name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

/// First line of the manifest that begins with `name`.
fn line_of(house: &House, manifest: &str, name: &str) -> usize {
    let text = house.tree.text(manifest).unwrap_or_default();
    text.lines().position(|line| line.trim_start().starts_with(name)).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests;
