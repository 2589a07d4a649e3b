use proptest::prelude::*;

use super::*;

fn prose(chinese: bool) -> String {
    let path = if chinese {
        "corpus/text/zh/hongloumeng.txt"
    } else {
        "corpus/text/en/wikipedia_demo.txt"
    };
    puyu_testkit::shared(path).map_or(String::new(), |path| std::fs::read_to_string(path).unwrap())
}

#[track_caller]
fn check(text: &str, rule: &str) {
    let rules = RuleOptions::default();
    let statistics = rules.analyzer().analyze(text);
    let objections = rules.objections(&statistics);
    let names: Vec<_> = objections
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Drop { rule, .. } => Some(*rule),
            Verdict::Keep => None,
        })
        .collect();
    assert!(names.contains(&rule), "{rule} not in {names:?}: {statistics:?}");
    assert_eq!(rules.judge(&statistics), objections[0]);
}

const ENGLISH: &str = "The river runs to the sea, and the town that lies at its mouth is old.\n\
    Its people have fished here with nets of their own making since anyone can remember.\n\
    In spring the boats leave before dawn, and children count them from the wall.\n\
    When the fleet is back, the market of the town opens with a bell and closes by noon.\n";
const CHINESE: &str = "这条河流向大海，河口的小城已经很老了。\n城里的人用自己织的网打鱼，没有人记得是从什么时候开始的。\n\
    春天，船在天亮之前出发，孩子们站在城墙上数它们的数目。\n船队回来以后，市场在钟声里开门，到中午就散了。\n";

#[test]
fn ordinary_prose_stays_in_both_languages() {
    let rules = RuleOptions::default();
    for text in [ENGLISH, CHINESE] {
        let statistics = rules.analyzer().analyze(text);
        assert_eq!(rules.objections(&statistics), [], "{statistics:?}");
    }
}

#[test]
fn books_and_encyclopaedia_pages_stay() {
    let rules = RuleOptions::default();
    let mut analyzer = rules.analyzer();
    for chinese in [false, true] {
        let text = prose(chinese);
        let chars: Vec<char> = text.chars().collect();
        // Up to the last whole sentence, as a page would end.
        // Up to the last whole sentence, as a page would end.
        let whole = |chars: &[char]| -> Option<String> {
            let end = chars.iter().rposition(|c| matches!(c, '.' | '。'))?;
            Some(chars[..=end].iter().collect())
        };
        let pages: Vec<String> = chars.chunks(4000).filter_map(whole).collect();
        let mut kept = 0;
        for page in &pages {
            match rules.judge(&analyzer.analyze(page)) {
                Verdict::Keep => kept += 1,
                verdict => println!("{verdict:?}"),
            }
        }
        println!("chinese {chinese}: {kept} of {} pages stay", pages.len());
        assert!(kept * 100 >= pages.len() * 95, "{kept} of {}", pages.len());
    }
}

