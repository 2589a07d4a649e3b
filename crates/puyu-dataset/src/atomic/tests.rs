use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = folder.read_dir().unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_file_has_its_name_only_when_it_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("诗.bin");
    std::fs::write(&path, "old").unwrap();
    let mut file = AtomicFile::create(&path).unwrap();
    file.append("床前明月光".as_bytes()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    file.commit().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), "床前明月光".as_bytes());
    assert_eq!(names(folder.path()), ["诗.bin"]);
}

#[test]
fn a_file_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = AtomicFile::create(&folder.path().join("moon.bin")).unwrap();
    file.append(&[7; BUFFER_BYTES + 1]).unwrap();
    assert_eq!(names(folder.path()).len(), 1);
    drop(file);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn what_is_created_once_keeps_its_first_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claim");
    assert!(create_once(&path, b"first").unwrap());
    assert!(!create_once(&path, b"second").unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), b"first");
    assert_eq!(names(folder.path()), ["claim"]);
}

#[test]
fn an_absent_folder_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = write_atomic(&folder.path().join("无/a.json"), &[b"{}"]).unwrap_err();
    assert!(error.to_string().starts_with("cannot write"), "{error}");
    assert!(error.to_string().ends_with("a.json"), "{error}");
    assert!(sync_folder(&folder.path().join("无")).is_err());
}

#[cfg(unix)]
#[test]
fn others_may_read_what_they_may_read_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
    write_atomic(&ours, &[b"1"]).unwrap();
    std::fs::write(&plain, b"1").unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
    assert_eq!(mode(&ours), mode(&plain));
}
