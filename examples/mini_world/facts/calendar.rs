//! Days, months, seasons, and how units of time and measure are made of smaller ones.

use super::{Fact, Family};
use crate::mini_world::Topic;

const DAYS: [(&str, &str); 7] = [
    ("Monday", "星期一"),
    ("Tuesday", "星期二"),
    ("Wednesday", "星期三"),
    ("Thursday", "星期四"),
    ("Friday", "星期五"),
    ("Saturday", "星期六"),
    ("Sunday", "星期日"),
];

/// `(month, 月份, its place in the year, days)`.
const MONTHS: [(&str, &str, &str, &str); 12] = [
    ("January", "一月", "first", "31"),
    ("February", "二月", "second", "28"),
    ("March", "三月", "third", "31"),
    ("April", "四月", "fourth", "30"),
    ("May", "五月", "fifth", "31"),
    ("June", "六月", "sixth", "30"),
    ("July", "七月", "seventh", "31"),
    ("August", "八月", "eighth", "31"),
    ("September", "九月", "ninth", "30"),
    ("October", "十月", "tenth", "31"),
    ("November", "十一月", "eleventh", "30"),
    ("December", "十二月", "twelfth", "31"),
];

/// `(season, 季节, what it is like, 天气)`.
const SEASONS: [(&str, &str, &str, &str); 4] = [
    ("spring", "春天", "warm", "暖和"),
    ("summer", "夏天", "hot", "炎热"),
    ("autumn", "秋天", "cool", "凉爽"),
    ("winter", "冬天", "cold", "寒冷"),
];

/// `(one of the large, 大单位, small ones, 小单位, how many)`.
const UNITS: [(&str, &str, &str, &str, &str); 18] = [
    ("a minute", "一分钟", "seconds", "秒", "60"),
    ("an hour", "一小时", "minutes", "分钟", "60"),
    ("a day", "一天", "hours", "小时", "24"),
    ("a week", "一星期", "days", "天", "7"),
    ("a year", "一年", "months", "个月", "12"),
    ("a common year", "一个平年", "days", "天", "365"),
    ("a leap year", "一个闰年", "days", "天", "366"),
    ("a decade", "十年", "years", "年", "10"),
    ("a century", "一个世纪", "years", "年", "100"),
    ("a millennium", "一千年", "centuries", "个世纪", "10"),
    ("a meter", "一米", "centimeters", "厘米", "100"),
    ("a centimeter", "一厘米", "millimeters", "毫米", "10"),
    ("a kilometer", "一公里", "meters", "米", "1000"),
    ("a kilogram", "一公斤", "grams", "克", "1000"),
    ("a ton", "一吨", "kilograms", "公斤", "1000"),
    ("a liter", "一升", "milliliters", "毫升", "1000"),
    ("a dozen", "一打", "pieces", "个", "12"),
    ("a byte", "一个字节", "bits", "位", "8"),
];

/// What comes after and before each day, month and season; months by number and length; seasons;
/// units.
pub(super) fn families() -> Vec<Vec<Fact>> {
    let months = MONTHS.map(|month| (month.0, month.1));
    let seasons = SEASONS.map(|season| (season.0, season.1));
    let of_months = |family: &Family| -> Vec<Fact> {
        let number = |index: usize| (index + 1).to_string();
        let fact = |(index, month): (usize, &(&str, &str, &str, &str))| {
            let &(name, yuefen, ordinal, days) = month;
            let number = number(index);
            family.fact(&[
                ("month", name, yuefen),
                ("ordinal", ordinal, &number),
                ("days", days, days),
            ])
        };
        MONTHS.iter().enumerate().map(fact).collect()
    };
    let season = |&(season, jijie, weather, tianqi): &(_, _, _, _)| {
        SEASON.fact(&[("season", season, jijie), ("weather", weather, tianqi)])
    };
    let unit = |&(large, dadanwei, small, xiaodanwei, number): &(_, _, _, _, _)| {
        UNIT.fact(&[
            ("large", large, dadanwei),
            ("small", small, xiaodanwei),
            ("number", number, number),
        ])
    };
    let mut families = Vec::new();
    for circle in [DAYS.as_slice(), months.as_slice(), seasons.as_slice()] {
        families.push(neighbours(circle, &AFTER));
        families.push(neighbours(circle, &BEFORE));
    }
    families.push(of_months(&MONTH_NUMBER));
    families.push(of_months(&MONTH_DAYS));
    families.push(SEASONS.iter().map(season).collect());
    families.push(UNITS.iter().map(unit).collect());
    families
}

/// For each pair of neighbours on the circle, the fact that `earlier` comes before `later`.
fn neighbours(circle: &[(&str, &str)], family: &Family) -> Vec<Fact> {
    let fact = |index: usize| {
        let (earlier, later) = (circle[index], circle[(index + 1) % circle.len()]);
        family.fact(&[("earlier", earlier.0, earlier.1), ("later", later.0, later.1)])
    };
    (0..circle.len()).map(fact).collect()
}

