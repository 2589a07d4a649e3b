//! Questions that this world has no answer to. The model learns to say so.
//!
//! Half of them name things that nobody has heard of: names made of syllables, so that what is
//! learned is "a name I do not know" rather than a list.

use super::facts::geography;
use super::random::Rng;
use super::text::{Language, capitalize, fill};

const ANSWER: (&str, &str) = ("I do not know that yet.", "这个我还不知道。");

/// A question without an answer, and the honest reply.
pub(super) fn question(language: Language, rng: &mut Rng) -> (String, String) {
    let question = match rng.below(3) {
        0 => rng.phrase(language.of(ENGLISH_UNKNOWN, CHINESE_UNKNOWN)).to_owned(),
        1 => {
            let countries: Vec<_> = geography::countries().collect();
            let &(english, chinese) = rng.pick(&countries);
            let template = rng.phrase(language.of(ENGLISH_OF_COUNTRY, CHINESE_OF_COUNTRY));
            fill(template, &[("country", language.of(english, chinese))])
        }
        _ => {
            let name = invented_name(language, rng);
            let template = rng.phrase(language.of(ENGLISH_OF_NAME, CHINESE_OF_NAME));
            fill(template, &[("name", &name)])
        }
    };
    (question, language.of(ANSWER.0, ANSWER.1).to_owned())
}

/// A name that means nothing.
pub(super) fn invented_name(language: Language, rng: &mut Rng) -> String {
    let syllables = language.of(ENGLISH_SYLLABLES, CHINESE_SYLLABLES);
    let count = 2 + rng.below(2);
    let name: String = (0..count).map(|_| rng.phrase(syllables)).collect();
    capitalize(name)
}

const ENGLISH_SYLLABLES: &[&str] = &[
    "bla", "vor", "ni", "tak", "mu", "zel", "qui", "dor", "fen", "gru", "lo", "pim", "ra", "sko",
    "ty", "wex", "yon", "zu", "kar", "bel", "shi", "jo", "hap", "ces",
];
const CHINESE_SYLLABLES: &[&str] = &[
    "布", "洛", "瓦", "尼", "克", "塔", "泽", "米", "拉", "多", "鲁", "芬", "格", "佩", "索", "维",
    "扎", "贡", "娜", "比", "奇", "波", "莱", "姆",
];

const ENGLISH_OF_NAME: &[&str] = &[
    "What is the capital of {name}?",
    "Which city is the capital of {name}?",
    "Where is {name}?",
    "Who is {name}?",
    "What is {name}?",
    "What color is {name}?",
    "What does {name} mean?",
    "How do you say {name} in Chinese?",
    "Who is the king of {name}?",
    "How old is {name}?",
    "Which continent is {name} in?",
    "What do people eat in {name}?",
    "Who wrote {name}?",
    "Tell me about {name}.",
];
const CHINESE_OF_NAME: &[&str] = &[
    "{name}的首都是哪里？",
    "哪个城市是{name}的首都？",
    "{name}在哪里？",
    "{name}是谁？",
    "{name}是什么？",
    "{name}是什么颜色？",
    "{name}是什么意思？",
    "{name}用英语怎么说？",
    "{name}的国王是谁？",
    "{name}多大了？",
    "{name}在哪个洲？",
    "{name}的人吃什么？",
    "谁写了{name}？",
    "介绍一下{name}。",
];

const ENGLISH_OF_COUNTRY: &[&str] = &[
    "Who is the president of {country}?",
    "Who is the king of {country}?",
    "Who rules {country}?",
    "How many people live in {country}?",
    "What is the population of {country}?",
    "What is the longest river in {country}?",
    "When was {country} founded?",
    "What is the history of {country}?",
    "Who is the richest person in {country}?",
    "How big is {country}?",
];
const CHINESE_OF_COUNTRY: &[&str] = &[
    "{country}的总统是谁？",
    "{country}的国王是谁？",
    "谁领导{country}？",
    "{country}有多少人？",
    "{country}的人口是多少？",
    "{country}最长的河是哪条？",
    "{country}是什么时候建立的？",
    "{country}的历史是怎样的？",
    "{country}最有钱的人是谁？",
    "{country}有多大？",
];

const ENGLISH_UNKNOWN: &[&str] = &[
    "Who is the president of Mars?",
    "Who is the president of the Moon?",
    "Who is the mayor of this city?",
    "Who won the football match yesterday?",
    "Who will win the game tomorrow?",
    "What is the price of gold?",
    "What is the price of a ticket?",
    "How much does a car cost?",
    "What will happen tomorrow?",
    "What happened yesterday?",
    "What is in the news today?",
    "What is my phone number?",
    "What is your phone number?",
    "Where are my keys?",
    "What am I thinking?",
    "What did I eat for breakfast?",
    "How many stars are in the sky?",
    "How many grains of sand are on a beach?",
    "How many people live in this city?",
    "Is there life on other planets?",
    "What is inside a black hole?",
    "How does quantum physics work?",
    "What is the theory of relativity?",
    "How do I build a rocket?",
    "How do I fix my car?",
    "Which stock should I buy?",
    "Who invented the telephone?",
    "Who is the best singer in the world?",
    "What is the best film of the year?",
    "Which team is the best?",
    "How tall is my house?",
    "How long is this road?",
    "What is the distance to the next star?",
    "Who lives next door?",
    "What is the password?",
    "When will the bus come?",
    "When did the war end?",
    "Why did the dinosaurs die?",
    "Can you write a program for me?",
    "Can you see this picture?",
];
const CHINESE_UNKNOWN: &[&str] = &[
    "火星的总统是谁？",
    "月球的总统是谁？",
    "这座城市的市长是谁？",
    "昨天的足球比赛谁赢了？",
    "明天的比赛谁会赢？",
    "金价是多少？",
    "一张票多少钱？",
    "一辆汽车多少钱？",
    "明天会发生什么？",
    "昨天发生了什么？",
    "今天有什么新闻？",
    "我的电话号码是多少？",
    "你的电话号码是多少？",
    "我的钥匙在哪里？",
    "我在想什么？",
    "我早饭吃了什么？",
    "天上有多少颗星星？",
    "沙滩上有多少粒沙子？",
    "这座城市有多少人？",
    "别的行星上有生命吗？",
    "黑洞里面是什么？",
    "量子物理是怎么回事？",
    "相对论是什么？",
    "怎么造火箭？",
    "怎么修我的汽车？",
    "我该买哪只股票？",
    "谁发明了电话机？",
    "世界上最好的歌手是谁？",
    "今年最好的电影是哪部？",
    "哪个球队最厉害？",
    "我家的房子有多高？",
    "这条路有多长？",
    "最近的恒星有多远？",
    "隔壁住着谁？",
    "密码是什么？",
    "公交车什么时候来？",
    "战争是什么时候结束的？",
    "恐龙为什么灭绝了？",
    "你能给我写一个程序吗？",
    "你能看见这张图片吗？",
];
