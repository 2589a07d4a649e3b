//! What users say about themselves, and how they ask for it.

use crate::mini_world::facts::geography;
use crate::mini_world::random::Rng;
use crate::mini_world::text::{Language, fill};
use crate::mini_world::unknown::invented_name;

/// Something that users say about themselves.
pub(super) struct Slot {
    tell: (&'static [&'static str], &'static [&'static str]),
    reply: (&'static str, &'static str),
    ask: (&'static [&'static str], &'static [&'static str]),
    pub(super) answer: (&'static str, &'static str),
    /// The answer if the user has not said it.
    pub(super) unknown: (&'static str, &'static str),
    pub(super) values: fn(Language, &mut Rng) -> String,
}

impl Slot {
    /// What the user says of `value`, and what the assistant replies.
    pub(super) fn tell(&self, value: &str, language: Language, rng: &mut Rng) -> (String, String) {
        let template = rng.phrase(language.of(self.tell.0, self.tell.1));
        let reply = language.of(self.reply.0, self.reply.1);
        let values = [("value", value)];
        (fill(template, &values), fill(reply, &values))
    }

    /// One way to ask for it later.
    pub(super) fn ask(&self, language: Language, rng: &mut Rng) -> String {
        rng.phrase(language.of(self.ask.0, self.ask.1)).to_owned()
    }
}

/// Draws one of a table of bilingual names.
fn one_of(table: &[(&str, &str)], language: Language, rng: &mut Rng) -> String {
    let &(english, chinese) = rng.pick(table);
    language.of(english, chinese).to_owned()
}

