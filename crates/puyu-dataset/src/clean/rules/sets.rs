//! The rule sets and their thresholds.

use serde::{Deserialize, Serialize};

use super::statistics::share;
use super::{Bound, Statistics, at_least, at_most};

/// Gopher's quality rules.
///
/// # Source
///
/// Rae et al. 2021, appendix A.1.1; thresholds as in `datatrove`'s `GopherQualityFilter`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GopherRules {
    /// Fewest words (50): shorter pages are mostly menus and errors.
    pub min_words: f64,
    /// Most words (100 000).
    pub max_words: f64,
    /// Shortest mean word, in letters (3). Not asked of Chinese, whose words are characters here.
    pub min_mean_word_chars: f64,
    /// Longest mean word, in letters (10). Not asked of Chinese.
    pub max_mean_word_chars: f64,
    /// `#` and ellipses per word (0.1).
    pub max_symbols_per_word: f64,
    /// Lines that begin with a bullet (0.9 of all).
    pub max_bullet_lines: f64,
    /// Lines that end with an ellipsis (0.3 of all).
    pub max_ellipsis_lines: f64,
    /// Words with at least one letter (0.8 of all).
    pub min_alphabetic_words: f64,
    /// Different stop words, English or Chinese (2): text without any is a list. Set to 0 for other
    /// languages.
    pub min_stop_words: f64,
}

impl Default for GopherRules {
    fn default() -> Self {
        Self {
            min_words: 50.0,
            max_words: 100_000.0,
            min_mean_word_chars: 3.0,
            max_mean_word_chars: 10.0,
            max_symbols_per_word: 0.1,
            max_bullet_lines: 0.9,
            max_ellipsis_lines: 0.3,
            min_alphabetic_words: 0.8,
            min_stop_words: 2.0,
        }
    }
}

impl GopherRules {
    pub(super) fn bounds(&self, s: &Statistics) -> Vec<Bound> {
        let mut bounds = vec![
            at_least("gopher.min_words", s.words as f64, self.min_words),
            at_most("gopher.max_words", s.words as f64, self.max_words),
        ];
        if !s.is_chinese() {
            let mean = s.mean_word_chars();
            bounds.push(at_least("gopher.min_mean_word_chars", mean, self.min_mean_word_chars));
            bounds.push(at_most("gopher.max_mean_word_chars", mean, self.max_mean_word_chars));
        }
        let symbols = share(s.hashes_and_ellipses, s.words);
        let alphabetic = share(s.alphabetic_words, s.words);
        bounds.extend([
            at_most("gopher.max_symbols_per_word", symbols, self.max_symbols_per_word),
            at_most(
                "gopher.max_bullet_lines",
                share(s.bullet_lines, s.lines),
                self.max_bullet_lines,
            ),
            at_most(
                "gopher.max_ellipsis_lines",
                share(s.ellipsis_lines, s.lines),
                self.max_ellipsis_lines,
            ),
            at_least("gopher.min_alphabetic_words", alphabetic, self.min_alphabetic_words),
            at_least("gopher.min_stop_words", s.stop_words as f64, self.min_stop_words),
        ]);
        bounds
    }
}

/// Gopher's repetition rules.
///
/// # Source
///
/// Rae et al. 2021, table A1. The n-grams of Chinese are of characters, which repeat more than words
/// do: `chinese_ngram_factor` widens their thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GopherRepetition {
    /// Lines that occurred before (0.3 of all).
    pub max_duplicate_lines: f64,
    /// Paragraphs that occurred before (0.3 of all).
    pub max_duplicate_paragraphs: f64,
    /// Bytes in such lines (0.2 of all).
    pub max_duplicate_line_bytes: f64,
    /// Bytes in such paragraphs (0.2 of all).
    pub max_duplicate_paragraph_bytes: f64,
    /// Characters in the most frequent 2-, 3- and 4-gram (0.20, 0.18, 0.16).
    pub max_top_ngram: [f64; 3],
    /// Characters in repeated 5- to 10-grams (0.15, 0.14, 0.13, 0.12, 0.11, 0.10).
    pub max_duplicate_ngrams: [f64; 6],
    /// Factor on the n-gram thresholds for Chinese text (1.5).
    pub chinese_ngram_factor: f64,
}

impl Default for GopherRepetition {
    fn default() -> Self {
        Self {
            max_duplicate_lines: 0.3,
            max_duplicate_paragraphs: 0.3,
            max_duplicate_line_bytes: 0.2,
            max_duplicate_paragraph_bytes: 0.2,
            max_top_ngram: [0.20, 0.18, 0.16],
            max_duplicate_ngrams: [0.15, 0.14, 0.13, 0.12, 0.11, 0.10],
            chinese_ngram_factor: 1.5,
        }
    }
}

