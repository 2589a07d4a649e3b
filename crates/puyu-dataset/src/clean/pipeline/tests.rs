use super::*;
use crate::clean::{Classifier, Scope};

fn english(n: usize) -> String {
    let verbs = ["reads", "writes", "keeps", "finds", "likes", "sells", "shows", "moves"];
    let things = ["letters", "boats", "gardens", "clocks", "maps", "songs", "stones", "lamps"];
    (0..12)
        .map(|line| {
            let (verb, thing) = (verbs[(n + line) % 8], things[(n * 3 + line * 5) % 8]);
            format!(
                "In year {n}{line} the {line}th teacher {verb} {thing} of town {n} with care.\n"
            )
        })
        .collect()
}

fn documents() -> Vec<CleanDocument> {
    let mut all: Vec<_> =
        (0..1500).map(|n| CleanDocument::new(n.to_string(), english(n))).collect();
    all[3].content = "太短。".to_owned();
    all[7].content.push_str("Write to wei@example.cn for the rest of the story.\n");
    all[9].content = "Быстрая лиса прыгает через ленивую собаку. ".repeat(9);
    all
}

/// The usual steps, without the rules on repetition: these documents are little else.
fn usual() -> PipelineOptions {
    let mut options = PipelineOptions::default();
    let rules = RuleOptions { repetition: None, ..RuleOptions::default() };
    options.steps[1] = StepOptions::Rules(Box::new(rules));
    options
}

fn run(options: &PipelineOptions) -> (Vec<CleanDocument>, Retention) {
    let mut kept = Vec::new();
    let retention = Pipeline::new(options)
        .unwrap()
        .run(documents(), |document| {
            kept.push(document);
            Ok(())
        })
        .unwrap();
    (kept, retention)
}

#[test]
fn documents_keep_their_order_and_every_loss_has_a_rule() {
    let (kept, retention) = run(&usual());
    let ids: Vec<usize> = kept.iter().map(|one| one.id.parse().unwrap()).collect();
    assert!(ids.is_sorted());
    for step in &retention.steps {
        let dropped: u64 = step.dropped.values().sum();
        assert_eq!(step.documents_in, step.documents_out + dropped, "{step:?}");
    }
    assert_eq!(retention.steps[0].dropped["language.rus"], 1);
    assert_eq!(retention.steps[1].dropped["gopher.min_words"], 1);
    assert_eq!(kept.len(), 1498, "{}", retention.table());
    assert!(kept.iter().any(|one| one.content.contains("[EMAIL]")));
}

#[test]
fn the_result_does_not_depend_on_threads() {
    let mut options = usual();
    options
        .steps
        .push(StepOptions::Lines(LineOptions { scope: Scope::Corpus, ..Default::default() }));
    let many = run(&options);
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| run(&options)), many);
}

#[test]
fn own_steps_and_classifiers_join() {
    struct Length;
    impl Classifier for Length {
        fn name(&self) -> &str {
            "length"
        }
        fn score(
            &self,
            texts: &[&str],
        ) -> Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>> {
            Ok(texts.iter().map(|text| text.chars().count() as f32).collect())
        }
    }
    let mut pipeline = Pipeline::new(&PipelineOptions { steps: vec![] })
        .unwrap()
        .with_step(ClassifierStep::new(Length, ClassifierBounds { min: 2.0, max: 4.0 }))
        .with_step(("even", |document: CleanDocument| {
            let even = document.id.parse::<u32>().is_ok_and(|id| id % 2 == 0);
            Ok(if even { Outcome::Keep(document) } else { Outcome::drop("odd") })
        }));
    let texts = ["一", "two", "三三", "fives", "五五五"];
    let documents =
        texts.iter().zip(0..).map(|(text, n)| CleanDocument::new(format!("{n}"), *text));
    let mut kept = Vec::new();
    let retention = pipeline
        .run(documents, |document| {
            kept.push((document.id, document.scores));
            Ok(())
        })
        .unwrap();
    let score = |score| vec![("length".to_owned(), score)];
    assert_eq!(kept, [("2".to_owned(), score(2.0)), ("4".to_owned(), score(3.0))]);
    let dropped: Vec<_> = retention.steps[0].dropped.iter().collect();
    assert_eq!(dropped, [(&"length.max".to_owned(), &1), (&"length.min".to_owned(), &1)]);
}

#[test]
fn a_failing_classifier_stops_the_run_with_its_name() {
    struct Broken;
    impl Classifier for Broken {
        fn name(&self) -> &str {
            "毒性"
        }
        fn score(&self, _: &[&str]) -> Result<Vec<f32>, Box<dyn std::error::Error + Send + Sync>> {
            Ok(vec![])
        }
    }
    let mut pipeline = Pipeline::new(&PipelineOptions { steps: vec![] })
        .unwrap()
        .with_step(ClassifierStep::new(Broken, ClassifierBounds::default()));
    let error = pipeline.run([CleanDocument::new("1", "文")], |_| Ok(())).unwrap_err();
    assert_eq!(error.to_string(), "classifier `毒性` gave no scores");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "0 scores for 1 texts");
}

#[test]
fn options_come_from_json_and_unknown_ones_are_refused() {
    let text = r#"{"steps": [{"step": "html", "max_bytes": 1000}, {"step": "rules", "c4": null},
        {"step": "keywords", "list": {"words": ["博彩"]}}]}"#;
    let options: PipelineOptions = serde_json::from_str(text).unwrap();
    assert_eq!(options.steps.len(), 3);
    let again = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<PipelineOptions>(&again).unwrap(), options);
    let wrong = r#"{"steps": [{"step": "pii", "redakt": 1}]}"#;
    assert!(serde_json::from_str::<PipelineOptions>(wrong).is_err());
}

#[test]
fn web_pages_become_clean_chinese_text() {
    let paragraphs: String = (0..12)
        .map(|n| format!("<p>第{n}段讲的是江南的第{n}座桥，桥下的河水在春天里慢慢地流过村庄。</p>"))
        .collect();
    let html = format!(
        "<html><head><title>江南的桥</title></head><body><nav><a href=/>首页</a></nav>\
         <article><h1>江南的桥</h1>{paragraphs}</article><script>var x = 1;</script></body></html>"
    );
    let options = PipelineOptions {
        steps: vec![
            StepOptions::Html(HtmlOptions::default()),
            StepOptions::Language(LanguageFilter::default()),
        ],
    };
    let mut kept = Vec::new();
    Pipeline::new(&options)
        .unwrap()
        .run([CleanDocument::new("1", html)], |document| {
            kept.push(document);
            Ok(())
        })
        .unwrap();
    assert_eq!(kept[0].title.as_deref(), Some("江南的桥"));
    assert!(kept[0].content.contains("第11段讲的是") && !kept[0].content.contains("首页"));
}

#[test]
fn retention_of_workers_adds_up_and_is_drawn() {
    let (_, mut retention) = run(&usual());
    let single = retention.clone();
    retention.merge(&single);
    assert_eq!(retention.steps[1].documents_in, 2 * single.steps[1].documents_in);
    let table = retention.table().to_string();
    assert!(table.contains("language.rus") && table.contains("gopher.min_words"), "{table}");
    assert!(retention.svg("保留率").contains("保留率"));
}
