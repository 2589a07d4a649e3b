//! Sums, differences, products, comparisons and counting, in words and in notation.
//!
//! All answers of a sum are the same equation in every language, so what is learned in one helps
//! the other. Some pairs of numbers are reserved: training never sees them in any form.

use super::random::{Rng, mix};
use super::text::{Language, fill};
use super::{Draft, Split, Topic};

mod templates;

use templates::*;

/// The largest operand of sums and differences.
const LARGEST: u32 = 99;
/// The largest factor: the table that people learn by heart, and so must the model.
const LARGEST_FACTOR: u32 = 12;
/// One pair in so many is reserved.
const RESERVED_ONE_IN: u64 = 20;

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Compare,
}

impl Operation {
    /// The operation's sign, as the world writes it.
    fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "×",
            Self::Compare => "<",
        }
    }

    /// Questions in English, in Chinese, and in notation, which belongs to no language.
    fn questions(self) -> [&'static [&'static str]; 3] {
        match self {
            Self::Add => [ADD_ENGLISH, ADD_CHINESE, ADD_NOTATION],
            Self::Subtract => [SUBTRACT_ENGLISH, SUBTRACT_CHINESE, SUBTRACT_NOTATION],
            Self::Multiply => [MULTIPLY_ENGLISH, MULTIPLY_CHINESE, MULTIPLY_NOTATION],
            Self::Compare => [COMPARE_ENGLISH, COMPARE_CHINESE, &[]],
        }
    }
}

/// Whether the pair is kept out of training, in either order.
///
/// One pair in twenty is. Sums of two digits are too few to spare one, and products are a table to
/// be learned by heart, so neither is reserved.
pub(super) fn is_reserved(operation: Operation, a: u32, b: u32) -> bool {
    let (low, high) = (a.min(b), a.max(b));
    if operation == Operation::Multiply || !(10..=LARGEST).contains(&high) {
        return false;
    }
    let code = (operation as u64) << 16 | u64::from(low) << 8 | u64::from(high);
    mix(code ^ 0x7075_7975).is_multiple_of(RESERVED_ONE_IN)
}

/// Draws two numbers for an operation; a difference is never negative.
pub(super) fn draw(operation: Operation, split: Split, rng: &mut Rng) -> (u32, u32) {
    if operation == Operation::Multiply {
        return (rng.between(0, LARGEST_FACTOR), rng.between(0, LARGEST_FACTOR));
    }
    loop {
        // Small numbers are what people ask about first.
        let largest = rng.weighted(&[(9, 40), (20, 35), (LARGEST, 25)]);
        let (a, b) = (rng.between(0, largest), rng.between(0, largest));
        let pair = if operation == Operation::Subtract { (a.max(b), a.min(b)) } else { (a, b) };
        if is_reserved(operation, a, b) == (split == Split::HeldOut) {
            return pair;
        }
    }
}

/// The result of an operation on numbers from [`draw`], or larger ones of four digits at most.
pub(super) fn compute(operation: Operation, a: u32, b: u32) -> u32 {
    match operation {
        Operation::Add => a + b,
        Operation::Subtract => a - b,
        Operation::Multiply => a * b,
        Operation::Compare => a.max(b),
    }
}

/// The answer to a sum: `12 + 7 = 19.`
pub(super) fn equation(operation: Operation, (a, b): (u32, u32), language: Language) -> String {
    let (sign, result) = (operation.sign(), compute(operation, a, b));
    format!("{a} {sign} {b} = {result}{}", language.of(".", "。"))
}

/// Asks for a sum in words.
pub(super) fn in_words(
    operation: Operation,
    (a, b): (u32, u32),
    language: Language,
    rng: &mut Rng,
) -> String {
    let [english, chinese, _] = operation.questions();
    let template = rng.phrase(language.of(english, chinese));
    fill(template, &[("a", &a.to_string()), ("b", &b.to_string())])
}

/// Draws a question about numbers and its answer.
pub(super) fn question(
    topic: Topic,
    split: Split,
    language: Language,
    rng: &mut Rng,
) -> (String, String) {
    match topic {
        Topic::Subtraction => sum(Operation::Subtract, split, language, rng),
        Topic::Multiplication => sum(Operation::Multiply, split, language, rng),
        Topic::WordProblem => word_problem(language, rng),
        Topic::Comparison => comparison(split, language, rng),
        Topic::Counting => counting(language, rng),
        Topic::Parity => parity(language, rng),
        _ => sum(Operation::Add, split, language, rng),
    }
}

fn sum(operation: Operation, split: Split, language: Language, rng: &mut Rng) -> (String, String) {
    let pair = draw(operation, split, rng);
    if !rng.chance(35) {
        return (in_words(operation, pair, language, rng), equation(operation, pair, language));
    }
    // Notation is the same question in both languages, so it has the same answer.
    let [_, _, notation] = operation.questions();
    let values = [("a", &*pair.0.to_string()), ("b", &*pair.1.to_string())];
    (fill(rng.phrase(notation), &values), equation(operation, pair, Language::English))
}