pub(super) const SLOTS: [Slot; 6] = [
    Slot {
        tell: (
            &[
                "My name is {value}.",
                "I am {value}.",
                "I'm {value}.",
                "Call me {value}.",
                "Hello, I am {value}.",
                "Hi, my name is {value}.",
                "You can call me {value}.",
                "This is {value} speaking.",
            ],
            &[
                "我叫{value}。",
                "我是{value}。",
                "我的名字是{value}。",
                "你好，我叫{value}。",
                "你好，我是{value}。",
                "叫我{value}吧。",
                "你可以叫我{value}。",
                "我名叫{value}。",
            ],
        ),
        reply: ("Nice to meet you, {value}.", "很高兴认识你，{value}。"),
        ask: (
            &[
                "What is my name?",
                "What's my name?",
                "Who am I?",
                "Do you remember my name?",
                "Tell me my name.",
                "Do you know my name?",
                "What did I say my name was?",
                "Say my name.",
            ],
            &[
                "我叫什么？",
                "我叫什么名字？",
                "我是谁？",
                "你还记得我的名字吗？",
                "我的名字是什么？",
                "你知道我叫什么吗？",
                "说出我的名字。",
                "我刚才说我叫什么？",
            ],
        ),
        answer: ("Your name is {value}.", "你叫{value}。"),
        unknown: ("You have not told me your name yet.", "你还没有告诉我你的名字。"),
        values: name,
    },
    Slot {
        tell: (
            &[
                "I like {value}.",
                "I really like {value}.",
                "I like {value} very much.",
                "I love {value}.",
                "The thing I like is {value}.",
                "I am fond of {value}.",
                "My favorite thing is {value}.",
                "I enjoy {value}.",
            ],
            &[
                "我喜欢{value}。",
                "我很喜欢{value}。",
                "我最喜欢{value}。",
                "我非常喜欢{value}。",
                "我爱{value}。",
                "我特别喜欢{value}。",
                "我喜欢的是{value}。",
                "我一直喜欢{value}。",
            ],
        ),
        reply: ("I see, you like {value}.", "我知道了，你喜欢{value}。"),
        ask: (
            &[
                "What do I like?",
                "What is it that I like?",
                "Do you remember what I like?",
                "Tell me what I like.",
                "What did I say I like?",
                "Do you know what I like?",
                "What is my favorite thing?",
                "What do I enjoy?",
            ],
            &[
                "我喜欢什么？",
                "我最喜欢什么？",
                "你还记得我喜欢什么吗？",
                "说说我喜欢什么。",
                "我刚才说我喜欢什么？",
                "你知道我喜欢什么吗？",
                "我喜欢的是什么？",
                "我爱什么？",
            ],
        ),
        answer: ("You like {value}.", "你喜欢{value}。"),
        unknown: ("You have not told me what you like yet.", "你还没有告诉我你喜欢什么。"),
        values: |language, rng| one_of(&LIKINGS, language, rng),
    },
    Slot {
        tell: (
            &[
                "I am {value} years old.",
                "I'm {value} years old.",
                "My age is {value}.",
                "I am {value}.",
            ],
            &["我今年{value}岁。", "我{value}岁了。", "我{value}岁。", "我的年龄是{value}岁。"],
        ),
        reply: ("I see, you are {value} years old.", "我知道了，你{value}岁。"),
        ask: (
            &["How old am I?", "What is my age?", "Do you remember my age?", "Tell me my age."],
            &["我几岁？", "我多大了？", "你还记得我几岁吗？", "我的年龄是多少？"],
        ),
        answer: ("You are {value} years old.", "你{value}岁。"),
        unknown: ("You have not told me your age yet.", "你还没有告诉我你的年龄。"),
        values: |_, rng| rng.between(5, 99).to_string(),
    },
    Slot {
        tell: (
            &[
                "I live in {value}.",
                "My home is in {value}.",
                "I come from {value}.",
                "I am from {value}.",
            ],
            &["我住在{value}。", "我家在{value}。", "我来自{value}。", "我是{value}人。"],
        ),
        reply: ("I see, your home is {value}.", "我知道了，你家在{value}。"),
        ask: (
            &["Where do I live?", "Where is my home?", "Where am I from?", "Where do I come from?"],
            &["我住在哪里？", "我家在哪里？", "我来自哪里？", "我是哪里人？"],
        ),
        answer: ("Your home is {value}.", "你家在{value}。"),
        unknown: ("You have not told me where you live yet.", "你还没有告诉我你住在哪里。"),
        values: |language, rng| {
            let capitals: Vec<_> = geography::capitals().collect();
            one_of(&capitals, language, rng)
        },
    },
    Slot {
        tell: (
            &["I am a {value}.", "I'm a {value}.", "I work as a {value}.", "My job is {value}."],
            &[
                "我是一名{value}。",
                "我的工作是{value}。",
                "我的职业是{value}。",
                "我是做{value}的。",
            ],
        ),
        reply: ("I see, you are a {value}.", "我知道了，你是一名{value}。"),
        ask: (
            &["What is my job?", "What do I do?", "What is my work?", "Do you remember my job?"],
            &["我的工作是什么？", "我是做什么的？", "我的职业是什么？", "你还记得我的工作吗？"],
        ),
        answer: ("You are a {value}.", "你是一名{value}。"),
        unknown: ("You have not told me your job yet.", "你还没有告诉我你的工作。"),
        values: |language, rng| one_of(&JOBS, language, rng),
    },
    Slot {
        tell: (
            &[
                "My dog is called {value}.",
                "I have a dog called {value}.",
                "My dog's name is {value}.",
                "The name of my dog is {value}.",
            ],
            &[
                "我的狗叫{value}。",
                "我有一只狗叫{value}。",
                "我的狗的名字是{value}。",
                "我家的狗叫{value}。",
            ],
        ),
        reply: ("What a good name! Hello, {value}.", "好名字！你好，{value}。"),
        ask: (
            &[
                "What is my dog called?",
                "What is the name of my dog?",
                "What is my dog's name?",
                "Do you remember my dog's name?",
            ],
            &[
                "我的狗叫什么？",
                "我的狗叫什么名字？",
                "我的狗的名字是什么？",
                "你还记得我的狗叫什么吗？",
            ],
        ),
        answer: ("Your dog is called {value}.", "你的狗叫{value}。"),
        unknown: ("You have not told me the name of your dog yet.", "你还没有告诉我你的狗叫什么。"),
        values: |language, rng| one_of(&DOGS, language, rng),
    },
];

