use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_writer_dropped_before_its_end_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("诗.jsonl");
    std::fs::write(&path, "old").unwrap();
    let mut writer = JsonLinesWriter::create(&path, Compression::Gzip).unwrap();
    writer.write("new").unwrap();
    drop(writer);
    let schema = batch(0..1).schema();
    let mut writer = ParquetWriter::create(&path, schema.clone(), &Default::default()).unwrap();
    writer.write(&batch(0..9)).unwrap();
    drop(writer);
    drop(ArrowWriter::create(&path, schema, &Default::default()).unwrap());
    let mut writer = TarWriter::create(&path, Compression::None).unwrap();
    writer.write(&samples(1)[0]).unwrap();
    drop(writer);
    assert_eq!(names(folder.path()), ["诗.jsonl"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
}

#[test]
fn rows_come_back_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let lines = json_lines(40);
    let lines: Vec<_> =
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let columns = format!("{:?}", batch(7..8).columns());
    for path in every_kind(folder.path()) {
        let items = read(&path, &ReadOptions::default());
        let found = texts(&items);
        match detect(&path).unwrap().container {
            Container::JsonLines | Container::JsonArray => {
                assert!(found.iter().map(|row| row.as_bytes()).eq(lines.iter().copied()));
            }
            Container::Tar => {
                let samples = samples(40);
                let expected: Vec<_> =
                    samples.iter().map(|sample| text_of(RawRow::Members(sample))).collect();
                assert_eq!(found, expected);
            }
            _ => assert_eq!(found[7], columns),
        }
    }
}

#[test]
fn raw_rows_stay_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let mut writer = JsonLinesWriter::create(&path, Compression::None).unwrap();
    writer.write_raw("{\r\n\"诗\": 1\n}".as_bytes()).unwrap();
    writer.write(&serde_json::json!({"content": "春\n眠"})).unwrap();
    writer.finish().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "{  \"诗\": 1 }\n{\"content\":\"春\\n眠\"}\n");
}

#[test]
fn samples_that_would_read_back_differently_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let mut writer = TarWriter::create(&path, Compression::None).unwrap();
    let good = samples(1).remove(0);
    let bad = |change: &dyn Fn(&mut Sample)| {
        let mut sample = samples(2).remove(1);
        change(&mut sample);
        sample
    };
    writer.write(&good).unwrap();
    for sample in [
        good.clone(),
        bad(&|s| s.members.clear()),
        bad(&|s| s.key = "诗.1".to_owned()),
        bad(&|s| s.key = "../诗".to_owned()),
        bad(&|s| s.key = "/诗".to_owned()),
        bad(&|s| s.key.clear()),
        bad(&|s| s.members[0].extension = "JPG".to_owned()),
        bad(&|s| s.members[1].extension = "txt".to_owned()),
    ] {
        let error = writer.write(&sample).unwrap_err();
        assert!(matches!(error, DatasetError::BadRow(_)), "{sample:?}: {error}");
    }
    writer.finish().unwrap();
    assert_eq!(n_rows(&read(&path, &ReadOptions::default())), 1);
}

#[test]
fn long_names_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let mut writer = TarWriter::create(&path, Compression::None).unwrap();
    let mut sample = samples(1).remove(0);
    sample.key = "春眠不觉晓/".repeat(30) + "诗";
    writer.write(&sample).unwrap();
    writer.finish().unwrap();
    assert_eq!(texts(&read(&path, &ReadOptions::default())), [text_of(RawRow::Members(&sample))]);
}

#[cfg(unix)]
#[test]
fn written_files_have_the_rights_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
    let path = folder.path().join("a.jsonl");
    JsonLinesWriter::create(&path, Compression::None).unwrap().finish().unwrap();
    let plain = folder.path().join("b");
    std::fs::write(&plain, "").unwrap();
    assert_eq!(mode(&path), mode(&plain));
}

#[test]
fn compressions_that_a_format_lacks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = ArrowOptions { compression: BlockCompression::Brotli, ..Default::default() };
    let created = ArrowWriter::create(&folder.path().join("a"), batch(0..1).schema(), &options);
    assert!(matches!(created.err(), Some(DatasetError::Option { option: "compression", .. })));
    let options = ParquetOptions { row_group_rows: 0, ..Default::default() };
    let created = ParquetWriter::create(&folder.path().join("a"), batch(0..1).schema(), &options);
    assert!(matches!(created.err(), Some(DatasetError::Option { option: "row_group_rows", .. })));
}
