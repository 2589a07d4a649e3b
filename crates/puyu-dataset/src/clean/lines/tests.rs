use proptest::prelude::*;

use super::*;

fn deduper(unit: TextUnit, scope: Scope) -> LineDeduper {
    LineDeduper::new(LineOptions { unit, scope, min_chars: 2, ..LineOptions::default() })
}

#[test]
fn repeated_lines_of_a_document_go_and_blank_ones_stay() {
    let mut lines = deduper(TextUnit::Line, Scope::Document);
    let text = "床前明月光\n\n疑是地上霜\n  床前明月光 \nA line\n}\n}\nA line";
    let out = lines.push(text);
    assert_eq!(out.text, "床前明月光\n\n疑是地上霜\nA line\n}\n}\n");
    assert_eq!(out.removed, 2);
    assert_eq!(lines.push(text), out, "another document starts afresh");
}

#[test]
fn repeated_paragraphs_go_whole() {
    let mut paragraphs = deduper(TextUnit::Paragraph, Scope::Corpus);
    let out = paragraphs.push("甲一\n甲二\n\n乙一\n\n\n甲一\n甲二\n\n甲一\n");
    assert_eq!((out.text.as_str(), out.removed), ("甲一\n甲二\n\n乙一\n\n\n甲一\n", 1));
    assert_eq!(paragraphs.push("乙一").text, "");
}

#[test]
fn a_full_memory_still_removes_what_it_knows() {
    let options = LineOptions {
        scope: Scope::Corpus,
        min_chars: 1,
        max_entries: 2,
        ..LineOptions::default()
    };
    let mut lines = LineDeduper::new(options);
    assert_eq!(lines.push("a\nb\nc\nc\na\n").text, "a\nb\nc\nc\n");
    assert_eq!(lines.remembered(), 2);
}

#[test]
fn lines_of_many_documents_are_boilerplate() {
    let mut statistics = LineStatistics::new(16);
    for n in 0..100 {
        statistics.push(&format!("版权所有\n正文 {n}\nAll rights reserved\n版权所有"));
    }
    let found = statistics.boilerplate(50);
    let expected = [("All rights reserved", 100), ("版权所有", 100)];
    let expected = expected.map(|(l, documents)| Boilerplate { line: l.to_owned(), documents });
    assert_eq!(found, expected);
    assert_eq!(statistics.documents(), 100);
}

#[test]
fn cutting_lines_keeps_code() {
    let page = "菜单 | Menu\n```\nx = 1\n```\nAccept our cookie policy to go on.\n“他说完了。”";
    assert_eq!(CutLines::default().apply(page), "```\nx = 1\n```\n“他说完了。”\n");
}

proptest! {
    #[test]
    fn units_lose_nothing(text in "(?s)[a万\n ]{0,60}") {
        for unit in [TextUnit::Line, TextUnit::Paragraph] {
            prop_assert_eq!(units(&text, unit).concat(), text.as_str());
            let out = deduper(unit, Scope::Document).push(&text);
            prop_assert_eq!(out.text.len() + out.removed_bytes, text.len());
            prop_assert_eq!(&deduper(unit, Scope::Document).push(&out.text).text, &out.text);
        }
    }
}
