//! How fast JSON rows become typed records, on one core.
//!
//! `cargo bench -p puyu-dataset --bench records`
#![forbid(unsafe_code)]

use divan::counter::BytesCount;
use puyu_dataset::record::{AnyRecord, CcDocument, Document};
use puyu_dataset::{RawRow, Record};

fn main() {
    divan::main();
}

/// About 2 KB of text in lines of about 40 characters.
fn row(line: &str) -> String {
    let content = format!("{line}\n").repeat(2048 / line.len());
    serde_json::json!({ "id": "BkORdv3xK7IA0HG7pccr", "content": content }).to_string()
}

const ROWS: [(&str, &str); 2] = [
    (
        "zh",
        "此开卷第一回也。作者自云：因曾历过一番梦幻之后，故将真事隐去，而借通灵之说，撰此石头记一书也。",
    ),
    (
        "en",
        "It is a truth universally acknowledged, that a single man in possession of a good fortune",
    ),
];

fn text_of(language: &str) -> String {
    let line = ROWS.iter().find(|(name, _)| *name == language).map_or("", |(_, line)| line);
    row(line)
}

#[divan::bench(args = ["zh", "en"])]
fn document(bencher: divan::Bencher<'_, '_>, language: &str) {
    let row = text_of(language);
    bencher
        .counter(BytesCount::of_str(&row))
        .bench_local(|| Document::decode(RawRow::Json(divan::black_box(row.as_bytes()))));
}

#[divan::bench(args = ["zh", "en"])]
fn any_form(bencher: divan::Bencher<'_, '_>, language: &str) {
    let row = text_of(language);
    bencher
        .counter(BytesCount::of_str(&row))
        .bench_local(|| AnyRecord::decode(RawRow::Json(divan::black_box(row.as_bytes()))));
}

#[divan::bench(args = ["zh", "en"])]
fn utf8_check_of_std_alone(bencher: divan::Bencher<'_, '_>, language: &str) {
    let row = text_of(language);
    bencher
        .counter(BytesCount::of_str(&row))
        .bench_local(|| std::str::from_utf8(divan::black_box(row.as_bytes())).is_ok());
}

#[divan::bench]
fn cc_document(bencher: divan::Bencher<'_, '_>) {
    let mut row: serde_json::Value =
        serde_json::from_str(&text_of("en")).expect("the row above is JSON");
    for name in ["title", "language", "date"] {
        row[name] = "en".into();
    }
    for name in ["token_num", "cbytes_num", "line_num", "char_num"] {
        row[name] = 412.into();
    }
    for name in ["toxic_score", "porn_score", "fluency_score", "not_ad_score"] {
        row[name] = 0.998535.into();
    }
    let row = row.to_string();
    bencher
        .counter(BytesCount::of_str(&row))
        .bench_local(|| CcDocument::decode(RawRow::Json(divan::black_box(row.as_bytes()))));
}
