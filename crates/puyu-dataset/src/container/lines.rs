//! JSON lines, plain or compressed.

use std::io;
use std::path::Path;

use bytes::Bytes;

use super::pending::{Pending, next_item};
use super::source::{Broken, Input};
use super::window::{Filled, Window};
use super::{BlankLines, ChunkReader, Mark, ReadOptions};
use crate::error::DatasetError;
use crate::fault::{Fault, FaultKind};
use crate::row::{Chunk, LineSpan, Rows};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Splits a stream into lines.
pub(super) struct LineReader {
    input: Input,
    chunk_bytes: usize,
    max_row_bytes: usize,
    blank_lines: BlankLines,
    /// What was read and not yet split: never a whole line, between calls.
    buffer: Window,
    /// Where `buffer` begins, or the line that is being skipped.
    at: Mark,
    state: State,
    pending: Pending,
    /// Spans in the chunk before: room for the next.
    n_spans: usize,
}

enum State {
    Reading,
    /// Inside a line that is too long: its bytes so far, and the last of them.
    Skipping {
        n_bytes: u64,
        last: u8,
    },
    Ended,
}

impl LineReader {
    /// Reads from `at`, where `input` must already be.
    pub(super) fn new(path: &Path, input: Input, options: &ReadOptions, at: Mark) -> Self {
        Self {
            input,
            chunk_bytes: options.chunk_bytes,
            max_row_bytes: options.max_row_bytes,
            blank_lines: options.blank_lines,
            buffer: Window::new(options.chunk_bytes),
            at,
            state: State::Reading,
            pending: Pending::new(path),
            n_spans: 0,
        }
    }

    /// Reads once and hands all that is complete to `pending`.
    fn advance(&mut self) {
        let seen = self.buffer.bytes().len();
        let filled = self.buffer.fill(&mut self.input.reader, self.chunk_bytes);
        if self.at.offset == 0 && self.strip_mark(&filled) {
            return;
        }
        let seen = match self.state {
            State::Skipping { n_bytes, last } => {
                self.skip(n_bytes, last);
                0
            }
            _ => seen.saturating_sub(BYTE_ORDER_MARK.len()),
        };
        // Only the new bytes can hold a line end, unless a mark or a long line was just dropped.
        if let Some(end) = memchr::memrchr(b'\n', &self.buffer.bytes()[seen..]) {
            let lines = self.buffer.split_to(seen + end + 1);
            self.split(lines);
        }
        match filled {
            // One byte more: the last may be the carriage return of a line just short enough.
            Filled::More if self.buffer.bytes().len() > self.max_row_bytes.saturating_add(1) => {
                self.skip(0, 0);
            }
            Filled::More => {}
            Filled::End => self.end(),
            Filled::Broken(error) => self.break_off(error),
        }
    }

    /// Drops the byte order mark at the start of a file; `true` if it takes more bytes to tell.
    fn strip_mark(&mut self, filled: &Filled) -> bool {
        if self.buffer.bytes().starts_with(BYTE_ORDER_MARK) {
            self.buffer.advance(BYTE_ORDER_MARK.len());
            self.at.offset = BYTE_ORDER_MARK.len() as u64;
        }
        let bytes = self.buffer.bytes();
        let short = bytes.len() < BYTE_ORDER_MARK.len() && self.at.offset == 0;
        short && matches!(filled, Filled::More) && BYTE_ORDER_MARK.starts_with(bytes)
    }

    /// Drops the buffer up to the end of a line that is too long.
    fn skip(&mut self, n_bytes: u64, last: u8) {
        let bytes = self.buffer.bytes();
        let found = memchr::memchr(b'\n', bytes);
        let end = found.unwrap_or(bytes.len());
        let last = bytes[..end].last().copied().unwrap_or(last);
        let n_bytes = n_bytes + end as u64;
        self.state = State::Skipping { n_bytes, last };
        if found.is_some() {
            self.buffer.advance(end + 1);
            self.end_skipped(n_bytes, last, 1);
            self.state = State::Reading;
        } else {
            self.buffer.clear();
        }
    }

