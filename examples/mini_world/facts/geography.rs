//! Countries, their capitals and their continents.

use super::{Fact, Family};
use crate::mini_world::Topic;

/// `(country, 国家, capital, 首都, continent, 大洲)`; no continent where one word is not enough.
type Country = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const COUNTRIES: [Country; 35] = [
    ("China", "中国", "Beijing", "北京", "Asia", "亚洲"),
    ("Japan", "日本", "Tokyo", "东京", "Asia", "亚洲"),
    ("South Korea", "韩国", "Seoul", "首尔", "Asia", "亚洲"),
    ("Vietnam", "越南", "Hanoi", "河内", "Asia", "亚洲"),
    ("Thailand", "泰国", "Bangkok", "曼谷", "Asia", "亚洲"),
    ("India", "印度", "New Delhi", "新德里", "Asia", "亚洲"),
    ("Mongolia", "蒙古", "Ulaanbaatar", "乌兰巴托", "Asia", "亚洲"),
    ("Malaysia", "马来西亚", "Kuala Lumpur", "吉隆坡", "Asia", "亚洲"),
    ("Nepal", "尼泊尔", "Kathmandu", "加德满都", "Asia", "亚洲"),
    ("Russia", "俄罗斯", "Moscow", "莫斯科", "", ""),
    ("France", "法国", "Paris", "巴黎", "Europe", "欧洲"),
    ("Germany", "德国", "Berlin", "柏林", "Europe", "欧洲"),
    ("Italy", "意大利", "Rome", "罗马", "Europe", "欧洲"),
    ("Spain", "西班牙", "Madrid", "马德里", "Europe", "欧洲"),
    ("Portugal", "葡萄牙", "Lisbon", "里斯本", "Europe", "欧洲"),
    ("the United Kingdom", "英国", "London", "伦敦", "Europe", "欧洲"),
    ("Ireland", "爱尔兰", "Dublin", "都柏林", "Europe", "欧洲"),
    ("Greece", "希腊", "Athens", "雅典", "Europe", "欧洲"),
    ("Poland", "波兰", "Warsaw", "华沙", "Europe", "欧洲"),
    ("Austria", "奥地利", "Vienna", "维也纳", "Europe", "欧洲"),
    ("Sweden", "瑞典", "Stockholm", "斯德哥尔摩", "Europe", "欧洲"),
    ("Norway", "挪威", "Oslo", "奥斯陆", "Europe", "欧洲"),
    ("Finland", "芬兰", "Helsinki", "赫尔辛基", "Europe", "欧洲"),
    ("Egypt", "埃及", "Cairo", "开罗", "Africa", "非洲"),
    ("Kenya", "肯尼亚", "Nairobi", "内罗毕", "Africa", "非洲"),
    ("Ethiopia", "埃塞俄比亚", "Addis Ababa", "亚的斯亚贝巴", "Africa", "非洲"),
    ("the United States", "美国", "Washington", "华盛顿", "North America", "北美洲"),
    ("Canada", "加拿大", "Ottawa", "渥太华", "North America", "北美洲"),
    ("Cuba", "古巴", "Havana", "哈瓦那", "North America", "北美洲"),
    ("Brazil", "巴西", "Brasilia", "巴西利亚", "South America", "南美洲"),
    ("Argentina", "阿根廷", "Buenos Aires", "布宜诺斯艾利斯", "South America", "南美洲"),
    ("Chile", "智利", "Santiago", "圣地亚哥", "South America", "南美洲"),
    ("Peru", "秘鲁", "Lima", "利马", "South America", "南美洲"),
    ("Australia", "澳大利亚", "Canberra", "堪培拉", "Oceania", "大洋洲"),
    ("New Zealand", "新西兰", "Wellington", "惠灵顿", "Oceania", "大洋洲"),
];

/// Names of countries in both languages, `(english, chinese)`.
pub(in crate::mini_world) fn countries() -> impl Iterator<Item = (&'static str, &'static str)> {
    COUNTRIES.iter().map(|country| (country.0, country.1))
}

/// Names of capitals in both languages, `(english, chinese)`.
pub(in crate::mini_world) fn capitals() -> impl Iterator<Item = (&'static str, &'static str)> {
    COUNTRIES.iter().map(|country| (country.2, country.3))
}

