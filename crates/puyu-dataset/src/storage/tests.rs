use std::io::Read as _;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::{ObjectStoreExt as _, PutPayload};

use super::*;
use crate::container::{RangeRead as _, ReadOptions};

/// A store in memory that holds these objects.
fn storage(objects: &[(&str, Vec<u8>)]) -> Storage {
    let store = Arc::new(InMemory::new());
    let storage = Storage::from_store(store.clone(), "memory://诗").unwrap();
    for (path, bytes) in objects {
        let (store, path) = (store.clone(), ObjectPath::parse(path).unwrap());
        let payload = PutPayload::from(bytes.clone());
        storage.requests.wait(async move { store.put(&path, payload).await }).unwrap();
    }
    storage
}

fn numbered(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 31 % 251) as u8).collect()
}

#[test]
fn objects_are_listed_below_a_prefix_in_the_order_of_their_paths() {
    let storage = storage(&[
        ("nlp/EN/b.jsonl", vec![1; 3]),
        ("nlp/CN/诗/a.jsonl", vec![2; 5]),
        ("other.jsonl", vec![3; 7]),
    ]);
    let listed = storage.list("nlp").unwrap();
    let found: Vec<_> = listed.iter().map(|o| (o.path(), o.size())).collect();
    assert_eq!(found, [("nlp/CN/诗/a.jsonl", 5), ("nlp/EN/b.jsonl", 3)]);
}

#[test]
fn a_stream_of_several_requests_gives_every_byte_once() {
    let bytes = numbered(20 << 20);
    let storage = storage(&[("big", bytes.clone())]);
    let object = storage.object("big").unwrap();
    for start in [0, 1, 8 << 20, (20 << 20) - 1, 20 << 20, 99 << 20] {
        let mut read = Vec::new();
        object.reader(start).read_to_end(&mut read).unwrap();
        let expected = bytes.get(start as usize..).unwrap_or_default();
        assert!(read == expected, "from {start}: {} bytes", read.len());
    }
}

#[test]
fn a_range_is_read_exactly_and_never_past_the_end() {
    let storage = storage(&[("词.bin", numbered(1000))]);
    let object = storage.object("词.bin").unwrap();
    assert_eq!(object.read_range(10, 5).unwrap(), numbered(1000)[10..15]);
    assert!(object.read_range(1000, 0).unwrap().is_empty());
    for (start, length) in [(999, 2), (1001, 0), (u64::MAX, 2)] {
        let error = object.read_range(start, length).unwrap_err();
        assert_eq!(error.to_string(), "cannot read memory://诗/词.bin", "{start} + {length}");
    }
}

#[test]
fn an_object_that_is_absent_is_named() {
    let error = storage(&[]).object("没有/none.jsonl").unwrap_err();
    assert_eq!(error.to_string(), "cannot open memory://诗/没有/none.jsonl");
    let DatasetError::Io { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn a_url_of_no_known_scheme_is_refused() {
    for url in ["ftp://example.org/a", "不是网址", "s3"] {
        let error = Storage::open(url, [("region", "x")]).unwrap_err().to_string();
        assert!(error.starts_with("option `url`: expected a URL such as s3://"), "{error}");
    }
}

#[test]
fn signatures_in_a_url_do_not_reach_messages() {
    let url = "https://user:password@127.0.0.1:9/data/part.jsonl?X-Signature=secret";
    let (storage, path) = Storage::open(url, []).unwrap();
    let name = storage.full_name(&path).display().to_string();
    assert_eq!(name, "https://127.0.0.1/data/part.jsonl");
    assert!(!format!("{storage:?}").contains("secret"));
}

#[test]
fn storage_works_and_ends_inside_another_runtime() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let storage = storage(&[("a", numbered(100))]);
        assert_eq!(storage.object("a").unwrap().read_range(0, 100).unwrap(), numbered(100));
        drop(storage);
    });
}

#[test]
fn blocks_answer_every_range_as_the_object_does() {
    let bytes = numbered((5 << 20) + 123);
    let storage = storage(&[("big", bytes.clone())]);
    let blocks = Blocks::new(storage.object("big").unwrap());
    let megabyte = 1usize << 20;
    for (offset, len) in [
        (0, 0),
        (0, 1),
        (megabyte - 1, 2),
        (megabyte - 3, megabyte - 1),
        (17, 3 * megabyte),
        (5 * megabyte, 123),
        (5 * megabyte + 122, 1),
    ] {
        let read = blocks.read_range(offset as u64, len).unwrap();
        assert!(read == bytes[offset..offset + len], "{offset} + {len}");
    }
    assert!(blocks.read_range(bytes.len() as u64, 1).is_err());
    assert!(blocks.read_range(u64::MAX, 2).is_err());
}

#[test]
fn rows_of_an_object_are_those_of_the_file() {
    let lines = "{\"text\": \"春眠不觉晓\"}\n\n{\"text\": \"To be, or not to be\"}\n";
    let storage = storage(&[("nlp/part.jsonl", lines.as_bytes().to_vec())]);
    let mut reader =
        storage.object("nlp/part.jsonl").unwrap().open(&ReadOptions::default()).unwrap();
    let chunk = reader.next_chunk().unwrap().unwrap();
    assert_eq!(chunk.len(), 2);
    assert_eq!(chunk.location(1).to_string(), "memory://诗/nlp/part.jsonl, row 3, byte 29");
    assert!(reader.next_chunk().is_none());
}
