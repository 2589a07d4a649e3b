//! Added tokens: strings that stand for one id each, outside of what the model learned to merge.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::TextError;
use crate::trie::Trie;

/// Added tokens are names of a few dozen bytes; their prefix tree takes about eighty times their
/// size in memory.
const MAX_CONTENT_BYTES: usize = 1 << 20;

/// One added token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddedToken {
    pub(crate) content: String,
    pub(crate) id: u32,
    /// Whether it holds the format of a prompt together, rather than being an ordinary word.
    pub(crate) is_special: bool,
    pub(crate) edges: Edges,
}

/// What an added token does to the text around it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Edges {
    /// Swallows white space before it.
    pub(crate) strips_left: bool,
    /// Swallows white space after it.
    pub(crate) strips_right: bool,
    /// Counts only where no letter, digit or underscore touches it.
    pub(crate) is_single_word: bool,
}

/// Which added tokens are looked for in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those that are not special.
    Ordinary,
    /// All of them.
    All,
}

/// What a text starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpecialPrefix {
    /// A special token.
    Whole,
    /// The beginning of one, at which the text ends.
    Begun,
    /// Neither.
    Absent,
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    Text(&'t str),
    Token(u32),
}

/// All added tokens of a tokenizer.
#[derive(Debug, Clone)]
pub(crate) struct AddedTokens {
    tokens: Vec<AddedToken>,
    by_id: HashMap<u32, usize>,
    by_content: HashMap<String, usize>,
    trie: Trie,
}

impl AddedTokens {
    pub(crate) fn new() -> Self {
        let (by_id, by_content) = (HashMap::new(), HashMap::new());
        Self { tokens: Vec::new(), by_id, by_content, trie: Trie::new() }
    }

    /// Adds a token; one that is known already may become special or change its edges.
    ///
    /// # Errors
    ///
    /// [`TextError::AddedTokenConflict`] if the id or the text is taken,
    /// [`TextError::ModelTooLarge`].
    pub(crate) fn add(&mut self, token: AddedToken) -> Result<(), TextError> {
        // An empty string would be found everywhere.
        if token.content.is_empty() {
            return Ok(());
        }
        let by_id = self.by_id.get(&token.id).copied();
        let by_content = self.by_content.get(&token.content).copied();
        if by_id != by_content {
            let first = by_id.or(by_content).expect("they differ, so one is there");
            let AddedToken { id, content: text, .. } = self.tokens[first].clone();
            let (content, found) = (token.content, token.id);
            return Err(TextError::AddedTokenConflict { content, found, id, text });
        }
        if let Some(index) = by_id {
            let known = &mut self.tokens[index];
            known.is_special |= token.is_special;
            known.edges = token.edges;
            return Ok(());
        }
        let n_bytes: usize = self.tokens.iter().map(|known| known.content.len()).sum();
        if n_bytes + token.content.len() > MAX_CONTENT_BYTES {
            let what = "bytes of added tokens";
            return Err(TextError::ModelTooLarge { what, limit: MAX_CONTENT_BYTES });
        }
        let index = self.tokens.len();
        self.trie.insert(token.content.as_bytes(), index as u32);
        self.by_id.insert(token.id, index);
        self.by_content.insert(token.content.clone(), index);
        self.tokens.push(token);
        Ok(())
    }

    pub(crate) fn by_id(&self, id: u32) -> Option<&AddedToken> {
        self.by_id.get(&id).map(|&index| &self.tokens[index])
    }

    pub(crate) fn by_content(&self, content: &str) -> Option<&AddedToken> {
        self.by_content.get(content).map(|&index| &self.tokens[index])
    }

    pub(crate) fn special(&self) -> impl Iterator<Item = &AddedToken> {
        self.tokens.iter().filter(|token| token.is_special)
    }

    /// Looks for a special token at the very start of `text`.
    pub(crate) fn special_prefix(&self, text: &str) -> SpecialPrefix {
        let walk = self.trie.walk(text.as_bytes(), |index| self.tokens[index as usize].is_special);
        match (walk.longest, walk.is_open) {
            (Some(_), _) => SpecialPrefix::Whole,
            (None, true) => SpecialPrefix::Begun,
            (None, false) => SpecialPrefix::Absent,
        }
    }

    pub(crate) fn max_id(&self) -> Option<u32> {
        self.tokens.iter().map(|token| token.id).max()
    }

    /// Cuts a text into added tokens and what lies between them. No text part is empty.
    pub(crate) fn split<'t>(&self, text: &'t str, wanted: Wanted) -> Vec<Part<'t>> {
        let mut parts = Vec::new();
        let mut end = 0;
        for (range, id) in self.find(text, wanted) {
            if end < range.start {
                parts.push(Part::Text(&text[end..range.start]));
            }
            parts.push(Part::Token(id));
            end = range.end;
        }
        if end < text.len() {
            parts.push(Part::Text(&text[end..]));
        }
        parts
    }

    /// The added tokens of a text with the bytes that each of them takes: leftmost first, of those
    /// that start together the longest.
    pub(crate) fn find(&self, text: &str, wanted: Wanted) -> Vec<(Range<usize>, u32)> {
        let is_wanted =
            |index: u32| wanted == Wanted::All || !self.tokens[index as usize].is_special;
        let mut found: Vec<(Range<usize>, u32)> = Vec::new();
        if !(0..self.tokens.len() as u32).any(is_wanted) {
            return found;
        }
        let (mut position, mut free_from) = (0, 0);
        // Tokens start with the first byte of a character, so only such are stopped at.
        while let Some(n_passed) = self.trie.position_of_start(&text.as_bytes()[position..]) {
            position += n_passed;
            let walk = self.trie.walk(&text.as_bytes()[position..], is_wanted);
            let Some((len, index)) = walk.longest else {
                position += 1;
                continue;
            };
            let token = &self.tokens[index as usize];
            let end = position + len;
            if let Some(range) = token.edges.apply(text, position..end, free_from) {
                free_from = range.end;
                found.push((range, token.id));
            }
            position = end.max(free_from);
        }
        found
    }
}

impl Edges {
    /// The bytes that a token found at `range` takes, or nothing if it does not count there.
    fn apply(self, text: &str, range: Range<usize>, free_from: usize) -> Option<Range<usize>> {
        let (before, after) = (&text[free_from..range.start], &text[range.end..]);
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        if self.is_single_word && (before.ends_with(is_word) || after.starts_with(is_word)) {
            return None;
        }
        let start =
            if self.strips_left { free_from + before.trim_end().len() } else { range.start };
        let stripped = after.len() - after.trim_start().len();
        let end = if self.strips_right { range.end + stripped } else { range.end };
        Some(start..end)
    }
}
