//! The pass that fills [`Statistics`].

use memchr::memmem;
use regex::Regex;
use xxhash_rust::xxh3::xxh3_64;

use super::ngrams::{NgramCounter, Word};
use super::statistics::Statistics;
use crate::prehashed::PrehashedSet;
use crate::script::is_han;

/// Words beyond these are counted but not compared: they bound the memory of one document to about
/// 1.4 GiB, and no text of that length is a document.
const MAX_COMPARED_WORDS: usize = 16 << 20;

const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];
/// The most frequent function characters of modern and older written Chinese.
const STOP_CHARACTERS: [char; 16] = [
    '的', '了', '是', '在', '和', '有', '不', '我', '这', '他', '也', '就', '之', '以', '這', '為',
];

/// Analyses documents; keeps its buffers between them, so use one per thread.
///
/// ```
/// use puyu_dataset::clean::Analyzer;
///
/// let mut analyzer = Analyzer::default();
/// let statistics = analyzer.analyze("浦江之语，源远流长。\nA river of words.");
/// assert_eq!((statistics.han, statistics.lines, statistics.sentences), (8, 2, 2));
/// assert_eq!(statistics.words, 12);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Analyzer {
    ad_words: Option<Regex>,
    words: Vec<Word>,
    ngrams: NgramCounter,
    lines: PrehashedSet,
    paragraphs: PrehashedSet,
}

impl Analyzer {
    /// An analyzer that also counts these advertising words.
    pub fn with_ad_words(words: &[String]) -> Self {
        let words: Vec<_> =
            words.iter().filter(|word| !word.is_empty()).map(|word| regex::escape(word)).collect();
        // Literals make a valid expression; only the size limit can refuse, and then no word counts.
        let ad_words = if words.is_empty() { None } else { Regex::new(&words.join("|")).ok() };
        Self { ad_words, ..Self::default() }
    }

    /// Counts one document.
    pub fn analyze(&mut self, text: &str) -> Statistics {
        let mut found = Statistics { bytes: text.len() as u64, ..Statistics::default() };
        self.words.clear();
        empty(&mut self.lines);
        empty(&mut self.paragraphs);
        let mut walk = Walk { found: &mut found, words: &mut self.words, stop_words: 0 };
        let mut paragraph: Option<(usize, usize)> = None;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]) {
            let line = text[start..end].trim();
            if line.is_empty() {
                close(paragraph.take(), text, &mut self.paragraphs, walk.found);
            } else {
                walk.line(line);
                if !self.lines.insert(xxh3_64(line.as_bytes())) {
                    walk.found.duplicate_lines += 1;
                    walk.found.duplicate_line_bytes += line.len() as u64;
                }
                paragraph = Some((paragraph.map_or(start, |(first, _)| first), end));
            }
            start = end + 1;
        }
        close(paragraph, text, &mut self.paragraphs, walk.found);
        found.stop_words = u64::from(walk.stop_words.count_ones());
        search(text, &mut found);
        self.count_ad_words(text, &mut found);
        let repetition = self.ngrams.count(&self.words);
        found.top_ngram_chars = repetition.top;
        found.duplicate_ngram_chars = repetition.duplicate;
        found
    }

    fn count_ad_words(&self, text: &str, found: &mut Statistics) {
        if let Some(words) = &self.ad_words {
            for word in words.find_iter(text) {
                found.ad_words += 1;
                found.ad_chars += word.as_str().chars().count() as u64;
            }
        }
    }
}

/// Empties a set. One that a huge document has grown is given back: clearing it takes as long as it
/// is large.
fn empty(set: &mut PrehashedSet) {
    if set.capacity() > 1 << 16 { *set = PrehashedSet::default() } else { set.clear() }
}

/// Ends a paragraph.
fn close(
    span: Option<(usize, usize)>,
    text: &str,
    seen: &mut PrehashedSet,
    found: &mut Statistics,
) {
    let Some((start, end)) = span else { return };
    let paragraph = text[start..end].trim();
    found.paragraphs += 1;
    if !seen.insert(xxh3_64(paragraph.as_bytes())) {
        found.duplicate_paragraphs += 1;
        found.duplicate_paragraph_bytes += paragraph.len() as u64;
    }
}

