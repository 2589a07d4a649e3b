//! How arithmetic is asked.

/// Ways to ask, and the answer to all of them.
pub(super) type Asked = (&'static [&'static str], &'static str);

pub(super) const ADD_ENGLISH: &[&str] = &[
    "What is {a} plus {b}?",
    "What is {a} + {b}?",
    "How much is {a} plus {b}?",
    "How much is {a} + {b}?",
    "Add {a} and {b}.",
    "What do you get if you add {a} and {b}?",
    "Calculate {a} + {b}.",
    "What is the sum of {a} and {b}?",
    "{a} plus {b} equals?",
];
pub(super) const ADD_CHINESE: &[&str] = &[
    "{a}加{b}等于多少？",
    "{a}加{b}等于几？",
    "{a}加{b}是多少？",
    "{a} + {b} 等于多少？",
    "{a}+{b}等于多少？",
    "计算{a}加{b}。",
    "算一下{a} + {b}。",
    "{a}与{b}的和是多少？",
    "{a}加上{b}是多少？",
];
pub(super) const ADD_NOTATION: &[&str] =
    &["{a} + {b} = ?", "{a} + {b} =", "{a} + {b}", "{a}+{b}=?", "{a}+{b}=", "{a}+{b}"];

pub(super) const SUBTRACT_ENGLISH: &[&str] = &[
    "What is {a} minus {b}?",
    "What is {a} - {b}?",
    "How much is {a} minus {b}?",
    "How much is {a} - {b}?",
    "Subtract {b} from {a}.",
    "What do you get if you take {b} from {a}?",
    "Calculate {a} - {b}.",
    "What is the difference of {a} and {b}?",
    "{a} minus {b} equals?",
];
pub(super) const SUBTRACT_CHINESE: &[&str] = &[
    "{a}减{b}等于多少？",
    "{a}减{b}等于几？",
    "{a}减{b}是多少？",
    "{a} - {b} 等于多少？",
    "{a}-{b}等于多少？",
    "计算{a}减{b}。",
    "算一下{a} - {b}。",
    "{a}与{b}的差是多少？",
    "{a}减去{b}是多少？",
];
pub(super) const SUBTRACT_NOTATION: &[&str] =
    &["{a} - {b} = ?", "{a} - {b} =", "{a} - {b}", "{a}-{b}=?", "{a}-{b}=", "{a}-{b}"];

pub(super) const MULTIPLY_ENGLISH: &[&str] = &[
    "What is {a} times {b}?",
    "What is {a} × {b}?",
    "What is {a} * {b}?",
    "How much is {a} times {b}?",
    "How much is {a} * {b}?",
    "Multiply {a} by {b}.",
    "Calculate {a} × {b}.",
    "What is the product of {a} and {b}?",
    "{a} times {b} equals?",
];
pub(super) const MULTIPLY_CHINESE: &[&str] = &[
    "{a}乘{b}等于多少？",
    "{a}乘{b}等于几？",
    "{a}乘以{b}是多少？",
    "{a} × {b} 等于多少？",
    "{a}*{b}等于多少？",
    "计算{a}乘{b}。",
    "算一下{a} × {b}。",
    "{a}与{b}的积是多少？",
    "{a}乘以{b}等于多少？",
];
pub(super) const MULTIPLY_NOTATION: &[&str] = &[
    "{a} × {b} = ?",
    "{a} × {b} =",
    "{a} × {b}",
    "{a} * {b} = ?",
    "{a}×{b}=?",
    "{a}*{b}=",
    "{a} x {b} = ?",
    "{a}x{b}",
];

pub(super) const THEN_ADD_ENGLISH: &[&str] =
    &["Add {b} to that.", "Plus {b}?", "Now add {b}.", "And plus {b}?"];
pub(super) const THEN_ADD_CHINESE: &[&str] =
    &["再加{b}呢？", "再加上{b}。", "然后加{b}是多少？", "再加{b}等于多少？"];
