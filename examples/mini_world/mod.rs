//! A bilingual mini-world: conversations without end about a small, closed, true world.
//!
//! A model of a few million parameters cannot learn the web, but it can learn a small world well.
//! This one holds greetings, some hundreds of facts about countries, animals, words and numbers,
//! arithmetic up to a hundred, memory within a conversation, obedience to a system message, and
//! tool calls in InternLM2.5's protocol, in English and Chinese alike. It is made of code and a
//! few tables, so the chat example can train and ship a model without any download.
//!
//! [`conversation`] is a pure function of two numbers: workers share the stream by taking indices,
//! and a run resumes at any of them. Some pairs of numbers never occur in it: [`held_out`] asks
//! about those, and so tells arithmetic from memory.

mod arithmetic;
mod error;
mod evaluation;
mod facts;
mod memory;
mod merges;
mod random;
mod system;
mod text;
mod tokenizer;
mod tools;
mod unknown;

#[cfg(test)]
mod tests;

use puyu_core::Role;

pub use error::WorldError;
pub use evaluation::{Group, Question, held_out, showcase};
pub use text::{
    ACTION_END, ACTION_START, BEGIN_OF_TEXT, INTERPRETER, Language, PLUGIN, Segment, TURN_END,
    TURN_START, Turn, render, render_prompt, segments,
};
pub use tokenizer::{CHAT_TEMPLATE, SPECIAL_TOKENS, train_tokenizer, write_tokenizer};

use random::Rng;
use text::{casual, polite};

/// A conversation, ready to be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// How it goes.
    pub shape: Shape,
    /// What it is about, one topic for each plain exchange in it.
    pub topics: Vec<Topic>,
    /// The messages, in order. The last one is the assistant's.
    pub turns: Vec<Turn>,
}

/// How a conversation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// One question, one answer.
    Single,
    /// Two or three questions that have nothing to do with each other.
    Mixed,
    /// The user says something about themselves and asks for it later.
    Memory,
    /// A second question that makes sense only after the first: "And of Japan?".
    FollowUp,
    /// A sum that goes on from its result.
    RunningSum,
    /// The user or the system message says in which language to answer.
    LanguageRule,
    /// The system message gives the assistant another name.
    Persona,
    /// Tools are at hand, and used when they are needed.
    Tools,
}

/// What a plain exchange of one question and one answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it, and so do the tables of facts")]
pub enum Topic {
    Greeting,
    Identity,
    SmallTalk,
    Country,
    Nature,
    Story,
    Calendar,
    Unit,
    Number,
    Planet,
    Opposite,
    Translation,
    General,
    /// What nobody told the model: it says so.
    Unknown,
    Addition,
    Subtraction,
    Multiplication,
    WordProblem,
    Comparison,
    Counting,
    Parity,
}

/// The mixture of shapes, in parts of a hundred.
pub const SHAPES: [(Shape, u32); 8] = [
    (Shape::Single, 40),
    (Shape::Mixed, 22),
    (Shape::Memory, 10),
    (Shape::FollowUp, 8),
    (Shape::RunningSum, 3),
    (Shape::LanguageRule, 6),
    (Shape::Persona, 4),
    (Shape::Tools, 7),
];

/// The mixture of topics, in parts of their sum. A topic weighs about as much as it has to learn.
pub const TOPICS: [(Topic, u32); 21] = [
    (Topic::Greeting, 5),
    (Topic::Identity, 5),
    (Topic::SmallTalk, 7),
    (Topic::Country, 12),
    (Topic::Nature, 9),
    (Topic::Story, 2),
    (Topic::Calendar, 7),
    (Topic::Unit, 3),
    (Topic::Number, 5),
    (Topic::Planet, 3),
    (Topic::Opposite, 6),
    (Topic::Translation, 10),
    (Topic::General, 6),
    (Topic::Unknown, 6),
    (Topic::Addition, 12),
    (Topic::Subtraction, 10),
    (Topic::Multiplication, 7),
    (Topic::WordProblem, 4),
    (Topic::Comparison, 5),
    (Topic::Counting, 5),
    (Topic::Parity, 3),
];

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exchange {
    question: String,
    answer: String,
}

