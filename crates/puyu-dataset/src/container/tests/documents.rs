use super::*;

#[track_caller]
fn check(text: &str, rows: &[&str], faults: &[(u64, FaultKind)]) {
    for chunk_bytes in [1, 7, 1 << 20] {
        let options = ReadOptions { chunk_bytes, max_row_bytes: 100, ..Default::default() };
        let detected = Detected { container: Container::JsonArray, compression: Compression::None };
        let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
        let items = drain(open_bytes(Path::new("诗.json"), reader, detected, &options).unwrap());
        assert_eq!(texts(&items), rows, "{text}");
        assert_eq!(kinds(&items), faults, "{text}");
        for item in &items {
            if let Item::Row { offset, text: row, .. } = item {
                let start = offset.unwrap() as usize;
                assert_eq!(&text[start..start + row.len()], row);
            }
        }
    }
}

#[test]
fn elements_are_rows_with_exact_places() {
    check("[]", &[], &[]);
    check(" [ ] \n", &[], &[]);
    check("[{\"诗\": \"a]\"} , 2\n,\"b,\"]", &["{\"诗\": \"a]\"}", "2", "\"b,\""], &[]);
    check("\u{feff}[1]", &["1"], &[]);
    check("{\n\"诗\": [1, 2]\n}\n", &["{\n\"诗\": [1, 2]\n}"], &[]);
}

#[test]
fn damage_is_one_fault_after_the_good_rows() {
    use FaultKind::{Json, Size, Truncated};
    check("[1, 2", &["1", "2"], &[(3, Truncated)]);
    check("[1, {\"诗\": ", &["1"], &[(2, Truncated)]);
    check("[1, 2,]", &["1", "2"], &[(3, Json)]);
    check("[1 2]", &["1"], &[(2, Json)]);
    check("[1] 2", &["1"], &[(2, Json)]);
    check("[诗]", &[], &[(1, Json)]);
    check("", &[], &[]);
    let long = format!("[1, \"{}\", 3]", "晓".repeat(60));
    check(&long, &["1", "3"], &[(2, Size)]);
}

#[test]
fn elements_that_are_not_utf_8_do_not_hide_their_neighbours() {
    let (_folder, path) = file("a.json", b"[\"\xff\", 2]");
    assert_eq!(n_rows(&read(&path, &ReadOptions::default())), 2);
}

#[test]
fn a_document_beyond_the_limit_is_refused() {
    let options = ReadOptions { max_document_bytes: 10, ..Default::default() };
    let (_folder, path) = file("a.json", "[\"春眠不觉晓\"]".as_bytes());
    let error = open(&path, &options).err().unwrap();
    assert!(matches!(error, DatasetError::Limit { needed: 19, limit: 10, .. }), "{error}");
}
