//! One step: plan, commit, run, read what came out.

use puyu_core::FinishReason;

use super::engine::Engine;
use super::error::RequestError;
use super::event::EngineEvent;
use super::plan::{Admission, Plan, Planner, Work};
use super::request::Watcher;
use super::runner::{Batch, Output, Rows, Runner, Segment};
use super::sequence::{Goal, Sequence, SequenceKey};

/// Whether a sequence goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Runs,
    Ended,
}

/// The rows that belong to one segment.
struct OwnRows<'a> {
    logits: &'a mut [f32],
    hidden: &'a [f32],
}

impl<R: Runner> Engine<R> {
    pub(super) fn advance(&mut self, watcher: &mut dyn Watcher) {
        let plan = self.plan();
        if let Some(stall) = &plan.stalled {
            let (needed, available) = (stall.needed, stall.available);
            self.fail(stall.key.id, RequestError::OutOfBlocks { needed, available });
        }
        let (batch, work) = self.commit(plan);
        if work.is_empty() {
            return;
        }
        self.counters.steps += 1;
        self.counters.computed_tokens += batch.n_tokens() as u64;
        match self.run(&batch) {
            Ok(output) => self.read(&batch, &work, output, watcher),
            Err(error) => {
                for work in work {
                    self.fail(work.key.id, error.clone());
                }
            }
        }
    }

    fn plan(&mut self) -> Plan {
        let vocab_size = self.limits.vocab_size;
        let draft = &mut self.draft;
        let mut propose = |tokens: &[u32], most: usize| {
            let Some(draft) = draft else { return Vec::new() };
            let mut guesses = draft.propose(tokens, most);
            let is_unknown = |&id: &u32| id as usize >= vocab_size;
            guesses.truncate(guesses.iter().position(is_unknown).unwrap_or(most));
            guesses
        };
        let planner = Planner {
            cache: &self.cache,
            running: &self.running,
            waiting: &self.waiting,
            options: &self.options,
        };
        planner.plan(&mut propose)
    }

    /// Carries out a plan. Blocks are let go first, then those found in the cache are held so that
    /// nothing evicts them, then the rest is allocated.
    fn commit(&mut self, plan: Plan) -> (Batch, Vec<Work>) {
        for key in plan.preempted {
            if let Some(mut sequence) = self.running.remove(&key) {
                sequence.release(&mut self.cache);
                self.waiting.insert(key, sequence);
                self.counters.preemptions += 1;
            }
        }
        for admission in &plan.admitted {
            for &block in &admission.found.blocks {
                self.cache.hold(block);
            }
        }
        for admission in plan.admitted {
            self.admit(admission);
        }
        let mut batch = Batch::default();
        for work in &plan.work {
            self.counters.drafted_tokens += work.drafted.len() as u64;
            if let Some(sequence) = self.running.get_mut(&work.key) {
                sequence.grow(work.n_blocks, &mut self.cache);
                batch.segments.push(sequence.segment(work.n_tokens, &work.drafted));
            }
        }
        (batch, plan.work)
    }

    fn admit(&mut self, admission: Admission) {
        let Admission { key, found, n_blocks } = admission;
        let Some(mut sequence) = self.waiting.remove(&key) else { return };
        let n_reused = found.blocks.len() * self.limits.block_tokens;
        self.counters.prefix_hit_tokens += n_reused as u64;
        if let Some(state) = self.requests.get_mut(&key.id)
            && !std::mem::replace(&mut state.was_admitted, true)
        {
            state.usage.cached_tokens = n_reused;
        }
        sequence.adopt(found, &self.cache);
        sequence.grow(n_blocks, &mut self.cache);
        self.running.insert(key, sequence);
    }

    /// Runs a batch and makes sure that as much came out as was asked for.
    fn run(&mut self, batch: &Batch) -> Result<Output, RequestError> {
        debug_assert!(self.writes_are_private(batch), "only private blocks are written to");
        let output = self.runner.run(batch)?;
        let n_logits = batch.n_logit_rows() * self.limits.vocab_size;
        check_length("logits", n_logits, output.logits.len())?;
        let n_hidden = batch.n_hidden_rows() * self.limits.hidden_size;
        check_length("hidden states", n_hidden, output.hidden.len())?;
        Ok(output)
    }

