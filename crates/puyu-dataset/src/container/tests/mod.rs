//! What the tests of containers share: rows as text, small files of every kind.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};

use super::*;
use crate::fault::{BadRow, FaultKind};
use crate::row::{Member, RawRow, Rows, Sample};

mod columns;
mod corpus;
mod detecting;
mod documents;
mod lines;
mod mutation;
mod seeking;
mod tar_files;
mod writing;

/// What a reader gives, one entry per row or bad row.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    Row { number: u64, offset: Option<u64>, text: String },
    Bad(BadRow),
}

fn text_of(row: RawRow<'_>) -> String {
    match row {
        RawRow::Json(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        RawRow::Columns(batch, index) => format!("{:?}", batch.slice(index, 1).columns()),
        RawRow::Members(Sample { key, members }) => {
            let members = members.iter().map(|m| format!("{} {:?}", m.extension, m.bytes));
            format!("{key}: {}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Reads to the end; the mark before each chunk goes with it.
fn drain_marked(mut reader: Box<dyn ChunkReader>) -> Vec<(Mark, Vec<Item>)> {
    let mut all = Vec::new();
    loop {
        let mark = reader.mark();
        match reader.next_chunk() {
            None => return all,
            Some(Ok(chunk)) => {
                assert!(!chunk.is_empty(), "a chunk without rows at {mark:?}");
                let item = |index| {
                    let location = chunk.location(index);
                    let text = text_of(chunk.row(index));
                    Item::Row { number: location.row, offset: location.offset, text }
                };
                all.push((mark, (0..chunk.len()).map(item).collect()));
            }
            Some(Err(DatasetError::BadRow(bad))) => all.push((mark, vec![Item::Bad(*bad)])),
            Some(Err(error)) => panic!("{error}: {error:?}"),
        }
    }
}

fn drain(reader: Box<dyn ChunkReader>) -> Vec<Item> {
    drain_marked(reader).into_iter().flat_map(|(_, items)| items).collect()
}

#[track_caller]
fn read(path: &Path, options: &ReadOptions) -> Vec<Item> {
    drain(open(path, options).unwrap())
}

fn texts(items: &[Item]) -> Vec<&str> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::Row { text, .. } => Some(text.as_str()),
            Item::Bad(_) => None,
        })
        .collect()
}

fn kinds(items: &[Item]) -> Vec<(u64, FaultKind)> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::Row { .. } => None,
            Item::Bad(bad) => Some((bad.location.row, bad.fault.kind)),
        })
        .collect()
}

fn n_rows(items: &[Item]) -> usize {
    texts(items).len()
}

/// A file in its own folder.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn poem(row: usize) -> String {
    let lines =
        ["春眠不觉晓，处处闻啼鸟。", "Shall I compare thee to a summer's day?", "夜来风雨声"];
    lines[row % lines.len()].repeat(1 + row % 4)
}

fn json_lines(n_rows: usize) -> Vec<u8> {
    (0..n_rows)
        .flat_map(|row| {
            let json = serde_json::json!({"id": format!("{row:05}"), "content": poem(row)});
            format!("{json}\n").into_bytes()
        })
        .collect()
}

/// Rows of an id and a text.
fn batch(rows: std::ops::Range<usize>) -> RecordBatch {
    let ids = Int64Array::from_iter_values(rows.clone().map(|row| row as i64));
    let texts = StringArray::from_iter_values(rows.map(poem));
    RecordBatch::try_from_iter([("id", Arc::new(ids) as _), ("content", Arc::new(texts) as _)])
        .unwrap()
}

fn samples(n_rows: usize) -> Vec<Sample> {
    let member = |extension: &str, bytes: String| Member {
        extension: extension.to_owned(),
        bytes: bytes.into(),
        offset: 0,
    };
    (0..n_rows)
        .map(|row| Sample {
            key: format!("诗/{row:04}"),
            members: vec![member("txt", poem(row)), member("seg.json", format!("[{row}]"))],
        })
        .collect()
}

/// A small file of every container and compression: 40 rows each, but one for the single object.
fn every_kind(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut at = |name: &str| {
        paths.push(folder.join(name));
        folder.join(name)
    };
    for (name, compression) in [
        ("a.jsonl", Compression::None),
        ("a.jsonl.gz", Compression::Gzip),
        ("a.jsonl.zst", Compression::Zstd),
    ] {
        let mut writer = JsonLinesWriter::create(&at(name), compression).unwrap();
        for line in json_lines(40).split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            writer.write_raw(line).unwrap();
        }
        writer.finish().unwrap();
    }
    let lines = String::from_utf8(json_lines(40)).unwrap();
    let array = format!("[\n  {}\n]\n", lines.trim_end().replace('\n', " ,\n  "));
    std::fs::write(at("a.json"), &array).unwrap();
    for compression in [
        BlockCompression::None,
        BlockCompression::Snappy,
        BlockCompression::Zstd,
        BlockCompression::Lz4,
        BlockCompression::Gzip,
        BlockCompression::Brotli,
    ] {
        let options = ParquetOptions { compression, row_group_rows: 15 };
        let path = at(&format!("{compression:?}.parquet"));
        let mut writer = ParquetWriter::create(&path, batch(0..1).schema(), &options).unwrap();
        writer.write(&batch(0..40)).unwrap();
        writer.finish().unwrap();
    }
    for form in [ArrowForm::File, ArrowForm::Stream] {
        for compression in [BlockCompression::None, BlockCompression::Lz4, BlockCompression::Zstd] {
            let options = ArrowOptions { form, compression };
            let path = at(&format!("{form:?}-{compression:?}.arrow"));
            let mut writer = ArrowWriter::create(&path, batch(0..1).schema(), &options).unwrap();
            for start in [0, 10, 20, 30] {
                writer.write(&batch(start..start + 10)).unwrap();
            }
            writer.finish().unwrap();
        }
    }
    for (name, compression) in [
        ("a.tar", Compression::None),
        ("a.tgz", Compression::Gzip),
        ("a.tar.zst", Compression::Zstd),
    ] {
        let mut writer = TarWriter::create(&at(name), compression).unwrap();
        samples(40).iter().for_each(|sample| writer.write(sample).unwrap());
        writer.finish().unwrap();
    }
    paths
}
