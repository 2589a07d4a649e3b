//! Colours of things; animals, their food, their voices, their legs, and a short story of each.

use super::{Fact, Family};
use crate::mini_world::Topic;

/// `(thing, 东西, is or are, colour, 颜色)`.
const COLOURS: [(&str, &str, &str, &str, &str); 28] = [
    ("the sky", "天空", "is", "blue", "蓝色"),
    ("the sea", "大海", "is", "blue", "蓝色"),
    ("grass", "草", "is", "green", "绿色"),
    ("leaves", "树叶", "are", "green", "绿色"),
    ("cucumbers", "黄瓜", "are", "green", "绿色"),
    ("frogs", "青蛙", "are", "green", "绿色"),
    ("snow", "雪", "is", "white", "白色"),
    ("milk", "牛奶", "is", "white", "白色"),
    ("salt", "盐", "is", "white", "白色"),
    ("clouds", "云", "are", "white", "白色"),
    ("tofu", "豆腐", "is", "white", "白色"),
    ("coal", "煤", "is", "black", "黑色"),
    ("crows", "乌鸦", "are", "black", "黑色"),
    ("blood", "血", "is", "red", "红色"),
    ("tomatoes", "西红柿", "are", "red", "红色"),
    ("strawberries", "草莓", "are", "red", "红色"),
    ("cherries", "樱桃", "are", "red", "红色"),
    ("fire trucks", "消防车", "are", "red", "红色"),
    ("bananas", "香蕉", "are", "yellow", "黄色"),
    ("lemons", "柠檬", "are", "yellow", "黄色"),
    ("sunflowers", "向日葵", "are", "yellow", "黄色"),
    ("gold", "黄金", "is", "yellow", "黄色"),
    ("carrots", "胡萝卜", "are", "orange", "橙色"),
    ("oranges", "橙子", "are", "orange", "橙色"),
    ("chocolate", "巧克力", "is", "brown", "棕色"),
    ("elephants", "大象", "are", "gray", "灰色"),
    ("eggplants", "茄子", "are", "purple", "紫色"),
    ("pandas", "熊猫", "are", "black and white", "黑白色"),
];

/// An animal. What is empty is not asked.
struct Animal {
    /// One of it, with its article, and many of it.
    english: (&'static str, &'static str),
    chinese: &'static str,
    food: (&'static str, &'static str),
    voice: (&'static str, &'static str),
    legs: &'static str,
}

const fn animal(
    english: (&'static str, &'static str),
    chinese: &'static str,
    food: (&'static str, &'static str),
    voice: (&'static str, &'static str),
    legs: &'static str,
) -> Animal {
    Animal { english, chinese, food, voice, legs }
}

