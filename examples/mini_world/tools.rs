//! Tool calls in InternLM2.5's protocol.
//!
//! The tools stand as JSON in a system turn named `<|plugin|>`; a call follows what the assistant
//! says, between `<|action_start|><|plugin|>` and `<|action_end|>`; its result comes as a turn of
//! the environment. Which tools are there changes what is right: without them the assistant says
//! that it cannot know.
//!
//! # Source
//!
//! InternLM, `chat/chat_format.md`.

use puyu_core::Role;

use super::Draft;
use super::arithmetic::{Operation, compute, equation, in_words};
use super::facts::geography;
use super::random::Rng;
use super::system;
use super::text::{ACTION_END, ACTION_START, Language, PLUGIN, Turn, fill};
use super::unknown::invented_name;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Weather,
    Time,
    Calculator,
}

impl Tool {
    const ALL: [Self; 3] = [Self::Weather, Self::Time, Self::Calculator];

    /// The tool as the model reads it, spaced as Python's `json.dumps` does.
    fn description(self) -> &'static str {
        match self {
            Self::Weather => {
                r#"{"name": "get_weather", "description": "Get the weather of a city", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}"#
            }
            Self::Time => {
                r#"{"name": "get_time", "description": "Get the time in a city", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}"#
            }
            Self::Calculator => {
                r#"{"name": "calculator", "description": "Calculate an expression", "parameters": {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]}}"#
            }
        }
    }

    /// What the assistant says if it has no such tool.
    fn absent(self, language: Language) -> &'static str {
        match self {
            Self::Weather => {
                language.of("I cannot see the weather from here.", "我在这里看不到天气。")
            }
            Self::Time => language
                .of("I have no clock, so I do not know the time.", "我没有钟，不知道现在几点。"),
            Self::Calculator => language
                .of("That is too large for me without a calculator.", "没有计算器，这个我算不了。"),
        }
    }
}

/// A task for a tool, with all that is said about it.
struct Task {
    question: String,
    /// What the assistant says before it calls.
    announcement: &'static str,
    /// The call, as JSON.
    call: String,
    /// What comes back, as JSON.
    result: String,
    answer: String,
}

/// The user asks for what a tool knows, or for something else while tools are there, or for what
/// no tool at hand knows.
pub(super) fn use_tools(draft: &mut Draft, language: Language, rng: &mut Rng) {
    let tool = *rng.pick(&Tool::ALL);
    let task = task(tool, language, rng);
    if rng.chance(10) {
        draft.say(Role::System, system::plain(language, rng));
    }
    match rng.below(100) {
        0..15 => {
            let others = Tool::ALL.into_iter().filter(|&other| other != tool && rng.chance(40));
            offer(draft, others.collect(), rng);
            draft.ask(task.question, tool.absent(language));
        }
        15..32 => {
            offer(draft, vec![tool], rng);
            draft.exchange(language, rng);
        }
        _ => {
            let others = Tool::ALL.into_iter().filter(|&other| other == tool || rng.chance(35));
            offer(draft, others.collect(), rng);
            carry_out(draft, task, rng);
            if rng.chance(25) {
                draft.exchange(language, rng);
            }
        }
    }
}

/// Lists the tools in a random order. No tools, no list.
fn offer(draft: &mut Draft, mut tools: Vec<Tool>, rng: &mut Rng) {
    if tools.is_empty() {
        return;
    }
    let start = rng.below(tools.len());
    tools.rotate_left(start);
    let list: Vec<_> = tools.into_iter().map(Tool::description).collect();
    draft.turns.push(Turn::plugin(Role::System, format!("[{}]", list.join(", "))));
}

/// Question, call, result, answer.
fn carry_out(draft: &mut Draft, task: Task, rng: &mut Rng) {
    let Task { question, announcement, call, result, answer } = task;
    let call = format!("{announcement}{ACTION_START}{PLUGIN}\n{call}{ACTION_END}");
    draft.ask(question, call);
    // Servers differ: InternLM names the channel of a result, LMDeploy does not.
    let result = match rng.below(2) {
        0 => Turn::new(Role::Environment, result),
        _ => Turn::plugin(Role::Environment, result),
    };
    draft.turns.push(result);
    draft.say(Role::Assistant, answer);
}

fn task(tool: Tool, language: Language, rng: &mut Rng) -> Task {
    match tool {
        Tool::Weather => weather(language, rng),
        Tool::Time => time(language, rng),
        Tool::Calculator => calculation(language, rng),
    }
}

/// A city, known or not: what matters is to copy its name.
fn city(language: Language, rng: &mut Rng) -> String {
    if rng.chance(20) {
        return invented_name(language, rng);
    }
    let cities: Vec<_> = geography::capitals().chain(MORE_CITIES).collect();
    let &(english, chinese) = rng.pick(&cities);
    language.of(english, chinese).to_owned()
}