    fn end_skipped(&mut self, n_bytes: u64, last: u8, n_line_end: u64) {
        let content = n_bytes - u64::from(last == b'\r');
        let fault = self.too_long(content);
        self.bad(self.at, fault);
        self.at.row += 1;
        self.at.line += 1;
        self.at.offset += n_bytes + n_line_end;
    }

    /// The end of a whole file.
    fn end(&mut self) {
        if let State::Skipping { n_bytes, last } = self.state {
            self.end_skipped(n_bytes, last, 0);
        } else if !self.buffer.bytes().is_empty() {
            let lines = self.buffer.split_to(self.buffer.bytes().len());
            self.split(lines);
        }
        self.state = State::Ended;
    }

    /// The end of a file that cannot be read further.
    fn break_off(&mut self, error: io::Error) {
        self.state = State::Ended;
        match self.input.broken(error) {
            Broken::Data(fault) => {
                self.bad(self.at, fault);
                self.at.row += 1;
            }
            Broken::Storage(error) => {
                let error = DatasetError::io("read", self.pending.path())(error);
                self.pending.error(self.at, error);
            }
        }
    }

    /// Makes rows of whole lines; the last may lack its line end.
    fn split(&mut self, lines: Bytes) {
        let offset = self.at.offset;
        let mut spans = Vec::with_capacity(self.n_spans + self.n_spans / 8);
        let mut first = self.at;
        let mut start = 0;
        for next in memchr::memchr_iter(b'\n', &lines).map(|end| end + 1).chain([lines.len()]) {
            if start == next {
                break;
            }
            let row = content(&lines[start..next]);
            let line = Mark { offset: offset + start as u64, ..self.at };
            self.at.line += 1;
            let fault = self.fault_of(row);
            if fault.is_some() {
                self.hand_over(first, &lines, offset, &mut spans);
            }
            match &fault {
                Some(fault) => self.at.row += u64::from(fault.kind == FaultKind::Size),
                None if is_blank(row) => {}
                None => {
                    self.at.row += 1;
                    let (start, len) = (start as u32, row.len() as u32);
                    spans.push(LineSpan { start, len, line: self.at.line });
                }
            }
            start = next;
            if let Some(fault) = fault {
                self.bad(line, fault);
                first = Mark { offset: offset + start as u64, ..self.at };
            }
        }
        self.at.offset = offset + lines.len() as u64;
        self.n_spans = spans.len();
        self.hand_over(first, &lines, offset, &mut spans);
    }

    fn hand_over(&mut self, at: Mark, bytes: &Bytes, offset: u64, spans: &mut Vec<LineSpan>) {
        if !spans.is_empty() {
            let spans = std::mem::take(spans);
            self.pending.rows(at, Rows::Lines { bytes: bytes.clone(), offset, spans });
        }
    }

    fn bad(&mut self, line: Mark, fault: Fault) {
        self.pending.fault(line, line.line + 1, Some(line.offset), fault);
    }

    fn fault_of(&self, row: &[u8]) -> Option<Fault> {
        if row.len() > self.max_row_bytes {
            return Some(self.too_long(row.len() as u64));
        }
        let blank = self.blank_lines == BlankLines::Fault && is_blank(row);
        blank.then(|| Fault::row(FaultKind::Empty, "a JSON value", "a blank line"))
    }

    fn too_long(&self, n_bytes: u64) -> Fault {
        let expected = format!("at most {} bytes", self.max_row_bytes);
        Fault::row(FaultKind::Size, expected, format!("{n_bytes} bytes"))
    }
}

/// A line without its end.
fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

impl ChunkReader for LineReader {
    fn next_chunk(&mut self) -> Option<Result<Chunk, DatasetError>> {
        next_item(
            self,
            |reader| &mut reader.pending,
            |reader| (!matches!(reader.state, State::Ended)).then(|| reader.advance()),
        )
    }

    fn mark(&self) -> Mark {
        self.pending.mark().unwrap_or(self.at)
    }
}
