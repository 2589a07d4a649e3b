//! Spans of a document that an earlier place has.

use std::ops::Range;

use serde::Serialize;

/// A span that an earlier place has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repeat {
    /// The span, in bytes of its document, at character boundaries.
    pub bytes: Range<usize>,
    /// The document of the earlier place: an earlier one, or the same.
    pub source: u64,
}

/// The repeated spans of one document: in order, not overlapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DocumentRepeats {
    /// The document, counted from 0.
    pub document: u64,
    /// The spans.
    pub spans: Vec<Repeat>,
}

impl DocumentRepeats {
    /// The text without its repeated spans.
    ///
    /// # Panics
    ///
    /// If `text` is not the document that these spans were found in.
    ///
    /// ```
    /// use puyu_dataset::dedup::{DocumentRepeats, Repeat};
    ///
    /// let spans = vec![Repeat { bytes: 3..6, source: 0 }];
    /// assert_eq!(DocumentRepeats { document: 1, spans }.remove_from("一二三"), "一三");
    /// ```
    pub fn remove_from(&self, text: &str) -> String {
        let mut kept = String::with_capacity(text.len());
        let mut at = 0;
        for span in &self.spans {
            kept.push_str(&text[at..span.bytes.start]);
            at = span.bytes.end;
        }
        kept.push_str(&text[at..]);
        kept
    }

    /// The length of all spans, in bytes.
    pub fn n_bytes(&self) -> usize {
        self.spans.iter().map(|span| span.bytes.len()).sum()
    }
}
