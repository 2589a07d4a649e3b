//! Repeated n-grams of words, counted exactly.
//!
//! An n-gram can only be repeated where both (n−1)-grams inside it are repeated. So every length
//! looks only at the places that the shorter one left, which on clean text are few.
//!
//! Source: `find_top_duplicate` and `find_all_duplicate` of GitHub `huggingface/datatrove`,
//! `gopher_repetition_filter.py`; Gopher paper, appendix A.1.1.

/// One word: its hash and its length in characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) hash: u64,
    pub(super) chars: u32,
}

/// Characters in repeated n-grams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Repetition {
    /// Characters covered by the most frequent 2-, 3- and 4-gram.
    pub(super) top: [u64; 3],
    /// Characters in 5- to 10-grams that occurred before.
    pub(super) duplicate: [u64; 6],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    hash: u64,
    generation: u32,
    count: u32,
    seen: bool,
}

#[derive(Debug, Clone, Copy)]
struct Gram {
    start: u32,
    slot: u32,
    hash: u64,
}

/// Buffers that are kept between documents.
#[derive(Debug, Clone, Default)]
pub(super) struct NgramCounter {
    slots: Vec<Slot>,
    generation: u32,
    grams: Vec<Gram>,
    /// `ends[i]`: characters in the words before word `i`.
    ends: Vec<u64>,
}

impl NgramCounter {
    /// Counts the repetition among these words.
    pub(super) fn count(&mut self, words: &[Word]) -> Repetition {
        let mut found = Repetition::default();
        self.start(words);
        for n in 2..=10_usize {
            if self.grams.is_empty() {
                break;
            }
            let longest = self.tally(n);
            match n {
                2..=4 => found.top[n - 2] = longest,
                _ => found.duplicate[n - 5] = self.covered(n),
            }
            self.extend(words, n);
        }
        found
    }

    /// Makes every 2-gram a candidate.
    fn start(&mut self, words: &[Word]) {
        self.ends.clear();
        self.ends.push(0);
        let mut total = 0_u64;
        self.ends.extend(words.iter().map(|word| {
            total += u64::from(word.chars);
            total
        }));
        self.grams.clear();
        self.grams.extend(words.windows(2).zip(0_u32..).map(|(pair, start)| Gram {
            start,
            slot: 0,
            hash: mix(pair[0].hash, pair[1].hash),
        }));
    }

    /// Counts the candidates; returns the characters covered by the most frequent one, 0 if none
    /// occurs twice.
    fn tally(&mut self, n: usize) -> u64 {
        self.clear_slots();
        let mask = self.slots.len() - 1;
        let mut best = (1_u32, 0_u64);
        for gram in &mut self.grams {
            let mut index = (gram.hash ^ (gram.hash >> 32)) as usize & mask;
            loop {
                let slot = &mut self.slots[index];
                if slot.generation != self.generation {
                    *slot = Slot {
                        hash: gram.hash,
                        generation: self.generation,
                        count: 1,
                        seen: false,
                    };
                    break;
                }
                if slot.hash == gram.hash {
                    slot.count += 1;
                    if slot.count >= best.0 {
                        let start = gram.start as usize;
                        let chars = self.ends[start + n] - self.ends[start];
                        best = best.max((slot.count, chars));
                    }
                    break;
                }
                index = (index + 1) & mask;
            }
            gram.slot = index as u32;
        }
        if best.0 > 1 { u64::from(best.0) * best.1 } else { 0 }
    }

    /// Characters of n-grams that occurred before, each character counted once.
    fn covered(&mut self, n: usize) -> u64 {
        let (mut chars, mut skip_to) = (0_u64, 0_usize);
        for gram in &self.grams {
            let start = gram.start as usize;
            if start < skip_to {
                continue;
            }
            let slot = &mut self.slots[gram.slot as usize];
            if slot.seen {
                chars += self.ends[start + n] - self.ends[start];
                skip_to = start + n;
            }
            slot.seen = true;
        }
        chars
    }

    /// Replaces the candidates by those one word longer.
    fn extend(&mut self, words: &[Word], n: usize) {
        let mut kept = 0;
        for index in 0..self.grams.len() {
            let gram = self.grams[index];
            let next = self.grams.get(index + 1).filter(|next| next.start == gram.start + 1);
            let repeated = |gram: &Gram| self.slots[gram.slot as usize].count > 1;
            if let Some(next) = next
                && repeated(&gram)
                && repeated(next)
            {
                let last = words[gram.start as usize + n].hash;
                self.grams[kept] = Gram { hash: mix(gram.hash, last), ..gram };
                kept += 1;
            }
        }
        self.grams.truncate(kept);
    }

    /// Empties the table, with room for twice the candidates.
    fn clear_slots(&mut self) {
        let needed = (self.grams.len() * 2).next_power_of_two().max(16);
        self.generation = self.generation.wrapping_add(1);
        if self.slots.len() < needed || self.generation == 0 {
            self.slots.clear();
            self.slots.resize(needed, Slot::default());
            self.generation = 1;
        }
    }
}

/// Joins the hash of a run of words with the next word; the order of words matters.
fn mix(run: u64, word: u64) -> u64 {
    let product = u128::from(run.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15_u128);
    (product as u64) ^ ((product >> 64) as u64)
}
