use std::collections::HashSet;
use std::path::Path;

use puyu_testkit::shared;
use serde_json::{Value, json};

use super::*;
use crate::fault::{Fault, FaultKind};
use crate::row::{Member, RawRow, Record, Sample};

mod arrow;
mod conversations;
mod faults;
mod samples;

/// Decodes JSON as this form.
fn read<T: Record>(json: impl ToString) -> Result<T, Fault> {
    T::decode(RawRow::Json(json.to_string().as_bytes()))
}

/// The rows of a shared file: lines of `.jsonl` (also .gz and .zst), elements of a list in
/// `.json`, or the whole object.
fn rows(path: &Path) -> Vec<String> {
    use std::io::Read;
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => {
            flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
        }
        Some("zst") => {
            zstd::Decoder::new(&bytes[..]).unwrap().read_to_string(&mut text).unwrap();
        }
        _ => text = String::from_utf8(bytes).unwrap(),
    }
    if path.extension().is_some_and(|e| e == "json") {
        return match serde_json::from_str(&text).unwrap() {
            Value::Array(list) => list.iter().map(Value::to_string).collect(),
            one => vec![one.to_string()],
        };
    }
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

/// Every row of the file is in this form, decodes, and is written back as it was.
#[track_caller]
fn check_file(path: &str, form: Form, n_rows: usize) -> Vec<AnyRecord> {
    let Some(path) = shared(format!("corpus/{path}")) else { return Vec::new() };
    let rows = rows(&path);
    assert_eq!(rows.len(), n_rows, "{}", path.display());
    let read = |row: &String| {
        let raw = RawRow::Json(row.as_bytes());
        assert_eq!(detect_form(raw), Some(form), "{row}");
        let record = form.decode(raw).unwrap_or_else(|fault| panic!("{fault}: {row}"));
        let written = serde_json::to_value(&record).unwrap();
        let (mut original, mut again) = (serde_json::from_str(row).unwrap(), written);
        round_floats(&mut original);
        round_floats(&mut again);
        assert_eq!(again, original);
        record
    };
    rows.iter().map(read).collect()
}

/// Loss weights are `f32`; sets write them with few digits.
fn round_floats(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            *value = json!((number.as_f64().unwrap() * 1e6).round());
        }
        Value::Array(list) => list.iter_mut().for_each(round_floats),
        Value::Object(map) => map.values_mut().for_each(round_floats),
        _ => {}
    }
}

#[test]
fn genuine_wanjuan_records_are_read_and_written_unchanged() {
    check_file("wanjuan/real/wanjuan1.0_text.jsonl", Form::Document, 1);
    let images = check_file("wanjuan/real/wanjuan1.0_image_text.jsonl", Form::ImageText, 1);
    if let Some(AnyRecord::ImageText(row)) = images.first() {
        assert_eq!(row.img_list[0].width_pixels(), Some(400));
        assert_eq!(row.img_list[0].height_pixels(), Some(266));
        assert!(row.content.starts_with("![](http://digitalpaper"));
    }
    let cc = check_file("wanjuan/real/wanjuan_cc_text.jsonl", Form::CcDocument, 1);
    if let Some(AnyRecord::CcDocument(row)) = cc.first() {
        assert_eq!((row.token_num, row.toxic_score), (244, Some(0.001661)));
        assert_eq!(row.title, "Withenay Wanders: July 2009");
    }
}

#[test]
fn shaped_wanjuan_files_are_read_whole() {
    let count = |path: &str| shared(format!("corpus/{path}")).map_or(0, |path| rows(&path).len());
    for path in [
        "wanjuan/shaped/nlp/CN/Book-cn/part-000000.jsonl.gz",
        "wanjuan/shaped/nlp/CN/Book-cn/part-000001.jsonl.gz",
        "wanjuan/shaped/nlp/CN/Poetry-cn/part-000000.jsonl",
        "wanjuan/shaped/nlp/CN/Poetry-cn/part-000001.jsonl.zst",
    ] {
        check_file(path, Form::Document, count(path));
    }
    let poems = check_file(
        "wanjuan/shaped/nlp/CN/Poetry-cn/part-000000.jsonl",
        Form::Document,
        count("wanjuan/shaped/nlp/CN/Poetry-cn/part-000000.jsonl"),
    );
    if let Some(AnyRecord::Document(poem)) = poems.first() {
        assert_eq!(poem.id, "BkuTwmhIUsY8LTFYyeXf");
        assert!(poem.content.starts_with("#### 帝京篇十首 一\n太宗皇帝\n"));
    }
    check_file("wanjuan/shaped/nlp/EN/WebText-en/part-000000.jsonl.gz", Form::CcDocument, 150);
    check_file("wanjuan/image_text_local/part-000000.jsonl", Form::ImageText, 3);
}

