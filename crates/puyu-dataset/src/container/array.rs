//! One JSON document: a top-level array of rows, or one value that is the only row.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::pending::{Pending, next_item};
use super::source::{Broken, Input, outside};
use super::{ChunkReader, Mark, ReadOptions};
use crate::error::DatasetError;
use crate::fault::{Fault, FaultKind};
use crate::row::{Chunk, LineSpan, Rows};

/// Splits a document into its elements. The line of a span is the element's number.
pub(super) struct ArrayReader {
    bytes: Bytes,
    /// What ended the bytes early.
    broken: Option<Fault>,
    chunk_bytes: usize,
    max_row_bytes: usize,
    /// Before the next element.
    at: Mark,
    state: State,
    pending: Pending,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before the document.
    Start,
    /// After `[`.
    First,
    /// After a comma.
    Next,
    Ended,
}

/// What follows an element.
enum Step {
    /// An element in these bytes; then whether another follows.
    Element {
        start: usize,
        end: usize,
        more: bool,
    },
    End,
}

/// Reads a whole document into memory.
pub(super) fn load(
    path: &Path,
    input: &mut Input,
    options: &ReadOptions,
) -> Result<(Bytes, Option<Fault>), DatasetError> {
    let mut bytes = Vec::new();
    let limit = options.max_document_bytes;
    let read = (&mut input.reader).take(limit.saturating_add(1)).read_to_end(&mut bytes);
    check_size(path, bytes.len() as u64, options)?;
    let broken = match read.map_err(|error| input.broken(error)) {
        Ok(_) => None,
        Err(Broken::Data(fault)) => Some(fault),
        Err(Broken::Storage(error)) => return Err(DatasetError::io("read", path)(error)),
    };
    Ok((bytes.into(), broken))
}

/// Refuses a document that is too large.
pub(super) fn check_size(
    path: &Path,
    needed: u64,
    options: &ReadOptions,
) -> Result<(), DatasetError> {
    let limit = options.max_document_bytes;
    if needed <= limit {
        return Ok(());
    }
    let what = format!("the JSON document {} (`max_document_bytes`)", path.display());
    Err(DatasetError::Limit { what, needed, limit })
}

impl ArrayReader {
    /// Reads the elements of `bytes` from `at`.
    pub(super) fn new(
        path: &Path,
        (bytes, broken): (Bytes, Option<Fault>),
        options: &ReadOptions,
        at: Mark,
    ) -> Result<Self, DatasetError> {
        if at.offset > bytes.len() as u64 {
            return Err(outside("byte", at.offset, bytes.len() as u64));
        }
        let state = match at {
            Mark { line: 1.., .. } => State::Ended,
            Mark { offset: 0, .. } => State::Start,
            _ => State::Next,
        };
        Ok(Self {
            bytes,
            broken,
            chunk_bytes: options.chunk_bytes,
            max_row_bytes: options.max_row_bytes,
            at,
            state,
            pending: Pending::new(path),
        })
    }

    /// Collects elements until a chunk is full or something is wrong.
    fn advance(&mut self) {
        let first = self.at;
        let mut elements: Vec<(usize, usize)> = Vec::new();
        let mut trouble = None;
        while trouble.is_none() && self.state != State::Ended {
            if elements.first().is_some_and(|(start, _)| {
                self.at.offset.saturating_sub(*start as u64) >= self.chunk_bytes as u64
            }) {
                break;
            }
            let before = self.at;
            match self.step() {
                Ok(Step::End) => self.finish(),
                Ok(Step::Element { start, end, more }) => {
                    self.at.row += 1;
                    if end - start > self.max_row_bytes {
                        trouble = Some((before, start, self.too_long(end - start)));
                    } else {
                        elements.push((start, end));
                    }
                    if !more {
                        self.finish();
                    }
                }
                Err((start, fault)) => {
                    trouble = Some((before, start, self.broken.take().unwrap_or(fault)));
                    self.at.row += 1;
                    self.finish();
                }
            }
        }
        self.hand_over(first, &elements);
        if let Some((before, start, fault)) = trouble {
            self.pending.fault(before, before.row + 1, Some(start as u64), fault);
        }
    }

    fn finish(&mut self) {
        self.state = State::Ended;
        self.at.offset = self.bytes.len() as u64;
        self.at.line = 1;
    }

