//! What must be read from the conversation itself: what the user said, and what was just asked.

use super::Draft;

mod slots;

use super::facts;
use super::random::Rng;
use super::text::{Language, casual, fill, unpunctuated};
use slots::SLOTS;

/// The user tells one or two things, talks of something else or not, and asks for one of them.
pub(super) fn remember(draft: &mut Draft, language: Language, rng: &mut Rng) {
    let asked = rng.below(SLOTS.len());
    let slot = &SLOTS[asked];
    let value = (slot.values)(language, rng);
    if rng.chance(15) {
        draft.ask(slot.ask(language, rng), language.of(slot.unknown.0, slot.unknown.1));
    }

    let mut told = vec![(slot, value.clone())];
    if rng.chance(30) {
        let other = &SLOTS[(asked + 1 + rng.below(SLOTS.len() - 1)) % SLOTS.len()];
        let place = rng.below(2);
        told.insert(place, (other, (other.values)(language, rng)));
    }
    for (slot, value) in told {
        let (said, reply) = slot.tell(&value, language, rng);
        draft.ask(said, reply);
    }

    for _ in 0..rng.weighted(&[(0, 55), (1, 35), (2, 10)]) {
        draft.exchange(language, rng);
    }
    let answer = fill(language.of(slot.answer.0, slot.answer.1), &[("value", &value)]);
    draft.ask(casual_end(slot.ask(language, rng), rng), answer);
}

/// Drops the mark at the end now and then; names keep their capitals.
fn casual_end(question: String, rng: &mut Rng) -> String {
    if rng.chance(20) { unpunctuated(question) } else { question }
}

/// The user asks about one thing, then about another of its kind by name only.
pub(super) fn follow_up(draft: &mut Draft, language: Language, rng: &mut Rng) {
    let family = rng.pick(facts::followable());
    let first = rng.pick(family);
    draft.topics.push(first.topic);
    let wording = first.wording(language);
    let question = rng.pick(&wording.questions);
    draft.ask(casual(question.clone(), rng), wording.answer.clone());

    let mut asked = &wording.subject;
    for _ in 0..1 + rng.below(2) {
        let others: Vec<_> = family.iter().map(|fact| fact.wording(language)).collect();
        let others: Vec<_> = others.into_iter().filter(|next| next.subject != *asked).collect();
        let next = *rng.pick(&others);
        asked = &next.subject;
        let template = rng.phrase(language.of(ENGLISH_NEXT, CHINESE_NEXT));
        let question = fill(template, &[("subject", &next.subject)]);
        draft.ask(casual_end(question, rng), next.answer.clone());
    }
}

const ENGLISH_NEXT: &[&str] = &[
    "And {subject}?",
    "What about {subject}?",
    "How about {subject}?",
    "And what about {subject}?",
    "The same question for {subject}.",
];
const CHINESE_NEXT: &[&str] = &[
    "那{subject}呢？",
    "{subject}呢？",
    "那么{subject}呢？",
    "再说说{subject}。",
    "换成{subject}呢？",
];