#[test]
fn exams_render_as_question_choices_answer() {
    let exams = check_file("wanjuan/shaped/nlp/CN/Exam-cn/part-000000.jsonl", Form::Exam, 234);
    if let Some(AnyRecord::Exam(exam)) = exams.first() {
        let text = exam.text();
        assert!(text.contains("\nA. 河南、河北\nB. 湖南、湖北\n"), "{text}");
        assert!(text.contains("\n答案：C\n解析：西周分封"), "{text}");
        assert!(!text.contains("E. "), "an empty choice is none: {text}");
    }
    let english = Exam {
        id: "1".to_owned(),
        q_main: "2 + 2 = ?".to_owned(),
        option_a: Some("3".to_owned()),
        option_b: Some("4".to_owned()),
        std_ans: Some("B".to_owned()),
        ..Exam::default()
    };
    assert_eq!(english.text(), "2 + 2 = ?\nA. 3\nB. 4\nAnswer: B");
}

#[test]
fn videos_are_checked_for_times() {
    let row = json!({"id": "v", "video": "a.mp4", "duration_ms": 10, "captions": [
        {"start_ms": 0, "end_ms": 5, "text": "起飞"}, {"start_ms": 5, "end_ms": 11, "text": "landing"}]});
    let fault = read::<VideoDescription>(&row).unwrap_err();
    assert_eq!(fault.to_string(), "`captions[1].end_ms`: expected 5 to 10, found the number 11");
}

#[test]
fn every_form_has_one_name_and_finds_it_again() {
    let names: HashSet<_> = Form::all().iter().map(|form| form.as_str()).collect();
    assert_eq!(names.len(), Form::all().len());
    for form in Form::all() {
        assert_eq!(form.to_string().parse(), Ok(*form));
    }
}

#[test]
fn captions_beside_pictures_are_read() {
    let rows = check_file("image_caption/captions.jsonl", Form::ImageCaptions, 5);
    if let Some(AnyRecord::ImageCaptions(row)) = rows.first() {
        assert_eq!(row.captions[1], "一只大熊猫站在绿植间的木头上。");
        assert_eq!((row.width, row.height), (Some(600), Some(443)));
    }
}

/// Groups the members of a tar file by key, as the tar reader does.
fn tar_samples(path: &Path) -> Vec<Sample> {
    use std::io::Read;
    let mut archive = tar::Archive::new(std::fs::File::open(path).unwrap());
    let mut samples: Vec<Sample> = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        let (key, extension) = name.split_once('.').unwrap();
        let (key, extension) = (key.to_owned(), extension.to_owned());
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let member = Member { extension, bytes: bytes.into(), offset: entry.raw_file_position() };
        match samples.last_mut() {
            Some(sample) if sample.key == key => sample.members.push(member),
            _ => samples.push(Sample { key, members: vec![member] }),
        }
    }
    samples
}

#[test]
fn captioned_pictures_come_from_tar_samples() {
    let Some(path) = shared("corpus/webdataset/image_caption-000000.tar") else { return };
    let samples = tar_samples(&path);
    assert_eq!(samples.len(), 4);
    for sample in &samples {
        assert_eq!(detect_form(RawRow::Members(sample)), Some(Form::Captioned));
        let row = Captioned::decode(RawRow::Members(sample)).unwrap();
        assert!(!row.caption.is_empty() && row.json.is_object());
        let members = row.members();
        assert_eq!(members[&row.extension], sample.member(&row.extension).unwrap());
        assert_eq!(members["txt"], sample.member("txt").unwrap());
    }
    let mut bare = samples[0].clone();
    bare.members.retain(|member| member.extension == "jpg");
    let fault = Captioned::decode(RawRow::Members(&bare)).unwrap_err();
    assert_eq!((fault.kind, fault.field.as_deref()), (FaultKind::Missing, Some("txt")));
}

#[test]
fn a_mapping_finds_fields_of_any_layout() {
    let mapping: Mapping =
        serde_json::from_value(json!({"id": "a.n", "text": "body", "title": "t.x"})).unwrap();
    let row = json!({"a": {"n": 7}, "body": ["一", "two"], "t.x": "dotted key"});
    let record = mapping.decode(RawRow::Json(row.to_string().as_bytes())).unwrap();
    assert_eq!(record.id.as_deref(), Some("7"));
    assert_eq!(record.text, "一\ntwo");
    assert_eq!(record.title.as_deref(), Some("dotted key"));
    let fault = mapping.decode(RawRow::Json(br#"{"a": {"n": 1}, "body": 5}"#)).unwrap_err();
    assert_eq!((fault.kind, fault.field.as_deref()), (FaultKind::Type, Some("body")));
    assert!(serde_json::from_value::<Mapping>(json!({"txt": "a"})).is_err(), "typing errors");
}

#[test]
fn text_files_are_read_whole_and_checked() {
    assert_eq!(PlainText::from_bytes("\u{feff}红楼梦".as_bytes()).unwrap().text, "红楼梦");
    assert_eq!(PlainText::from_bytes(b"ok \xff").unwrap_err().kind, FaultKind::Utf8);
}
