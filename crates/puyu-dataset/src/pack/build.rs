//! Making a plan from the lengths of documents.

use super::best_fit::{assign, split_mix};
use super::options::{LongDocuments, PackMethod, PackOptions};
use super::report::PackReport;
use crate::error::DatasetError;

/// The most pieces of a plan: 51 GB of plan, far above any data set of documents.
const MAX_PIECES: u64 = 1 << 32;

/// The parts of a plan, pack after pack.
pub(super) struct Parts {
    /// Where each pack's pieces begin, and the end.
    pub(super) packs: Vec<u64>,
    /// The first token of each piece, counted over all documents.
    pub(super) starts: Vec<u64>,
    /// The tokens of each piece.
    pub(super) lengths: Vec<u32>,
    pub(super) report: PackReport,
    pub(super) n_documents: u64,
    /// Of all documents, also those that were dropped.
    pub(super) n_tokens: u64,
    /// The blake3 hash of all lengths, as `u64` in little-endian order.
    pub(super) lengths_hash: [u8; 32],
}

/// One document, by its place among all tokens.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    length: u64,
}

/// Packs documents of these lengths.
pub(super) fn build(
    lengths: impl IntoIterator<Item = u64>,
    options: &PackOptions,
) -> Result<Parts, DatasetError> {
    options.check()?;
    let mut builder = Builder::new(options.pack_tokens);
    let mut hasher = blake3::Hasher::new();
    let mut window = Vec::new();
    let mut seed = options.seed;
    for length in lengths {
        hasher.update(&length.to_le_bytes());
        let span = builder.next_document(length)?;
        match options.method {
            PackMethod::None => builder.push_alone(span, options.long),
            PackMethod::Concat => builder.push_stream(span),
            PackMethod::BestFit => {
                window.push(span);
                if window.len() >= options.window_documents {
                    builder.push_window(&window, split_mix(&mut seed));
                    window.clear();
                }
            }
        }
    }
    builder.push_window(&window, split_mix(&mut seed));
    builder.close();
    let mut parts = builder.parts;
    parts.lengths_hash = hasher.finalize().into();
    Ok(parts)
}

struct Builder {
    pack_tokens: u32,
    /// Tokens in the pack that is being filled.
    filled: u32,
    parts: Parts,
}

impl Builder {
    fn new(pack_tokens: u32) -> Self {
        let parts = Parts {
            packs: vec![0],
            starts: Vec::new(),
            lengths: Vec::new(),
            report: PackReport::default(),
            n_documents: 0,
            n_tokens: 0,
            lengths_hash: [0; 32],
        };
        Self { pack_tokens, filled: 0, parts }
    }

    /// Counts a document, before it is packed.
    fn next_document(&mut self, length: u64) -> Result<Span, DatasetError> {
        let parts = &mut self.parts;
        let pieces = parts.starts.len() as u64 + length / u64::from(self.pack_tokens) + 2;
        let end = parts.n_tokens.checked_add(length);
        let Some(end) = end.filter(|_| pieces <= MAX_PIECES) else {
            return Err(DatasetError::Limit {
                what: format!("a plan with document {} of {length} tokens", parts.n_documents),
                needed: pieces,
                limit: MAX_PIECES,
            });
        };
        let start = parts.n_tokens;
        parts.n_documents += 1;
        parts.n_tokens = end;
        Ok(Span { start, length })
    }

    /// One document for itself.
    fn push_alone(&mut self, span: Span, long: LongDocuments) {
        let row = u64::from(self.pack_tokens);
        if span.length > row {
            self.parts.report.cut_documents += 1;
        }
        let kept = match long {
            LongDocuments::Split => span.length,
            LongDocuments::Truncate => span.length.min(row),
        };
        self.parts.report.truncated_tokens += span.length - kept;
        let mut done = 0;
        while done < kept {
            let length = (kept - done).min(row) as u32;
            self.push(span.start + done, length);
            self.close();
            done += u64::from(length);
        }
    }

    /// The next document of the stream, cut where the pack is full.
    fn push_stream(&mut self, span: Span) {
        let mut done = 0;
        while done < span.length {
            let room = u64::from(self.pack_tokens - self.filled);
            let length = (span.length - done).min(room) as u32;
            if done == 0 && u64::from(length) < span.length {
                self.parts.report.cut_documents += 1;
            }
            self.push(span.start + done, length);
            if self.filled == self.pack_tokens {
                self.close();
            }
            done += u64::from(length);
        }
    }

    /// Documents that may share packs with each other.
    fn push_window(&mut self, window: &[Span], seed: u64) {
        let row = u64::from(self.pack_tokens);
        let mut rests: Vec<(u64, u32)> = Vec::with_capacity(window.len());
        for span in window {
            let whole = span.length / row;
            for piece in 0..whole {
                self.push(span.start + piece * row, self.pack_tokens);
                self.close();
            }
            if span.length > row {
                self.parts.report.cut_documents += 1;
            }
            let rest = (span.length % row) as u32;
            if rest > 0 {
                rests.push((span.start + whole * row, rest));
            }
        }
        let lengths: Vec<u32> = rests.iter().map(|&(_, length)| length).collect();
        let (packs, n_packs) = assign(&lengths, self.pack_tokens, seed);
        let (items, starts) = group(&packs, n_packs);
        for pair in starts.windows(2) {
            for &item in &items[pair[0] as usize..pair[1] as usize] {
                let (start, length) = rests[item as usize];
                self.push(start, length);
            }
            self.close();
        }
    }

    fn push(&mut self, start: u64, length: u32) {
        self.parts.starts.push(start);
        self.parts.lengths.push(length);
        self.parts.report.tokens += u64::from(length);
        self.filled += length;
    }

    /// Ends the pack, unless nothing is in it.
    fn close(&mut self) {
        if self.filled == 0 {
            return;
        }
        self.parts.packs.push(self.parts.starts.len() as u64);
        self.parts.report.packs += 1;
        self.parts.report.padding_tokens += u64::from(self.pack_tokens - self.filled);
        self.filled = 0;
    }
}

/// The items, those of one pack together, and where each pack's items begin; with the end.
///
/// Inside of a pack, items keep the order of the data.
fn group(packs: &[u32], n_packs: usize) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; n_packs + 1];
    for &pack in packs {
        starts[pack as usize + 1] += 1;
    }
    for pack in 1..starts.len() {
        starts[pack] += starts[pack - 1];
    }
    let mut places = starts.clone();
    let mut items = vec![0_u32; packs.len()];
    for (item, &pack) in packs.iter().enumerate() {
        let place = &mut places[pack as usize];
        items[*place as usize] = item as u32;
        *place += 1;
    }
    (items, starts)
}