pub(super) const THEN_SUBTRACT_ENGLISH: &[&str] =
    &["Take {b} from that.", "Minus {b}?", "Now subtract {b}.", "And minus {b}?"];
pub(super) const THEN_SUBTRACT_CHINESE: &[&str] =
    &["再减{b}呢？", "再减去{b}。", "然后减{b}是多少？", "再减{b}等于多少？"];

/// `(things, 东西, measure word)`.
pub(super) const THINGS: [(&str, &str, &str); 10] = [
    ("apples", "苹果", "个"),
    ("eggs", "鸡蛋", "个"),
    ("books", "书", "本"),
    ("cats", "猫", "只"),
    ("birds", "鸟", "只"),
    ("flowers", "花", "朵"),
    ("pens", "笔", "支"),
    ("stones", "石头", "块"),
    ("cups", "杯子", "个"),
    ("tickets", "票", "张"),
];

pub(super) const GET_ENGLISH: Asked = (
    &[
        "I have {a} {things} and get {b} more. How many {things} do I have?",
        "I have {a} {things}. I buy {b} more. How many {things} do I have now?",
        "There are {a} {things} and {b} more come. How many {things} are there?",
        "If I have {a} {things} and you give me {b} {things}, how many do I have?",
        "I had {a} {things} and found {b} {things}. How many do I have now?",
    ],
    "{a} + {b} = {result}, so there are {result} {things}.",
);
pub(super) const GET_CHINESE: Asked = (
    &[
        "我有{a}{measure}{things}，又得到{b}{measure}，一共有多少{measure}{things}？",
        "我有{a}{measure}{things}，再买{b}{measure}，现在有几{measure}{things}？",
        "原来有{a}{measure}{things}，又来了{b}{measure}，现在有多少{measure}？",
        "如果我有{a}{measure}{things}，你给我{b}{measure}，我有几{measure}？",
        "这里有{a}{measure}{things}，那里有{b}{measure}，一共多少{measure}？",
    ],
    "{a} + {b} = {result}，所以一共有{result}{measure}{things}。",
);
pub(super) const GIVE_ENGLISH: Asked = (
    &[
        "I have {a} {things} and give away {b}. How many {things} are left?",
        "I have {a} {things}. I lose {b}. How many {things} do I have now?",
        "There are {a} {things} and {b} go away. How many {things} are left?",
        "If I have {a} {things} and give you {b}, how many are left?",
        "I had {a} {things} and sold {b} of them. How many are left?",
    ],
    "{a} - {b} = {result}, so {result} {things} are left.",
);
pub(super) const GIVE_CHINESE: Asked = (
    &[
        "我有{a}{measure}{things}，送走{b}{measure}，还剩多少{measure}{things}？",
        "我有{a}{measure}{things}，丢了{b}{measure}，现在有几{measure}{things}？",
        "原来有{a}{measure}{things}，少了{b}{measure}，还剩多少{measure}？",
        "如果我有{a}{measure}{things}，给你{b}{measure}，还剩几{measure}？",
        "这里有{a}{measure}{things}，拿走{b}{measure}，还剩多少？",
    ],
    "{a} - {b} = {result}，所以还剩{result}{measure}{things}。",
);

