use std::path::Path;
use std::sync::Barrier;

use proptest::prelude::*;
use puyu_testkit::TempDir;

use super::*;
use crate::error::DatasetError;
use crate::row::Fingerprint;

fn fingerprint(text: &str) -> Fingerprint {
    Fingerprint(*blake3::hash(text.as_bytes()).as_bytes())
}

fn identity(source: &str) -> CacheIdentity {
    CacheIdentity {
        source: fingerprint(source),
        tokenizer: fingerprint("internlm2"),
        options: TokenizeOptions::default().fingerprint(),
    }
}

fn write(folder: &Path, vocab_size: u64, documents: &[Document]) -> TokenCache {
    let mut writer = CacheWriter::create(folder.join("cache"), identity("诗"), vocab_size).unwrap();
    for document in documents {
        writer.push_document(document).unwrap();
    }
    writer.finish().unwrap()
}

fn plain(ids: &[u32]) -> Document {
    Document { ids: ids.to_vec(), trained: None }
}

fn marked(pairs: &[(u32, bool)]) -> Document {
    let (ids, trained) = pairs.iter().copied().unzip();
    Document { ids, trained: Some(trained) }
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

// Caches

#[test]
fn a_cache_takes_two_bytes_per_id_up_to_65_536_tokens_and_four_above() {
    for (vocab_size, width) in
        [(1, TokenWidth::U16), (65_536, TokenWidth::U16), (65_537, TokenWidth::U32)]
    {
        let folder = TempDir::new().unwrap();
        let last = vocab_size as u32 - 1;
        let cache = write(folder.path(), vocab_size, &[plain(&[0, last])]);
        assert_eq!(cache.header().width, width);
        assert_eq!(cache.document(0), [0, last].as_slice());
        let size = std::fs::metadata(folder.path().join("cache/ids.tokens")).unwrap().len();
        assert_eq!(size, 2 * width.bytes());
    }
}

#[test]
fn an_empty_cache_and_empty_documents_are_read_back() {
    let folder = TempDir::new().unwrap();
    let cache = write(folder.path(), 10, &[]);
    assert_eq!((cache.n_documents(), cache.n_tokens()), (0, 0));
    cache.verify().unwrap();

    let folder = TempDir::new().unwrap();
    let cache = write(folder.path(), 10, &[plain(&[]), plain(&[9]), plain(&[])]);
    assert_eq!(cache.lengths().collect::<Vec<_>>(), [0, 1, 0]);
    assert!(cache.document(2).is_empty());
}

#[test]
fn marks_that_come_late_leave_earlier_documents_trained() {
    let folder = TempDir::new().unwrap();
    let documents = [plain(&[1; 70_001]), marked(&[(5, false), (6, true)]), plain(&[7])];
    let cache = write(folder.path(), 10, &documents);
    cache.verify().unwrap();
    let read = |index| cache.marked_document(index).trained.unwrap();
    assert!(read(0).iter().all(|&trained| trained));
    assert_eq!((read(1), read(2)), (vec![false, true], vec![true]));
}

#[test]
fn ids_and_marks_that_do_not_fit_are_refused() {
    let folder = TempDir::new().unwrap();
    let mut writer = CacheWriter::create(folder.path().join("c"), identity(""), 100).unwrap();
    let error = writer.push(&[1, 100]).unwrap_err().to_string();
    assert_eq!(error, "option `vocab_size`: expected more than every id, 101 or more, found 100");
    let document = Document { ids: vec![1, 2], trained: Some(vec![true]) };
    let error = writer.push_document(&document).unwrap_err().to_string();
    assert_eq!(error, "option `trained`: expected 2 marks, one for each token, found 1");
    drop(writer);
    assert_eq!(entries(folder.path()), [] as [&str; 0], "a dropped writer cleans up");
    assert!(CacheWriter::create(folder.path().join("c"), identity(""), 0).is_err());
}

#[test]
fn the_key_and_the_content_decide_the_fingerprints() {
    assert_ne!(identity("诗").key(), identity("poem").key());
    let options = TokenizeOptions { add_eos: false, ..TokenizeOptions::default() };
    let other = CacheIdentity { options: options.fingerprint(), ..identity("诗") };
    assert_ne!(identity("诗").key(), other.key());
    let of = |documents: &[Document]| {
        let folder = TempDir::new().unwrap();
        write(folder.path(), 10, documents).fingerprint()
    };
    assert_eq!(of(&[plain(&[1, 2])]), of(&[plain(&[1, 2])]));
    assert_ne!(of(&[plain(&[1, 2])]), of(&[plain(&[1]), plain(&[2])]));
    assert_ne!(of(&[plain(&[1])]), of(&[marked(&[(1, false)])]));
}

/// Opens and verifies; the first complaint of either.
fn complaint(cache: &Path) -> String {
    match TokenCache::open(cache).and_then(|cache| cache.verify()) {
        Ok(()) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn check_damage(file: &str, damage: impl Fn(&mut Vec<u8>), expected: &str) {
    let folder = TempDir::new().unwrap();
    write(folder.path(), 10, &[plain(&[1, 2]), marked(&[(3, true), (4, false)])]);
    let path = folder.path().join("cache").join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    damage(&mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let complaint = complaint(&folder.path().join("cache"));
    assert!(complaint.contains(expected), "{complaint:?} should contain {expected:?}");
    assert!(complaint.contains(file), "{complaint:?} should name {file}");
}

#[test]
fn damage_is_found_and_named() {
    check_damage("ids.tokens", |bytes| bytes.truncate(7), "expected 8, found 7");
    check_damage("ids.tokens", |bytes| bytes[0] ^= 1, "blake3 hash");
    check_damage("documents.offsets", |bytes| bytes.push(0), "expected 24, found 25");
    check_damage("documents.offsets", |bytes| bytes[8] = 9, "order: expected at least 9, found 4");
    check_damage("documents.offsets", |bytes| bytes[16] = 9, "first and last offset");
    check_damage("documents.offsets", |bytes| bytes[8] = 3, "blake3 hash");
    check_damage("trained.bits", |bytes| bytes[0] ^= 4, "blake3 hash");
    check_damage("header.json", Vec::clear, "the header of a token cache");
    check_damage("header.json", |bytes| bytes.resize(1 << 17, b' '), "at most 65536 bytes");
    let version = |bytes: &mut Vec<u8>| {
        *bytes = String::from_utf8_lossy(bytes).replace("\"version\": 1", "\"version\": 7").into();
    };
    check_damage("header.json", version, "version 7 of the token cache");
}

fn documents(vocab_size: u32) -> impl Strategy<Value = Vec<Document>> {
    let ids = prop::collection::vec((0..vocab_size, any::<bool>()), 0..20);
    let document = (ids, any::<bool>()).prop_map(|(pairs, with_marks)| {
        let document = marked(&pairs);
        if with_marks { document } else { plain(&document.ids) }
    });
    prop::collection::vec(document, 0..20)
}

proptest! {
    // Each case waits for the disk several times.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(
        documents in prop_oneof![documents(92_544), documents(300)],
    ) {
        let folder = TempDir::new().unwrap();
        let any_marks = documents.iter().any(|document| document.trained.is_some());
        let cache = write(folder.path(), 92_544, &documents);
        cache.verify().unwrap();
        prop_assert_eq!(cache.n_documents(), documents.len() as u64);
        for (index, document) in documents.iter().enumerate() {
            let read = cache.marked_document(index as u64);
            prop_assert_eq!(&read.ids, &document.ids);
            let all = any_marks.then(|| vec![true; document.ids.len()]);
            prop_assert_eq!(&read.trained, &document.trained.clone().or(all));
        }
        let all: Vec<Vec<u32>> = cache.documents().map(|ids| ids.into_owned()).collect();
        prop_assert!(all.iter().eq(documents.iter().map(|document| &document.ids)));
    }

    #[test]
    fn a_changed_byte_is_an_error_or_changes_nothing(
        file in 0_usize..4,
        place in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let folder = TempDir::new().unwrap();
        let before = write(folder.path(), 92_544, &[plain(&[1, 2, 3]), marked(&[(3, false)])]);
        let header = before.header().clone();
        let names = ["header.json", "ids.tokens", "documents.offsets", "trained.bits"];
        let path = folder.path().join("cache").join(names[file]);
        let mut bytes = std::fs::read(&path).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        std::fs::write(&path, bytes).unwrap();
        if let Ok(cache) = TokenCache::open(before.folder()) {
            cache.documents().for_each(drop);
            if cache.verify().is_ok() {
                // White space of the header, or a number in it that no hash covers.
                prop_assert_eq!(file, 0);
                prop_assert_eq!(cache.header().tokens_hash, header.tokens_hash);
            }
        }
    }
}

// Jobs

const STALE_S: u64 = 100;

fn worker(owner: &str, now_s: u64) -> Worker {
    Worker { owner: owner.to_owned(), now_s, stale_after_s: STALE_S }
}

fn job(folder: &TempDir, sources: &[&str]) -> Job {
    let shards = sources
        .iter()
        .map(|&source| JobShard { source: source.to_owned(), identity: identity(source) })
        .collect();
    Job::create(folder.path(), shards).unwrap()
}

#[track_caller]
fn mine(claimed: Claimed) -> Claim {
    match claimed {
        Claimed::Mine(claim) => claim,
        other => panic!("the shard should be free, not {other:?}"),
    }
}

fn begin(claim: &Claim) -> CacheWriter {
    let mut writer = claim.writer(10).unwrap();
    writer.push(&[1, 2, 3]).unwrap();
    writer
}

#[track_caller]
fn check_finished(folder: &TempDir, job: &Job) {
    assert_eq!(job.status(0, STALE_S).unwrap(), JobStatus { done: 1, claimed: 0, open: 0 });
    let cache = job.caches().unwrap().remove(0);
    cache.verify().unwrap();
    assert_eq!(cache.document(0), [1, 2, 3].as_slice());
    job.sweep().unwrap();
    let key = job.shards()[0].key().to_string();
    let mut expected = vec![key, "job.json".to_owned()];
    expected.sort();
    let found: Vec<_> = entries(folder.path());
    assert_eq!(found, expected);
}

#[test]
fn a_shard_belongs_to_one_worker_until_the_claim_is_old() {
    let folder = TempDir::new().unwrap();
    let job = job(&folder, &["诗.jsonl"]);
    let mut first = mine(job.claim(0, &worker("甲", 1000)).unwrap());
    let held = job.claim(0, &worker("乙", 1099)).unwrap();
    assert!(matches!(held, Claimed::Held { owner, at_s: 1000 } if owner == "甲"));
    assert_eq!(job.status(1099, STALE_S).unwrap().claimed, 1);
    assert_eq!(job.status(1100, STALE_S).unwrap().open, 1);

    first.renew(1090).unwrap();
    assert!(matches!(job.claim(0, &worker("乙", 1189)).unwrap(), Claimed::Held { .. }));
    let second = mine(job.claim(0, &worker("乙", 1190)).unwrap());
    let error = first.renew(1195).unwrap_err().to_string();
    assert!(error.contains("expected 甲, found 乙, who took the shard over"), "{error}");

    second.release().unwrap();
    let third = mine(job.claim(0, &worker("丙", 1191)).unwrap());
    let writer = begin(&third);
    third.commit(writer).unwrap();
    assert!(matches!(job.claim(0, &worker("丁", 9999)).unwrap(), Claimed::Done));
    check_finished(&folder, &job);
}

#[test]
fn a_claim_from_the_future_is_not_old() {
    let folder = TempDir::new().unwrap();
    let job = job(&folder, &["诗.jsonl"]);
    let _claim = mine(job.claim(0, &worker("fast clock", 2000)).unwrap());
    assert!(matches!(job.claim(0, &worker("slow clock", 0)).unwrap(), Claimed::Held { .. }));
}

/// A worker that is killed after `steps` steps leaves the job as somebody else can finish it.
#[track_caller]
fn check_kill(steps: usize) {
    let folder = TempDir::new().unwrap();
    let job = job(&folder, &["诗.jsonl"]);
    let claim = mine(job.claim(0, &worker("甲", 0)).unwrap());
    // Forgetting instead of dropping: a killed process runs no destructor and flushes no buffer.
    match steps {
        0 => {}
        1 => std::mem::forget(claim.writer(10).unwrap()),
        2 => std::mem::forget(begin(&claim)),
        3 => std::mem::forget(begin(&claim).seal().unwrap()),
        _ => std::mem::forget(begin(&claim).seal().unwrap().commit().unwrap()),
    }
    let job = Job::open(folder.path()).unwrap();
    if steps < 4 {
        assert!(job.caches().is_err(), "step {steps}: nothing is visible before it is whole");
        let claim = mine(job.claim(0, &worker("乙", STALE_S)).unwrap());
        let writer = begin(&claim);
        claim.commit(writer).unwrap();
        check_finished(&folder, &job);
    } else {
        assert!(matches!(job.claim(0, &worker("乙", 1)).unwrap(), Claimed::Done));
        job.caches().unwrap().remove(0).verify().unwrap();
    }
}

#[test]
fn a_kill_at_any_step_leaves_a_job_that_can_be_finished() {
    (0..5).for_each(check_kill);
}

#[test]
fn of_two_workers_that_commit_the_same_shard_one_result_stays() {
    let folder = TempDir::new().unwrap();
    let job = job(&folder, &["诗.jsonl"]);
    let slow = mine(job.claim(0, &worker("甲", 0)).unwrap());
    let slow_writer = begin(&slow);
    let fast = mine(job.claim(0, &worker("乙", STALE_S)).unwrap());
    let fast_writer = begin(&fast);
    let winner = fast.commit(fast_writer).unwrap();
    let loser = slow.commit(slow_writer).unwrap();
    assert_eq!(winner.fingerprint(), loser.fingerprint());
    check_finished(&folder, &job);
}

#[test]
fn a_worker_whose_folder_was_swept_finds_the_result_of_the_other() {
    let folder = TempDir::new().unwrap();
    let job = job(&folder, &["诗.jsonl"]);
    let slow = mine(job.claim(0, &worker("甲", 0)).unwrap());
    let slow_writer = begin(&slow);
    let fast = mine(job.claim(0, &worker("乙", STALE_S)).unwrap());
    let writer = begin(&fast);
    fast.commit(writer).unwrap();
    assert_eq!(job.sweep().unwrap(), 1);
    slow.commit(slow_writer).unwrap().verify().unwrap();
    check_finished(&folder, &job);
}

#[test]
fn of_many_threads_that_ask_at_once_one_gets_the_shard() {
    const THREADS: usize = 8;
    let folder = TempDir::new().unwrap();
    let job = job(&folder, &["诗.jsonl"]);
    // First all race for the free shard, then, round by round, for the claim that grew old.
    for round in 0..20 {
        let barrier = Barrier::new(THREADS);
        let ask = |thread: usize| {
            barrier.wait();
            let worker = worker(&format!("线程 {thread}"), round * STALE_S);
            matches!(job.claim(0, &worker).unwrap(), Claimed::Mine(_))
        };
        let ask = &ask;
        let granted: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..THREADS).map(|thread| scope.spawn(move || ask(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(granted.iter().filter(|&&granted| granted).count(), 1, "round {round}");
    }
}

#[test]
fn many_workers_finish_a_job_together() {
    let folder = TempDir::new().unwrap();
    let names: Vec<String> = (0..40).map(|shard| format!("分片-{shard}.jsonl")).collect();
    let job = job(&folder, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let work = |thread: u32| {
        let worker = worker(&format!("task {thread}"), 0);
        while let Some(claim) = job.claim_next(&worker).unwrap() {
            let writer = begin(&claim);
            claim.commit(writer).unwrap();
        }
    };
    let work = &work;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || work(thread));
        }
    });
    // A worker ends when all that is left is held by others, who finish it.
    assert_eq!(job.status(0, STALE_S).unwrap(), JobStatus { done: 40, claimed: 0, open: 0 });
    assert_eq!(job.caches().unwrap().len(), 40);
    assert_eq!(entries(folder.path()).len(), 41, "no claim and no part stays behind");
}

#[test]
fn a_job_can_be_made_twice_but_not_changed() {
    let folder = TempDir::new().unwrap();
    job(&folder, &["诗", "poem"]);
    let again = job(&folder, &["诗", "poem"]);
    assert_eq!(again.shards(), Job::open(folder.path()).unwrap().shards());
    let error = Job::create(folder.path(), Vec::new()).unwrap_err();
    assert!(matches!(error, DatasetError::State { .. }), "{error}");
}

#[test]
fn a_claim_that_cannot_be_read_is_an_error() {
    let folder = TempDir::new().unwrap();
    let job = job(&folder, &["诗"]);
    let path = folder.path().join(format!("{}.claim.0", job.shards()[0].key()));
    std::fs::write(path, "not a claim").unwrap();
    let error = job.claim(0, &worker("甲", 0)).unwrap_err();
    assert!(matches!(error, DatasetError::Damaged { .. }), "{error}");
}

// Tokenising

/// The lines of the corpus in both languages.
fn corpus() -> Option<Vec<String>> {
    let folder = puyu_testkit::shared("corpus/text")?;
    let mut texts = Vec::new();
    for language in ["zh", "en"] {
        for name in entries(&folder.join(language)) {
            let path = folder.join(language).join(name);
            let bytes = std::fs::read(path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            texts.extend(text.lines().take(300).map(str::to_owned));
        }
    }
    Some(texts)
}

#[test]
fn tokens_of_the_corpus_are_those_of_the_tokenizer_whatever_the_batches() {
    let Some(model) = puyu_testkit::shared("fixtures/tokenizers/internlm2") else { return };
    let Some(texts) = corpus() else { return };
    let tokenizer = puyu_text::Tokenizer::open(&model).unwrap();
    let vocab_size = tokenizer.vocab_size() as u64;
    for batch_bytes in [1, 10_000, 8 << 20] {
        let folder = TempDir::new().unwrap();
        let options = TokenizeOptions { batch_bytes, ..TokenizeOptions::default() };
        let mut writer =
            CacheWriter::create(folder.path().join("c"), identity("诗"), vocab_size).unwrap();
        let rows = texts.iter().map(Ok);
        let report = tokenize(rows, &tokenizer, &options, &mut writer).unwrap();
        let cache = TokenCache::open(writer.finish().unwrap().folder()).unwrap();
        cache.verify().unwrap();
        assert_eq!(report.documents, texts.len() as u64);
        assert_eq!(report.tokens, cache.n_tokens());
        assert_eq!(report.text_bytes, texts.iter().map(|text| text.len() as u64).sum::<u64>());
        for (text, ids) in texts.iter().zip(cache.documents()) {
            let expected = tokenizer.encode_as_text(text).unwrap();
            assert_eq!(ids[0], tokenizer.bos_id().unwrap());
            assert_eq!(ids[1..ids.len() - 1], expected);
            assert_eq!(ids[ids.len() - 1], tokenizer.eos_id().unwrap());
        }
    }
}

#[test]
fn special_tokens_in_a_text_are_text_unless_asked_for() {
    let Some(model) = puyu_testkit::shared("fixtures/tokenizers/internlm2") else { return };
    let tokenizer = puyu_text::Tokenizer::open(&model).unwrap();
    for (special, n_expected) in [(SpecialInText::AsText, 0), (SpecialInText::Parse, 2)] {
        let folder = TempDir::new().unwrap();
        let options = TokenizeOptions {
            special,
            add_bos: false,
            add_eos: false,
            ..TokenizeOptions::default()
        };
        let mut writer =
            CacheWriter::create(folder.path().join("c"), identity("诗"), 92_544).unwrap();
        let texts = ["结束<|im_end|>", "the end<|im_end|>"];
        tokenize(texts.into_iter().map(Ok), &tokenizer, &options, &mut writer).unwrap();
        let cache = writer.finish().unwrap();
        let n_found = cache.tokens(0..cache.n_tokens()).iter().filter(|&&id| id == 92_542).count();
        assert_eq!(n_found, n_expected, "{special:?}");
    }
}

#[test]
fn the_first_bad_row_ends_the_work() {
    let Some(model) = puyu_testkit::shared("fixtures/tokenizers/internlm2") else { return };
    let tokenizer = puyu_text::Tokenizer::open(&model).unwrap();
    let folder = TempDir::new().unwrap();
    let mut writer = CacheWriter::create(folder.path().join("c"), identity(""), 92_544).unwrap();
    let limit = |needed| DatasetError::Limit { what: "行".to_owned(), needed, limit: 0 };
    let texts = [Ok("好"), Err(limit(1)), Err(limit(2))];
    let options = TokenizeOptions { batch_bytes: 1, ..TokenizeOptions::default() };
    let error = tokenize(texts.into_iter(), &tokenizer, &options, &mut writer).unwrap_err();
    assert_eq!(error.to_string(), "行 needs 1, the limit is 0");
}

#[test]
fn a_tokenizer_is_known_by_its_files() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("tokenizer.model", "甲");
    let first = tokenizer_fingerprint(folder.path()).unwrap();
    write("README.md", "not part of it");
    assert_eq!(tokenizer_fingerprint(folder.path()).unwrap(), first);
    write("added_tokens.json", "{}");
    assert_ne!(tokenizer_fingerprint(folder.path()).unwrap(), first);
    assert!(tokenizer_fingerprint(folder.path().join("没有")).is_err());
}
