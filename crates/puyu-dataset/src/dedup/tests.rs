//! Sorting, sets, equal documents, lines and spans against their definitions.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use puyu_testkit::{TempDir, shared};

use super::fold::{fold_tokens, folded};
use super::*;

const SMALL: u64 = 64 << 10;

fn folder() -> TempDir {
    TempDir::new().unwrap()
}

fn sort(records: &[[u64; 2]], memory_bytes: u64) -> Vec<[u64; 2]> {
    let folder = folder();
    let mut sorter = Sorter::new(folder.path(), memory_bytes).unwrap();
    records.iter().for_each(|&record| sorter.push(record).unwrap());
    sorter.finish().unwrap().map(Result::unwrap).collect()
}

/// Deterministic numbers with many repetitions.
fn numbers(count: u64) -> Vec<[u64; 2]> {
    (0..count).map(|i| [fold::mix(i) % 1000, fold::mix(i ^ 77) % 100]).collect()
}

#[test]
fn sorting_on_disk_equals_sorting_in_memory() {
    // 64 KiB hold 2048 records and merge 7 runs: 60 000 need 30 runs and a second pass.
    for count in [0, 1, 2047, 2048, 2049, 60_000] {
        let records = numbers(count);
        let mut expected = records.clone();
        expected.sort_unstable();
        assert_eq!(sort(&records, SMALL), expected, "{count} records, small memory");
        assert_eq!(sort(&records, 1 << 24), expected, "{count} records, large memory");
    }
}

#[test]
fn a_memory_limit_too_small_to_sort_is_refused() {
    let error = Sorter::<2>::new(folder().path(), 65_535).unwrap_err();
    assert_eq!(error.to_string(), "option `memory_bytes`: expected at least 65536, found 65535");
}