/// Capitals, capitals backwards, places of cities, continents.
pub(super) fn families() -> Vec<Vec<Fact>> {
    let facts = |family: &Family| -> Vec<Fact> {
        let words = |&(country, guojia, capital, shoudu, _, _): &Country| {
            family.fact(&[("country", country, guojia), ("city", capital, shoudu)])
        };
        COUNTRIES.iter().map(words).collect()
    };
    let on_continent = COUNTRIES.iter().filter(|country| !country.4.is_empty());
    let continents = on_continent.map(|&(country, guojia, _, _, continent, zhou)| {
        CONTINENT.fact(&[("country", country, guojia), ("continent", continent, zhou)])
    });
    vec![facts(&CAPITAL), facts(&CAPITAL_OF), facts(&CITY), continents.collect()]
}

const CAPITAL: Family = Family {
    topic: Topic::Country,
    subject: "country",
    english: (
        &[
            "What is the capital of {country}?",
            "What's the capital of {country}?",
            "Which city is the capital of {country}?",
            "Tell me the capital of {country}.",
            "Name the capital of {country}.",
            "What city is the capital of {country}?",
            "Do you know the capital of {country}?",
            "{country} has which city as its capital?",
            "Capital of {country}?",
            "What is {country}'s capital?",
        ],
        "The capital of {country} is {city}.",
    ),
    chinese: (
        &[
            "{country}的首都是哪里？",
            "{country}的首都是什么？",
            "{country}的首都是哪个城市？",
            "{country}首都是哪里？",
            "{country}的首都在哪里？",
            "请告诉我{country}的首都。",
            "你知道{country}的首都吗？",
            "哪个城市是{country}的首都？",
            "说出{country}的首都。",
            "{country}的首都叫什么？",
        ],
        "{country}的首都是{city}。",
    ),
};

const CAPITAL_OF: Family = Family {
    topic: Topic::Country,
    subject: "city",
    english: (
        &[
            "{city} is the capital of which country?",
            "{city} is the capital of what country?",
            "Which country has {city} as its capital?",
            "What country has {city} as its capital?",
            "Of which country is {city} the capital?",
            "What country is {city} the capital of?",
            "Which country's capital is {city}?",
            "Tell me which country has the capital {city}.",
        ],
        "{city} is the capital of {country}.",
    ),
    chinese: (
        &[
            "{city}是哪个国家的首都？",
            "{city}是哪国的首都？",
            "哪个国家的首都是{city}？",
            "首都是{city}的国家是哪个？",
            "{city}是什么国家的首都？",
            "请告诉我{city}是哪个国家的首都。",
            "你知道{city}是哪国首都吗？",
            "哪国首都是{city}？",
        ],
        "{city}是{country}的首都。",
    ),
};

const CITY: Family = Family {
    topic: Topic::Country,
    subject: "city",
    english: (
        &[
            "Where is {city}?",
            "Where's {city}?",
            "Which country is {city} in?",
            "What country is {city} in?",
            "In which country is {city}?",
            "In what country can I find {city}?",
            "Tell me where {city} is.",
            "Do you know where {city} is?",
        ],
        "{city} is in {country}.",
    ),
    chinese: (
        &[
            "{city}在哪里？",
            "{city}在哪儿？",
            "{city}在哪个国家？",
            "{city}在什么国家？",
            "{city}位于哪个国家？",
            "请告诉我{city}在哪里。",
            "你知道{city}在哪里吗？",
            "哪个国家有{city}？",
        ],
        "{city}在{country}。",
    ),
};

const CONTINENT: Family = Family {
    topic: Topic::Country,
    subject: "country",
    english: (
        &[
            "Which continent is {country} in?",
            "What continent is {country} in?",
            "On which continent is {country}?",
            "In which continent is {country}?",
            "Which continent is {country} on?",
            "Tell me the continent of {country}.",
            "What is the continent of {country}?",
            "Do you know which continent {country} is in?",
        ],
        "{country} is in {continent}.",
    ),
    chinese: (
        &[
            "{country}在哪个洲？",
            "{country}在哪个大洲？",
            "{country}在什么洲？",
            "{country}位于哪个洲？",
            "{country}属于哪个洲？",
            "请告诉我{country}在哪个洲。",
            "你知道{country}在哪个洲吗？",
            "哪个洲有{country}？",
        ],
        "{country}在{continent}。",
    ),
};
