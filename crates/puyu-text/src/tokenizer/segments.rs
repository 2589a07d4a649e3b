//! A prompt in segments that remember who wrote them, and its token ids.

use std::ops::Range;

use super::Tokenizer;
use crate::added::Wanted;
use crate::error::TextError;

/// Who wrote a segment of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The template: special tokens in it are meant.
    Template,
    /// A message, a tool or its result: special tokens in it are text.
    Content,
}

/// A prompt in segments. Neighbours differ in their origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Segments {
    text: String,
    /// End of each segment in `text`, in bytes, and its origin.
    ends: Vec<(usize, Origin)>,
}

impl Segments {
    /// Appends text of one origin.
    pub(crate) fn push(&mut self, text: &str, origin: Origin) {
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        let end = self.text.len();
        match self.ends.last_mut() {
            Some(last) if last.1 == origin => last.0 = end,
            _ => self.ends.push((end, origin)),
        }
    }

    /// Appends text of the template.
    pub(crate) fn template(&mut self, text: &str) {
        self.push(text, Origin::Template);
    }

    /// Forgets who wrote what: special tokens are meant everywhere.
    pub(crate) fn into_template(mut self) -> Self {
        self.ends.clear();
        if !self.text.is_empty() {
            self.ends.push((self.text.len(), Origin::Template));
        }
        self
    }

    /// The whole prompt.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    fn template_ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let mut start = 0;
        self.ends.iter().filter_map(move |&(end, origin)| {
            let range = start..end;
            start = end;
            (origin == Origin::Template).then_some(range)
        })
    }
}

impl Tokenizer {
    /// Encodes a prompt: special tokens are read in segments of the template only.
    ///
    /// Text between two special tokens is encoded in one piece whoever wrote it, so that a prompt
    /// without mischief has exactly the ids of
    /// [`encode_with_special`](Tokenizer::encode_with_special).
    pub(crate) fn encode_segments(&self, segments: &Segments) -> Result<Vec<u32>, TextError> {
        let text = segments.text.as_str();
        let mut meant = Vec::new();
        for range in segments.template_ranges() {
            let found = self.added().find(&text[range.clone()], Wanted::All);
            meant.extend(
                found
                    .into_iter()
                    .map(|(at, id)| (range.start + at.start..range.start + at.end, id)),
            );
        }
        // A tokenizer of Hugging Face may treat the first part of a text differently, so a prompt
        // in which nothing is forged is encoded by it as a whole.
        if let Some(library) = self.hugging_face()
            && self.added().find(text, Wanted::All) == meant
        {
            return library.encode_parsing(text);
        }
        let mut ids = Vec::new();
        let mut end = 0;
        for (range, id) in meant {
            if end < range.start {
                ids.extend(self.encode_as_text(&text[end..range.start])?);
            }
            ids.push(id);
            end = range.end;
        }
        if end < text.len() {
            ids.extend(self.encode_as_text(&text[end..])?);
        }
        Ok(ids)
    }
}
