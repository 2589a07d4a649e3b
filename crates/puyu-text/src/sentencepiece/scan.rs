//! Encoding with [`Tables`]: one pass over the text that cuts it into parts and looks them up.

#[cfg(test)]
mod tests;

use crate::sentencepiece::bpe::{IdSink, Lexicon};
use crate::sentencepiece::merge::Merge;
use crate::sentencepiece::tables::{NONE, Tables};

/// One pass over a text.
pub(crate) struct Scan<'a, 's> {
    tables: &'a Tables,
    lexicon: Lexicon<'a>,
    /// In the alphabet of [`Normalizer::compact`](super::normalize::Normalizer::compact).
    text: &'a str,
    part: Part,
    merge: Merge,
    sink: &'s mut IdSink<'a>,
}

/// The part of the text that is not ended yet.
#[derive(Clone, Copy)]
struct Part {
    start: usize,
    /// Its last character, or nothing if it is empty.
    last: Option<char>,
    /// The piece of its first character.
    first_id: u32,
    is_single: bool,
}

impl Part {
    fn empty(start: usize) -> Self {
        Self { start, last: None, first_id: NONE, is_single: false }
    }
}

impl<'a, 's> Scan<'a, 's> {
    pub(crate) fn new(
        tables: &'a Tables,
        lexicon: Lexicon<'a>,
        text: &'a str,
        sink: &'s mut IdSink<'a>,
    ) -> Self {
        Self { tables, lexicon, text, part: Part::empty(0), merge: Merge::new(), sink }
    }

    /// Appends the tokens of the text; `blank` is what the vocabulary has for its blanks.
    pub(crate) fn run(mut self, blank: char) {
        let mut rest = self.text.chars();
        loop {
            let at = self.text.len() - rest.as_str().len();
            let Some(character) = rest.next() else { break };
            let found = self.tables.characters.find(character);
            if found.starts_user_defined()
                && let Some((len, id)) = self.user_defined(at)
            {
                self.end_part(at);
                self.sink.push(id);
                self.part = Part::empty(at + len);
                rest = self.text[at + len..].chars();
                continue;
            }
            if found.id() == NONE {
                self.end_part(at);
                self.push_unknown(if character == ' ' { blank } else { character });
                self.part = Part::empty(at + character.len_utf8());
                continue;
            }
            if self.part.last.is_some_and(|last| self.tables.joints.contains(last, character)) {
                self.part.is_single = false;
                self.part.last = Some(character);
                continue;
            }
            self.end_part(at);
            let (first_id, last) = (found.id(), Some(character));
            self.part = Part { start: at, last, first_id, is_single: true };
        }
        self.end_part(self.text.len());
    }

    fn user_defined(&self, at: usize) -> Option<(usize, u32)> {
        let accepts = |id| self.lexicon.accepts(id);
        self.tables.user_defined.walk(&self.text.as_bytes()[at..], accepts).longest
    }

    #[cold]
    fn push_unknown(&mut self, character: char) {
        self.sink.push_unknown(character.encode_utf8(&mut [0; 4]));
    }

    /// Appends the tokens of the part that ends here.
    fn end_part(&mut self, end: usize) {
        if self.part.is_single {
            self.sink.push(self.part.first_id);
            return;
        }
        if self.part.last.is_none() {
            return;
        }
        let id = self.tables.words.find(self.text.as_bytes(), self.part.start, end);
        if id != NONE {
            self.sink.push(id);
        } else {
            self.merge_part(end);
        }
    }

    fn merge_part(&mut self, end: usize) {
        let part = &self.text[self.part.start..end];
        let symbols = part.chars().map(|character| self.tables.characters.find(character).id());
        for &id in self.merge.run(symbols, &self.tables.pairs) {
            self.sink.push(id);
        }
    }
}
