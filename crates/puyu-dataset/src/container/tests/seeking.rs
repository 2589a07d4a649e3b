use super::*;

/// From every mark, reading goes on with exactly what follows it.
#[track_caller]
fn check(path: &Path, options: &ReadOptions) {
    let whole = drain_marked(open(path, options).unwrap());
    for (index, (mark, _)) in whole.iter().enumerate() {
        let rest: Vec<_> =
            whole[index..].iter().flat_map(|(_, items)| items.iter().cloned()).collect();
        let found = drain(open_at(path, options, *mark).unwrap());
        assert_eq!(found, rest, "{} at {mark:?}", path.display());
        let ranges = Arc::new(FileRanges::open(path).unwrap());
        let found = drain(open_ranges(path, ranges, options, *mark).unwrap());
        assert_eq!(found, rest, "{} by ranges at {mark:?}", path.display());
    }
}

#[test]
fn reading_goes_on_exactly_at_every_mark_of_every_container() {
    let folder = tempfile::tempdir().unwrap();
    for path in every_kind(folder.path()) {
        for (chunk_bytes, batch_rows) in [(1, 1), (150, 7), (1 << 20, 1024)] {
            let options = ReadOptions { chunk_bytes, batch_rows, ..Default::default() };
            let rows = read(&path, &options);
            assert_eq!(n_rows(&rows), 40, "{}", path.display());
            let default = read(&path, &ReadOptions::default());
            assert_eq!(rows, default, "{}", path.display());
            check(&path, &options);
        }
    }
}

#[test]
fn reading_goes_on_after_faults_too() {
    let text = "\u{feff}{}\n\n长长长长长长长长长长长长\n{\"a\": 1}\r\n \nlast";
    let (_folder, path) = file("a.jsonl", text.as_bytes());
    for blank_lines in [BlankLines::Skip, BlankLines::Fault] {
        for chunk_bytes in [1, 5, 100] {
            check(
                &path,
                &ReadOptions { chunk_bytes, max_row_bytes: 20, blank_lines, ..Default::default() },
            );
        }
    }
    let (_folder, path) = file("a.json", "[1, \"长长长长长长长长长\", 3".as_bytes());
    check(&path, &ReadOptions { chunk_bytes: 1, max_row_bytes: 20, ..Default::default() });
}

#[test]
fn a_mark_outside_the_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in every_kind(folder.path()) {
        let mark = Mark { row: 1 << 40, line: 0, offset: 1 << 40 };
        let opened = open_at(&path, &ReadOptions::default(), mark);
        let error = match opened {
            Err(error) => error,
            Ok(mut reader) => reader.next_chunk().unwrap().unwrap_err(),
        };
        assert!(matches!(error, DatasetError::State { .. }), "{}: {error}", path.display());
    }
}