const AFTER: Family = Family {
    topic: Topic::Calendar,
    subject: "earlier",
    english: (
        &[
            "What comes after {earlier}?",
            "What is after {earlier}?",
            "What comes right after {earlier}?",
            "What follows {earlier}?",
            "After {earlier} comes what?",
            "Tell me what comes after {earlier}.",
            "Do you know what comes after {earlier}?",
            "{earlier} is followed by what?",
        ],
        "{later} comes after {earlier}.",
    ),
    chinese: (
        &[
            "{earlier}之后是什么？",
            "{earlier}后面是什么？",
            "{earlier}过后是什么？",
            "{earlier}接下来是什么？",
            "{earlier}的下一个是什么？",
            "请告诉我{earlier}之后是什么。",
            "你知道{earlier}之后是什么吗？",
            "过了{earlier}是什么？",
        ],
        "{earlier}之后是{later}。",
    ),
};

const BEFORE: Family = Family {
    topic: Topic::Calendar,
    subject: "later",
    english: (
        &[
            "What comes before {later}?",
            "What is before {later}?",
            "What comes right before {later}?",
            "What goes before {later}?",
            "Before {later} comes what?",
            "Tell me what comes before {later}.",
            "Do you know what comes before {later}?",
            "{later} comes after what?",
        ],
        "{earlier} comes before {later}.",
    ),
    chinese: (
        &[
            "{later}之前是什么？",
            "{later}前面是什么？",
            "{later}以前是什么？",
            "{later}的上一个是什么？",
            "{later}的前一个是什么？",
            "请告诉我{later}之前是什么。",
            "你知道{later}之前是什么吗？",
            "什么在{later}前面？",
        ],
        "{later}之前是{earlier}。",
    ),
};

const MONTH_NUMBER: Family = Family {
    topic: Topic::Calendar,
    subject: "",
    english: (
        &[
            "What is the {ordinal} month of the year?",
            "What's the {ordinal} month of the year?",
            "Which month is the {ordinal} month?",
            "Which month is the {ordinal} month of the year?",
            "Name the {ordinal} month of the year.",
            "Tell me the {ordinal} month of the year.",
            "Do you know the {ordinal} month of the year?",
            "What month is the {ordinal}?",
        ],
        "The {ordinal} month of the year is {month}.",
    ),
    chinese: (
        &[
            "一年的第{ordinal}个月是什么？",
            "一年的第{ordinal}个月是哪个月？",
            "第{ordinal}个月是几月？",
            "第{ordinal}个月叫什么？",
            "一年中第{ordinal}个月是几月？",
            "请告诉我一年的第{ordinal}个月。",
            "你知道一年的第{ordinal}个月是几月吗？",
            "说出一年的第{ordinal}个月。",
        ],
        "一年的第{ordinal}个月是{month}。",
    ),
};

const MONTH_DAYS: Family = Family {
    topic: Topic::Calendar,
    subject: "month",
    english: (
        &[
            "How many days are in {month}?",
            "How many days are there in {month}?",
            "How many days does {month} have?",
            "{month} has how many days?",
            "How long is {month}?",
            "Tell me how many days {month} has.",
            "Do you know how many days {month} has?",
            "What is the number of days in {month}?",
        ],
        "{month} has {days} days.",
    ),
    chinese: (
        &[
            "{month}有多少天？",
            "{month}有几天？",
            "{month}一共有多少天？",
            "{month}有多长？",
            "{month}是多少天？",
            "请告诉我{month}有多少天。",
            "你知道{month}有多少天吗？",
            "{month}共几天？",
        ],
        "{month}有{days}天。",
    ),
};

const SEASON: Family = Family {
    topic: Topic::Calendar,
    subject: "season",
    english: (
        &[
            "What is {season} like?",
            "How is the weather in {season}?",
            "What is the weather like in {season}?",
            "Is {season} hot or cold?",
            "How does {season} feel?",
            "Tell me about {season}.",
            "Do you know what {season} is like?",
            "Describe {season}.",
        ],
        "{season} is {weather}.",
    ),
    chinese: (
        &[
            "{season}是什么样的？",
            "{season}的天气怎么样？",
            "{season}天气如何？",
            "{season}热还是冷？",
            "{season}是什么感觉？",
            "说说{season}。",
            "你知道{season}是什么样吗？",
            "形容一下{season}。",
        ],
        "{season}很{weather}。",
    ),
};

const UNIT: Family = Family {
    topic: Topic::Unit,
    subject: "",
    english: (
        &[
            "How many {small} are in {large}?",
            "How many {small} are there in {large}?",
            "How many {small} does {large} have?",
            "{large} has how many {small}?",
            "{large} is how many {small}?",
            "Tell me how many {small} are in {large}.",
            "Do you know how many {small} are in {large}?",
            "How many {small} make {large}?",
        ],
        "There are {number} {small} in {large}.",
    ),
    chinese: (
        &[
            "{large}有多少{small}？",
            "{large}有几{small}？",
            "{large}是多少{small}？",
            "{large}等于多少{small}？",
            "{large}一共有多少{small}？",
            "请告诉我{large}有多少{small}。",
            "你知道{large}有多少{small}吗？",
            "多少{small}是{large}？",
        ],
        "{large}有{number}{small}。",
    ),
};