pub(super) const COMPARE_ENGLISH: &[&str] = &[
    "Which is larger, {a} or {b}?",
    "Which is bigger, {a} or {b}?",
    "Which number is larger, {a} or {b}?",
    "Which number is bigger: {a} or {b}?",
    "What is larger, {a} or {b}?",
    "Is {a} or {b} larger?",
    "Tell me the larger of {a} and {b}.",
    "Compare {a} and {b}.",
];
pub(super) const COMPARE_CHINESE: &[&str] = &[
    "{a}和{b}哪个大？",
    "{a}和{b}哪个更大？",
    "{a}与{b}哪个大？",
    "哪个更大，{a}还是{b}？",
    "{a}大还是{b}大？",
    "请告诉我{a}和{b}哪个大。",
    "{a}和{b}谁大？",
    "比较{a}和{b}。",
];
pub(super) const SMALLER_ENGLISH: &[&str] = &[
    "Which is smaller, {a} or {b}?",
    "Which number is smaller, {a} or {b}?",
    "What is smaller, {a} or {b}?",
    "Which is less, {a} or {b}?",
    "Is {a} or {b} smaller?",
    "Tell me the smaller of {a} and {b}.",
];
pub(super) const SMALLER_CHINESE: &[&str] = &[
    "{a}和{b}哪个小？",
    "{a}和{b}哪个更小？",
    "哪个更小，{a}还是{b}？",
    "{a}小还是{b}小？",
    "请告诉我{a}和{b}哪个小。",
    "{a}和{b}谁小？",
];
pub(super) const IS_LARGER_ENGLISH: &[&str] = &[
    "Is {a} larger than {b}?",
    "Is {a} bigger than {b}?",
    "Is {a} more than {b}?",
    "Is {a} greater than {b}?",
];
pub(super) const IS_LARGER_CHINESE: &[&str] =
    &["{a}比{b}大吗？", "{a}大于{b}吗？", "{a}是不是比{b}大？", "{a}比{b}更大吗？"];

pub(super) const UP_ENGLISH: &[&str] = &[
    "Count from {a} to {b}.",
    "Please count from {a} to {b}.",
    "Count up from {a} to {b}.",
    "List the numbers from {a} to {b}.",
];
pub(super) const UP_CHINESE: &[&str] =
    &["从{a}数到{b}。", "请从{a}数到{b}。", "数数，从{a}到{b}。", "列出{a}到{b}的数。"];
pub(super) const DOWN_ENGLISH: &[&str] = &[
    "Count down from {a} to {b}.",
    "Please count down from {a} to {b}.",
    "Count backwards from {a} to {b}.",
    "List the numbers down from {a} to {b}.",
];
pub(super) const DOWN_CHINESE: &[&str] =
    &["从{a}倒数到{b}。", "请从{a}倒数到{b}。", "倒着数，从{a}到{b}。", "倒着列出{a}到{b}的数。"];
pub(super) const NEXT_ENGLISH: &[&str] = &[
    "What number comes after {a}?",
    "Which number comes after {a}?",
    "What is the next number after {a}?",
    "What is the number after {a}?",
    "Which number follows {a}?",
];
pub(super) const NEXT_CHINESE: &[&str] = &[
    "{a}后面的数是几？",
    "{a}后面是几？",
    "{a}的下一个数是多少？",
    "{a}之后的数是什么？",
    "哪个数在{a}后面？",
];
pub(super) const PREVIOUS_ENGLISH: &[&str] = &[
    "What number comes before {a}?",
    "Which number comes before {a}?",
    "What is the number just before {a}?",
    "What is the number before {a}?",
    "Which number precedes {a}?",
];
pub(super) const PREVIOUS_CHINESE: &[&str] = &[
    "{a}前面的数是几？",
    "{a}前面是几？",
    "{a}的上一个数是多少？",
    "{a}之前的数是什么？",
    "哪个数在{a}前面？",
];

pub(super) const PARITY_ENGLISH: &[&str] = &[
    "Is {a} even or odd?",
    "Is {a} odd or even?",
    "Is {a} an even number?",
    "Is {a} an odd number?",
    "Is the number {a} even or odd?",
    "Tell me if {a} is even or odd.",
    "Even or odd: {a}?",
    "Do you know if {a} is even?",
];
pub(super) const PARITY_CHINESE: &[&str] = &[
    "{a}是奇数还是偶数？",
    "{a}是偶数还是奇数？",
    "{a}是偶数吗？",
    "{a}是奇数吗？",
    "{a}是单数还是双数？",
    "请告诉我{a}是奇数还是偶数。",
    "数字{a}是奇数还是偶数？",
    "你知道{a}是不是偶数吗？",
];