/// A sum, and one or two more steps from its result.
pub(super) fn running_sum(draft: &mut Draft, language: Language, rng: &mut Rng) {
    let mut total = loop {
        let operation = *rng.pick(&[Operation::Add, Operation::Subtract]);
        let pair = draw(operation, Split::Training, rng);
        let total = compute(operation, pair.0, pair.1);
        if total <= LARGEST {
            let question = in_words(operation, pair, language, rng);
            draft.ask(question, equation(operation, pair, language));
            break total;
        }
    };
    for _ in 0..1 + rng.below(2) {
        let (operation, step) = loop {
            let operation = *rng.pick(&[Operation::Add, Operation::Subtract]);
            let room = if operation == Operation::Add { LARGEST - total } else { total };
            let step = rng.between(0, room);
            if !is_reserved(operation, total, step) {
                break (operation, step);
            }
        };
        let templates = match operation {
            Operation::Subtract => language.of(THEN_SUBTRACT_ENGLISH, THEN_SUBTRACT_CHINESE),
            _ => language.of(THEN_ADD_ENGLISH, THEN_ADD_CHINESE),
        };
        let question = fill(rng.phrase(templates), &[("b", &step.to_string())]);
        draft.ask(question, equation(operation, (total, step), language));
        total = compute(operation, total, step);
    }
}

/// A story that is a sum: things are got or given away.
fn word_problem(language: Language, rng: &mut Rng) -> (String, String) {
    let operation = *rng.pick(&[Operation::Add, Operation::Subtract]);
    let (a, b, result) = loop {
        let (a, b) = draw(operation, Split::Training, rng);
        let result = compute(operation, a, b);
        // From two on, so that the plural is right.
        if a.min(b).min(result) >= 2 {
            break (a.to_string(), b.to_string(), result.to_string());
        }
    };
    let &(english, chinese, measure) = rng.pick(&THINGS);
    let (questions, answer) = match operation {
        Operation::Subtract => language.of(GIVE_ENGLISH, GIVE_CHINESE),
        _ => language.of(GET_ENGLISH, GET_CHINESE),
    };
    let values = [
        ("a", &*a),
        ("b", &*b),
        ("result", &*result),
        ("things", language.of(english, chinese)),
        ("measure", measure),
    ];
    (fill(rng.phrase(questions), &values), fill(answer, &values))
}

fn comparison(split: Split, language: Language, rng: &mut Rng) -> (String, String) {
    let (a, b) = draw(Operation::Compare, split, rng);
    let kind = rng.below(3);
    let questions = match kind {
        0 => language.of(COMPARE_ENGLISH, COMPARE_CHINESE),
        1 => language.of(SMALLER_ENGLISH, SMALLER_CHINESE),
        _ => language.of(IS_LARGER_ENGLISH, IS_LARGER_CHINESE),
    };
    let answer = match (kind, a.cmp(&b)) {
        (_, std::cmp::Ordering::Equal) => language.of("{a} and {b} are equal.", "{a}和{b}一样大。"),
        (0, _) => language.of("{high} is larger than {low}.", "{high}比{low}大。"),
        (1, _) => language.of("{low} is smaller than {high}.", "{low}比{high}小。"),
        (_, std::cmp::Ordering::Greater) => {
            language.of("Yes, {a} is larger than {b}.", "是的，{a}比{b}大。")
        }
        _ => language.of("No, {a} is smaller than {b}.", "不，{a}比{b}小。"),
    };
    let values = [
        ("a", &*a.to_string()),
        ("b", &*b.to_string()),
        ("low", &*a.min(b).to_string()),
        ("high", &*a.max(b).to_string()),
    ];
    (fill(rng.phrase(questions), &values), fill(answer, &values))
}

/// Counting up and down, and the neighbours of a number.
fn counting(language: Language, rng: &mut Rng) -> (String, String) {
    let (low, steps) = (rng.between(0, 90), rng.between(2, 8));
    let numbers: Vec<String> = (low..=low + steps).map(|number| number.to_string()).collect();
    let (first, last) = (&*numbers[0], &*numbers[numbers.len() - 1]);
    let list = |numbers: &[String]| numbers.join(", ") + language.of(".", "。");
    let (before, middle, after) = (&*numbers[0], &*numbers[1], &*numbers[2]);
    let kind = rng.below(4);
    let (questions, values) = match kind {
        0 => (language.of(UP_ENGLISH, UP_CHINESE), [("a", first), ("b", last)]),
        1 => (language.of(DOWN_ENGLISH, DOWN_CHINESE), [("a", last), ("b", first)]),
        2 => (language.of(NEXT_ENGLISH, NEXT_CHINESE), [("a", middle), ("b", after)]),
        _ => (language.of(PREVIOUS_ENGLISH, PREVIOUS_CHINESE), [("a", middle), ("b", before)]),
    };
    let answer = match kind {
        0 => list(&numbers),
        1 => list(&numbers.iter().rev().cloned().collect::<Vec<_>>()),
        2 => fill(language.of("{b} comes after {a}.", "{a}后面的数是{b}。"), &values),
        _ => fill(language.of("{b} comes before {a}.", "{a}前面的数是{b}。"), &values),
    };
    (fill(rng.phrase(questions), &values), answer)
}

fn parity(language: Language, rng: &mut Rng) -> (String, String) {
    let number = rng.between(0, 199);
    let answer = match number % 2 {
        0 => language.of("{a} is even.", "{a}是偶数。"),
        _ => language.of("{a} is odd.", "{a}是奇数。"),
    };
    let values = [("a", &*number.to_string())];
    let questions = language.of(PARITY_ENGLISH, PARITY_CHINESE);
    (fill(rng.phrase(questions), &values), fill(answer, &values))
}
