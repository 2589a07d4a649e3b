use std::sync::Arc;

use ::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, ListArray,
    MapBuilder, StringArray, StringBuilder, StringViewArray, StructArray, TimestampSecondArray,
};
use ::arrow::datatypes::{Int8Type, Int32Type};
use ::arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::record::engine::columns::row_to_json;

fn parquet_batches(path: &Path) -> Vec<RecordBatch> {
    let file = std::fs::File::open(path).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

fn decode_all<T: Record>(batches: &[RecordBatch]) -> Vec<T> {
    batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)))
        .map(|(batch, row)| T::decode(RawRow::Columns(batch, row)).unwrap())
        .collect()
}

#[test]
fn poems_are_the_same_from_parquet_and_arrow_as_from_json() {
    let Some(folder) = shared("corpus/wanjuan/shaped") else { return };
    let lines = rows(&folder.join("nlp/CN/Poetry-cn/part-000000.jsonl"));
    let poems: std::collections::HashMap<String, String> = lines
        .iter()
        .map(|line| read::<Document>(line).unwrap())
        .map(|document| (document.id, document.content))
        .collect();
    let mut sets = vec![
        parquet_batches(&folder.join("parquet/poetry-cn_zstd.parquet")),
        parquet_batches(&folder.join("parquet/poetry-cn_snappy_dict.parquet")),
    ];
    let file = std::fs::File::open(folder.join("parquet/poetry-cn.arrow")).unwrap();
    let reader = arrow_ipc::reader::FileReader::try_new(file, None).unwrap();
    sets.push(reader.map(Result::unwrap).collect());
    for set in sets {
        let documents: Vec<Document> = decode_all(&set);
        assert!(!documents.is_empty());
        let n_known = documents.iter().filter(|d| poems.get(&d.id) == Some(&d.content)).count();
        assert!(n_known > 0, "the rows are poems of the JSON file");
        assert_eq!(detect_form(RawRow::Columns(&set[0], 0)), Some(Form::Document));
    }
}

#[test]
fn nested_pictures_are_the_same_from_parquet_as_from_json() {
    let Some(folder) = shared("corpus/wanjuan/image_text_local") else { return };
    // The Parquet file has the genuine record too, before the local ones.
    let genuine = folder.join("../real/wanjuan1.0_image_text.jsonl");
    let files = [genuine, folder.join("part-000000.jsonl")];
    let lines: Vec<_> = files.iter().flat_map(|file| rows(file)).collect();
    let from_json: Vec<ImageText> = lines.iter().map(|line| read(line).unwrap()).collect();
    let batches = parquet_batches(&folder.join("part-000000.parquet"));
    assert_eq!(decode_all::<ImageText>(&batches), from_json);
}

#[test]
fn batches_of_wanjuan_forms_come_back() {
    let documents = vec![
        Document { id: "1".to_owned(), content: "山高水长".to_owned() },
        Document { id: "2".to_owned(), content: "mountain".to_owned() },
    ];
    assert_eq!(decode_all::<Document>(&[Document::to_batch(&documents)]), documents);
    let exams = vec![
        Exam { id: "1".to_owned(), q_main: "问".to_owned(), ..Exam::default() },
        Exam {
            id: "2".to_owned(),
            q_main: "why?".to_owned(),
            std_ans: Some("A".to_owned()),
            ..Exam::default()
        },
    ];
    assert_eq!(decode_all::<Exam>(&[Exam::to_batch(&exams)]), exams);
    for (path, form) in [
        ("corpus/wanjuan/real/wanjuan_cc_text.jsonl", Form::CcDocument),
        ("corpus/wanjuan/image_text_local/part-000000.jsonl", Form::ImageText),
    ] {
        let Some(path) = shared(path) else { return };
        let records: Vec<_> = rows(&path)
            .iter()
            .map(|row| form.decode(RawRow::Json(row.as_bytes())).unwrap())
            .collect();
        for record in records {
            match record {
                AnyRecord::CcDocument(row) => {
                    let batch = CcDocument::to_batch(std::slice::from_ref(&row));
                    assert_eq!(decode_all::<CcDocument>(&[batch]), [row]);
                }
                AnyRecord::ImageText(row) => {
                    let batch = ImageText::to_batch(std::slice::from_ref(&row));
                    assert_eq!(decode_all::<ImageText>(&[batch]), [row]);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn dictionary(texts: Vec<Option<&str>>) -> ArrayRef {
    Arc::new(texts.into_iter().collect::<DictionaryArray<Int8Type>>())
}

#[test]
fn all_kinds_of_string_columns_are_borrowed() {
    let columns: [ArrayRef; 3] = [
        Arc::new(StringArray::from(vec!["甲", "b"])),
        Arc::new(StringViewArray::from(vec!["甲", "b"])),
        dictionary(vec![Some("甲"), Some("b")]),
    ];
    for column in columns {
        let batch = RecordBatch::try_from_iter([("text", column)]).unwrap();
        let texts: Vec<_> = decode_all::<PlainText>(&[batch]).into_iter().map(|t| t.text).collect();
        assert_eq!(texts, ["甲", "b"]);
    }
}

#[test]
fn faults_of_columns_name_the_column() {
    let check = |column: ArrayRef, kind: FaultKind, words: &str| {
        let batch = RecordBatch::try_from_iter_with_nullable([("text", column, true)]).unwrap();
        let fault = PlainText::decode(RawRow::Columns(&batch, 0)).unwrap_err();
        assert_eq!((fault.kind, fault.field.as_deref()), (kind, Some("text")), "{fault}");
        assert!(fault.to_string().contains(words), "{fault}");
    };
    check(Arc::new(Int32Array::from(vec![1])), FaultKind::Type, "a column of Int32");
    check(Arc::new(StringArray::from(vec![None::<&str>])), FaultKind::Null, "null");
    check(dictionary(vec![None]), FaultKind::Null, "null");
    let batch = RecordBatch::try_from_iter([("正文", dictionary(vec![Some("a")]))]).unwrap();
    let fault = PlainText::decode(RawRow::Columns(&batch, 0)).unwrap_err();
    assert_eq!(fault.to_string(), "`text`: expected a column, found columns 正文");
}

#[test]
fn rows_of_any_type_become_json() {
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.keys().append_value("键");
    map.values().append_value("value");
    map.append(true).unwrap();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None])]);
    let inner = ("a", Arc::new(BooleanArray::from(vec![true])) as ArrayRef);
    let object = StructArray::try_from(vec![inner]).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("map", Arc::new(map.finish())),
        ("list", Arc::new(list)),
        ("object", Arc::new(object)),
        ("float", Arc::new(Float64Array::from(vec![f64::NAN]))),
        ("time", Arc::new(TimestampSecondArray::from(vec![0]).with_timezone("UTC"))),
        ("word", dictionary(vec![Some("词")])),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    assert_eq!(
        row_to_json(&batch, 0).unwrap(),
        json!({"map": {"键": "value"}, "list": [1, null], "object": {"a": true}, "float": null,
            "time": "1970-01-01T00:00:00Z", "word": "词"})
    );
    let binary: ArrayRef = Arc::new(BinaryArray::from(vec![&b"x"[..]]));
    let batch = RecordBatch::try_from_iter([("bytes", binary)]).unwrap();
    let fault = row_to_json(&batch, 0).unwrap_err();
    assert_eq!((fault.kind, fault.field.as_deref()), (FaultKind::Type, Some("bytes")));
}
