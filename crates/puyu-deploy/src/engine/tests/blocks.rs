//! The pool, the trie, and both together.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::blocks::{BlockId, BlockPool};
use super::super::cache::{BlockCache, BlockCounts};
use super::super::prefix::{Parent, PrefixTrie};

const ROOT: Parent = Parent::Root { salt: 0 };

/// Computes and publishes a sequence of full blocks of 2 tokens, and returns its table.
fn publish(cache: &mut BlockCache, salt: u64, tokens: &[u32]) -> Vec<BlockId> {
    let mut parent = Parent::Root { salt };
    let mut table = Vec::new();
    for tokens in tokens.chunks_exact(2) {
        let block = cache.allocate().unwrap();
        let (block, next) = cache.publish(parent, tokens, block);
        table.push(block);
        parent = next;
    }
    table
}

#[test]
fn a_pool_gives_out_each_block_once_and_takes_it_back() {
    let mut pool = BlockPool::new(3);
    let taken: Vec<BlockId> = std::iter::from_fn(|| pool.take()).collect();
    assert_eq!(taken, [BlockId(0), BlockId(1), BlockId(2)]);
    assert_eq!(pool.n_free(), 0);
    pool.hold(BlockId(1));
    assert_eq!(pool.let_go(BlockId(1)), 1);
    assert_eq!(pool.let_go(BlockId(1)), 0);
    pool.free(BlockId(1));
    assert_eq!(pool.take(), Some(BlockId(1)));
}

#[test]
#[should_panic(expected = "only a holder lets go")]
fn a_block_cannot_be_let_go_twice() {
    let mut pool = BlockPool::new(1);
    let block = pool.take().unwrap();
    pool.let_go(block);
    pool.let_go(block);
}

#[test]
fn equal_hashes_are_no_identity() {
    let mut trie = PrefixTrie::with_hash(|_, _| 7);
    let first = trie.insert(ROOT, &[1, 2], BlockId(0));
    assert_eq!(trie.find(ROOT, &[1, 3]), None);
    assert_eq!(trie.find(Parent::Root { salt: 1 }, &[1, 2]), None);
    assert_eq!(trie.find(Parent::Node(first), &[1, 2]), None);
    let second = trie.insert(Parent::Node(first), &[1, 2], BlockId(1));
    assert_eq!(trie.find(ROOT, &[1, 2]), Some(first));
    assert_eq!(trie.find(Parent::Node(first), &[1, 2]), Some(second));
    trie.let_go(second);
    assert_eq!(trie.evict(), Some(BlockId(1)));
    assert_eq!(trie.find(ROOT, &[1, 2]), Some(first));
}

#[test]
fn eviction_takes_the_least_recently_used_leaf_and_never_a_parent_first() {
    let mut cache = BlockCache::new(5, 2);
    let old = publish(&mut cache, 0, &[1, 1, 2, 2]);
    let new = publish(&mut cache, 0, &[3, 3]);
    cache.let_go_all(&old);
    cache.let_go_all(&new);
    let _free = [cache.allocate().unwrap(), cache.allocate().unwrap()];
    assert_eq!(cache.counts(), BlockCounts { free: 0, held: 2, cached: 3 });
    assert_eq!(cache.allocate(), Some(old[1]));
    assert_eq!(cache.find(0, &[1, 1, 2, 2]).blocks, old[..1]);
    // Used again, so it is the other's turn.
    cache.hold(old[0]);
    cache.let_go(old[0]);
    assert_eq!(cache.allocate(), Some(new[0]));
    assert_eq!(cache.allocate(), Some(old[0]));
    assert_eq!(cache.allocate(), None);
}

#[test]
fn eviction_never_takes_what_is_held() {
    let mut cache = BlockCache::new(2, 2);
    let table = publish(&mut cache, 0, &[1, 1, 2, 2]);
    assert_eq!(cache.allocate(), None);
    cache.let_go(table[1]);
    assert_eq!(cache.allocate(), Some(table[1]));
    assert_eq!(cache.allocate(), None);
    assert_eq!(cache.find(0, &[1, 1, 2, 2]).blocks, table[..1]);
}

#[test]
fn the_second_to_publish_the_same_start_takes_over_the_first_ones_block() {
    let mut cache = BlockCache::new(4, 2);
    let first = publish(&mut cache, 0, &[1, 1, 2, 2]);
    let second = publish(&mut cache, 0, &[1, 1, 3, 3]);
    assert_eq!(first[0], second[0]);
    assert_ne!(first[1], second[1]);
    assert_eq!(cache.counts(), BlockCounts { free: 1, held: 3, cached: 0 });
    assert_eq!(cache.holders(first[0]), 2);
    assert!(!cache.is_private(first[0]));
}

