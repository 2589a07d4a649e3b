//! The layouts of InternEvo and Megatron.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use puyu_testkit::TempDir;

use super::*;
use crate::error::DatasetError;

fn write_intern_evo(folder: &Path, documents: &[Document]) -> PathBuf {
    let path = folder.join("cn.bin");
    let mut writer = InternEvoWriter::create(&path).unwrap();
    documents.iter().for_each(|document| writer.push(document).unwrap());
    writer.finish().unwrap();
    path
}

fn write_megatron(folder: &Path, vocab_size: u64, documents: &[Vec<u32>]) -> PathBuf {
    let prefix = folder.join("万卷_text_document");
    let mut writer = MegatronWriter::create(&prefix, vocab_size).unwrap();
    documents.iter().for_each(|ids| writer.push(ids).unwrap());
    writer.finish().unwrap();
    prefix
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    files::with_suffix(path, suffix)
}

/// The header that NumPy writes for a table of 4-byte numbers with two rows.
fn numpy_header(descr: &str, shape: &str) -> Vec<u8> {
    let dictionary = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut header = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    header.extend(format!("{dictionary:<117}\n").bytes());
    assert_eq!(header.len(), 128);
    header
}

#[test]
fn intern_evo_files_are_those_of_the_python_tool_byte_for_byte() {
    let folder = TempDir::new().unwrap();
    let prompt = Document { ids: vec![1, 333, 2], trained: Some(vec![false, false, true]) };
    let path = write_intern_evo(
        folder.path(),
        &[prompt, Document { ids: vec![1, 92_542], trained: None }],
    );
    let lines = "{\"tokens\": [-1, -333, 2]}\n{\"tokens\": [1, 92542]}\n";
    assert_eq!(std::fs::read_to_string(&path).unwrap(), lines);
    let mut meta = numpy_header("<i4", "(2, 2)");
    meta.extend([0_i32, 3, 26, 2].iter().flat_map(|number| number.to_le_bytes()));
    assert_eq!(std::fs::read(suffixed(&path, ".meta")).unwrap(), meta);
}

#[test]
fn tables_beyond_two_gibibytes_take_eight_bytes_per_number() {
    let rows = [[0, 5], [1 << 31, 7]];
    let bytes = npy::format(&rows);
    assert_eq!(bytes[..128], numpy_header("<i8", "(2, 2)"));
    let file = files::Foreign { path: Path::new("x.bin.meta"), format: "test" };
    let table = npy::parse(&file, &bytes::Bytes::from(bytes)).unwrap();
    assert_eq!((table.len(), table.row(0), table.row(1)), (2, rows[0], rows[1]));
}

#[track_caller]
fn check_bad_meta(lines: &str, meta: &[u8], expected: &str) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("坏.bin");
    std::fs::write(&path, lines).unwrap();
    std::fs::write(suffixed(&path, ".meta"), meta).unwrap();
    let documents = |reader: InternEvoReader| reader.documents().collect::<Result<Vec<_>, _>>();
    let error = InternEvoReader::open(&path).and_then(documents).unwrap_err();
    let text = error.with_causes();
    assert!(text.contains(expected), "{text:?} should contain {expected:?}");
    assert!(text.contains("坏.bin"), "{text:?} should name the file");
}

#[test]
fn bad_intern_evo_files_are_refused_with_the_place() {
    let meta = |rows: &[[i64; 2]]| npy::format(rows);
    let line = "{\"tokens\": [1, 2]}\n";
    check_bad_meta(line, b"", "magic: expected");
    check_bad_meta(line, b"\x93NUMPY\x02\x00", "found \"\\x93NUMPY\\x02\\x00\"");
    check_bad_meta(line, b"\x93NUMPY\x01\x00\xff\xff{", "the end of the file");
    let header = |descr, shape| numpy_header(descr, shape);
    check_bad_meta(line, &header("<f8", "(1, 2)"), "'<i4' or '<i8'");
    check_bad_meta(line, &header("<i8", "(2,)"), "shape (n, 2)");
    check_bad_meta(line, &header("<i8", "(9223372036854775807, 2)"), "9223372036854775807 rows");
    check_bad_meta(line, &header("<i4", "(1, 2)"), "expected 1 rows of 8 bytes, found 0 bytes");
    check_bad_meta(line, &meta(&[[19, 2]]), "offset: expected 0 to 19");
    check_bad_meta(line, &meta(&[[-1, 2]]), "found -1");
    check_bad_meta(line, &meta(&[[0, -2]]), "token count: expected 0 or more, found -2");
    check_bad_meta(line, &meta(&[[3, 2]]), "the beginning of a line, found byte 3");
    check_bad_meta(line, &meta(&[[0, 3]]), "expected 3 tokens, as the meta file says, found 2");
    check_bad_meta("{\"tokens\": [1, \n", &meta(&[[0, 1]]), "row 1, byte 0");
    check_bad_meta("{\"tokens\": [4294967296]}", &meta(&[[0, 1]]), "`tokens[0]`");
    let smallest = format!("{{\"tokens\": [{}]}}", i64::MIN);
    check_bad_meta(&smallest, &meta(&[[0, 1]]), "an id below 2^32");
}

