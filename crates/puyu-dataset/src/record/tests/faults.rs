use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(row: &[u8], kind: FaultKind, field: Option<&str>, words: &str) {
    let fault = Document::decode(RawRow::Json(row)).unwrap_err();
    assert_eq!((fault.kind, fault.field.as_deref()), (kind, field), "{fault}");
    assert!(fault.to_string().contains(words), "{fault}");
}

#[test]
fn each_defect_has_its_kind_field_and_words() {
    use FaultKind::*;
    check(br#"{"id": "a", "content": "b""#, Json, None, "EOF");
    check(br#"{"id": "a", "content": NaN}"#, Json, None, "NaN");
    check(r#"{"id": "甲", "content": "b"} {}"#.as_bytes(), Json, None, "trailing");
    check(b"{\"id\": \"a\", \"content\": \"b\xff\"}", Utf8, None, "the bytes ff at byte 25");
    check(b"{\"id\": \"a\", \"content\": \"b\", \"x\": \"\xff\"}", Utf8, None, "ff");
    check(br#"{"id": "a", "content": "\ud800 x"}"#, Unicode, None, "surrogate");
    check(br#"{"id": "a", "content": "\ud800\u0041"}"#, Unicode, None, "surrogate");
    check(br#"{"id": "a", "content": "\udc00"}"#, Unicode, None, "surrogate");
    check(br#"{"id": "a", "content": 7}"#, Type, Some("content"), "a string, found the number 7");
    check(br#"{"id": "a", "content": {}}"#, Type, Some("content"), "an object");
    check(br#"["a", "b"]"#, Type, None, "an object (form wanjuan-text), found a list of 2");
    check(br#""just words""#, Type, None, "the string");
    check(r#"{"content": "字"}"#.as_bytes(), Missing, Some("id"), "found no such field");
    check(br#"{"id": "a", "content": null}"#, Null, Some("content"), "found null");
    check(br#"{"id": "a", "id": "b", "content": ""}"#, DuplicateKey, Some("id"), "twice");
    check(br#"{"id": "", "content": ""}"#, Value, Some("id"), "empty");
    check(b" \t", Empty, None, "blank");
    let deep = format!(r#"{{"id": "a", "content": {}1{}}}"#, "[".repeat(3000), "]".repeat(3000));
    check(deep.as_bytes(), Depth, None, "128");
}

#[test]
fn nested_fields_are_named_by_path() {
    let image = |key: &str, value: Value| {
        let mut image = json!({"url": "a.png", "sha256": "0".repeat(64), "caption": "图",
            "width": "400", "height": ""});
        image[key] = value;
        let row = json!({"id": "a", "content": "![](a.png)", "img_list": [image]});
        read::<ImageText>(row)
    };
    assert!(image("height", json!("266")).is_ok());
    let fault = image("width", json!(400)).unwrap_err();
    assert_eq!(fault.to_string(), "`img_list[0].width`: expected a string, found the number 400");
    for (key, value) in [("sha256", json!("zz")), ("width", json!("4e2"))] {
        let fault = image(key, value).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Value);
        assert_eq!(fault.field, Some(format!("img_list[0].{key}")));
    }
    let row = json!({"id": "a", "content": "", "img_list": [["a", "b", "c", "1", "2"]]});
    assert_eq!(read::<ImageText>(row).unwrap_err().kind, FaultKind::Type, "a struct from a list");
    let row = r#"{"id": "a", "img_list": [{"url": "", "url": ""}], "content": ""}"#;
    let fault = read::<ImageText>(row).unwrap_err();
    assert_eq!(fault.field.as_deref(), Some("img_list[0].url"));
}

#[test]
fn keys_given_twice_are_refused_in_conversations_too() {
    for row in [
        r#"{"messages": [], "messages": [{"role": "user", "content": "好"}]}"#,
        r#"{"messages": [{"role": "user", "role": "user", "content": "好"}]}"#,
        r#"[{"role": "user", "content": "a", "content": "b"}]"#,
    ] {
        assert_eq!(read::<Messages>(row).unwrap_err().kind, FaultKind::DuplicateKey, "{row}");
    }
    let row = r#"{"conversations": [{"from": "human", "from": "gpt", "value": ""}]}"#;
    let fault = read::<ShareGpt>(row).unwrap_err();
    assert_eq!(fault.field.as_deref(), Some("conversations[0].from"));
}

#[test]
fn scores_may_be_null_but_not_absent() {
    let mut row = json!({"id": "a", "content": "", "title": "", "language": "zh", "date": "",
        "token_num": 0, "cbytes_num": 0, "line_num": 0, "char_num": 0, "toxic_score": null,
        "porn_score": 0, "fluency_score": 0.5, "not_ad_score": null});
    assert!(read::<CcDocument>(&row).is_ok());
    row["token_num"] = json!(-1);
    assert_eq!(read::<CcDocument>(&row).unwrap_err().kind, FaultKind::Type);
    row["token_num"] = json!(1);
    row.as_object_mut().unwrap().remove("porn_score");
    let fault = read::<CcDocument>(&row).unwrap_err();
    assert_eq!((fault.kind, fault.field.as_deref()), (FaultKind::Missing, Some("porn_score")));
}

/// The defects of a line, with what a stream adds: repeated ids and a size limit.
fn defect(line: &[u8], seen: &mut HashSet<String>) -> Option<&'static str> {
    const LIMIT: usize = 1 << 20;
    if line.len() > LIMIT {
        return Some("size");
    }
    let raw = RawRow::Json(line);
    let form = detect_form(raw).unwrap_or(Form::Document);
    match form.decode(raw) {
        Err(fault) => Some(fault.kind.as_str()),
        Ok(record) if !seen.insert(record.id().unwrap().to_owned()) => Some("duplicate_id"),
        Ok(_) => None,
    }
}

#[test]
fn the_malformed_file_has_exactly_the_expected_defects() {
    let Some(folder) = shared("corpus/wanjuan/malformed") else { return };
    let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let bytes = std::fs::read(folder.join("part-000000.jsonl")).unwrap();
    let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), expected["lines"]);
    let mut seen = HashSet::new();
    for (index, line) in lines.into_iter().enumerate() {
        let found = defect(line, &mut seen);
        let mut listed = expected["defects"].as_array().unwrap().iter();
        match listed.find(|defect| defect["line"] == index + 1) {
            None => assert_eq!(found, None, "line {}", index + 1),
            Some(defect) => {
                let found = Value::from(found);
                let is_right = found == defect["kind"] || found == defect["also"];
                assert!(is_right && !found.is_null(), "line {}: {found}, {defect}", index + 1);
            }
        }
    }
}

/// Rows of many forms to break.
fn seeds() -> Vec<String> {
    vec![
        r#"{"id": "Bk1", "content": "山高水长\n\u5c71 \ud83d\ude00 mountain"}"#.to_owned(),
        format!(
            r#"{{"id":"a","img_list":[{{"url":"a(1).png","sha256":"{}","caption":"","width":"4","height":"2"}}],"content":"![](a(1).png)![x](b)"}}"#,
            "ab".repeat(32)
        ),
        r#"{"conversations":[{"from":"human","value":"<image>你好"},{"from":"gpt","value":"Hi"}],"image":"a.png","tools":"[{\"name\":\"f\"}]"}"#.to_owned(),
        r#"{"conversation_id":1,"meta_instruction":"- S: enabled. API: Search(q)\n","num_turns":1,"chat":{"turn_1":{"Human":"<|Human|>: 问<eoh>","Inner Thoughts":"<|Inner Thoughts|>: None<eot>","Commands":"<|Commands|>: Search(\"x\")<eoc>","Tool Responses":"<|Results|>: r<eor>","MOSS":"<|MOSS|>: 答<eom>"}}}"#.to_owned(),
        r#"[{"type":"text","text":"标题","text_level":1},{"type":"table","table_body":"<table/>"}]"#.to_owned(),
        r#"{"text_list":["a","b"],"image_info":[{"raw_url":"u","matched_text_index":1}]}"#.to_owned(),
        r#"{"images":[null,"u"],"texts":["t",null],"metadata":"[null,{\"alt_text\":\"x\"}]"}"#.to_owned(),
        r#"{"messages":[{"role":"assistant","content":[{"type":"tool_call","value":"{\"name\":\"f\"}"}]},{"role":"tool","content":"r"}]}"#.to_owned(),
        r#"{"instruction":"q","output":"a","history":[["一","1"]]}"#.to_owned(),
        r#"{"prompt":"q","chosen":"好","rejected":"bad"}"#.to_owned(),
    ]
}

/// Decodes in every form and converts.
fn decode_everything(bytes: &[u8]) {
    let raw = RawRow::Json(bytes);
    for form in Form::all() {
        if let Ok(record) = form.decode(raw) {
            let _ = record.clone().into_interleaved();
            let _ = record.clone().into_conversation();
            if let AnyRecord::Preference(row) = record {
                let _ = PreferencePair::try_from(row);
            }
        }
    }
    let _ = Mapping::default().decode(raw);
    agree::<Document>(bytes);
    agree::<ImageText>(bytes);
    agree::<ShareGpt>(bytes);
    agree::<Messages>(bytes);
    agree::<Preference>(bytes);
    agree::<Mmc4>(bytes);
    agree::<ContentList>(bytes);
}

/// What the fast way takes, the shape takes too.
fn agree<T: JsonForm>(bytes: &[u8]) {
    let raw = RawRow::Json(bytes);
    if let (Ok(_), Ok(value)) = (T::decode(raw), row_value(raw)) {
        T::SHAPE.check(&value, T::NAME).unwrap();
    }
}

proptest! {
    #[test]
    fn decoding_never_panics_on_mutated_bytes(
        seed in 0..10_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = seeds()[seed].clone().into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        decode_everything(&bytes);
    }

    #[test]
    fn documents_round_trip(id in ".+", content in ".*") {
        let document = Document { id, content };
        let json = serde_json::to_string(&document).unwrap();
        prop_assert_eq!(read::<Document>(json).unwrap(), document);
    }
}

#[test]
fn the_seeds_of_mutation_are_whole() {
    for seed in seeds() {
        let form = detect_form(RawRow::Json(seed.as_bytes())).unwrap();
        form.decode(RawRow::Json(seed.as_bytes())).unwrap();
    }
}
