//! What the next step does. Planning changes nothing: it counts on paper what committing will take.
//!
//! In this order, as far as the budget of tokens and the blocks go:
//!
//! 1. each decoding sequence gets its next token, and the youngest sequences are sent back in line
//!    if there are not enough blocks for that
//! 2. running sequences get the next chunk of what they have still to read
//! 3. waiting sequences are admitted in line; the first that does not fit ends the pass, so that
//!    nobody is overtaken for ever
//! 4. guesses take what is left; they never take anything from the others

use std::collections::{BTreeMap, HashMap};

use super::blocks::BlockId;
use super::cache::{BlockCache, Match};
use super::options::EngineOptions;
use super::sequence::{Sequence, SequenceKey};

/// Sequences in line, the oldest first.
pub(super) type Line = BTreeMap<SequenceKey, Sequence>;

/// What the next step does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Running sequences that give up their blocks and wait again.
    pub(super) preempted: Vec<SequenceKey>,
    /// Waiting sequences that begin to run, in order.
    pub(super) admitted: Vec<Admission>,
    /// What is computed, for each running sequence that gets anything.
    pub(super) work: Vec<Work>,
    /// The first in line, if it can never be admitted because nothing will become free.
    pub(super) stalled: Option<Stall>,
}

/// A sequence begins to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admission {
    pub(super) key: SequenceKey,
    /// Its start, as far as it is cached.
    pub(super) found: Match,
    /// Blocks to allocate for the rest.
    pub(super) n_blocks: usize,
}

/// Tokens of one sequence to compute.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) key: SequenceKey,
    /// Known tokens.
    pub(super) n_tokens: usize,
    /// Guesses after them.
    pub(super) drafted: Vec<u32>,
    /// Blocks to allocate, beyond those of an admission.
    pub(super) n_blocks: usize,
}

/// Nothing runs, and the first in line does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stall {
    pub(super) key: SequenceKey,
    pub(super) needed: usize,
    pub(super) available: usize,
}

/// What a plan is made from.
pub(super) struct Planner<'a> {
    pub(super) cache: &'a BlockCache,
    pub(super) running: &'a Line,
    pub(super) waiting: &'a Line,
    pub(super) options: &'a EngineOptions,
}

impl Planner<'_> {
    /// Plans a step. `propose` guesses at most so many tokens after those of a sequence.
    pub(super) fn plan(&self, propose: &mut dyn FnMut(&[u32], usize) -> Vec<u32>) -> Plan {
        let mut outline = Outline {
            plan: Plan::default(),
            ledger: Ledger::new(self.cache),
            n_tokens_left: self.options.max_batch_tokens,
        };
        self.decode(&mut outline);
        self.prefill(&mut outline);
        self.admit(&mut outline);
        self.speculate(&mut outline, propose);
        outline.plan
    }

    fn decode(&self, outline: &mut Outline<'_>) {
        for (&key, sequence) in self.running {
            if sequence.n_pending() != 1 || outline.is_preempted(key) {
                continue;
            }
            let n_needed = self.cache.blocks_for(sequence.n_computed + 1);
            let n_blocks = n_needed.saturating_sub(sequence.table.len());
            while !outline.ledger.take(n_blocks) && !outline.is_preempted(key) {
                self.preempt_youngest(outline);
            }
            if !outline.is_preempted(key) {
                outline.work(key, 1, n_blocks);
            }
        }
    }

    /// Sends the youngest running sequence back in line. Older ones, which were planned before, are
    /// never touched: the oldest of all is last.
    fn preempt_youngest(&self, outline: &mut Outline<'_>) {
        let youngest = self.running.iter().rev().find(|(key, _)| !outline.is_preempted(**key));
        let Some((&key, sequence)) = youngest else { return };
        for &block in &sequence.table {
            outline.ledger.let_go(block);
        }
        outline.plan.preempted.push(key);
    }

    fn prefill(&self, outline: &mut Outline<'_>) {
        for (&key, sequence) in self.running {
            if sequence.n_pending() > 1 && !outline.is_preempted(key) {
                // Blocks for all of it were taken when it was admitted.
                outline.work(key, sequence.n_pending(), 0);
            }
        }
    }

    fn admit(&self, outline: &mut Outline<'_>) {
        if !outline.plan.preempted.is_empty() {
            // Those just sent back come before whoever waits now.
            return;
        }
        for (&key, sequence) in self.waiting {
            let n_running = self.running.len() + outline.plan.admitted.len();
            if n_running >= self.options.max_sequences || outline.n_tokens_left == 0 {
                return;
            }
            let found = match sequence.salt {
                Some(salt) => self.cache.find(salt, sequence.reusable()),
                None => self.cache.find(0, &[]),
            };
            let n_reused = found.blocks.len() * self.cache.block_tokens();
            let needed = self.cache.blocks_for(sequence.n_target);
            let n_blocks = needed - found.blocks.len();
            // A block for each that runs: without it the newcomer would soon be sent back.
            if !outline.ledger.take_with(&found.blocks, n_blocks, n_running) {
                if n_running == 0 {
                    let available = self.cache.n_available();
                    outline.plan.stalled = Some(Stall { key, needed, available });
                }
                return;
            }
            outline.plan.admitted.push(Admission { key, found, n_blocks });
            outline.work(key, sequence.n_target - n_reused, 0);
        }
    }

    fn speculate(
        &self,
        outline: &mut Outline<'_>,
        propose: &mut dyn FnMut(&[u32], usize) -> Vec<u32>,
    ) {
        for index in 0..outline.plan.work.len() {
            let key = outline.plan.work[index].key;
            // Those admitted just now have a prompt to read first.
            let Some(sequence) = self.running.get(&key) else { continue };
            let most = self.options.max_draft_tokens.min(sequence.n_draftable());
            let most = most.min(outline.n_tokens_left);
            if sequence.n_pending() != 1 || most == 0 {
                continue;
            }
            let mut drafted = propose(&sequence.tokens, most);
            drafted.truncate(most);
            let n_owned = sequence.table.len() + outline.plan.work[index].n_blocks;
            let n_needed = self.cache.blocks_for(sequence.n_computed + 1 + drafted.len());
            let mut n_extra = n_needed.saturating_sub(n_owned);
            if !outline.ledger.take(n_extra) {
                n_extra = 0;
                drafted.truncate(n_owned * self.cache.block_tokens() - sequence.n_computed - 1);
            }
            outline.n_tokens_left -= drafted.len();
            let work = &mut outline.plan.work[index];
            work.n_blocks += n_extra;
            work.drafted = drafted;
        }
    }
}

