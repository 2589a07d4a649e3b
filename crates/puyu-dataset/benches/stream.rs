//! Typed streaming of one file from the page cache: bytes of the file per second.
//!
//! `PUYU_BENCH_FILES` names files (separated by `:`) instead of the synthetic ones, so that another
//! program can be measured on the same data.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use divan::counter::BytesCount;
use puyu_dataset::container::{
    BlockCompression, Compression, JsonLinesWriter, ParquetOptions, ParquetWriter,
};
use puyu_dataset::record::wanjuan::{Document, ToBatch as _};
use puyu_dataset::stream::{RecordStream, StreamOptions};

const N_ROWS: usize = 200_000;

fn main() {
    divan::main();
}

/// A document of about 1.2 kB, Chinese and English in turns.
fn document(row: usize) -> Document {
    const WORDS: [&str; 8] = [
        "白日依山尽，",
        "黄河入海流。",
        "欲穷千里目，",
        "更上一层楼。\n",
        "the sea ",
        "of data ",
        "is \"wide\" ",
        "and deep.\n",
    ];
    let mut state = row as u64 + 1;
    let half = (row % 2) * 4;
    let mut content = String::with_capacity(1300);
    while content.len() < 1200 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        content.push_str(WORDS[half + (state >> 33) as usize % 4]);
    }
    Document { id: format!("{row:020}"), content }
}

fn files() -> &'static [PathBuf] {
    static FILES: OnceLock<(Option<tempfile::TempDir>, Vec<PathBuf>)> = OnceLock::new();
    let make = || {
        if let Some(named) = std::env::var_os("PUYU_BENCH_FILES") {
            return (None, std::env::split_paths(&named).collect());
        }
        let folder = tempfile::tempdir().expect("a folder for the files");
        let paths = vec![lines(folder.path()), parquet(folder.path())];
        (Some(folder), paths)
    };
    &FILES.get_or_init(make).1
}

fn lines(folder: &Path) -> PathBuf {
    let path = folder.join("documents.jsonl");
    let mut writer = JsonLinesWriter::create(&path, Compression::None).expect("a new file");
    for row in 0..N_ROWS {
        writer.write(&document(row)).expect("room on the disk");
    }
    writer.finish().expect("room on the disk");
    path
}

fn parquet(folder: &Path) -> PathBuf {
    let path = folder.join("documents.parquet");
    let options =
        ParquetOptions { compression: BlockCompression::Snappy, ..ParquetOptions::default() };
    let batch =
        |rows: std::ops::Range<usize>| Document::to_batch(&rows.map(document).collect::<Vec<_>>());
    let mut writer = ParquetWriter::create(&path, batch(0..1).schema(), &options).expect("a file");
    for start in (0..N_ROWS).step_by(10_000) {
        writer.write(&batch(start..start + 10_000)).expect("room on the disk");
    }
    writer.finish().expect("room on the disk");
    path
}

/// Bytes of text in all rows.
fn stream(path: &Path, threads: usize) -> usize {
    let options = StreamOptions::default().with_threads(threads);
    let rows = RecordStream::<Document>::builder([path]).options(options).start();
    rows.expect("a sound file")
        .map(|row| {
            let (_, document) = row.expect("a sound row");
            document.id.len() + document.content.len()
        })
        .sum()
}

#[divan::bench(args = files_and_threads(), sample_count = 5, sample_size = 1)]
fn documents(bencher: divan::Bencher<'_, '_>, case: &Case) {
    let Case { name, threads } = case;
    let path = files().iter().find(|path| path.ends_with(name)).expect("one of the files");
    let n_bytes = stream(path, *threads);
    bencher.counter(BytesCount::new(n_bytes)).bench(|| stream(path, *threads));
}

/// One row of the output.
struct Case {
    name: String,
    threads: usize,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {} threads", self.name, self.threads)
    }
}

fn files_and_threads() -> Vec<Case> {
    let names = files().iter().filter_map(|path| path.file_name());
    names
        .flat_map(|name| {
            let name = name.to_string_lossy().into_owned();
            [0, 1, 2].map(|threads| Case { name: name.clone(), threads })
        })
        .collect()
}
