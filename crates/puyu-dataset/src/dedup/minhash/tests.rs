//! Near duplicates: recall and precision on known clusters, and what must not change a result.

use std::path::PathBuf;

use proptest::prelude::*;
use puyu_testkit::{TempDir, shared};

use super::super::fold::{folded, mix};
use super::stages::{BandJob, unite, write_pairs, write_signatures};
use super::*;

#[derive(serde::Deserialize)]
struct Row {
    content: String,
    cluster: usize,
    edit_rate: Option<f64>,
}

fn rows(language: &str) -> Option<Vec<Row>> {
    let path = shared(format!("corpus/dedup/near_dup_{language}.jsonl"))?;
    let text = std::fs::read_to_string(path).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn dedup<T: AsRef<str> + Send + Sync>(
    texts: &[T],
    options: &MinHashOptions,
) -> (Clusters, DedupReport) {
    let folder = TempDir::new().unwrap();
    dedup_documents(texts.iter().map(AsRef::as_ref), options, folder.path()).unwrap()
}

/// Whether the base texts of two clusters share `chars` consecutive characters.
fn overlapping(rows: &[Row], chars: usize) -> Vec<Vec<bool>> {
    let n = rows.iter().map(|row| row.cluster).max().unwrap() + 1;
    let windows = |cluster: usize| {
        let base = rows.iter().find(|row| row.cluster == cluster && row.edit_rate.is_none());
        let text: Vec<char> = folded(&base.unwrap().content).chars().collect();
        text.windows(chars).map(<[char]>::to_vec).collect::<std::collections::HashSet<_>>()
    };
    let sets: Vec<_> = (0..n).map(windows).collect();
    let row = |a: usize| (0..n).map(|b| !sets[a].is_disjoint(&sets[b])).collect();
    (0..n).map(row).collect()
}

/// The goal, whatever the seed: 95 % of the pairs at up to 10 % edits, at most 1 % false pairs.
#[track_caller]
fn check_known_clusters(language: &str, overlap_chars: usize) {
    let Some(rows) = rows(language) else { return };
    let texts: Vec<&str> = rows.iter().map(|row| row.content.as_str()).collect();
    let overlaps = overlapping(&rows, overlap_chars);
    for seed in 0..5 {
        let (clusters, report) = dedup(&texts, &MinHashOptions { seed, ..Default::default() });
        let [wanted, found, reported, wrong] = count_pairs(&rows, &clusters, &overlaps);
        let recall = f64::from(found) / f64::from(wanted);
        let false_share = f64::from(wrong) / f64::from(reported);
        let line = format!(
            "{language}, seed {seed}: {found} of {wanted} pairs, {wrong} of {reported} false; {report}"
        );
        println!("{line}");
        assert_eq!(wanted, 900, "six texts in each of 60 clusters");
        assert!(recall >= 0.95, "{line}");
        assert!(false_share <= 0.01, "{line}");
    }
}

/// Pairs at up to 10 % edits, those of them found, all pairs reported, and the false ones of these.
fn count_pairs(rows: &[Row], clusters: &Clusters, overlaps: &[Vec<bool>]) -> [u32; 4] {
    let light = |row: &Row| row.edit_rate.unwrap_or(0.0) <= 0.1;
    let mut counts = [0; 4];
    for (i, a) in rows.iter().enumerate() {
        for (j, b) in rows.iter().enumerate().take(i) {
            let together = clusters.representative(i) == clusters.representative(j);
            let wanted = a.cluster == b.cluster && light(a) && light(b);
            let wrong = together && !overlaps[a.cluster][b.cluster];
            for (count, counts_here) in
                counts.iter_mut().zip([wanted, wanted && together, together, wrong])
            {
                *count += u32::from(counts_here);
            }
        }
    }
    counts
}

#[test]
fn english_copies_with_ten_percent_edits_are_found_without_false_pairs() {
    check_known_clusters("en", 40);
}

#[test]
fn chinese_copies_with_ten_percent_edits_are_found_without_false_pairs() {
    check_known_clusters("zh", 20);
}

#[test]
fn the_chance_to_meet_follows_the_documented_curve() {
    let options = MinHashOptions::default();
    for (jaccard, chance) in
        [(0.05, 0.0002), (0.1, 0.0032), (0.2, 0.05), (0.3, 0.23), (0.5, 0.873), (0.57, 0.9676)]
    {
        assert!((options.recall(jaccard) - chance).abs() < 0.005, "{jaccard}");
    }
    assert!(options.recall(0.7) > 0.95);
}

#[test]
fn signatures_estimate_the_similarity_of_the_sets() {
    // Words w0..: sets of `n` words of which a known share is common.
    let mut signer =
        Signer::new(&MinHashOptions { shingle: Shingle::Words(1), ..Default::default() });
    for (common, own) in [(0, 500), (200, 400), (500, 250), (900, 50), (30, 15), (6, 3)] {
        let mut mean = 0.0;
        for round in 0..20 {
            let word = |kind: &str, i: usize| format!("{kind}{round}x{i} ");
            let shared: String = (0..common).map(|i| word("s", i)).collect();
            let mut text = |kind| {
                let own: String = (0..own).map(|i| word(kind, i)).collect();
                signer.sign(&format!("{shared}{own}")).unwrap()
            };
            mean += signature::similarity(&text("a"), &text("b")) / 20.0;
        }
        let expected = common as f64 / (common + 2 * own) as f64;
        // Twenty rounds of sets no larger than nine words have an error of about 0.1.
        let tolerance = if common < 50 { 0.15 } else { 0.03 };
        assert!((mean - expected).abs() < tolerance, "{common} {own}: {mean} for {expected}");
    }
}

#[test]
fn no_seed_takes_another_order_of_letters_for_the_same_text() {
    // The seeds whose hashes are 0 where they are mixed.
    let odd = super::super::fold::ODD;
    for seed in [0, 1, odd, 0_u64.wrapping_sub(odd), u64::MAX] {
        let mut signer = Signer::new(&MinHashOptions { seed, ..Default::default() });
        for (a, b) in [("listen", "silent"), ("春花秋月", "月秋花春"), ("abcdef", "badcfe")]
        {
            let (a, b) = (signer.sign(a).unwrap(), signer.sign(b).unwrap());
            assert_eq!(signature::similarity(&a, &b), 0.0, "seed {seed}");
        }
    }
}

fn small_corpus() -> Vec<String> {
    let zh = "滚滚长江东逝水浪花淘尽英雄是非成败转头空青山依旧在几度夕阳红";
    let en = "it is a truth universally acknowledged that a single man must be in want";
    (0..400_u64)
        .map(|i| {
            let source = if i % 2 == 0 { zh } else { en };
            let characters: Vec<char> = source.chars().collect();
            let topic = mix(i % 70);
            (0..90_u64)
                .map(|j| characters[(mix(topic ^ j) % characters.len() as u64) as usize])
                .chain(i.to_string().chars())
                .collect()
        })
        .collect()
}

#[test]
fn memory_and_threads_do_not_change_a_result() {
    let texts = small_corpus();
    let run = |memory_bytes, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let options = MinHashOptions { memory_bytes, ..Default::default() };
        pool.install(|| dedup(&texts, &options))
    };
    let expected = run(1 << 26, 1);
    assert_eq!(expected.1.dropped, 330);
    assert_eq!(run(64 << 10, 1), expected);
    assert_eq!(run(64 << 10, 4), expected);
}

