use std::collections::HashMap;
use std::io::Read;
use std::time::Instant;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn extract(html: &str) -> String {
    HtmlOptions::default().extract(html).unwrap().markdown
}

/// Words of alphabets, characters of Chinese.
fn tokens(text: &str) -> HashMap<String, usize> {
    let mut all = HashMap::new();
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        let han = matches!(c, '\u{3400}'..='\u{9FFF}');
        if !c.is_alphanumeric() || han {
            if !word.is_empty() {
                *all.entry(std::mem::take(&mut word)).or_default() += 1;
            }
            if han {
                *all.entry(c.to_string()).or_default() += 1;
            }
        } else {
            word.extend(c.to_lowercase());
        }
    }
    all
}

fn token_f1(found: &str, truth: &str) -> f64 {
    let (found, truth) = (tokens(found), tokens(truth));
    let shared: usize = found.iter().map(|(t, n)| *n.min(truth.get(t).unwrap_or(&0))).sum();
    2.0 * shared as f64 / (found.values().sum::<usize>() + truth.values().sum::<usize>()) as f64
}

/// The annotators' marks, as the corpus README asks.
fn without_marks(html: &str) -> String {
    let marks = regex::Regex::new(r#" cc-select="[^"]*"| ?mark-selected"#).unwrap();
    marks.replace_all(html, "").into_owned()
}

#[test]
fn pages_marked_by_hand_are_met() {
    let Some(path) = puyu_testkit::shared("corpus/html/webmainbench_a.jsonl.gz") else { return };
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut means = [0.0; 3];
    let modes = [Extraction::Auto, Extraction::Article, Extraction::Body];
    let pages: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for page in &pages {
        let html = without_marks(page["html"].as_str().unwrap());
        let truth = page["groundtruth_content"].as_str().unwrap();
        for (mode, mean) in modes.into_iter().zip(&mut means) {
            let options = HtmlOptions { extraction: mode, ..HtmlOptions::default() };
            let start = Instant::now();
            let found = options.extract(&html).unwrap().markdown;
            let f1 = token_f1(&found, truth);
            println!("{mode:?} {f1:.4} {:?} {}", start.elapsed(), page["url"]);
            if std::env::var_os("PUYU_SHOW").is_some() {
                println!("{found}\n-----");
            }
            *mean += f1 / pages.len() as f64;
        }
    }
    println!("mean token F1 (auto, article, body): {means:.4?}");
    assert!(means[0] >= 0.89, "{means:?}");
}

#[test]
fn tables_code_and_formulas_are_kept() {
    let html = r#"<body><article><h1>向量 Vectors</h1>
        <p>The norm of a vector is <script type="math/tex">\sqrt{x_1^2 + x_2^2}</script>, always.</p>
        <p>因此 <math><mi>E</mi><annotation encoding="application/x-tex">E = mc^2 &lt; 1</annotation></math> 成立。</p>
        <table><tr><th>名称</th><th>value</th></tr><tr><td>甲</td><td>1</td></tr></table>
        <pre><code>let x_1 = a * b;
if x &lt; 2 { y }</code></pre></article></body>"#;
    let found = extract(html);
    for expected in [
        "# 向量 Vectors",
        r"$\sqrt{x_1^2 + x_2^2}$, always.",
        "$E = mc^2 < 1$ 成立",
        "| 名称 | value |",
        "| 甲 | 1 |",
        "let x_1 = a * b;\nif x < 2 { y }",
    ] {
        assert!(found.contains(expected), "{expected} not in:\n{found}");
    }
}

#[test]
fn navigation_scripts_and_hidden_parts_go() {
    let html = "<body><nav>首页 About</nav><div class='cookie-bar'>We use cookies</div>\
        <div><p>正文第一段，内容很充实，读来令人愉快，应当保留下来。</p>\
        <p>The second paragraph of the text, which is long enough, stays as well.</p></div>\
        <script>alert('<p>script</p>')</script><style>p{}</style><!-- <p>comment</p> -->\
        <footer>版权所有 Copyright</footer></body>";
    let found = extract(html);
    assert!(found.contains("正文第一段") && found.contains("second paragraph"), "{found}");
    for gone in ["首页", "cookies", "script", "comment", "Copyright", "p{}"] {
        assert!(!found.contains(gone), "{gone} in:\n{found}");
    }
}

#[test]
fn escapes_are_taken_back_outside_code() {
    let found = extract("<p>a_b * c [d] 1. e</p><p><code>x\\_y</code> 与 C:\\dir</p>");
    assert_eq!(found, "a_b * c [d] 1. e\n\n`x\\_y` 与 C:\\dir");
}

#[test]
fn a_page_beyond_the_limit_is_refused() {
    let options = HtmlOptions { max_bytes: 10, ..HtmlOptions::default() };
    let error = options.extract("<p>太长的页面</p>").unwrap_err();
    assert_eq!(error.to_string(), "a web page in bytes needs 22, the limit is 10");
}

/// On the two-megabyte stack of a thread, and in time that says linear.
#[track_caller]
fn check_hostile(name: &str, html: String) {
    let length = html.len();
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    let (found, elapsed) = thread
        .spawn(move || {
            let start = Instant::now();
            (extract(&html), start.elapsed())
        })
        .unwrap()
        .join()
        .unwrap();
    println!("{name}: {length} bytes in {elapsed:?}, {} out", found.len());
    // Quadratic work on a megabyte of tags takes minutes.
    assert!(elapsed.as_secs() < 30, "{name}: {elapsed:?}");
}

#[test]
fn hostile_pages_neither_overflow_nor_stall() {
    const MIB: usize = 1 << 20;
    check_hostile("div", "<div>".repeat(MIB / 5));
    check_hostile("closed div", "<div>".repeat(MIB / 11) + &"</div>".repeat(MIB / 11));
    check_hostile("text in b", "<b><p>x".repeat(MIB / 7));
    check_hostile("formatting", {
        let opens: String = FORMATTING_NAMES.iter().map(|name| format!("<{name} id=1>")).collect();
        opens + &"<p>字".repeat(MIB / 6)
    });
    check_hostile("attributes", {
        let attributes: String = (0..MIB / 8).map(|n| format!(" a{n:x}=1")).collect();
        format!("<p{attributes}>x</p>")
    });
    check_hostile("tables", "<table><tr><td>x".repeat(MIB / 16));
    check_hostile("lists", "<ul><li>一".repeat(MIB / 11));
    check_hostile("quotes", "<blockquote>一".repeat(MIB / 15));
    check_hostile("brackets", "<".repeat(MIB));
    check_hostile("open comments", "<!--".repeat(MIB / 4));
    check_hostile("unclosed scripts", "<script>".repeat(MIB / 8));
    check_hostile("unclosed svg", "<svg></x>".repeat(MIB / 9));
    check_hostile("open quotes", "<a href=\"".repeat(MIB / 9));
    check_hostile("paragraphs", "<p>一段话，一段话。</p>".repeat(MIB / 32));
    check_hostile("ends", "</p></div></b>".repeat(MIB / 14));
    check_hostile("entities", "&lt;&#x4e00;&bogus;".repeat(MIB / 19));
    check_hostile("selects", "<select><option>".repeat(MIB / 16));
    check_hostile("breaks", "<br>".repeat(MIB / 4));
    check_hostile("spans", "<span>字</span>".repeat(MIB / 16));
}

const FORMATTING_NAMES: [&str; 14] = [
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

proptest! {
    #[test]
    fn any_soup_of_tags_is_read(
        parts in prop::collection::vec(prop::sample::select(&[
            "<p>", "</p>", "<div class=x>", "</div>", "<b>", "</b>", "<a href='x\"y'>", "</a>", "一",
            "word ", "<table>", "<td>", "</table>", "<pre>", "</pre>", "<!--", "-->", "<", ">", "&lt;",
            "<script>", "</script>", "<math>", "</math>", "\u{F8F0}", "0\u{F8F1}", "<título", "<a é=1>",
            "<svg/>", "<ul><li>", "`", "\\", "\0", "<title>", "</title>", "=", "\"", "<h1>", "</h1>",
        ][..]), 0..60)
    ) {
        extract(&parts.concat());
    }

    #[test]
    fn text_survives_the_guard(text in "[a-z一二三 ]{1,40}", depth in 0_usize..400) {
        let html = "<div>".repeat(depth) + &text + &"</div>".repeat(depth);
        let options = HtmlOptions { extraction: Extraction::Body, ..HtmlOptions::default() };
        let found = options.extract(&html).unwrap().markdown;
        let words: Vec<&str> = text.split_whitespace().collect();
        prop_assert_eq!(found.split_whitespace().collect::<Vec<_>>(), words);
    }
}
