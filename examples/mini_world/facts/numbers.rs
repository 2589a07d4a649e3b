//! Numbers in words, and the planets in their order.

use super::{Fact, Family};
use crate::mini_world::Topic;

const ONES: [(&str, &str); 20] = [
    ("zero", "零"),
    ("one", "一"),
    ("two", "二"),
    ("three", "三"),
    ("four", "四"),
    ("five", "五"),
    ("six", "六"),
    ("seven", "七"),
    ("eight", "八"),
    ("nine", "九"),
    ("ten", "十"),
    ("eleven", "十一"),
    ("twelve", "十二"),
    ("thirteen", "十三"),
    ("fourteen", "十四"),
    ("fifteen", "十五"),
    ("sixteen", "十六"),
    ("seventeen", "十七"),
    ("eighteen", "十八"),
    ("nineteen", "十九"),
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// The words for a number in `0..100`, English and Chinese.
fn words(number: usize) -> (String, String) {
    let (tens, ones) = (number / 10, number % 10);
    if tens < 2 {
        return (ONES[number].0.to_owned(), ONES[number].1.to_owned());
    }
    let (english, chinese) = (TENS[tens], ONES[tens].1);
    match ones {
        0 => (english.to_owned(), format!("{chinese}十")),
        _ => (format!("{english}-{}", ONES[ones].0), format!("{chinese}十{}", ONES[ones].1)),
    }
}

/// `(planet, 行星)`, outwards from the Sun.
const PLANETS: [(&str, &str); 8] = [
    ("Mercury", "水星"),
    ("Venus", "金星"),
    ("Earth", "地球"),
    ("Mars", "火星"),
    ("Jupiter", "木星"),
    ("Saturn", "土星"),
    ("Uranus", "天王星"),
    ("Neptune", "海王星"),
];
const ORDINALS: [&str; 8] =
    ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"];

/// Numbers to words and back; planets by place and by neighbour.
pub(super) fn families() -> Vec<Vec<Fact>> {
    let of_numbers = |family: &Family| -> Vec<Fact> {
        let fact = |number: usize| {
            let (digits, (english, chinese)) = (number.to_string(), words(number));
            family.fact(&[("digits", &digits, &digits), ("words", &english, &chinese)])
        };
        (0..100).map(fact).collect()
    };
    let of_neighbours = |family: &Family| -> Vec<Fact> {
        let fact = |pair: &[(&str, &str)]| {
            family.fact(&[("inner", pair[0].0, pair[0].1), ("outer", pair[1].0, pair[1].1)])
        };
        PLANETS.windows(2).map(fact).collect()
    };
    let by_place = PLANETS.iter().zip(ORDINALS).enumerate().map(|(index, (planet, ordinal))| {
        let number = (index + 1).to_string();
        PLANET.fact(&[("planet", planet.0, planet.1), ("ordinal", ordinal, &number)])
    });
    vec![
        of_numbers(&TO_WORDS),
        of_numbers(&TO_DIGITS),
        by_place.collect(),
        of_neighbours(&OUTWARDS),
        of_neighbours(&INWARDS),
    ]
}

const TO_WORDS: Family = Family {
    topic: Topic::Number,
    subject: "digits",
    english: (
        &[
            "How do you write {digits} in words?",
            "What is {digits} in words?",
            "Write {digits} in words.",
            "Spell the number {digits}.",
            "Say {digits} in words.",
            "Write the number {digits} as a word.",
            "How do I spell {digits}?",
            "Tell me {digits} in words.",
        ],
        "{digits} in words is {words}.",
    ),
    chinese: (
        &[
            "{digits}用汉字怎么写？",
            "{digits}怎么用汉字写？",
            "{digits}写成汉字是什么？",
            "把{digits}写成汉字。",
            "用汉字写{digits}。",
            "数字{digits}的汉字怎么写？",
            "请用汉字写出{digits}。",
            "你知道{digits}用汉字怎么写吗？",
        ],
        "{digits}用汉字写作{words}。",
    ),
};

const TO_DIGITS: Family = Family {
    topic: Topic::Number,
    subject: "words",
    english: (
        &[
            "How do you write {words} in digits?",
            "What is {words} in digits?",
            "Write {words} in digits.",
            "Write {words} as a number.",
            "Which number is {words}?",
            "What number is {words}?",
            "How do I write {words} with digits?",
            "Tell me {words} in digits.",
        ],
        "{words} in digits is {digits}.",
    ),
    chinese: (
        &[
            "{words}用数字怎么写？",
            "{words}怎么用数字写？",
            "{words}写成数字是多少？",
            "把{words}写成数字。",
            "用数字写{words}。",
            "{words}是哪个数字？",
            "请用数字写出{words}。",
            "你知道{words}用数字怎么写吗？",
        ],
        "{words}用数字写作{digits}。",
    ),
};

const PLANET: Family = Family {
    topic: Topic::Planet,
    subject: "",
    english: (
        &[
            "What is the {ordinal} planet from the Sun?",
            "What's the {ordinal} planet from the Sun?",
            "Which planet is the {ordinal} from the Sun?",
            "Which is the {ordinal} planet from the Sun?",
            "Name the {ordinal} planet from the Sun.",
            "Tell me the {ordinal} planet from the Sun.",
            "What is the {ordinal} planet?",
            "Which planet is {ordinal}?",
        ],
        "The {ordinal} planet from the Sun is {planet}.",
    ),
    chinese: (
        &[
            "离太阳第{ordinal}近的行星是什么？",
            "离太阳第{ordinal}近的行星是哪颗？",
            "哪颗行星离太阳第{ordinal}近？",
            "从太阳数起第{ordinal}颗行星是什么？",
            "太阳系的第{ordinal}颗行星是什么？",
            "第{ordinal}颗行星是什么？",
            "第{ordinal}颗行星是哪一颗？",
            "请告诉我离太阳第{ordinal}近的行星。",
        ],
        "离太阳第{ordinal}近的行星是{planet}。",
    ),
};

const OUTWARDS: Family = Family {
    topic: Topic::Planet,
    subject: "inner",
    english: (
        &[
            "Which planet comes after {inner}?",
            "Which planet is after {inner}?",
            "What planet comes after {inner}?",
            "What is the next planet after {inner}?",
            "Which planet follows {inner}?",
            "Name the planet after {inner}.",
            "Tell me the planet after {inner}.",
            "Do you know the planet after {inner}?",
        ],
        "The planet after {inner} is {outer}.",
    ),
    chinese: (
        &[
            "{inner}之后是哪颗行星？",
            "{inner}后面是哪颗行星？",
            "{inner}的下一颗行星是什么？",
            "{inner}外面是哪颗行星？",
            "{inner}往外是哪颗行星？",
            "{inner}之后的行星是什么？",
            "请告诉我{inner}之后的行星。",
            "你知道{inner}之后是哪颗行星吗？",
        ],
        "{inner}之后的行星是{outer}。",
    ),
};

const INWARDS: Family = Family {
    topic: Topic::Planet,
    subject: "outer",
    english: (
        &[
            "Which planet comes before {outer}?",
            "Which planet is before {outer}?",
            "What planet comes before {outer}?",
            "What is the planet just before {outer}?",
            "Which planet precedes {outer}?",
            "Name the planet before {outer}.",
            "Tell me the planet before {outer}.",
            "Do you know the planet before {outer}?",
        ],
        "The planet before {outer} is {inner}.",
    ),
    chinese: (
        &[
            "{outer}之前是哪颗行星？",
            "{outer}前面是哪颗行星？",
            "{outer}的上一颗行星是什么？",
            "{outer}里面是哪颗行星？",
            "{outer}往里是哪颗行星？",
            "{outer}之前的行星是什么？",
            "请告诉我{outer}之前的行星。",
            "你知道{outer}之前是哪颗行星吗？",
        ],
        "{outer}之前的行星是{inner}。",
    ),
};
