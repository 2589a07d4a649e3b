//! Which language a text is in.
//!
//! Script rules decide Chinese, Japanese and Korean, because trigrams do not see them well, and
//! `whatlang` decides the rest. Only samples of a long text are looked at: a window at its head, in
//! its middle and near its end, so that a long document costs no more than a short one, and a
//! foreign title or footer does not decide alone.

mod chinese;

use serde::{Deserialize, Serialize};
use whatlang::Script;

use crate::script::is_han;

/// A language with its script.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Language {
    /// ISO 639-3: `cmn`, `eng`, `jpn`, …; `und` where nothing can be said. Standard Arabic is
    /// `arb`.
    pub code: &'static str,
    /// ISO 15924: `Hans`, `Hant`, `Latn`, `Jpan`, …; `Hani` for Chinese that both scripts write
    /// alike; `Zyyy` if there is no letter.
    pub script: &'static str,
    /// From 0 to 1.
    pub confidence: f64,
}

impl Language {
    /// Nothing can be said.
    pub const UNKNOWN: Self = Self { code: "und", script: "Zyyy", confidence: 0.0 };

    /// Whether this is Chinese.
    pub fn is_chinese(&self) -> bool {
        self.code == "cmn"
    }
}

/// Characters per window; three windows of this length tell all texts of the tests apart.
const WINDOW_CHARS: usize = 400;

/// Latin text shorter than this is given half its confidence, in letters.
const SHORT_TEXT: usize = 24;

/// Tells the language of a text.
///
/// ```
/// use puyu_dataset::clean::detect_language;
///
/// let chinese = detect_language("万卷书，万里路。读书使人明智。");
/// assert_eq!((chinese.code, chinese.script), ("cmn", "Hans"));
/// assert_eq!(detect_language("The book is on the table.").code, "eng");
/// assert_eq!(detect_language("12:30 ——").code, "und");
/// ```
pub fn detect_language(text: &str) -> Language {
    let sample = sample(text);
    let counts = Counts::of(&sample);
    if counts.letters() == 0 {
        return Language::UNKNOWN;
    }
    counts.east_asian(&sample).unwrap_or_else(|| by_trigrams(&sample, &counts))
}

/// The parts of the text that are looked at.
fn sample(text: &str) -> String {
    // A window of bytes that holds the characters of most scripts, for a cheap way in.
    const WINDOW_BYTES: usize = WINDOW_CHARS * 4;
    if text.len() <= 3 * WINDOW_BYTES {
        return text.chars().take(3 * WINDOW_CHARS).collect();
    }
    let mut sample = String::with_capacity(3 * WINDOW_BYTES);
    for start in [0, text.len() / 2, text.len() - text.len() / 8 - WINDOW_BYTES] {
        let start = text.ceil_char_boundary(start);
        sample.extend(text[start..].chars().take(WINDOW_CHARS));
        sample.push('\n');
    }
    sample
}

/// Letters by script.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    han: usize,
    kana: usize,
    hangul: usize,
    latin: usize,
    other: usize,
}

impl Counts {
    fn of(text: &str) -> Self {
        let mut counts = Self::default();
        for c in text.chars() {
            match c as u32 {
                0x41..=0x5A | 0x61..=0x7A | 0xC0..=0x24F | 0x1E00..=0x1EFF => counts.latin += 1,
                0..=0xBF => {}
                code if is_han(code) => counts.han += 1,
                0x3041..=0x3096 | 0x30A1..=0x30FA | 0x31F0..=0x31FF | 0xFF66..=0xFF9D => {
                    counts.kana += 1;
                }
                0xAC00..=0xD7A3 | 0x1100..=0x11FF | 0x3131..=0x318E => counts.hangul += 1,
                _ if c.is_alphabetic() => counts.other += 1,
                _ => {}
            }
        }
        counts
    }

    fn letters(&self) -> usize {
        self.han + self.kana + self.hangul + self.latin + self.other
    }