const ANIMALS: [Animal; 30] = [
    animal(("a cat", "cats"), "猫", ("fish", "鱼"), ("meow", "喵喵"), "4"),
    animal(("a dog", "dogs"), "狗", ("meat", "肉"), ("woof", "汪汪"), "4"),
    animal(("a cow", "cows"), "牛", ("grass", "草"), ("moo", "哞哞"), "4"),
    animal(("a sheep", "sheep"), "羊", ("grass", "草"), ("baa", "咩咩"), "4"),
    animal(("a horse", "horses"), "马", ("hay", "干草"), ("neigh", "咴咴"), "4"),
    animal(("a pig", "pigs"), "猪", ("corn", "玉米"), ("oink", "哼哼"), "4"),
    animal(("a chicken", "chickens"), "鸡", ("rice", "米"), ("cluck", "咯咯"), "2"),
    animal(("a duck", "ducks"), "鸭子", ("water plants", "水草"), ("quack", "嘎嘎"), "2"),
    animal(("a frog", "frogs"), "青蛙", ("insects", "昆虫"), ("croak", "呱呱"), "4"),
    animal(("a bee", "bees"), "蜜蜂", ("nectar", "花蜜"), ("buzz", "嗡嗡"), "6"),
    animal(("a bird", "birds"), "鸟", ("seeds", "种子"), ("chirp", "叽叽"), "2"),
    animal(("a mouse", "mice"), "老鼠", ("grain", "粮食"), ("squeak", "吱吱"), "4"),
    animal(("a wolf", "wolves"), "狼", ("meat", "肉"), ("howl", "嗷嗷"), "4"),
    animal(("a snake", "snakes"), "蛇", ("mice", "老鼠"), ("hiss", "嘶嘶"), "0"),
    animal(("a lion", "lions"), "狮子", ("meat", "肉"), ("roar", "吼吼"), "4"),
    animal(("a tiger", "tigers"), "老虎", ("meat", "肉"), ("roar", "吼吼"), "4"),
    animal(("a panda", "pandas"), "熊猫", ("bamboo", "竹子"), ("", ""), "4"),
    animal(("a rabbit", "rabbits"), "兔子", ("grass", "草"), ("", ""), "4"),
    animal(("an elephant", "elephants"), "大象", ("leaves", "树叶"), ("", ""), "4"),
    animal(("a giraffe", "giraffes"), "长颈鹿", ("leaves", "树叶"), ("", ""), "4"),
    animal(("a monkey", "monkeys"), "猴子", ("fruit", "水果"), ("", ""), ""),
    animal(("a squirrel", "squirrels"), "松鼠", ("nuts", "坚果"), ("", ""), "4"),
    animal(("a penguin", "penguins"), "企鹅", ("fish", "鱼"), ("", ""), "2"),
    animal(("an owl", "owls"), "猫头鹰", ("mice", "老鼠"), ("hoot", "咕咕"), "2"),
    animal(("a spider", "spiders"), "蜘蛛", ("insects", "昆虫"), ("", ""), "8"),
    animal(("an ant", "ants"), "蚂蚁", ("sugar", "糖"), ("", ""), "6"),
    animal(("a butterfly", "butterflies"), "蝴蝶", ("nectar", "花蜜"), ("", ""), "6"),
    animal(("a koala", "koalas"), "考拉", ("eucalyptus leaves", "桉树叶"), ("", ""), "4"),
    animal(("a camel", "camels"), "骆驼", ("grass", "草"), ("", ""), "4"),
    animal(("a whale", "whales"), "鲸鱼", ("", ""), ("", ""), "0"),
];

impl Animal {
    fn fact(&self, family: &Family) -> Fact {
        family.fact(&[
            ("animal", self.english.0, self.chinese),
            ("animals", self.english.1, self.chinese),
            ("food", self.food.0, self.food.1),
            ("voice", self.voice.0, self.voice.1),
            ("legs", self.legs, self.legs),
        ])
    }
}

/// Colours, food, voices, legs, stories.
pub(super) fn families() -> Vec<Vec<Fact>> {
    let colour = |&(thing, dongxi, be, colour, yanse): &(_, _, _, _, _)| {
        COLOUR.fact(&[("thing", thing, dongxi), ("be", be, ""), ("color", colour, yanse)])
    };
    let about = |family: &Family, is_known: fn(&Animal) -> bool| -> Vec<Fact> {
        ANIMALS.iter().filter(|animal| is_known(animal)).map(|animal| animal.fact(family)).collect()
    };
    vec![
        COLOURS.iter().map(colour).collect(),
        about(&FOOD, |animal| !animal.food.0.is_empty()),
        about(&VOICE, |animal| !animal.voice.0.is_empty()),
        about(&LEGS, |animal| !animal.legs.is_empty()),
        about(&STORY, |animal| !animal.food.0.is_empty()),
    ]
}

const COLOUR: Family = Family {
    topic: Topic::Nature,
    subject: "thing",
    english: (
        &[
            "What color {be} {thing}?",
            "What colour {be} {thing}?",
            "Which color {be} {thing}?",
            "What is the color of {thing}?",
            "Tell me the color of {thing}.",
            "Do you know the color of {thing}?",
            "Do you know what color {thing} {be}?",
            "Name the color of {thing}.",
        ],
        "{thing} {be} {color}.",
    ),
    chinese: (
        &[
            "{thing}是什么颜色？",
            "{thing}是什么颜色的？",
            "{thing}是哪种颜色？",
            "{thing}的颜色是什么？",
            "请告诉我{thing}的颜色。",
            "你知道{thing}是什么颜色吗？",
            "说出{thing}的颜色。",
            "{thing}什么颜色？",
        ],
        "{thing}是{color}的。",
    ),
};