    fn writes_are_private(&self, batch: &Batch) -> bool {
        let width = self.limits.block_tokens;
        batch.segments.iter().all(|segment| {
            let last = segment.start + segment.tokens.len() - 1;
            let written = &segment.blocks[segment.start / width..=last / width];
            written.iter().all(|&block| self.cache.is_private(block))
        })
    }

    fn read(
        &mut self,
        batch: &Batch,
        work: &[Work],
        mut output: Output,
        watcher: &mut dyn Watcher,
    ) {
        let (mut logits, mut hidden) = (&mut output.logits[..], &output.hidden[..]);
        for (segment, work) in batch.segments.iter().zip(work) {
            let n_logits = segment.n_logit_rows() * self.limits.vocab_size;
            let n_hidden = segment.n_hidden_rows() * self.limits.hidden_size;
            let rows;
            (rows, logits) = logits.split_at_mut(n_logits);
            let states;
            (states, hidden) = hidden.split_at(n_hidden);
            // It is gone if another sample of its request failed just before.
            let Some(mut sequence) = self.running.remove(&work.key) else { continue };
            sequence.n_computed += work.n_tokens;
            sequence.publish(&mut self.cache);
            let rows = OwnRows { logits: rows, hidden: states };
            match self.read_segment(&mut sequence, segment, rows, watcher) {
                Ok(Progress::Runs) => {
                    sequence.trim(&mut self.cache);
                    sequence.publish(&mut self.cache);
                    self.running.insert(work.key, sequence);
                }
                Ok(Progress::Ended) => {
                    sequence.publish(&mut self.cache);
                    sequence.release(&mut self.cache);
                }
                Err(error) => {
                    sequence.release(&mut self.cache);
                    self.fail(work.key.id, error);
                }
            }
        }
    }

    fn read_segment(
        &mut self,
        sequence: &mut Sequence,
        segment: &Segment,
        rows: OwnRows<'_>,
        watcher: &mut dyn Watcher,
    ) -> Result<Progress, RequestError> {
        let id = sequence.key.id;
        match sequence.goal {
            Goal::Generate(_) => return self.read_answer(sequence, segment, rows.logits, watcher),
            Goal::ReadLogits => self.read_given(sequence, segment, rows.logits)?,
            Goal::ReadHidden => {
                if let Some(state) = self.requests.get_mut(&id) {
                    state.read_hidden(rows.hidden);
                }
                sequence.next_row = sequence.n_computed.max(sequence.next_row);
            }
        }
        if sequence.n_pending() > 0 {
            return Ok(Progress::Runs);
        }
        if let Some(state) = self.requests.remove(&id) {
            self.complete(id, state);
        }
        Ok(Progress::Ended)
    }

    /// Reads rows after which a given token stands.
    fn read_given(
        &mut self,
        sequence: &mut Sequence,
        segment: &Segment,
        logits: &[f32],
    ) -> Result<(), RequestError> {
        let Some(state) = self.requests.get_mut(&sequence.key.id) else { return Ok(()) };
        let Rows::LogitsFrom(first) = segment.rows else { return Ok(()) };
        let next = sequence.tokens.get(segment.start + first + 1..).unwrap_or_default();
        for (row, &next) in logits.chunks_exact(self.limits.vocab_size).zip(next) {
            state.read_logits(row, next)?;
            sequence.next_row += 1;
        }
        Ok(())
    }

