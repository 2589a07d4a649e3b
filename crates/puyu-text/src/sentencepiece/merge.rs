//! Merging the symbols of one part of a text, best pair first, by looking pairs of ids up.
//!
//! Short parts are searched for their best pair from end to end: a few dozen numbers side by side
//! cost less than any queue. Longer ones keep their pairs in a queue and their symbols in a linked
//! list, `O(n log n)` whatever the text.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::sentencepiece::tables::NONE;
use crate::sentencepiece::tables::pairs::{Joined, Pairs};

/// Most symbols that are searched from end to end: few words are longer, and forty times forty
/// comparisons, the most there can be, take about a microsecond.
const MAX_SHORT: usize = 40;

/// Merges parts of texts, keeping its buffers between them.
pub(crate) struct Merge {
    ids: Vec<u32>,
    /// What each symbol makes with the one after it. In short parts only.
    joined: Vec<Joined>,
    links: Vec<Link>,
    agenda: Agenda,
}

/// The pairs of a long part, as rank and index of the left symbol in one number: best first.
///
/// Most pairs wait in a sorted list and only newer ones in a heap. When the list is used up the
/// heap is sorted to be the next one, as walking through a list is an order of magnitude faster than
/// taking a million numbers from a heap.
#[derive(Default)]
struct Agenda {
    /// Worst first, so that the best is taken from the end.
    sorted: Vec<u64>,
    newer: BinaryHeap<Reverse<u64>>,
}

impl Agenda {
    fn push(&mut self, key: u64) {
        self.newer.push(Reverse(key));
    }

    fn pop(&mut self) -> Option<u64> {
        if self.sorted.is_empty() {
            self.sorted.extend(self.newer.drain().map(|Reverse(key)| key));
            self.sort();
        }
        let is_newer = match (self.sorted.last(), self.newer.peek()) {
            (Some(sorted), Some(Reverse(newer))) => newer < sorted,
            _ => false,
        };
        if is_newer { self.newer.pop().map(|Reverse(key)| key) } else { self.sorted.pop() }
    }

    fn sort(&mut self) {
        self.sorted.sort_unstable_by_key(|&key| Reverse(key));
    }
}

/// A symbol of a long part.
#[derive(Clone, Copy)]
struct Link {
    id: u32,
    previous: u32,
    next: u32,
    /// What it makes with the next; nothing too for a symbol that was merged into its left one.
    joined: Joined,
}

impl Merge {
    pub(crate) fn new() -> Self {
        let (ids, joined, links) = (Vec::new(), Vec::new(), Vec::new());
        Self { ids, joined, links, agenda: Agenda::default() }
    }

    /// The symbols that are left of `symbols` when no pair makes a piece any more.
    pub(crate) fn run(&mut self, symbols: impl Iterator<Item = u32>, pairs: &Pairs) -> &[u32] {
        self.ids.clear();
        self.ids.extend(symbols);
        if self.ids.len() <= MAX_SHORT {
            self.run_short(pairs)
        } else {
            self.run_long(pairs)
        }
        &self.ids
    }

    fn run_short(&mut self, pairs: &Pairs) {
        let Self { ids, joined, .. } = self;
        joined.clear();
        joined.extend(ids.windows(2).map(|pair| pairs.find(pair[0], pair[1])));
        while let Some(at) = best_of(joined) {
            ids[at] = joined[at].id;
            ids.remove(at + 1);
            joined.remove(at);
            if let Some(next) = joined.get_mut(at) {
                *next = pairs.find(ids[at], ids[at + 1]);
            }
            if let Some(previous) = at.checked_sub(1) {
                joined[previous] = pairs.find(ids[previous], ids[at]);
            }
        }
    }

    fn run_long(&mut self, pairs: &Pairs) {
        self.link(pairs);
        while let Some(key) = self.agenda.pop() {
            let (rank, left) = ((key >> 32) as u32, key as u32);
            let Link { previous, next, joined, .. } = self.links[left as usize];
            // Outdated if the left symbol is gone or has another neighbour by now.
            if joined.rank != rank {
                continue;
            }
            let after = self.links[next as usize].next;
            self.links[next as usize].joined = Joined::NOTHING;
            let merged = &mut self.links[left as usize];
            (merged.id, merged.next) = (joined.id, after);
            if after != NONE {
                self.links[after as usize].previous = left;
            }
            self.propose(left, pairs);
            self.propose(previous, pairs);
        }
        self.ids.clear();
        let mut at = 0;
        while at != NONE {
            let link = self.links[at as usize];
            self.ids.push(link.id);
            at = link.next;
        }
    }

    /// Links the symbols and queues all pairs that make something.
    fn link(&mut self, pairs: &Pairs) {
        self.links.clear();
        let n_ids = self.ids.len();
        for (index, &id) in self.ids.iter().enumerate() {
            let is_last = index + 1 == n_ids;
            let next = if is_last { NONE } else { index as u32 + 1 };
            let previous = (index as u32).checked_sub(1).unwrap_or(NONE);
            let joined =
                if is_last { Joined::NOTHING } else { pairs.find(id, self.ids[index + 1]) };
            self.links.push(Link { id, previous, next, joined });
        }
        let queued = (0u32..).zip(&self.links).filter(|(_, link)| link.joined != Joined::NOTHING);
        self.agenda.sorted.extend(queued.map(|(index, link)| key(link.joined, index)));
        self.agenda.sort();
    }

    /// Looks up what a symbol makes with the next one and queues it.
    fn propose(&mut self, left: u32, pairs: &Pairs) {
        if left == NONE {
            return;
        }
        let link = self.links[left as usize];
        let joined = match link.next {
            NONE => Joined::NOTHING,
            next => pairs.find(link.id, self.links[next as usize].id),
        };
        self.links[left as usize].joined = joined;
        if joined != Joined::NOTHING {
            self.agenda.push(key(joined, left));
        }
    }
}

/// The best rank and of equals the leftmost, as an index, if there is a pair at all.
#[inline]
fn best_of(joined: &[Joined]) -> Option<usize> {
    let (mut best, mut at) = (Joined::NOTHING.rank, None);
    for (index, joined) in joined.iter().enumerate() {
        if joined.rank < best {
            (best, at) = (joined.rank, Some(index));
        }
    }
    at
}

fn key(joined: Joined, left: u32) -> u64 {
    (u64::from(joined.rank) << 32) | u64::from(left)
}