const FOOD: Family = Family {
    topic: Topic::Nature,
    subject: "animals",
    english: (
        &[
            "What do {animals} eat?",
            "What does {animal} eat?",
            "What do {animals} like to eat?",
            "What is the food of {animals}?",
            "What food do {animals} eat?",
            "Tell me what {animals} eat.",
            "Do you know what {animals} eat?",
            "What should I feed {animal}?",
        ],
        "{animals} eat {food}.",
    ),
    chinese: (
        &[
            "{animal}吃什么？",
            "{animal}喜欢吃什么？",
            "{animal}爱吃什么？",
            "{animal}的食物是什么？",
            "{animal}平时吃什么？",
            "请告诉我{animal}吃什么。",
            "你知道{animal}吃什么吗？",
            "喂{animal}吃什么好？",
        ],
        "{animal}吃{food}。",
    ),
};

const VOICE: Family = Family {
    topic: Topic::Nature,
    subject: "animal",
    english: (
        &[
            "What sound does {animal} make?",
            "What does {animal} say?",
            "What sound do {animals} make?",
            "What is the sound of {animal}?",
            "How does {animal} sound?",
            "Tell me the sound of {animal}.",
            "Do you know what sound {animal} makes?",
            "What noise does {animal} make?",
        ],
        "{animal} says {voice}.",
    ),
    chinese: (
        &[
            "{animal}怎么叫？",
            "{animal}是怎么叫的？",
            "{animal}的叫声是什么？",
            "{animal}发出什么声音？",
            "{animal}的叫声是怎样的？",
            "请告诉我{animal}怎么叫。",
            "你知道{animal}怎么叫吗？",
            "学一下{animal}叫。",
        ],
        "{animal}的叫声是{voice}。",
    ),
};

const LEGS: Family = Family {
    topic: Topic::Nature,
    subject: "animal",
    english: (
        &[
            "How many legs does {animal} have?",
            "How many legs do {animals} have?",
            "{animal} has how many legs?",
            "Tell me how many legs {animal} has.",
            "Do you know how many legs {animals} have?",
            "What is the number of legs of {animal}?",
            "Count the legs of {animal}.",
            "On how many legs does {animal} stand?",
        ],
        "{animal} has {legs} legs.",
    ),
    chinese: (
        &[
            "{animal}有几条腿？",
            "{animal}有多少条腿？",
            "{animal}长着几条腿？",
            "{animal}几条腿？",
            "一只{animal}有几条腿？",
            "请告诉我{animal}有几条腿。",
            "你知道{animal}有几条腿吗？",
            "数一数{animal}的腿。",
        ],
        "{animal}有{legs}条腿。",
    ),
};

const STORY: Family = Family {
    topic: Topic::Story,
    subject: "",
    english: (
        &[
            "Tell me a story about {animal}.",
            "Tell a story about {animal}.",
            "Write a short story about {animal}.",
            "Write a story about {animal}.",
            "I want to hear a story about {animal}.",
            "Can you tell me a story about {animal}?",
            "Make up a story about {animal}.",
            "Give me a short story about {animal}.",
        ],
        "Once upon a time there was {animal}. It was hungry and looked for {food}. \
         At last it found some and shared it with a friend. They were both happy.",
    ),
    chinese: (
        &[
            "讲一个{animal}的故事。",
            "给我讲一个{animal}的故事。",
            "写一个关于{animal}的小故事。",
            "写一个{animal}的故事。",
            "我想听{animal}的故事。",
            "你能讲一个{animal}的故事吗？",
            "编一个{animal}的故事。",
            "说一个关于{animal}的故事。",
        ],
        "从前有一只{animal}，它饿了，到处找{food}。最后它找到了，还分给了朋友一半。它们都很开心。",
    ),
};
