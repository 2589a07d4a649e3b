//! A little dictionary: opposites and translations.

use super::{Fact, Family};
use crate::mini_world::Topic;

/// A word, `(english, chinese)`.
type Word = (&'static str, &'static str);

/// Pairs of opposites. Each word stands in one pair only, so that it has one opposite.
const OPPOSITES: [(Word, Word); 36] = [
    (("hot", "热"), ("cold", "冷")),
    (("big", "大"), ("small", "小")),
    (("long", "长"), ("short", "短")),
    (("high", "高"), ("low", "低")),
    (("new", "新"), ("old", "旧")),
    (("fast", "快"), ("slow", "慢")),
    (("good", "好"), ("bad", "坏")),
    (("up", "上"), ("down", "下")),
    (("left", "左"), ("right", "右")),
    (("front", "前"), ("back", "后")),
    (("inside", "里"), ("outside", "外")),
    (("open", "开"), ("closed", "关")),
    (("full", "满"), ("empty", "空")),
    (("rich", "富"), ("poor", "穷")),
    (("strong", "强"), ("weak", "弱")),
    (("thick", "厚"), ("thin", "薄")),
    (("wide", "宽"), ("narrow", "窄")),
    (("deep", "深"), ("shallow", "浅")),
    (("heavy", "重"), ("light", "轻")),
    (("bright", "亮"), ("dark", "暗")),
    (("wet", "湿"), ("dry", "干")),
    (("early", "早"), ("late", "晚")),
    (("near", "近"), ("far", "远")),
    (("many", "多"), ("few", "少")),
    (("hard", "硬"), ("soft", "软")),
    (("love", "爱"), ("hate", "恨")),
    (("buy", "买"), ("sell", "卖")),
    (("win", "赢"), ("lose", "输")),
    (("true", "真"), ("false", "假")),
    (("clean", "干净"), ("dirty", "脏")),
    (("easy", "容易"), ("difficult", "困难")),
    (("happy", "快乐"), ("sad", "悲伤")),
    (("safe", "安全"), ("dangerous", "危险")),
    (("begin", "开始"), ("end", "结束")),
    (("day", "白天"), ("night", "黑夜")),
    (("beautiful", "美丽"), ("ugly", "丑陋")),
];

/// Everyday words. No word stands twice on either side.
const DICTIONARY: [Word; 96] = [
    ("apple", "苹果"),
    ("banana", "香蕉"),
    ("orange", "橙子"),
    ("grape", "葡萄"),
    ("peach", "桃子"),
    ("pear", "梨"),
    ("watermelon", "西瓜"),
    ("rice", "米饭"),
    ("noodles", "面条"),
    ("bread", "面包"),
    ("egg", "鸡蛋"),
    ("meat", "肉"),
    ("fish", "鱼"),
    ("milk", "牛奶"),
    ("tea", "茶"),
    ("coffee", "咖啡"),
    ("sugar", "糖"),
    ("salt", "盐"),
    ("soup", "汤"),
    ("vegetable", "蔬菜"),
    ("fruit", "水果"),
    ("water", "水"),
    ("fire", "火"),
    ("wind", "风"),
    ("rain", "雨"),
    ("snow", "雪"),
    ("cloud", "云"),
    ("sun", "太阳"),
    ("moon", "月亮"),
    ("star", "星星"),
    ("mountain", "山"),
    ("river", "河"),
    ("sea", "海"),
    ("tree", "树"),
    ("flower", "花"),
    ("grass", "草"),
    ("stone", "石头"),
    ("cat", "猫"),
    ("dog", "狗"),
    ("bird", "鸟"),
    ("horse", "马"),
    ("cow", "牛"),
    ("sheep", "羊"),
    ("pig", "猪"),
    ("tiger", "老虎"),
    ("rabbit", "兔子"),
    ("father", "爸爸"),
    ("mother", "妈妈"),
    ("friend", "朋友"),
    ("teacher", "老师"),
    ("student", "学生"),
    ("doctor", "医生"),
    ("child", "孩子"),
    ("hand", "手"),
    ("foot", "脚"),
    ("eye", "眼睛"),
    ("ear", "耳朵"),
    ("mouth", "嘴"),
    ("nose", "鼻子"),
    ("heart", "心"),
    ("house", "房子"),
    ("door", "门"),
    ("window", "窗户"),
    ("table", "桌子"),
    ("chair", "椅子"),
    ("bed", "床"),
    ("lamp", "灯"),
    ("cup", "杯子"),
    ("book", "书"),
    ("pen", "笔"),
    ("paper", "纸"),
    ("computer", "电脑"),
    ("phone", "电话"),
    ("clock", "钟"),
    ("car", "汽车"),
    ("bicycle", "自行车"),
    ("train", "火车"),
    ("airplane", "飞机"),
    ("ship", "船"),
    ("road", "路"),
    ("school", "学校"),
    ("hospital", "医院"),
    ("city", "城市"),
    ("village", "村庄"),
    ("music", "音乐"),
    ("picture", "图画"),
    ("game", "游戏"),
    ("today", "今天"),
    ("tomorrow", "明天"),
    ("yesterday", "昨天"),
    ("morning", "早上"),
    ("evening", "晚上"),
    ("hello", "你好"),
    ("thank you", "谢谢"),
    ("goodbye", "再见"),
    ("world", "世界"),
];

