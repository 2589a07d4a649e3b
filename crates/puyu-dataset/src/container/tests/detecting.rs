use super::*;

const LINES: Container = Container::JsonLines;
const DOCUMENT: Container = Container::JsonArray;

#[track_caller]
fn check(name: &str, bytes: &[u8], expected: Option<(Container, Compression)>) {
    let (_folder, path) = file(name, bytes);
    let found = detect(&path).ok().map(|detected| (detected.container, detected.compression));
    assert_eq!(found, expected, "{name}: {}", bytes.escape_ascii());
}

#[test]
fn content_decides_and_the_name_settles_what_content_leaves_open() {
    let plain = |container| Some((container, Compression::None));
    for (name, text, expected) in [
        ("诗.jsonl", "{\"id\": \"a\"}\n{\"id\": \"b\"}\n", plain(LINES)),
        ("poem.txt", "{\"id\": \"a\"}\n{\"id\": \"b\"}\n", plain(LINES)),
        ("a.json", "{\"id\": \"诗\"}\n{\"id\": \"b\"}\n", plain(LINES)),
        ("a.json", "{\n \"id\": \"诗\"\n}\n", plain(DOCUMENT)),
        ("a.jsonl", "{\"id\": \"cut\n{\"id\": \"b\"}\n", plain(LINES)),
        ("a.json", "[{\"id\": \"诗\"}]", plain(DOCUMENT)),
        ("a.parquet", "[{\"id\": \"诗\"}]", plain(DOCUMENT)),
        ("a.jsonl", "[1, 2]\n[3]\n", plain(LINES)),
        ("a.jsonl", "[\n1, 2]\n", plain(DOCUMENT)),
        ("a.jsonl", "", plain(LINES)),
        ("a.jsonl", "\n \n", plain(LINES)),
        ("a.jsonl", "春眠\n{}\n", plain(LINES)),
        ("a.jsonl", "\u{feff}{}\n", plain(LINES)),
        ("a.parquet", "", None),
        ("a.bin", "春眠不觉晓", None),
        ("a.jsonl", "\0\u{1}\u{2}", None),
    ] {
        check(name, text.as_bytes(), expected);
    }
}

#[test]
fn every_written_file_is_detected_under_a_name_that_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for path in every_kind(folder.path()) {
        let named = detect(&path).unwrap();
        let nameless = folder.path().join("无名");
        std::fs::copy(&path, &nameless).unwrap();
        assert_eq!(detect(&nameless).unwrap(), named, "{}", path.display());
    }
}

#[test]
fn an_unknown_file_says_what_it_begins_with() {
    let (_folder, path) = file("图.jpg", b"\xff\xd8\xff\xe0");
    let text = detect(&path).unwrap_err().to_string();
    assert!(text.contains(r"\xff\xd8\xff\xe0") && text.contains("图.jpg"), "{text}");
}

#[test]
fn an_absent_file_is_named() {
    let error = open(Path::new("没有.jsonl"), &ReadOptions::default()).err().unwrap();
    assert!(matches!(error, DatasetError::Io { action: "open", .. }), "{error}");
}

#[test]
fn options_without_sense_are_refused() {
    for options in [
        ReadOptions { chunk_bytes: 0, ..Default::default() },
        ReadOptions { batch_rows: 0, ..Default::default() },
        ReadOptions { max_row_bytes: usize::MAX, ..Default::default() },
    ] {
        assert!(matches!(options.validate(), Err(DatasetError::Option { .. })), "{options:?}");
    }
    let parsed = serde_json::from_str::<ReadOptions>(r#"{"chunk_byte": 7}"#);
    assert!(parsed.unwrap_err().to_string().contains("chunk_byte"));
}