    /// Chinese, Japanese or Korean, if one of them carries the text.
    ///
    /// A Chinese character says about as much as three letters of an alphabet, a syllable of
    /// Japanese or Korean as much as two.
    fn east_asian(&self, sample: &str) -> Option<Language> {
        let east = 3 * self.han + 2 * (self.kana + self.hangul);
        let rest = self.latin + self.other;
        if east <= rest {
            return None;
        }
        let share = |part: usize| part as f64 / (east + rest) as f64;
        let confidence = share(east);
        // Running Japanese is about half kana; Chinese quotes a name in kana now and then.
        if self.kana * 4 > self.han + self.kana && self.kana >= self.hangul {
            return Some(Language { code: "jpn", script: "Jpan", confidence });
        }
        if self.hangul * 3 > self.han {
            return Some(Language { code: "kor", script: "Kore", confidence });
        }
        Some(Language { code: "cmn", script: chinese::script(sample), confidence })
    }
}

/// The language of an alphabetic text; Chinese words in it are passed over.
fn by_trigrams(sample: &str, counts: &Counts) -> Language {
    let east = |c: char| matches!(c as u32, 0x2E80..=0x9FFF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF);
    let alphabetic: String = if counts.han + counts.kana + counts.hangul > 0 {
        sample.chars().map(|c| if east(c) { ' ' } else { c }).collect()
    } else {
        sample.to_owned()
    };
    let Some(info) = whatlang::detect(&alphabetic) else { return Language::UNKNOWN };
    let length = (counts.letters() as f64 / SHORT_TEXT as f64).clamp(0.5, 1.0);
    let script = script_code(info.script());
    let english = english_share(&alphabetic);
    if script == "Latn" && english >= 0.2 {
        let confidence = (0.5 + english).min(1.0) * length;
        return Language { code: "eng", script, confidence };
    }
    let code = match info.lang().code() {
        // What whatlang knows as Arabic is the written standard.
        "ara" => "arb",
        code => code,
    };
    Language { code, script, confidence: info.confidence() * length }
}

/// The share of words that are the most frequent English ones. Trigrams alone
/// mistake short English lines and verse.
fn english_share(text: &str) -> f64 {
    const FREQUENT: [&str; 34] = [
        "the", "of", "and", "to", "is", "that", "it", "was", "for", "with", "as", "his", "her",
        "be", "at", "by", "this", "have", "from", "not", "but", "which", "you", "are", "or", "she",
        "they", "were", "been", "their", "your", "what", "my", "shall",
    ];
    let (mut words, mut frequent) = (0_usize, 0_usize);
    for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        words += 1;
        frequent += usize::from(FREQUENT.iter().any(|known| known.eq_ignore_ascii_case(word)));
    }
    if words < 3 { 0.0 } else { frequent as f64 / words as f64 }
}

/// ISO 15924.
fn script_code(script: Script) -> &'static str {
    match script {
        Script::Arabic => "Arab",
        Script::Armenian => "Armn",
        Script::Bengali => "Beng",
        Script::Cyrillic => "Cyrl",
        Script::Devanagari => "Deva",
        Script::Ethiopic => "Ethi",
        Script::Georgian => "Geor",
        Script::Greek => "Grek",
        Script::Gujarati => "Gujr",
        Script::Gurmukhi => "Guru",
        Script::Hangul => "Kore",
        Script::Hebrew => "Hebr",
        Script::Hiragana | Script::Katakana => "Jpan",
        Script::Kannada => "Knda",
        Script::Khmer => "Khmr",
        Script::Latin => "Latn",
        Script::Malayalam => "Mlym",
        Script::Mandarin => "Hani",
        Script::Myanmar => "Mymr",
        Script::Oriya => "Orya",
        Script::Sinhala => "Sinh",
        Script::Tamil => "Taml",
        Script::Telugu => "Telu",
        Script::Thai => "Thai",
    }
}

/// Keeps documents of some languages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LanguageFilter {
    /// ISO 639-3 codes that stay; `cmn` and `eng` by default. An empty list keeps all documents and
    /// only notes their language.
    pub keep: Vec<String>,
    /// The least confidence (0.5): below it a page is mixed or has hardly any text.
    pub min_confidence: f64,
}

impl Default for LanguageFilter {
    fn default() -> Self {
        Self { keep: vec!["cmn".to_owned(), "eng".to_owned()], min_confidence: 0.5 }
    }
}

#[cfg(test)]
mod tests;