/// Fixed strings that are faster found than watched for.
fn search(text: &str, found: &mut Statistics) {
    let bytes = text.as_bytes();
    for needle in ["lorem ipsum", "Lorem ipsum", "Lorem Ipsum", "LOREM IPSUM"] {
        found.lorem_ipsum += memmem::find_iter(bytes, needle).count() as u64;
    }
    let mut line_end = 0;
    let mentions =
        memmem::find_iter(bytes, "avascript").chain(memmem::find_iter(bytes, "avaScript"));
    let mut mentions: Vec<usize> = mentions.collect();
    mentions.sort_unstable();
    for mention in mentions {
        if mention >= line_end {
            found.javascript_lines += 1;
            line_end =
                memchr::memchr(b'\n', &bytes[mention..]).map_or(bytes.len(), |n| mention + n);
        }
    }
    // What broken conversions leave: GBK read as UTF-8 and back, uninitialised memory of a Windows
    // debug build read as GBK, and UTF-8 read as Windows-1252.
    for (needle, chars) in [("锟斤拷", 3), ("烫烫烫", 3), ("屯屯屯", 3), ("â€", 2), ("ï¿½", 3)]
    {
        found.mojibake += chars * memmem::find_iter(bytes, needle).count() as u64;
    }
}

/// The walk over characters.
struct Walk<'a> {
    found: &'a mut Statistics,
    words: &'a mut Vec<Word>,
    /// One bit per stop word seen.
    stop_words: u32,
}

/// The kinds of characters that the walk tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Letter,
    Digit,
    Punctuation,
    Han,
    Kana,
    Symbol,
}

/// The word being read.
struct Open {
    start: usize,
    hash: u64,
    chars: u32,
    alphanumeric: u32,
    has_letter: bool,
}

const SEED: u64 = 0xCBF2_9CE4_8422_2325;

impl Open {
    fn at(start: usize) -> Self {
        Self { start, hash: SEED, chars: 0, alphanumeric: 0, has_letter: false }
    }
}

impl Walk<'_> {
    fn line(&mut self, line: &str) {
        let chars_before = self.found.chars;
        let mut open = Open::at(0);
        let (mut previous, mut run) = ('\0', 0_u64);
        for (at, c) in line.char_indices() {
            let class = class_of(c);
            self.found.chars += 1;
            if c == previous {
                run += 1;
                if !matches!(class, Class::Space) {
                    self.found.longest_run = self.found.longest_run.max(run);
                }
            } else {
                self.sentence_end(previous, c);
                run = 1;
            }
            previous = c;
            match class {
                Class::Space => {
                    self.found.spaces += 1;
                    self.close(line, &mut open, at);
                    continue;
                }
                Class::Han | Class::Kana => {
                    self.close(line, &mut open, at);
                    self.character(c, class);
                    continue;
                }
                Class::Punctuation => {
                    self.found.punctuation += 1;
                    self.mark(c);
                    if !c.is_ascii() {
                        self.close(line, &mut open, at);
                        continue;
                    }
                }
                Class::Letter => {
                    self.found.letters += 1;
                    open.has_letter = true;
                    open.alphanumeric += 1;
                }
                Class::Digit => {
                    self.found.digits += 1;
                    open.alphanumeric += 1;
                }
                Class::Symbol => self.symbol(c),
            }
            if open.chars == 0 {
                open.start = at;
            }
            open.chars += 1;
            open.hash = (open.hash ^ u64::from(c)).wrapping_mul(0x9FB2_1C65_1E98_DF25);
        }
        self.close(line, &mut open, line.len());
        self.sentence_end(previous, '\n');
        self.ends(line, self.found.chars - chars_before);
    }

    /// Ends the word being read, if there is one.
    fn close(&mut self, line: &str, open: &mut Open, end: usize) {
        if open.chars == 0 {
            return;
        }
        if open.alphanumeric > 0 {
            self.found.words += 1;
            self.found.word_chars += u64::from(open.alphanumeric);
            self.found.alphabetic_words += u64::from(open.has_letter);
            let word = &line[open.start..end];
            if (2..=4).contains(&word.len())
                && let Some(bit) = STOP_WORDS.iter().position(|stop| *stop == word)
            {
                self.stop_words |= 1 << bit;
            }
        }
        self.push(Word { hash: open.hash ^ (open.hash >> 29), chars: open.chars });
        *open = Open::at(end);
    }

    fn push(&mut self, word: Word) {
        self.found.all_word_chars += u64::from(word.chars);
        if self.words.len() < MAX_COMPARED_WORDS {
            self.words.push(word);
        }
    }

    /// A character that is a word of its own.
    fn character(&mut self, c: char, class: Class) {
        let found = &mut *self.found;
        found.words += 1;
        found.word_chars += 1;
        found.alphabetic_words += 1;
        if class == Class::Han {
            found.han += 1;
            if let Some(bit) = STOP_CHARACTERS.iter().position(|stop| *stop == c) {
                self.stop_words |= 1 << (bit + STOP_WORDS.len());
            }
        } else {
            found.kana += 1;
            found.letters += 1;
        }
        self.push(Word { hash: u64::from(c).wrapping_mul(0x9E37_79B9_7F4A_7C15), chars: 1 });
    }

    fn mark(&mut self, c: char) {
        match c {
            '#' | '…' => self.found.hashes_and_ellipses += 1,
            '{' | '}' => self.found.braces += 1,
            _ => {}
        }
    }

    fn symbol(&mut self, c: char) {
        self.found.symbols += 1;
        self.found.mojibake += u64::from(c == '\u{FFFD}');
    }

    fn sentence_end(&mut self, mark: char, next: char) {
        let ends = match mark {
            '。' | '！' | '？' => true,
            '.' | '!' | '?' | '…' => {
                next.is_whitespace() || matches!(next, '"' | '\'' | '”' | '’' | ')' | '」')
            }
            _ => false,
        };
        self.found.sentences += u64::from(ends);
    }

    /// What the first and last characters of a line say.
    fn ends(&mut self, line: &str, chars: u64) {
        let found = &mut *self.found;
        found.lines += 1;
        found.line_bytes += line.len() as u64;
        found.short_lines += u64::from(chars <= Statistics::SHORT_LINE as u64);
        let bullet = line.starts_with(['•', '●', '▪', '■', '◆', '·', '‣', '○'])
            || ["- ", "* ", "+ "].iter().any(|bullet| line.starts_with(bullet));
        found.bullet_lines += u64::from(bullet);
        let ellipsis = line.ends_with("...") || line.ends_with('…');
        found.ellipsis_lines += u64::from(ellipsis);
        found.hashes_and_ellipses += u64::from(line.ends_with("..."));
        let unquoted = line.trim_end_matches(['"', '\'', '”', '’', '」', '』', ')', '）']);
        let terminal = unquoted.ends_with(['.', '!', '?', '。', '！', '？', '…', '；', ';'])
            && !line.ends_with("...");
        found.terminal_lines += u64::from(terminal);
    }
}

