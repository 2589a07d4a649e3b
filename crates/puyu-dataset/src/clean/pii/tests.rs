use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[track_caller]
fn check(text: &str, expected: &[(PiiKind, &str)]) {
    let chars: Vec<char> = text.chars().collect();
    let found: Vec<(PiiKind, String)> = PiiOptions::default()
        .find(text)
        .into_iter()
        .map(|span| (span.kind, chars[span.start..span.end].iter().collect()))
        .collect();
    let expected: Vec<_> =
        expected.iter().map(|(kind, text)| (*kind, (*text).to_owned())).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn the_corpus_is_found_without_a_miss_or_a_false_alarm() {
    let Some(path) = puyu_testkit::shared("corpus/pii/pii_spans.jsonl") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let (mut hits, mut misses, mut false_alarms, mut negatives) = (0, Vec::new(), Vec::new(), 0);
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let number = |span: &Value, key| usize::try_from(span[key].as_u64().unwrap()).unwrap();
        let expected: Vec<PiiSpan> = row["spans"]
            .as_array()
            .unwrap()
            .iter()
            .map(|span| PiiSpan {
                kind: serde_json::from_value(span["type"].clone()).unwrap(),
                start: number(span, "start"),
                end: number(span, "end"),
            })
            .collect();
        negatives += usize::from(expected.is_empty());
        let found = PiiOptions::default().find(row["text"].as_str().unwrap());
        hits += expected.iter().filter(|span| found.contains(span)).count();
        misses.extend(expected.iter().filter(|span| !found.contains(span)).map(|s| (line, *s)));
        false_alarms.extend(found.iter().filter(|s| !expected.contains(s)).map(|s| (line, *s)));
    }
    println!("{hits} hits, {negatives} negative lines");
    assert!(misses.is_empty() && false_alarms.is_empty(), "{misses:#?} {false_alarms:#?}");
    assert_eq!((hits, negatives), (162, 10));
}

#[test]
fn kinds_beyond_the_corpus_are_found() {
    check(
        "座机 010-62785001，传真(0571) 87654321",
        &[(PiiKind::PhoneCn, "010-62785001"), (PiiKind::PhoneCn, "(0571) 87654321")],
    );
    check(
        "+86 138-0000-1234 or +1 212-555-0187",
        &[(PiiKind::PhoneCn, "+86 138-0000-1234"), (PiiKind::PhoneUs, "+1 212-555-0187")],
    );
    check("Visa 4000 0010 0330 7667 ok", &[(PiiKind::CreditCard, "4000 0010 0330 7667")]);
    check("证号11010118890801679６", &[]);
    check(
        "postgres://admin:hunter22@db.example.com/x",
        &[(PiiKind::UrlToken, "postgres://admin:hunter22@db.example.com/x")],
    );
}

#[test]
fn numbers_that_only_look_alike_are_left() {
    for text in [
        "版本 3.2.1.1 与 section 1.2.3.4",
        "127.0.0.1 和 0.0.0.0",
        "std::vec a::b 12:30:45",
        "订单113800001234567、x13800001234y",
        "ratio 4000001003307668",
        "110101188509166454",
        "π = 3.14159265358979",
        "2023-10-20 至 2024-01-02",
        "https://example.com/search?q=token",
        "@微博 user@@host a@b",
    ] {
        check(text, &[]);
    }
}

#[test]
fn redaction_and_marks_keep_the_rest() {
    let text = "联系 wei@example.cn 或 13000003116。";
    let redact = PiiOptions::default();
    assert_eq!(redact.apply(text).0, "联系 [EMAIL] 或 [PHONE_CN]。");
    let mark = PiiOptions { action: PiiAction::Mark, kinds: vec![PiiKind::Email], ..redact };
    assert_eq!(mark.apply(text).0, "联系 <EMAIL>wei@example.cn</EMAIL> 或 13000003116。");
    let own = PiiOptions {
        placeholders: [(PiiKind::Email, "【邮箱】".to_owned())].into(),
        ..PiiOptions::default()
    };
    assert_eq!(own.apply(text).0, "联系 【邮箱】 或 [PHONE_CN]。");
}

proptest! {
    #[test]
    fn spans_are_ordered_and_inside_any_text(text in r"[0-9a-f:./@ \-()+一二，https?=token]{0,80}") {
        let options = PiiOptions::default();
        let spans = options.find(&text);
        let mut end = 0;
        for span in &spans {
            prop_assert!(end <= span.start && span.start < span.end);
            end = span.end;
        }
        prop_assert!(end <= text.chars().count());
        prop_assert_eq!(options.apply(&text).1, spans.len());
    }
}
