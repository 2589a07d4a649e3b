//! Speed of the cleaning steps on Chinese and English prose, in bytes per second on one core.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a bench has no public items")]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use puyu_dataset::clean::{
    HtmlOptions, LineDeduper, LineOptions, PiiOptions, RuleOptions, detect_language,
};

fn main() {
    divan::main();
}

/// Documents of about 6 kB, from the shared corpus if it is there, else from a short passage.
fn documents(language: &str) -> Vec<String> {
    let (path, passage) = match language {
        "zh" => {
            ("corpus/text/zh/hongloumeng.txt", "却说黛玉见了，不觉心中一动，回头看时，人已去远。\n")
        }
        _ => (
            "corpus/text/en/wikipedia_demo.txt",
            "The river runs to the sea, and the town is old.\n",
        ),
    };
    let text = puyu_testkit::shared(path).and_then(|path| std::fs::read_to_string(path).ok());
    let text = text.unwrap_or_else(|| passage.repeat(4000));
    let chars: Vec<char> = text.chars().take(500_000).collect();
    let length = if language == "zh" { 2000 } else { 6000 };
    chars.chunks(length).map(|chunk| chunk.iter().collect()).collect()
}

fn bytes(documents: &[String]) -> BytesCount {
    BytesCount::new(documents.iter().map(String::len).sum::<usize>())
}

#[divan::bench(args = ["zh", "en"])]
fn rules(bencher: Bencher<'_, '_>, language: &str) {
    let documents = documents(language);
    let rules = RuleOptions::default();
    let mut analyzer = rules.analyzer();
    bencher.counter(bytes(&documents)).bench_local(|| {
        for document in &documents {
            black_box(rules.judge(&analyzer.analyze(document)));
        }
    });
}

#[divan::bench(args = ["zh", "en"])]
fn language(bencher: Bencher<'_, '_>, language: &str) {
    let documents = documents(language);
    bencher.counter(bytes(&documents)).bench_local(|| {
        for document in &documents {
            black_box(detect_language(document));
        }
    });
}

#[divan::bench(args = ["zh", "en"])]
fn pii(bencher: Bencher<'_, '_>, language: &str) {
    let documents = documents(language);
    let options = PiiOptions::default();
    bencher.counter(bytes(&documents)).bench_local(|| {
        for document in &documents {
            black_box(options.find(document));
        }
    });
}

#[divan::bench(args = ["zh", "en"])]
fn lines(bencher: Bencher<'_, '_>, language: &str) {
    let documents = documents(language);
    let mut deduper = LineDeduper::new(LineOptions::default());
    bencher.counter(bytes(&documents)).bench_local(|| {
        for document in &documents {
            black_box(deduper.push(document));
        }
    });
}

#[divan::bench(args = ["zh", "en"])]
fn html(bencher: Bencher<'_, '_>, language: &str) {
    let page = |text: &String| {
        let paragraphs: String = text.lines().map(|line| format!("<p>{line}</p>\n")).collect();
        format!(
            "<html><body><nav><a href=/>home</a></nav><article>{paragraphs}</article></body></html>"
        )
    };
    let pages: Vec<String> = documents(language).iter().take(20).map(page).collect();
    let options = HtmlOptions::default();
    bencher.counter(bytes(&pages)).bench_local(|| {
        for page in &pages {
            black_box(options.extract(page).expect("the page is small"));
        }
    });
}