const TOP_NGRAM: [&str; 3] =
    ["repetition.top_2_gram", "repetition.top_3_gram", "repetition.top_4_gram"];
const DUPLICATE_NGRAM: [&str; 6] = [
    "repetition.duplicate_5_grams",
    "repetition.duplicate_6_grams",
    "repetition.duplicate_7_grams",
    "repetition.duplicate_8_grams",
    "repetition.duplicate_9_grams",
    "repetition.duplicate_10_grams",
];

impl GopherRepetition {
    pub(super) fn bounds(&self, s: &Statistics) -> Vec<Bound> {
        let factor = if s.is_chinese() { self.chinese_ngram_factor } else { 1.0 };
        let mut bounds = vec![
            at_most(
                "repetition.max_duplicate_lines",
                share(s.duplicate_lines, s.lines),
                self.max_duplicate_lines,
            ),
            at_most(
                "repetition.max_duplicate_paragraphs",
                share(s.duplicate_paragraphs, s.paragraphs),
                self.max_duplicate_paragraphs,
            ),
            at_most(
                "repetition.max_duplicate_line_bytes",
                share(s.duplicate_line_bytes, s.line_bytes),
                self.max_duplicate_line_bytes,
            ),
            at_most(
                "repetition.max_duplicate_paragraph_bytes",
                share(s.duplicate_paragraph_bytes, s.line_bytes),
                self.max_duplicate_paragraph_bytes,
            ),
        ];
        let whole = s.all_word_chars;
        for (n, rule) in TOP_NGRAM.into_iter().enumerate() {
            let value = share(s.top_ngram_chars[n], whole);
            bounds.push(at_most(rule, value, self.max_top_ngram[n] * factor));
        }
        for (n, rule) in DUPLICATE_NGRAM.into_iter().enumerate() {
            let value = share(s.duplicate_ngram_chars[n], whole);
            bounds.push(at_most(rule, value, self.max_duplicate_ngrams[n] * factor));
        }
        bounds
    }
}

/// C4's rules, as verdicts on the whole document.
///
/// C4 itself cuts lines before it judges; that is [`crate::clean::CutLines`].
///
/// # Source
///
/// Raffel et al. 2020, section 2.2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct C4Rules {
    /// Fewest sentences (3).
    pub min_sentences: f64,
    /// Fewest lines (1).
    pub min_lines: f64,
    /// Lines with terminal punctuation (0.1 of all). C4 cuts the others; a page with almost none
    /// has no running text.
    pub min_terminal_lines: f64,
    /// `lorem ipsum` (0 times).
    pub max_lorem_ipsum: f64,
    /// Curly braces per 1000 characters (5). C4 allows none at all, which also drops every page
    /// about programming or mathematics.
    pub max_braces_per_1000: f64,
    /// Lines that mention JavaScript (0.25 of all). C4 cuts them: they ask to turn it on.
    pub max_javascript_lines: f64,
}

impl Default for C4Rules {
    fn default() -> Self {
        Self {
            min_sentences: 3.0,
            min_lines: 1.0,
            min_terminal_lines: 0.1,
            max_lorem_ipsum: 0.0,
            max_braces_per_1000: 5.0,
            max_javascript_lines: 0.25,
        }
    }
}

impl C4Rules {
    pub(super) fn bounds(&self, s: &Statistics) -> Vec<Bound> {
        let braces = 1000.0 * share(s.braces, s.chars);
        let javascript = share(s.javascript_lines, s.lines);
        let terminal = share(s.terminal_lines, s.lines);
        vec![
            at_least("c4.min_lines", s.lines as f64, self.min_lines),
            at_least("c4.min_sentences", s.sentences as f64, self.min_sentences),
            at_least("c4.min_terminal_lines", terminal, self.min_terminal_lines),
            at_most("c4.max_lorem_ipsum", s.lorem_ipsum as f64, self.max_lorem_ipsum),
            at_most("c4.max_braces_per_1000", braces, self.max_braces_per_1000),
            at_most("c4.max_javascript_lines", javascript, self.max_javascript_lines),
        ]
    }
}

/// FineWeb's own rules.
///
/// # Source
///
/// Penedo et al. 2024, section 3.6; `datatrove`'s `FineWebQualityFilter`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FineWebRules {
    /// Lines that end with punctuation (0.12 of all).
    pub min_punctuated_lines: f64,
    /// Lines of at most 30 characters (0.67 of all).
    pub max_short_lines: f64,
    /// Bytes in lines that occurred before (0.1 of all; FineWeb's 0.01 also drops verse with a
    /// refrain).
    pub max_duplicate_line_bytes: f64,
    /// Lines per word (0.3): more is a list.
    pub max_lines_per_word: f64,
}