/// Whether numbers are drawn from what training sees or from what it never sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Split {
    Training,
    HeldOut,
}

/// Writes the conversation number `index` of the world `seed`.
///
/// The same two numbers give the same conversation, on every machine.
///
/// # Examples
///
/// ```
/// use puyu_examples::mini_world::{conversation, render};
///
/// let first = conversation(7, 0);
/// assert_eq!(first, conversation(7, 0));
/// assert!(render(&first.turns).starts_with("<s><|im_start|>"));
/// ```
pub fn conversation(seed: u64, index: u64) -> Conversation {
    let mut rng = Rng::new(seed, index);
    let shape = rng.weighted(&SHAPES);
    let language = *rng.pick(&Language::ALL);
    converse(shape, language, &mut rng)
}

/// Writes a conversation of the given shape.
fn converse(shape: Shape, language: Language, rng: &mut Rng) -> Conversation {
    let mut draft = Draft { topics: Vec::new(), turns: Vec::new() };
    match shape {
        Shape::Single => draft.chat(1, language, rng),
        Shape::Mixed => draft.chat(2 + rng.below(2), language, rng),
        Shape::Memory => memory::remember(&mut draft, language, rng),
        Shape::FollowUp => memory::follow_up(&mut draft, language, rng),
        Shape::RunningSum => arithmetic::running_sum(&mut draft, language, rng),
        Shape::LanguageRule => system::language_rule(&mut draft, language, rng),
        Shape::Persona => system::persona(&mut draft, language, rng),
        Shape::Tools => tools::use_tools(&mut draft, language, rng),
    }
    Conversation { shape, topics: draft.topics, turns: draft.turns }
}

/// A conversation while it is being written.
struct Draft {
    topics: Vec<Topic>,
    turns: Vec<Turn>,
}

impl Draft {
    fn say(&mut self, role: Role, text: impl Into<String>) {
        self.turns.push(Turn::new(role, text));
    }

    /// Adds a question and its answer.
    fn ask(&mut self, question: impl Into<String>, answer: impl Into<String>) {
        self.say(Role::User, question);
        self.say(Role::Assistant, answer);
    }

    /// Adds a plain exchange, asked carelessly now and then.
    fn exchange(&mut self, language: Language, rng: &mut Rng) {
        let topic = rng.weighted(&TOPICS);
        let exchange = exchange(topic, Split::Training, language, rng);
        self.topics.push(topic);
        let question = match topic {
            Topic::Greeting | Topic::Identity | Topic::SmallTalk => exchange.question,
            _ => polite(exchange.question, language, rng),
        };
        self.ask(casual(question, rng), exchange.answer);
    }

    /// Adds `count` plain exchanges. The user may change the language between them.
    fn chat(&mut self, count: usize, language: Language, rng: &mut Rng) {
        if rng.chance(6) {
            self.say(Role::System, system::plain(language, rng));
        }
        let mut language = language;
        for _ in 0..count {
            self.exchange(language, rng);
            if rng.chance(20) {
                language = language.other();
            }
        }
    }
}

/// Draws an exchange about a topic.
fn exchange(topic: Topic, split: Split, language: Language, rng: &mut Rng) -> Exchange {
    let known = facts::about(topic);
    let (question, answer) = match topic {
        Topic::Unknown => unknown::question(language, rng),
        _ if known.is_empty() => arithmetic::question(topic, split, language, rng),
        _ => {
            let wording = rng.pick(known).wording(language);
            // Half of the time the plainest wording, which people use first.
            let plainest = if rng.chance(50) { wording.questions.first() } else { None };
            let question = plainest.unwrap_or_else(|| rng.pick(&wording.questions));
            (question.clone(), wording.answer.clone())
        }
    };
    Exchange { question, answer }
}
