//! Speed of deduplication on one core, in bytes of text.
//!
//! `cargo bench -p puyu-dataset --bench dedup`. Compare with `roofs::xxh3`, the cost of reading the
//! text once, in the same run.
#![forbid(unsafe_code)]

use std::hint::black_box;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, Divan};
use puyu_dataset::dedup::minhash::Signer;
use puyu_dataset::dedup::{
    DecontaminateOptions, Decontaminator, ExactDedup, ExactOptions, MinHashOptions, Normalization,
    Sorter, SubstringDedup, SubstringOptions, fold,
};

/// Characters in a document, as in web text.
const DOCUMENT_CHARS: usize = 2000;

/// Text per language and round, in bytes.
const TEXT_BYTES: usize = 4 << 20;

const LANGUAGES: [&str; 2] = ["zh", "en"];

fn main() {
    Divan::from_args().main();
}

/// Documents out of a shared book, or out of pseudo-random words where there is none.
fn documents(language: &str) -> Vec<String> {
    let path = match language {
        "zh" => "corpus/text/zh/hongloumeng.txt",
        _ => "corpus/text/en/pride_and_prejudice.txt",
    };
    let book = puyu_testkit::shared(path).and_then(|path| std::fs::read_to_string(path).ok());
    let book = book.unwrap_or_else(|| synthetic(language));
    let characters: Vec<char> = book.chars().collect();
    let chunks = characters.chunks(DOCUMENT_CHARS).cycle();
    let mut bytes = 0;
    chunks
        .map(|chunk| chunk.iter().collect::<String>())
        .take_while(|document| {
            bytes += document.len();
            bytes <= TEXT_BYTES
        })
        .collect()
}

fn synthetic(language: &str) -> String {
    let mut state = 1_u64;
    let mut next = |n: u32| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u32 % n
    };
    (0..400_000)
        .filter_map(|_| match (language, next(6)) {
            ("zh", _) => char::from_u32(0x4e00 + next(3000)),
            (_, 0) => Some(' '),
            _ => char::from_u32(u32::from(b'a') + next(26)),
        })
        .collect()
}

fn bytes(documents: &[String]) -> BytesCount {
    BytesCount::new(documents.iter().map(String::len).sum::<usize>())
}

mod roofs {
    use super::*;

    #[divan::bench(args = LANGUAGES)]
    fn xxh3(bencher: Bencher<'_, '_>, language: &str) {
        let documents = documents(language);
        bencher.counter(bytes(&documents)).bench_local(|| {
            documents
                .iter()
                .map(|text| xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
                .fold(0, |sum, hash| sum ^ hash)
        });
    }

    #[divan::bench(args = LANGUAGES)]
    fn folding(bencher: Bencher<'_, '_>, language: &str) {
        let documents = documents(language);
        bencher.counter(bytes(&documents)).bench_local(|| {
            let mut sum = 0_u32;
            for text in &documents {
                fold::fold(text, |unit| sum = sum.wrapping_add(unit.code));
            }
            sum
        });
    }
}

#[divan::bench(args = LANGUAGES)]
fn signatures(bencher: Bencher<'_, '_>, language: &str) {
    let documents = documents(language);
    let mut signer = Signer::new(&MinHashOptions::default());
    bencher.counter(bytes(&documents)).bench_local(|| {
        for text in &documents {
            black_box(signer.sign(text));
        }
    });
}

#[divan::bench(args = [Normalization::None, Normalization::Folded])]
fn exact(bencher: Bencher<'_, '_>, normalization: Normalization) {
    let documents = documents("zh");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let options = ExactOptions { normalization, ..Default::default() };
    bencher.counter(bytes(&documents)).bench_local(|| {
        let mut dedup = ExactDedup::new(&options, folder.path()).expect("the options are valid");
        for text in &documents {
            dedup.push(text).expect("the folder can be written");
        }
        dedup.finish().expect("the folder can be read").report().dropped
    });
}

#[divan::bench(args = LANGUAGES, sample_count = 10)]
fn substring(bencher: Bencher<'_, '_>, language: &str) {
    let documents = documents(language);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    bencher.counter(bytes(&documents)).bench_local(|| {
        let options = SubstringOptions::default();
        let mut dedup =
            SubstringDedup::new(&options, folder.path()).expect("the options are valid");
        for text in &documents {
            dedup.push(text).expect("the folder can be written");
        }
        dedup.finish().expect("the folder can be read").count()
    });
}

#[divan::bench(args = LANGUAGES)]
fn decontaminate(bencher: Bencher<'_, '_>, language: &str) {
    let documents = documents(language);
    let items = documents.iter().take(200).enumerate().map(|(i, text)| {
        let item: String = text.chars().rev().take(60).collect();
        ("set".to_owned(), i.to_string(), item)
    });
    let index = Decontaminator::new(items, &DecontaminateOptions::default())
        .expect("the default options are valid");
    bencher
        .counter(bytes(&documents))
        .bench_local(|| documents.iter().map(|text| index.check(text).len()).sum::<usize>());
}

/// A million band entries within 4 MiB: eight runs on disk.
#[divan::bench(args = [4 << 20, 64 << 20], sample_count = 10)]
fn sort(bencher: Bencher<'_, '_>, memory_bytes: u64) {
    const RECORDS: u64 = 1 << 20;
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        let mut sorter = Sorter::new(folder.path(), memory_bytes).expect("the limit is valid");
        for i in 0..RECORDS {
            let hash = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            sorter.push([hash, i]).expect("the folder can be written");
        }
        sorter.finish().expect("the folder can be read").count()
    });
}
