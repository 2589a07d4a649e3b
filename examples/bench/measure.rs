//! The measurements.

use std::time::Instant;

use puyu::deploy::engine::{Batch, BlockId, Rows, Runner as _, Segment};
use serde::Serialize;

use super::arguments::Arguments;
use super::model::Loaded;

/// Tokens computed at a time while a context is filled.
const CHUNK: usize = 512;

/// One measurement.
#[derive(Clone, Serialize)]
pub(crate) struct Rate {
    pub(crate) what: What,
    /// Tokens in the cache before.
    pub(crate) depth: usize,
    /// Sequences.
    pub(crate) batch: usize,
    /// Tokens computed per second, of all sequences together: the median.
    pub(crate) tokens_per_s: f64,
    /// The slowest and the fastest.
    pub(crate) spread: [f64; 2],
}

/// What a [`Rate`] is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Prefill,
    Decode,
}

/// Makes all measurements that are asked for.
pub(crate) fn all(arguments: &Arguments, loaded: &mut Loaded) -> anyhow::Result<Vec<Rate>> {
    let mut rates = Vec::new();
    if arguments.pp > 0 {
        let mut sequence = Sequence::new(0, loaded);
        // The first call touches what later ones find in place.
        sequence.prefill(loaded, arguments.pp.min(16))?;
        rates.push(rate(arguments.repeat, (What::Prefill, 0, 1), || {
            sequence.len = 0;
            sequence.prefill(loaded, arguments.pp)?;
            Ok(arguments.pp)
        })?);
    }
    for &batch in &arguments.batch {
        let mut sequences: Vec<_> = (0..batch).map(|i| Sequence::new(i, loaded)).collect();
        for &depth in &arguments.depth {
            for sequence in &mut sequences {
                sequence.len = sequence.len.min(depth);
                sequence.prefill(loaded, depth - sequence.len)?;
            }
            rates.push(rate(arguments.repeat, (What::Decode, depth, batch), || {
                decode(loaded, &mut sequences, (depth, arguments.tg))?;
                Ok(batch * arguments.tg)
            })?);
        }
    }
    Ok(rates)
}

fn rate(
    repeat: usize,
    (what, depth, batch): (What, usize, usize),
    mut work: impl FnMut() -> anyhow::Result<usize>,
) -> anyhow::Result<Rate> {
    let mut rates = Vec::with_capacity(repeat);
    for _ in 0..repeat {
        let start = Instant::now();
        let n_tokens = work()?;
        rates.push(n_tokens as f64 / start.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    let spread = [rates[0], rates[repeat - 1]];
    Ok(Rate { what, depth, batch, tokens_per_s: rates[repeat / 2], spread })
}

/// Decodes `n_tokens` tokens of each sequence from `depth` on.
fn decode(
    loaded: &mut Loaded,
    sequences: &mut [Sequence],
    (depth, n_tokens): (usize, usize),
) -> anyhow::Result<()> {
    sequences.iter_mut().for_each(|sequence| sequence.len = depth);
    for _ in 0..n_tokens {
        let segments = sequences.iter_mut().map(|sequence| sequence.next(1, Rows::LogitsFrom(0)));
        loaded.runner.run(&Batch { segments: segments.collect() })?;
    }
    Ok(())
}

/// A sequence of arbitrary tokens.
struct Sequence {
    /// Its first block; the others follow.
    first_block: u32,
    n_blocks: u32,
    vocab_size: usize,
    len: usize,
}

impl Sequence {
    /// The sequences of a batch lie behind each other, each with as many blocks as any.
    fn new(number: usize, loaded: &Loaded) -> Self {
        let limits = loaded.runner.limits();
        let n_blocks = loaded.facts.blocks_per_sequence;
        Self {
            first_block: number as u32 * n_blocks,
            n_blocks,
            vocab_size: limits.vocab_size,
            len: 0,
        }
    }

    fn prefill(&mut self, loaded: &mut Loaded, n_tokens: usize) -> anyhow::Result<()> {
        let end = self.len + n_tokens;
        while self.len < end {
            let n = CHUNK.min(end - self.len);
            let rows = if self.len + n == end { Rows::LogitsFrom(n - 1) } else { Rows::None };
            let segments = vec![self.next(n, rows)];
            loaded.runner.run(&Batch { segments })?;
        }
        Ok(())
    }

    fn next(&mut self, n_tokens: usize, rows: Rows) -> Segment {
        let start = self.len;
        self.len += n_tokens;
        let token = |position: usize| ((position * 7919 + 13) % self.vocab_size) as u32;
        Segment {
            tokens: (start..self.len).map(token).collect(),
            start,
            blocks: (self.first_block..self.first_block + self.n_blocks).map(BlockId).collect(),
            rows,
            prompt_tokens: self.len,
        }
    }
}