fn weather(language: Language, rng: &mut Rng) -> Task {
    let city = city(language, rng);
    let &(english, chinese) = rng.pick(&WEATHERS);
    let weather = language.of(english, chinese);
    let degrees = rng.between(0, 38).to_string();
    let values = [("city", &*city), ("weather", weather), ("degrees", &*degrees)];
    let answer = language.of(
        "It is {weather} in {city}, {degrees} degrees.",
        "{city}现在{weather}，气温{degrees}度。",
    );
    let (result, answer) = if rng.chance(8) {
        not_found(&city, language)
    } else {
        let result =
            format!(r#"{{"city": "{city}", "weather": "{weather}", "temperature": {degrees}}}"#);
        (result, fill(answer, &values))
    };
    Task {
        question: fill(rng.phrase(language.of(WEATHER_ENGLISH, WEATHER_CHINESE)), &values),
        announcement: language.of("Let me check the weather.", "我来查一下天气。"),
        call: format!(r#"{{"name": "get_weather", "parameters": {{"city": "{city}"}}}}"#),
        result,
        answer,
    }
}

fn time(language: Language, rng: &mut Rng) -> Task {
    let city = city(language, rng);
    let time = format!("{:02}:{:02}", rng.below(24), rng.below(60));
    let values = [("city", &*city), ("time", &*time)];
    let answer = language.of("It is {time} in {city} now.", "{city}现在是{time}。");
    let (result, answer) = if rng.chance(8) {
        not_found(&city, language)
    } else {
        (format!(r#"{{"city": "{city}", "time": "{time}"}}"#), fill(answer, &values))
    };
    Task {
        question: fill(rng.phrase(language.of(TIME_ENGLISH, TIME_CHINESE)), &values),
        announcement: language.of("Let me check the time.", "我来查一下时间。"),
        call: format!(r#"{{"name": "get_time", "parameters": {{"city": "{city}"}}}}"#),
        result,
        answer,
    }
}

/// The result of a tool that knows no such city, and what the assistant makes of it.
fn not_found(city: &str, language: Language) -> (String, String) {
    let answer = language.of("I could not find {city}.", "我没有找到{city}。");
    (r#"{"error": "city not found"}"#.to_owned(), fill(answer, &[("city", city)]))
}

/// A sum with numbers beyond those that the model learns.
fn calculation(language: Language, rng: &mut Rng) -> Task {
    let operation = *rng.pick(&[Operation::Add, Operation::Subtract, Operation::Multiply]);
    let largest = if operation == Operation::Multiply { 999 } else { 9999 };
    let (a, b) = (rng.between(100, largest), rng.between(100, largest));
    let pair = (a.max(b), a.min(b));
    // Tools speak ASCII, as programming languages do.
    let sign = match operation {
        Operation::Add => "+",
        Operation::Subtract => "-",
        _ => "*",
    };
    Task {
        question: in_words(operation, pair, language, rng),
        announcement: language.of("Let me calculate.", "我来算一下。"),
        call: format!(
            r#"{{"name": "calculator", "parameters": {{"expression": "{} {sign} {}"}}}}"#,
            pair.0, pair.1
        ),
        result: format!(r#"{{"result": {}}}"#, compute(operation, pair.0, pair.1)),
        answer: equation(operation, pair, language),
    }
}

const WEATHER_ENGLISH: &[&str] = &[
    "What is the weather in {city}?",
    "How is the weather in {city}?",
    "What's the weather like in {city}?",
    "What is the weather like in {city} now?",
    "How is the weather in {city} today?",
    "Tell me the weather in {city}.",
    "Check the weather in {city}.",
    "Weather in {city}?",
];
const WEATHER_CHINESE: &[&str] = &[
    "{city}天气怎么样？",
    "{city}今天天气怎么样？",
    "{city}现在天气怎么样？",
    "{city}的天气如何？",
    "查一下{city}的天气。",
    "告诉我{city}的天气。",
    "帮我看看{city}的天气。",
    "请问{city}天气好吗？",
];
const TIME_ENGLISH: &[&str] = &[
    "What time is it in {city}?",
    "What time is it in {city} now?",
    "What is the time in {city}?",
    "What's the time in {city}?",
    "Tell me the time in {city}.",
    "Check the time in {city}.",
    "Do you know the time in {city}?",
    "Time in {city}?",
];
const TIME_CHINESE: &[&str] = &[
    "{city}现在几点？",
    "{city}几点了？",
    "{city}现在是几点？",
    "{city}现在是什么时间？",
    "查一下{city}的时间。",
    "告诉我{city}的时间。",
    "帮我看看{city}几点了。",
    "请问{city}现在几点？",
];

const WEATHERS: [(&str, &str); 6] = [
    ("sunny", "晴天"),
    ("cloudy", "多云"),
    ("rainy", "下雨"),
    ("snowy", "下雪"),
    ("windy", "刮风"),
    ("foggy", "有雾"),
];

const MORE_CITIES: [(&str, &str); 16] = [
    ("Shanghai", "上海"),
    ("Guangzhou", "广州"),
    ("Shenzhen", "深圳"),
    ("Hangzhou", "杭州"),
    ("Chengdu", "成都"),
    ("Wuhan", "武汉"),
    ("Xi'an", "西安"),
    ("Nanjing", "南京"),
    ("Hong Kong", "香港"),
    ("New York", "纽约"),
    ("Boston", "波士顿"),
    ("Sydney", "悉尼"),
    ("Munich", "慕尼黑"),
    ("Milan", "米兰"),
    ("Osaka", "大阪"),
    ("Toronto", "多伦多"),
];
