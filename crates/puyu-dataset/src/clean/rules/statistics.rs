//! What one pass over a document finds out, for all rule sets together.

use serde::Serialize;

/// Counts of one document. Every rule is a function of these.
///
/// A *word* is a run without white space; each Chinese character or kana is a word of its own.
/// A *line* is a non-blank line, trimmed. Fractions of an empty document are 0.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Statistics {
    /// UTF-8 bytes.
    pub bytes: u64,
    /// Characters (Unicode scalar values) without line ends.
    pub chars: u64,
    /// Words.
    pub words: u64,
    /// Letters and digits inside words.
    pub word_chars: u64,
    /// Words with at least one letter.
    pub alphabetic_words: u64,
    /// Different stop words seen, English and Chinese.
    pub stop_words: u64,
    /// Chinese characters.
    pub han: u64,
    /// Kana.
    pub kana: u64,
    /// Letters outside Chinese, kana included.
    pub letters: u64,
    /// Digits.
    pub digits: u64,
    /// White space inside lines.
    pub spaces: u64,
    /// Punctuation, ASCII and Chinese.
    pub punctuation: u64,
    /// Everything else: emoji, box drawing, private use, control characters, …
    pub symbols: u64,
    /// `#` signs and ellipses (`…` or `...`), the symbols of the Gopher rule.
    pub hashes_and_ellipses: u64,
    /// U+FFFD, and characters of the usual mojibake (`锟斤拷`, `烫烫烫`, `屯屯屯`, `â€`, `ï¿½`).
    pub mojibake: u64,
    /// The longest run of one and the same character, white space aside; 0 if none follows itself.
    pub longest_run: u64,
    /// Curly braces.
    pub braces: u64,
    /// Occurrences of `lorem ipsum`.
    pub lorem_ipsum: u64,
    /// Occurrences of advertising words.
    pub ad_words: u64,
    /// Characters in advertising words.
    pub ad_chars: u64,
    /// Ends of sentences: `.?!…。？！` before white space, a quote, or (Chinese ones) anything.
    pub sentences: u64,
    /// Non-blank lines.
    pub lines: u64,
    /// Lines that begin with a bullet.
    pub bullet_lines: u64,
    /// Lines that end with an ellipsis.
    pub ellipsis_lines: u64,
    /// Lines that end with terminal punctuation, perhaps quoted.
    pub terminal_lines: u64,
    /// Lines of at most [`Statistics::SHORT_LINE`] characters.
    pub short_lines: u64,
    /// Lines that mention JavaScript.
    pub javascript_lines: u64,
    /// Lines that an earlier line equals.
    pub duplicate_lines: u64,
    /// Bytes of those lines.
    pub duplicate_line_bytes: u64,
    /// Bytes of all lines.
    pub line_bytes: u64,
    /// Paragraphs: runs of lines without a blank line.
    pub paragraphs: u64,
    /// Paragraphs that an earlier one equals.
    pub duplicate_paragraphs: u64,
    /// Bytes of those paragraphs.
    pub duplicate_paragraph_bytes: u64,
    /// Characters covered by the most frequent 2-, 3- and 4-gram of words.
    pub top_ngram_chars: [u64; 3],
    /// Characters in 5- to 10-grams of words that occurred before.
    pub duplicate_ngram_chars: [u64; 6],
    /// Characters in all words.
    pub all_word_chars: u64,
}

/// `part / whole`, 0 for an empty whole.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Statistics {
    /// The longest line that counts as short, in characters: FineWeb's 30.
    pub const SHORT_LINE: usize = 30;

    /// Chinese characters among the characters that are not white space.
    pub fn han_share(&self) -> f64 {
        share(self.han, self.visible())
    }

    /// Characters that are not white space.
    pub fn visible(&self) -> u64 {
        self.chars - self.spaces
    }

    /// Whether the document is to be judged as Chinese: Chinese characters outnumber the
    /// alphabetic words of other scripts, and there are more of them than kana.
    pub fn is_chinese(&self) -> bool {
        self.han > 0 && self.han >= self.alphabetic_words - self.han && self.han > self.kana
    }

    /// Mean length of a word, in letters and digits.
    pub fn mean_word_chars(&self) -> f64 {
        share(self.word_chars, self.words)
    }

    /// Mean length of a sentence, in characters; a document without any end is one sentence.
    pub fn mean_sentence_chars(&self) -> f64 {
        share(self.visible(), self.sentences.max(1))
    }
}