#[test]
fn every_rule_has_a_text_that_breaks_it() {
    check("Short.", "gopher.min_words");
    check(&"a b c d ".repeat(30), "gopher.min_mean_word_chars");
    check(&"incomprehensibilities ".repeat(60), "gopher.max_mean_word_chars");
    check(&"# tag ".repeat(60), "gopher.max_symbols_per_word");
    check(&"- an item of the list\n".repeat(20), "gopher.max_bullet_lines");
    check(&"Read more about it …\n".repeat(20), "gopher.max_ellipsis_lines");
    check(&"12 34 56 word ".repeat(30), "gopher.min_alphabetic_words");
    check(&"apple banana cherry date elder fig grape ".repeat(10), "gopher.min_stop_words");
    check(&ENGLISH.repeat(3), "repetition.max_duplicate_lines");
    check(&format!("{ENGLISH}\n").repeat(3), "repetition.max_duplicate_paragraphs");
    check(&CHINESE.repeat(3), "repetition.max_duplicate_line_bytes");
    check(&"buy now and save ".repeat(30), "repetition.top_2_gram");
    check(&"天天向上".repeat(30), "repetition.top_4_gram");
    check(&ENGLISH.replace('\n', " ").repeat(2), "repetition.duplicate_10_grams");
    check(&ENGLISH.replace(['.', ','], ""), "c4.min_sentences");
    check(&ENGLISH.replace(".\n", "\n"), "c4.min_terminal_lines");
    check(&format!("{ENGLISH}Lorem ipsum dolor sit amet."), "c4.max_lorem_ipsum");
    check(&ENGLISH.replace(' ', "{ }"), "c4.max_braces_per_1000");
    check(&ENGLISH.replace("town", "JavaScript"), "c4.max_javascript_lines");
    check(&ENGLISH.replace(". ", ".\n").replace(' ', "\n"), "fineweb.max_short_lines");
    check(&ENGLISH.replace(' ', "\n"), "fineweb.max_lines_per_word");
    check(&CHINESE.replace('的', "锟斤拷"), "chinese.max_mojibake");
    check(&CHINESE.replace('的', "\u{FFFD}"), "chinese.max_mojibake");
    check(&format!("{CHINESE}{}", "哈".repeat(40)), "chinese.max_run");
    check(&CHINESE.replace('，', "🙂🙂🙂"), "chinese.max_symbols");
    check(&CHINESE.replace(['，', '。'], ""), "chinese.min_punctuation");
    check(
        &CHINESE.replace('，', "！！！～～～，，，、、、；；；：：："),
        "chinese.max_punctuation",
    );
    check(&CHINESE.replace('。', "，").repeat(4), "chinese.max_mean_sentence_chars");
    check(&CHINESE.replace('，', "，加微信"), "chinese.max_ad_chars");
}

/// The definition of the n-gram figures, as datatrove writes it.
fn naive(words: &[(u64, u32)]) -> ([u64; 3], [u64; 6]) {
    let chars = |gram: &[(u64, u32)]| gram.iter().map(|w| u64::from(w.1)).sum::<u64>();
    let top = [2, 3, 4].map(|n| {
        let mut counts = std::collections::HashMap::new();
        for gram in words.windows(n) {
            *counts.entry(gram.to_vec()).or_insert(0_u64) += 1;
        }
        let most = counts.values().copied().max().unwrap_or(0);
        let longest = counts.iter().filter(|(_, c)| **c == most).map(|(g, _)| chars(g)).max();
        if most > 1 { most * longest.unwrap() } else { 0 }
    });
    let duplicate = [5, 6, 7, 8, 9, 10].map(|n| {
        let (mut seen, mut at, mut total) = (std::collections::HashSet::new(), 0, 0);
        while at + n <= words.len() {
            let gram = words[at..at + n].to_vec();
            let length = chars(&gram);
            if seen.insert(gram) {
                at += 1;
            } else {
                total += length;
                at += n;
            }
        }
        total
    });
    (top, duplicate)
}

proptest! {
    #[test]
    fn ngrams_are_counted_as_defined(ids in prop::collection::vec(0_u64..4, 0..120)) {
        let words: Vec<(u64, u32)> = ids.iter().map(|id| (id.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 7, *id as u32 + 1)).collect();
        let ours: Vec<_> = words.iter().map(|(hash, chars)| ngrams::Word { hash: *hash, chars: *chars }).collect();
        let mut counter = ngrams::NgramCounter::default();
        for _ in 0..2 {
            let found = counter.count(&ours);
            prop_assert_eq!((found.top, found.duplicate), naive(&words));
        }
    }

    #[test]
    fn any_text_is_judged_with_shares_between_0_and_1(text in r"(?s)[a-z一二。，.\n \u{FFFD}#{}…🙂がé0-9]{0,200}") {
        let rules = RuleOptions::default();
        let found = rules.analyzer().analyze(&text);
        prop_assert_eq!(found.chars as usize + text.len() - text.len(), found.chars as usize);
        for share in [
            found.han_share(),
            statistics::share(found.duplicate_ngram_chars[0], found.all_word_chars),
            statistics::share(found.duplicate_line_bytes, found.line_bytes),
            statistics::share(found.terminal_lines, found.lines),
        ] {
            prop_assert!((0.0..=1.0).contains(&share));
        }
        rules.objections(&found);
    }
}