impl Default for FineWebRules {
    fn default() -> Self {
        Self {
            min_punctuated_lines: 0.12,
            max_short_lines: 0.67,
            max_duplicate_line_bytes: 0.1,
            max_lines_per_word: 0.3,
        }
    }
}

impl FineWebRules {
    pub(super) fn bounds(&self, s: &Statistics) -> Vec<Bound> {
        let punctuated = share(s.terminal_lines, s.lines);
        let duplicate = share(s.duplicate_line_bytes, s.line_bytes);
        let per_word = share(s.lines, s.words);
        vec![
            at_least("fineweb.min_punctuated_lines", punctuated, self.min_punctuated_lines),
            at_most("fineweb.max_short_lines", share(s.short_lines, s.lines), self.max_short_lines),
            at_most("fineweb.max_duplicate_line_bytes", duplicate, self.max_duplicate_line_bytes),
            at_most("fineweb.max_lines_per_word", per_word, self.max_lines_per_word),
        ]
    }
}

/// Rules for Chinese documents.
///
/// WanJuan publishes that it has such rules, not their thresholds; these were set so that the
/// novels, encyclopaedia pages and news of the tests stay and their broken copies go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChineseRules {
    /// Chinese characters among visible ones (0.3): less is a code listing or a table.
    pub min_han: f64,
    /// Punctuation among visible characters, at least (0.02): less is a heap of keywords.
    pub min_punctuation: f64,
    /// Punctuation among visible characters, at most (0.35).
    pub max_punctuation: f64,
    /// Longest mean sentence, in characters (200): more means that there are no sentences.
    pub max_mean_sentence_chars: f64,
    /// Shortest mean sentence, in characters (4).
    pub min_mean_sentence_chars: f64,
    /// Longest run of one character (30): `哈哈哈` is speech, a screen of it is not.
    pub max_run: f64,
    /// Emoji, box drawing, private-use and control characters among visible ones (0.05).
    pub max_symbols: f64,
    /// Characters of broken conversions among visible ones (0.001).
    pub max_mojibake: f64,
    /// Characters in advertising words among visible ones (0.03).
    pub max_ad_chars: f64,
    /// Advertising words. An empty list turns the rule off.
    pub ad_words: Vec<String>,
}

/// Phrases of shop windows, gambling and spam, long enough not to occur in ordinary text.
const AD_WORDS: [&str; 28] = [
    "点击购买",
    "立即购买",
    "立即下载",
    "免费领取",
    "限时优惠",
    "限时抢购",
    "包邮",
    "加微信",
    "加QQ",
    "扫码关注",
    "扫描二维码",
    "全场特价",
    "优惠券",
    "客服热线",
    "咨询热线",
    "在线咨询",
    "招商加盟",
    "代开发票",
    "真人娱乐",
    "在线赌博",
    "彩票平台",
    "博彩",
    "百家乐",
    "老虎机",
    "时时彩",
    "贷款秒批",
    "无抵押贷款",
    "厂家直销",
];

impl Default for ChineseRules {
    fn default() -> Self {
        Self {
            min_han: 0.3,
            min_punctuation: 0.02,
            max_punctuation: 0.35,
            max_mean_sentence_chars: 200.0,
            min_mean_sentence_chars: 4.0,
            max_run: 30.0,
            max_symbols: 0.05,
            max_mojibake: 0.001,
            max_ad_chars: 0.03,
            ad_words: AD_WORDS.into_iter().map(str::to_owned).collect(),
        }
    }
}

impl ChineseRules {
    pub(super) fn bounds(&self, s: &Statistics) -> Vec<Bound> {
        let visible = s.visible();
        let punctuation = share(s.punctuation, visible);
        let sentence = s.mean_sentence_chars();
        vec![
            at_least("chinese.min_han", s.han_share(), self.min_han),
            at_most("chinese.max_mojibake", share(s.mojibake, visible), self.max_mojibake),
            at_most("chinese.max_run", s.longest_run as f64, self.max_run),
            at_most("chinese.max_symbols", share(s.symbols, visible), self.max_symbols),
            at_least("chinese.min_punctuation", punctuation, self.min_punctuation),
            at_most("chinese.max_punctuation", punctuation, self.max_punctuation),
            at_most("chinese.max_mean_sentence_chars", sentence, self.max_mean_sentence_chars),
            at_least("chinese.min_mean_sentence_chars", sentence, self.min_mean_sentence_chars),
            at_most("chinese.max_ad_chars", share(s.ad_chars, visible), self.max_ad_chars),
        ]
    }
}
