//! Where the fixtures are that are too large for the repository.

use std::io::Write;
use std::path::{Path, PathBuf};

/// The path of a shared file or folder such as `fixtures/ops`, or `None` if it is absent.
///
/// Looks in the folder named by the environment variable `PUYU_SHARED`, or else in the folder
/// `shared` beside the workspace. Where the file is absent, one line on standard error says so,
/// past the capture of the test harness, so that a skipped test is visible:
///
/// ```no_run
/// let Some(folder) = puyu_testkit::shared("fixtures/ops") else { return };
/// ```
///
/// # Panics
///
/// If `PUYU_SHARED` is set but is no folder: a misspelt name must not skip every test.
pub fn shared(relative: impl AsRef<Path>) -> Option<PathBuf> {
    let relative = relative.as_ref();
    let path = shared_root().join(relative);
    if path.exists() {
        return Some(path);
    }
    // `eprintln!` is captured in passing tests; a broken standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "skipped: shared {} is absent", relative.display());
    None
}

fn shared_root() -> PathBuf {
    if let Some(root) = std::env::var_os("PUYU_SHARED") {
        let root = PathBuf::from(root);
        assert!(root.is_dir(), "PUYU_SHARED must name a folder, found `{}`", root.display());
        return root;
    }
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = crate_folder.ancestors().nth(2).unwrap_or(crate_folder);
    workspace.parent().unwrap_or(workspace).join("shared")
}
