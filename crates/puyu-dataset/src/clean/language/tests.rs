use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, code: &str, script: &str) {
    let found = detect_language(text);
    assert_eq!((found.code, found.script), (code, script), "{text} {found:?}");
    assert!(found.confidence > 0.0 && found.confidence <= 1.0, "{found:?}");
}

#[test]
fn the_lists_of_both_chinese_scripts_pair_up() {
    assert!(chinese::pairs_fit());
}

#[test]
fn every_declaration_of_human_rights_is_told() {
    let Some(folder) = puyu_testkit::shared("corpus/text/langid") else { return };
    let (mut lines, mut right, mut files) = (0_usize, 0_usize, 0_usize);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (code, script) = match name.as_str() {
            "cmn_hans" => ("cmn", Some("Hans")),
            "cmn_hant" => ("cmn", Some("Hant")),
            code => (code, None),
        };
        let text = std::fs::read_to_string(&path).unwrap();
        let whole = detect_language(&text);
        assert_eq!(whole.code, code, "{name}");
        assert!(script.is_none_or(|script| whole.script == script), "{name} {whole:?}");
        files += 1;
        // And paragraph by paragraph, which is much harder.
        for line in text.lines().filter(|line| line.chars().count() >= 40) {
            let found = detect_language(line);
            lines += 1;
            right += usize::from(found.code == code);
        }
    }
    let accuracy = right as f64 / lines as f64;
    println!("{files} files, {right} of {lines} paragraphs: {accuracy:.4}");
    assert_eq!(files, 11);
    assert!(accuracy >= 0.985, "{accuracy}");
}

#[test]
fn every_stretch_of_the_english_and_chinese_books_is_told() {
    for (folder, code) in [("corpus/text/en", "eng"), ("corpus/text/zh", "cmn")] {
        let Some(folder) = puyu_testkit::shared(folder) else { return };
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let chars: Vec<char> = std::fs::read_to_string(&path).unwrap().chars().collect();
            let (mut wrong, mut all) = (Vec::new(), 0_usize);
            for stretch in chars.chunks(2000).filter(|stretch| stretch.len() == 2000) {
                let stretch: String = stretch.iter().collect();
                // An article of the encyclopaedia is a numbered list of nouns, and no sentence.
                let digits = stretch.chars().filter(char::is_ascii_digit).count();
                if digits * 8 < 2000 && detect_language(&stretch).code != code {
                    wrong.push(stretch);
                }
                all += 1;
            }
            println!("{}: {} of {all} stretches wrong", path.display(), wrong.len());
            assert!(wrong.is_empty(), "{wrong:?}");
        }
    }
}

#[test]
fn mixed_and_short_texts_are_told() {
    check("我们使用 transformer 模型训练 InternLM。", "cmn", "Hans");
    check("這個問題應該怎麼辦？", "cmn", "Hant");
    check("山高水深", "cmn", "Hani");
    check("The word 你好 means hello, and it is used every day.", "eng", "Latn");
    check("これは日本語の文章です。漢字も使います。", "jpn", "Jpan");
    check("カタカナ", "jpn", "Jpan");
    check(
        "他喜欢《となりのトトロ》这部电影，因为它让人想起童年的夏天和乡下的生活。",
        "cmn",
        "Hans",
    );
    check("대한민국의 수도는 서울이다", "kor", "Kore");
    check("Быстрая коричневая лиса прыгает через ленивую собаку", "rus", "Cyrl");
    assert_eq!(detect_language(""), Language::UNKNOWN);
    assert_eq!(detect_language("1234 !? 🙂"), Language::UNKNOWN);
}

proptest! {
    #[test]
    fn any_text_has_a_language_or_none(text in r"\PC{0,200}", times in 1_usize..60) {
        let found = detect_language(&text.repeat(times));
        prop_assert!((0.0..=1.0).contains(&found.confidence));
    }
}
