use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::prelude::*;
use puyu_testkit::{TempDir, shared};

use super::testing::{Files, Item, Note, line, opener};
use super::*;
use crate::fault::FaultKind;

const POEM: [&str; 4] = ["床前明月光", "疑是地上霜", "moonlight before my bed", "frost?"];

fn path(number: usize) -> PathBuf {
    PathBuf::from(format!("第{number}卷.jsonl"))
}

/// `sizes[f]` are the lengths of the chunks of file `f`; every 7th row is bad.
fn library(sizes: &[Vec<usize>]) -> Files {
    let mut row = 0;
    let files = sizes.iter().enumerate().map(|(file, chunks)| {
        let items = chunks.iter().map(|&n| match n {
            0 => Item::Bad,
            n => Item::Lines(
                (0..n)
                    .map(|_| {
                        row += 1;
                        match row % 7 {
                            0 => "{\"id\": \"破".to_owned(),
                            _ => line(&format!("id-{row}"), POEM[row % 4]),
                        }
                    })
                    .collect(),
            ),
        });
        (path(file), items.collect())
    });
    files.collect()
}

fn options(policy: Policy, threads: usize) -> StreamOptions {
    StreamOptions::default().with_policy(policy).with_threads(threads)
}

fn start(files: &Files, options: StreamOptions, at: Option<StreamPosition>) -> RecordStream<Note> {
    let (paths, opener) = opener(files);
    let mut builder = RecordStream::builder(&paths).options(options);
    if let Some(position) = at {
        builder = builder.resume_at(position);
    }
    builder.start_with(paths, opener).unwrap()
}

fn all(stream: &mut RecordStream<Note>) -> Vec<(Location, Note)> {
    stream.map(|row| row.unwrap()).collect()
}

#[test]
fn the_order_does_not_depend_on_threads() {
    let files = library(&vec![vec![3, 50, 0, 1, 20]; 9]);
    let mut one = start(&files, options(Policy::Skip, 1), None);
    let expected = all(&mut one);
    assert_eq!(expected.len() as u64, one.report().rows_good);
    for threads in [0, 2, 3, 8] {
        let mut stream = start(&files, options(Policy::Skip, threads), None);
        assert_eq!(all(&mut stream), expected, "{threads} threads");
        assert_eq!(stream.report(), one.report());
    }
}

#[test]
fn failing_returns_the_good_rows_and_then_the_first_bad_one() {
    let files = library(&[vec![4, 10]]);
    let mut stream = start(&files, options(Policy::Fail, 2), None);
    let good: Vec<_> = stream.by_ref().take_while(Result::is_ok).collect();
    assert_eq!(good.len(), 6);
    assert!(stream.next().is_none());
    assert_eq!((stream.report().rows_good, stream.report().rows_bad), (6, 1));
    assert_eq!(stream.report().first_examples[0].location.row, 7);
}