/// Signs three shards and searches the bands in parts.
fn staged(texts: &[String], folder: &TempDir, cuts: &[u32]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let options = MinHashOptions::default();
    let path = |name: String| folder.path().join(name);
    let shards: Vec<PathBuf> = texts
        .chunks(150)
        .enumerate()
        .map(|(i, shard)| {
            let file = path(format!("{i}.signatures"));
            write_signatures(shard, &options, &file).unwrap();
            file
        })
        .collect();
    let pairs = cuts
        .windows(2)
        .map(|cut| {
            let job = BandJob { signatures: shards.clone(), bands: cut[0]..cut[1] };
            let file = path(format!("{}-{}.pairs", cut[0], cut[1]));
            write_pairs(&job, &options, &file).unwrap();
            file
        })
        .collect();
    (shards, pairs)
}

#[test]
fn stages_on_shards_equal_one_call_and_can_be_run_again() {
    let texts = small_corpus();
    let options = MinHashOptions::default();
    let folder = TempDir::new().unwrap();
    let (shards, pairs) = staged(&texts, &folder, &[0, 5, 20, 32]);
    let (clusters, report) = unite(&pairs, &options).unwrap();
    let whole = dedup(&texts, &options);
    assert_eq!(clusters, whole.0);
    assert_eq!((report.dropped, report.bytes), (whole.1.dropped, whole.1.bytes));

    let read = |paths: &[PathBuf]| paths.iter().map(|p| std::fs::read(p).unwrap()).collect();
    let before: Vec<Vec<u8>> = read(&[shards.clone(), pairs.clone()].concat());
    let (shards, pairs) = staged(&texts, &folder, &[0, 5, 20, 32]);
    let after: Vec<Vec<u8>> = read(&[shards, pairs].concat());
    assert!(before == after);
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let folder = TempDir::new().unwrap();
    let (shards, pairs) = staged(&small_corpus(), &folder, &[0, 16, 32]);
    let options = MinHashOptions::default();
    let other = MinHashOptions { seed: 1, ..Default::default() };
    let job = BandJob { signatures: shards, bands: 0..32 };
    let output = folder.path().join("out");
    assert!(matches!(write_pairs(&job, &other, &output), Err(DatasetError::State { .. })));
    assert!(matches!(unite(&pairs, &other), Err(DatasetError::State { .. })));
    assert!(matches!(unite(&pairs[..1], &options), Err(DatasetError::State { .. })));
    assert!(matches!(unite(&[], &options), Err(DatasetError::State { .. })));
    let twice = [pairs[0].clone(), pairs[0].clone(), pairs[1].clone()];
    assert!(matches!(unite(&twice, &options), Err(DatasetError::State { .. })));
    let beyond = BandJob { bands: 30..33, ..job };
    assert!(matches!(write_pairs(&beyond, &options, &output), Err(DatasetError::Option { .. })));
    assert!(!output.exists());
    std::fs::write(&pairs[0], b"PUYUPAI1").unwrap();
    assert!(matches!(unite(&pairs, &options), Err(DatasetError::Damaged { .. })));
}

