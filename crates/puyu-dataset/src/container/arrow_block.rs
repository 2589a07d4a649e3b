//! One message of Arrow IPC: checked before it is decoded.

use arrow::buffer::Buffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, Message, MessageHeader, MetadataVersion, RecordBatch as Header};
use bytes::Bytes;

use super::columns::walled;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Rows(u64),
    Dictionary,
    Other,
}

/// Where the parts of a message are, as its container says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// The length of the head: prefix, description and padding.
    pub(super) head_bytes: usize,
    /// The length of the buffers.
    pub(super) body_bytes: usize,
}

/// Decodes the messages of one file or stream.
pub(super) struct BlockDecoder {
    decoder: FileDecoder,
    max_block_bytes: u64,
}

impl BlockDecoder {
    pub(super) fn new(
        schema: SchemaRef,
        version: MetadataVersion,
        columns: Option<Vec<usize>>,
        max_block_bytes: u64,
    ) -> Self {
        let decoder = FileDecoder::new(schema, version);
        let decoder = match columns {
            Some(columns) => decoder.with_projection(columns),
            None => decoder,
        };
        Self { decoder, max_block_bytes }
    }

    /// Reads a batch of rows.
    pub(super) fn rows(&self, extent: Extent, bytes: Bytes) -> Result<RecordBatch, String> {
        self.check(extent, &bytes)?;
        let block = extent.block();
        let batch = walled(|| self.decoder.read_record_batch(&block, &Buffer::from(bytes)))?;
        batch.ok_or_else(|| "an empty message".to_owned())
    }

    /// Reads a dictionary, for the batches after it.
    pub(super) fn dictionary(&mut self, extent: Extent, bytes: Bytes) -> Result<(), String> {
        self.check(extent, &bytes)?;
        let block = extent.block();
        walled(|| self.decoder.read_dictionary(&block, &Buffer::from(bytes)))
    }

    /// Refuses buffers outside the message, and compressed ones that claim too much: the decoder
    /// reserves what they claim.
    fn check(&self, extent: Extent, bytes: &[u8]) -> Result<(), String> {
        let (head, body) = bytes.split_at_checked(extent.head_bytes).ok_or("a cut message")?;
        let message = message(head)?;
        let Some(header) = batch_header(&message) else {
            return Ok(());
        };
        let mut needed = 0_u64;
        for buffer in header.buffers().iter().flatten() {
            let bytes = span(buffer.offset(), buffer.length())
                .and_then(|span| body.get(span))
                .ok_or("a buffer outside its message")?;
            let claimed = match bytes.first_chunk() {
                Some(claimed) if header.compression().is_some() => i64::from_le_bytes(*claimed),
                _ => 0,
            };
            needed = needed.saturating_add(u64::try_from(claimed).unwrap_or(0));
        }
        if needed > self.max_block_bytes {
            let limit = self.max_block_bytes;
            return Err(format!(
                "{needed} bytes in one block, {limit} allowed (`max_block_bytes`)"
            ));
        }
        Ok(())
    }
}

impl Extent {
    fn block(self) -> Block {
        // Both were checked to be positive numbers of their types when the extent was read.
        Block::new(0, self.head_bytes as i32, self.body_bytes as i64)
    }

    pub(super) fn n_bytes(self) -> usize {
        self.head_bytes + self.body_bytes
    }
}

/// What the head of a message says it is.
pub(super) fn kind(head: &[u8]) -> Result<Kind, String> {
    let message = message(head)?;
    Ok(match message.header_type() {
        MessageHeader::RecordBatch => {
            let n_rows = batch_header(&message).map_or(0, |header| header.length());
            // Batches beyond this hold no data that could be in memory.
            match u32::try_from(n_rows) {
                Ok(n_rows) => Kind::Rows(u64::from(n_rows)),
                Err(_) => return Err(format!("a block of {n_rows} rows")),
            }
        }
        MessageHeader::DictionaryBatch => Kind::Dictionary,
        _ => Kind::Other,
    })
}

/// The schema in a message, with the version of the format.
pub(super) fn schema(head: &[u8]) -> Result<(Schema, MetadataVersion), String> {
    let message = message(head)?;
    let schema = message.header_as_schema().ok_or("no schema in its first message")?;
    let schema = walled(|| Ok::<_, String>(arrow_ipc::convert::fb_to_schema(schema)))?;
    Ok((schema, message.version()))
}

/// How long the body of a message is.
pub(super) fn body_bytes(head: &[u8]) -> Result<u64, String> {
    u64::try_from(message(head)?.bodyLength()).map_err(|_| "a negative length".to_owned())
}

/// The description in the head of a message, behind the prefix of 8 bytes (or 4, in old files).
fn message(head: &[u8]) -> Result<Message<'_>, String> {
    let description = match head {
        [255, 255, 255, 255, _, _, _, _, description @ ..] => description,
        [_, _, _, _, description @ ..] => description,
        _ => return Err("a message without a head".to_owned()),
    };
    arrow_ipc::root_as_message(description).map_err(|error| error.to_string())
}

fn batch_header<'a>(message: &Message<'a>) -> Option<Header<'a>> {
    match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => message.header_as_dictionary_batch()?.data(),
        _ => None,
    }
}

fn span(offset: i64, length: i64) -> Option<std::ops::Range<usize>> {
    let offset = usize::try_from(offset).ok()?;
    Some(offset..offset.checked_add(usize::try_from(length).ok()?)?)
}
