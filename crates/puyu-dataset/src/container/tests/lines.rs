use std::io::Write;

use proptest::prelude::*;

use super::*;

fn small(chunk_bytes: usize, max_row_bytes: usize) -> ReadOptions {
    ReadOptions { chunk_bytes, max_row_bytes, ..Default::default() }
}

fn stream(bytes: &[u8], options: &ReadOptions) -> Vec<Item> {
    let detected = Detected { container: Container::JsonLines, compression: Compression::None };
    let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
    drain(open_bytes(Path::new("诗.jsonl"), reader, detected, options).unwrap())
}

/// The definition: split everything at line ends.
fn naive(bytes: &[u8], max_row_bytes: usize) -> Vec<(u64, u64, Option<String>)> {
    let mut rows = Vec::new();
    let mut offset = 0;
    for (line, whole) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let mut row = whole.strip_suffix(b"\n").unwrap_or(whole);
        row = row.strip_suffix(b"\r").unwrap_or(row);
        let mut start = offset as u64;
        if offset == 0 && row.starts_with(b"\xef\xbb\xbf") {
            row = &row[3..];
            start = 3;
        }
        let long = row.len() > max_row_bytes;
        if long || row.iter().any(|byte| !matches!(byte, b' ' | b'\t' | b'\r')) {
            let text = String::from_utf8_lossy(row).into_owned();
            rows.push((line as u64 + 1, start, (!long).then_some(text)));
        }
        offset += whole.len();
    }
    rows
}

fn flat(items: Vec<Item>) -> Vec<(u64, u64, Option<String>)> {
    items
        .into_iter()
        .map(|item| match item {
            Item::Row { number, offset, text } => (number, offset.unwrap(), Some(text)),
            Item::Bad(bad) => {
                assert_eq!(bad.fault.kind, FaultKind::Size);
                (bad.location.row, bad.location.offset.unwrap(), None)
            }
        })
        .collect()
}

proptest! {
    #[test]
    fn the_chunk_size_does_not_change_the_rows(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "", " \t", "{}", "{\"a\": 1}\r", "\r", "春眠不觉晓", "处处闻啼鸟\r",
                "a line that is longer than the shortest limits\r", "x",
            ]),
            0..40,
        ),
        mark in any::<bool>(),
        ended in any::<bool>(),
        chunk_bytes in 1_usize..200,
        max_row_bytes in 1_usize..60,
    ) {
        let mut text = lines.join("\n");
        if mark { text.insert(0, '\u{feff}'); }
        if ended { text.push('\n'); }
        let found = flat(stream(text.as_bytes(), &small(chunk_bytes, max_row_bytes)));
        prop_assert_eq!(found, naive(text.as_bytes(), max_row_bytes));
    }
}

#[test]
fn line_ends_marks_and_blank_lines_are_no_part_of_rows() {
    let items =
        stream("\u{feff}{\"诗\": 1}\r\n\n  \n{\"b\": 2}".as_bytes(), &ReadOptions::default());
    let row = |number, offset, text: &str| Item::Row {
        number,
        offset: Some(offset),
        text: text.to_owned(),
    };
    assert_eq!(items, [row(1, 3, "{\"诗\": 1}"), row(4, 19, "{\"b\": 2}")]);
}

#[test]
fn blank_lines_can_be_faults() {
    let options = ReadOptions { blank_lines: BlankLines::Fault, ..Default::default() };
    let items = stream("{}\n\n春\n \n".as_bytes(), &options);
    assert_eq!(kinds(&items), [(2, FaultKind::Empty), (4, FaultKind::Empty)]);
    assert_eq!(texts(&items), ["{}", "春"]);
}

#[test]
fn a_line_beyond_the_limit_is_a_fault_and_reading_goes_on() {
    let long = "晓".repeat(50_000);
    let text = format!("{{}}\n{long}\r\n{{\"after\": 1}}\n");
    let items = stream(text.as_bytes(), &small(1000, 100));
    assert_eq!(texts(&items), ["{}", "{\"after\": 1}"]);
    let Item::Bad(bad) = &items[1] else { panic!("{items:?}") };
    assert_eq!(
        bad.to_string(),
        "诗.jsonl, row 2, byte 3: expected at most 100 bytes, found 150000 bytes"
    );
}

#[test]
fn several_gzip_members_and_zstd_frames_are_one_file() {
    let lines = json_lines(20);
    let (first, second) = lines.split_at(777);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let gz = [gzip(first), gzip(second)].concat();
    let zst = [zstd::encode_all(first, 1).unwrap(), zstd::encode_all(second, 1).unwrap()].concat();
    for (name, bytes) in [("a.jsonl.gz", gz), ("a.jsonl.zst", zst)] {
        let (_folder, path) = file(name, &bytes);
        assert_eq!(
            read(&path, &small(50, 1 << 20)),
            stream(&lines, &ReadOptions::default()).into_iter().collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_cut_stream_gives_every_whole_row_at_any_cut() {
    let lines = json_lines(200);
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("a.jsonl.zst", zstd::encode_all(&lines[..], 1).unwrap()), {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&lines).unwrap();
        ("a.jsonl.gz", encoder.finish().unwrap())
    }] {
        let path = folder.path().join(name);
        for cut in (20..bytes.len()).step_by(97) {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let items = read(&path, &ReadOptions::default());
            let (last, rows) = items.split_last().unwrap();
            assert_eq!(kinds(std::slice::from_ref(last))[0].1, FaultKind::Truncated, "{cut}");
            assert_eq!(kinds(rows), [], "{name} cut at {cut}");
            let expected: Vec<_> = lines.split(|byte| *byte == b'\n').take(rows.len()).collect();
            let found: Vec<_> = texts(rows).into_iter().map(str::as_bytes).collect();
            assert_eq!(found, expected);
        }
    }
}

#[test]
fn a_corrupt_stream_ends_with_one_container_fault() {
    let mut bytes = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::fast());
    encoder.write_all(&json_lines(5000)).unwrap();
    encoder.finish().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0xff);
    let (_folder, path) = file("坏.jsonl.gz", &bytes);
    let items = read(&path, &ReadOptions::default());
    let (last, rows) = items.split_last().unwrap();
    assert!(rows.len() > 1000, "{}", rows.len());
    assert!(matches!(last, Item::Bad(bad) if bad.fault.kind == FaultKind::Container));
}

#[test]
fn a_decompression_bomb_is_stopped() {
    // Gzip reaches 1032 bytes for one.
    let bomb = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![b' '; 1 << 20];
        for _ in 0..80 {
            encoder.write_all(&zeros).unwrap();
        }
        encoder.finish().unwrap()
    };
    let (_folder, path) = file("bomb.jsonl.gz", &bomb);
    let options = ReadOptions { max_expansion: 100, ..Default::default() };
    let items = read(&path, &options);
    let Item::Bad(bad) = &items[0] else { panic!("{items:?}") };
    assert!(bad.to_string().contains("max_expansion"), "{bad}");
}