#[test]
fn intern_evo_cannot_leave_token_zero_untrained() {
    let folder = TempDir::new().unwrap();
    let mut writer = InternEvoWriter::create(folder.path().join("x.bin")).unwrap();
    let document = Document { ids: vec![5, 0], trained: Some(vec![false, false]) };
    let error = writer.push(&document).unwrap_err().to_string();
    assert!(error.contains("token 0 (at 1) that is not trained"), "{error}");
}

#[test]
fn megatron_files_are_byte_for_byte_as_documented() {
    let folder = TempDir::new().unwrap();
    let prefix = write_megatron(folder.path(), 92_544, &[vec![1, 68_415, 2], vec![], vec![7]]);
    let index = [
        b"MMIDIDX\x00\x00".as_slice(),
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[4],
        &[3, 0, 0, 0, 0, 0, 0, 0],
        &[4, 0, 0, 0, 0, 0, 0, 0],
        &[3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        &[0, 0, 0, 0, 0, 0, 0, 0],
        &[12, 0, 0, 0, 0, 0, 0, 0],
        &[12, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0],
        &[2, 0, 0, 0, 0, 0, 0, 0],
        &[3, 0, 0, 0, 0, 0, 0, 0],
    ];
    assert_eq!(std::fs::read(suffixed(&prefix, ".idx")).unwrap(), index.concat());
    let ids = [1, 0, 0, 0, 0x3f, 0x0b, 1, 0, 2, 0, 0, 0, 7, 0, 0, 0];
    assert_eq!(std::fs::read(suffixed(&prefix, ".bin")).unwrap(), ids);
}

/// An index with these parts; the version is 1.
fn index(code: u8, lengths: &[i32], pointers: &[i64], bounds: &[i64]) -> Vec<u8> {
    let mut bytes = b"MMIDIDX\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00".to_vec();
    bytes.push(code);
    bytes.extend((lengths.len() as u64).to_le_bytes());
    bytes.extend((bounds.len() as u64).to_le_bytes());
    bytes.extend(lengths.iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(pointers.iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(bounds.iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

fn read_megatron(index: &[u8], ids: &[u8]) -> Result<Vec<Vec<u32>>, DatasetError> {
    let folder = TempDir::new().unwrap();
    let prefix = folder.path().join("坏");
    std::fs::write(suffixed(&prefix, ".bin"), ids).unwrap();
    std::fs::write(suffixed(&prefix, ".idx"), index).unwrap();
    MegatronReader::open(&prefix)?.documents().collect()
}

#[test]
fn megatron_documents_of_several_sentences_and_every_integer_type_are_read() {
    for (code, width) in [(1, 1), (2, 1), (3, 2), (4, 4), (5, 8), (8, 2)] {
        let mut ids = Vec::new();
        for id in 1..=5_u64 {
            ids.extend(&id.to_le_bytes()[..width]);
        }
        let at = |token: i64| token * width as i64;
        let mut index = index(code, &[2, 2, 1], &[at(0), at(2), at(4)], &[0, 2, 3]);
        let expected = [vec![1, 2, 3, 4], vec![5]];
        assert_eq!(read_megatron(&index, &ids).unwrap(), expected, "code {code}");
        index.extend([0, 1, 0]);
        assert_eq!(read_megatron(&index, &ids).unwrap(), expected, "with modes, code {code}");
    }
}

#[track_caller]
fn check_bad_index(index: &[u8], ids: &[u8], expected: &str) {
    let text = read_megatron(index, ids).unwrap_err().with_causes();
    assert!(text.contains(expected), "{text:?} should contain {expected:?}");
}

#[test]
fn bad_megatron_files_are_refused_before_anything_is_allocated() {
    check_bad_index(b"", &[], "at least 34 bytes, found 0");
    check_bad_index(&[b'x'; 40], &[], "magic: expected \"MMIDIDX\\x00\\x00\"");
    let mut version = index(4, &[], &[], &[0]);
    version[9] = 2;
    check_bad_index(&version, &[], "version: expected 1, found 2");
    check_bad_index(&index(7, &[], &[], &[0]), &[], "data type 7 (a float)");
    check_bad_index(&index(9, &[], &[], &[0]), &[], "a code from 1 to 8, found 9");
    let mut huge = index(4, &[], &[], &[0]);
    huge[18..26].copy_from_slice(&u64::MAX.to_le_bytes());
    check_bad_index(&huge, &[], "room for 18446744073709551615 sequences");
    huge[18..26].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    check_bad_index(&huge, &[], "room for 1152921504606846976 sequences");
    check_bad_index(&index(4, &[2], &[0], &[0, 1]), &[0; 7], "found 2 tokens at byte 0");
    check_bad_index(&index(4, &[-1], &[0], &[0, 1]), &[0; 8], "found -1 tokens at byte 0");
    check_bad_index(&index(4, &[1], &[-4], &[0, 1]), &[0; 8], "1 tokens at byte -4");
    check_bad_index(&index(4, &[1], &[i64::MAX], &[0, 1]), &[0; 8], "inside the 8 bytes");
    check_bad_index(&index(4, &[1], &[0], &[]), &[0; 8], "document bounds");
    check_bad_index(&index(4, &[1], &[0], &[0, 2]), &[0; 8], "rising from 0 to 1");
    check_bad_index(&index(4, &[1, 1], &[0, 4], &[0, 2, 1, 2]), &[0; 8], "rising from 0 to 2");
    check_bad_index(&index(4, &[1], &[0], &[0, 1]), &[255; 4], "token id: expected 0");
}

#[test]
fn megatron_refuses_ids_that_its_type_cannot_hold() {
    let folder = TempDir::new().unwrap();
    let mut writer = MegatronWriter::create(folder.path().join("x"), 50_000).unwrap();
    assert!(writer.push(&[65_535]).is_ok());
    assert!(writer.push(&[65_536]).unwrap_err().to_string().contains("the id 65536"));
}

fn id_lists() -> impl Strategy<Value = Vec<Vec<(u32, bool)>>> {
    prop::collection::vec(prop::collection::vec((1_u32..92_544, any::<bool>()), 0..12), 0..12)
}

proptest! {
    // Each case waits for the disk several times.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn foreign_layouts_round_trip(lists in id_lists(), vocab_size in prop::sample::select(
        vec![92_544_u64, 60_000],
    )) {
        let folder = TempDir::new().unwrap();
        let documents: Vec<Document> = lists.iter().map(|pairs| {
            let (ids, trained): (Vec<u32>, Vec<bool>) = pairs.iter().copied().unzip();
            let trained = trained.contains(&false).then_some(trained);
            Document { ids, trained }
        }).collect();
        let reader = InternEvoReader::open(write_intern_evo(folder.path(), &documents)).unwrap();
        let read: Vec<Document> = reader.documents().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(&read, &documents);

        let ids: Vec<Vec<u32>> = documents.into_iter().map(|document| {
            document.ids.into_iter().map(|id| id % vocab_size as u32).collect()
        }).collect();
        let prefix = write_megatron(folder.path(), vocab_size, &ids);
        let reader = MegatronReader::open(prefix).unwrap();
        let lengths: Vec<u64> = ids.iter().map(|ids| ids.len() as u64).collect();
        prop_assert_eq!(reader.lengths().collect::<Vec<_>>(), lengths);
        let read: Vec<Vec<u32>> = reader.documents().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(read, ids);
    }

    #[test]
    fn changed_foreign_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        of_index in any::<bool>(),
    ) {
        let folder = TempDir::new().unwrap();
        let ids = [vec![1, 2, 3], vec![], vec![92_000]];
        let documents = ids.clone().map(|ids| Document { ids, trained: None });
        let path = write_intern_evo(folder.path(), &documents);
        let prefix = write_megatron(folder.path(), 92_544, &ids);
        let files = if of_index {
            [suffixed(&path, ".meta"), suffixed(&prefix, ".idx")]
        } else {
            [path.clone(), suffixed(&prefix, ".bin")]
        };
        for file in files {
            let mut bytes = std::fs::read(&file).unwrap();
            for (place, byte) in &changes {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            bytes.truncate(bytes.len() - cut.index(bytes.len()) / 8);
            std::fs::write(&file, bytes).unwrap();
        }
        if let Ok(reader) = InternEvoReader::open(&path) {
            reader.documents().for_each(drop);
            reader.lengths().for_each(drop);
        }
        if let Ok(reader) = MegatronReader::open(&prefix) {
            reader.documents().for_each(drop);
            reader.lengths().for_each(drop);
        }
    }
}