/// Opposites both ways, translations both ways.
pub(super) fn families() -> Vec<Vec<Fact>> {
    let both_ways = OPPOSITES.iter().flat_map(|&(one, other)| [(one, other), (other, one)]);
    let opposites = both_ways.map(|(word, opposite)| {
        OPPOSITE.fact(&[("word", word.0, word.1), ("opposite", opposite.0, opposite.1)])
    });
    let translations = |family: &Family| -> Vec<Fact> {
        let fact = |&(english, chinese): &(&str, &str)| {
            family.fact(&[("english", english, english), ("chinese", chinese, chinese)])
        };
        DICTIONARY.iter().map(fact).collect()
    };
    vec![opposites.collect(), translations(&TO_CHINESE), translations(&TO_ENGLISH)]
}

const OPPOSITE: Family = Family {
    topic: Topic::Opposite,
    subject: "word",
    english: (
        &[
            "What is the opposite of {word}?",
            "What's the opposite of {word}?",
            "Which word is the opposite of {word}?",
            "Tell me the opposite of {word}.",
            "Name the opposite of {word}.",
            "Give me the opposite of {word}.",
            "Do you know the opposite of {word}?",
            "Opposite of {word}?",
        ],
        "The opposite of {word} is {opposite}.",
    ),
    chinese: (
        &[
            "{word}的反义词是什么？",
            "{word}的反义词是哪个？",
            "{word}的反面是什么？",
            "与{word}相反的词是什么？",
            "请告诉我{word}的反义词。",
            "说出{word}的反义词。",
            "你知道{word}的反义词吗？",
            "什么是{word}的反义词？",
        ],
        "{word}的反义词是{opposite}。",
    ),
};

const TO_CHINESE: Family = Family {
    topic: Topic::Translation,
    subject: "english",
    english: (
        &[
            "How do you say {english} in Chinese?",
            "How do I say {english} in Chinese?",
            "What is {english} in Chinese?",
            "What is the Chinese word for {english}?",
            "What is the Chinese for {english}?",
            "Translate {english} into Chinese.",
            "Translate {english} to Chinese.",
            "Say {english} in Chinese.",
            "Tell me the Chinese word for {english}.",
        ],
        "{english} in Chinese is {chinese}.",
    ),
    chinese: (
        &[
            "{english}用中文怎么说？",
            "{english}的中文是什么？",
            "{english}中文怎么说？",
            "{english}是什么意思？",
            "{english}翻译成中文是什么？",
            "把{english}翻译成中文。",
            "请把{english}翻译成中文。",
            "怎么用中文说{english}？",
            "英语{english}是什么意思？",
        ],
        "{english}的中文是{chinese}。",
    ),
};

const TO_ENGLISH: Family = Family {
    topic: Topic::Translation,
    subject: "chinese",
    english: (
        &[
            "How do you say {chinese} in English?",
            "How do I say {chinese} in English?",
            "What is {chinese} in English?",
            "What is the English word for {chinese}?",
            "What is the English for {chinese}?",
            "Translate {chinese} into English.",
            "Translate {chinese} to English.",
            "Say {chinese} in English.",
            "What does {chinese} mean?",
        ],
        "{chinese} in English is {english}.",
    ),
    chinese: (
        &[
            "{chinese}用英语怎么说？",
            "{chinese}的英语是什么？",
            "{chinese}英语怎么说？",
            "{chinese}用英文怎么说？",
            "{chinese}翻译成英语是什么？",
            "把{chinese}翻译成英语。",
            "请把{chinese}翻译成英语。",
            "怎么用英语说{chinese}？",
            "{chinese}的英文是什么？",
        ],
        "{chinese}的英语是{english}。",
    ),
};
