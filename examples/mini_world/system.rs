//! Obedience to the system message: the language of the answer, and another name.

use puyu_core::Role;

use super::random::Rng;
use super::text::{Language, casual, fill};
use super::{Draft, TOPICS, Topic, facts};

/// A system message that changes nothing.
pub(super) fn plain(language: Language, rng: &mut Rng) -> &'static str {
    rng.phrase(language.of(ENGLISH_PLAIN, CHINESE_PLAIN))
}

const ENGLISH_PLAIN: &[&str] = &[
    "You are a helpful assistant.",
    "You are Puyu, a helpful assistant.",
    "You are an assistant.",
    "Please be kind and helpful.",
];
const CHINESE_PLAIN: &[&str] =
    &["你是一个有用的助手。", "你是浦语，一个有用的助手。", "你是一个助手。", "请友好地帮助用户。"];

/// Someone says in which language to answer: the system once for all, or the user each time.
pub(super) fn language_rule(draft: &mut Draft, language: Language, rng: &mut Rng) {
    let answer_in = if rng.chance(75) { language.other() } else { language };
    let rules = answer_in.of(IN_ENGLISH, IN_CHINESE);
    if rng.chance(60) {
        draft.say(Role::System, rng.phrase(rules));
        for _ in 0..1 + rng.below(2) {
            let (question, answer) = known(draft, language, answer_in, rng);
            draft.ask(question, answer);
        }
    } else {
        let (question, answer) = known(draft, language, answer_in, rng);
        draft.ask(format!("{question} {}", rng.phrase(rules)), answer);
    }
}

/// A fact asked in one language and answered in another.
fn known(
    draft: &mut Draft,
    asked_in: Language,
    answered_in: Language,
    rng: &mut Rng,
) -> (String, String) {
    let facts = loop {
        let topic = rng.weighted(&TOPICS);
        let facts = facts::about(topic);
        if !facts.is_empty() {
            draft.topics.push(topic);
            break facts;
        }
    };
    let fact = rng.pick(facts);
    let question = rng.pick(&fact.wording(asked_in).questions);
    (question.clone(), fact.wording(answered_in).answer.clone())
}

const IN_ENGLISH: &[&str] = &[
    "Answer in English.",
    "Please answer in English.",
    "Always answer in English.",
    "Reply in English.",
    "Speak English only.",
    "请用英文回答。",
    "请用英语回答。",
    "只说英语。",
];
const IN_CHINESE: &[&str] = &[
    "Answer in Chinese.",
    "Please answer in Chinese.",
    "Always answer in Chinese.",
    "Reply in Chinese.",
    "Speak Chinese only.",
    "请用中文回答。",
    "请用汉语回答。",
    "只说中文。",
];

/// The system gives the assistant another name, and the user asks for it.
pub(super) fn persona(draft: &mut Draft, language: Language, rng: &mut Rng) {
    let &(english, chinese) = rng.pick(&NAMES);
    let name = language.of(english, chinese);
    let values = [("name", name)];
    draft.say(Role::System, fill(rng.phrase(language.of(BE_ENGLISH, BE_CHINESE)), &values));
    if rng.chance(30) {
        other_talk(draft, language, rng);
    }
    let (questions, answer) = match rng.below(2) {
        0 => (language.of(WHO_ENGLISH, WHO_CHINESE), language.of("I am {name}.", "我是{name}。")),
        _ => (
            language.of(CALLED_ENGLISH, CALLED_CHINESE),
            language.of("My name is {name}.", "我叫{name}。"),
        ),
    };
    draft.ask(casual(rng.phrase(questions).to_owned(), rng), fill(answer, &values));
    if rng.chance(30) {
        other_talk(draft, language, rng);
    }
}

/// A plain exchange about anything but the assistant, whose answers the persona has changed.
fn other_talk(draft: &mut Draft, language: Language, rng: &mut Rng) {
    let before = draft.turns.len();
    loop {
        draft.exchange(language, rng);
        if draft.topics.last() != Some(&Topic::Identity) {
            return;
        }
        draft.turns.truncate(before);
        draft.topics.pop();
    }
}

const BE_ENGLISH: &[&str] = &[
    "You are {name}.",
    "Your name is {name}.",
    "You are called {name}.",
    "You are {name}, a helpful assistant.",
    "From now on your name is {name}.",
    "Act as {name}.",
];
const BE_CHINESE: &[&str] = &[
    "你是{name}。",
    "你叫{name}。",
    "你的名字是{name}。",
    "你是{name}，一个有用的助手。",
    "从现在起你叫{name}。",
    "请扮演{name}。",
];
const WHO_ENGLISH: &[&str] =
    &["Who are you?", "What are you?", "Tell me who you are.", "Please introduce yourself."];
const WHO_CHINESE: &[&str] = &["你是谁？", "你到底是谁？", "告诉我你是谁。", "介绍一下你自己。"];
const CALLED_ENGLISH: &[&str] =
    &["What is your name?", "What's your name?", "Tell me your name.", "What should I call you?"];
const CALLED_CHINESE: &[&str] =
    &["你叫什么？", "你叫什么名字？", "你的名字是什么？", "怎么称呼你？"];

const NAMES: [(&str, &str); 16] = [
    ("Xiaoming", "小明"),
    ("Xiaohong", "小红"),
    ("Lingling", "玲玲"),
    ("Dandan", "丹丹"),
    ("Mimi", "咪咪"),
    ("Alice", "爱丽丝"),
    ("Bob", "鲍勃"),
    ("Emma", "艾玛"),
    ("Jack", "杰克"),
    ("Lucy", "露西"),
    ("Tom", "汤姆"),
    ("Rose", "罗丝"),
    ("Nova", "诺娃"),
    ("Pixel", "像素"),
    ("Captain Crab", "螃蟹船长"),
    ("Doctor Moon", "月亮博士"),
];
