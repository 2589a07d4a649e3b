//! The one kind of NumPy file that InternEvo uses: a table of integers with two columns.
//!
//! Source: the `.npy` format, version 1.0 (`numpy/lib/format.py`).

use std::sync::LazyLock;

use bytes::Bytes;
use regex::Regex;

use super::files::Foreign;
use super::words::{Word, Words};
use crate::error::DatasetError;

const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
/// The header ends on a multiple of this.
const ALIGN: usize = 64;
/// NumPy leaves room for the row count to grow to this many digits.
const ROW_DIGITS: usize = 21;

/// The header as NumPy writes it. Other dictionaries are legal Python, but nothing writes them.
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^\{'descr': '(<i4|<i8)', 'fortran_order': False, 'shape': \((\d{1,19}), 2\), \} *\n$",
    )
    .expect("the expression is a constant that the tests compile")
});

/// The rows of a table.
#[derive(Debug, Clone)]
pub(super) enum Table {
    I32(Words<i32>),
    I64(Words<i64>),
}

impl Table {
    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::I32(words) => words.as_slice().len() / 2,
            Self::I64(words) => words.as_slice().len() / 2,
        }
    }

    /// Row `index`, whose numbers may be negative: they are a stranger's.
    pub(super) fn row(&self, index: usize) -> [i64; 2] {
        fn pair<T: Word + Into<i64>>(words: &[T], index: usize) -> [i64; 2] {
            [words[2 * index].into(), words[2 * index + 1].into()]
        }
        match self {
            Self::I32(words) => pair(words.as_slice(), index),
            Self::I64(words) => pair(words.as_slice(), index),
        }
    }
}

/// Reads a table.
pub(super) fn parse(file: &Foreign<'_>, bytes: &Bytes) -> Result<Table, DatasetError> {
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        let start = &bytes[..bytes.len().min(MAGIC.len())];
        let found = format!("\"{}\"", start.escape_ascii());
        return Err(file.violation("magic", "\"\\x93NUMPY\\x01\\x00\", NumPy's", found));
    };
    let header = rest
        .split_at_checked(2)
        .and_then(|(size, rest)| rest.get(..usize::from(u16::from_le_bytes([size[0], size[1]]))));
    let Some(header) = header else {
        return Err(file.violation("header", "a whole header", "the end of the file"));
    };
    let text = String::from_utf8_lossy(header);
    let Some(found) = HEADER.captures(&text) else {
        let expected = "'<i4' or '<i8', row by row, shape (n, 2)";
        return Err(file.violation("header", expected, crate::fault::excerpt(&text)));
    };
    let n_rows: u64 =
        found[2].parse().map_err(|error| file.violation("rows", "a number below 2^64", error))?;
    let width: u64 = if &found[1] == "<i4" { 4 } else { 8 };
    let start = MAGIC.len() + 2 + header.len();
    let n_bytes = (bytes.len() - start) as u64;
    if n_rows.checked_mul(2 * width) != Some(n_bytes) {
        let expected = format!("{n_rows} rows of {} bytes", 2 * width);
        return Err(file.violation("data", expected, format!("{n_bytes} bytes")));
    }
    let data = bytes.slice(start..);
    let whole = || file.violation("data", "whole rows", "a part of a row");
    Ok(match width {
        4 => Table::I32(Words::new(data).ok_or_else(whole)?),
        _ => Table::I64(Words::new(data).ok_or_else(whole)?),
    })
}

/// Writes a table as NumPy does, with four bytes per number while all of them fit.
///
/// The original tool writes four bytes, which ends at 2 GiB; larger files need eight.
pub(super) fn format(rows: &[[i64; 2]]) -> Vec<u8> {
    let narrow = rows.iter().flatten().all(|&number| i32::try_from(number).is_ok());
    let descr = if narrow { "<i4" } else { "<i8" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}, 2), }}", rows.len());
    let growth = ROW_DIGITS - rows.len().to_string().len();
    header.extend(std::iter::repeat_n(' ', growth));
    let unpadded = MAGIC.len() + 2 + header.len() + 1;
    header.extend(std::iter::repeat_n(' ', unpadded.next_multiple_of(ALIGN) - unpadded));
    header.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    for &number in rows.iter().flatten() {
        if narrow {
            out.extend((number as i32).to_le_bytes());
        } else {
            out.extend(number.to_le_bytes());
        }
    }
    out
}