#[test]
fn salts_keep_starts_apart() {
    let mut cache = BlockCache::new(4, 2);
    let table = publish(&mut cache, 5, &[1, 1]);
    assert_eq!(cache.find(5, &[1, 1]).blocks, table);
    assert!(cache.find(6, &[1, 1]).blocks.is_empty());
}

#[test]
fn looking_changes_nothing() {
    let mut cache = BlockCache::new(4, 2);
    let table = publish(&mut cache, 0, &[1, 1, 2, 2]);
    cache.let_go_all(&table);
    let before = cache.counts();
    assert_eq!(cache.find(0, &[1, 1, 2, 2, 3]), cache.find(0, &[1, 1, 2, 2]));
    assert_eq!(cache.counts(), before);
}

/// What a history may do, with numbers that choose on what.
#[derive(Debug, Clone)]
enum Action {
    /// Begins a sequence: reuses what is cached and computes the rest, if there is room.
    Begin { tokens: Vec<u32>, salt: u64 },
    /// Ends the sequence with this number, modulo those that are there.
    End { index: usize },
    /// Takes a block that is never published.
    Take,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let begin =
        (vec(0..2_u32, 0..12), 0..2_u64).prop_map(|(tokens, salt)| Action::Begin { tokens, salt });
    let end = (0..8_usize).prop_map(|index| Action::End { index });
    vec(prop_oneof![3 => begin, 3 => end, 1 => Just(Action::Take)], 0..60)
}

/// By block: the start of a sequence that was published in it.
type Content = Vec<Option<(u64, Vec<u32>)>>;

/// Reuses what is cached and computes the rest. Ends at once if there is no room.
fn begin(cache: &mut BlockCache, content: &mut Content, salt: u64, tokens: &[u32]) -> Vec<BlockId> {
    let found = cache.find(salt, tokens);
    let (mut table, mut parent) = (found.blocks, found.parent);
    for &block in &table {
        cache.hold(block);
    }
    for own in tokens.chunks_exact(2).skip(table.len()) {
        let Some(block) = cache.allocate() else {
            cache.let_go_all(&table);
            return Vec::new();
        };
        let (block, next) = cache.publish(parent, own, block);
        table.push(block);
        content[block.index()] = Some((salt, tokens[..2 * table.len()].to_vec()));
        parent = next;
    }
    table
}

/// Plays a history, with the true hash or one that always collides.
fn play(history: &[Action], trie: PrefixTrie) -> Result<(), TestCaseError> {
    let mut cache = BlockCache::with_trie(7, 2, trie);
    let mut tables: Vec<Vec<BlockId>> = Vec::new();
    let mut content: Content = vec![None; 7];
    for action in history {
        match action {
            Action::Begin { tokens, salt } => {
                for (at, &block) in cache.find(*salt, tokens).blocks.iter().enumerate() {
                    let start = (*salt, tokens[..2 * (at + 1)].to_vec());
                    prop_assert_eq!(content[block.index()].as_ref(), Some(&start));
                }
                tables.push(begin(&mut cache, &mut content, *salt, tokens));
            }
            Action::End { index } if !tables.is_empty() => {
                let table = tables.swap_remove(index % tables.len());
                cache.let_go_all(&table);
            }
            Action::Take => tables.extend(cache.allocate().map(|block| {
                content[block.index()] = None;
                vec![block]
            })),
            Action::End { .. } => {}
        }
        let held: std::collections::BTreeSet<BlockId> = tables.iter().flatten().copied().collect();
        prop_assert_eq!(cache.counts().held, held.len());
        prop_assert_eq!(cache.counts().total(), 7);
        prop_assert_eq!(cache.n_available(), 7 - held.len());
    }
    for table in &tables {
        cache.let_go_all(table);
    }
    let all = std::iter::from_fn(|| cache.allocate()).count();
    prop_assert_eq!(all, 7, "whatever the history, every block can be had again");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_the_history_the_counts_are_exact_and_nothing_leaks(history in actions()) {
        play(&history, PrefixTrie::new())?;
    }

    #[test]
    fn hashes_that_always_collide_change_nothing(history in actions()) {
        play(&history, PrefixTrie::with_hash(|_, _| 0))?;
    }
}
