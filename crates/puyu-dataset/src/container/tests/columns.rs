use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};

use super::*;

fn parquet_file(path: &Path, n_rows: usize, row_group_rows: usize) {
    let options = ParquetOptions { compression: BlockCompression::Snappy, row_group_rows };
    let mut writer = ParquetWriter::create(path, batch(0..1).schema(), &options).unwrap();
    writer.write(&batch(0..n_rows)).unwrap();
    writer.finish().unwrap();
}

#[test]
fn a_damaged_page_keeps_the_rows_before_it_and_the_groups_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("诗.parquet");
    // Two pages per group: the writer's limit is 20 000 rows, looked at every 1024.
    parquet_file(&path, 75_000, 25_000);
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.try_parse(&std::fs::File::open(&path).unwrap()).unwrap();
    let metadata = reader.finish().unwrap();
    let pages = &metadata.offset_index().unwrap()[1][0].page_locations;
    assert_eq!(pages.len(), 2);
    let good = 25_000 + pages[1].first_row_index as u64;
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = pages[1].offset as usize + pages[1].compressed_page_size as usize / 2;
    bytes[middle..middle + 64].fill(0xff);
    bytes[pages[1].offset as usize + 2] ^= 0xff;
    std::fs::write(&path, &bytes).unwrap();

    let items = read(&path, &ReadOptions::default());
    assert_eq!(kinds(&items), [(good + 1, FaultKind::Container)]);
    let numbers: Vec<u64> = items
        .iter()
        .filter_map(|item| match item {
            Item::Row { number, .. } => Some(*number),
            Item::Bad(_) => None,
        })
        .collect();
    assert!(numbers.iter().copied().eq((1..=good).chain(50_001..=75_000)), "{}", numbers.len());
}

#[test]
fn row_groups_outside_the_range_are_skipped_and_numbers_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    parquet_file(&path, 100, 10);
    let numbers = |column: &str, min, max| {
        let range = RowFilterRange { column: column.to_owned(), min, max };
        let options = ReadOptions { rows_in_range: Some(range), ..Default::default() };
        let mut reader = open(&path, &options)?;
        let mut numbers = Vec::new();
        while let Some(chunk) = reader.next_chunk() {
            let chunk = chunk?;
            numbers.extend((0..chunk.len()).map(|index| chunk.location(index).row));
        }
        Ok::<_, DatasetError>(numbers)
    };
    let integer = |value| Some(RangeValue::Integer(value));
    assert!(numbers("id", integer(35), integer(40)).unwrap().into_iter().eq(31..=50));
    assert!(numbers("id", integer(90), None).unwrap().into_iter().eq(91..=100));
    assert_eq!(numbers("id", integer(1000), None).unwrap(), Vec::<u64>::new());
    let text = |value: &str| Some(RangeValue::Text(value.to_owned()));
    assert_eq!(numbers("content", None, text("A")).unwrap(), Vec::<u64>::new());
    assert_eq!(numbers("content", text("S"), None).unwrap().len(), 100);
    for error in [numbers("没有", None, None), numbers("id", text("春"), None)] {
        assert!(matches!(error, Err(DatasetError::Option { option: "rows_in_range", .. })));
    }
}

#[test]
fn only_the_columns_asked_for_are_read_and_missing_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for path in every_kind(folder.path()) {
        let columnar = matches!(
            detect(&path).unwrap().container,
            Container::Parquet | Container::ArrowFile | Container::ArrowStream
        );
        if !columnar {
            continue;
        }
        let options = ReadOptions::default().with_columns(["content"]);
        let items = read(&path, &options);
        assert_eq!(items.len(), 40);
        assert!(!texts(&items)[1].contains("Int64"), "{items:?}");
        let options = ReadOptions::default().with_columns(["content", "诗"]);
        match open(&path, &options).err().unwrap() {
            DatasetError::MissingColumn { column, found, .. } => {
                assert_eq!(
                    (column.as_str(), found),
                    ("诗", vec!["id".to_owned(), "content".to_owned()])
                );
            }
            error => panic!("{error}"),
        }
    }
}

#[test]
fn a_damaged_arrow_block_keeps_the_blocks_around_it() {
    let folder = tempfile::tempdir().unwrap();
    for form in [ArrowForm::File, ArrowForm::Stream] {
        let path = folder.path().join("a.arrow");
        let options = ArrowOptions { form, compression: BlockCompression::Zstd };
        let mut writer = ArrowWriter::create(&path, batch(0..1).schema(), &options).unwrap();
        for start in [0, 500, 1000] {
            writer.write(&batch(start..start + 500)).unwrap();
        }
        writer.finish().unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        // The second frame of zstd belongs to the second column or block: break the third block's
        // neighbour by its magic numbers.
        let frames: Vec<_> = memchr::memmem::find_iter(&bytes, b"\x28\xb5\x2f\xfd").collect();
        let second = frames.len() / 3;
        bytes[frames[second]] ^= 0xff;
        std::fs::write(&path, &bytes).unwrap();
        let items = read(&path, &ReadOptions::default());
        assert_eq!(kinds(&items), [(501, FaultKind::Container)], "{form:?}");
        assert_eq!(n_rows(&items), 1000, "{form:?}");
    }
}

#[test]
fn a_cut_arrow_stream_ends_with_a_truncated_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = every_kind(folder.path())
        .into_iter()
        .find(|path| path.ends_with("Stream-None.arrow"))
        .unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let items = read(&path, &ReadOptions::default());
    assert_eq!(kinds(&items), [(31, FaultKind::Truncated)]);
    assert_eq!(n_rows(&items), 30);
}

#[test]
fn files_that_begin_at_their_end_are_not_read_as_streams() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    parquet_file(&path, 10, 10);
    let bytes = zstd::encode_all(&std::fs::read(&path).unwrap()[..], 1).unwrap();
    let (_folder, path) = file("诗.parquet.zst", &bytes);
    let error = open(&path, &ReadOptions::default()).err().unwrap();
    assert!(matches!(error, DatasetError::Unsupported { .. }), "{error}");
}

#[test]
fn a_footer_that_claims_too_many_row_groups_is_refused() {
    // A struct whose fourth field is a list of 2^31 - 1 structs.
    let footer = [0x49, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00];
    let mut bytes = b"PAR1".to_vec();
    bytes.extend(footer);
    bytes.extend((footer.len() as u32).to_le_bytes());
    bytes.extend(b"PAR1");
    let (_folder, path) = file("坏.parquet", &bytes);
    let error = open(&path, &ReadOptions::default()).err().unwrap();
    assert!(matches!(error, DatasetError::Container { format: "Parquet", .. }), "{error}");
}
