use super::*;

fn image_text(urls: &[&str], content: &str) -> ImageText {
    let image = |url: &&str| WanJuanImage {
        url: (*url).to_owned(),
        sha256: "0".repeat(64),
        caption: format!("图 {url}"),
        width: "40".to_owned(),
        height: "30".to_owned(),
    };
    ImageText {
        id: "Bk".to_owned(),
        img_list: urls.iter().map(image).collect(),
        content: content.to_owned(),
    }
}

/// `parts` shows pictures as `<address>`.
#[track_caller]
fn check_wanjuan(urls: &[&str], content: &str, parts: &[&str], report: [&[&str]; 2]) {
    let document = image_text(urls, content);
    let (sample, found) = Interleaved::from_wanjuan(&document);
    let shown: Vec<_> = sample
        .parts
        .iter()
        .map(|part| match part {
            Part::Text { text } => text.clone(),
            Part::Image(image) => format!("<{}>", image.source),
        })
        .collect();
    assert_eq!(shown, parts);
    assert_eq!(
        [found.unlisted.clone(), found.unplaced.clone()].map(|l| l.join(" ")),
        report.map(|l| l.join(" "))
    );
    let (again, same) = sample.to_wanjuan().unwrap();
    assert_eq!(again.content, document.content);
    assert_eq!(same, found);
    assert_eq!(again.img_list.len(), document.img_list.len());
}

#[test]
fn pictures_stand_where_the_markdown_has_them() {
    check_wanjuan(&["a.png"], "上![](a.png)below", &["上", "<a.png>", "below"], [&[], &[]]);
    check_wanjuan(&["a.png"], "![替代](a.png)", &["<a.png>"], [&[], &[]]);
    check_wanjuan(&["a(1).png"], "![](a(1).png)", &["<a(1).png>"], [&[], &[]]);
    check_wanjuan(&["a", "b"], "![](b)![](a)", &["<b>", "<a>"], [&[], &[]]);
    check_wanjuan(&["a"], "![](a)和![](a)", &["<a>", "和", "<a>"], [&[], &[]]);
    check_wanjuan(&[], "no 图 here ![ not ![](", &["no 图 here ![ not ![]("], [&[], &[]]);
    check_wanjuan(&["a"], "![](b.jpg) text", &["<b.jpg>", " text"], [&["b.jpg"], &["a"]]);
}

#[test]
fn shared_image_text_is_complete_and_comes_back() {
    for file in ["real/wanjuan1.0_image_text.jsonl", "image_text_local/part-000000.jsonl"] {
        let Some(path) = shared(format!("corpus/wanjuan/{file}")) else { return };
        for row in rows(&path) {
            let document: ImageText = read(row).unwrap();
            let (sample, report) = Interleaved::from_wanjuan(&document);
            assert!(report.is_complete());
            assert_eq!(sample.images().count(), document.img_list.len());
            assert_eq!(sample.to_wanjuan().unwrap().0, document);
            let again: Interleaved = read(serde_json::to_string(&sample).unwrap()).unwrap();
            assert_eq!(again, sample);
        }
    }
}

#[test]
fn samples_are_read_strictly() {
    let parts = json!([{"type": "text", "text": "山"}, {"type": "image", "source": "a",
        "caption": null}]);
    let sample: Interleaved =
        read(json!({"parts": parts, "unplaced": null, "meta": null})).unwrap();
    assert_eq!(sample.text_with("|"), "山|");
    for parts in [json!([["text", "山"]]), json!([{"type": "film"}]), json!({})] {
        assert_eq!(
            read::<Interleaved>(json!({ "parts": parts })).unwrap_err().kind,
            FaultKind::Type
        );
    }
}

#[test]
fn mmc4_pictures_stand_before_their_sentence() {
    let row = json!({"url": "https://a.cn", "text_list": ["山。", "Sea."], "image_info": [
        {"image_name": "1.jpg", "raw_url": "https://a.cn/1", "matched_text_index": 1,
         "matched_sim": 0.25, "face_detections": null}],
        "similarity_matrix": [[0.1, 0.25]], "could_have_url_duplicate": 0});
    let mmc4: Mmc4 = read(&row).unwrap();
    assert_eq!(serde_json::to_value(&mmc4).unwrap(), row);
    let sample = Interleaved::from(mmc4);
    assert_eq!(sample.text_with("<image>"), "山。 <image>Sea.");
    assert_eq!(sample.images().next().unwrap().similarity, Some(0.25));
    let fault = read::<Mmc4>(json!({"text_list": ["a"], "image_info": [
        {"raw_url": "u", "matched_text_index": 1}]}))
    .unwrap_err();
    assert_eq!(fault.field.as_deref(), Some("image_info[0].matched_text_index"));
}

