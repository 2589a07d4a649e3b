//! Facts that stand alone: general knowledge, greetings, who Puyu is, small talk.
//!
//! They live in text files: blocks apart by an empty line, one mark and one sentence a line:
//! `en?` and `zh?` ask, `en=` and `zh=` answer.

use super::{Fact, Wording};
use crate::mini_world::Topic;

const FILES: [(Topic, &str); 4] = [
    (Topic::General, include_str!("../data/general.txt")),
    (Topic::Greeting, include_str!("../data/greetings.txt")),
    (Topic::Identity, include_str!("../data/identity.txt")),
    (Topic::SmallTalk, include_str!("../data/small_talk.txt")),
];

/// One family a file; none of them asks a follow-up.
pub(super) fn families() -> Vec<Vec<Fact>> {
    let family = |(topic, text): (Topic, &str)| -> Vec<Fact> {
        text.split("\n\n").map(|block| fact(topic, block)).collect()
    };
    FILES.map(family).to_vec()
}

fn fact(topic: Topic, block: &str) -> Fact {
    let lines = |mark: &str| -> Vec<String> {
        let rest = |line: &str| Some(line.strip_prefix(mark)?.strip_prefix(' ')?.to_owned());
        block.lines().filter_map(rest).collect()
    };
    let wording = |ask: &str, answer: &str| Wording {
        questions: lines(ask),
        answer: lines(answer).concat(),
        subject: String::new(),
    };
    Fact { topic, english: wording("en?", "en="), chinese: wording("zh?", "zh=") }
}