#[test]
fn quarantine_holds_every_bad_row_as_it_was() {
    let folder = TempDir::new().unwrap();
    let target = folder.path().join("隔离.jsonl");
    let files = library(&[vec![10, 0, 10]]);
    let mut stream = start(&files, options(Policy::Quarantine(target.clone()), 2), None);
    assert_eq!(all(&mut stream).len(), 18);
    let text = std::fs::read_to_string(&target).unwrap();
    let rows: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<_> = rows.iter().map(|row| row["row"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [7, 11, 15]);
    assert_eq!(rows[0]["raw"], "{\"id\": \"破");
    assert_eq!((&rows[0]["kind"], &rows[1]["kind"]), (&"json".into(), &"truncated".into()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file is left");
}

#[test]
fn a_quarantine_that_ends_early_stays_partial_and_is_continued() {
    let folder = TempDir::new().unwrap();
    let target = folder.path().join("bad.jsonl");
    let files = library(&[vec![10, 0, 10], vec![30]]);
    let policy = Policy::Quarantine(target.clone());
    let mut stream = start(&files, options(policy.clone(), 2), None);
    let position = (0..8)
        .map(|_| {
            stream.next();
            stream.position()
        })
        .last()
        .unwrap();
    stream.by_ref().nth(4);
    drop(stream);
    assert!(!target.exists() && folder.path().join("bad.jsonl.partial").exists());

    let mut rest = start(&files, options(policy, 2), Some(position));
    all(&mut rest);
    let n_bad = start_and_count_bad(&files);
    assert_eq!(std::fs::read_to_string(&target).unwrap().lines().count() as u64, n_bad);
}

fn start_and_count_bad(files: &Files) -> u64 {
    let mut stream = start(files, options(Policy::Skip, 1), None);
    all(&mut stream);
    stream.report().rows_bad
}

#[test]
fn a_repeated_id_names_the_first_row() {
    let row = |id: &str| line(id, POEM[0]);
    let files = vec![
        (path(0), vec![Item::Lines(vec![row("甲"), row("b")])]),
        (path(1), vec![Item::Lines(vec![row("c"), row("甲"), row("d")])]),
    ];
    let (paths, opener) = opener(&files);
    let build = || {
        RecordStream::<Note>::builder(&paths)
            .options(options(Policy::Skip, 2))
            .check_duplicate_ids(|note| Some(&note.id))
    };
    let mut stream = build().start_with(paths.clone(), opener.clone()).unwrap();
    let ids: Vec<_> = all(&mut stream).into_iter().map(|(_, note)| note.id).collect();
    assert_eq!(ids, ["甲", "b", "c", "d"]);
    let example = &stream.report().first_examples[0];
    assert_eq!(example.fault.kind, FaultKind::DuplicateId);
    assert_eq!(example.fault.found, "`甲`, first at 第0卷.jsonl, row 1");

    let mut half = build().start_with(paths.clone(), opener.clone()).unwrap();
    half.nth(2);
    let mut rest = build().resume_at(half.position()).start_with(paths.clone(), opener).unwrap();
    assert_eq!(all(&mut rest).into_iter().map(|(_, n)| n.id).collect::<Vec<_>>(), ["d"]);
    assert_eq!(rest.report().rows_bad, 1, "the repeat is still one after a resume");
}

#[test]
fn a_file_that_fails_is_an_error_and_the_next_file_follows() {
    let rows = vec![line("1", POEM[1])];
    let files = vec![
        (path(0), vec![Item::Lines(rows.clone()), Item::Failed]),
        (path(1), vec![Item::Lines(rows)]),
    ];
    let mut stream = start(&files, options(Policy::Skip, 2), None);
    let kinds: Vec<bool> = stream.by_ref().map(|row| row.is_ok()).collect();
    assert_eq!(kinds, [true, false, true]);
    assert!(stream.report().by_file[0].failed.is_some());
    assert!(stream.report().to_string().contains("gone"));
    let failing = start(&files, options(Policy::Fail, 2), None);
    assert_eq!(failing.map(|row| row.is_ok()).collect::<Vec<_>>(), [true, false]);
}

#[track_caller]
fn check_death(item: Item, message: &str) {
    let files = vec![(path(0), vec![Item::Lines(vec![line("1", POEM[2])]), item])];
    let mut stream = start(&files, options(Policy::Skip, 2), None);
    assert!(stream.next().unwrap().is_ok());
    let error = stream.next().unwrap().unwrap_err();
    assert!(error.with_causes().contains(message), "{}", error.with_causes());
    assert!(stream.next().is_none());
}

#[test]
fn a_thread_that_dies_is_an_error_and_no_hang() {
    check_death(Item::Panic, "a reader that panics");
    check_death(Item::Lines(vec!["\"panic\"".to_owned()]), "a decoder that panics");
}

#[test]
fn dropping_early_stops_every_thread() {
    let files = library(&vec![vec![100; 50]; 8]);
    for taken in [0, 1, 99, 150, 2000] {
        let mut stream = start(&files, options(Policy::Skip, 4), None);
        assert_eq!(stream.by_ref().take(taken).count(), taken);
        let gauge = stream.threads.gauge.clone();
        drop(stream);
        assert_eq!(gauge.now(), 0, "all bytes were given back");
    }
}

#[test]
fn the_memory_limit_is_held() {
    let long = "长".repeat(30_000);
    let chunk = || Item::Lines((0..3).map(|i| line(&i.to_string(), &long)).collect());
    let files: Files = (0..4).map(|n| (path(n), (0..40).map(|_| chunk()).collect())).collect();
    for limit in [2 << 20, 8 << 20, 40 << 20] {
        let options = options(Policy::Fail, 3).with_memory_limit_bytes(limit);
        let mut stream = start(&files, options, None);
        // A consumer that does not consume: the threads read ahead as far as they may.
        while stream.peak_bytes() < limit / 4 {
            std::thread::yield_now();
        }
        assert_eq!(all(&mut stream).len(), 480);
        assert!(stream.peak_bytes() <= limit, "{} of {limit} bytes", stream.peak_bytes());
    }
}

#[test]
fn a_chunk_above_the_limit_is_an_error_that_says_so() {
    let files = vec![(path(0), vec![Item::Lines(vec![line("1", &"x".repeat(900_000))])])];
    let options = options(Policy::Skip, 1).with_memory_limit_bytes(1 << 20);
    let error = start(&files, options, None).next().unwrap().unwrap_err();
    assert!(matches!(error, DatasetError::Limit { limit: 1_048_576, .. }), "{error}");
}

#[test]
fn a_position_in_other_files_is_refused() {
    let (paths, opener) = opener(&library(&[vec![3]]));
    let position = StreamPosition { file_name: "别的.jsonl".into(), ..Default::default() };
    let stream =
        RecordStream::<Note>::builder(&paths).resume_at(position).start_with(paths, opener);
    assert!(matches!(stream.unwrap_err(), DatasetError::State { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn resuming_anywhere_equals_the_straight_run(
        sizes in prop::collection::vec(prop::collection::vec(0_usize..9, 0..5), 1..5),
        stop in 0_usize..80,
        threads in 0_usize..4,
    ) {
        let files = library(&sizes);
        let straight = all(&mut start(&files, options(Policy::Skip, threads), None));
        let mut first = start(&files, options(Policy::Skip, threads), None);
        let mut rows: Vec<_> = first.by_ref().take(stop).map(|row| row.unwrap()).collect();
        let position = serde_json::to_string(&first.position()).unwrap();
        let mut rest = start(
            &files,
            options(Policy::Skip, 3 - threads),
            Some(serde_json::from_str(&position).unwrap()),
        );
        prop_assert_eq!(rest.position(), first.position());
        rows.extend(all(&mut rest));
        prop_assert_eq!(rows, straight);
        let n_bad = first.report().rows_bad + rest.report().rows_bad;
        prop_assert_eq!(n_bad, start_and_count_bad(&files));
    }
}

#[test]
fn the_malformed_corpus_has_the_faults_it_lists() {
    let Some(file) = shared("corpus/wanjuan/malformed/part-000000.jsonl") else { return };
    let mut stream = RecordStream::<Note>::builder([file])
        .options(options(Policy::Skip, 2))
        .check_duplicate_ids(|note| Some(&note.id))
        .start()
        .unwrap();
    let good = stream.by_ref().map(|row| row.unwrap().0.row).collect::<BTreeSet<u64>>();
    let bad: Vec<_> = stream.report().first_examples.iter().map(|row| row.location.row).collect();
    // 23 and 25 are faults only of forms that look at pictures and at repeated keys.
    assert_eq!(bad, [3, 5, 7, 9, 11, 15, 17, 19, 21, 29, 31, 35]);
    assert_eq!(good.len(), 40 - 1 - bad.len(), "all but the blank line");
}

#[test]
fn a_truncated_gzip_gives_every_row_before_its_end() {
    let Some(file) = shared("corpus/wanjuan/malformed/truncated.jsonl.gz") else { return };
    let mut stream =
        RecordStream::<Note>::builder([file]).options(options(Policy::Skip, 2)).start().unwrap();
    assert!(all(&mut stream).len() > 1);
    assert_eq!(stream.report().by_kind.get(&FaultKind::Truncated), Some(&1));
}

#[test]
fn discovery_is_sorted_and_tells_what_it_leaves_out() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("b/part-1.jsonl", "{}\n");
    write("a/诗.jsonl.gz", "");
    write("b/part-0.jsonl", "{}\n");
    write("expected.json", "{\n \"lines\": 40\n}");
    write("array.json", "[{}]");
    write("lines.json", "{}\n{}\n");
    write("README.md", "# 说明");
    write(".hidden.jsonl", "{}\n");
    let found = Discovery::of([folder.path()]).unwrap();
    let short = |paths: Vec<&PathBuf>| -> Vec<String> {
        let below = paths.into_iter().map(|path| path.strip_prefix(folder.path()).unwrap());
        below.map(|path| path.display().to_string()).collect()
    };
    let files = ["a/诗.jsonl.gz", "array.json", "b/part-0.jsonl", "b/part-1.jsonl", "lines.json"];
    assert_eq!(short(found.files.iter().collect()), files);
    let skipped = found.skipped.iter().map(|(path, _)| path).collect();
    assert_eq!(short(skipped), [".hidden.jsonl", "README.md", "expected.json"]);

    let pattern = folder.path().join("b/*.jsonl");
    assert_eq!(discover([&pattern]).unwrap().len(), 2);
    let named = folder.path().join("expected.json");
    assert_eq!(discover([&named, &named]).unwrap(), [named]);
    assert!(discover([folder.path().join("没有")]).is_err());
    assert!(discover([folder.path().join("*.csv")]).is_err());
}

/// The most memory that this process ever had, in bytes, where the system tells.
fn peak_of_process() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10)
}

#[test]
fn two_gigabytes_stream_within_256_megabytes() {
    if std::env::var_os("PUYU_SLOW").is_none_or(|value| value != "1") {
        return;
    }
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("大.jsonl");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let (mut n_bytes, mut n_rows) = (0, 0_u64);
    while n_bytes < 2 << 30 {
        let row = line(&n_rows.to_string(), &POEM[n_rows as usize % 4].repeat(100)) + "\n";
        std::io::Write::write_all(&mut file, row.as_bytes()).unwrap();
        n_bytes += row.len() as u64;
        n_rows += 1;
    }
    drop(file);
    let begun = std::time::Instant::now();
    let mut stream = RecordStream::<Note>::builder([&path])
        .options(StreamOptions::default().with_threads(2))
        .start()
        .unwrap();
    assert_eq!(stream.by_ref().filter(|row| row.is_ok()).count() as u64, n_rows);
    let seconds = begun.elapsed().as_secs_f64();
    let peak = peak_of_process();
    println!(
        "{n_rows} rows, {:.0} MB/s; bytes in flight at most {}; process {peak:?}",
        n_bytes as f64 / 1e6 / seconds,
        stream.peak_bytes()
    );
    assert!(peak.is_none_or(|peak| peak < 256 << 20), "{peak:?}");
}