#[test]
fn texts_without_letters_are_never_copies() {
    let texts = ["", "……", "", "！？", "a", "A.", "春", "春。", "b"];
    let (clusters, _) = dedup(&texts, &MinHashOptions::default());
    assert_eq!(clusters.representatives(), [0, 1, 2, 3, 4, 4, 6, 6, 8]);
    assert!(dedup::<&str>(&[], &MinHashOptions::default()).0.is_empty());
}

#[test]
fn ten_megabytes_of_one_character_are_one_shingle() {
    let texts = ["a".repeat(10 << 20), "a".repeat(100), "啊".repeat(3 << 20), "b".repeat(100)];
    let (clusters, report) = dedup(&texts, &MinHashOptions::default());
    assert_eq!(clusters.representatives(), [0, 0, 2, 3]);
    assert_eq!(report.bytes, (10 << 20) + (9 << 20) + 200);
}

#[test]
fn a_bucket_of_many_different_documents_is_searched_in_bounded_time() {
    // One band of one row: everything that shares one number meets.
    let options = MinHashOptions { bands: 4, rows: 1, ..Default::default() };
    let texts: Vec<String> = (0..3000).map(|i| format!("第{i}号文件共有的一段开头")).collect();
    let (_, report) = dedup(&texts, &options);
    assert!(report.pairs < 4 * 3000 * 512);
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let base = MinHashOptions::default;
    for (options, name) in [
        (MinHashOptions { bands: 0, ..base() }, "bands"),
        (MinHashOptions { bands: 1025, ..base() }, "bands"),
        (MinHashOptions { bands: 1024, rows: 64, ..base() }, "bands"),
        (MinHashOptions { rows: 0, ..base() }, "rows"),
        (MinHashOptions { shingle: Shingle::Characters(0), ..base() }, "shingle"),
        (MinHashOptions { shingle: Shingle::Words(65), ..base() }, "shingle"),
        (
            MinHashOptions { verification: Verification::Estimated(f64::NAN), ..base() },
            "verification",
        ),
        (MinHashOptions { memory_bytes: 0, ..base() }, "memory_bytes"),
    ] {
        let message = options.validate().unwrap_err().to_string();
        assert!(message.starts_with(&format!("option `{name}`")), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn another_order_changes_representatives_only(seed in any::<u64>()) {
        let texts: Vec<String> = small_corpus().into_iter().take(120).collect();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| mix(seed ^ i as u64));
        let shuffled: Vec<&str> = order.iter().map(|&i| texts[i].as_str()).collect();
        let options = MinHashOptions::default();
        let (one, two) = (dedup(&texts, &options).0, dedup(&shuffled, &options).0);
        for a in 0..texts.len() {
            for b in 0..a {
                prop_assert_eq!(
                    one.representative(order[a]) == one.representative(order[b]),
                    two.representative(a) == two.representative(b)
                );
            }
        }
    }

    #[test]
    fn no_text_makes_signing_panic(text in any::<String>(), weight in 1_u32..=64) {
        for shingle in [Shingle::Characters(weight), Shingle::Words(weight)] {
            let options = MinHashOptions { shingle, ..Default::default() };
            let signature = Signer::new(&options).sign(&text);
            prop_assert_eq!(signature.is_none(), folded(&text).is_empty());
        }
    }
}
