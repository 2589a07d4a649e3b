//! The invariants of TurboMind's engine, one test each.
//!
//! Source: LMDeploy, `src/turbomind/engine/README.md`.

use puyu_core::GenerateOptions;

use super::super::plan::{Plan, Planner};
use super::toy::{Generate, ToyRunner};
use super::{Bench, length};
use crate::engine::*;

fn greedy(prompt: impl Into<Vec<u32>>, n_new: usize) -> Generate {
    Generate::new(prompt, GenerateOptions::greedy().with_max_new_tokens(n_new))
}

fn plan(engine: &Engine<ToyRunner>) -> Plan {
    let planner = Planner {
        cache: &engine.cache,
        running: &engine.running,
        waiting: &engine.waiting,
        options: &engine.options,
    };
    planner.plan(&mut |_, _| Vec::new())
}

#[test]
fn a_request_that_ended_is_never_scheduled_again() {
    let mut bench = Bench::new(ToyRunner::new(8, 4), EngineOptions::default());
    let short = bench.generate(&greedy([1, 2, 3], 1));
    let long = bench.generate(&greedy([4, 5, 6, 7, 8], 6));
    let gone = bench.generate(&greedy([9, 9], 6));
    bench.step();
    bench.cancel(gone);
    assert!(bench.outcomes[&short].end.is_some());
    bench.drain();
    assert_eq!(bench.outcomes[&long].reasons, length(1));
    let later = &bench.engine.runner().batches[1..];
    assert!(later.iter().flat_map(|batch| &batch.segments).all(|s| s.prompt_tokens == 5));
}

#[test]
fn what_waits_has_no_blocks_and_what_decodes_has_one_token_to_compute() {
    let options = EngineOptions::default().with_max_sequences(2).with_max_batch_tokens(4);
    let mut bench = Bench::new(ToyRunner::new(8, 4), options);
    for first in 0..4 {
        bench.generate(&greedy([first, 1, 2, 3, 4, 5], 4));
    }
    while !bench.engine.is_idle() {
        bench.step();
        for waiting in bench.engine.waiting.values() {
            assert_eq!((waiting.n_computed, waiting.table.len()), (0, 0));
        }
        let running = bench.engine.running.values();
        for sequence in running.filter(|sequence| !sequence.generated().is_empty()) {
            assert_eq!(sequence.n_computed, sequence.tokens.len() - 1);
        }
    }
}

#[test]
fn a_block_is_reused_only_when_a_forward_has_covered_it() {
    let options = EngineOptions::default().with_max_sequences(2).with_max_batch_tokens(6);
    let mut bench = Bench::new(ToyRunner::new(16, 4), options);
    let prompt: Vec<u32> = (0..10).collect();
    bench.generate(&greedy(prompt.clone(), 2));
    // Planned, but not computed: nothing is there to be found.
    assert!(bench.engine.cache.find(0, &prompt).blocks.is_empty());
    bench.step();
    // Six tokens are computed: one block is full, the second one is not.
    assert_eq!(bench.engine.cache.find(0, &prompt).blocks.len(), 1);
    bench.step();
    assert_eq!(bench.engine.cache.find(0, &prompt).blocks.len(), 2);
    bench.drain();
}

#[test]
fn a_cancelled_producer_leaves_only_what_it_had_computed() {
    let mut bench =
        Bench::new(ToyRunner::new(16, 4), EngineOptions::default().with_max_batch_tokens(32));
    let prompt: Vec<u32> = (0..10).cycle().take(40).collect();
    let id = bench.generate(&greedy(prompt.clone(), 2));
    bench.step();
    bench.cancel(id);
    assert_eq!(bench.engine.cache.find(0, &prompt).blocks.len(), 8);
    assert_eq!(bench.engine.statistics().blocks, BlockCounts { free: 8, held: 0, cached: 8 });
    let again = greedy(prompt, 3);
    let id = bench.generate(&again);
    bench.drain();
    assert_eq!(bench.outcomes[&id], again.plainly(bench.engine.limits()));
    assert_eq!(bench.engine.statistics().prefix_hit_tokens, 32);
}

#[test]
fn a_failed_step_publishes_nothing() {
    let mut runner = ToyRunner::new(16, 4);
    runner.failing.insert(0);
    let mut bench = Bench::new(runner, EngineOptions::default());
    let prompt: Vec<u32> = (0..9).collect();
    let id = bench.generate(&greedy(prompt.clone(), 2));
    bench.step();
    assert_eq!(bench.outcomes[&id].end, Some(Err("the machine is on fire".to_owned())));
    assert!(bench.engine.cache.find(0, &prompt).blocks.is_empty());
    assert_eq!(bench.engine.statistics().blocks.free, 16);
}

