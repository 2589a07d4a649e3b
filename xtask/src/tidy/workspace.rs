//! The packages of the workspace, as `cargo metadata` tells them, reduced to what the rules ask.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// The workspace's packages and everything they are built from.
#[derive(Default)]
pub(super) struct Workspace {
    pub(super) members: Vec<Member>,
    /// Names by package id.
    names: BTreeMap<String, String>,
    /// Normal and build edges between package ids: what a user of a crate compiles.
    edges: BTreeMap<String, BTreeSet<String>>,
}

/// A package of ours.
pub(super) struct Member {
    id: String,
    pub(super) name: String,
    /// Path of `Cargo.toml` from the root.
    pub(super) manifest: String,
    pub(super) dependencies: Vec<Dependency>,
    /// Files that are the root of a crate (library, program, example, test, bench, build script).
    pub(super) roots: Vec<String>,
    /// Names of the example programs.
    pub(super) examples: Vec<String>,
    pub(super) has_default_feature: bool,
}

/// A declared dependency, also one that its features leave out today.
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) is_dev: bool,
}

impl Workspace {
    /// Asks cargo.
    ///
    /// Only the packages of this machine's target are resolved: the others need not be downloaded
    /// to build here, and the declared dependencies are checked for all targets anyway.
    pub(super) fn load(root: &Path) -> anyhow::Result<Self> {
        let mut options = vec!["--filter-platform".to_owned(), host_target()?];
        if !root.join("Cargo.lock").exists() {
            options.push("--offline".to_owned());
        }
        let metadata = MetadataCommand::new()
            .current_dir(root)
            .other_options(options)
            .exec()
            .context("cargo metadata failed")?;
        Self::from_metadata(&metadata)
    }

    fn from_metadata(metadata: &Metadata) -> anyhow::Result<Self> {
        let resolve = metadata.resolve.as_ref().context("cargo metadata gave no graph")?;
        let relative = |path: &cargo_metadata::camino::Utf8Path| {
            let inside = path.strip_prefix(&metadata.workspace_root).unwrap_or(path);
            without_turns(&inside.as_str().replace('\\', "/"))
        };

        let mut members = Vec::new();
        for package in metadata.workspace_packages() {
            let examples = package.targets.iter().filter(|target| target.is_example());
            members.push(Member {
                id: package.id.repr.clone(),
                name: package.name.to_string(),
                manifest: relative(&package.manifest_path),
                dependencies: package.dependencies.iter().map(Dependency::from_cargo).collect(),
                roots: package.targets.iter().map(|target| relative(&target.src_path)).collect(),
                examples: examples.map(|target| target.name.clone()).collect(),
                has_default_feature: package
                    .features
                    .get("default")
                    .is_some_and(|features| !features.is_empty()),
            });
        }

        let names = metadata.packages.iter().map(|p| (p.id.repr.clone(), p.name.to_string()));
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in &resolve.nodes {
            let built = node.deps.iter().filter(|dependency| {
                let kinds = &dependency.dep_kinds;
                kinds.is_empty() || kinds.iter().any(|k| k.kind != DependencyKind::Development)
            });
            edges.insert(node.id.repr.clone(), built.map(|d| d.pkg.repr.clone()).collect());
        }
        Ok(Self { members, names: names.collect(), edges })
    }

    /// The member called `name`.
    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// The member whose folder holds `path`.
    pub(super) fn owner(&self, path: &str) -> Option<&Member> {
        let holds = |member: &&Member| path.starts_with(member.folder());
        self.members.iter().filter(holds).max_by_key(|member| member.folder().len())
    }

    /// A shortest chain of names from `member` to a package whose name `is_target`, if any.
    pub(super) fn chain(
        &self,
        member: &Member,
        is_target: impl Fn(&str) -> bool,
    ) -> Option<Vec<&str>> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = VecDeque::from([member.id.as_str()]);
        while let Some(id) = queue.pop_front() {
            if id != member.id && self.names.get(id).is_some_and(|name| is_target(name)) {
                let ids = std::iter::successors(Some(id), |id| came_from.get(id).copied());
                let mut names: Vec<&str> =
                    ids.filter_map(|id| self.names.get(id).map(String::as_str)).collect();
                names.reverse();
                return Some(names);
            }
            for next in self.edges.get(id).into_iter().flatten() {
                if *next != member.id && !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, id);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

impl Member {
    /// Folder of the package from the root, with a slash at the end.
    pub(super) fn folder(&self) -> &str {
        self.manifest.strip_suffix("Cargo.toml").unwrap_or(&self.manifest)
    }
}

impl Dependency {
    fn from_cargo(dependency: &cargo_metadata::Dependency) -> Self {
        Self {
            name: dependency.name.clone(),
            is_dev: dependency.kind == DependencyKind::Development,
        }
    }
}

/// The target that this machine builds for, such as `x86_64-unknown-linux-gnu`.
fn host_target() -> anyhow::Result<String> {
    let output = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output()
        .context("cannot start rustc")?;
    if !output.status.success() {
        bail!("rustc does not name its target: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A path without `..`: a target may lie outside the folder of its package.
fn without_turns(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