/// A plan in the making.
struct Outline<'a> {
    plan: Plan,
    ledger: Ledger<'a>,
    n_tokens_left: usize,
}

impl Outline<'_> {
    fn is_preempted(&self, key: SequenceKey) -> bool {
        self.plan.preempted.contains(&key)
    }

    /// Plans as many of the tokens as the budget allows.
    fn work(&mut self, key: SequenceKey, n_pending: usize, n_blocks: usize) {
        let n_tokens = n_pending.min(self.n_tokens_left);
        if n_tokens > 0 {
            self.n_tokens_left -= n_tokens;
            self.plan.work.push(Work { key, n_tokens, drafted: Vec::new(), n_blocks });
        }
    }
}

/// The cache on paper: what it would be if the plan were carried out so far.
struct Ledger<'a> {
    cache: &'a BlockCache,
    n_available: usize,
    /// By block: holders that the plan takes away (negative) or adds.
    changes: HashMap<BlockId, i64>,
}

impl<'a> Ledger<'a> {
    fn new(cache: &'a BlockCache) -> Self {
        Self { cache, n_available: cache.n_available(), changes: HashMap::new() }
    }

    fn holders(&self, block: BlockId) -> i64 {
        let change = self.changes.get(&block).copied().unwrap_or(0);
        i64::from(self.cache.holders(block)) + change
    }

    /// Takes blocks that nobody holds; takes none if there are not enough.
    fn take(&mut self, n_blocks: usize) -> bool {
        let is_enough = n_blocks <= self.n_available;
        if is_enough {
            self.n_available -= n_blocks;
        }
        is_enough
    }

    /// Holds `found` and takes blocks beside it; does neither if fewer than `n_spare` blocks would
    /// be left.
    fn take_with(&mut self, found: &[BlockId], n_blocks: usize, n_spare: usize) -> bool {
        let n_woken = found.iter().filter(|&&block| self.holders(block) == 0).count();
        if n_woken + n_blocks + n_spare > self.n_available {
            return false;
        }
        self.n_available -= n_woken + n_blocks;
        for &block in found {
            *self.changes.entry(block).or_default() += 1;
        }
        true
    }

    fn let_go(&mut self, block: BlockId) {
        *self.changes.entry(block).or_default() -= 1;
        if self.holders(block) == 0 {
            self.n_available += 1;
        }
    }
}
