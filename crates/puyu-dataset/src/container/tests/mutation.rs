//! Mutated files: whatever the bytes, readers end and do not panic.
//!
//! `PUYU_MUTATION_SECONDS=600` runs the same loop for ten minutes over all containers.

use std::time::{Duration, Instant};

use super::*;

/// Mutations of each file in a usual run.
const N_MUTATIONS: u64 = 600;

struct Random(u64);

impl Random {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len());
        let Some(byte) = bytes.get_mut(at) else {
            return;
        };
        match random.below(7) {
            0 => *byte ^= 1 << random.below(8),
            1 => *byte = random.next() as u8,
            2 => *byte = 0xff,
            3 => bytes.truncate(at),
            4 => {
                let end = (at + 1 + random.below(16)).min(bytes.len());
                bytes.drain(at..end);
            }
            5 => {
                let end = (at + 1 + random.below(16)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let end = (at + 8).min(bytes.len());
                let number = random.next().to_le_bytes();
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
        }
    }
}

/// Reads whatever can be read, with limits that suit files of some kilobytes.
fn exhaust(name: &Path, bytes: Vec<u8>, original: &Detected) {
    let options = ReadOptions {
        chunk_bytes: 512,
        max_row_bytes: 4096,
        max_document_bytes: 1 << 20,
        max_block_bytes: 1 << 20,
        ..Default::default()
    };
    let bytes = bytes::Bytes::from(bytes);
    let opened = [
        open_ranges(name, Arc::new(bytes.clone()), &options, Mark::default()),
        // Also where the magic bytes are gone, so that the reader itself meets them.
        open_bytes(name, Box::new(std::io::Cursor::new(bytes)), *original, &options),
    ];
    for mut reader in opened.into_iter().flatten() {
        let mut n_items = 0;
        let mut before = reader.mark();
        while let Some(item) = reader.next_chunk() {
            n_items += 1;
            assert!(n_items < 200_000, "{} does not end", name.display());
            let mark = reader.mark();
            assert!((before.row, before.offset) <= (mark.row, mark.offset.max(before.offset)));
            before = mark;
            if let Ok(chunk) = item {
                for index in 0..chunk.len().min(50) {
                    let _ = (chunk.location(index), chunk.row(index));
                }
            }
        }
    }
}

#[test]
fn readers_survive_mutated_bytes() {
    let seconds = std::env::var("PUYU_MUTATION_SECONDS").ok().and_then(|text| text.parse().ok());
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<_> = every_kind(folder.path())
        .into_iter()
        .map(|path| (detect(&path).unwrap(), std::fs::read(&path).unwrap(), path))
        .collect();
    let start = Instant::now();
    let mut n_mutations = 0;
    for seed in 0.. {
        match seconds {
            Some(seconds) if start.elapsed() > Duration::from_secs(seconds) => break,
            None if seed >= N_MUTATIONS => break,
            _ => {}
        }
        for (index, (detected, bytes, path)) in files.iter().enumerate() {
            let mut random = Random(seed * 1000 + index as u64);
            let mut bytes = bytes.clone();
            mutate(&mut bytes, &mut random);
            exhaust(path, bytes, detected);
            n_mutations += 1;
        }
    }
    assert!(n_mutations >= 1000);
    if seconds.is_some() {
        eprintln!("{n_mutations} mutated files read");
    }
}