#[test]
fn obelics_and_omnicorpus_positions_are_kept() {
    let about = json!([null, {"alt_text": "海", "original_width": 640, "original_height": 480}]);
    for metadata in [about.clone(), json!(about.to_string())] {
        let row = json!({"images": [null, "u"], "texts": ["山", null], "metadata": metadata,
            "general_metadata": "{}"});
        let obelics: Obelics = read(&row).unwrap();
        assert_eq!(serde_json::to_value(&obelics).unwrap(), row);
        let sample = Interleaved::try_from(obelics).unwrap();
        assert_eq!(sample.text_with("|"), "山|");
        let image = sample.images().next().unwrap();
        assert_eq!((image.alt.as_str(), image.width, image.height), ("海", Some(640), Some(480)));
    }
    let fault = |row: Value| read::<Obelics>(row).unwrap_err().to_string();
    assert!(fault(json!({"images": ["u"], "texts": ["t"]})).contains("found both"));
    assert!(fault(json!({"images": [null], "texts": [null]})).contains("found neither"));
    assert!(fault(json!({"images": [null], "texts": []})).contains("as many as `images`"));
}

#[test]
fn mineru_blocks_become_markdown_with_pictures() {
    let row = json!([
        {"type": "header", "text": "page 1", "page_idx": 0},
        {"type": "text", "text": "第一章", "text_level": 1, "page_idx": 0},
        {"type": "image", "img_path": "i.jpg", "image_caption": ["Figure 1"], "image_footnote": ["注"],
         "bbox": [1.0, 2.0, 3.0, 4.0], "page_idx": 0},
        {"type": "table", "table_body": "<table></table>", "table_caption": ["表 1"], "img_path": "t.jpg"},
        {"type": "equation", "text": "$$x$$", "img_path": "e.jpg"},
        {"type": "code", "code_body": "let x;"},
        {"type": "list", "list_items": ["- a", "- 乙"]},
        {"type": "chart", "img_path": "c.jpg"}
    ]);
    let list: ContentList = read(&row).unwrap();
    assert_eq!(serde_json::to_value(&list).unwrap(), row);
    let sample = Interleaved::from(list);
    assert_eq!(
        sample.text_with("<image>"),
        "# 第一章\n\n<image>\n\n注\n\n表 1\n\n<table></table>\n\n$$x$$\n\n```\nlet x;\n```\n\n\
         - a\n- 乙\n\n<image>"
    );
    let image = sample.images().next().unwrap();
    assert_eq!((image.caption.as_str(), image.page), ("Figure 1", Some(0)));
}

#[test]
fn llava_pictures_stand_where_image_stood() {
    let row = json!({"id": "7", "image": "a.jpg", "conversations": [
        {"from": "human", "value": "<image>\n这是什么？"}, {"from": "gpt", "value": "A panda."}]});
    let row: ShareGpt = read(row).unwrap();
    let sample = Interleaved::try_from(row.clone()).unwrap();
    assert_eq!(sample.text_with("[]"), "[]\n这是什么？\nA panda.");
    let conversation = Conversation::try_from(row.clone()).unwrap();
    assert!(!conversation.messages()[0].is_text_only());
    let two = ShareGpt { image: json!(["a.jpg", "b.jpg"]), ..row };
    let fault = Conversation::try_from(two).unwrap_err();
    assert!(fault.to_string().contains("expected 2 times `<image>`"), "{fault}");
}

/// The corpus has no file in these forms, so its captions are put into each of them.
#[test]
fn shared_captions_are_the_same_sample_in_every_form() {
    let Some(path) = shared("corpus/image_caption/captions.jsonl") else { return };
    for row in rows(&path) {
        let row: Value = serde_json::from_str(&row).unwrap();
        let picture = &row["file_name"];
        for caption in row["captions"].as_array().unwrap() {
            let mmc4: Mmc4 = read(json!({"text_list": [caption], "image_info": [
                {"image_name": picture, "raw_url": picture, "matched_text_index": 0,
                 "matched_sim": 0.5}], "similarity_matrix": [[0.5]]}))
            .unwrap();
            let obelics: Obelics =
                read(json!({"images": [picture, null], "texts": [null, caption]})).unwrap();
            let mineru: ContentList = read(json!([{"type": "image", "img_path": picture},
                {"type": "text", "text": caption}]))
            .unwrap();
            let llava: ShareGpt = read(json!({"image": picture, "conversations": [
                {"from": "human", "value": "<image>"}, {"from": "gpt", "value": caption}]}))
            .unwrap();
            let samples = [
                Interleaved::from(mmc4),
                Interleaved::try_from(obelics).unwrap(),
                Interleaved::from(mineru),
                Interleaved::try_from(llava).unwrap(),
            ];
            for (form, sample) in samples.iter().enumerate() {
                assert!(matches!(sample.parts[0], Part::Image(_)), "form {form}");
                let sources: Vec<_> = sample.images().map(|image| &image.source[..]).collect();
                assert_eq!(sources, [picture.as_str().unwrap()], "form {form}");
                assert_eq!(sample.text_with("").trim(), caption.as_str().unwrap(), "form {form}");
            }
        }
    }
}