/// A name. In Chinese one in five is foreign, and one in ten anywhere is new to everybody.
fn name(language: Language, rng: &mut Rng) -> String {
    if rng.chance(10) {
        return invented_name(language, rng);
    }
    let script = if rng.chance(20) { Language::English } else { language };
    one_of(&NAMES, script, rng)
}

const NAMES: [(&str, &str); 40] = [
    ("Lan", "小兰"),
    ("Ming", "小明"),
    ("Li Hua", "李华"),
    ("Wang Fang", "王芳"),
    ("Zhang Wei", "张伟"),
    ("Chen Jing", "陈静"),
    ("Liu Yang", "刘洋"),
    ("Zhao Lei", "赵磊"),
    ("Yang Fan", "杨帆"),
    ("Wu Min", "吴敏"),
    ("Zhou Jie", "周杰"),
    ("Sun Yue", "孙悦"),
    ("Lin Tao", "林涛"),
    ("He Ping", "何平"),
    ("Gao Feng", "高峰"),
    ("Ma Li", "马丽"),
    ("Xu Kai", "徐凯"),
    ("Zhu Ying", "朱颖"),
    ("Hu Bin", "胡斌"),
    ("Guo Qiang", "郭强"),
    ("Alice", "爱丽丝"),
    ("Bob", "鲍勃"),
    ("Carol", "卡罗尔"),
    ("David", "大卫"),
    ("Emma", "艾玛"),
    ("Frank", "弗兰克"),
    ("Grace", "格蕾丝"),
    ("Henry", "亨利"),
    ("Iris", "艾瑞丝"),
    ("Jack", "杰克"),
    ("Kate", "凯特"),
    ("Lucy", "露西"),
    ("Mary", "玛丽"),
    ("Nick", "尼克"),
    ("Olivia", "奥利维亚"),
    ("Peter", "彼得"),
    ("Rose", "罗丝"),
    ("Sam", "山姆"),
    ("Tom", "汤姆"),
    ("Vera", "薇拉"),
];

const LIKINGS: [(&str, &str); 32] = [
    ("apples", "苹果"),
    ("bananas", "香蕉"),
    ("peaches", "桃子"),
    ("watermelon", "西瓜"),
    ("noodles", "面条"),
    ("rice", "米饭"),
    ("tofu", "豆腐"),
    ("chocolate", "巧克力"),
    ("tea", "茶"),
    ("coffee", "咖啡"),
    ("milk", "牛奶"),
    ("cats", "猫"),
    ("dogs", "狗"),
    ("pandas", "熊猫"),
    ("birds", "鸟"),
    ("horses", "马"),
    ("flowers", "花"),
    ("the sea", "大海"),
    ("snow", "雪"),
    ("the moon", "月亮"),
    ("music", "音乐"),
    ("books", "书"),
    ("games", "游戏"),
    ("football", "足球"),
    ("swimming", "游泳"),
    ("running", "跑步"),
    ("singing", "唱歌"),
    ("cooking", "做饭"),
    ("travel", "旅行"),
    ("mathematics", "数学"),
    ("blue", "蓝色"),
    ("Rust", "Rust"),
];

const JOBS: [(&str, &str); 16] = [
    ("teacher", "老师"),
    ("doctor", "医生"),
    ("student", "学生"),
    ("nurse", "护士"),
    ("farmer", "农民"),
    ("cook", "厨师"),
    ("driver", "司机"),
    ("singer", "歌手"),
    ("writer", "作家"),
    ("painter", "画家"),
    ("pilot", "飞行员"),
    ("lawyer", "律师"),
    ("programmer", "程序员"),
    ("scientist", "科学家"),
    ("soldier", "士兵"),
    ("dancer", "舞蹈家"),
];

const DOGS: [(&str, &str); 12] = [
    ("Lucky", "来福"),
    ("Max", "旺财"),
    ("Bella", "豆豆"),
    ("Coco", "可可"),
    ("Snow", "小白"),
    ("Star", "星星"),
    ("Happy", "乐乐"),
    ("Bear", "大熊"),
    ("Sugar", "糖糖"),
    ("Ginger", "大黄"),
    ("Shadow", "小黑"),
    ("Flower", "花花"),
];