const ASCII: [Class; 128] = {
    let mut classes = [Class::Symbol; 128];
    let mut byte = 0;
    while byte < 128 {
        let c = byte as u8;
        classes[byte] = if c.is_ascii_alphabetic() {
            Class::Letter
        } else if c.is_ascii_digit() {
            Class::Digit
        } else if c.is_ascii_whitespace() {
            Class::Space
        } else if c.is_ascii_punctuation() {
            Class::Punctuation
        } else {
            Class::Symbol
        };
        byte += 1;
    }
    classes
};

fn class_of(c: char) -> Class {
    match c as u32 {
        code @ 0..=0x7F => ASCII[code as usize],
        // With the zero of written numbers, `〇`.
        code if is_han(code) || code == 0x3007 => Class::Han,
        0x3040..=0x30FF | 0x31F0..=0x31FF | 0xFF66..=0xFF9F => Class::Kana,
        0x3000 | 0xA0 | 0x2000..=0x200A | 0x2028 | 0x2029 | 0x202F => Class::Space,
        0x3001..=0x3003
        | 0x3008..=0x3011
        | 0x3014..=0x301F
        | 0x2010..=0x2027
        | 0x2030..=0x205E
        | 0xFF01..=0xFF0F
        | 0xFF1A..=0xFF20
        | 0xFF3B..=0xFF40
        | 0xFF5B..=0xFF65
        | 0xB7
        | 0xAB
        | 0xBB
        | 0xA1
        | 0xBF => Class::Punctuation,
        0xFF10..=0xFF19 => Class::Digit,
        _ if c.is_alphabetic() => Class::Letter,
        _ if c.is_numeric() => Class::Digit,
        // Marks that belong to letters: Thai and Indic vowels, combining accents.
        0x0300..=0x036F | 0x0900..=0x0EFF | 0x1780..=0x17FF => Class::Letter,
        _ if c.is_whitespace() => Class::Space,
        _ => Class::Symbol,
    }
}
