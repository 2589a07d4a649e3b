//! Every file of the shared corpus, against counts made another way.

use std::io::Read;

use super::*;

/// How many rows a file has, counted without this module.
fn count(path: &Path) -> Option<usize> {
    let name = path.file_name()?.to_str()?;
    let file = std::fs::File::open(path).unwrap();
    let lines = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.split('\n').filter(|line| !line.trim().is_empty()).count()
    };
    let mut bytes = Vec::new();
    if name.ends_with(".jsonl") {
        Some(lines(std::fs::read(path).unwrap()))
    } else if name.ends_with(".jsonl.gz") {
        // A cut file keeps its whole lines, and one bad row.
        let _ = flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes);
        Some(lines(bytes))
    } else if name.ends_with(".jsonl.zst") {
        zstd::stream::copy_decode(file, &mut bytes).unwrap();
        Some(lines(bytes))
    } else if name.ends_with(".json") {
        let value: serde_json::Value = serde_json::from_reader(file).unwrap();
        Some(value.as_array().map_or(1, Vec::len))
    } else if name.ends_with(".parquet") {
        use parquet::file::reader::FileReader;
        let reader = parquet::file::serialized_reader::SerializedFileReader::new(file).unwrap();
        Some(reader.metadata().file_metadata().num_rows() as usize)
    } else if name.ends_with(".arrow") {
        let reader = arrow_ipc::reader::FileReader::try_new(file, None).unwrap();
        Some(reader.map(|batch| batch.unwrap().num_rows()).sum())
    } else if name.ends_with(".tar") || name.ends_with(".tgz") {
        let reader: Box<dyn Read> = match name.ends_with(".tgz") {
            true => Box::new(flate2::read::GzDecoder::new(file)),
            false => Box::new(file),
        };
        let mut keys = Vec::new();
        for entry in tar::Archive::new(reader).entries().unwrap() {
            let entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let (folder, file) = name.rsplit_once('/').unwrap_or(("", &name));
            if let (true, Some((stem, _))) =
                (entry.header().entry_type().is_file(), file.split_once('.'))
            {
                keys.push(format!("{folder}/{stem}"));
            }
        }
        keys.dedup();
        Some(keys.len())
    } else {
        None
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn every_shared_file_has_the_rows_counted_another_way() {
    let mut n_files = 0;
    for set in ["wanjuan", "webdataset", "sft", "dedup", "html"] {
        let Some(folder) = puyu_testkit::shared(format!("corpus/{set}")) else {
            return;
        };
        let mut found = Vec::new();
        files(&folder, &mut found);
        for path in found {
            let Some(expected) = count(&path) else {
                continue;
            };
            let items = read(&path, &ReadOptions::default());
            assert_eq!(items.len(), expected, "{}", path.display());
            let cut = path.ends_with("truncated.jsonl.gz");
            assert_eq!(kinds(&items).len(), usize::from(cut), "{}", path.display());
            n_files += 1;
        }
    }
    assert!(n_files > 60, "only {n_files} files");
}

#[test]
fn a_cut_gzip_file_gives_its_good_rows_and_then_one_fault() {
    let Some(path) = puyu_testkit::shared("corpus/wanjuan/malformed/truncated.jsonl.gz") else {
        return;
    };
    let items = read(&path, &ReadOptions::default());
    let (last, rows) = items.split_last().unwrap();
    assert!(rows.len() > 3, "{} rows", rows.len());
    assert_eq!(kinds(rows), []);
    assert_eq!(kinds(std::slice::from_ref(last)), [(rows.len() as u64 + 1, FaultKind::Truncated)]);
}

#[test]
fn columns_of_shared_parquet_and_arrow_agree() {
    let Some(folder) = puyu_testkit::shared("corpus/wanjuan/shaped/parquet") else {
        return;
    };
    let options = ReadOptions::default().with_columns(["content"]);
    let column = |name: &str| {
        let mut reader = open(&folder.join(name), &options).unwrap();
        let mut rows = Vec::new();
        while let Some(chunk) = reader.next_chunk() {
            let Rows::Batch { batch, .. } = chunk.unwrap().rows else { panic!("no batch") };
            assert_eq!(batch.num_columns(), 1);
            let cast = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8);
            let cast = cast.unwrap();
            let texts = arrow::array::AsArray::as_string::<i32>(&cast);
            rows.extend(texts.iter().map(|text| text.map(str::to_owned)));
        }
        rows
    };
    // The same poems from the start; the files differ in how many they hold.
    let (zstd, snappy, arrow) = (
        column("poetry-cn_zstd.parquet"),
        column("poetry-cn_snappy_dict.parquet"),
        column("poetry-cn.arrow"),
    );
    assert!(zstd.iter().all(Option::is_some));
    let common = arrow.len().min(zstd.len()).min(snappy.len());
    assert!(common > 100);
    assert!(arrow[..common].iter().any(|text| zstd.contains(text)));
    assert!(snappy[..common].iter().any(|text| zstd.contains(text)));
}
