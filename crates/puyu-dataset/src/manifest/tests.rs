use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{RecordBatch, StringArray};
use puyu_testkit::{TempDir, shared};

use super::*;
use crate::container::{self, ReadOptions};
use crate::error::DatasetError;
use crate::fault::BadRow;
use crate::row::RowSource;
use crate::stream::testing::{Note, line};
use crate::stream::{Policy, RecordStream, StreamOptions};

const N_ROWS: usize = 5000;

fn note(number: usize) -> String {
    let text = ["春眠不觉晓", "spring sleep", "处处闻啼鸟", "birds everywhere"][number % 4];
    line(&format!("id-{number}"), &text.repeat(1 + number % 9))
}

/// Lines with blank ones and bad ones among them.
fn lines(n_rows: usize) -> Vec<u8> {
    let mut text = String::new();
    for number in 0..n_rows {
        match number % 501 {
            500 => text.push_str("{\"id\": 坏\n"),
            _ => text.push_str(&(note(number) + "\n")),
        }
        if number % 700 == 3 {
            text.push_str(" \r\n");
        }
    }
    text.into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn batches() -> Vec<RecordBatch> {
    let column = |prefix: &'static str, from: usize| -> Arc<StringArray> {
        Arc::new((from..from + 500).map(|n| Some(format!("{prefix}{n}"))).collect())
    };
    (0..N_ROWS / 500)
        .map(|batch| {
            let id = column("id-", batch * 500) as _;
            let content = column("内容 content ", batch * 500) as _;
            RecordBatch::try_from_iter([("id", id), ("content", content)]).unwrap()
        })
        .collect()
}

fn parquet() -> Vec<u8> {
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(1500))
        .build();
    let batches = batches();
    let mut bytes = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut bytes, batches[0].schema(), Some(properties))
            .unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
    bytes
}

