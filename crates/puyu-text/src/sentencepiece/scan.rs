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
    /// Parts that are ended and whose tokens are yet to come.
    ended: Vec<Ended>,
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

/// A part of the text that has no cut inside.
#[derive(Clone, Copy)]
struct Ended {
    start: u32,
    end: u32,
    /// The piece that it is as a whole as far as is known, or [`NONE`].
    id: u32,
}

/// Parts that are looked up together, so that their waits for memory overlap. Enough for any
/// processor, and little beside its first cache.
const BATCH: usize = 64;

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
        let ended = Vec::with_capacity(BATCH);
        Self { tables, lexicon, text, part: Part::empty(0), ended, merge: Merge::new(), sink }
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
                self.look_up();
                self.sink.push(id);
                self.part = Part::empty(at + len);
                rest = self.text[at + len..].chars();
                continue;
            }
            if found.id() == NONE {
                self.end_part(at);
                self.look_up();
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
        self.look_up();
    }

    fn user_defined(&self, at: usize) -> Option<(usize, u32)> {
        let accepts = |id| self.lexicon.accepts(id);
        self.tables.user_defined.walk(&self.text.as_bytes()[at..], accepts).longest
    }

    #[cold]
    fn push_unknown(&mut self, character: char) {
        self.sink.push_unknown(character.encode_utf8(&mut [0; 4]));
    }

    /// Puts the part that ends here by.
    #[inline]
    fn end_part(&mut self, end: usize) {
        if self.part.last.is_none() {
            return;
        }
        let id = if self.part.is_single { self.part.first_id } else { NONE };
        // Texts are bounded far below 4 GiB.
        self.ended.push(Ended { start: self.part.start as u32, end: end as u32, id });
        if self.ended.len() == BATCH {
            self.look_up();
        }
    }

    /// Appends the tokens of the parts put by.
    fn look_up(&mut self) {
        let Self { tables, text, ended, merge, sink, .. } = self;
        let bytes = text.as_bytes();
        for part in ended.iter_mut().filter(|part| part.id == NONE) {
            part.id = tables.words.glance(bytes, part.start as usize, part.end as usize);
        }
        for part in ended.drain(..) {
            if part.id != NONE {
                sink.push(part.id);
                continue;
            }
            let (start, end) = (part.start as usize, part.end as usize);
            let id = tables.words.find(bytes, start, end);
            if id != NONE {
                sink.push(id);
                continue;
            }
            let characters = text[start..end].chars();
            let symbols = characters.map(|character| tables.characters.find(character).id());
            for &id in merge.run(symbols, &tables.pairs) {
                sink.push(id);
            }
        }
    }
}
