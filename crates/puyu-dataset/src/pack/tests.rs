use proptest::prelude::*;
use puyu_testkit::TempDir;

use super::*;
use crate::error::DatasetError;

fn options(method: PackMethod, pack_tokens: u32) -> PackOptions {
    PackOptions { pack_tokens, method, ..PackOptions::default() }
}

/// The rows of a plan, each as `(first token, tokens)` pairs.
fn rows(plan: &PackPlan) -> Vec<Vec<(u64, u32)>> {
    let row = |index| plan.pack(index).map(|piece| (piece.first_token, piece.n_tokens)).collect();
    (0..plan.n_packs()).map(row).collect()
}

#[track_caller]
fn check(options: &PackOptions, lengths: &[u64], expected: &[&[(u64, u32)]], report: &str) {
    let plan = PackPlan::build(lengths.iter().copied(), options).unwrap();
    assert_eq!(rows(&plan), expected);
    assert_eq!(plan.report().to_string(), report);
}

#[test]
fn none_gives_each_document_rows_of_its_own() {
    check(
        &options(PackMethod::None, 4),
        &[3, 0, 4, 9],
        &[&[(0, 3)], &[(3, 4)], &[(7, 4)], &[(11, 4)], &[(15, 1)]],
        "5 packs, 16 tokens, 4 padding (20.00 %), 1 documents cut",
    );
    let truncate = PackOptions { long: LongDocuments::Truncate, ..options(PackMethod::None, 4) };
    check(
        &truncate,
        &[3, 0, 4, 9],
        &[&[(0, 3)], &[(3, 4)], &[(7, 4)]],
        "3 packs, 11 tokens, 1 padding (8.33 %), 1 documents cut, 5 tokens dropped",
    );
}

#[test]
fn concat_cuts_where_a_row_is_full_and_goes_on_in_the_next() {
    check(
        &options(PackMethod::Concat, 4),
        &[3, 0, 3, 9, 1],
        &[&[(0, 3), (3, 1)], &[(4, 2), (6, 2)], &[(8, 4)], &[(12, 3), (15, 1)]],
        "4 packs, 16 tokens, 0 padding (0.00 %), 2 documents cut",
    );
}

#[test]
fn best_fit_cuts_only_what_is_longer_than_a_row() {
    check(
        &options(PackMethod::BestFit, 10),
        &[4, 0, 23, 6, 3, 5, 2],
        &[&[(4, 10)], &[(14, 10)], &[(0, 4), (27, 6)], &[(24, 3), (36, 5), (41, 2)], &[(33, 3)]],
        "5 packs, 43 tokens, 7 padding (14.00 %), 1 documents cut",
    );
}

#[test]
fn no_documents_give_no_rows() {
    for method in [PackMethod::None, PackMethod::Concat, PackMethod::BestFit] {
        for lengths in [vec![], vec![0, 0]] {
            let plan = PackPlan::build(lengths, &options(method, 8)).unwrap();
            assert_eq!((plan.n_packs(), plan.report().waste()), (0, 0.0));
        }
    }
}