fn arrow_file() -> Vec<u8> {
    let batches = batches();
    let mut writer =
        arrow_ipc::writer::FileWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

fn tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for number in 0..N_ROWS {
        let text = note(number);
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, format!("样本-{number:06}.json"), text.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn json_array() -> Vec<u8> {
    let rows: Vec<String> = (0..N_ROWS).map(note).collect();
    format!("[\n{}\n]\n", rows.join(",\n")).into_bytes()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn scan(path: &Path) -> Manifest {
    Manifest::scan([path], &ScanOptions::default(), &|_| {}).unwrap()
}

/// The rows in order, as the readers give them.
fn straight(path: &Path) -> Vec<Result<Note, BadRow>> {
    let read = ReadOptions::default().with_columns(["id", "content"]);
    let mut reader = container::open(path, &read).unwrap();
    let mut rows = Vec::new();
    while let Some(next) = reader.next_chunk() {
        match next {
            Ok(chunk) => rows.extend((0..chunk.len()).map(|row| {
                let note = <Note as crate::Record>::decode(chunk.row(row));
                note.map_err(|fault| fault.at(chunk.location(row)))
            })),
            Err(DatasetError::BadRow(bad)) => rows.push(Err(*bad)),
            Err(error) => panic!("{error}"),
        }
    }
    rows
}

/// Random ranges of a file are those of the straight reading, with the same faults in the same
/// places.
#[track_caller]
fn check_ranges(name: &str, bytes: &[u8], options: RowsOptions) {
    let folder = TempDir::new().unwrap();
    let path = write(folder.path(), name, bytes);
    let expected = straight(&path);
    let rows = FileRows::<Note>::open(scan(&path), options).unwrap();
    assert_eq!(rows.n_rows() as usize, expected.len(), "{name}");
    let n_rows = expected.len() as u64;
    let mut state = 17_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    let mut ranges = vec![0..n_rows, 0..1, n_rows - 1..n_rows, 1023..1026, 7..7];
    for _ in 0..60 {
        let start = random(n_rows);
        ranges.push(start..(start + random(200)).min(n_rows));
    }
    for range in ranges.into_iter().filter(|range| range.end <= n_rows) {
        let read = rows.read(range.clone()).unwrap();
        let expected = &expected[range.start as usize..range.end as usize];
        assert!(read == expected, "{name}, rows {range:?}");
    }
    assert!(rows.read(n_rows..n_rows + 1).is_err());
}

#[test]
fn ranges_of_plain_lines_equal_the_straight_reading() {
    check_ranges("a.jsonl", &lines(N_ROWS), RowsOptions::default());
}

#[test]
fn ranges_of_a_json_array_equal_the_straight_reading() {
    check_ranges("a.json", &json_array(), RowsOptions::default());
}

#[test]
fn ranges_of_gzip_and_zstd_equal_the_straight_reading_in_memory_and_in_a_cache() {
    let text = lines(N_ROWS);
    let zstd = zstd::encode_all(&text[..], 3).unwrap();
    let gzip = gzip(&text);
    for (name, bytes) in [("a.jsonl.gz", &gzip), ("a.jsonl.zst", &zstd)] {
        check_ranges(name, bytes, RowsOptions::default());
        let cache = TempDir::new().unwrap();
        check_ranges(name, bytes, RowsOptions::default().with_cache_dir(cache.path().join("缓存")));
        check_ranges(name, bytes, RowsOptions::default().with_cache_dir(cache.path().join("缓存")));
        assert_eq!(std::fs::read_dir(cache.path().join("缓存")).unwrap().count(), 1);
    }
}

#[test]
fn ranges_of_parquet_equal_the_straight_reading() {
    check_ranges("a.parquet", &parquet(), RowsOptions::default());
}

#[test]
fn ranges_of_arrow_equal_the_straight_reading() {
    check_ranges("a.arrow", &arrow_file(), RowsOptions::default());
}

#[test]
fn ranges_of_tar_equal_the_straight_reading() {
    check_ranges("a.tar", &tar(), RowsOptions::default());
    check_ranges("a.tar.gz", &gzip(&tar()), RowsOptions::default());
}

#[test]
fn a_gzip_that_is_cut_keeps_its_rows_and_counts() {
    let whole = gzip(&lines(3000));
    for cut in [whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        check_ranges("a.jsonl.gz", &whole[..cut], RowsOptions::default());
    }
}

#[test]
fn a_large_compressed_file_without_a_cache_says_what_to_set() {
    let folder = TempDir::new().unwrap();
    let path = write(folder.path(), "a.jsonl.gz", &gzip(&lines(N_ROWS)));
    let options = RowsOptions { in_memory_bytes: 1000, ..RowsOptions::default() };
    let rows = FileRows::<Note>::open(scan(&path), options).unwrap();
    let error = rows.read(0..1).unwrap_err().to_string();
    assert!(error.contains("cache_dir") && error.contains("above 1000 bytes"), "{error}");
}

#[test]
fn rows_run_on_over_files_of_all_kinds() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "甲/0.jsonl", &lines(100));
    write(folder.path(), "甲/1.parquet", &parquet());
    write(folder.path(), "乙/2.jsonl.gz", &gzip(&lines(50)));
    write(folder.path(), "乙/3.jsonl", b"\n\n");
    let manifest = scan(folder.path());
    let paths: Vec<_> = manifest.shards().iter().map(|shard| shard.path.as_str()).collect();
    assert_eq!(paths, ["乙/2.jsonl.gz", "乙/3.jsonl", "甲/0.jsonl", "甲/1.parquet"]);
    let rows = FileRows::<Note>::open(manifest, RowsOptions::default()).unwrap();
    let options = StreamOptions::default().with_policy(Policy::Skip);
    let stream = RecordStream::<Note>::builder([folder.path()]).options(options).start().unwrap();
    let expected: Vec<Note> = stream.map(|row| row.unwrap().1).collect();
    let read = rows.read(0..rows.n_rows()).unwrap();
    assert_eq!(read.into_iter().flatten().collect::<Vec<_>>(), expected);
    assert_eq!(rows.place_of(50), (2, 0));
}

#[test]
fn a_manifest_is_the_same_after_saving_and_its_fingerprint_is_that_of_the_content() {
    let folder = TempDir::new().unwrap();
    let other = TempDir::new().unwrap();
    for folder in [&folder, &other] {
        write(folder.path(), "a.jsonl", &lines(2500));
        write(folder.path(), "b.jsonl.gz", &gzip(&lines(1500)));
    }
    let told = AtomicUsize::new(0);
    let manifest = Manifest::scan([folder.path()], &ScanOptions::default(), &|progress| {
        told.fetch_max(progress.shards_done, Ordering::Relaxed);
    })
    .unwrap();
    assert_eq!(told.into_inner(), 2);
    assert_eq!(manifest.n_rows(), 4000);
    assert_eq!(manifest.shards()[0].marks.iter().map(|m| m.row).collect::<Vec<_>>(), [1024, 2048]);
    let file = folder.path().join("清单.json");
    manifest.save(&file).unwrap();
    assert_eq!(Manifest::load(&file).unwrap(), manifest);
    assert_eq!(scan(other.path()).fingerprint(), manifest.fingerprint());
    assert_eq!(manifest.verify(&|_| {}).unwrap(), []);
    assert_eq!(manifest.check(), []);
}

#[test]
fn a_manifest_of_another_version_or_with_contradictions_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = write(folder.path(), "a.jsonl", &lines(2500));
    let file = folder.path().join("manifest.json");
    scan(&path).save(&file).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("puyu-manifest", "manifest"),
        ("\"a.jsonl\"", "\"../a.jsonl\""),
        ("\"a.jsonl\"", "\"/a.jsonl\""),
        ("[1024,", "[4096,"),
        ("\"n_rows\":2500", "\"n_rows\":25"),
        ("}]", "}"),
    ] {
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let error = Manifest::load(&file).unwrap_err();
        assert!(matches!(error, DatasetError::Damaged { .. }), "{to}: {error}");
    }
}

