//! What a file is, by its first bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::IgnoredAny;

use super::source::Input;
use super::{Compression, Container, Detected};
use crate::error::DatasetError;

/// Bytes looked at. Enough for the first line of most files; a longer one is recognised as a line
/// without its end.
const PROBE_BYTES: u64 = 64 << 10;

const EXPECTED: &str = "JSON lines, a JSON document, Parquet, Arrow IPC, or a tar file, \
                        plain or in gzip or zstd";

pub(super) fn detect(path: &Path) -> Result<Detected, DatasetError> {
    let file = File::open(path).map_err(DatasetError::io("open", path))?;
    let raw = probe(Box::new(file)).map_err(DatasetError::io("read", path))?;
    detect_bytes(path, &raw)
}

/// What a file with this name and these first bytes is.
pub(super) fn detect_bytes(path: &Path, raw: &[u8]) -> Result<Detected, DatasetError> {
    let compression = compression_of(raw);
    let bytes = match compression {
        Compression::None => raw.to_vec(),
        // A probe ends inside the stream: what comes out before that is what counts.
        compression => {
            let source = Box::new(std::io::Cursor::new(raw.to_vec()));
            let input = Input::new(source, compression, u64::MAX);
            input.map_err(DatasetError::io("open", path)).map(|input| probe_partly(input.reader))?
        }
    };
    let hint = Hint::of(path);
    let container = container_of(&bytes, hint).or_else(|| {
        // Nothing came out of a damaged stream, or the file is empty: only the name can tell.
        let silent = bytes.iter().all(u8::is_ascii_whitespace);
        match hint {
            Hint::Lines | Hint::Document if silent => Some(Container::JsonLines),
            Hint::Lines if is_text(&bytes) => Some(Container::JsonLines),
            Hint::Tar if compression != Compression::None && bytes.is_empty() => {
                Some(Container::Tar)
            }
            _ => None,
        }
    });
    match container {
        Some(container) => Ok(Detected { container, compression }),
        None => Err(DatasetError::UnknownContainer {
            path: path.to_owned(),
            expected: EXPECTED,
            found: describe(&bytes),
        }),
    }
}

fn probe(reader: Box<dyn Read + Send>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(PROBE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// As much as can be read: `read_to_end` keeps what came before an error.
fn probe_partly(reader: Box<dyn Read + Send>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = reader.take(PROBE_BYTES).read_to_end(&mut bytes);
    bytes
}

fn compression_of(bytes: &[u8]) -> Compression {
    match bytes {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        // A frame to be skipped, as parallel compressors write first.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        _ => Compression::None,
    }
}

/// What the name says.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Hint {
    Lines,
    Document,
    Tar,
    None,
}

impl Hint {
    fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("jsonl" | "ndjson" | "jsonlines") => Self::Lines,
            Some("json") => Self::Document,
            Some("tar" | "tgz") => Self::Tar,
            _ => Self::None,
        }
    }
}

fn container_of(bytes: &[u8], hint: Hint) -> Option<Container> {
    if bytes.starts_with(b"PAR1") || bytes.starts_with(b"PARE") {
        return Some(Container::Parquet);
    }
    if bytes.starts_with(b"ARROW1") {
        return Some(Container::ArrowFile);
    }
    if is_arrow_stream(bytes) {
        return Some(Container::ArrowStream);
    }
    if is_tar(bytes) {
        return Some(Container::Tar);
    }
    json_of(bytes, hint)
}

/// The marker before the first message, and a plausible length after it.
fn is_arrow_stream(bytes: &[u8]) -> bool {
    match bytes {
        [255, 255, 255, 255, length @ ..] => length
            .first_chunk()
            .is_some_and(|length| (1..1 << 26).contains(&u32::from_le_bytes(*length))),
        _ => false,
    }
}

/// A header whose checksum is right, or the two empty blocks of an empty tar file.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(block) = bytes.first_chunk::<512>() else {
        return false;
    };
    if block.iter().all(|byte| *byte == 0) {
        return bytes.len() >= 1024 && bytes[..1024].iter().all(|byte| *byte == 0);
    }
    let header = tar::Header::from_byte_slice(block);
    let sum = block.iter().enumerate().map(|(place, byte)| match place {
        148..156 => u32::from(b' '),
        _ => u32::from(*byte),
    });
    header.cksum().is_ok_and(|claimed| claimed == sum.sum::<u32>())
}

/// Lines or one document. A first line that is a whole value decides for lines, unless that line
/// is an array, which can be both: there the name decides.
fn json_of(bytes: &[u8], hint: Hint) -> Option<Container> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let ends = line.len() < bytes.len();
    let whole = serde_json::from_slice::<IgnoredAny>(line).is_ok();
    match bytes.first()? {
        b'{' if whole || !ends || hint == Hint::Lines => Some(Container::JsonLines),
        b'{' => Some(Container::JsonArray),
        b'[' if hint == Hint::Lines && (whole || !ends) => Some(Container::JsonLines),
        b'[' => Some(Container::JsonArray),
        _ => None,
    }
}

/// No control characters but white space, as binary files have.
fn is_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(512)];
    head.iter().all(|byte| *byte >= b' ' || byte.is_ascii_whitespace())
}

fn describe(bytes: &[u8]) -> String {
    match bytes {
        [] => "nothing".to_owned(),
        bytes => format!("\"{}\"", bytes[..bytes.len().min(16)].escape_ascii()),
    }
}