    fn hand_over(&mut self, at: Mark, elements: &[(usize, usize)]) {
        let (Some((begin, _)), Some((_, end))) = (elements.first(), elements.last()) else {
            return;
        };
        let spans = elements.iter().zip(at.row + 1..).map(|((start, stop), line)| {
            // A chunk is at most `chunk_bytes + max_row_bytes` long, both at most 1 GiB.
            LineSpan { start: (start - begin) as u32, len: (stop - start) as u32, line }
        });
        let spans = spans.collect();
        let bytes = self.bytes.slice(*begin..*end);
        self.pending.rows(at, Rows::Lines { bytes, offset: *begin as u64, spans });
    }

    /// Reads one element, and the separator after it.
    fn step(&mut self) -> Result<Step, (usize, Fault)> {
        let mut place = self.at.offset as usize;
        if self.state == State::Start {
            if self.bytes.starts_with(b"\xEF\xBB\xBF") {
                place = 3;
            }
            place = self.after_space(place);
            if self.bytes.get(place) != Some(&b'[') {
                return self.only_value(place);
            }
            place += 1;
            self.state = State::First;
        }
        let start = self.after_space(place);
        if self.state == State::First && self.bytes.get(start) == Some(&b']') {
            return self.nothing_after(start + 1).map(|()| Step::End);
        }
        let end = self.value_end(start)?;
        let next = self.after_space(end);
        match self.bytes.get(next) {
            Some(b',') => {
                self.state = State::Next;
                self.at.offset = next as u64 + 1;
                Ok(Step::Element { start, end, more: true })
            }
            Some(b']') if self.after_space(next + 1) == self.bytes.len() => {
                Ok(Step::Element { start, end, more: false })
            }
            found => {
                // The element itself is whole. What is wrong after it is the next step's to tell.
                let place = match found {
                    Some(b']') => self.after_space(next + 1),
                    _ => next,
                };
                self.at.offset = place as u64;
                self.state = State::Next;
                Ok(Step::Element { start, end, more: true })
            }
        }
    }

    /// A document that is no array.
    fn only_value(&mut self, start: usize) -> Result<Step, (usize, Fault)> {
        if start == self.bytes.len() && self.broken.is_none() {
            return Ok(Step::End);
        }
        let end = self.value_end(start)?;
        self.nothing_after(end)?;
        Ok(Step::Element { start, end, more: false })
    }

    fn nothing_after(&self, place: usize) -> Result<(), (usize, Fault)> {
        let place = self.after_space(place);
        match self.bytes.get(place) {
            None => Ok(()),
            Some(byte) => {
                Err((place, Fault::row(FaultKind::Json, "the end of the document", describe(byte))))
            }
        }
    }

    /// Where the value that begins at `start` ends. Does not look at its text encoding: that is
    /// for whoever reads the row.
    fn value_end(&self, start: usize) -> Result<usize, (usize, Fault)> {
        if self.state == State::Next && !self.follows_comma(start) {
            let (kind, found) = match self.bytes.get(start) {
                None => (FaultKind::Truncated, "the end of the file".to_owned()),
                Some(byte) => (FaultKind::Json, describe(byte)),
            };
            let expected = "`,`, `]` or the end of the document";
            return Err((start, Fault::row(kind, expected, found)));
        }
        let mut value = serde_json::Deserializer::from_slice(&self.bytes[start..]);
        match IgnoredAny::deserialize(&mut value) {
            Ok(_) => Ok(start + value.into_iter::<IgnoredAny>().byte_offset()),
            Err(error) => {
                let kind = match error.is_eof() {
                    true => FaultKind::Truncated,
                    false => FaultKind::Json,
                };
                Err((start, Fault::row(kind, "a JSON value", error.to_string())))
            }
        }
    }

    fn follows_comma(&self, start: usize) -> bool {
        let before = self.bytes[..start].iter().rev().find(|byte| !byte.is_ascii_whitespace());
        before == Some(&b',')
    }

    fn after_space(&self, place: usize) -> usize {
        let rest = &self.bytes[place..];
        let space = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
        place + space.count()
    }

    fn too_long(&self, n_bytes: usize) -> Fault {
        let expected = format!("at most {} bytes", self.max_row_bytes);
        Fault::row(FaultKind::Size, expected, format!("{n_bytes} bytes"))
    }
}

fn describe(byte: &u8) -> String {
    format!("`{}`", byte.escape_ascii())
}

impl ChunkReader for ArrayReader {
    fn next_chunk(&mut self) -> Option<Result<Chunk, DatasetError>> {
        next_item(
            self,
            |reader| &mut reader.pending,
            |reader| (reader.state != State::Ended).then(|| reader.advance()),
        )
    }

    fn mark(&self) -> Mark {
        self.pending.mark().unwrap_or(self.at)
    }
}