#[test]
fn two_producers_of_the_same_start_never_write_the_same_block() {
    let mut bench = Bench::new(ToyRunner::new(16, 4), EngineOptions::default());
    let same = greedy([1, 2, 3, 4, 5, 6, 7, 8, 9], 5);
    let ids = [bench.generate(&same), bench.generate(&same), bench.generate(&same)];
    bench.step();
    // The toy runner refuses batches that share a written block; now one copy of each is left.
    let tables = bench.engine.running.values().map(|sequence| &sequence.table[..2]);
    let tables: Vec<_> = tables.collect();
    assert!(tables.iter().all(|&table| table == tables[0]));
    bench.drain();
    for id in ids {
        assert_eq!(bench.outcomes[&id], same.plainly(bench.engine.limits()));
    }
}

#[test]
fn shared_blocks_are_read_and_never_written_again() {
    let mut bench = Bench::new(ToyRunner::new(16, 4), EngineOptions::default());
    let prompt: Vec<u32> = (0..10).collect();
    bench.generate(&greedy(prompt.clone(), 3));
    bench.drain();
    bench.generate(&greedy(prompt, 3));
    bench.step();
    let segment = &bench.engine.runner().batches.last().unwrap().segments[0];
    assert_eq!(segment.start, 8, "two full blocks come from the cache");
    bench.drain();
}

#[test]
fn eviction_never_takes_a_block_of_a_running_sequence() {
    let mut bench = Bench::new(ToyRunner::new(6, 4), EngineOptions::default());
    let first = greedy([1, 2, 3, 4, 5, 6, 7, 8], 8);
    let ids = [bench.generate(&first), bench.generate(&greedy([8, 7, 6, 5], 1))];
    let others: Vec<_> =
        (0..5).map(|token| bench.generate(&greedy([token, token, 9, 9, 9], 2))).collect();
    bench.drain();
    assert_eq!(bench.outcomes[&ids[0]], first.plainly(bench.engine.limits()));
    assert!(others.iter().all(|id| bench.outcomes[id].end == Some(Ok(()))));
}

#[test]
fn requests_are_admitted_in_order_and_never_overtaken() {
    let mut bench = Bench::new(ToyRunner::new(6, 4), EngineOptions::default());
    let first = bench.generate(&greedy([1; 10], 4));
    let large = bench.generate(&greedy([2; 15], 2));
    let small = bench.generate(&greedy([3; 2], 1));
    bench.step();
    assert_eq!(bench.engine.running.len(), 1);
    // The small one would fit beside the first, but the large one comes before it.
    assert_eq!(bench.engine.waiting.len(), 2);
    let mut ends = Vec::new();
    while !bench.engine.is_idle() {
        bench.step();
        for id in [first, large, small] {
            if bench.outcomes[&id].end.is_some() && !ends.contains(&id) {
                ends.push(id);
            }
        }
    }
    assert_eq!(ends[0], first);
}

#[test]
fn planning_allocates_nothing_and_the_same_state_gives_the_same_plan() {
    let mut bench = Bench::new(ToyRunner::new(6, 4), EngineOptions::default());
    bench.generate(&greedy([1, 2, 3, 4, 5], 9));
    bench.generate(&greedy([1, 2, 3, 4, 6], 9));
    while !bench.engine.is_idle() {
        let before = bench.engine.statistics();
        assert_eq!(plan(&bench.engine), plan(&bench.engine));
        assert_eq!(bench.engine.statistics(), before);
        bench.step();
    }
}

#[test]
fn a_head_that_cannot_be_admitted_while_nothing_runs_fails_at_once() {
    let mut bench = Bench::new(ToyRunner::new(4, 4), EngineOptions::default());
    // Somebody holds blocks that no sequence knows of.
    let lost: Vec<_> = (0..2).map(|_| bench.engine.cache.allocate().unwrap()).collect();
    let id = bench.engine.submit(greedy([1; 12], 1).request()).unwrap();
    let next = bench.engine.submit(greedy([1; 3], 1).request()).unwrap();
    let events = bench.engine.step();
    assert!(matches!(
        events[..],
        [EngineEvent::Failed {
            id: failed,
            error: RequestError::OutOfBlocks { needed: 3, available: 2 }
        }] if failed == id
    ));
    let events = bench.engine.step();
    assert!(events.iter().all(|event| event.id() == next) && events.last().unwrap().is_last());
    bench.engine.cache.let_go_all(&lost);
    assert_eq!(bench.engine.statistics().blocks.held, 0);
}

#[test]
fn the_oldest_sequence_advances_in_every_step() {
    let options = EngineOptions::default().with_max_sequences(4).with_max_batch_tokens(4);
    let mut bench = Bench::new(ToyRunner::new(7, 2), options);
    for first in 0..6 {
        bench.generate(&greedy([first, 1, 2, 3, 4], 8));
    }
    let progress = |bench: &Bench| {
        let lines = bench.engine.running.iter().chain(&bench.engine.waiting);
        let oldest = lines.min_by_key(|(key, _)| **key);
        oldest.map(|(key, sequence)| (*key, sequence.n_computed + sequence.tokens.len()))
    };
    while let Some(before) = progress(&bench) {
        bench.step();
        let Some(after) = progress(&bench) else { break };
        assert!(after > before, "{before:?} to {after:?}");
    }
    assert!(bench.engine.statistics().preemptions > 0, "the pool is too small for all");
}
