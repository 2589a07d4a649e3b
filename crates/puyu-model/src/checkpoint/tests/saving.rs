//! Saving replaces files as a whole or not at all.

use super::*;

#[track_caller]
fn refused(model: &Decoder, folder: &Path, options: &SaveOptions) -> String {
    match model.save(folder, options) {
        Ok(()) => panic!("the model was saved"),
        Err(error) => describe(&error, folder),
    }
}

/// A fresh model other than the one of [`whole`].
fn other() -> Decoder {
    load(random_folder(&Preset::Tiny.config()).path())
}

#[test]
fn a_file_that_cannot_take_its_place_leaves_nothing_behind() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join(WEIGHTS)).unwrap();
    let text = refused(&other(), folder.path(), &SaveOptions::default());
    assert_described(&text, "cannot rename into DIR/model.safetensors: …", "weights");
    assert_eq!(files(folder.path()), [WEIGHTS]);

    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join(CONFIG)).unwrap();
    let text = refused(&other(), folder.path(), &SaveOptions::default());
    assert_described(&text, "cannot rename into DIR/config.json: …", "configuration");
    assert_eq!(files(folder.path()), [CONFIG, WEIGHTS]);
}

#[test]
fn a_failed_save_leaves_the_old_model_intact() {
    let folder = whole();
    let expected = outputs(&load(folder.path()));
    let options = SaveOptions { max_shard_bytes: 500_000, ..SaveOptions::default() };
    let model = other();
    let shards = files(saved(&model, &options).path());
    let last = shards.iter().rfind(|name| name.contains("-of-")).unwrap();
    fs::create_dir(folder.path().join(last)).unwrap();

    let text = refused(&model, folder.path(), &options);
    assert_described(&text, &format!("cannot rename into DIR/{last}: …"), "the last shard");
    for (name, bytes) in WHOLE.iter() {
        assert!(fs::read(folder.path().join(name)).unwrap() == *bytes, "{name} changed");
    }
    let left = files(folder.path());
    assert!(!left.contains(&INDEX.to_owned()), "an index without all of its shards");
    assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?}");
    assert_same(&load(folder.path()), &expected, "the folder");
}

#[test]
fn a_place_that_can_hold_no_folder_is_named() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("file"), "浦语").unwrap();
    for place in ["file", "file/folder"] {
        let place = folder.path().join(place);
        let error = other().save(&place, &SaveOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot create {}", place.display()));
    }
    assert_eq!(files(folder.path()), ["file"]);
}

#[test]
fn a_folder_that_does_not_exist_is_made_with_its_parents() {
    let folder = tempdir().unwrap();
    let place = folder.path().join("模型/hello");
    let model = other();
    model.save(&place, &SaveOptions::default()).unwrap();
    assert_same(&load(&place), &outputs(&model), "the new folder");
}

#[test]
fn a_model_can_be_saved_over_the_files_it_was_loaded_from() {
    let folder = whole();
    let model = load(folder.path());
    let expected = outputs(&model);
    model.save(&folder, &SaveOptions::default()).unwrap();
    assert!(fs::read(folder.path().join(WEIGHTS)).unwrap() == WHOLE[1].1, "the weights changed");
    assert_same(&model, &expected, "the old file is still there for the loaded model");
    assert_same(&load(folder.path()), &expected, "the folder");
}

/// Whatever the folder held before, what was saved last is what loads.
#[track_caller]
fn check_replaced(old_shard_bytes: u64, new_shard_bytes: u64) {
    let sized = |max_shard_bytes| SaveOptions { max_shard_bytes, ..SaveOptions::default() };
    let folder = saved(&load(whole().path()), &sized(old_shard_bytes));
    let model = other();
    assert_ne!(outputs(&load(folder.path())), outputs(&model));
    model.save(&folder, &sized(new_shard_bytes)).unwrap();
    let case = format!("shards of {new_shard_bytes} over shards of {old_shard_bytes}");
    assert_same(&load(folder.path()), &outputs(&model), &case);
}

#[test]
fn what_was_saved_last_is_what_loads() {
    let one_file = SaveOptions::default().max_shard_bytes;
    check_replaced(one_file, one_file);
    check_replaced(200_000, one_file);
    check_replaced(200_000, 200_000);
    check_replaced(200_000, 500_000);
    check_replaced(500_000, 200_000);
    check_replaced(one_file, 200_000);
}

#[cfg(unix)]
#[test]
fn saved_files_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let options = SaveOptions { max_shard_bytes: 500_000, ..SaveOptions::default() };
    let options = SaveOptions { generation_config_json: Some("{}".to_owned()), ..options };
    let folder = saved(&other(), &options);
    for name in files(folder.path()) {
        let mode = fs::metadata(folder.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{name}");
    }
}
