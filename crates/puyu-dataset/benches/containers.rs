//! Reading containers from the page cache: bytes of text per second.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use divan::counter::BytesCount;
use puyu_dataset::container::{
    BlockCompression, Compression, JsonLinesWriter, ParquetOptions, ParquetWriter, ReadOptions,
    open,
};

const N_ROWS: usize = 200_000;

fn main() {
    divan::main();
}

/// Some 1.5 kB of Chinese and English that hardly repeats.
fn text(row: usize) -> String {
    let words =
        ["春眠", "不觉晓", "处处", "闻啼鸟", "the ", "summer ", "day ", "模型", "数据", "and "];
    let mut state = row as u64 + 1;
    let mut text = String::new();
    while text.len() < 1500 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(words[(state >> 33) as usize % words.len()]);
        text.push_str(&format!("{:x}", (state >> 40) as u16));
    }
    text
}

fn folder() -> &'static Path {
    static FOLDER: std::sync::OnceLock<tempfile::TempDir> = std::sync::OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder for the files")).path()
}

fn lines(name: &str, compression: Compression) -> (PathBuf, usize) {
    let path = folder().join(name);
    let mut n_bytes = 0;
    let mut writer = JsonLinesWriter::create(&path, compression).expect("a new file");
    for row in 0..N_ROWS {
        let json = format!("{{\"id\":\"{row:020}\",\"content\":\"{}\"}}", text(row));
        n_bytes += json.len() + 1;
        writer.write_raw(json.as_bytes()).expect("room on the disk");
    }
    writer.finish().expect("room on the disk");
    (path, n_bytes)
}

fn parquet(compression: BlockCompression) -> (PathBuf, usize) {
    let path = folder().join(format!("{compression:?}.parquet"));
    let batch = |rows: std::ops::Range<usize>| {
        let ids = StringArray::from_iter_values(rows.clone().map(|row| format!("{row:020}")));
        let texts = StringArray::from_iter_values(rows.map(text));
        RecordBatch::try_from_iter([("id", Arc::new(ids) as _), ("content", Arc::new(texts) as _)])
            .expect("equal columns")
    };
    let options = ParquetOptions { compression, ..Default::default() };
    let mut writer = ParquetWriter::create(&path, batch(0..1).schema(), &options).expect("a file");
    for start in (0..N_ROWS).step_by(10_000) {
        writer.write(&batch(start..start + 10_000)).expect("room on the disk");
    }
    writer.finish().expect("room on the disk");
    (path, (0..N_ROWS).map(|row| text(row).len() + 20).sum())
}

fn read(path: &Path) -> usize {
    let mut reader = open(path, &ReadOptions::default()).expect("a sound file");
    let mut n_rows = 0;
    while let Some(chunk) = reader.next_chunk() {
        n_rows += divan::black_box(chunk.expect("a sound file")).len();
    }
    assert_eq!(n_rows, N_ROWS);
    n_rows
}

fn bench(bencher: divan::Bencher<'_, '_>, (path, n_bytes): (PathBuf, usize)) {
    bencher.counter(BytesCount::new(n_bytes)).bench(|| read(&path));
}

#[divan::bench(sample_count = 20)]
fn json_lines(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, lines("a.jsonl", Compression::None));
}

#[divan::bench(sample_count = 5)]
fn json_lines_gzip(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, lines("a.jsonl.gz", Compression::Gzip));
}

#[divan::bench(sample_count = 5)]
fn json_lines_zstd(bencher: divan::Bencher<'_, '_>) {
    bench(bencher, lines("a.jsonl.zst", Compression::Zstd));
}

#[divan::bench(sample_count = 5, args = [BlockCompression::Snappy, BlockCompression::Zstd])]
fn parquet_files(bencher: divan::Bencher<'_, '_>, compression: BlockCompression) {
    bench(bencher, parquet(compression));
}