#[test]
fn changed_shards_are_found() {
    let folder = TempDir::new().unwrap();
    let path = write(folder.path(), "a.jsonl", &lines(100));
    write(folder.path(), "b.jsonl", &lines(10));
    let manifest = scan(folder.path());

    let mut bytes = lines(100);
    let place = bytes.iter().position(|byte| *byte == b'9').unwrap();
    bytes[place] = b'8';
    std::fs::write(&path, &bytes).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    assert_eq!(manifest.check()[0].change, Change::Touched);
    let changes = manifest.verify(&|_| {}).unwrap();
    assert!(matches!(changes[..], [ShardChange { change: Change::Content { .. }, .. }]));
    let error = FileRows::<Note>::open(manifest.clone(), RowsOptions::default()).unwrap_err();
    assert!(matches!(error, DatasetError::Damaged { what: "content hash", .. }), "{error}");

    std::fs::write(&path, lines(99)).unwrap();
    assert!(matches!(manifest.check()[0].change, Change::Size { .. }));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(manifest.check()[0].change, Change::Missing);
    assert!(FileRows::<Note>::open(manifest, RowsOptions::default()).is_err());
}

#[test]
fn extending_scans_what_is_new_or_changed() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "a.jsonl", &lines(100));
    write(folder.path(), "b.jsonl", &lines(10));
    let before = scan(folder.path());
    write(folder.path(), "b.jsonl", &lines(11));
    write(folder.path(), "c.jsonl", &lines(5));
    let mut after = before.clone();
    let diff = after.extend([folder.path()], &ScanOptions::default(), &|_| {}).unwrap();
    assert_eq!((diff.added, diff.changed), (vec!["c.jsonl".into()], vec!["b.jsonl".into()]));
    assert_eq!(after.n_rows(), 116);
    assert_eq!(after.diff(&before).removed, ["c.jsonl"]);
    assert!(before.diff(&before).is_empty());
}

#[test]
fn the_corpus_is_read_by_number_as_in_order() {
    let Some(folder) = shared("corpus/wanjuan/shaped/nlp/CN") else { return };
    let manifest = scan(&folder);
    let rows = FileRows::<Note>::open(manifest, RowsOptions::default()).unwrap();
    let options = StreamOptions::default().with_policy(Policy::Skip);
    let mut stream = RecordStream::<Note>::builder([&folder]).options(options).start().unwrap();
    let n_good = stream.by_ref().filter(|row| row.is_ok()).count() as u64;
    assert_eq!(n_good + stream.report().rows_bad, rows.n_rows());
}
