//! Exact questions for a trained model.

use std::collections::HashSet;

use puyu_core::Role;

use super::random::Rng;
use super::text::{ACTION_START, Language, Turn, render};
use super::{Shape, Split, TOPICS, Topic, converse, exchange};

/// A conversation that waits for the assistant, and what the assistant must say, exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What kind of question it is, for a table of scores by kind.
    pub group: Group,
    /// The conversation so far.
    pub turns: Vec<Turn>,
    /// The one right answer.
    pub answer: String,
}

/// A kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// What training tells again and again; other wordings than the asked one included.
    Known(Topic),
    /// Sums and comparisons of pairs of numbers that training never sees.
    Unseen(Topic),
    /// What the conversation itself holds.
    Conversation(Shape),
}

/// The seed of the questions. Any other would do; this one is fixed so that scores compare.
const SEED: u64 = 0x6865_6c64;

/// About two hundred questions, the same ones always, in both languages alike.
///
/// Facts may stand in training, for they cannot be guessed; the pairs of numbers of
/// [`Group::Unseen`] never do.
pub fn held_out() -> Vec<Question> {
    let mut questions = Vec::new();
    let mut asked = HashSet::new();
    let mut rng = Rng::new(SEED, 0);
    for (group, count) in groups() {
        for language in Language::ALL {
            let mut missing = count;
            while missing > 0 {
                let question = question(group, language, &mut rng);
                if asked.insert(render(&question.turns)) {
                    questions.push(question);
                    missing -= 1;
                }
            }
        }
    }
    questions
}

/// How many questions of each group are asked in each language.
fn groups() -> Vec<(Group, usize)> {
    let unseen = [(Topic::Addition, 12), (Topic::Subtraction, 12), (Topic::Comparison, 6)];
    let known = TOPICS.iter().map(|&(topic, _)| topic);
    let known = known.filter(|&topic| unseen.iter().all(|&(other, _)| other != topic));
    let shapes = [
        (Shape::Memory, 4),
        (Shape::FollowUp, 3),
        (Shape::RunningSum, 2),
        (Shape::LanguageRule, 3),
        (Shape::Persona, 2),
        (Shape::Tools, 4),
    ];
    known
        .map(|topic| (Group::Known(topic), 3))
        .chain(unseen.map(|(topic, count)| (Group::Unseen(topic), count)))
        .chain(shapes.map(|(shape, count)| (Group::Conversation(shape), count)))
        .collect()
}

fn question(group: Group, language: Language, rng: &mut Rng) -> Question {
    let plain = |topic, split, rng: &mut Rng| {
        let exchange = exchange(topic, split, language, rng);
        (vec![Turn::new(Role::User, exchange.question)], exchange.answer)
    };
    let (turns, answer) = match group {
        Group::Known(topic) => plain(topic, Split::Training, rng),
        Group::Unseen(topic) => plain(topic, Split::HeldOut, rng),
        Group::Conversation(Shape::Tools) => tool_turn(language, rng),
        Group::Conversation(Shape::Persona) => persona_turn(language, rng),
        Group::Conversation(shape) => {
            let mut turns = converse(shape, language, rng).turns;
            let last = turns.pop().expect("a conversation ends with the assistant");
            (turns, last.text)
        }
    };
    Question { group, turns, answer }
}

/// A persona and nothing else, so that the name is what is asked for.
fn persona_turn(language: Language, rng: &mut Rng) -> (Vec<Turn>, String) {
    loop {
        let mut conversation = converse(Shape::Persona, language, rng);
        if conversation.topics.is_empty()
            && let Some(last) = conversation.turns.pop()
        {
            return (conversation.turns, last.text);
        }
    }
}

/// A call to be made, or its result to be put in words, half and half.
fn tool_turn(language: Language, rng: &mut Rng) -> (Vec<Turn>, String) {
    let wanted = rng.below(2);
    loop {
        let mut turns = converse(Shape::Tools, language, rng).turns;
        let call = turns.iter().position(|turn| turn.text.contains(ACTION_START));
        // The call, its result, what the assistant makes of it.
        let Some(position) = call.map(|call| call + 2 * wanted) else { continue };
        turns.truncate(position + 1);
        if let Some(last) = turns.pop() {
            return (turns, last.text);
        }
    }
}

/// Questions that show what the model knows, with the answers it must give.
pub fn showcase() -> Vec<(&'static str, &'static str)> {
    vec![
        ("Who are you?", "I am Puyu, a small assistant that runs in pure Rust."),
        ("你是谁？", "我是浦语，一个用纯Rust运行的小助手。"),
        ("What is the capital of France?", "The capital of France is Paris."),
        ("日本的首都是哪里？", "日本的首都是东京。"),
        ("What do pandas eat?", "Pandas eat bamboo."),
        ("星期一之后是什么？", "星期一之后是星期二。"),
        ("What is 12 plus 7?", "12 + 7 = 19."),
        ("38加45等于多少？", "38 + 45 = 83。"),
        ("How do you say apple in Chinese?", "Apple in Chinese is 苹果."),
        ("月亮用英语怎么说？", "月亮的英语是moon。"),
        ("Who is the president of Mars?", "I do not know that yet."),
        ("热的反义词是什么？", "热的反义词是冷。"),
        (
            "Tell me a joke.",
            "Why did the crab learn Rust? Because it borrows things and always gives them back.",
        ),
    ]
}
