//! A look at a Parquet footer before it is decoded.
//!
//! The `parquet` crate reserves memory for as many row groups as the footer claims, before it reads
//! them. A claim of two thousand million stops the process (an allocation that fails cannot be
//! caught), so the count is looked at first. Only what is needed to step over the fields before it
//! is understood here; all else is left to the crate.
//!
//! Source: `FileMetaData` of parquet-format, and the compact protocol of Apache Thrift.

use super::RangeRead;

/// The most bytes of a footer. Files of a hundred thousand column chunks have 50 MB.
const MAX_FOOTER_BYTES: u64 = 512 << 20;

/// The row groups' field of `FileMetaData`.
const ROW_GROUPS: i16 = 4;

/// Nesting of the fields before the row groups: the schema is a list of structs of structs.
const MAX_DEPTH: usize = 16;

/// Refuses a footer that cannot be there, is too large, or claims more than it can hold.
pub(super) fn check(source: &dyn RangeRead) -> Result<(), String> {
    let n_bytes = source.n_bytes();
    let end = n_bytes.checked_sub(8).filter(|end| *end >= 4).ok_or("too short for a footer")?;
    let tail = source.read_range(end, 8).map_err(|error| error.to_string())?;
    match &tail[4..] {
        b"PAR1" => {}
        b"PARE" => return Err("its footer is encrypted, which is not supported".to_owned()),
        _ => return Err("no `PAR1` at its end: it may be cut off".to_owned()),
    }
    let footer_bytes = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    let limit = MAX_FOOTER_BYTES.min(end - 4);
    if u64::from(footer_bytes) > limit {
        return Err(format!("a footer of {footer_bytes} bytes, at most {limit} are possible"));
    }
    let start = end - u64::from(footer_bytes);
    let footer =
        source.read_range(start, footer_bytes as usize).map_err(|error| error.to_string())?;
    let mut fields = Compact { bytes: &footer };
    fields.check_row_groups().ok_or_else(|| "its footer is damaged".to_owned())
}

/// Steps over values of the Thrift compact protocol. `None` where the bytes break it.
struct Compact<'a> {
    bytes: &'a [u8],
}

impl Compact<'_> {
    fn check_row_groups(&mut self) -> Option<()> {
        let mut id = 0;
        while let Some((kind, next)) = self.field(id)? {
            id = next;
            if id == ROW_GROUPS && kind == 9 {
                let (_, n_groups) = self.list()?;
                // A row group takes at least a byte.
                return (n_groups <= self.bytes.len()).then_some(());
            }
            self.skip(kind, 0)?;
        }
        Some(())
    }

    /// The type and number of the next field; `Some(None)` at the end of the struct.
    fn field(&mut self, before: i16) -> Option<Option<(u8, i16)>> {
        let head = self.byte()?;
        if head == 0 {
            return Some(None);
        }
        let id = match head >> 4 {
            0 => {
                let zigzag = self.number()?;
                i16::try_from((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)).ok()?
            }
            delta => before.checked_add(i16::from(delta))?,
        };
        Some(Some((head & 15, id)))
    }

    /// The type and number of a list's elements.
    fn list(&mut self) -> Option<(u8, usize)> {
        let head = self.byte()?;
        let n_elements = match head >> 4 {
            15 => usize::try_from(self.number()?).ok()?,
            n_elements => usize::from(n_elements),
        };
        Some((head & 15, n_elements))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            // The value of a boolean field is its type.
            1 | 2 => Some(()),
            3 => self.take(1),
            4..=6 => self.number().map(|_| ()),
            7 => self.take(8),
            8 => {
                let n_bytes = usize::try_from(self.number()?).ok()?;
                self.take(n_bytes)
            }
            9 | 10 if depth < MAX_DEPTH => {
                let (kind, n_elements) = self.list()?;
                for _ in 0..n_elements {
                    match kind {
                        // In a list a boolean is a byte.
                        1 | 2 => self.take(1)?,
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
                Some(())
            }
            12 if depth < MAX_DEPTH => {
                let mut id = 0;
                while let Some((kind, next)) = self.field(id)? {
                    id = next;
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, n_bytes: usize) -> Option<()> {
        self.bytes = self.bytes.get(n_bytes..)?;
        Some(())
    }
}