#[test]
fn options_and_lengths_without_sense_are_refused() {
    for bad in [options(PackMethod::None, 0), options(PackMethod::None, u32::MAX)] {
        let error = PackPlan::build([1], &bad).unwrap_err();
        assert!(matches!(error, DatasetError::Option { option: "pack_tokens", .. }), "{error}");
    }
    let bad = PackOptions { window_documents: 0, ..PackOptions::default() };
    assert!(PackPlan::build([1], &bad).is_err());
    for lengths in [vec![u64::MAX], vec![1 << 50], vec![5, u64::MAX - 2]] {
        let error = PackPlan::build(lengths, &PackOptions::default()).unwrap_err();
        assert!(matches!(error, DatasetError::Limit { .. }), "{error}");
    }
    assert!(serde_json::from_str::<PackOptions>(r#"{"rows": 3}"#).is_err());
}

#[test]
fn best_fit_wastes_less_than_filling_rows_in_order() {
    // Lengths as of web pages: many short, few long.
    for seed in 0..5_u64 {
        let lengths: Vec<u64> = puyu_testkit::random_tokens(5000, 1 << 20, seed)
            .into_iter()
            .map(|random| {
                let uniform = (f64::from(random) + 1.0) / f64::from(1 << 20);
                (60.0 / uniform.powf(0.7)) as u64 % 2049
            })
            .collect();
        let plan = PackPlan::build(lengths.iter().copied(), &options(PackMethod::BestFit, 2048));
        let found = plan.unwrap().report();
        let in_order = next_fit(&lengths, 2048);
        assert!(found.packs < in_order, "seed {seed}: {found} against {in_order} packs");
        assert!(found.waste() < 0.01, "seed {seed}: {found}");
        assert_eq!(
            found.cut_documents,
            lengths.iter().filter(|&&length| length > 2048).count() as u64
        );
    }
}

/// How many rows there are if documents are put into them in order and never cut.
fn next_fit(lengths: &[u64], capacity: u64) -> u64 {
    let (mut packs, mut free) = (0, 0);
    for &length in lengths.iter().filter(|&&length| length > 0) {
        if length > free {
            packs += 1;
            free = capacity;
        }
        free -= length;
    }
    packs
}

/// Best-fit decreasing by looking at every pack: the tokens of each pack, sorted.
fn naive_best_fit(lengths: &[u32], capacity: u32) -> Vec<u32> {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let mut free: Vec<u32> = Vec::new();
    for length in sorted {
        let best = free.iter_mut().filter(|free| **free >= length).min_by_key(|free| **free);
        match best {
            Some(free) => *free -= length,
            None => free.push(capacity - length),
        }
    }
    free.sort_unstable();
    free
}

fn any_options() -> impl Strategy<Value = PackOptions> {
    let methods = vec![PackMethod::None, PackMethod::Concat, PackMethod::BestFit];
    let long = vec![LongDocuments::Split, LongDocuments::Truncate];
    (
        prop_oneof![1_u32..20, Just(64), Just(65), Just(4097)],
        prop::sample::select(methods),
        prop::sample::select(long),
        1_usize..40,
        any::<u64>(),
    )
        .prop_map(|(pack_tokens, method, long, window_documents, seed)| PackOptions {
            pack_tokens,
            method,
            long,
            window_documents,
            seed,
        })
}

fn any_lengths() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![Just(0), 1_u64..12, 0_u64..300], 0..120)
}

proptest! {
    #[test]
    fn no_token_is_lost_or_repeated(lengths in any_lengths(), options in any_options()) {
        let plan = PackPlan::build(lengths.iter().copied(), &options).unwrap();
        let n_tokens: u64 = lengths.iter().sum();
        let mut document_of = Vec::new();
        for (document, &length) in lengths.iter().enumerate() {
            document_of.extend(std::iter::repeat_n(document, length as usize));
        }
        let mut seen = vec![0; n_tokens as usize];
        let (mut padding, mut rows_of) = (0, vec![0; lengths.len()]);
        for row in 0..plan.n_packs() {
            let mut tokens = 0;
            for piece in plan.pack(row) {
                prop_assert!(piece.n_tokens > 0);
                let span = piece.span();
                let (first, last) = (span.start as usize, span.end as usize - 1);
                prop_assert_eq!(document_of[first], document_of[last], "one document per piece");
                rows_of[document_of[first]] += 1;
                span.for_each(|token| seen[token as usize] += 1);
                tokens += u64::from(piece.n_tokens);
            }
            let row_tokens = u64::from(options.pack_tokens);
            prop_assert!(tokens > 0 && tokens <= row_tokens);
            padding += row_tokens - tokens;
        }
        let report = plan.report();
        let dropped = seen.iter().filter(|&&times| times == 0).count() as u64;
        prop_assert!(seen.iter().all(|&times| times <= 1));
        prop_assert_eq!(report.truncated_tokens, dropped);
        let truncates =
            options.method == PackMethod::None && options.long == LongDocuments::Truncate;
        prop_assert!(dropped == 0 || truncates);
        prop_assert_eq!(report.tokens, n_tokens - dropped);
        prop_assert_eq!(report.padding_tokens, padding);
        if !truncates {
            let cut = rows_of.iter().filter(|&&rows| rows > 1).count() as u64;
            prop_assert_eq!(report.cut_documents, cut);
        }
        if options.method == PackMethod::Concat {
            prop_assert_eq!(report.packs, n_tokens.div_ceil(u64::from(options.pack_tokens)));
        }
    }

    #[test]
    fn best_fit_is_best_fit(
        lengths in prop::collection::vec(1_u32..=130, 0..200),
        seed in any::<u64>(),
    ) {
        let (packs, n_packs) = best_fit::assign(&lengths, 130, seed);
        let mut free = vec![130; n_packs];
        for (&pack, &length) in packs.iter().zip(&lengths) {
            free[pack as usize] -= length;
        }
        free.sort_unstable();
        prop_assert_eq!(free, naive_best_fit(&lengths, 130));
    }

    #[test]
    fn no_two_rows_of_a_window_could_be_one(
        lengths in prop::collection::vec(0_u64..=100, 0..150),
    ) {
        let plan = PackPlan::build(lengths, &options(PackMethod::BestFit, 100)).unwrap();
        let mut tokens: Vec<u32> = rows(&plan)
            .iter()
            .map(|row| row.iter().map(|&(_, length)| length).sum())
            .collect();
        tokens.sort_unstable();
        if let [first, second, ..] = tokens[..] {
            prop_assert!(first + second > 100);
        }
    }

    #[test]
    fn the_same_lengths_and_options_give_the_same_plan(
        lengths in any_lengths(),
        options in any_options(),
    ) {
        let build = || PackPlan::build(lengths.iter().copied(), &options).unwrap();
        let (first, second) = (build(), build());
        prop_assert_eq!(first.fingerprint(), second.fingerprint());
        prop_assert_eq!(rows(&first), rows(&second));
    }

}