#[test]
fn a_folder_that_is_not_there_is_an_error_when_it_is_needed() {
    let mut sorter = Sorter::<2>::new(folder().path().join("无"), SMALL).unwrap();
    let failed = numbers(5000).into_iter().find_map(|record| sorter.push(record).err());
    assert!(failed.unwrap().to_string().starts_with("cannot write"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sets_do_not_depend_on_the_order_of_pairs(
        pairs in prop::collection::vec((0_u32..40, 0_u32..40), 0..60),
    ) {
        let unite = |pairs: &mut dyn Iterator<Item = &(u32, u32)>| {
            let mut sets = UnionFind::new(40).unwrap();
            pairs.for_each(|&(a, b)| { sets.unite(a, b); });
            sets.into_representatives()
        };
        let forward = unite(&mut pairs.iter());
        prop_assert_eq!(&forward, &unite(&mut pairs.iter().rev()));
        prop_assert_eq!(forward, components(&pairs, 40));
    }

    #[test]
    fn equal_documents_are_found_as_a_map_finds_them(
        texts in prop::collection::vec("[a-c春。 ]{0,3}", 0..80),
        folds in any::<bool>(),
    ) {
        let normalization = if folds { Normalization::Folded } else { Normalization::None };
        let options = ExactOptions { normalization, ..Default::default() };
        let mut first = BTreeMap::new();
        let expected: Vec<u32> = (0_u32..).zip(&texts).map(|(i, text)| {
            let key = if folds { folded(text) } else { text.clone() };
            *first.entry(key).or_insert(i)
        }).collect();
        let found = exact(&texts, &options);
        prop_assert_eq!(found.representatives(), expected);
    }

    #[test]
    fn spans_with_stride_one_are_those_of_the_definition(
        texts in prop::collection::vec("[ab春花]{0,24}", 0..8),
        n in 2_usize..6,
    ) {
        let found = spans(&texts, &substring_options(n, 1));
        prop_assert_eq!(positions(&found), repeated_positions(&texts, n));
    }

    #[test]
    fn spans_with_any_stride_occur_earlier(
        texts in prop::collection::vec("[ab春]{0,60}", 0..8),
        n in 2_usize..6,
        stride in 1_usize..12,
    ) {
        let found = spans(&texts, &substring_options(n, stride));
        let all = repeated_positions(&texts, n);
        prop_assert!(positions(&found).is_subset(&all));
        for repeats in &found {
            let text = &texts[repeats.document as usize];
            for span in &repeats.spans {
                prop_assert!(text.is_char_boundary(span.bytes.start));
                prop_assert!(span.source <= repeats.document);
                prop_assert!(texts[span.source as usize].contains(&text[span.bytes.clone()]));
            }
        }
    }
}

/// Smallest reachable member by repeated relaxation: slow and obvious.
fn components(pairs: &[(u32, u32)], len: u32) -> Vec<u32> {
    let mut labels: Vec<u32> = (0..len).collect();
    for _ in 0..len {
        for &(a, b) in pairs {
            let least = labels[a as usize].min(labels[b as usize]);
            labels[a as usize] = least;
            labels[b as usize] = least;
        }
    }
    labels
}

fn exact<T: AsRef<str>>(texts: &[T], options: &ExactOptions) -> Clusters {
    let folder = folder();
    let mut dedup = ExactDedup::new(options, folder.path()).unwrap();
    texts.iter().for_each(|text| dedup.push(text.as_ref()).unwrap());
    dedup.finish().unwrap().into_clusters().unwrap()
}

#[test]
fn equal_documents_do_not_depend_on_the_memory_limit() {
    let texts: Vec<String> =
        (0..9000_u64).map(|i| format!("第{}回 chapter", fold::mix(i) % 5000)).collect();
    let with = |memory_bytes| exact(&texts, &ExactOptions { memory_bytes, ..Default::default() });
    assert_eq!(with(SMALL), with(1 << 26));
    assert!(with(SMALL).n_dropped() > 3000);
}

#[test]
fn the_report_counts_what_the_decisions_say() {
    let folder = folder();
    let mut dedup = ExactDedup::new(&ExactOptions::default(), folder.path()).unwrap();
    for text in ["山", "river", "山", "", "山", "river", ""] {
        dedup.push(text).unwrap();
    }
    let found = dedup.finish().unwrap();
    let report = found.report().clone();
    let clusters = found.into_clusters().unwrap();
    assert_eq!(clusters.representatives(), [0, 1, 0, 3, 0, 1, 3]);
    assert_eq!((report.clusters, report.dropped), (clusters.n_clusters(), clusters.n_dropped()));
    assert_eq!(
        report.to_string(),
        "7 documents (19 bytes), 4 pairs, 3 clusters, 4 dropped, 42.86 % kept"
    );
}

#[test]
fn decisions_survive_the_disk_and_damage_is_named() {
    let folder = folder();
    let path = folder.path().join("clusters");
    let clusters = exact(&["甲", "b", "甲"], &ExactOptions::default());
    clusters.write(&path).unwrap();
    assert_eq!(Clusters::read(&path).unwrap(), clusters);

    let good = std::fs::read(&path).unwrap();
    for position in 0..good.len() {
        let mut bytes = good.clone();
        bytes[position] ^= 0x40;
        std::fs::write(&path, bytes).unwrap();
        assert!(Clusters::read(&path).is_err(), "byte {position} changed");
    }
    for length in 0..good.len() {
        std::fs::write(&path, &good[..length]).unwrap();
        assert!(Clusters::read(&path).is_err(), "cut to {length} bytes");
    }
}

#[track_caller]
fn check_fold(text: &str, expected: &str) {
    assert_eq!(folded(text), expected, "{text:?}");
}

#[test]
fn folding_removes_case_width_blanks_and_punctuation() {
    check_fold("", "");
    check_fold(" 。！, \u{3000}\n", "");
    check_fold("Don’t  STOP—now", "don t stop now");
    check_fold("ＡＢＣ　１２３", "abc 123");
    check_fold("《红楼梦》 第 1 回", "红楼梦第1回");
    check_fold("GPT-4 模型", "gpt 4模型");
    check_fold("人々の、カメラ。", "人々のカメラ");
    check_fold("İstanbul Ünïcode", "istanbul ünïcode");
    check_fold("नमस्ते 🙂", "नमस्ते 🙂");
}

#[test]
fn tokens_are_words_and_single_ideographs_with_their_places() {
    let text = "看 GPT-4 模型";
    let mut found = Vec::new();
    fold_tokens(text, |token| found.push((&text[token.start..token.end], token.is_ideograph)));
    assert_eq!(found, [("看", true), ("GPT", false), ("4", false), ("模", true), ("型", true)]);
}

fn substring_options(min_chars: usize, stride: usize) -> SubstringOptions {
    SubstringOptions { min_chars, stride, memory_bytes: SMALL, ..Default::default() }
}

fn spans<T: AsRef<str>>(texts: &[T], options: &SubstringOptions) -> Vec<DocumentRepeats> {
    let folder = folder();
    let mut dedup = SubstringDedup::new(options, folder.path()).unwrap();
    texts.iter().for_each(|text| dedup.push(text.as_ref()).unwrap());
    dedup.finish().unwrap().map(Result::unwrap).collect()
}

fn positions(found: &[DocumentRepeats]) -> BTreeSet<(u64, usize)> {
    let bytes = |repeats: &DocumentRepeats| {
        let document = repeats.document;
        let ranges: Vec<_> = repeats.spans.iter().map(|span| span.bytes.clone()).collect();
        ranges.into_iter().flatten().map(move |byte| (document, byte))
    };
    found.iter().flat_map(bytes).collect()
}

/// All bytes in windows of `n` characters that occur earlier without overlapping.
fn repeated_positions(texts: &[String], n: usize) -> BTreeSet<(u64, usize)> {
    let mut seen: Vec<(usize, usize, &str)> = Vec::new();
    let mut found = BTreeSet::new();
    for (document, text) in texts.iter().enumerate() {
        let mut bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        bounds.push(text.len());
        for window in bounds.windows(n + 1) {
            let (start, end) = (window[0], window[n]);
            let earlier = seen.iter().any(|&(other, other_end, words)| {
                words == &text[start..end] && (other < document || other_end <= start)
            });
            if earlier {
                found.extend((start..end).map(|at| (document as u64, at)));
            }
            seen.push((document, end, &text[start..end]));
        }
    }
    found
}

#[test]
fn a_planted_paragraph_is_found_whole_in_both_languages() {
    let (Some(zh), Some(en)) = (
        shared("corpus/text/zh/hongloumeng.txt"),
        shared("corpus/text/en/alice_in_wonderland.txt"),
    ) else {
        return;
    };
    for path in [zh, en] {
        let text = std::fs::read_to_string(path).unwrap();
        let characters: Vec<char> = text.chars().collect();
        let take = |start: usize, n: usize| characters[start..start + n].iter().collect::<String>();
        let (before, planted, after) = (take(9000, 700), take(30_000, 400), take(50_000, 600));
        let texts = [take(29_000, 3000), format!("{before}{planted}{after}")];
        let found = spans(&texts, &SubstringOptions::default());
        assert_eq!(found.len(), 1);
        let spans = &found[0].spans;
        assert_eq!(spans.len(), 1);
        let bytes = &spans[0].bytes;
        // One or two neighbouring characters may agree by chance.
        assert!(bytes.start <= before.len() && bytes.start + 6 >= before.len());
        assert!(bytes.end >= before.len() + planted.len());
        assert!(bytes.end <= before.len() + planted.len() + 6);
    }
}

#[test]
fn spans_do_not_depend_on_the_memory_limit_or_the_threads() {
    let texts: Vec<String> = (0..200_u64)
        .map(|i| {
            (0..120)
                .map(|j| ["春", "花", "a", "b "][(fold::mix(i % 90 * 131 + j) % 4) as usize])
                .collect()
        })
        .collect();
    let run = |memory_bytes, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let options = SubstringOptions { memory_bytes, ..substring_options(20, 4) };
        pool.install(|| spans(&texts, &options))
    };
    let expected = run(1 << 26, 1);
    assert_eq!(expected.len(), 110);
    assert_eq!(run(SMALL, 1), expected);
    assert_eq!(run(SMALL, 4), expected);
}

#[test]
fn hostile_texts_take_linear_time() {
    let same = "a".repeat(2 << 20);
    let same_zh = "哈".repeat(1 << 20);
    let period = "ab啊".repeat(1 << 18);
    let texts = [same.as_str(), same.as_str(), same_zh.as_str(), period.as_str(), period.as_str()];
    let found = spans(&texts, &substring_options(50, 16));
    let kept = |document: u64| {
        let repeats = found.iter().find(|repeats| repeats.document == document).unwrap();
        texts[document as usize].len() - repeats.n_bytes()
    };
    // Of a run of one character at most the first two windows stay, of a copy nothing.
    assert!(kept(0) <= 2 * 66, "{}", kept(0));
    assert_eq!((kept(1), kept(4)), (0, 0));
    assert!(kept(2) <= 3 * 2 * 66, "{}", kept(2));
}

#[test]
fn empty_and_single_characters_are_no_spans() {
    assert_eq!(spans(&["", "a", "a", "春", "春", ""], &substring_options(2, 1)), []);
    assert_eq!(spans::<&str>(&[], &substring_options(2, 1)), []);
}

#[test]
fn span_options_out_of_range_are_refused() {
    let folder = folder();
    for (min_chars, stride) in [(0, 1), (1, 1), (65_537, 1), (2, 0), (2, 65_537)] {
        let options = substring_options(min_chars, stride);
        assert!(SubstringDedup::new(&options, folder.path()).is_err(), "{min_chars} {stride}");
    }
}

fn lines(texts: &[&str], options: &LineOptions) -> Vec<DocumentRepeats> {
    let folder = folder();
    let mut dedup = LineDedup::new(options, folder.path()).unwrap();
    texts.iter().for_each(|text| dedup.push(text).unwrap());
    dedup.finish().unwrap().map(Result::unwrap).collect()
}

#[test]
fn repeated_lines_are_those_with_equal_folded_text() {
    let texts = [
        "Subscribe to our newsletter!\n正文一\n点击此处查看更多精彩内容\n",
        "点击此处，查看更多精彩内容！\r\n正文二\nsubscribe to our  NEWSLETTER",
        "正文三\nend\n",
        "end",
    ];
    let found = lines(&texts, &LineOptions::default());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].remove_from(texts[1]), "正文二\n");
    assert!(found[0].spans.iter().all(|span| span.source == 0));

    let twice = LineOptions { max_occurrences: 2, ..Default::default() };
    assert_eq!(lines(&texts, &twice), []);
    let never = LineOptions { max_occurrences: 0, ..Default::default() };
    assert!(LineDedup::new(&never, folder().path()).is_err());
}
