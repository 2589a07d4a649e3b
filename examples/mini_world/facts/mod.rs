//! What is true in the mini-world: a closed set of facts, each told in both languages.
//!
//! A fact has many questions and one answer, so the model has one thing to learn about it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::Topic;
use super::text::{Language, capitalize, fill};

mod calendar;
pub(super) mod geography;
mod nature;
mod numbers;
mod single;
mod words;

/// A thing to know, in both languages.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    /// What it is about.
    pub(super) topic: Topic,
    english: Wording,
    chinese: Wording,
}

/// How a fact is asked and answered in one language.
#[derive(Debug, Clone)]
pub(super) struct Wording {
    /// Ways to ask, all of the same answer.
    pub(super) questions: Vec<String>,
    /// The answer, a full sentence.
    pub(super) answer: String,
    /// The thing asked about, for "and ...?", empty where such a question makes no sense.
    pub(super) subject: String,
}

impl Fact {
    /// The fact as it is told in `language`.
    pub(super) fn wording(&self, language: Language) -> &Wording {
        language.of(&self.english, &self.chinese)
    }
}

/// A family of facts that differ in a few words, such as all capitals.
///
/// Texts hold `{key}` where a word goes. Facts of a family can follow each other: "And of Japan?".
pub(super) struct Family {
    topic: Topic,
    /// The key of the thing asked about.
    subject: &'static str,
    english: (&'static [&'static str], &'static str),
    chinese: (&'static [&'static str], &'static str),
}

/// A word in both languages and the key that it replaces: `(key, english, chinese)`.
type Word<'a> = (&'a str, &'a str, &'a str);

impl Family {
    /// The fact of this family about the given words.
    fn fact(&self, words: &[Word<'_>]) -> Fact {
        let wording = |language: Language| {
            let (questions, answer) = language.of(self.english, self.chinese);
            let values: Vec<_> = words
                .iter()
                .map(|&(key, english, chinese)| (key, language.of(english, chinese)))
                .collect();
            // A Latin word that opens a Chinese sentence takes no capital.
            let write = |template: &str| match language {
                Language::English => capitalize(fill(template, &values)),
                Language::Chinese => fill(template, &values),
            };
            let subject = values.iter().find(|(key, _)| *key == self.subject);
            Wording {
                questions: questions.iter().map(|question| write(question)).collect(),
                answer: write(answer),
                subject: subject.map(|(_, value)| (*value).to_owned()).unwrap_or_default(),
            }
        };
        Fact {
            topic: self.topic,
            english: wording(Language::English),
            chinese: wording(Language::Chinese),
        }
    }
}

/// All facts by family.
static FAMILIES: LazyLock<Vec<Vec<Fact>>> = LazyLock::new(|| {
    [
        geography::families(),
        nature::families(),
        calendar::families(),
        numbers::families(),
        words::families(),
        single::families(),
    ]
    .concat()
});

static BY_TOPIC: LazyLock<BTreeMap<Topic, Vec<&'static Fact>>> = LazyLock::new(|| {
    let mut by_topic: BTreeMap<Topic, Vec<&'static Fact>> = BTreeMap::new();
    for fact in all() {
        by_topic.entry(fact.topic).or_default().push(fact);
    }
    by_topic
});

/// Families whose facts can follow each other.
static FOLLOWABLE: LazyLock<Vec<&'static [Fact]>> = LazyLock::new(|| {
    let can_follow = |family: &&[Fact]| {
        family.len() > 1 && family.iter().all(|fact| !fact.english.subject.is_empty())
    };
    FAMILIES.iter().map(Vec::as_slice).filter(can_follow).collect()
});

/// Every fact of the world.
pub(super) fn all() -> impl Iterator<Item = &'static Fact> {
    FAMILIES.iter().flatten()
}

/// The facts about a topic; none for topics that are computed rather than known.
pub(super) fn about(topic: Topic) -> &'static [&'static Fact] {
    BY_TOPIC.get(&topic).map_or(&[], Vec::as_slice)
}

/// Families in which "and of ...?" can be asked, each with two facts or more.
pub(super) fn followable() -> &'static [&'static [Fact]] {
    &FOLLOWABLE
}