proptest! {
    // Each case waits for the disk several times.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_plan_is_read_back_from_its_file(lengths in any_lengths(), options in any_options()) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("行.plan");
        let plan = PackPlan::build(lengths, &options).unwrap();
        plan.save(&path).unwrap();
        let read = PackPlan::open(&path).unwrap();
        read.verify(&path).unwrap();
        prop_assert_eq!(rows(&read), rows(&plan));
        prop_assert_eq!(read.fingerprint(), plan.fingerprint());
        prop_assert_eq!(read.report(), plan.report());
        prop_assert_eq!(read.options(), plan.options());
    }

    #[test]
    fn a_changed_plan_is_an_error_or_has_the_same_rows(
        place in any::<prop::sample::Index>(),
        flip in 1_u8..,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("row.plan");
        let plan = PackPlan::build([5, 0, 17, 3, 3, 9], &options(PackMethod::BestFit, 8)).unwrap();
        plan.save(&path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&path, bytes).unwrap();
        if let Ok(read) = PackPlan::open(&path) {
            rows(&read);
            if read.verify(&path).is_ok() {
                prop_assert_eq!(rows(&read), rows(&plan));
            }
        }
    }
}

#[test]
fn seeds_change_the_company_of_equal_documents_only() {
    let lengths = [3_u64; 60];
    let build = |seed| {
        let options = PackOptions { seed, ..options(PackMethod::BestFit, 10) };
        PackPlan::build(lengths, &options).unwrap()
    };
    assert_ne!(rows(&build(1)), rows(&build(2)));
    assert_eq!(build(1).report(), build(2).report());
}

#[track_caller]
fn check_damage(damage: impl Fn(&mut Vec<u8>), expected: &str) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("坏.plan");
    let plan = PackPlan::build([5, 3, 8], &options(PackMethod::BestFit, 8)).unwrap();
    plan.save(&path).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    damage(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let error = PackPlan::open(&path).and_then(|plan| plan.verify(&path)).unwrap_err().to_string();
    assert!(error.contains(expected), "{error:?} should contain {expected:?}");
    assert!(error.contains("坏.plan"), "{error:?} should name the file");
}

#[test]
fn damage_is_found_and_named() {
    // The body ends with 3 row bounds, 3 first tokens and 3 lengths: 60 bytes.
    check_damage(Vec::clear, "magic: expected \"PUYUPACK\", found \"\"");
    check_damage(|bytes| bytes[8..16].fill(255), "header: expected at most 65536 bytes");
    check_damage(|bytes| bytes[8] = 5, "the header of a pack plan");
    check_damage(|bytes| bytes.truncate(100), "size in bytes");
    check_damage(|bytes| bytes.push(0), "body in bytes: expected 60, found 61");
    let from_end = |back: usize, value: u8| {
        move |bytes: &mut Vec<u8>| {
            let place = bytes.len() - back;
            bytes[place] = value;
        }
    };
    check_damage(from_end(60, 1), "row bounds: expected rising from 0 to 3");
    check_damage(from_end(52, 3), "row bounds");
    check_damage(from_end(4, 0), "piece: expected one or more of 16 tokens");
    check_damage(from_end(36, 200), "piece: expected");
    check_damage(from_end(8, 7), "row: expected at most 8 tokens");
    check_damage(from_end(4, 2), "blake3 hash");
}