    /// Reads rows of the prompt, then draws tokens: one, and another one for each guess that was
    /// right, because its row is there already.
    ///
    /// The token drawn is a function of the row, the history, the seed and the position. A guess
    /// that equals it has only been computed early, so with guesses exactly the same tokens are
    /// drawn as without, greedy or not.
    fn read_answer(
        &mut self,
        sequence: &mut Sequence,
        segment: &Segment,
        logits: &mut [f32],
        watcher: &mut dyn Watcher,
    ) -> Result<Progress, RequestError> {
        let Rows::LogitsFrom(first) = segment.rows else { return Ok(Progress::Runs) };
        let width = self.limits.vocab_size;
        let n_before = sequence.next_row;
        self.read_given(sequence, segment, logits)?;
        let n_read = sequence.next_row - n_before;
        for (index, row) in (first..).zip(logits.chunks_exact_mut(width)).skip(n_read) {
            if sequence.generated().is_empty() {
                self.end_prompt(sequence, row, watcher)?;
            }
            if self.draw(sequence, row, watcher)?.is_some() {
                return Ok(Progress::Ended);
            }
            if segment.tokens.get(index + 1) != sequence.tokens.last() {
                break;
            }
            sequence.n_computed += 1;
            self.counters.accepted_tokens += 1;
        }
        Ok(Progress::Runs)
    }

    /// Tells what the prompt's rows said, and begins the other samples, all from the same row.
    fn end_prompt(
        &mut self,
        sequence: &Sequence,
        row: &[f32],
        watcher: &mut dyn Watcher,
    ) -> Result<(), RequestError> {
        let SequenceKey { id, sample } = sequence.key;
        let Goal::Generate(drawing) = &sequence.goal else { return Ok(()) };
        if sample > 0 {
            return Ok(());
        }
        let event = self.requests.get_mut(&id).and_then(|state| state.prompt_scored(id));
        self.events.extend(event);
        for sample in 1..drawing.n_samples() {
            let Some(mut fork) = sequence.fork(sample) else { continue };
            if self.draw(&mut fork, &mut row.to_vec(), watcher)?.is_none() {
                self.place(sequence, fork)?;
            }
        }
        Ok(())
    }

    /// Lets a new sample run on the blocks of the prompt, or wait if it cannot.
    fn place(&mut self, first: &Sequence, mut fork: Sequence) -> Result<(), RequestError> {
        let n_shared = first.n_prompt / self.limits.block_tokens;
        let has_own = !first.n_prompt.is_multiple_of(self.limits.block_tokens);
        // The first sample runs too, though it is not in line while its rows are read.
        let is_full = self.running.len() + 1 >= self.options.max_sequences
            || (has_own && self.cache.n_available() == 0);
        let would_overtake = self.waiting.first_key_value().is_some_and(|(key, _)| *key < fork.key);
        if is_full || would_overtake {
            self.waiting.insert(fork.key, fork);
            return Ok(());
        }
        first.share_prompt(&mut fork, &mut self.cache);
        if has_own {
            fork.grow(1, &mut self.cache);
            if let Err(error) = self.runner.copy_block(first.table[n_shared], fork.table[n_shared])
            {
                fork.release(&mut self.cache);
                return Err(error.into());
            }
        }
        self.running.insert(fork.key, fork);
        Ok(())
    }

    /// Draws the next token of a sample and tells it. Returns why the sample ends, if it does.
    fn draw(
        &mut self,
        sequence: &mut Sequence,
        row: &mut [f32],
        watcher: &mut dyn Watcher,
    ) -> Result<Option<FinishReason>, RequestError> {
        let SequenceKey { id, sample } = sequence.key;
        let sample = sample as usize;
        let Some(token) = sequence.draw(row)? else { return Ok(None) };
        let said = watcher.on_token(id, sample, &token).break_value();
        let end = sequence.end(said, self.limits.sequence_tokens());
        self.events.push(EngineEvent::Token { id, sample, token });
        if let Some(reason) = end.clone() {
            self.events.push(EngineEvent::SampleFinished { id, sample, reason });
        }
        if let Some(state) = self.requests.get_mut(&id) {
            state.usage.completion_tokens += 1;
            state.n_open -= usize::from(end.is_some());
            if state.n_open == 0
                && let Some(state) = self.requests.remove(&id)
            {
                self.events.push(state.finished(id));
            }
        }
        Ok(end)
    }
}

fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), RequestError> {
    if expected == found {
        return Ok(());
    }
    Err(RequestError::WrongOutput { what, expected, found })
}
